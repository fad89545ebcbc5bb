"""The machine-readable record of where results come from.

A results folder with its record is an RO-Crate that follows the profile Provenance Run Crate 0.5. A file is the
``result`` of the job that made it, and the ``object`` of a job is what it read: other results, the entry of the
configuration, the code. Links thus lead from a figure to its tables, weights, sweeps and sources; every file has its
SHA-256.

``python -m superposition.pipeline.provenance results/paper/figures/introduction.svg`` follows these links, and fails if
one of the files has changed since; for a results folder, such as ``results/paper``, it checks all files.
"""

import mimetypes
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate
from rocrate.utils import as_list

from superposition.core import archive
from superposition.core.errors import SuperpositionError
from superposition.pipeline.config import PAPER_URL, Config
from superposition.pipeline.dag import Job, planned_jobs
from superposition.pipeline.identity import PACKAGES, commit, machine, sha256, versions

RECORD = "ro-crate-metadata.json"
# The folder of the results that holds a copy of the code.
CODE = "code"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    WORKFLOW_CRATE: "Workflow RO-Crate",
}


# Writing the record


@dataclass(frozen=True)
class Code:
    """The files that results were made with, relative to the project.

    Attributes:
        workflow: The files that define the jobs; the first is the Snakefile.
        configs: The configuration files.
        scripts: The script of each rule.
        modules: What jobs run besides their scripts, by rule and by stage (such as ``introduction.draw``).
    """

    workflow: Sequence[str]
    configs: Sequence[str]
    scripts: Mapping[str, str]
    modules: Mapping[str, Sequence[str]]


def build_crate(results: Path, config: Config, code: Code) -> ROCrate:
    """Build the record of a finished run; its method ``write(results)`` saves it with a copy of the code.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The configuration of the run.
        code: The files that the results were made with.

    Raises:
        SuperpositionError: A file is missing or damaged, or weights are not those of the configured sweep.
    """
    crate, jobs = ROCrate(version="1.1"), list(planned_jobs(config))
    crate.metadata.extra_terms = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
    _add_workflow(crate, code, list(dict.fromkeys(job.rule for job in jobs)))
    for name in config.sweeps:
        from_paper = ", ".join(config.from_paper[name]) or "nothing"
        sweep = {"value": config.sweeps[name].spec(), "description": f"The paper states: {from_paper}."}
        _add(crate, f"#experiments/{name}", "PropertyValue", name=f"config.experiments.{name}", **sweep)
    for job in jobs:
        _add_results(crate, job, results, config)
    for job in jobs:
        _add_action(crate, job, results, code)
    _add_run(crate, code, config)

    root = crate.root_dataset
    root["name"] = f"Toy Models of Superposition, replicated, at scale {config.scale}"
    root["description"] = "Models, tables, figures, verdicts and a report, and how each of them was made."
    root["license"] = _add(crate, "https://spdx.org/licenses/MIT", "CreativeWork", name="MIT License")
    root["isBasedOn"] = _add(
        crate, PAPER_URL, "ScholarlyArticle", name="Toy Models of Superposition (Elhage et al., 2022)"
    )
    root["datePublished"] = _isoformat((results / "report.html").stat().st_mtime)
    root["conformsTo"] = [
        _add(crate, profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
        for profile, name in PROFILES.items()
    ]
    root["mentions"] = crate.get_by_type("CreateAction")
    return crate


def _add(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> Entity:
    """Add an entity that is not a file."""
    return crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))


def _file_properties(path: Path) -> dict[str, str]:
    """Return the name, checksum, size and type of a file."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    digest = sha256(path)
    return {"name": path.name, "sha256": digest, "contentSize": str(path.stat().st_size), "encodingFormat": kind}


def _isoformat(seconds: float) -> str:
    """Format seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _crate_path(path: str) -> str:
    """Return the path in the crate of the copy of a file of the project, or of one outside it."""
    return f"{CODE}/{os.path.relpath(path).replace('../', '')}"


def _add_workflow(crate: ROCrate, code: Code, rules: list[str]) -> None:
    """Add the workflow as a program whose steps are the rules, each of which runs a script."""
    main, *others = code.workflow
    version = {"version": commit()}
    scripts = {code.scripts[rule]: {"@type": ["File", "SoftwareSourceCode"]} | version for rule in rules}
    modules = {path for paths in code.modules.values() for path in paths}
    for path in sorted({*others, *code.configs, *modules, *scripts}):
        crate.add_file(path, _crate_path(path), properties=_file_properties(Path(path)) | scripts.get(path, {}))

    packages = [
        _add(crate, _package(name), "SoftwareApplication", name=name, softwareVersion=number, url=_package(name))
        for name, number in versions().items()
    ]
    tools = {rule: crate.get(_crate_path(code.scripts[rule])) for rule in rules}
    steps = [
        _add(crate, f"#steps/{rule}", "HowToStep", name=rule, position=position, workExample=tool)
        for position, (rule, tool) in enumerate(tools.items())
    ]
    engine = versions()["snakemake"]
    workflow = crate.add_workflow(main, _crate_path(main), main=True, lang="snakemake", lang_version=engine)
    about = _file_properties(Path(main)) | version | {"runtimePlatform": machine(), "softwareRequirements": packages}
    for key, value in (about | {"step": steps, "hasPart": list(tools.values())}).items():
        workflow[key] = value
    workflow.type.append("HowTo")


def _package(name: str) -> str:
    """Return the address that identifies a package, or Python."""
    return f"https://pypi.org/project/{name}/" if name in PACKAGES else "https://www.python.org/"


def _add_results(crate: ROCrate, job: Job, results: Path, config: Config) -> None:
    """Add what a job produced; check the weights of a training job against the configuration."""
    for name in job.outputs:
        about = {}
        if job.rule in ("draw", "animate"):
            figure = config.figures[Path(name).stem]
            source = "The paper: " if config.sections[figure.section].anchor else ""
            about = {"name": figure.title, "description": source + figure.shows}
        files = sorted((results / name).iterdir()) if name.endswith("/") else [results / name]
        if job.rule == "train":
            header, arrays = archive.read(files[0])
            if header.sweep != config.sweeps[files[0].stem]:
                raise SuperpositionError(
                    f"{files[0]}: not the sweep in config.experiments.{files[0].stem}; delete the file to train again"
                )
            about = {"description": f"{arrays['loss'].size} models, trained on {header.device}."}
        parts = [
            crate.add_file(file, file.relative_to(results).as_posix(), properties=_file_properties(file) | about)
            for file in files
        ]
        if name.endswith("/"):
            crate.add_dataset(dest_path=name, properties={"hasPart": parts})


def _add_action(crate: ROCrate, job: Job, results: Path, code: Code) -> None:
    """Add a job: the script that ran, what it read and wrote, and when."""
    script = code.scripts[job.rule]
    used = sorted({file for part in (job.rule, *job.stages) for file in code.modules[part]})
    sweeps = [f"#experiments/{Path(name).stem}" for name in job.outputs] if job.rule == "train" else []
    # Those of the job itself, and of the parts that it was split into.
    logs, benchmarks = (
        sorted([*(results / folder).glob(f"{job.name}{kind}"), *(results / folder).glob(f"{job.name}/*{kind}")])
        for folder, kind in (("logs", ".log"), ("benchmarks", ".tsv"))
    )
    action = crate.add_action(
        crate.get(_crate_path(script)),
        f"#jobs/{job.name}",
        properties={"name": job.name, "description": f"rule {job.rule}"} | _times(benchmarks),
    )
    for key, names in (("object", (*job.inputs, *sweeps, *map(_crate_path, used))), ("result", job.outputs)):
        action.append_to(key, [crate.get(name) for name in names], compact=True)
    for file in (*logs, *benchmarks):
        crate.add_file(
            file, file.relative_to(results).as_posix(), properties=_file_properties(file) | {"about": action}
        )
    step = crate.get(f"#steps/{job.rule}")
    _add(crate, f"#control/{job.name}", "ControlAction", name=job.name, instrument=step, object=action)


def _times(benchmarks: Sequence[Path]) -> dict[str, str]:
    """Return when a job started and ended; its benchmarks are written as it ends, and say how long it took."""
    if not benchmarks:
        return {}
    ends = [path.stat().st_mtime for path in benchmarks]
    durations = [float(pd.read_csv(path, sep="\t")["s"].iloc[-1]) for path in benchmarks]
    starts = [end - duration for end, duration in zip(ends, durations, strict=True)]
    return {"startTime": _isoformat(min(starts)), "endTime": _isoformat(max(ends))}


def _add_run(crate: ROCrate, code: Code, config: Config) -> None:
    """Add all jobs together as one run of the workflow."""
    actions, steps = crate.get_by_type("CreateAction"), crate.get_by_type("ControlAction")
    settings = [
        _add(crate, f"#config/{key}", "PropertyValue", name=f"config.{key}", value=getattr(config, key))
        for key in ("scale", "device")
    ]
    times = {
        key: extreme(known)
        for key, extreme in (("startTime", min), ("endTime", max))
        if (known := [action[key] for action in actions if key in action])
    }
    run = crate.add_action(
        crate.mainEntity,
        "#run",
        object=[*(crate.get(_crate_path(path)) for path in code.configs), *settings],
        result=[result for action in actions for result in as_list(action["result"])],
        properties={
            "name": "run",
            "description": "All jobs, whether they ran in one invocation of Snakemake or in several.",
        }
        | times,
    )
    engine = crate.get(_package("snakemake"))
    _add(crate, "#engine", "OrganizeAction", name="Snakemake", instrument=engine, object=steps, result=run)


# Reading the record


def origins(crate: ROCrate, name: str) -> dict[str, int]:
    """Return a file and everything it comes from, by name in the record, with the number of jobs in between."""
    jobs = [action for action in crate.get_by_type("CreateAction") if action.id != "#run"]
    makers = {result.id: job for job in jobs for result in as_list(job["result"])}
    found: dict[str, int] = {}

    def follow(entity: Entity, depth: int) -> None:
        if entity.id in found:
            return
        found[entity.id] = depth
        folder = f"{entity.id.rpartition('/')[0]}/"
        if job := makers.get(entity.id) or makers.get(folder):
            found[job.id] = depth
            for source in as_list(job["object"]):
                follow(source, depth + 1)

    follow(crate.get(name), 0)
    return found


def changed_files(crate: ROCrate, results: Path, names: Iterable[str]) -> list[str]:
    """Return those of the named files that are missing or differ from the record."""
    recorded = {name: digest for name in names if (digest := crate.get(name).get("sha256"))}
    return [k for k, digest in recorded.items() if not (results / k).is_file() or sha256(results / k) != digest]


def _describe(entity: Entity) -> str:
    """Describe a job, a setting or a file in one line."""
    if entity.type == "CreateAction":
        return f"by {entity['name']}, {entity.get('endTime', 'at an unknown time')}"
    if entity.type == "PropertyValue":
        return f"{entity['name']}: {entity['value']}"
    return f"{entity.id} {entity.get('sha256', '')}"


def main(path: Path) -> None:
    """Print what a file comes from, or the number of files in a results folder.

    Raises:
        SuperpositionError: One of these files has changed, or there is no record of the path.
    """
    path = path.resolve()
    results = next((folder for folder in (path, *path.parents) if (folder / RECORD).is_file()), None)
    if results is None:
        raise SuperpositionError(f"{path}: no {RECORD} in this folder or above it")
    crate, name = ROCrate(results), path.relative_to(results).as_posix()
    if path == results:
        found = {file.id: 0 for file in crate.get_by_type("File")}
        print(f"{len(found)} files in the record, code {crate.mainEntity['version']}")
    elif name in crate:
        found = origins(crate, name)
        print(*("  " * depth + _describe(crate.get(origin)) for origin, depth in found.items()), sep="\n")
    else:
        raise SuperpositionError(f"{path}: not in {results / RECORD}")
    if changed := changed_files(crate, results, found):
        raise SuperpositionError(f"files differ from the record: {', '.join(changed)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/paper"))
    except SuperpositionError as error:
        sys.exit(f"error: {error}")

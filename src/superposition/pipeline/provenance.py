"""Where results come from: the record of a run that machines can read.

A results folder with its record is an RO-Crate that follows the profile Provenance Run Crate 0.5. A file is the
``result`` of the job that made it, and the ``object`` of a job is what it read: other results, the entry of the
configuration, the code. So links lead from a figure to its tables, weights, sweeps and sources, each with its SHA-256.

``python -m superposition.pipeline.provenance results/paper/figures/introduction.svg`` follows them, and ends with an
error where something has changed since; of a folder, ``results/paper``, it checks all files.
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
from superposition.pipeline.config import PAPER, Config
from superposition.pipeline.dag import Job, jobs
from superposition.pipeline.identity import PACKAGES, commit, machine, sha256, versions

RECORD = "ro-crate-metadata.json"
CODE = "code"  # the folder of the results with the code as it was
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    WORKFLOW_CRATE: "Workflow RO-Crate",
}


# The crate


@dataclass(frozen=True)
class Code:
    """The files that results were made with, relative to the project."""

    workflow: Sequence[str]  # what says which jobs there are; the first is the main one
    configs: Sequence[str]
    scripts: Mapping[str, str]  # by rule
    modules: Mapping[str, Sequence[str]]  # by rule and by stage: what a job runs beside its script


def crate(results: Path, config: Config, code: Code) -> ROCrate:
    """The record of a finished run; its ``write(results)`` puts it there, with a copy of the code.

    Raises SuperpositionError if a file is missing or damaged, or weights are not of the sweep that is configured.
    """
    made, done = ROCrate(version="1.1"), list(jobs(config))
    made.metadata.extra_terms = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
    _add_workflow(made, code, list(dict.fromkeys(job.rule for job in done)))
    for name in config.sweeps:
        stated = ", ".join(config.stated[name]) or "nothing"
        sweep = {"value": config.sweeps[name].spec(), "description": f"The paper states: {stated}."}
        _add(made, f"#experiments/{name}", "PropertyValue", name=f"config.experiments.{name}", **sweep)
    for job in done:
        _add_results(made, job, results, config)
    for job in done:
        _add_action(made, job, results, code)
    _add_run(made, code, config)

    root = made.root_dataset
    root["name"] = f"Toy Models of Superposition, replicated, at scale {config.scale}"
    root["description"] = "Models, tables, figures, verdicts and a report, and how each of them was made."
    root["license"] = _add(made, "https://spdx.org/licenses/MIT", "CreativeWork", name="MIT License")
    root["isBasedOn"] = _add(made, PAPER, "ScholarlyArticle", name="Toy Models of Superposition (Elhage et al., 2022)")
    root["datePublished"] = _time((results / "report.html").stat().st_mtime)
    root["conformsTo"] = [
        _add(made, profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
        for profile, name in PROFILES.items()
    ]
    root["mentions"] = made.get_by_type("CreateAction")
    return made


def _add(made: ROCrate, identifier: str, kind: str, **properties: Any) -> Entity:
    return made.add(ContextEntity(made, identifier, {"@type": kind, **properties}))


def _facts(path: Path) -> dict[str, str]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    digest = sha256(path)
    return {"name": path.name, "sha256": digest, "contentSize": str(path.stat().st_size), "encodingFormat": kind}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _copy(path: str) -> str:
    """Where the crate has a file of the project, or one beside it."""
    return f"{CODE}/{os.path.relpath(path).replace('../', '')}"


def _add_workflow(made: ROCrate, code: Code, rules: list[str]) -> None:
    """A program that has the rules as steps, each of which runs a script."""
    main, *others = code.workflow
    version = {"version": commit()}
    scripts = {code.scripts[rule]: {"@type": ["File", "SoftwareSourceCode"]} | version for rule in rules}
    modules = {path for paths in code.modules.values() for path in paths}
    for path in sorted({*others, *code.configs, *modules, *scripts}):
        made.add_file(path, _copy(path), properties=_facts(Path(path)) | scripts.get(path, {}))

    packages = [
        _add(made, _package(name), "SoftwareApplication", name=name, softwareVersion=number, url=_package(name))
        for name, number in versions().items()
    ]
    tools = {rule: made.get(_copy(code.scripts[rule])) for rule in rules}
    steps = [
        _add(made, f"#steps/{rule}", "HowToStep", name=rule, position=position, workExample=tool)
        for position, (rule, tool) in enumerate(tools.items())
    ]
    engine = versions()["snakemake"]
    workflow = made.add_workflow(main, _copy(main), main=True, lang="snakemake", lang_version=engine)
    about = _facts(Path(main)) | version | {"runtimePlatform": machine(), "softwareRequirements": packages}
    for key, value in (about | {"step": steps, "hasPart": list(tools.values())}).items():
        workflow[key] = value
    workflow.type.append("HowTo")


def _package(name: str) -> str:
    return f"https://pypi.org/project/{name}/" if name in PACKAGES else "https://www.python.org/"


def _add_results(made: ROCrate, job: Job, results: Path, config: Config) -> None:
    for name in job.outputs:
        about = {}
        if job.rule in ("draw", "animate"):
            figure = config.figures[Path(name).stem]
            whose = "The paper: " if config.sections[figure.section].anchor else ""
            about = {"name": figure.title, "description": whose + figure.shows}
        files = sorted((results / name).glob("*.csv")) if name.endswith("/") else [results / name]
        if job.rule == "train":
            header, arrays = archive.read(files[0])
            if header.sweep != config.sweeps[files[0].stem]:
                raise SuperpositionError(
                    f"{files[0]}: not what config.experiments.{files[0].stem} says; delete it to train again"
                )
            about = {"description": f"{arrays['loss'].size} models, trained on {header.device}."}
        parts = [
            made.add_file(file, file.relative_to(results).as_posix(), properties=_facts(file) | about) for file in files
        ]
        if name.endswith("/"):
            made.add_dataset(dest_path=name, properties={"hasPart": parts})


def _add_action(made: ROCrate, job: Job, results: Path, code: Code) -> None:
    """What ran, on what, and when."""
    script = code.scripts[job.rule]
    used = sorted({file for part in (job.rule, *job.stages) for file in code.modules[part]})
    sweeps = [f"#experiments/{Path(name).stem}" for name in job.outputs] if job.rule == "train" else []
    # Its own, and those of the parts that it was split into.
    logs, benchmarks = (
        sorted([*(results / folder).glob(f"{job.name}{kind}"), *(results / folder).glob(f"{job.name}/*{kind}")])
        for folder, kind in (("logs", ".log"), ("benchmarks", ".tsv"))
    )
    action = made.add_action(
        made.get(_copy(script)),
        f"#jobs/{job.name}",
        properties={"name": job.name, "description": f"rule {job.rule}"} | _times(benchmarks),
    )
    for key, names in (("object", (*job.inputs, *sweeps, *map(_copy, used))), ("result", job.outputs)):
        action.append_to(key, [made.get(name) for name in names], compact=True)
    for file in (*logs, *benchmarks):
        made.add_file(file, file.relative_to(results).as_posix(), properties=_facts(file) | {"about": action})
    step = made.get(f"#steps/{job.rule}")
    _add(made, f"#control/{job.name}", "ControlAction", name=job.name, instrument=step, object=action)


def _times(benchmarks: Sequence[Path]) -> dict[str, str]:
    """A benchmark is written when a job ends, and says how long it took."""
    if not benchmarks:
        return {}
    ends = [path.stat().st_mtime for path in benchmarks]
    lengths = [float(pd.read_csv(path, sep="\t")["s"].iloc[-1]) for path in benchmarks]
    starts = [end - length for end, length in zip(ends, lengths, strict=True)]
    return {"startTime": _time(min(starts)), "endTime": _time(max(ends))}


def _add_run(made: ROCrate, code: Code, config: Config) -> None:
    """All jobs as one run of the workflow."""
    actions, steps = made.get_by_type("CreateAction"), made.get_by_type("ControlAction")
    settings = [
        _add(made, f"#config/{key}", "PropertyValue", name=f"config.{key}", value=getattr(config, key))
        for key in ("scale", "device")
    ]
    times = {
        key: extreme(known)
        for key, extreme in (("startTime", min), ("endTime", max))
        if (known := [action[key] for action in actions if key in action])
    }
    run = made.add_action(
        made.mainEntity,
        "#run",
        object=[*(made.get(_copy(path)) for path in code.configs), *settings],
        result=[result for action in actions for result in as_list(action["result"])],
        properties={"name": "run", "description": "All jobs, whether they ran at one time or at several."} | times,
    )
    engine = made.get(_package("snakemake"))
    _add(made, "#engine", "OrganizeAction", name="Snakemake", instrument=engine, object=steps, result=run)


# The way back


def origins(made: ROCrate, name: str) -> dict[str, int]:
    """A file and all that it comes from, by their names in the record, with the number of jobs in between."""
    jobs = [action for action in made.get_by_type("CreateAction") if action.id != "#run"]
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

    follow(made.get(name), 0)
    return found


def changed(made: ROCrate, results: Path, names: Iterable[str]) -> list[str]:
    """Of these, the files that are not there or not what the record says."""
    recorded = {name: digest for name in names if (digest := made.get(name).get("sha256"))}
    return [k for k, digest in recorded.items() if not (results / k).is_file() or sha256(results / k) != digest]


def _describe(entity: Entity) -> str:
    if entity.type == "CreateAction":
        return f"by {entity['name']}, {entity.get('endTime', 'at an unknown time')}"
    if entity.type == "PropertyValue":
        return f"{entity['name']}: {entity['value']}"
    return f"{entity.id} {entity.get('sha256', '')}"


def main(path: Path) -> None:
    """Prints what a file comes from; of a folder, how many files it has. Ends with an error where one has changed."""
    path = path.resolve()
    results = next((folder for folder in (path, *path.parents) if (folder / RECORD).is_file()), None)
    if results is None:
        raise SuperpositionError(f"{path}: there is no {RECORD} beside it or above it")
    made, name = ROCrate(results), path.relative_to(results).as_posix()
    if path == results:
        found = {file.id: 0 for file in made.get_by_type("File")}
        print(f"{len(found)} files in the record, code {made.mainEntity['version']}")
    elif name in made:
        found = origins(made, name)
        print(*("  " * depth + _describe(made.get(origin)) for origin, depth in found.items()), sep="\n")
    else:
        raise SuperpositionError(f"{path}: not in {results / RECORD}")
    if off := changed(made, results, found):
        raise SuperpositionError(f"not what the record says: {', '.join(off)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/paper"))
    except SuperpositionError as error:
        sys.exit(f"error: {error}")

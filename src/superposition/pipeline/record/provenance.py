"""The machine-readable record of where results come from.

A results folder with its record is an RO-Crate that follows the profile Provenance Run Crate 0.5. A file is the
``result`` of the job that made it, and the ``object`` of a job is what it read: other results, the entry of the
configuration, the code. Links thus lead from a figure to its tables, weights, sweeps and sources; every file has its
SHA-256. What a job read and wrote is taken from its log (see :mod:`superposition.pipeline.record.history`).

``python -m superposition.pipeline.record.provenance results/paper/figures/introduction.svg`` follows these links, and
fails if one of the files has changed since; for a results folder, such as ``results/paper``, it checks all files.
"""

import mimetypes
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate
from rocrate.utils import as_list

from superposition.core import archive
from superposition.core.errors import SuperpositionError
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.judging.claims import PAPER_URL
from superposition.pipeline.record.history import Job, commit, sha256, versions
from superposition.pipeline.record.machine import machine

RECORD = "ro-crate-metadata.json"
# The folder of the results that holds a copy of the code.
CODE = "code"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}


# Writing the record


def build_crate(
    results: Path,
    config: Config,
    files: Sequence[str],
    jobs: Sequence[Job],
    workflow: Sequence[str],
    configs: Sequence[str],
    scripts: Mapping[str, str],
) -> ROCrate:
    """Build the record of a finished run; its method ``write(results)`` saves it with a copy of the code.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The configuration of the run.
        files: The results; other files of the project among them are ignored.
        jobs: The jobs that made the results, in the order in which they began. Results whose job is not known are
            recorded without one.
        workflow: The files that define the workflow; the first is the Snakefile.
        configs: The configuration files.
        scripts: The script of each rule.

    Raises:
        SuperpositionError: A file is missing or damaged, or weights are not those of the configured sweep.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
    read = {path for job in jobs for path in job.input if results not in Path(path).parents}
    _add_workflow(crate, [*workflow, *sorted({*read, *configs} - {*workflow})], {j.rule: scripts[j.rule] for j in jobs})
    for name, sweep in config.sweeps.items():
        stated = f"The paper states: {', '.join(config.from_paper[name]) or 'nothing'}."
        about = {"name": f"config.experiments.{name}", "value": sweep.spec(), "description": stated}
        _add(crate, f"#experiments/{name}", "PropertyValue", **about)
    for path in map(Path, files):
        if results in path.parents:
            _add_result(crate, results, path, config)
    # A part of a sweep is gone once it was gathered: its job contributed to what was made of it.
    made_of = {path: job.output for job in jobs for path in job.input if not Path(path).exists()}
    for job in jobs:
        made = [final for path in job.output for final in made_of.get(path, [path])]
        _add_job(crate, results, job, made, scripts[job.rule])
    _add_run(crate, configs, config)
    root = crate.root_dataset
    root["name"] = f"Toy Models of Superposition, replicated, at scale {config.scale}"
    root["description"] = "Models, tables, figures, verdicts and a report, and how each of them was made."
    root["license"] = _add(crate, "https://spdx.org/licenses/MIT", "CreativeWork", name="MIT License")
    root["isBasedOn"] = _add(crate, PAPER_URL, "ScholarlyArticle", name="Toy Models of Superposition")
    root["datePublished"] = datetime.fromtimestamp((results / "report.html").stat().st_mtime, UTC).isoformat()
    root["conformsTo"] = [
        _add(crate, profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
        for profile, name in PROFILES.items()
    ]
    root["mentions"] = crate.get_by_type("CreateAction")
    return crate


def _add(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> Entity:
    """Add an entity that is not a file."""
    return crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))


def _add_file(crate: ROCrate, path: Path, place: str, **properties: Any) -> Entity:
    """Add a file with its checksum, size and type."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    about = {"name": path.name, "sha256": sha256(path), "contentSize": str(path.stat().st_size), "encodingFormat": kind}
    return crate.add_file(path, place, properties=about | properties)


def _crate_path(path: str) -> str:
    """Return the path in the crate of the copy of a file of the project, or of one outside it."""
    return f"{CODE}/{os.path.relpath(path).replace('../', '')}"


def _add_workflow(crate: ROCrate, files: Sequence[str], tools: Mapping[str, str]) -> None:
    """Add the code: the workflow as a program whose steps are the rules, each of which runs a script, its tool."""
    main, version = files[0], {"version": commit()}
    for path in files[1:]:
        script = {"@type": ["File", "SoftwareSourceCode"]} | version if path in tools.values() else {}
        _add_file(crate, Path(path), _crate_path(path), **script)
    packages = [
        _add(crate, f"#packages/{name}", "SoftwareApplication", name=name, softwareVersion=number)
        for name, number in versions().items()
    ]
    scripts = [crate.get(_crate_path(script)) for script in tools.values()]
    steps = [
        _add(crate, f"#steps/{rule}", "HowToStep", name=rule, position=position, workExample=script)
        for position, (rule, script) in enumerate(zip(tools, scripts, strict=True))
    ]
    workflow = crate.add_workflow(main, _crate_path(main), main=True, lang="snakemake")
    size, digest = str(Path(main).stat().st_size), sha256(Path(main))
    about = version | {"name": main, "sha256": digest, "contentSize": size, "runtimePlatform": machine()}
    for key, value in (about | {"step": steps, "hasPart": scripts, "softwareRequirements": packages}).items():
        workflow[key] = value
    workflow.type.append("HowTo")


def _add_result(crate: ROCrate, results: Path, path: Path, config: Config) -> None:
    """Add a file, or a folder of tables or models, that a job made; check weights against the configuration."""
    about, place = {}, path.relative_to(results).as_posix()
    if path.suffix == ".safetensors":
        header, arrays = archive.read(path)
        if header.sweep != config.sweeps[path.stem]:
            raise SuperpositionError(
                f"{path}: not the sweep in config.experiments.{path.stem}; delete the file to train again"
            )
        about = {"description": f"{arrays['loss'].size} models, trained on {header.device}."}
    elif path.parent.name == "figures":
        figure = config.figures[path.stem]
        about = {"name": figure.title, "description": figure.shows}
    if path.is_dir():
        parts = [_add_file(crate, file, f"{place}/{file.name}") for file in sorted(path.glob("[!.]*"))]
        crate.add_dataset(dest_path=f"{place}/", properties={"hasPart": parts})
    else:
        _add_file(crate, path, place, **about)


def _add_job(crate: ROCrate, results: Path, job: Job, made: Sequence[str], script: str) -> None:
    """Add a job: the script that ran, what it read and wrote, and when."""

    def find(path: str) -> Entity | None:
        inside = results in Path(path).parents
        place = Path(path).relative_to(results).as_posix() if inside else _crate_path(path)
        return crate.get(place) or crate.get(f"{place}/")

    about = {"name": job.name, "description": f"rule {job.rule}, on {job.machine}"}
    times = {"startTime": job.start, "endTime": job.end}
    action = crate.add_action(crate.get(_crate_path(script)), f"#jobs/{job.name}", properties=about | times)
    sweeps = [crate.get(f"#experiments/{Path(path).stem}") for path in made if path.endswith(".safetensors")]
    action.append_to("object", [*filter(None, map(find, job.input)), *sweeps], compact=True)
    action.append_to("result", [find(path) for path in made], compact=True)
    for file in (f"logs/{job.name}.log", f"benchmarks/{job.name}.tsv"):
        _add_file(crate, results / file, file, about=action)
    step = crate.get(f"#steps/{job.rule}")
    _add(crate, f"#control/{job.name}", "ControlAction", name=job.name, instrument=step, object=action)


def _add_run(crate: ROCrate, configs: Sequence[str], config: Config) -> None:
    """Add all jobs together as one run of the workflow."""
    actions, steps = crate.get_by_type("CreateAction"), crate.get_by_type("ControlAction")
    settings = [
        _add(crate, f"#config/{key}", "PropertyValue", name=f"config.{key}", value=getattr(config, key))
        for key in ("scale", "device", "seed")
    ]
    about = {"name": "run", "description": "All jobs, whether they ran in one invocation of Snakemake or in several."}
    starts, ends = ([action[key] for action in actions] for key in ("startTime", "endTime"))
    times = {"startTime": min(starts), "endTime": max(ends)} if actions else {}
    run = crate.add_action(
        crate.mainEntity,
        "#run",
        object=[*(crate.get(_crate_path(path)) for path in configs), *settings],
        result=list({result.id: result for action in actions for result in as_list(action["result"])}.values()),
        properties=about | times,
    )
    engine = crate.get("#packages/snakemake")
    _add(crate, "#engine", "OrganizeAction", name="Snakemake", instrument=engine, object=steps, result=run)


# Reading the record


def origins(crate: ROCrate, name: str) -> dict[str, int]:
    """Return a file and everything it comes from, by name in the record, with the number of jobs in between."""
    jobs = [action for action in crate.get_by_type("CreateAction") if action.id != "#run"]
    # Of several jobs, the last one gathered what the others had made.
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

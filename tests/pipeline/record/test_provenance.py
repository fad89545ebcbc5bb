"""The record of a run made by hand: what every file comes from, by which job, and whether it has changed since."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from rocrate.rocrate import ROCrate
from tests.sections import parse

from superposition.core.errors import SuperpositionError
from superposition.core.weights import SweepResult
from superposition.pipeline import files
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.record import provenance
from superposition.pipeline.record.history import Job, trace_jobs

RESULTS = Path("results/paper")
WEIGHTS, TABLES, FIGURE = "weights/five.safetensors", "tables/introduction", "figures/introduction.svg"
SOURCES = ("Snakefile", "config.yaml", "train.py", "loop.cpp", "measure.py", "draw.py")
# The jobs in the order in which they ran: what each read, and what it made. The sweep was trained in two parts.
JOBS: dict[str, tuple[list[str], list[str]]] = {
    "train/five/1-of-2": (["train.py", "loop.cpp"], ["weights/five/1"]),
    "train/five/2-of-2": (["train.py", "loop.cpp"], ["weights/five/2"]),
    "train/five": (["train.py", "weights/five/1", "weights/five/2"], [WEIGHTS]),
    "measure/introduction": (["measure.py", WEIGHTS], [TABLES]),
    "draw/introduction": (["draw.py", TABLES], [FIGURE]),
    "report": (["draw.py", FIGURE], ["report.html"]),
    "train/other": (["train.py"], ["weights/other.safetensors"]),
}
RAW: dict[str, Any] = {
    "experiments": {"five": {"model": "linear", "n": 5, "m": 2, "density": 0.5, "from_paper": ["model", "n"]}},
    "sections": {"introduction": {"title": "Introduction", "anchor": "#motivation"}},
    "figures": {"introduction": {"section": "introduction", "title": "Five", "shows": "W_i.", "experiments": ["five"]}},
}


def place(name: str) -> str:
    """Return the path of a file in the project, in which results have a folder of their own."""
    return name if name in SOURCES else f"{RESULTS}/{name}"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Make the results of a run, and its logs, in an empty project."""
    monkeypatch.chdir(tmp_path)
    config = parse(RAW)
    for folder in ("weights", "tables", "figures"):
        (RESULTS / folder).mkdir(parents=True)
    for name in SOURCES:
        Path(name).write_text(f"The file {name}.")
    parameters = {"W": torch.ones(1, 1, 2, 5), "b": torch.zeros(1, 1, 5)}
    loss = torch.ones(1, 1, dtype=torch.float64)
    SweepResult(config.sweeps["five"], parameters, loss, 0 * loss, device="the abacus").save(RESULTS / WEIGHTS)
    files.write({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"x": [2]})}, RESULTS / TABLES)
    for name in (FIGURE, "report.html"):
        (RESULTS / name).write_text(f"<p>{name}</p>")
    for k, (name, (read, made)) in enumerate(JOBS.items()):
        paths = {"input": [*map(place, read)], "output": [*map(place, made)]}
        times = {"start": f"2026-01-01T00:00:0{k}", "end": f"2026-01-01T00:01:0{k}", "machine": "the abacus"}
        for folder, suffix, text in (
            ("logs", "log", f"A word before.\n{json.dumps({'rule': name.split('/')[0]} | paths | times)}"),
            ("benchmarks", "tsv", "s\n1"),
        ):
            path = RESULTS / folder / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return config


def write(config: Config) -> ROCrate:
    """Write the record, and read it again."""
    made = [f"{RESULTS}/{name}" for name in (WEIGHTS, TABLES, FIGURE, "report.html")]
    jobs = trace_jobs(RESULTS, made)
    scripts = {"train": "train.py", "measure": "measure.py", "draw": "draw.py", "report": "draw.py"}
    workflow, configs = ["Snakefile", "loop.cpp"], ["config.yaml"]
    provenance.build_crate(RESULTS, config, [*made, "train.py"], jobs, workflow, configs, scripts).write(RESULTS)
    return ROCrate(RESULTS)


def ids(value: Any) -> list[str]:
    return [entity.id for entity in (value if isinstance(value, list) else [value])]


def test_what_a_figure_comes_from(config: Config) -> None:
    """Links lead through the jobs to the sweep and the code, and to nothing that the figure does not come from."""
    found = provenance.origins(write(config), FIGURE)
    assert found == {
        **{FIGURE: 0, "#jobs/draw/introduction": 0},
        **{"code/draw.py": 1, f"{TABLES}/": 1, "#jobs/measure/introduction": 1},
        **{"code/measure.py": 2, WEIGHTS: 2, "#jobs/train/five": 2},
        **{"code/train.py": 3, "#experiments/five": 3},
    }


def test_what_the_record_says(config: Config) -> None:
    """Every file has its checksum and size, every job what it read and made, when, where and by which script."""
    crate = write(config)
    for entity in crate.get_by_type("File"):
        content = (RESULTS / entity.id).read_bytes()
        assert (entity["sha256"], entity["contentSize"]) == (hashlib.sha256(content).hexdigest(), str(len(content)))
    assert crate.get(FIGURE)["name"] == "Five"
    assert ids(crate.get(f"{TABLES}/")["hasPart"]) == [f"{TABLES}/a.csv", f"{TABLES}/b.csv"]
    assert "trained on the abacus" in crate.get(WEIGHTS)["description"]
    assert crate.get("#experiments/five")["description"] == "The paper states: model, n."
    jobs = {job["name"]: job for job in crate.get_by_type("CreateAction") if job.id != "#run"}
    assert [*jobs] == [name for name in JOBS if name != "train/other"], "what nothing came from is not recorded"
    for k, (name, job) in enumerate(jobs.items()):
        read, made = JOBS[name]
        # A part of a sweep is gone; its job contributed to what was made of it.
        results = [WEIGHTS] if "-of-" in name else [f"{TABLES}/" if item == TABLES else item for item in made]
        assert ids(job["result"]) == results
        code = {f"code/{item}" for item in read if item in SOURCES}
        inside = {f"{TABLES}/" if item == TABLES else item for item in read if item in (WEIGHTS, TABLES, FIGURE)}
        sweep = {"#experiments/five"} if name.startswith("train") else set()
        assert {*ids(job["object"])} == code | inside | sweep
        assert (job["startTime"], job["endTime"]) == (f"2026-01-01T00:00:0{k}", f"2026-01-01T00:01:0{k}")
        script = "draw.py" if name == "report" else f"{name.split('/')[0]}.py"
        assert ids(job["instrument"]) == [f"code/{script}"]
        assert {e.id for e in crate.get_entities() if e.get("about") == job} == {
            f"logs/{name}.log",
            f"benchmarks/{name}.tsv",
        }
    run = crate.get("#run")
    assert (run["startTime"], run["endTime"]) == ("2026-01-01T00:00:00", "2026-01-01T00:01:05")
    assert {"code/config.yaml", "#config/scale"} <= {*ids(run["object"])}
    workflow = crate.mainEntity
    assert [(crate.get(f"#steps/{rule}")["position"], rule) for rule in ("train", "measure", "draw", "report")] == [
        *enumerate(["train", "measure", "draw", "report"])
    ]
    assert {*ids(workflow["hasPart"])} == {"code/train.py", "code/measure.py", "code/draw.py"}


def test_the_shell_shows_origins_and_finds_changes(config: Config, capsys: pytest.CaptureFixture) -> None:
    """The command prints what a file comes from, and fails if one of these files, and no other, has changed since."""
    write(config)
    provenance.main(RESULTS / FIGURE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == FIGURE
    assert lines[1] == "by draw/introduction, 2026-01-01T00:01:04"
    assert any(line.startswith("      config.experiments.five: {") for line in lines)
    (RESULTS / "report.html").write_text("Another report.")
    provenance.main(RESULTS / FIGURE)
    for target, changed in ((RESULTS, "report.html"), (RESULTS / "report.html", "report.html")):
        with pytest.raises(SuperpositionError, match=f"record: {changed}$"):
            provenance.main(target)
    (RESULTS / FIGURE).unlink()
    (RESULTS / WEIGHTS).write_bytes(b"Other weights.")
    with pytest.raises(SuperpositionError, match=f"record: {FIGURE}, {WEIGHTS}$"):
        provenance.main(RESULTS / FIGURE)


def test_weights_of_another_sweep_are_refused(config: Config) -> None:
    weights = SweepResult.load(RESULTS / WEIGHTS)
    other = replace(weights, sweep=weights.sweep.model_copy(update={"steps": 7}))
    (RESULTS / WEIGHTS).unlink()
    other.save(RESULTS / WEIGHTS)
    with pytest.raises(SuperpositionError, match=r"not the sweep in config\.experiments\.five"):
        write(config)


def test_a_file_without_a_job_or_a_record(config: Config) -> None:
    """It is recorded without an origin; where there is no record, the message says so."""
    nothing: list[Job] = []
    files_made = [f"{RESULTS}/{name}" for name in (FIGURE, "report.html")]
    crate = provenance.build_crate(RESULTS, config, files_made, nothing, ["Snakefile"], [], {})
    assert provenance.origins(crate, FIGURE) == {FIGURE: 0}
    with pytest.raises(SuperpositionError, match=r"no ro-crate-metadata.json in this folder or above it"):
        provenance.main(RESULTS / FIGURE)
    write(config)
    with pytest.raises(SuperpositionError, match=r"other\.svg: not in"):
        provenance.main(RESULTS / "other.svg")

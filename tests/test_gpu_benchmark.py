"""Test the whole of `benchmarks/gpu.py`, with the CPU in place of the GPU."""

import importlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml
from tests.paper.made import models_of
from tests.real import QUICK, ROOT

from superposition.pipeline import stages

pytestmark = pytest.mark.integration

SECTIONS = [
    "The machine",
    "Compilation",
    "Tests",
    "Training",
    "Against the published recipe",
    "Many models",
    "The CPU's training",
    "Losses, relative to the CPU's",
    "All sweeps",
    "Verdicts",
    "Verdicts, counted",
]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    gpu = importlib.import_module("gpu")
    monkeypatch.setattr(gpu, "TESTS", "--noconftest tests/workflow/test_times.py")
    monkeypatch.setattr(gpu, "SHAPES", (replace(gpu.SHAPES[0], points=4),))
    monkeypatch.setattr(gpu, "available_cores", lambda: 1)  # Each of its processes imports PyTorch.
    for name, value in {"COPY": 2**20, "MATRIX": 256, "RECIPE_STEPS": 12}.items():
        monkeypatch.setattr(gpu, name, value)
    return gpu


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a configuration with one figure, three sweeps, one of which diverges, and one that is solved exactly."""
    whole = yaml.safe_load((ROOT / "config.yaml").read_text())
    few = {name: whole["experiments"][name] for name in ("introduction", "phase_2in1_optimum")}
    few["small"] = {"model": "linear", "n": 3, "m": 2, "density": [1, 0.1], "restarts": 2}
    few["diverges"] = {**few["small"], "learning_rate": 10, "weight_decay": 1, "schedule": "constant"}
    for name in ("introduction", stages.CUSTOM):
        shutil.copytree(stages.SECTIONS_FOLDER / name, tmp_path / "paper" / name)
    monkeypatch.setattr(stages, "SECTIONS_FOLDER", tmp_path / "paper")
    path = tmp_path / "config.yaml"
    few = {name: entry | {"batch": 64, "evaluation": 4000, "quick": {}} for name, entry in few.items()}
    path.write_text(yaml.safe_dump({"defaults": whole["defaults"], "experiments": few}))
    return path


def test_every_section_is_made(benchmark: ModuleType, config: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "gpu"
    words = ["--device", "cpu", "--scale", "quick", "--steps", "40", "--config", str(config), "--output", str(output)]
    benchmark.main(words)

    text = output.with_suffix(".md").read_text()
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    assert "Failed" not in text
    rows = {title: part.dropna(axis=1, how="all") for title, part in pd.read_csv(f"{output}.csv").groupby("section")}
    assert list(rows) == sorted(SECTIONS)
    assert list(rows["All sweeps"]["sweep"]) == ["diverges", "introduction", "small"]
    assert {"compiling, s", "training, s", "CPU, s", "% of limit", "mean loss"} <= set(rows["All sweeps"])
    trained = rows["Training"].set_index("sweep")
    assert "diverged" in trained["note"]["diverges"]
    assert (trained["seconds"].drop("diverges") > 0).all()
    losses = rows["Losses, relative to the CPU's"].set_index("sweep")
    assert (losses.loc[["introduction", "small"], ["mean", "best"]] == 0).all(axis=None)
    assert rows["Verdicts, counted"]["alike"].item() == rows["Verdicts, counted"]["claims"].item() > 0
    assert "passed" in rows["Tests"]["tests"].item()


def test_figures_get_the_best_known_models_or_are_left_out(benchmark: ModuleType, tmp_path: Path) -> None:
    """Without the best known models that a figure needs, no claim about it has a verdict."""
    figure = QUICK.figures["correlated_organization"]
    sections = {figure.section: QUICK.sections[figure.section]}
    config = replace(QUICK, scale="paper", sections=sections, figures={"correlated_organization": figure})
    best = {name: tmp_path / f"{name}.safetensors" for name in figure.best}
    for name in figure.experiments:
        models_of(QUICK.sweeps[name], name).save(tmp_path / f"{name}.safetensors")
    judged = [benchmark.judge(config, tmp_path, tmp_path, known) for known in (best, {})]
    claims = [frame[frame["figure"] == "correlated_organization"]["verdict"] for frame in judged]
    assert (claims[0] != "error").any()
    assert (claims[1] == "error").all()


def test_errors_are_no_verdicts_alike(benchmark: ModuleType) -> None:
    rows = [["described"] * 3, ["reproduced", "corrected", "reproduced"], ["error"] * 2 + ["reproduced"]]
    rows.append(["reproduced", "error", "reproduced"])
    counted = benchmark.count_verdicts(pd.DataFrame(rows, columns=["GPU", "CPU", "expected"]))
    found = {"claims": 2, "errors": 2, "alike": 1, "on record, GPU": 2, "on record, CPU": 1}
    assert counted.to_dict("records") == [found]


def test_a_failing_section_does_not_stop_the_others(benchmark: ModuleType, tmp_path: Path) -> None:
    report = benchmark.Report(tmp_path / "gpu")
    report.add("bad", lambda: 1 / 0)
    report.add("good", lambda: pd.DataFrame({"a": [1]}))
    text = (tmp_path / "gpu.md").read_text()
    assert "ZeroDivisionError" in text
    assert pd.read_csv(tmp_path / "gpu.csv").to_dict("records") == [{"section": "good", "a": 1}]

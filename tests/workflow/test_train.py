"""Test how sweeps become jobs: split over several, with the same bytes and nothing trained again, and on a GPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.workflow.project import OUT, ROOT, Project

pytestmark = pytest.mark.integration

EXPERIMENTS = ("introduction", "basic_small", "basic_small_linear", "uniform_400_30")


def test_one_job_on_one_machine(fresh: Project) -> None:
    """A sweep is one job unless it is large and more are requested; three points make three jobs at most."""
    weights = [f"{OUT}/weights/{name}.safetensors" for name in EXPERIMENTS]
    assert fresh.jobs("--", *weights) == {f"train:{name}" for name in EXPERIMENTS}
    plan = fresh.make("-n", "--quiet", "rules", "--set-scatter", "split=5", "--", *weights)
    counts = dict(line.split() for line in plan.splitlines() if len(line.split()) == 2)
    assert (counts["part"], counts["gather"], "train" in counts) == ("18", "4", False)
    small = fresh.jobs("--set-scatter", "split=5", "--config", "one_core_work=45000000000", "--", *weights)
    assert small == {f"train_small:{name}" for name in EXPERIMENTS}


def test_a_large_sweep_comes_first(fresh: Project) -> None:
    """A sweep that takes all cores would otherwise wait until no other job is left."""
    config = fresh.config()
    config["experiments"]["introduction"] |= {"steps": 4000, "batch": 16}
    fresh.configure(config | {"one_core_work": 2e6})
    said = fresh.make(*(f"{OUT}/weights/{name}.safetensors" for name in EXPERIMENTS))
    assert re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE) == ["train", *["train_small"] * 3]


def test_a_split_sweep_has_the_same_bytes_and_a_record(made: Project, copied: Project) -> None:
    """The parts give the file that one job makes, and the number of parts is no reason to make it again."""
    split, experiments = copied, ("introduction", "basic_small")
    gathered = {split.path / OUT / f"weights/{name}.safetensors": 0 for name in experiments}
    for file in gathered:
        gathered[file] = file.stat().st_mtime_ns
        file.unlink()
    files = [str(file.relative_to(split.path)) for file in gathered]
    assert "rule gather" in split.make("--set-scatter", "split=2", "--", *files)
    # With the time of the file that was there, only the record has to be made again.
    for file, time in gathered.items():
        os.utime(file, ns=(time, time))
    said = split.make("--set-scatter", "split=2", "--forcerun", "crate")
    assert set(re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE)) <= {"crate", "all"}
    for name in EXPERIMENTS:
        weights = OUT / f"weights/{name}.safetensors"
        assert (split.path / weights).read_bytes() == (made.path / weights).read_bytes()
    out = split.path / OUT
    assert sorted(p.name for p in (out / "weights").iterdir()) == sorted(f"{name}.safetensors" for name in EXPERIMENTS)
    for number in ("1", "5"):
        assert split.jobs("--set-scatter", f"split={number}") == set()

    graph = {entity["@id"]: entity for entity in json.loads((out / "ro-crate-metadata.json").read_text())["@graph"]}
    for name in experiments:
        for stem in (f"train/{name}", f"train/{name}/1-of-2", f"train/{name}/2-of-2"):
            job = graph[f"#jobs/{stem}"]
            assert job["result"] == {"@id": f"weights/{name}.safetensors"}
            assert job["startTime"] < job["endTime"]
            assert {k for k, e in graph.items() if e.get("about") == {"@id": job["@id"]}} == {
                f"logs/{stem}.log",
                f"benchmarks/{stem}.tsv",
            }


def test_a_part_that_is_there_is_not_trained_again(fresh: Project) -> None:
    """A run that ended between two parts trains only the other one."""
    first, second = (f"{OUT}/weights/introduction/{part}-of-2.safetensors" for part in (1, 2))
    fresh.make("--set-scatter", "split=2", "--notemp", "--", first)
    jobs = fresh.jobs("--set-scatter", "split=2", "--", f"{OUT}/weights/introduction.safetensors")
    assert jobs == {"part:introduction", "gather:introduction"}
    plan = fresh.make("-n", "--set-scatter", "split=2", "--", f"{OUT}/weights/introduction.safetensors")
    assert f"output: {second}" in plan
    assert f"output: {first}" not in plan


def test_a_bar_has_the_name_that_the_panel_gives_to_its_job(tmp_path: Path) -> None:
    """The panel finds the bar of a job by all of its wildcards, such as the experiment, the part and the seed."""
    code = f"""
import runpy, sys
from types import SimpleNamespace
from superposition.training import runner

class Wildcards(dict):
    __getattr__ = dict.get
    __iter__ = lambda self: iter(self.values())

runner.train = lambda *_, label, **options: sys.exit(label)
sweep = '{{"model": "linear", "n": 2, "m": 1, "density": [1, 0.5]}}'
job = SimpleNamespace(log=[{str(tmp_path / "log")!r}], rule="part", input={{}}, output=["weights"], threads=1)
job.params, job.wildcards = SimpleNamespace(sweep=sweep, device="cpu"), Wildcards(experiment="one", part="1", parts="2")
runpy.run_path({str(ROOT / "workflow/scripts/train.py")!r}, {{"snakemake": job}})
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr == "one 1 2\n"


def test_a_gpu_is_shared_by_few(fresh: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few jobs share a GPU, whose memory would otherwise run out; on a CPU no job waits for one.

    A build of PyTorch for CPUs trains on the CPU although there is a GPU.
    """

    def install_torch(version: str) -> None:
        installed = fresh.path / "src/torch.dist-info/METADATA"
        installed.parent.mkdir(exist_ok=True)
        installed.write_text(f"Name: torch\nVersion: {version}\n")

    def places(*words: str) -> list[str]:
        plan = fresh.make("-n", *words, "--", *(f"{OUT}/weights/{name}.safetensors" for name in EXPERIMENTS))
        return re.findall(r"\n    resources: .*gpu=(\d)", plan)

    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    config = fresh.config()
    config["experiments"]["basic_small_linear"] = {"model": "linear", "n": 2, "m": 1, "density": 0.5, "solver": "exact"}
    fresh.configure(config)
    install_torch("2.13.0")
    assert sorted(places()) == ["0", "1", "1", "1"]
    assert places("--config", "device=cpu") == ["0", "0", "0", "0"]
    install_torch("2.13.0+cpu")
    assert places() == ["0", "0", "0", "0"]
    install_torch("2.13.0")
    tool.unlink()
    assert places() == ["0", "0", "0", "0"]
    profile = yaml.safe_load((fresh.path / "workflow/profiles/default/config.yaml").read_text())
    assert profile["resources"]["gpu"] == 2

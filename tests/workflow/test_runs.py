"""Test the real DAG: complete, killed, repeated, run twice at once, and with bad input."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from tests.workflow.project import OUT, TINY, Project, digest, wait_for

from superposition.core.weights import SweepResult
from superposition.pipeline.judging.claims import CLAIM_COLUMNS

pytestmark = pytest.mark.integration
# A command before another one that runs it at a terminal.
TERMINAL = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]


def error_lines(run: subprocess.CompletedProcess[str]) -> list[str]:
    assert run.returncode != 0
    assert "Traceback" not in run.stdout + run.stderr
    return [line for line in run.stderr.splitlines() if line.startswith("error: ")]


def test_everything_is_made(made: Project) -> None:
    out = made.path / OUT
    config = made.config()
    for figure in made.figures():
        assert (out / f"figures/{figure}.svg").read_text().startswith("<?xml")
        assert (out / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    claims = pd.read_csv(out / "claims.csv")
    assert list(claims.columns) == CLAIM_COLUMNS
    assert set(claims["section"]) == set(made.sections())
    html = (out / "report.html").read_text()
    for kind, names in {"figure": made.figures(), "section": made.sections(), "claim": claims["claim"]}.items():
        assert [name for name in names if html.count(f'id="{kind}-{name}"') != 1] == []
    for experiment in config["experiments"]:
        assert SweepResult.load(out / f"weights/{experiment}.safetensors").sweep.steps == TINY["steps"]
        assert len(pd.read_csv(out / f"benchmarks/train/{experiment}.tsv", sep="\t")) == 1
    assert all(json.loads(log.read_text())["end"] for log in (out / "logs").rglob("*.log"))


def test_a_terminal_gets_a_panel_and_a_file_gets_lines(made: Project, copied: Project) -> None:
    """A terminal gets a panel, a file gets lines, and the figure that is drawn again has the same bytes."""
    drawing = OUT / "figures/introduction.svg"
    for before, panel in ((TERMINAL, True), ([], False)):
        (copied.path / drawing).unlink()
        run = copied.snakemake(str(drawing), before=before)
        for file in (drawing, drawing.with_suffix(".png")):
            assert digest(copied.path / file) == digest(made.path / file), run.stderr
        said = run.stdout + run.stderr
        assert ("Workflow Progress" in said, "\x1b[" in said, "input: " in said) == (panel, panel, not panel)


def test_another_number_of_cores_and_another_order_give_the_same_bytes(made: Project, fresh: Project) -> None:
    weights = [f"{OUT}/weights/{name}.safetensors" for name in made.config()["experiments"]]
    fresh.make("--cores", "1", *reversed(weights))
    for path in weights:
        assert digest(made.path / path) == digest(fresh.path / path)


def test_claims_are_judged_again_with_other_training_configurations(fresh: Project) -> None:
    """Claims are judged again at scale paper, on small grids; an unknown claim is named before any job starts."""
    assert not [job for job in fresh.jobs() if job.startswith("vary")], "at scale quick there is no time for it"
    target = "results/paper/sensitivity/introduction.csv"
    fresh.make("--config", "scale=paper", "--", target)
    table = pd.read_csv(fresh.path / target)
    assert set(table["claim"]) == set(fresh.config()["sensitivity"])
    assert table.groupby("claim")["variant"].nunique().tolist() == [7, 7, 7]
    assert not (fresh.path / "results/paper/weights").exists()
    fresh.configure(fresh.config() | {"sensitivity": ["introduction.square"]})
    (line,) = error_lines(fresh.snakemake("--config", "scale=paper"))
    assert line.startswith("error: config.sensitivity: unknown 'introduction.square', allowed are introduction.dense, ")
    assert not (fresh.path / "results/paper/logs/train").exists()


def test_check_names_the_claims_that_differ(copied: Project) -> None:
    """The message names the claims, since hardly trained models cannot give the verdicts on record."""
    (line,) = error_lines(copied.snakemake("check"))
    assert "introduction.pentagon is not reproduced, expected reproduced" in line


def train_long(project: Project) -> list[str]:
    """Make one experiment short and one long; return their weights, the short one's first."""
    config = project.config()
    config["experiments"]["basic_small"] |= {"steps": 10_000, "restarts": 8, "batch": 256}
    project.configure(config)
    return [f"{OUT}/weights/{name}.safetensors" for name in ("introduction", "basic_small")]


def test_a_killed_run_resumes(fresh: Project) -> None:
    """After kill -9 of everything in training, the next run ends with the bytes of an undisturbed one, without help.

    No file is incomplete, and no finished experiment is trained again.
    """
    short, long = train_long(fresh)
    fresh.make(short)
    kept = (fresh.path / short).stat().st_mtime_ns, digest(fresh.path / short)
    with fresh.start(short, long) as run:
        wait_for((fresh.path / OUT / "logs/train/basic_small.log").exists, "training")  # The job is running.
        os.killpg(run.pid, signal.SIGKILL)
    left = list((fresh.path / OUT / "weights").iterdir())
    assert [f.name for f in left] == ["introduction.safetensors"]

    fresh.make(short, long)
    assert ((fresh.path / short).stat().st_mtime_ns, digest(fresh.path / short)) == kept
    resumed = digest(fresh.path / long)
    (fresh.path / long).unlink()
    fresh.make(long)
    assert digest(fresh.path / long) == resumed


def test_a_second_run_in_the_same_folder_is_refused(fresh: Project) -> None:
    _, long = train_long(fresh)
    with fresh.start(long) as run:
        wait_for((fresh.path / OUT / "logs/train/basic_small.log").exists, "training")
        os.killpg(run.pid, signal.SIGSTOP)  # It does not end before the second one asks.
        lines = error_lines(fresh.snakemake(f"{OUT}/weights/introduction.safetensors"))
    assert lines == [f"error: another run is at work in {OUT}; wait for it to end"]


def test_what_diverges_is_named(fresh: Project) -> None:
    """The error names the experiment, which is not trained; a terminal gets one line with the path of the log."""
    config = fresh.config()
    config["experiments"]["basic_small_linear"] |= {"learning_rate": 10, "weight_decay": 1, "steps": 300}
    fresh.configure(config)
    target = f"{OUT}/weights/basic_small_linear.safetensors"
    (line,) = error_lines(fresh.snakemake(target))
    assert re.match(r"error: basic_small_linear: training diverged by step \d+ at density 1\.0, .*learning_rate$", line)
    said = fresh.snakemake(target, before=TERMINAL).stdout
    why, log = re.escape(line.removeprefix("error: basic_small_linear: ")), f"{OUT}/logs/train/basic_small_linear.log"
    assert re.findall(rf"✗ train basic_small_linear: {why} \(log: {log}\)", said), said
    assert said.count("diverged") == 1
    assert re.search(r"train.*0/1.*basic_small_linear", said), "the row of the stage"
    assert not list((fresh.path / OUT).glob("weights/*"))


# The tests of the configuration have every error; these are found in three places.
BAD = {
    "experiment": (
        lambda config: config["experiments"]["introduction"].update(densty=0.1),
        "config.experiments.introduction",
        "densty: unknown key",
    ),
    "figure": (
        lambda config: config["experiments"].pop("basic_small"),
        "paper.theory.section.figures.theory.experiments",
        "unknown 'basic_small', allowed are introduction, ",
    ),
    "machine": (lambda config: config.update(device="cuda"), "config.device", "no usable GPU"),
}


@pytest.mark.parametrize(("change", "where", "what"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line_before_training(
    fresh: Project, change: Callable[[dict[str, Any]], None], where: str, what: str
) -> None:
    if "GPU" in what and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    config = fresh.config()
    change(config)
    fresh.configure(config)
    (line,) = error_lines(fresh.snakemake())
    assert where in line
    assert what in line
    assert not (fresh.path / OUT / "weights").exists()


# Those of `workflow/configfile.py` have the others.
NO_CONFIGURATION = {"missing": None, "no YAML": b"experiments: [introduction: {"}


@pytest.mark.parametrize("content", NO_CONFIGURATION.values(), ids=NO_CONFIGURATION)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(fresh: Project, content: bytes | None) -> None:
    """The file is refused before Snakemake reads it, whose own answers are tracebacks."""
    file = fresh.path / "config.yaml"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    (line,) = error_lines(fresh.snakemake("-n"))
    assert line.startswith("error: config.yaml")


def test_a_damaged_weights_file_is_named(copied: Project) -> None:
    path = copied.path / OUT / "weights/introduction.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    (line,) = {*error_lines(copied.snakemake("--forcerun", "measure", "--", f"{OUT}/tables/introduction"))}
    assert str(OUT / "weights/introduction.safetensors") in line
    assert "delete it to train again" in line

"""Test the panel at a terminal, and that other messages of jobs are printed while it is shown."""

import ctypes
import io
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_rich.handler import RichLogHandler
from workflow.panel import improve_panel, show_output

from superposition.pipeline import PANEL


def test_every_training_has_a_line_and_other_words_are_printed() -> None:
    """Two trainings that take turns show the last bar of each, also that of a part; a cleared bar prints nothing."""
    reading, writing = os.pipe()
    bar = "\r{}: 3 models × 10 steps: {:3}%|####      | 00:{:02} left, 5.0step/s"
    first, second = bar.format("one", 10, 9), bar.format("two 1 5", 20, 8)
    for said in (first, second, "\r" + 70 * " " + "\r", "a warning\r\n"):
        os.write(writing, said.encode())
    os.write(writing, bar.format("one", 50, 5).encode())
    os.close(writing)
    events = SimpleNamespace(bars={}, console=Console(file=io.StringIO()))
    show_output(reading, events)
    left = {"one": " 50% 00:05 left", "two 1 5": " 20% 00:08 left"}
    assert events.bars == {name: f"{name}: 3 models × 10 steps: {how_far}" for name, how_far in left.items()}
    assert events.console.file.getvalue() == "a warning\n"


SETTINGS = SimpleNamespace(dryrun=False, printshellcmds=False, show_failed_logs=False, verbose=False)


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> RichLogHandler:
    """Return a handler with the improved panel, which prints into a text; the output of jobs is left alone."""
    monkeypatch.setenv(PANEL, "1")
    handler = RichLogHandler(SETTINGS)
    handler.console.file = io.StringIO()
    handler.console.width = 120
    improve_panel([logging.NullHandler(), handler])
    return handler


def tell(panel: RichLogHandler, event: LogEvent, **about: Any) -> None:
    """Report an event as Snakemake does."""
    panel.emit(logging.makeLogRecord({"msg": "", "event": event, **about}))


def start(panel: RichLogHandler, jobid: int, rule: str, name: str = "", log: Sequence[str] = ()) -> None:
    wildcards = {"experiment": name} if name else None
    about = {"rule_name": rule, "wildcards": wildcards, "log": [*log], "threads": 1, "input": [], "output": []}
    tell(panel, LogEvent.JOB_INFO, jobid=jobid, **about)


def shown(panel: RichLogHandler) -> list[str]:
    """Return the rows of the panel, without what moves and the bars."""
    console = Console(file=io.StringIO(), width=160)
    console.print(panel.progress)
    return [" ".join(re.sub("[━╸╺⠀-⣿]+", "", line).split()) for line in console.file.getvalue().splitlines()]


def test_a_row_shows_the_running_jobs(panel: RichLogHandler) -> None:
    """A training that has a bar has a line of its own, until it ends; the row of all jobs has the time left."""
    tell(panel, LogEvent.RUN_INFO, per_rule_job_counts={"train": 3, "judge": 1}, total_job_count=4)
    for jobid, name in enumerate(("one", "two", "three")):
        start(panel, jobid, "train", name)
    start(panel, 3, "judge")
    panel.event_handler.bars |= {"one": "one: 50% 00:05 left"}
    assert [line for line in shown(panel) if "one" in line or "two" in line] == [
        "train 0/3 one: 50% 00:05 left",
        "two, three",
    ]
    tell(panel, LogEvent.JOB_FINISHED, job_id=0)
    tell(panel, LogEvent.JOB_FINISHED, job_id=9)  # Of a job that is not known, as in a group.
    tell(panel, LogEvent.PROGRESS, done=1, total=4)
    assert panel.event_handler.bars == {}
    assert "train 1/3 two, three" in shown(panel)
    (total,) = (task for task in panel.progress.tasks if task.total == 4)
    total.start_time = panel.progress.get_time() - 2000
    # Half a minute may go by until it is shown.
    assert any(re.search(r"1/4 0:33:[2-5]\d, about 1:4[01]:\d\d left", line) for line in shown(panel))


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("a warning\nerror: one: diverged at step 3\n", "✗ train one: diverged at step 3 (log: {log})"),
        ("", "✗ train one: it left no message (log: {log})"),
        (None, "✗ train one: it left no message (log: none)"),
    ],
)
def test_a_failure_is_one_line(panel: RichLogHandler, tmp_path: Path, log: str | None, line: str) -> None:
    path = tmp_path / "log"
    if log is not None:
        path.write_text(log)
    start(panel, 1, "train", "one", [] if log is None else [str(path), str(tmp_path / "no such log")])
    tell(panel, LogEvent.JOB_ERROR, jobid=1)
    panel.emit(logging.makeLogRecord({"msg": "CalledProcessError in file train.smk", "event": LogEvent.ERROR}))
    said = panel.console.file.getvalue().strip()
    assert said == line.format(log=f"{path}, {tmp_path / 'no such log'}")
    assert panel.event_handler.running == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process die with its parent")
def test_snakemake_outlives_the_shell_that_started_it() -> None:
    """Only jobs die with their parent: what Snakemake itself imports, as this file does, asks for no such signal."""
    asked = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(2, ctypes.byref(asked))  # PR_GET_PDEATHSIG
    assert asked.value == 0

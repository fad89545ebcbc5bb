"""Test how a job ends, and what it leaves in its log."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


def job(log: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines as a job runs its work."""
    program = f"""
from pathlib import Path
from types import SimpleNamespace
from superposition.core.errors import SuperpositionError, error_context
from superposition.pipeline.jobs import job_log
with job_log(SimpleNamespace(log=[{str(log)!r}], rule="draw", input=["a", "b"], output=["c"])):
    {body}
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_a_job_that_is_done(tmp_path: Path) -> None:
    run = job(tmp_path / "log", "pass")
    assert (run.returncode, run.stderr) == (0, "")
    record = json.loads((tmp_path / "log").read_text())
    assert (record["rule"], record["input"], record["output"]) == ("draw", ["a", "b"], ["c"])
    assert record["start"] <= record["end"]


def test_the_log_has_what_the_work_says(tmp_path: Path) -> None:
    job(tmp_path / "log", "import logging; logging.getLogger('superposition.training').warning('This takes an hour.')")
    assert (tmp_path / "log").read_text().startswith("This takes an hour.\n{")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise SuperpositionError('too much')", "error: too much\n"),
        ("with error_context('this'): raise SuperpositionError('too much')", "error: this: too much\n"),
        ("Path('/dev/full').write_text('x')", "error: [Errno 28] No space left on device\n"),
        ("open('/nowhere/at/all')", "error: [Errno 2] No such file or directory: '/nowhere/at/all'\n"),
    ],
)
def test_what_a_user_can_mend_is_one_line(body: str, line: str, tmp_path: Path) -> None:
    """An error that a user can fix is one line, on stderr and at the end of the log."""
    run = job(tmp_path / "log", body)
    assert (run.returncode, run.stderr) == (1, line)
    said = (tmp_path / "log").read_text().splitlines()[-1]
    assert re.fullmatch(rf"error: (\w+: )?{re.escape(line.removeprefix('error: ').rstrip())}", said), "a panel shows it"


def test_a_log_that_cannot_be_written() -> None:
    """If the log cannot be written because the disk is full, that is the error, whatever else happened."""
    for body in ("pass", "raise SuperpositionError('too much')", "1 / 0"):
        run = job(Path("/dev/full"), body)
        assert (run.returncode, run.stderr) == (1, "error: [Errno 28] No space left on device\n")


def test_the_log_has_the_traceback_of_any_other_error(tmp_path: Path) -> None:
    """Any other error leaves a traceback in the log, with the subject of the work."""
    run = job(tmp_path / "log", "with error_context('one of many'): 1 / 0")
    line = "ZeroDivisionError: division by zero"
    assert (run.returncode, run.stderr) == (1, f"error: {line} (traceback in {tmp_path / 'log'})\n")
    text = (tmp_path / "log").read_text()
    assert "Traceback" in text
    assert text.endswith(f"{line}\nThis was about one of many.\nerror: {line}\n")

"""How a job of the workflow runs: its end together with Snakemake, its log, and the record that it leaves there."""

import ctypes
import json
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from superposition.core.errors import SuperpositionError
from superposition.pipeline.identity import machine

# The option of Linux's prctl that sets the signal a process gets when its parent dies.
PR_SET_PDEATHSIG = 1

# Die with Snakemake, however it dies: the next run may start the same job.
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True)
class Job:
    """A finished job, as its log describes it.

    Attributes:
        name: The path of the log below ``logs/``, without the suffix.
        rule: The rule that the job ran.
        input: The files and folders that it read, relative to the project.
        output: The files and folders that it wrote, likewise.
        start: When it began, in UTC.
        end: When it was done.
        machine: The machine that it ran on.
    """

    name: str
    rule: str
    input: list[str]
    output: list[str]
    start: str
    end: str
    machine: str


@contextmanager
def job_log(job: Any) -> Iterator[None]:
    """Run the body of a job and leave its record in the log; if it fails, exit with one line on stderr.

    A SuperpositionError, or an error of the operating system such as a full disk, says all that a user needs. Any other
    error, such as that of a figure drawn from other experiments than the paper's, also leaves a traceback in the log.

    Args:
        job: The object ``snakemake`` of the script.
    """
    path, start = job.log[0], _now()
    try:
        with open(path, "w", encoding="utf-8") as log:
            try:
                yield
            except SuperpositionError as error:
                print(f"error: {error}", file=log)
                raise
            except BaseException:
                traceback.print_exc(file=log)
                raise
            record = {"rule": job.rule, "input": [*job.input], "output": [*job.output]}
            json.dump(record | {"start": start, "end": _now(), "machine": machine()}, log, indent=1)
    except (SuperpositionError, OSError) as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        sys.exit(f"error: {type(error).__name__}: {error} (traceback in {path})")


def trace_jobs(results: Path, files: Iterable[str]) -> list[Job]:
    """Return the finished jobs that files come from, directly or not, in the order in which they began.

    Logs of jobs that failed, or that made nothing these files come from, are ignored.
    """
    makers: dict[str, Job] = {}
    for log in sorted((results / "logs").rglob("*.log")):
        with suppress(json.JSONDecodeError):
            record = json.loads(log.read_text(encoding="utf-8"))
            job = Job(log.relative_to(results / "logs").with_suffix("").as_posix(), **record)
            makers |= dict.fromkeys(job.output, job)
    found: dict[str, Job] = {}
    queue = list(files)
    while queue:
        job = makers.get(queue.pop())
        if job and job.name not in found:
            found[job.name] = job
            queue += job.input
    return sorted(found.values(), key=lambda job: (job.start, job.name))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

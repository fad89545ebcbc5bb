"""The one kind of error that a user can mend, and how a job shows it."""

import ctypes
import reprlib
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # of Linux
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


class SuperpositionError(Exception):
    """Bad input, a damaged file, a missing device, a training run that diverged.

    The message is one line that names what was wrong and what is allowed.
    """


def shown(given: Any) -> str:
    """What a user wrote, in a message: on one line, shortened where it is long."""
    try:
        return " ".join(_BRIEF.repr(given).split())
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"


@contextmanager
def reporting(log: str | Path) -> Iterator[None]:
    """Runs a job. An error that a user can mend ends it with its one line on stderr: a SuperpositionError, or one of
    the operating system's, such as a full disk. Anything else that is raised goes on. The log has all of it."""
    if sys.platform == "linux":  # die with Snakemake, however it dies: the next run has the same job
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        with open(log, "w", encoding="utf-8") as file:
            try:
                yield
            except SuperpositionError as error:
                print(f"error: {error}", file=file)
                raise
            except BaseException:
                traceback.print_exc(file=file)
                raise
            print("done", file=file)
    except (SuperpositionError, OSError) as error:
        sys.exit(f"error: {error}")

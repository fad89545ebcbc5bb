"""How a job of the workflow runs: what it leaves in its log, how it ends, and that it ends with Snakemake."""

import ctypes
import gc
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from superposition.errors import SuperpositionError

PR_SET_PDEATHSIG = 1  # of Linux

# What is imported stays until the end. To look for garbage in it, while more of it comes and once more as Python ends,
# would take a third of a second: a quarter of the start-up of a job with PyTorch.
gc.disable()


@contextmanager
def without(package: str) -> Iterator[None]:
    """What is imported here finds that a package is not installed: for libraries that can do without one that takes
    long to import."""
    sys.modules.setdefault(package, None)  # type: ignore[arg-type]  # this is how Python says so
    try:
        yield
    finally:
        if sys.modules[package] is None:
            del sys.modules[package]


@contextmanager
def reporting(log: str | Path) -> Iterator[None]:
    """Runs a job. An error that a user can mend ends it with its one line on stderr: a SuperpositionError, or one of
    the operating system's, such as a full disk. Anything else that is raised goes on. The log has all of it."""
    gc.freeze()
    gc.enable()
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
    finally:
        gc.freeze()

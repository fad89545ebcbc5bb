"""How a job of the workflow runs: what it leaves in its log, how it ends, and that it ends with Snakemake."""

import ctypes
import gc
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from superposition.core.errors import SuperpositionError

PR_SET_PDEATHSIG = 1  # of Linux

# What is imported stays until the end. To look for garbage in it, while more of it comes and once more as Python ends,
# would take a third of a second: a quarter of the start-up of a job with PyTorch.
gc.disable()

if sys.platform == "linux":  # die with Snakemake, however it dies, from now on: the next run has the same job
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


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
    """Runs a job, which ends with one line on stderr where it fails. An error that a user can mend says all in it: a
    SuperpositionError, or one of the operating system's, such as a full disk. Of any other, such as of a figure that
    cannot be drawn from other experiments than the paper's, the log has the rest."""
    gc.freeze()
    gc.enable()
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
    except Exception as error:
        sys.exit(f"error: {type(error).__name__}: {error} ({log} says where)")
    finally:
        gc.freeze()

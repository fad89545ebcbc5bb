"""How a job of the workflow runs: its log, its exit, and its end together with Snakemake."""

import ctypes
import gc
import logging
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from superposition.core.errors import SuperpositionError

# The option of Linux's prctl that sets the signal a process gets when its parent dies.
PR_SET_PDEATHSIG = 1

# Imported modules live until the process ends, so collecting garbage among their objects is wasted: it would take half
# a second of the 1.6 s that a job with PyTorch needs to start. Scripts therefore import this module before large ones;
# `job_log` turns collection on again and exempts the objects that exist by then.
gc.disable()

# Die with Snakemake, however it dies: the next run may start the same job.
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def hide_package(name: str) -> Iterator[None]:
    """Make a package appear not to be installed while others are imported, unless it is already loaded.

    This saves the time to import an optional dependency that the job does not use.
    """
    # Python raises ModuleNotFoundError for a module whose entry is None.
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        if sys.modules[name] is None:
            del sys.modules[name]


@contextmanager
def job_log(log: str | Path) -> Iterator[None]:
    """Run the body of a job; if it fails, exit with one line on stderr.

    A SuperpositionError, or an error of the operating system such as a full disk, says all that a user needs. Any other
    error, such as that of a figure drawn from other experiments than the paper's, also leaves a traceback in the log.

    Args:
        log: The file to write notices and the outcome to, ``done`` or the error.
    """
    gc.freeze()
    gc.enable()
    try:
        with open(log, "w", encoding="utf-8") as file:
            logging.getLogger("superposition").addHandler(logging.StreamHandler(file))
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
        sys.exit(f"error: {type(error).__name__}: {error} (traceback in {log})")
    finally:
        # Python collects once more as it exits.
        gc.freeze()

"""How a job of the workflow runs: its end together with Snakemake, and what it leaves in its log."""

import atexit
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from superposition.core.errors import SuperpositionError
from superposition.pipeline import PANEL
from superposition.pipeline.record.machine import machine

# The option of Linux's prctl that sets the signal a process gets when its parent dies.
PR_SET_PDEATHSIG = 1

# Die with Snakemake, however it dies: the next run may start the same job.
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

# Exit without a last search for garbage, which takes 0.4 s among the objects of PyTorch.
atexit.register(gc.freeze)


@contextmanager
def job_log(job: Any) -> Iterator[None]:
    """Run the body of a job and leave in its log what it read and wrote; if it fails, exit with one line on stderr.

    Under a panel, the panel shows that line, and another one would break it.

    A SuperpositionError says all that a user needs. Any other error also leaves a traceback in the log, which the line
    mentions unless the error is one of the operating system, such as a full disk.

    Args:
        job: The object ``snakemake`` of the script.
    """
    path, start = job.log[0], _now()
    try:
        with open(path, "w", encoding="utf-8") as log:
            logging.getLogger("superposition").addHandler(logging.StreamHandler(log))
            try:
                yield
            except SuperpositionError as error:
                print(f"error: {error}", file=log)
                raise
            except BaseException as error:
                traceback.print_exc(file=log)
                print(f"error: {type(error).__name__}: {error}", file=log)
                raise
            record = {"rule": job.rule, "input": [*job.input], "output": [*job.output]}
            json.dump(record | {"start": start, "end": _now(), "machine": machine()}, log)
    except (SuperpositionError, OSError) as error:
        # An OSError, such as that of a full disk, may have kept its line out of the log.
        shown = PANEL in os.environ and not isinstance(error, OSError)
        sys.exit(1 if shown else f"error: {error}")
    except Exception as error:
        sys.exit(1 if PANEL in os.environ else f"error: {type(error).__name__}: {error} (traceback in {path})")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

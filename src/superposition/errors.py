"""The one kind of error that a user can mend, and how a job shows it."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SuperpositionError(Exception):
    """Bad input, a damaged file, a missing device, a training run that diverged.

    The message is one line that names what was wrong and what is allowed.
    """


@contextmanager
def reporting(log: str | Path) -> Iterator[None]:
    """Runs a job. A SuperpositionError ends it with its one line, on stderr and in the log; anything else that
    is raised goes into the log in full, and on."""
    with open(log, "w", encoding="utf-8") as file:
        try:
            yield
        except SuperpositionError as error:
            print(f"error: {error}", file=file)
            sys.exit(f"error: {error}")
        except BaseException:
            traceback.print_exc(file=file)
            raise
        print("done", file=file)

"""The one kind of error that a user can mend, and how a job shows it."""

import reprlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

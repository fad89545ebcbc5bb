"""The one kind of error that a user can mend."""

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
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
def named(what: str) -> Iterator[None]:
    """Errors from here begin with what they are about; in the traceback of any other it stands at the end."""
    try:
        yield
    except SuperpositionError as error:
        raise SuperpositionError(f"{what}: {error}") from None
    except Exception as error:
        error.add_note(f"This was about {what}.")
        raise

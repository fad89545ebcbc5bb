"""The one kind of error that a user can fix, and the helpers that word it."""

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


class SuperpositionError(Exception):
    """An error that the user can fix: bad input, a damaged file, a missing device, a training run that diverged.

    The message is one line that names what was wrong and what is allowed.
    """


def short_repr(value: Any) -> str:
    """Return the repr of a value for an error message: on one line, and shortened if it is long."""
    try:
        return " ".join(_REPR.repr(value).split())
    except ValueError:  # Python refuses to write integers of more than 4300 digits.
        return "a number of thousands of digits"


@contextmanager
def error_context(subject: str) -> Iterator[None]:
    """Name the subject of the work in any error raised within the block.

    The message of a :class:`SuperpositionError` then starts with the subject; any other error carries it as a note at
    the end of its traceback.
    """
    try:
        yield
    except SuperpositionError as error:
        raise SuperpositionError(f"{subject}: {error}") from None
    except Exception as error:
        error.add_note(f"This was about {subject}.")
        raise

"""The one kind of error that a user can mend: it is shown as its message, without a traceback."""


class SuperpositionError(Exception):
    """Bad input, a damaged file, a missing device, a training run that diverged.

    The message is one line that names what was wrong and what is allowed.
    """

"""Modification times of files, by which Snakemake decides what is out of date."""

import glob
import os
import time
from contextlib import suppress


def clamp_future_mtimes(*patterns: str) -> None:
    """Set modification times that lie in the future, as after a clock was set back, to the present.

    Args:
        *patterns: Glob patterns of the files; ``**`` matches any number of folders.
    """
    now = time.time()
    for pattern in patterns:
        for path in glob.iglob(pattern, recursive=True, include_hidden=True):
            # Leave files alone that have vanished or belong to somebody else.
            with suppress(OSError):
                if os.stat(path).st_mtime > now:
                    os.utime(path, (now, now))

"""The times of files, by which Snakemake goes."""

import glob
import os
import time
from contextlib import suppress


def present(*patterns: str) -> None:
    """Files of the future become files of now."""
    now = time.time()
    for pattern in patterns:
        for path in glob.iglob(pattern, recursive=True, include_hidden=True):
            with suppress(OSError):  # not there any more, or not ours: then it stays as it is
                if os.stat(path).st_mtime > now:
                    os.utime(path, (now, now))

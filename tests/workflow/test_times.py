"""Test the repair of modification times that lie in the future."""

import os
import time
from pathlib import Path

from workflow.times import clamp_future_mtimes


def test_only_files_from_the_future_are_touched(tmp_path: Path) -> None:
    """Only matching files from the future are touched, at any depth and hidden ones, too."""
    now = time.time()
    ages = {"old.txt": -3600, "new.txt": 3600, "a/b/new.txt": 3600, "a/.hidden": 3600, "left.csv": 3600}
    for name, age in ages.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now + age, now + age))
    clamp_future_mtimes(f"{tmp_path}/**/*.txt", f"{tmp_path}/a/.*", f"{tmp_path}/nothing/*")
    times = {name: (tmp_path / name).stat().st_mtime - now for name in ages}
    assert {name for name, age in times.items() if 0 <= age < 1800} == {"new.txt", "a/b/new.txt", "a/.hidden"}
    assert abs(times["old.txt"] + 3600) < 1 > abs(times["left.csv"] - 3600)

"""What results are made with: the code, its packages and the machine; and what tells one file from another."""

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from superposition.core.errors import SuperpositionError

PACKAGES = ("torch", "numpy", "pandas", "matplotlib", "seaborn", "snakemake", "papermill", "safetensors")


def commit() -> str:
    """The commit of this code, with a mark where the files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", __file__)  # or it is a checkout of something else around this code
        tracked = git("status", "--porcelain", "--untracked-files=no")
        new = git("ls-files", "--others", "--exclude-standard", "--", "src", "workflow")
        return git("rev-parse", "HEAD") + (" with uncommitted changes" if tracked or new else "")
    except (OSError, subprocess.CalledProcessError):
        return "not in a git checkout"


def versions() -> dict[str, str]:
    """Of Python and of the packages that results depend on."""
    return {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def machine() -> str:
    """The processor, the number of its cores, and the system."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    processor = found[1] if found else platform.processor() or "unknown processor"
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def sha256(path: Path) -> str:
    """Raises SuperpositionError if the file cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SuperpositionError(f"{path}: {error.strerror}") from None

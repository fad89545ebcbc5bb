"""What results are made with: the code, its packages and the machine; and what tells one file from another."""

import hashlib
import importlib.metadata
import os
import platform
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


def processor(cpuinfo: str) -> str:
    """Name the processor that ``/proc/cpuinfo`` describes; return an empty string if it has no name there.

    Some names are only "AMD EPYC". So the family, the model and the widest vector instructions follow it.
    """
    first = cpuinfo.split("\n\n")[0]
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    if not (name := said.get("model name", "")):
        return ""
    numbers = [f"{word} {said[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in said]
    flags = said.get("flags", "").split()
    vectors = [words for flag, words in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags]
    details = ", ".join(numbers + vectors[:1])
    return f"{name} ({details})" if details else name


def machine() -> str:
    """Return the processor, the number of its cores, and the system."""
    info = Path("/proc/cpuinfo")
    name = (processor(info.read_text()) if info.exists() else "") or platform.processor() or "unknown processor"
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def sha256(path: Path) -> str:
    """Raises SuperpositionError if the file cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SuperpositionError(f"{path}: {error.strerror}") from None

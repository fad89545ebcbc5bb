"""What identifies results: the code, its packages, the machine, and the checksums of files."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from superposition.core.errors import SuperpositionError

# The packages whose versions are recorded.
PACKAGES = ("torch", "numpy", "pandas", "matplotlib", "snakemake", "papermill", "safetensors")


def commit() -> str:
    """Return the commit of this code, and whether the files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    try:
        # Fails if this code is not tracked, as where it was unpacked inside another repository.
        git("ls-files", "--error-unmatch", "--", __file__)
        modified = git("status", "--porcelain", "--untracked-files=no")
        untracked = git("ls-files", "--others", "--exclude-standard", "--", "src", "workflow")
        return git("rev-parse", "HEAD") + (" with uncommitted changes" if modified or untracked else "")
    except (OSError, subprocess.CalledProcessError):
        return "not in a git checkout"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on, by name."""
    return {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def processor(cpuinfo: str) -> str:
    """Name the processor that ``/proc/cpuinfo`` describes; return an empty string if it has no name there.

    Some names are only "AMD EPYC", so the family, the model and the widest vector instructions are added.
    """
    first = cpuinfo.split("\n\n")[0]
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    if not (name := fields.get("model name", "")):
        return ""
    numbers = [f"{word} {fields[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    flags = fields.get("flags", "").split()
    vectors = [label for flag, label in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags]
    details = ", ".join(numbers + vectors[:1])
    return f"{name} ({details})" if details else name


def machine() -> str:
    """Return the processor, the number of its cores, and the operating system."""
    info = Path("/proc/cpuinfo")
    name = (processor(info.read_text()) if info.exists() else "") or platform.processor() or "unknown processor"
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        SuperpositionError: The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SuperpositionError(f"{path}: {error.strerror}") from None

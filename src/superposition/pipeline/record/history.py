"""How results came about: the jobs that made them, the code, its packages, and the checksums of files."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from superposition.core.errors import SuperpositionError

# The packages whose versions are recorded.
PACKAGES = ("torch", "numpy", "pandas", "matplotlib", "seaborn", "snakemake", "papermill", "safetensors")


@dataclass(frozen=True)
class Job:
    """A finished job, as its log describes it.

    Attributes:
        name: The path of the log below ``logs/``, without the suffix.
        rule: The rule that the job ran.
        input: The files and folders that it read, relative to the project.
        output: The files and folders that it wrote, likewise.
        start: When it began, in UTC.
        end: When it was done.
        machine: The machine that it ran on.
    """

    name: str
    rule: str
    input: list[str]
    output: list[str]
    start: str
    end: str
    machine: str


def trace_jobs(results: Path, files: Iterable[str]) -> list[Job]:
    """Return the finished jobs that files come from, directly or not, in the order in which they began.

    Logs of jobs that failed, or that made nothing these files come from, are ignored.
    """
    makers: dict[str, Job] = {}
    for log in sorted((results / "logs").rglob("*.log")):
        with suppress(json.JSONDecodeError):
            # The record is the last line; a job may have said something before.
            record = json.loads(log.read_text(encoding="utf-8").rpartition("\n")[2])
            job = Job(log.relative_to(results / "logs").with_suffix("").as_posix(), **record)
            makers |= dict.fromkeys(job.output, job)
    found: dict[str, Job] = {}
    queue = list(files)
    while queue:
        maker = makers.get(queue.pop())
        if maker and maker.name not in found:
            found[maker.name] = maker
            queue += maker.input
    return sorted(found.values(), key=lambda job: (job.start, job.name))


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

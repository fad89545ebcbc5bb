"""Run the DAG on the SLURM of the tests, by the profiles."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from tests.workflow.project import OUT, PATIENCE, Project, digest, started
from tests.workflow.slurm import Slurm

# The profiles, with settings that make them ask more often than is polite on a cluster.
EAGER = {
    "slurm": ["--slurm-init-seconds-before-status-checks", "1"],
    "cluster-generic": ["--seconds-between-status-checks", "1"],
}
LONG = f"{OUT}/weights/basic_small.safetensors"


def start(project: Project, slurm: Slurm, profile: str, *words: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in slurm.environment.items() if k not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    command = [sys.executable, "-m", "snakemake", "--profile", f"profiles/{profile}", *EAGER[profile], *words]
    return started(command, project.path, environment)


def run(project: Project, slurm: Slurm, profile: str, *words: str) -> tuple[int, str]:
    """Return the exit code, and the output of Snakemake and its jobs."""
    with start(project, slurm, profile, *words) as process:
        process.wait(PATIENCE)
    return process.returncode, said(project)


def said(project: Project) -> str:
    """Return the output so far of Snakemake and its jobs."""
    return (project.path / "said").read_text(encoding="utf-8", errors="replace")


def submitted(output: str) -> int:
    return len(
        re.findall(r"^(?:Job .* has been submitted with SLURM jobid|Submitted .* with external jobid)", output, re.M)
    )


def same(made: Path, other: Path, *parts: str) -> None:
    """Check that these parts of the other's results are the same bytes."""
    files = [
        path.relative_to(other)
        for part in parts
        for path in [other / OUT / part, *(other / OUT / part).rglob("*")]
        if path.is_file()
    ]
    assert {file.parts[2] for file in files} == set(parts)
    assert [file for file in files if digest(made / file) != digest(other / file)] == []


def training(project: Project) -> psutil.Process | None:
    """Return the process that trains, once it has begun."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It may have ended.
            script = process.cmdline()[-1:]
            if script and script[0].startswith(f"{project.path}/") and script[0].endswith(".train.py"):
                found.append(process)
    begun = (project.path / OUT / "logs/train/basic_small.log").exists()
    # Processes that it forks, as for compiling, do not count.
    return min(found, key=psutil.Process.create_time) if found and begun else None


@contextmanager
def edited(project: Project, profile: str) -> Iterator[dict[str, Any]]:
    """Edit the settings of a profile, as a user would."""
    file = project.path / f"profiles/{profile}/config.yaml"
    settings = yaml.safe_load(file.read_text())
    yield settings
    file.write_text(yaml.safe_dump(settings))

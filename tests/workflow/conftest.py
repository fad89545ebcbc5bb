"""Provide copies of the project in which Snakemake runs."""

import compileall
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from tests.workflow.cluster import EAGER
from tests.workflow.project import ROOT, Project
from tests.workflow.slurm import Slurm, missing, running


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile the package to bytecode once, for all copies of it."""
    compileall.compile_dir(ROOT / "src", quiet=1)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """Return a project in which nothing has been made."""
    project = Project(tmp_path)
    project.shrink("introduction", "theory")
    return project


@pytest.fixture
def copied(made: Project, fresh: Project) -> Project:
    """Return a project in which everything has been made, for one test to change."""
    for part in ("results", ".snakemake"):
        shutil.copytree(made.path / part, fresh.path / part)
    shutil.copy2(made.path / "config.yaml", fresh.path)  # The sources are no newer than the results.
    return fresh


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """Return a project in which everything has been made, one per process. Tests put back what they change."""
    project = Project(tmp_path_factory.mktemp("a place with spaces and ümlauts"))
    project.shrink("introduction", "theory")
    base = tmp_path_factory.getbasetemp()
    first = (base if worker_id == "master" else base.parent) / "made"
    with FileLock(f"{first}.lock"):
        if not first.exists():
            project.make()
            for part in ("results", ".snakemake"):
                shutil.copytree(project.path / part, first / part)
            shutil.copy2(project.path / "config.yaml", first)  # The sources are no newer than the results.
            return project
    shutil.copytree(first, project.path, dirs_exist_ok=True)
    return project


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)} (apt-get install slurmctld slurmd slurm-client munge)")
    with running(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture(params=EAGER)
def profile(request: pytest.FixtureRequest) -> str:
    return request.param

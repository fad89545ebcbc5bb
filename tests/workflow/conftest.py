"""Copies of the project to run Snakemake in."""

from pathlib import Path

import pytest
from tests.workflow.project import Project, tiny_config


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """Nothing made yet."""
    project = Project(tmp_path)
    project.configure(tiny_config(project.config()))
    return project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Everything made. Tests put back what they change."""
    project = Project(tmp_path_factory.mktemp("a place with spaces and ümlauts"))
    project.configure(tiny_config(project.config()))
    run = project.snakemake()
    assert run.returncode == 0, run.stderr
    return project

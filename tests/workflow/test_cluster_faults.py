"""Test that a run ends with the same weights by itself if jobs and nodes of a cluster fail during training."""

from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from tests.workflow.cluster import LONG, said, start, submitted, training
from tests.workflow.project import OUT, PATIENCE, Project, digest, wait_for
from tests.workflow.slurm import NODES, Slurm
from tests.workflow.test_runs import train_long

pytestmark = pytest.mark.integration


def cancel(slurm: Slurm, process: psutil.Process, job: str) -> None:
    slurm("scancel", job)


def kill_training(slurm: Slurm, process: psutil.Process, job: str) -> None:
    process.kill()


def kill_all(slurm: Slurm, process: psutil.Process, job: str) -> None:
    slurm.kill(job)


def lose_node(slurm: Slurm, process: psutil.Process, job: str) -> None:
    """Drain the node of a job, which goes on; then take the node down, and SLURM starts the job on the other one."""
    node = slurm("squeue", "--noheader", "--format=%N", f"--jobs={job}")
    assert node in NODES
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    assert process.is_running()
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of the long experiment's weights when nothing disturbs its training."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.shrink("introduction", "theory")
    train_long(project)
    project.make(LONG)
    return digest(project.path / LONG)


FAULTS = (lose_node, cancel, kill_training, kill_all)
# With the second profile retries are Snakemake's own, too; every run of the tests tries one.
BOTH = [
    ("slurm", FAULTS),
    ("cluster-generic", [kill_training]),
    pytest.param("cluster-generic", FAULTS, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("profile", "faults"), BOTH)
def test_whatever_happens_to_a_job_the_run_ends_by_itself(
    fresh: Project,
    slurm: Slurm,
    profile: str,
    undisturbed: str,
    faults: Sequence[Callable[[Slurm, psutil.Process, str], None]],
) -> None:
    """A run whose every attempt but the last is disturbed in training ends with the bytes of an undisturbed one.

    No file is there before.
    """
    train_long(fresh)
    with start(fresh, slurm, profile, LONG) as process:
        try:
            for fault in faults:
                wait_for(lambda: training(fresh) is not None, f"training before {fault.__name__}")
                victim = training(fresh)
                assert victim
                victim.suspend()  # Training does not end before the fault.
                job = victim.environ()["SLURM_JOB_ID"]
                assert slurm("squeue", "--noheader", "--format=%T", f"--jobs={job}") == "RUNNING"
                fault(slurm, victim, job)
                victim.wait(PATIENCE)
                assert list((fresh.path / OUT / "weights").iterdir()) == [], fault.__name__
                slurm.heal()
            assert process.wait(PATIENCE) == 0, said(fresh)
        finally:
            slurm.heal()
    assert digest(fresh.path / LONG) == undisturbed
    assert [file.name for file in (fresh.path / OUT / "weights").iterdir()] == [Path(LONG).name]
    # If a node is lost, SLURM itself moves the job.
    assert submitted(said(fresh)) == 1 + len({*faults} - {lose_node})

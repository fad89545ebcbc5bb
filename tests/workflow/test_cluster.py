"""Test that the DAG on a real SLURM, by the profiles, gives the same results as without, with clear refusals."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.readme import block
from tests.workflow.cluster import EAGER, LONG, edited, run, said, same, start, submitted
from tests.workflow.project import OUT, PATIENCE, ROOT, Project, wait_for
from tests.workflow.slurm import Slurm

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration


def test_the_profiles_ask_for_the_same() -> None:
    """Both profiles repeat the measured resources, because profiles of Snakemake cannot share them."""
    first, second = (yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text()) for name in EAGER)
    own = ("executor", "slurm-", "cluster-generic-")
    first, second = ({k: v for k, v in one.items() if not k.startswith(own)} for one in (first, second))
    assert first == second


# The parts of a sweep, each of which is one submission, with one more that gathers them; what is made; and how many
# submissions that takes besides: the search, the figure and the report, or the figure alone. It is enough with the
# second profile, which has the same groups.
MADE: dict[str, tuple[int, list[str], int]] = {
    "slurm": (2, [], 3),
    "cluster-generic": (1, [f"{OUT}/figures/introduction.svg"], 1),
}


def test_a_cluster_makes_the_same(
    made: Project, tmp_path_factory: pytest.TempPathFactory, slurm: Slurm, profile: str
) -> None:
    """The profiles need fewer submissions than there are jobs, and leave nothing to do."""
    parts, targets, others = MADE[profile]
    fresh = Project(tmp_path_factory.mktemp("a place with spaces and ümlauts"))
    fresh.keep_figure("introduction", "introduction")
    fresh.shrink("introduction")
    with edited(fresh, profile) as settings:
        settings["set-scatter"] = {"split": parts}
    code, output = run(fresh, slurm, profile, "--", *targets)
    assert code == 0, output
    same(made.path, fresh.path, "weights", "tables", "figures")
    assert submitted(output) == parts + (parts > 1) + others
    logs, benchmarks = ({p.stem for p in (fresh.path / OUT / kind).rglob("*.*")} for kind in ("logs", "benchmarks"))
    assert logs == benchmarks >= ({"introduction"} if targets else {"pentagon", "optimality", "notebook", "crate"})
    assert fresh.jobs(*targets) == set()


TOO_LONG = ["--set-resources", "train:runtime=9999"]


def test_what_slurm_refuses_ends_the_run(fresh: Project, slurm: Slurm, profile: str) -> None:
    """SLURM's reason reaches the user. Where SLURM does not refuse what it can never run, status.sh does."""
    slurm.enforce("ALL")
    code, output = run(fresh, slurm, profile, *TOO_LONG, "--", LONG)
    slurm.enforce("NO")
    assert code != 0
    assert "Batch job submission failed: Requested time limit is invalid" in output
    if profile == "cluster-generic":
        code, output = run(fresh, slurm, profile, *TOO_LONG, "--", LONG)
        assert code != 0
        assert re.search(r"^error: job \d+ can never run: PartitionTimeLimit;", output, re.MULTILINE)
    assert not slurm("squeue", "--noheader")


@pytest.mark.parametrize(
    ("words", "reason"), [(["--cpus-per-task=64"], "PartitionConfig"), (["--time=9999"], "PartitionTimeLimit")]
)
def test_a_job_that_can_never_run_has_failed(slurm: Slurm, words: list[str], reason: str) -> None:
    job = slurm("sbatch", "--parsable", *words, "--output=/dev/null", "--wrap=true")
    wait_for(lambda: reason in slurm("squeue", "--noheader", "--format=%r", f"--jobs={job}"), "the reason")
    script = ROOT / "profiles/cluster-generic/status.sh"
    asked = subprocess.run([script, job], env=slurm.environment, capture_output=True, text=True, check=True)
    assert asked.stdout == "failed\n"
    assert asked.stderr.startswith(f"error: job {job} can never run: {reason};")
    assert not slurm("squeue", "--noheader")


def test_a_job_that_waits_for_ever_can_be_seen_and_cancelled(fresh: Project, slurm: Slurm) -> None:
    """The queue states the reason, and Ctrl-C leaves no job in it, as the documentation says."""
    with start(fresh, slurm, "slurm", *TOO_LONG, "--", LONG) as process:
        # A job may be in the queue before Snakemake has been told its number.
        wait_for(lambda: submitted(said(fresh)) == 1, "submission")
        wait_for(lambda: "PartitionTimeLimit" in slurm("sh", "-c", block("waiting")), "the reason")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) != 0
    assert not slurm("squeue", "--noheader"), said(fresh)


# The second profile says it in another word only.
@pytest.mark.parametrize("profile", ["slurm", pytest.param("cluster-generic", marks=pytest.mark.slow)])
def test_a_gpu_is_asked_for_where_the_configuration_insists_on_one(fresh: Project, slurm: Slurm, profile: str) -> None:
    """The node that SLURM chooses has a GPU only by name, and the job says so."""
    if profile == "cluster-generic":
        with edited(fresh, profile) as settings:
            settings["cluster-generic-submit-cmd"] += " --gpus={resources.gpu}"
    code, output = run(fresh, slurm, profile, "--retries", "0", "--config", "device=cuda", "--", LONG)
    assert code != 0
    assert "cuda was asked for, but there is no usable GPU here" in output
    jobs = slurm("scontrol", "show", "jobs", "--oneliner").splitlines()
    last = max(jobs, key=lambda line: int(line.split()[0].partition("=")[2]))
    assert "TresPerJob=gres:gpu:1" in last


@pytest.mark.quick
def test_the_quick_reproduction_is_the_same(tmp_path: Path, slurm: Slurm, profile: str) -> None:
    """All results of scale quick are those that `snakemake --cores all --config scale=quick` made in this checkout.

    Groups are large, with two submissions at a time on one core each, because this machine is no cluster.
    """
    other = Project(tmp_path)
    with edited(other, profile) as settings:
        settings["groups"]["train_small"] = "train"
    few = ["--group-components", "train=14", "--jobs", "2", "--cores", "1"]
    seed = SweepResult.load(ROOT / OUT / "weights/introduction.safetensors").sweep.seed
    code, output = run(other, slurm, profile, *few, "--config", "scale=quick", f"seed={seed}")
    assert code == 0, output
    same(ROOT, other.path, "weights", "tables", "figures", "claims.csv")

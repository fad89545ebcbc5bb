"""Test that the DAG on a real SLURM, by the profiles, gives the same results as without, with clear refusals."""

import re
import signal
from pathlib import Path

import pytest
import yaml
from tests.readme import block
from tests.workflow.cluster import EAGER, LONG, run, same, start, submitted, training, uncomment
from tests.workflow.project import OUT, ROOT, Project, digest, wait_for
from tests.workflow.slurm import Slurm
from tests.workflow.test_runs import train_long

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration


def test_the_profiles_ask_for_the_same() -> None:
    """Both profiles repeat the measured resources, because profiles of Snakemake cannot share them."""
    first, second = (yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text()) for name in EAGER)
    own = ("executor", "slurm-", "cluster-generic-")
    first, second = ({k: v for k, v in one.items() if not k.startswith(own)} for one in (first, second))
    assert first == second


def test_a_cluster_makes_the_same(
    made: Project, tmp_path_factory: pytest.TempPathFactory, slurm: Slurm, profile: str
) -> None:
    """The profiles need fewer submissions than there are jobs, and leave nothing to do."""
    fresh = Project(tmp_path_factory.mktemp("a place with spaces and ümlauts"))
    fresh.shrink("introduction")
    code, output = run(fresh, slurm, profile)
    assert code == 0, output
    same(made.path, fresh.path, "weights", "tables", "figures")
    assert submitted(output) == 5, "training, the search, two figures and the report"
    logs, benchmarks = ({p.stem for p in (fresh.path / OUT / kind).rglob("*.*")} for kind in ("logs", "benchmarks"))
    assert logs == benchmarks >= {"introduction", "pentagon", "optimality", "notebook", "crate"}
    assert fresh.jobs() == set()


def test_a_split_sweep_is_the_same(made: Project, fresh: Project, slurm: Slurm, profile: str) -> None:
    """A sweep is trained in as many submissions as the profile suggests in a comment, and gathered in one."""
    fresh.split_all()
    assert "\nset-scatter:" in uncomment(fresh, profile, "set-scatter:|  split: 4")
    code, output = run(fresh, slurm, profile, LONG)
    assert code == 0, output
    assert submitted(output) == 4 + 1
    assert digest(fresh.path / LONG) == digest(made.path / LONG)


TOO_MUCH = {
    "cores": (["--cores", "64", "--set-threads", "train=64"], "More processors requested", "PartitionConfig"),
    "time": (["--set-resources", "train:runtime=9999"], "Requested time limit is invalid", "PartitionTimeLimit"),
}


@pytest.mark.parametrize(("words", "message", "reason"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_no_node_has_is_refused(
    fresh: Project, slurm: Slurm, profile: str, words: list[str], message: str, reason: str
) -> None:
    """SLURM's reason reaches the user, and the run ends. Where SLURM does not refuse, status.sh does."""
    slurm.enforce("ALL")
    code, output = run(fresh, slurm, profile, *words, "--", LONG)
    assert code != 0
    assert f"Batch job submission failed: {message}" in output
    slurm.enforce("NO")
    if profile == "cluster-generic":
        code, output = run(fresh, slurm, profile, *words, "--", LONG)
        assert code != 0
        assert re.search(rf"^error: job \d+ can never run: {reason};", output, re.MULTILINE)
    assert not slurm("squeue", "--noheader")


def test_an_unknown_partition_is_refused(fresh: Project, slurm: Slurm) -> None:
    code, output = run(fresh, slurm, "slurm", "--default-resources", "slurm_partition=nowhere", "--", LONG)
    assert code != 0
    assert "invalid partition specified: nowhere" in output


def test_a_job_that_waits_for_ever_can_be_seen_and_cancelled(fresh: Project, slurm: Slurm) -> None:
    """The queue states the reason, and Ctrl-C leaves no job in it, as the documentation says."""
    with start(fresh, slurm, "slurm", "--set-resources", "train:runtime=9999", "--", LONG) as process:
        wait_for(lambda: "PartitionTimeLimit" in slurm("sh", "-c", block("waiting")), "the reason")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert not slurm("squeue", "--noheader"), output


def test_a_gpu_is_asked_for_where_the_profile_says_so(fresh: Project, slurm: Slurm, profile: str) -> None:
    text = uncomment(fresh, profile, "vary:| *gpu: 1")
    if profile == "cluster-generic":
        text = text.replace("--time=", "--gpus={resources.gpu} --time=")
        text = text.replace("  mem_mb:", "  gpu: 0\n  mem_mb:", 1)
        (fresh.path / f"profiles/{profile}/config.yaml").write_text(text)
    asking = yaml.safe_load(text)["set-resources"]
    assert [rule for rule in asking if asking[rule].get("gpu") == 1] == ["train", "part", "train_seed", "vary"]
    train_long(fresh)
    with start(fresh, slurm, profile, LONG) as process:
        wait_for(lambda: training(fresh) is not None, "training")
        environment = training(fresh).environ()
        asked = slurm("scontrol", "show", "job", environment["SLURM_JOB_ID"])
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert "TresPerJob=gres:gpu:1" in asked


@pytest.mark.quick
def test_the_quick_reproduction_is_the_same(tmp_path: Path, slurm: Slurm, profile: str) -> None:
    """All results of scale quick are those that `snakemake --cores all --config scale=quick` made in this checkout.

    Groups are large, with two submissions at a time on one core each, because this machine is no cluster.
    """
    other = Project(tmp_path)
    uncomment(other, profile, "train: train|group-components:|  train: 4")
    few = ["--group-components", "train=14", "--jobs", "2", "--cores", "1"]
    seed = SweepResult.load(ROOT / OUT / "weights/introduction.safetensors").sweep.seed
    code, output = run(other, slurm, profile, *few, "--config", "scale=quick", f"seed={seed}")
    assert code == 0, output
    same(ROOT, other.path, "weights", "tables", "figures", "claims.csv")

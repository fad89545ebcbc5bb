"""The DAG on a real SLURM, by the profiles: the same results as without, whatever happens to jobs and nodes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml
from tests.readme import block
from tests.workflow.project import OUT, ROOT, Project, digest, wait_for
from tests.workflow.slurm import NODES, Slurm, missing, running
from tests.workflow.test_runs import train_long

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration

# The profiles, and what makes them ask more often than is polite on a cluster.
EAGER = {
    "slurm": ["--slurm-init-seconds-before-status-checks", "1"],
    "cluster-generic": ["--seconds-between-status-checks", "1"],
}
LONG = f"{OUT}/weights/basic_small.safetensors"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)} (apt-get install slurmctld slurmd slurm-client munge)")
    with running(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture(params=EAGER)
def profile(request: pytest.FixtureRequest) -> str:
    return request.param


def start(project: Project, slurm: Slurm, profile: str, *words: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in slurm.environment.items() if k not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}
    command = [sys.executable, "-m", "snakemake", "--profile", f"profiles/{profile}", *EAGER[profile], *words]
    output = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project.path, env=environment, start_new_session=True, **output)


def run(project: Project, slurm: Slurm, profile: str, *words: str) -> tuple[int, str]:
    """Return the exit code, and the output of Snakemake and its jobs."""
    with start(project, slurm, profile, *words) as process:
        output, _ = process.communicate()
    return process.returncode, output


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


def test_the_profiles_ask_for_the_same() -> None:
    """Both profiles repeat the measured resources, because profiles of Snakemake cannot share them."""
    first, second = (yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text()) for name in EAGER)
    own = ("executor", "slurm-", "cluster-generic-")
    first, second = ({k: v for k, v in one.items() if not k.startswith(own)} for one in (first, second))
    assert first == second


def test_a_cluster_makes_the_same(
    made: Project, tmp_path_factory: pytest.TempPathFactory, slurm: Slurm, profile: str
) -> None:
    """By the profiles as they are, in fewer submissions than jobs; and there is nothing left to do."""
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
    """Trained in several submissions, by the number that the profile has in a comment, and gathered in one."""
    fresh.split_all()
    assert "\nset-scatter:" in uncomment(fresh, profile, "set-scatter:|  split: 4")
    code, output = run(fresh, slurm, profile, LONG)
    assert code == 0, output
    assert submitted(output) == 4 + 1
    assert digest(fresh.path / LONG) == digest(made.path / LONG)


def training(project: Project) -> psutil.Process | None:
    """Return the process that trains, once it has begun."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it may have ended
            script = process.cmdline()[-1:]
            if script and script[0].startswith(f"{project.path}/") and script[0].endswith(".train.py"):
                found.append(process)
    begun = (project.path / OUT / "logs/train/basic_small.log").exists()
    # Not one that it forks, to compile for instance.
    return min(found, key=psutil.Process.create_time) if found and begun else None


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
    assert project.snakemake(LONG).returncode == 0
    return digest(project.path / LONG)


FAULTS = (cancel, kill_training, kill_all, lose_node)
# With the second profile, where retries are Snakemake's own in the same way, one in every run of the tests.
BOTH = [("slurm", fault) for fault in FAULTS] + [
    pytest.param("cluster-generic", fault, marks=[] if fault is kill_training else pytest.mark.slow) for fault in FAULTS
]


@pytest.mark.parametrize(("profile", "fault"), BOTH)
def test_whatever_happens_to_a_job_the_run_ends_by_itself(
    fresh: Project, slurm: Slurm, profile: str, undisturbed: str, fault: Callable[[Slurm, psutil.Process, str], None]
) -> None:
    """In the middle of training: with the bytes of an undisturbed run in the end, and nothing in their place before."""
    train_long(fresh)
    process = start(fresh, slurm, profile, LONG)
    try:
        wait_for(lambda: training(fresh) is not None, "training")
        victim = training(fresh)
        assert victim
        job = victim.environ()["SLURM_JOB_ID"]
        assert slurm("squeue", "--noheader", "--format=%T", f"--jobs={job}") == "RUNNING"
        fault(slurm, victim, job)
        victim.wait(60)
        assert list((fresh.path / OUT / "weights").iterdir()) == []
        output, _ = process.communicate(timeout=300)
    finally:
        slurm.heal()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    assert digest(fresh.path / LONG) == undisturbed
    assert [file.name for file in (fresh.path / OUT / "weights").iterdir()] == [Path(LONG).name]
    # From a node that is lost SLURM itself moves the job.
    assert submitted(output) == (1 if fault is lose_node else 2)


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
    """As the README says: the reason is in the queue, and Ctrl-C leaves nothing there."""
    with start(fresh, slurm, "slurm", "--set-resources", "train:runtime=9999", "--", LONG) as process:
        wait_for(lambda: "PartitionTimeLimit" in slurm("sh", "-c", block("waiting")), "the reason")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert not slurm("squeue", "--noheader"), output


def uncomment(project: Project, profile: str, lines: str) -> str:
    """Uncomment lines of a profile, and return its text."""
    file = project.path / f"profiles/{profile}/config.yaml"
    text = re.sub(rf"^( *)# ({lines})", r"\1\2", file.read_text(), flags=re.MULTILINE)
    file.write_text(text)
    return text


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
    """All of it, against that of this checkout, which `snakemake --cores all --config scale=quick` has made before. In
    large groups, and two submissions at a time on one core each: this machine is no cluster."""
    other = Project(tmp_path)
    uncomment(other, profile, "train: train|group-components:|  train: 4")
    few = ["--group-components", "train=14", "--jobs", "2", "--cores", "1"]
    seed = SweepResult.load(ROOT / OUT / "weights/introduction.safetensors").sweep.seed
    code, output = run(other, slurm, profile, *few, "--config", "scale=quick", f"seed={seed}")
    assert code == 0, output
    same(ROOT, other.path, "weights", "tables", "figures", "claims.csv")

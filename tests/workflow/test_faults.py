"""Test that runs that are killed, or on a faulty machine, end with the usual results or one clear error.

``KILLS=50 pytest -m integration tests/workflow/test_faults.py`` kills more often.
"""

import base64
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.workflow.project import OUT, PATIENCE, Project, wait_for
from tests.workflow.test_runs import error_lines

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration

KILLS = int(os.environ.get("KILLS", "3"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
VICTIMS = ("group", "job", "snakemake")


# A target that needs jobs of most kinds, and fewer than everything.
REPORT = f"{OUT}/report.html"


def small(path: Path) -> Project:
    """Make a project with one figure of two experiments."""
    project = Project(path)
    project.keep_figure("introduction", "introduction", experiments=["introduction", "basic_small"])
    project.shrink("introduction")
    return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """Return a project in which everything has been made, and the seconds that it took."""
    project = small(tmp_path_factory.mktemp("undisturbed"))
    start = time.monotonic()
    project.make()
    return project, time.monotonic() - start


@pytest.fixture
def copied(undisturbed: tuple[Project, float], tmp_path: Path) -> Project:
    """Return a project in which everything has been made, for one test to damage."""
    project = small(tmp_path)
    for made in ("results", ".snakemake"):
        shutil.copytree(undisturbed[0].path / made, tmp_path / made)
    return project


def results(project: Project) -> dict[str, str]:
    """Return digests of all results, without what says when they were made and how long that took."""
    out, digests = project.path / OUT, {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = str(path.relative_to(out))
        if name.split("/")[0] in ("benchmarks", "logs", ".lock", "report.ipynb"):
            continue
        content = path.read_bytes()
        if name == "report.html":
            content = re.sub(rb"add up to [\d.]+\s\w+|<h3>Wall time</h3>.*", b"", content, flags=re.DOTALL)
        if name == "ro-crate-metadata.json":
            content = record(out)
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


def check_report(project: Project, undisturbed: Project) -> None:
    """Check that a run made the report, and that all its results are those of an undisturbed run."""
    made = results(project)
    assert "report.html" in made
    assert made.items() <= results(undisturbed).items()


def record(out: Path) -> bytes:
    """Return the names in the record of a run, after comparing its checksums with the files."""
    graph = json.loads((out / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    for entity in graph:
        if "sha256" in entity:
            assert hashlib.sha256((out / entity["@id"]).read_bytes()).hexdigest() == entity["sha256"]
    return json.dumps(sorted(entity["@id"] for entity in graph)).encode()


def whole(project: Project) -> dict[str, tuple[int, int]]:
    """Return inode and time of every weights file, all of which have to be whole."""
    found = {}
    for path in (project.path / OUT / "weights").glob("*.safetensors"):
        SweepResult.load(path)
        found[str(path.relative_to(project.path))] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def marked(project: Project, name: str) -> bool:
    """Return whether Snakemake takes a file for unfinished and will make it again."""
    return (project.path / ".snakemake/incomplete" / base64.urlsafe_b64encode(name.encode()).decode()).exists()


def scripts(run: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes of the jobs at work."""
    found = []
    for process in psutil.Process(run.pid).children(recursive=True):
        with suppress(psutil.Error):  # It may have ended.
            if ".snakemake/scripts/" in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill(run: subprocess.Popen[bytes], victim: str, number: signal.Signals, rng: random.Random) -> bool:
    """Signal all processes of a run, one job, or Snakemake alone; return whether there was anything to signal."""
    try:
        if victim == "group":
            os.killpg(run.pid, number)
        else:
            processes = scripts(run) if victim == "job" else [psutil.Process(run.pid)]
            rng.choice(processes).send_signal(number)
    except (ProcessLookupError, psutil.NoSuchProcess, IndexError):
        return False
    return True


def test_a_run_that_is_killed_again_and_again(undisturbed: tuple[Project, float], tmp_path: Path) -> None:
    """A run killed again and again ends as an undisturbed one does, without help.

    All of it, one job or Snakemake alone gets any signal, and it is started again at once. No file is incomplete, and
    no finished experiment is trained again.
    """
    expected, duration = results(undisturbed[0]), undisturbed[1]
    project = small(tmp_path)
    rng = random.Random(0)
    ways = rng.sample(list(itertools.product(VICTIMS, SIGNALS)), k=len(VICTIMS) * len(SIGNALS))
    kills = again = 0
    finished: dict[str, tuple[int, int]] = {}
    while True:
        last = kills >= KILLS
        with project.start() as run:
            # A run goes on where the last one ended, so that a few of these make all of it.
            while run.poll() is None:
                try:
                    run.wait(rng.uniform(0, duration / 2) if kills < KILLS else PATIENCE)
                except subprocess.TimeoutExpired:
                    if kill(run, *ways[kills % len(ways)], rng):
                        kills += 1
                        run.wait(PATIENCE)
        assert run.returncode == 0 or not last, (project.path / "said").read_text()
        found = whole(project)
        assert found.items() >= finished.items(), "trained again, or gone"
        finished = {name: about for name, about in found.items() if not marked(project, name)}
        again += len(found) - len(finished)
        if run.returncode == 0:
            assert results(project) == expected
            if kills >= KILLS:
                break
            finished = {}
            for made in ("results", ".snakemake"):
                shutil.rmtree(project.path / made)
    print(f"{kills} kills, {again} times just before Snakemake saw that training was finished")


NAMESPACES = shutil.which("unshare") and not subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode
mounting = pytest.mark.skipif(not NAMESPACES, reason="no mount namespaces here (unshare --map-root-user --mount)")


def within(project: Project, script: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake as ``"$@"`` in a script whose mounts last until it ends."""
    sh = ["unshare", "--map-root-user", "--mount", "sh", "-ec", script, "sh"]
    return project.snakemake(*words, before=sh, **variables)


NOWHERE = "/proc/nowhere"  # Not even root can make it.


@mounting
def test_a_full_disk_no_home_and_no_fonts(undisturbed: tuple[Project, float], tmp_path: Path) -> None:
    """A full disk is reported, nothing half-written stays, and with room again all results are the same bytes.

    So they are without a home, fonts, and a cache for compiled loops or for matplotlib. Snakemake needs a place for its
    own cache.
    """
    project = small(tmp_path)
    variables = dict.fromkeys(("HOME", "SUPERPOSITION_CACHE", "MPLCONFIGDIR"), NOWHERE)
    variables["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    # Too little for what each rule makes, whichever of two jobs ends first, and enough for those before it.
    rooms = {"train": "4k", "measure": "44k", "draw": "200k", "report": "400k"}
    script = f"""
        for folder in /usr/share/fonts /usr/local/share/fonts; do
            [ ! -d $folder ] || mount -t tmpfs none $folder
        done
        mkdir results; mount -t tmpfs none results
        for step in {" ".join(f"{rule}:{room}" for rule, room in rooms.items())}; do
            mount -o remount,size=${{step#*:}} results
            if "$@" --until ${{step%:*}} 2> said-${{step%:*}}; then exit 1; fi
        done
        mount -o remount,size=64m results
        "$@"
        mkdir kept; cp -a results/. kept
    """
    run = within(project, script, REPORT, **variables)
    assert run.returncode == 0, run.stderr
    for rule in rooms:
        said = (project.path / f"said-{rule}").read_text()
        assert f"Error in rule {rule}" in said
        assert "No space left on device" in said
        assert "Traceback" not in said
    (project.path / "kept/quick").rename(project.path / OUT)
    check_report(project, undisturbed[0])


@mounting
def test_results_that_cannot_be_written(undisturbed: tuple[Project, float], copied: Project) -> None:
    """The error comes before any job starts, and existing results stay and can be read."""
    read_only = 'mount --bind results results; mount -o remount,bind,ro results; "$@"'
    run = within(copied, read_only, "--forcerun", "judge")
    assert run.returncode != 0
    assert "Write-protected output files" in run.stderr
    assert "Traceback" not in run.stderr
    run = within(copied, read_only)
    assert run.returncode == 0, run.stderr
    assert results(copied) == results(undisturbed[0])
    shutil.rmtree(copied.path / OUT)
    (line,) = error_lines(within(copied, read_only))
    assert "Read-only file system" in line


def test_a_clock_that_was_set_back(undisturbed: tuple[Project, float], copied: Project) -> None:
    """Files that seem to come from the future are made again once at most, and none is deleted.

    Snakemake takes an output that is older than its input for a mistake.
    """

    def date(*parts: str) -> None:
        for path in (path for part in parts for path in (copied.path / part).rglob("*")):
            os.utime(path, (future, future))

    future = time.time() + 3600
    date("src", "results")
    assert copied.jobs() == set()
    date("workflow")
    shutil.rmtree(copied.path / OUT / "tables/introduction")
    (copied.path / OUT / "claims.csv").unlink()
    copied.make()
    assert results(copied) == results(undisturbed[0])
    assert copied.jobs() == set()


def test_jobs_end_with_snakemake(tmp_path: Path) -> None:
    """Jobs end however Snakemake ends; otherwise they would write the same files as those of the next run."""
    project = small(tmp_path)
    config = project.config()
    config["experiments"]["introduction"] |= {"steps": 10**6, "restarts": 50}
    project.configure(config)
    with project.start(f"{OUT}/weights/introduction.safetensors") as run:
        wait_for((tmp_path / OUT / "logs/train/introduction.log").exists, "training")
        job, *_ = scripts(run)
        run.kill()
        run.wait()
    _, left = psutil.wait_procs([job], timeout=PATIENCE)
    for process in left:
        process.kill()
    assert not left

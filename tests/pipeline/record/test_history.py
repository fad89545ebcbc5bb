"""How results came about: their jobs, the commit of the code, and the machine."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from superposition.core.errors import SuperpositionError
from superposition.pipeline.record import history
from superposition.pipeline.record.machine import processor


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that contains the module, and make it the current folder."""
    module = tmp_path / "src/superposition/pipeline/record/history.py"
    module.parent.mkdir(parents=True)
    shutil.copy(history.__file__, module)
    monkeypatch.setattr(history, "__file__", str(module))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for key in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{key}_NAME", "A")
        monkeypatch.setenv(f"GIT_{key}_EMAIL", "a@b.c")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit(checkout: Path) -> None:
    (checkout / "notes.txt").touch()  # This file is no code.
    (checkout / "src/superposition/x.pyc").touch()
    assert history.commit() == git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    "path", [".gitignore", "src/superposition/pipeline/record/history.py", "src/new.py", "workflow/new.smk"]
)
def test_changes_are_marked(checkout: Path, path: str) -> None:
    """The commit is marked if a file has changed or a new module is not in git yet."""
    (checkout / path).parent.mkdir(exist_ok=True)
    with open(checkout / path, "a") as file:
        file.write("# More.\n")
    assert history.commit() == git("rev-parse", "HEAD") + " with uncommitted changes"


def test_the_checkout_of_something_else_around_the_code(checkout: Path) -> None:
    """The commit of another repository, below which the sources were unpacked, is not taken for that of the code."""
    git("rm", "-q", "--cached", "src/superposition/pipeline/record/history.py")
    git("commit", "-qm", "second")
    assert history.commit() == "not in a git checkout"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuperpositionError, match=r"nothing\.csv: No such file or directory$"):
        history.sha256(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f\n\n"
            "processor\t: 1\ncpu family\t: 6\nmodel name\t: other\n",
            "AMD EPYC (family 26, model 2, AVX-512)",
        ),
        ("model name\t: Intel(R) Xeon(R)\nflags\t: fpu avx avx2\n", "Intel(R) Xeon(R) (AVX2)"),
        ("model name\t: ARMv7 Processor\n", "ARMv7 Processor"),
        ("processor\t: 0\nCPU part\t: 0xd0c\n", ""),
    ],
)
def test_the_processor(cpuinfo: str, name: str) -> None:
    """A name that says too little is told apart by numbers and instructions."""
    assert processor(cpuinfo) == name


def test_the_jobs_that_files_come_from(tmp_path: Path) -> None:
    """Jobs come from first to last, without those of other files and those that failed."""
    for name, text in {
        "train/a": {"input": ["code"], "output": ["weights"]},
        "measure/a": {"input": ["weights", "code"], "output": ["tables"]},
        "draw/a": {"input": ["tables"], "output": ["svg", "png"]},
        "draw/b": {"input": ["tables"], "output": ["other"]},
        "draw/c": "Traceback",
    }.items():
        log = tmp_path / f"logs/{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        about = {"rule": "r", "start": str(-len(name)), "end": "", "machine": "Abacus"}
        log.write_text(text if isinstance(text, str) else json.dumps(text | about))
    assert {job.name for job in history.trace_jobs(tmp_path, ["png", "svg"])} == {"train/a", "measure/a", "draw/a"}
    assert [job.name for job in history.trace_jobs(tmp_path, ["tables"])] == ["train/a", "measure/a"]
    assert history.trace_jobs(tmp_path, ["code"]) == []

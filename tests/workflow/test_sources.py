"""Test the files on which jobs depend: without one of them edits go unnoticed, with another too much is made again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workflow.sources import SRC, sources

from superposition.core.errors import SuperpositionError

PACKAGE = "src/superposition"
TRAINED = (*(f"training/{name}" for name in ("runner.py", "fused.py", "fused.cpp", "autograd.py")), "theory/exact.py")
SECTIONS = sorted(path.parent.name for path in SRC.glob("superposition/paper/*/judge.py"))


def test_training_depends_on_both_engines_and_the_compiled_loop() -> None:
    found = sources("workflow/scripts/train.py")
    assert {f"{PACKAGE}/{f}" for f in TRAINED} <= set(found)


@pytest.mark.parametrize("section", SECTIONS)
def test_what_draws_or_judges_does_not_depend_on_what_measures(section: str) -> None:
    """Drawing and judging depend on the tables alone, so that a faster measure or engine does not repeat them."""
    drawing, judging = (
        sources(f"workflow/scripts/{stage}.py", f"superposition.paper.{section}.{stage}") for stage in ("draw", "judge")
    )
    assert f"{PACKAGE}/plotting/style.mplstyle" in drawing
    heavy = ("core/weights", "training/", "theory/exact", "core/geometry", "analysis/tables", "theory/tegum")
    assert not [file for file in (*drawing, *judging) if any(f"{PACKAGE}/{name}" in file for name in heavy)]
    assert not [file for file in judging if "/plotting/" in file]


def imported(names: list[str], lines: list[str]) -> list[str]:
    """Return which of these packages a new Python process has imported after these lines."""
    code = "\n".join([*lines, f"import sys; print(*[name for name in {names} if name in sys.modules])"])
    env = os.environ | {"PYTHONPATH": str(SRC)}
    run = subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.split()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("stage", "never"),
    [
        ("measure", ["matplotlib", "scipy.stats", "scipy.optimize"]),
        ("draw", ["torch", "seaborn", "scipy.stats"]),
        ("judge", ["torch", "matplotlib", "pydantic"]),
    ],
)
def test_a_stage_imports_no_large_library_in_vain(stage: str, never: list[str]) -> None:
    """No stage imports a large library that it does not use; importing PyTorch takes as long as many a job."""
    script, _ = (SRC.parent / f"workflow/scripts/{stage}.py").read_text().split("with job_log(")
    lines = script.splitlines()
    assert not imported(never, [*lines, *(f"import superposition.paper.{section}.{stage}" for section in SECTIONS)])


@pytest.mark.integration
def test_the_end_of_a_run_imports_no_pytorch() -> None:
    """The last jobs, for which other cores wait, only read the headers and checksums of weights files."""
    modules = ("pipeline.report.notebook", "pipeline.report.page", "pipeline.record.provenance")
    assert not imported(["torch"], [f"import superposition.{module}" for module in modules])


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def late():\n    from superposition.core import geometry\n")
    assert sources(str(script)) == [f"{PACKAGE}/core/__init__.py", f"{PACKAGE}/core/geometry.py"]


@pytest.mark.parametrize(
    "line", ["from . import geometry", "from .geometry import norms", "from superposition import train"]
)
def test_imports_that_do_not_say_where_from_are_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import from the package itself is refused: its __init__ is not followed, so that edits would go unnoticed."""
    monkeypatch.setattr("workflow.sources.SRC", tmp_path / "src")
    script = tmp_path / "script.py"
    script.write_text(f"import numpy\n{line}\n")
    with pytest.raises(SuperpositionError, match=r"^script\.py, line 2: .*sub-package"):
        sources("script.py")


def test_every_import_says_where_from() -> None:
    """The imports of every file can be followed, also of those that no rule uses yet."""
    paths = [path for path in SRC.rglob("*.py") if path.parent.name != "superposition"]
    modules = [".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    assert set(sources(*modules)) >= {str(path.relative_to(SRC.parent)) for path in paths}


def test_the_packages_around_a_module_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module depends on the ``__init__`` of every package above it, and on what these import."""
    monkeypatch.setattr("workflow.sources.SRC", tmp_path / "src")
    files = {
        "__init__": "import superposition.unused",
        "room/__init__": "import superposition.other",
        "room/part/__init__": "",
        "room/part/module": "",
        "room/part/unused": "",
        "other": "",
        "unused": "",
    }
    for name, text in files.items():
        path = tmp_path / f"{PACKAGE}/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "script.py").write_text("import superposition.room.part.module")
    used = [name for name in files if "unused" not in name and name != "__init__"]
    assert sources("script.py") == sorted(f"{PACKAGE}/{name}.py" for name in used)

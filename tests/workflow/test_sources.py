"""The files that a job depends on: one too few and an edit goes unnoticed, one too many and too much is made again."""

import ast
from pathlib import Path

from workflow.sources import SRC, sources

PACKAGE = "src/superposition"


def test_training_depends_on_both_engines_and_the_compiled_loop() -> None:
    found = sources("workflow/scripts/train.py")
    assert {f"{PACKAGE}/{f}" for f in ("training.py", "fused.py", "fused.cpp", "autograd.py", "exact.py")} <= set(found)


def test_training_does_not_depend_on_figures_claims_or_report() -> None:
    assert not [f for f in sources("workflow/scripts/train.py") if "/paper/" in f or "plotting" in f or "claims" in f]


def test_a_section_does_not_depend_on_another_nor_on_training() -> None:
    found = sources("superposition.paper.introduction")
    assert [f for f in found if "/paper/" in f] == [f"{PACKAGE}/paper/introduction.py"]
    assert f"{PACKAGE}/plotting.mplstyle" in found
    assert f"{PACKAGE}/training.py" not in found


def test_a_section_of_several_files() -> None:
    """A section may be a package; its parts count as its own."""
    found = sources("superposition.paper.geometry")
    parts = {f"{PACKAGE}/paper/geometry/{name}.py" for name in ("__init__", "large", "small")}
    assert {f for f in found if "/paper/" in f} == parts
    assert f"{PACKAGE}/polytopes.py" in found
    assert f"{PACKAGE}/training.py" not in found


def test_training_does_not_depend_on_what_is_measured() -> None:
    """A new polytope or table would train everything again."""
    found = sources("workflow/scripts/train.py")
    assert not {f"{PACKAGE}/{name}.py" for name in ("polytopes", "tegum", "packing", "geometry", "tables")} & set(found)


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def late():\n    from superposition import geometry\n")
    assert sources(str(script)) == [f"{PACKAGE}/geometry.py"]


def test_the_core_does_not_import_the_paper_and_nothing_goes_around_the_front_door() -> None:
    """`sources` does not follow the package's __init__, so nothing inside may import a name through it."""
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "superposition":
                modules = {p.stem for p in (SRC / "superposition").glob("*.py")}
                assert {alias.name for alias in node.names} <= modules, path
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            own = ".".join(path.relative_to(SRC).parts[:3])  # of the paper's sections, a file may import its own
            names = [name for name in names if name != own and not name.startswith(f"{own}.")]
            assert not any(name.startswith(("superposition.paper", "snakemake")) for name in names), path

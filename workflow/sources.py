"""Which files a job's code consists of: Snakemake does not see imports, so rules list them as inputs."""

import ast
import functools
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"
PACKAGE = "superposition"


def sources(*starts: str) -> list[str]:
    """The package's files that the starts import, directly or not, as paths relative to the project.

    A start is a module (``superposition.training``) or a script (``workflow/scripts/train.py``; a script itself is not
    in the answer, Snakemake tracks it). A data file with the stem of a module belongs to it (``fused.py``,
    ``fused.cpp``), and so does the ``__init__`` of its package; but that of the whole only re-exports, and is left out.
    """
    found: set[Path] = set()
    todo: list[Path] = []
    for start in starts:
        module = _file(start)
        todo += [module] if module else _imports(SRC.parent / start)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [*_imports(path), *_packages(path)]
    siblings = {f for path in found for f in path.parent.glob(f"{path.stem}.*") if f.suffix != ".pyc"}
    return sorted(str(f.relative_to(SRC.parent)) for f in siblings)


def _file(module: str) -> Path | None:
    place = SRC.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if module.startswith(f"{PACKAGE}.") and file.is_file()), None)


@functools.cache
def _packages(path: Path) -> list[Path]:
    """What runs when a module is imported, before it does."""
    return [file for folder in path.parents if SRC / PACKAGE in folder.parents for file in folder.glob("__init__.py")]


@functools.cache
def _imports(path: Path) -> list[Path]:
    """The package's modules that a file imports, wherever in the file."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [file for name in names if (file := _file(name))]

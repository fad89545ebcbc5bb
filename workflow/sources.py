"""Which files a job's code consists of: Snakemake does not see imports, so rules list them as inputs."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from superposition.core.errors import SuperpositionError

SRC = Path(__file__).parents[1] / "src"
PACKAGE = "superposition"


def sources(*starts: str) -> list[str]:
    """The package's files that the starts import, directly or not, as paths relative to the project.

    A start is a module (``superposition.training.runner``) or a script (``workflow/scripts/train.py``; a script itself
    is not in the answer, Snakemake tracks it). A data file with the stem of a module belongs to it (``fused.py``,
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
    return sorted({name for path in found for name in _with_data(path)})


def _file(module: str) -> Path | None:
    place = SRC.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if module.startswith(f"{PACKAGE}.") and file.is_file()), None)


@functools.cache
def _with_data(path: Path) -> list[str]:
    """The names of a module's file and of its data files."""
    return [str(f.relative_to(SRC.parent)) for f in path.parent.glob(f"{path.stem}.*") if f.suffix != ".pyc"]


@functools.cache
def _packages(path: Path) -> list[Path]:
    """What runs when a module is imported, before it does."""
    return [file for folder in path.parents if SRC / PACKAGE in folder.parents for file in folder.glob("__init__.py")]


@functools.cache
def _imports(path: Path) -> list[Path]:
    """The package's modules that a file imports, wherever in the file.

    Raises SuperpositionError where it could not be seen which module that is.
    """
    names = []
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            if node.level or node.module == PACKAGE:
                where = f"{path.relative_to(SRC.parent)}, line {node.lineno}"
                raise SuperpositionError(f"{where}: import from the sub-package that has it, as in superposition.core")
            names += [str(node.module), *found]
    return [file for name in names if (file := _file(name))]


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """A block's statements and those within them, without the expressions, of which there are many more."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for node in getattr(block, field, ()):
            yield node
            yield from _statements(node)

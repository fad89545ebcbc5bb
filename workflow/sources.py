"""The files that the code of a job consists of.

Snakemake does not see imports, so rules list these files as inputs.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from superposition.core.errors import SuperpositionError

SRC = Path(__file__).parents[1] / "src"
PACKAGE = "superposition"


def sources(*roots: str) -> list[str]:
    """Find the package's files that modules or scripts import, directly or not.

    A data file with the stem of a module belongs to the module (``fused.py``, ``fused.cpp``), and so does the
    ``__init__`` of its sub-package. The package's own ``__init__`` only re-exports names and is left out.

    Args:
        *roots: Modules (``superposition.training.runner``) or scripts (``workflow/scripts/train.py``). A module is
            itself in the result; a script is not, because Snakemake tracks it.

    Returns:
        Paths relative to the project, sorted.
    """
    found: set[Path] = set()
    queue: list[Path] = []
    for root in roots:
        module = _file(root)
        queue += [module] if module else _imports(SRC.parent / root)
    while queue:
        path = queue.pop()
        if path not in found:
            found.add(path)
            queue += [*_imports(path), *_packages(path)]
    return sorted({name for path in found for name in _with_data(path)})


def _file(module: str) -> Path | None:
    """Return the file of one of the package's modules."""
    place = SRC.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if module.startswith(f"{PACKAGE}.") and file.is_file()), None)


@functools.cache
def _with_data(path: Path) -> list[str]:
    """Return the names of a module's file and of its data files."""
    return [str(f.relative_to(SRC.parent)) for f in path.parent.glob(f"{path.stem}.*") if f.suffix != ".pyc"]


@functools.cache
def _packages(path: Path) -> list[Path]:
    """Return the ``__init__`` files that Python runs before a module."""
    return [file for folder in path.parents if SRC / PACKAGE in folder.parents for file in folder.glob("__init__.py")]


@functools.cache
def _imports(path: Path) -> list[Path]:
    """Return the package's modules that a file imports anywhere in it.

    Raises:
        SuperpositionError: An import does not show which module it loads.
    """
    names = []
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            if node.level or node.module == PACKAGE:
                where = f"{path.relative_to(SRC.parent)}, line {node.lineno}"
                raise SuperpositionError(f"{where}: import from the sub-package itself, as in superposition.core")
            names += [str(node.module), *found]
    return [file for name in names if (file := _file(name))]


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a block and those nested in them, skipping expressions, of which there are many more."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for node in getattr(block, field, ()):
            yield node
            yield from _statements(node)

"""The functions that measure, draw and animate the figures of a section, which have the figures' names."""

import importlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from superposition.core.errors import SuperpositionError

# The folder with the sections, one package each.
SECTIONS_FOLDER = Path(__file__).parents[1] / "paper"
# The stages of a section, each of which is a module of it.
STAGES = ("measure", "draw", "judge")
# The section of custom sweeps. Its figures are named `<experiment>_<kind>`, its functions after the kind alone.
CUSTOM = "custom"


def find(section: str, stage: str, name: str) -> Any:
    """Return a figure's function, or the section's ``claims``, from the module of a stage."""
    module = importlib.import_module(f"superposition.paper.{section}.{stage}")
    return getattr(module, name_in_module(section, name))


def check_defined(section: str, stage: str, names: Iterable[str]) -> None:
    """Check, without importing it, that the module of a section's stage defines some names.

    Raises:
        SuperpositionError: There is no such module, or a name is missing in it.
    """
    module, path = f"superposition.paper.{section}.{stage}", SECTIONS_FOLDER / section / f"{stage}.py"
    if not path.is_file():
        raise SuperpositionError(f"{module}: there is no such module")
    defined = re.findall(r"^(?:def )?(\w+)(?=\(| = )", path.read_text(encoding="utf-8"), re.MULTILINE)
    for name in names:
        if name_in_module(section, name) not in defined:
            raise SuperpositionError(f"{module}: {name} is missing")


def name_in_module(section: str, name: str) -> str:
    """Return the name under which a section's module defines what belongs to a figure."""
    return name.rpartition("_")[2] if section == CUSTOM else name

"""The sections of the report and their captions: every folder of ``superposition/paper`` with a ``section.yaml``."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from superposition.core.errors import SuperpositionError
from superposition.core.validation import Strict, as_tuple, explain
from superposition.pipeline import stages

# Names of experiments, sections and figures are parts of file names.
NAME_PATTERN = "^[a-z][a-z0-9_]*$"
MAX_NAME_LENGTH = 100

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME_LENGTH)]
Names = Annotated[tuple[Name, ...], BeforeValidator(as_tuple)]
# Text without control characters, so that it is valid in HTML, XML and JSON.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]


class FigureEntry(Strict):
    """The entry of a figure: its caption, and the experiments that it needs."""

    title: Text
    shows: Annotated[Text, Field(description="what the figure shows; for a figure of the paper, in our words")]
    experiments: Annotated[Names, Field(description="the experiments that it needs; empty if nothing is trained")] = ()
    best: Annotated[Names, Field(description="those of them whose best known models it needs beside the trained")] = ()
    animated: Annotated[bool, Field(description="whether the function `animate_<figure>` makes a GIF of it")] = False


class Figure(FigureEntry):
    """A figure and the section that it belongs to."""

    section: Name


class Section(Strict):
    """The contents of ``section.yaml``."""

    title: Text
    anchor: Annotated[
        str | None, Field(pattern=r"^#", description="link to the section of the paper; null if it has no such section")
    ] = None
    text: Annotated[Text | None, Field(description="text below the title, such as where its statements come from")] = (
        None
    )
    position: Annotated[int, Field(description="place in the report among the sections with an anchor")] = 0
    figures: Annotated[dict[Name, FigureEntry], Field(min_length=1)]


def read_sections() -> dict[str, Section]:
    """Read all sections, in the order of the report: those of the paper, then the others by name.

    Raises:
        SuperpositionError: A ``section.yaml`` is invalid, or a figure lacks one of its functions.
    """
    sections = {path.parent.name: _read(path) for path in sorted(stages.SECTIONS_FOLDER.glob("*/section.yaml"))}
    # The copy of the code in a record has the modules for custom sweeps only if there were some.
    for name, section in ((name, section) for name, section in sections.items() if name != stages.CUSTOM):
        animations = [f"animate_{figure}" for figure, entry in section.figures.items() if entry.animated]
        stages.check_defined(name, "measure", section.figures)
        stages.check_defined(name, "draw", [*section.figures, *animations])
        stages.check_defined(name, "judge", ["claims"])
    return dict(sorted(sections.items(), key=lambda item: (item[1].anchor is None, item[1].position)))


def _read(path: Path) -> Section:
    """Read one ``section.yaml``."""
    where = f"paper.{path.parent.name}.section"
    try:
        return Section.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise SuperpositionError(f"{where}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise SuperpositionError(explain(error, where)) from None

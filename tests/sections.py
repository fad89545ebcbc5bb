"""Sections made by hand, in place of those of the report."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config

# The original function, which tests may replace by the one below, and the original folder.
PARSE, PAPER = Config.parse, stages.SECTIONS_FOLDER


def split(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Split a configuration with entries ``sections`` and ``figures`` into ``config.yaml`` and the ``section.yaml``.

    An entry of a figure says to which ``section`` it belongs.
    """
    sections = {
        name: {"position": position, **about, "figures": {}}
        for position, (name, about) in enumerate(raw["sections"].items())
    }
    for figure, entry in raw["figures"].items():
        sections[entry["section"]]["figures"][figure] = {key: entry[key] for key in entry if key != "section"}
    return {key: raw[key] for key in raw if key not in ("sections", "figures")}, sections


def write_sections(folder: Path, sections: dict[str, dict[str, Any]]) -> None:
    """Write the files of sections to a folder, and copy the section of custom sweeps."""
    for name, section in sections.items():
        defined = "".join(f"{figure} = 1\nanimate_{figure} = 1\n" for figure in section["figures"])
        (folder / name).mkdir(parents=True)
        for stage in stages.STAGES:
            (folder / name / f"{stage}.py").write_text(defined + "claims = 1\n")
        (folder / name / "section.yaml").write_text(yaml.safe_dump(section, sort_keys=False))
    shutil.copytree(PAPER / stages.CUSTOM, folder / stages.CUSTOM)


def parse(raw: dict[str, Any]) -> Config:
    """Parse a configuration with entries ``sections`` and ``figures``."""
    config, sections = split(raw)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        write_sections(Path(folder), sections)
        patch.setattr(stages, "SECTIONS_FOLDER", Path(folder))
        return PARSE(config)

"""What holds for every section of the paper."""

import importlib

import pytest
from tests.real import CONFIG

# Section ``basic`` draws the same of whatever experiment a figure is named after.
SEVERAL = [section for section in CONFIG.sections if len(CONFIG.figures_of(section)) > 1 and section != "basic"]


@pytest.mark.parametrize("stage", ["measure", "draw"])
@pytest.mark.parametrize("section", SEVERAL)
def test_a_figure_that_a_section_does_not_know_is_refused(section: str, stage: str) -> None:
    """Else one that was added to the configuration alone would show another under its name."""
    module = importlib.import_module(f"superposition.paper.{section}.{stage}")
    with pytest.raises(KeyError, match="another"):
        getattr(module, stage)("another", {})

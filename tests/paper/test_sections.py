"""Rules that every section of the paper follows."""

import importlib

import pytest
from tests.real import CONFIG

# Section ``basic`` draws the same figure for any experiment that the figure is named after.
SEVERAL = [section for section in CONFIG.sections if len(CONFIG.figures_of(section)) > 1 and section != "basic"]


@pytest.mark.parametrize("stage", ["measure", "draw"])
@pytest.mark.parametrize("section", SEVERAL)
def test_an_unknown_figure_is_refused(section: str, stage: str) -> None:
    """Otherwise a figure that is only in the configuration would show another under its name."""
    module = importlib.import_module(f"superposition.paper.{section}.{stage}")
    with pytest.raises(KeyError, match="another"):
        getattr(module, stage)("another", {})

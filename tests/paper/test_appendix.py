"""The appendix: nonlinear compression against linear."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.paper.synthetic import changed, drawn_twice, judged, through_files, verdict

from superposition.paper.appendix import PAPER_SETTING, compression, draw, judge, measure
from superposition.pipeline.claims import Tables

FIGURE = "nonlinear_compression"


@pytest.fixture(scope="module")
def data() -> Tables:
    return {FIGURE: getattr(measure, FIGURE)({})}


def test_tables(data: Tables) -> None:
    errors = data[FIGURE]["errors"]
    assert len(errors) == len(measure.Z_VALUES) * len(measure.WIDTHS)
    assert PAPER_SETTING[1] in set(errors["width"])
    row = errors.iloc[40]
    assert row["error"] == compression.mean_squared_error(int(row["Z"]), row["width"])


def test_crossings_lie_where_the_errors_cross(data: Tables) -> None:
    for Z, limit in data[FIGURE]["crossings"][["Z", "crossing"]].to_numpy():
        below, above = (compression.mean_squared_error(int(Z), limit * factor) for factor in (0.99, 1.01))
        assert below < compression.BEST_LINEAR_ERROR < above


def test_verdict(data: Tables, tmp_path: Path) -> None:
    line = judged(judge.claims, "nonlinear_beats_linear", through_files(data, tmp_path))
    assert line["verdict"] == line["expected"] == "reproduced"
    assert "0.0422 against 0.0833" in line["measured"]


@pytest.mark.parametrize("error", [compression.BEST_LINEAR_ERROR, 0.1, np.nan])
def test_a_larger_error_does_not_win(data: Tables, error: float) -> None:
    where = f"Z == {PAPER_SETTING[0]} and width == {PAPER_SETTING[1]}"
    assert (
        verdict(judge.claims, "nonlinear_beats_linear", changed(data, FIGURE, "errors", where, error=error))
        == "not reproduced"
    )


def test_the_figure_is_the_same_every_time(data: Tables, tmp_path: Path) -> None:
    assert len(drawn_twice(draw, FIGURE, data, tmp_path)) > 10_000


def test_numbers_are_text(data: Tables) -> None:
    """The report shows them as they stand."""
    numbers = data[FIGURE]["numbers"]
    assert numbers["Z"].tolist() == [str(Z) for Z in measure.Z_VALUES]
    assert isinstance(numbers, pd.DataFrame)

"""The appendix: nonlinear compression against linear."""

from pathlib import Path

import pandas as pd
import pytest
from tests.paper.synthetic import through_files

from superposition.paper.appendix import PAPER_SETTING, compression, judge, measure
from superposition.pipeline.judging.claims import Tables

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


def test_claims(data: Tables, tmp_path: Path) -> None:
    """At ε = 0.1 the code has half of the error of linear compression at Z = 3, and already wins at Z = 2."""
    table, criteria = judge.claims.judge(through_files(data, tmp_path), "paper")
    assert table["verdict"].tolist() == table["expected"].tolist() == ["reproduced", "corrected"]
    assert criteria["value"].tolist() == pytest.approx([0.0422, 2, 0.0480], abs=5e-5)


def test_numbers_are_text(data: Tables) -> None:
    """The report shows the numbers as they stand."""
    numbers = data[FIGURE]["numbers"]
    assert numbers["Z"].tolist() == [str(Z) for Z in measure.Z_VALUES]
    assert isinstance(numbers, pd.DataFrame)

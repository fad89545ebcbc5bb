"""Rows found on the grid of a sweep, and W from its rows."""

import numpy as np
import pandas as pd
import pytest

from superposition.analysis.rows import at_point, rows_at, weights_of

TABLE = pd.DataFrame(
    {"point": [0, 0, 1, 2], "density": [0.1, 0.1, 0.1 + 0.2, 0.1], "relative_importance": [1.0, 1.0, 1.0, 0.3]}
)


def test_rows_are_found_by_the_number_of_their_point() -> None:
    assert list(at_point(TABLE, 0).index) == [0, 1]


def test_coordinates_may_differ_in_their_last_digits() -> None:
    assert TABLE["density"][2] != 0.3
    assert list(rows_at(TABLE, density=0.3).index) == [2]
    assert list(rows_at(TABLE, density=0.1, relative_importance=0.3).index) == [3]


@pytest.mark.parametrize("density", [0.1001, 0.0])
def test_a_point_that_the_grid_lacks_is_an_error(density: float) -> None:
    """An empty table would give a mean of NaN, far from its cause."""
    with pytest.raises(LookupError, match="density"):
        rows_at(TABLE, density=density, relative_importance=1)


def test_weights_are_those_of_the_features_in_order() -> None:
    """Columns that only begin with the same letter are no weights."""
    W = np.arange(6.0).reshape(2, 3)
    table = pd.DataFrame({"feature": [2, 0, 1], "w0": W[0, [2, 0, 1]], "weight": 9.0, "w1": W[1, [2, 0, 1]]})
    np.testing.assert_array_equal(weights_of(table), W)

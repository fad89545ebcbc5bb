"""Rows found on the grid of a sweep, in runs, as text, and W from its rows."""

import numpy as np
import pandas as pd
import pytest

from superposition.analysis.rows import at_point, listed, rows_at, runs_along_sparsity, weights_of, weights_table

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
    table = weights_table(W, weight=9.0, point=4)
    assert [*table.columns] == ["weight", "point", "feature", "w0", "w1"]
    assert (table["point"] == 4).all()
    np.testing.assert_array_equal(weights_of(table.iloc[[2, 0, 1]]), W)


def test_runs_follow_each_other_along_sparsity() -> None:
    """Neighbours with the same value are one run, a value that returns makes two, and each n has runs of its own."""
    forms = {4: "aaa", 5: "baa", 6: "bab"}  # at ascending densities
    table = pd.DataFrame(
        [(n, p, form) for n, row in forms.items() for p, form in zip((0.01, 0.1, 1.0), row, strict=True)],
        columns=["n", "density", "form"],
    )
    runs = runs_along_sparsity(table, "form")
    assert runs[["n", "value"]].to_numpy().tolist() == [[4, "a"], [5, "a"], [5, "b"], [6, "b"], [6, "a"], [6, "b"]]
    half = 10**0.5
    assert runs["first"].tolist() == pytest.approx([1 / half, 1 / half, 100 / half, 1 / half, 10 / half, 100 / half])
    assert runs["last"].tolist() == pytest.approx([100 * half, 10 * half, 100 * half, half, 10 * half, 100 * half])


def test_rows_are_listed_in_their_order() -> None:
    """Columns, levels of the index and the values of a column by itself have their names in the template."""
    counts = TABLE.groupby(["density", "relative_importance"])["point"].max()
    assert listed(counts[::-1], "{point} at {density:.2g}") == "1 at 0.3, 0 at 0.1, 2 at 0.1"
    assert listed(TABLE[:2], "{point}") == "0, 0"
    assert listed(TABLE[:0], "{point}") == ""

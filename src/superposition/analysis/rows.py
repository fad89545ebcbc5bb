"""Rows of a table: where they lie on the grid of a sweep, in runs along sparsity, as text; and W from its rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

# Coordinates that differ by less than this share are the same: computed in two ways, they differ in the last digits.
SAME = 1e-6


def at_point(table: pd.DataFrame, point: int | np.integer) -> pd.DataFrame:
    """Return the rows of a table at one point of the sweep, given by its number in the column ``point``."""
    return table[table["point"] == point]


def rows_at(table: pd.DataFrame, **coordinates: float | int) -> pd.DataFrame:
    """Return the rows of a table at a point of its grid, given by coordinates such as ``density=0.1``.

    Raises:
        LookupError: The grid has no such point.
    """
    found = table
    for name, value in coordinates.items():
        found = found[np.isclose(found[name], value, rtol=SAME, atol=0)]
    if found.empty:
        raise LookupError(f"no rows at {', '.join(f'{name} {value:g}' for name, value in coordinates.items())}")
    return found


def weights_table(W: Float[np.ndarray, "m n"], **columns: Any) -> pd.DataFrame:
    """Return W of one model as a table with one row per feature, after columns that are the same in all rows."""
    return pd.DataFrame(columns | {"feature": range(W.shape[1])} | {f"w{k}": row for k, row in enumerate(W)})


def gram_of(pairs: pd.DataFrame) -> Float64[np.ndarray, "n n"]:
    """Return WᵀW of one model from the rows of its pairs of features."""
    return pairs.pivot(index="i", columns="j", values="dot").to_numpy()


def weights_of(features: pd.DataFrame) -> Float64[np.ndarray, "m n"]:
    """Return W of one model from the rows of its features, in the order of their numbers; for models with m ≤ 3."""
    return features.sort_values("feature").filter(regex=r"^w\d$").to_numpy(dtype=float).T


def runs_along_sparsity(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Find, for every n, the runs of neighbouring densities at which a column has the same value.

    Returns:
        One row per run: ``n``, its ``value``, and the sparsity at which it begins (``first``) and ends (``last``), half
        a step of the grid beyond the models at its ends.
    """
    rows = table.assign(sparsity=1 / table["density"]).sort_values(["n", "sparsity"])
    grid = np.sort(rows["sparsity"].unique())
    half_step = (grid[1] / grid[0]) ** 0.5
    changes = rows[["n", column]].ne(rows[["n", column]].shift()).any(axis=1)
    runs = rows.groupby(changes.cumsum()).agg(
        n=("n", "first"), value=(column, "first"), first=("sparsity", "min"), last=("sparsity", "max")
    )
    return runs.assign(first=runs["first"] / half_step, last=runs["last"] * half_step)


def listed(rows: pd.DataFrame | pd.Series, template: str, separator: str = ", ") -> str:
    """Return the rows of a table as one text; ``template`` refers to the table's columns and its index."""
    return separator.join(template.format_map(row) for row in rows.reset_index().to_dict("records"))


def formatted(rows: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a table with other ``columns``, whose texts are made with templates as in :func:`listed`."""
    found = rows.reset_index().to_dict("records")
    return pd.DataFrame({name: [template.format_map(row) for row in found] for name, template in columns.items()})

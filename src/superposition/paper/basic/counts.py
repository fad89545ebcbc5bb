"""Rows of the tables of one experiment, and how many features it represents at every density."""

import pandas as pd

from superposition.analysis.representation import is_represented
from superposition.analysis.rows import listed
from superposition.pipeline.judging.claims import Tables

# Two sizes of the same models.
FIGURES = ("basic_small", "basic_large")


def rows_of(data: Tables, figure: str, table: str, suffix: str = "") -> pd.DataFrame:
    """Return the rows of one experiment of the figure.

    The experiments are the figure's name with a suffix: none for the ReLU-output models, ``_linear`` for the linear
    ones, ``_notebook`` for those trained as in the authors' notebook, ``_m10`` … for wider ones.
    """
    rows = data[figure][table]
    return rows[rows["experiment"] == figure + suffix]


def model_size(data: Tables, figure: str) -> tuple[int, int]:
    """Return n and m of the figure's models."""
    first = rows_of(data, figure, "models").iloc[0]
    return int(first["n"]), int(first["m"])


def represented_mask(features: pd.DataFrame) -> pd.Series:
    """Return a mask of the features whose ‖W_i‖² is nearer to 1 than to 0."""
    return is_represented(features["norm"] ** 2)


def count_represented(features: pd.DataFrame) -> pd.DataFrame:
    """Count the represented features of every model: all, and those with a dedicated dimension.

    Returns:
        One row per density, from dense to sparse, with the number of its ``point``.
    """
    represented = represented_mask(features)
    columns = {"represented": represented, "dedicated": represented & (features["superposition"] < 0.5)}
    groups = features.assign(**columns).groupby("density")
    counts = groups[[*columns]].sum().assign(point=groups["point"].first())
    return counts.sort_index(ascending=False)


def counts_of(data: Tables, figure: str, suffix: str = "") -> pd.DataFrame:
    """Return the counts of one experiment of the figure; see :func:`rows_of`."""
    return count_represented(rows_of(data, figure, "features", suffix))


def counts_of_all(data: Tables) -> dict[str, pd.DataFrame]:
    """Return the counts of both sizes, of the trained and of the best known ReLU-output models."""
    counts = {}
    for figure in FIGURES:
        n = model_size(data, figure)[0]
        counts[f"n = {n}"] = counts_of(data, figure)
        counts[f"n = {n}, best known"] = count_represented(data[figure]["best_features"])
    return counts


def onset(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the highest density at which represented features share dimensions; no row if there is none."""
    return counts[counts["represented"] > counts["dedicated"]].head(1)


def all_shared(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows from the density on at which no represented feature has a dedicated dimension any more."""
    return counts[counts["dedicated"][::-1].cumsum()[::-1] == 0]


def by_density(values: pd.Series, digits: str = "g") -> str:
    """Format numbers by density, as in ``5 at 1, 7 at 0.3``."""
    return listed(values.rename("value"), f"{{value:{digits}}} at {{density:g}}")

"""Custom sweeps, which no figure of the paper needs, and their standard figures.

These show the models, their features as points, and the D_i of every feature. Nothing is claimed about them.

At every point of the grid the restart with the lowest loss is meant. Where the grid has more points than can be seen,
evenly spaced ones are drawn, and the figure says so.
"""

import math

import numpy as np
import pandas as pd

MODELS = 8  # in a figure; of neurons, which are drawn with two matrices each, 6
PANELS = 4  # of dimensionality


def kind_of(figure: str) -> str:
    """Return which of the standard figures ``<experiment>_<kind>`` is."""
    return figure.rpartition("_")[2]


def chosen(grid: pd.DataFrame, most: int) -> list[int]:
    """The rows of a grid that are drawn: all, or at most so many, evenly spaced along every axis.

    The longest axis is thinned first; of seeds only the first is left where another axis varies, too. In the order in
    which they are drawn, the axis with the most values varies fastest.
    """
    axes = {name: list(grid[name].unique()) for name in grid}
    kept = {name: len(values) for name, values in axes.items()}
    if math.prod(kept.values()) > most and any(n > 1 for name, n in kept.items() if name != "seed"):
        kept |= {"seed": 1} if "seed" in kept else {}
    while math.prod(kept.values()) > most:
        longest = max(reversed(kept), key=kept.__getitem__)
        kept[longest] -= 1
    here = np.ones(len(grid), dtype=bool)
    for name, values in axes.items():
        places = np.linspace(0, len(values) - 1, kept[name]).round().astype(int)
        here &= grid[name].isin([values[k] for k in places]).to_numpy()
    rows = grid[here].reset_index(names="row").drop_duplicates(list(grid))
    order = [rows[name].map(axes[name].index) for name in sorted(kept, key=kept.__getitem__, reverse=True)]
    return rows["row"].iloc[np.lexsort(order)].tolist()

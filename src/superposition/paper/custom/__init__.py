"""Standard figures of custom sweeps, which no figure of the paper uses.

They show the models, the features as points, and the D_i of every feature. No claims are made about them.

Every point of the grid is represented by the restart with the lowest loss. If the grid has more points than fit into a
figure, evenly spaced points are drawn, and a note in the figure says so.
"""

import math

import numpy as np
import pandas as pd

# Largest number of models in a figure. Models with neurons have two matrices each, so their limit is 6.
MAX_SHOWN_MODELS = 8
# Largest number of panels in a figure of dimensionality, and of very large models in other figures.
MAX_PANELS = 4


def select_points(grid: pd.DataFrame, limit: int) -> list[int]:
    """Select the rows of a grid to draw: all, or at most ``limit``, evenly spaced along every axis.

    The longest axis is thinned first. If the grid has too many points and an axis other than the seed varies, only the
    first seed is kept.

    Args:
        grid: Coordinates of the points, one column per axis.
        limit: Largest number of rows.

    Returns:
        The rows in the order in which they are drawn: the axis with the most values varies fastest.
    """
    axes = {name: list(grid[name].unique()) for name in grid}
    kept = {name: len(values) for name, values in axes.items()}
    if math.prod(kept.values()) > limit and any(n > 1 for name, n in kept.items() if name != "seed"):
        kept |= {"seed": 1} if "seed" in kept else {}
    while math.prod(kept.values()) > limit:
        longest = max(reversed(kept), key=kept.__getitem__)
        kept[longest] -= 1
    selected = np.ones(len(grid), dtype=bool)
    for name, values in axes.items():
        places = np.linspace(0, len(values) - 1, kept[name]).round().astype(int)
        selected &= grid[name].isin([values[k] for k in places]).to_numpy()
    rows = grid[selected].reset_index(names="row").drop_duplicates(list(grid))
    order = [rows[name].map(axes[name].index) for name in sorted(kept, key=kept.__getitem__, reverse=True)]
    return rows["row"].iloc[np.lexsort(order)].tolist()

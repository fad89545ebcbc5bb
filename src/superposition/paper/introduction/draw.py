"""Draw the features of the five-feature models as arrows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition.analysis.rows import at_point
from superposition.plotting import style, vectors


def introduction(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the columns of W as arrows in the plane, one panel per sparsity."""
    features = tables["features"]
    models = tables["models"].sort_values("density", ascending=False)
    fig, axes = plt.subplots(1, len(models), figsize=(style.PAGE, 2.5), sharex=True, sharey=True)
    scale = Normalize(0, features["importance"].max())
    for ax, model in zip(np.atleast_1d(axes), models.itertuples(), strict=True):
        rows = at_point(features, model.point)
        vectors.feature_arrows(ax, rows, style.IMPORTANCE(scale(rows["importance"].to_numpy())))
        ax.set_title(f"{1 - model.density:.0%} sparsity ({style.density_title(model.density)})")
    colours = plt.cm.ScalarMappable(scale, style.IMPORTANCE)
    style.colorbar(fig, colours, "importance $I_i$", ax=axes, shrink=0.75, pad=0.02)
    return fig

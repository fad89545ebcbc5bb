"""Draw the features of the five-feature models as arrows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition.plotting import style, vectors


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Draw the columns of W as arrows in the plane, one panel per sparsity."""
    features = data["features"]
    densities = sorted(features["density"].unique(), reverse=True)
    fig, axes = plt.subplots(1, len(densities), figsize=(style.PAGE, 2.5), sharex=True, sharey=True)
    scale = Normalize(0, features["importance"].max())
    for ax, density in zip(np.atleast_1d(axes), densities, strict=True):
        rows = features[features["density"] == density]
        vectors.feature_arrows(ax, rows, style.IMPORTANCE(scale(rows["importance"].to_numpy())))
        ax.set_title(f"{1 - density:.0%} sparsity ({style.density_title(density)})")
    colours = plt.cm.ScalarMappable(scale, style.IMPORTANCE)
    style.colorbar(fig, colours, "importance $I_i$", ax=axes, shrink=0.75, pad=0.02)
    return fig

"""Draw the features of the five-feature models as arrows, and their interference."""

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
    scale = Normalize(min(0.5, features["importance"].min()), features["importance"].max())
    for ax, model in zip(np.atleast_1d(axes), models.itertuples(), strict=True):
        rows = at_point(features, model.point)
        vectors.feature_arrows(ax, rows, style.IMPORTANCE(scale(rows["importance"].to_numpy())))
        ax.set_title(f"{1 - model.density:.0%} sparsity ({style.density_title(model.density)})")
    colours = plt.cm.ScalarMappable(scale, style.IMPORTANCE)
    style.colorbar(fig, colours, "importance $I_i$", ax=axes, shrink=0.75, pad=0.02)
    return fig


def interference(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw h among the directions of the features for every input; below, its projections on them, and the output."""
    responses = tables["responses"]
    inputs = responses.groupby("active")
    fig, axes = plt.subplots(2, len(inputs), figsize=(style.PAGE, 3.6), height_ratios=[1.5, 1], sharey="row")
    for (plane, bars), (count, rows) in zip(axes.T, inputs, strict=True):
        colours = np.where(rows["x"] > 0, style.CATEGORIES[0], "0.75")
        vectors.feature_arrows(plane, rows[["w0", "w1"]], colours, reach=1.5)
        h = rows[["h0", "h1"]].iloc[0].to_numpy()
        plane.annotate("", h, (0, 0), arrowprops={"arrowstyle": "->", "color": style.CATEGORIES[3], "lw": 1.5})
        plane.set_title(f"{count} active feature{'s' * (count > 1)}")
        feature = rows["feature"] + 1
        bars.bar(feature - 0.2, rows["projection"], width=0.4, color="0.75", label="$W_i\\cdot h$")
        bars.bar(feature + 0.2, rows["output"], width=0.4, color=style.CATEGORIES[3], label="output $x'_i$")
        bars.scatter(feature, rows["x"], marker="_", s=90, color=style.CATEGORIES[0], zorder=3, label="$x_i$")
        bars.axhline(0, color="0.3", lw=0.5)
        bars.set(xlabel="feature $i$", xticks=feature, ylim=(-1.2, 1.7))
    axes[0, 0].plot([], [], color=style.CATEGORIES[3], label="$h = Wx$")
    axes[0, 0].legend(loc="lower left", fontsize=6)
    axes[1, 0].legend(fontsize=6, ncols=3, loc="upper right")
    return fig

"""Draw what a growing L1 penalty does to models, and what sparse autoencoders recover from them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from superposition.analysis.rows import rows_at
from superposition.paper.remedies import EQUAL_IMPORTANCES, falling_importances_label, most_agreed
from superposition.plotting import style


def l1_penalty(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw features per dimension, interference and loss for equal importances; below, the features that remain."""
    fig, top, below = style.figure_in_rows(4.6, 1.0, 1.05)
    _draw_equal(top.subplots(1, 3), tables)
    features, models = tables["features"], tables["models"]
    m = int(models.loc[models["experiment"] != EQUAL_IMPORTANCES, "m"].iloc[0])
    axes = below.subplots(1, features["density"].nunique(), sharey=True, squeeze=False)[0]
    for ax, (density, rows) in zip(axes[::-1], features.groupby("density"), strict=True):
        image = _draw_remaining(ax, rows, m)
        ax.set_title(style.density_title(density))
    axes[0].set_ylabel(f"feature $i$, $I_i = {falling_importances_label(features)}$")
    axes[0].text(len(features["l1"].unique()) - 0.7, m - 0.6, f"$m = {m}$", ha="right", fontsize=6, color="0.4")
    style.colorbar(below, image, "$\\|W_i\\|$", ax=axes, shrink=0.9)
    return fig


def _draw_equal(axes: np.ndarray, tables: dict[str, pd.DataFrame]) -> None:
    """Draw features per dimension, interference and clean loss against the coefficient, for equal importances."""
    models, exact = (tables[k] for k in ("models", "exact"))
    models = models[models["experiment"] == EQUAL_IMPORTANCES]
    for colour, (density, rows) in zip(style.CATEGORIES, models.groupby("density", sort=False), strict=False):
        best = rows_at(exact, density=density).query("pair > 0")
        axes[0].plot(best["l1"], 2 * best["norm"] ** 2, color=colour, lw=1, ls=(0, (1, 1)), alpha=0.6)
        axes[0].plot(rows["l1"], rows["features_per_dimension"], ".-", color=colour, ms=4, label=f"{density:g}")
        represented = rows[rows["represented_features"] > 0]
        axes[1].plot(represented["l1"], represented["interference"], ".-", color=colour, ms=4)
        start = rows_at(rows, l1=0)["clean_loss"].iloc[0]
        axes[2].plot(rows["l1"], rows["clean_loss"] / start, ".-", color=colour, ms=4)
    axes[0].set_ylabel("features per dimension, $\\|W\\|_F^2/m$")
    axes[0].text(0.8, 1.75, "pairs, exactly", ha="right", va="bottom", fontsize=6, color="0.4")
    axes[0].legend(title="$1-S$", fontsize=6, title_fontsize=6)
    axes[1].set_ylabel("$\\sum_{i\\neq j}(W_i\\cdot W_j)^2\\,/\\,\\sum_i\\|W_i\\|^4$")
    axes[1].axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
    across = axes[1].get_yaxis_transform()
    axes[1].text(0.97, 1.05, "antipodal pairs", transform=across, ha="right", va="bottom", fontsize=6, color="0.4")
    axes[2].set(ylabel="clean loss over that without", yscale="log")
    style.plain_ticks(axes[2].yaxis, 1, 2, 5, 10)
    for ax in axes:
        ax.set_xlabel("coefficient of the penalty")


def _draw_remaining(ax: Axes, features: pd.DataFrame, m: int) -> AxesImage:
    """Draw the norms of the 3m most important features by coefficient.

    A step marks the exact coefficient above which a dedicated dimension no longer pays for the feature.
    """
    norms = features.pivot(index="feature", columns="l1", values="norm")
    image = ax.imshow(norms, cmap="Blues", vmin=0, vmax=1.2, aspect="auto", interpolation="nearest")
    thresholds = features.groupby("feature")["threshold"].first()
    coefficients = norms.columns.to_numpy()
    edge = (thresholds.to_numpy()[:, None] > coefficients).sum(0) - 0.5
    ax.step(np.arange(len(edge) + 1) - 0.5, [*edge, edge[-1]], where="post", color="k", lw=0.9)
    ax.axhline(m - 0.5, color="0.5", lw=0.6, ls=":")
    ax.set(xlabel="coefficient", ylim=(3 * m - 0.5, -0.5))
    every = np.arange(0, len(coefficients), 3)
    ax.set_xticks(every, [f"{coefficients[i]:g}" for i in every])
    return image


def sparse_autoencoder(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw how many features autoencoders recover by size and penalty; below, three ways to count the features."""
    models = tables["autoencoders"]
    fig, top, below = style.figure_in_rows(4.1, 1.0, 1.15)
    axes = top.subplots(1, models["density"].nunique(), sharey=True, squeeze=False)[0]
    for ax, (density, rows) in zip(axes[::-1], models.groupby("density"), strict=True):
        image = _draw_recovered(ax, rows)
        ax.set_title(f"{style.density_title(density)}\n{rows['features'].iloc[0]} features")
    axes[0].set_ylabel("penalty")
    style.colorbar(top, image, "share recovered", ax=axes, shrink=0.9)
    _draw_counts(below.subplots(1, 3), models)
    return fig


def _draw_recovered(ax: Axes, rows: pd.DataFrame) -> AxesImage:
    """Draw the share of the features that is recovered as a map, with their number in every cell."""
    counts = rows.pivot(index="penalty", columns="elements", values="recovered")
    share = counts / rows["features"].iloc[0]
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
    for (row, column), count in np.ndenumerate(counts.to_numpy()):
        colour = "w" if share.iloc[row, column] > 0.6 else "k"
        ax.text(column, row, f"{count}", fontsize=6, color=colour, **style.CENTRED)
    ax.set_xticks(range(counts.shape[1]), [f"{size}" for size in counts.columns])
    ax.set_yticks(range(counts.shape[0]), [f"{penalty:g}" for penalty in counts.index])
    ax.set_xlabel("elements")
    style.frame(ax)
    return image


def _draw_counts(axes: np.ndarray, models: pd.DataFrame) -> None:
    """Draw live elements, unexplained share and agreement by size, at the penalty that the agreement selects."""
    densest_first = most_agreed(models).sort_values("density", ascending=False)
    for colour, chosen in zip(style.CATEGORIES, densest_first.itertuples(), strict=False):
        rows = rows_at(models, density=chosen.density, penalty=chosen.penalty)
        label = f"{chosen.density:g}, {chosen.penalty:g}"
        for ax, column in zip(axes, ("live", "unexplained", "agreement"), strict=True):
            ax.plot(rows["elements"], rows[column], ".-", color=colour, ms=4, label=label)
            ax.axvline(rows["features"].iloc[0], color=colour, lw=0.6, ls=":", zorder=0)
    sizes = sorted(models["elements"].unique())
    axes[0].plot(sizes, sizes, color="0.6", lw=0.8, zorder=0)
    note = {"ha": "right", "va": "bottom", "fontsize": 6, "color": "0.4"}
    axes[0].text(0.75 * sizes[-1], 0.77 * sizes[-1], "none dead", rotation=38, **note)
    axes[0].set_ylabel("live elements")
    axes[1].set(ylabel="unexplained share of $\\|h\\|^2$", yscale="log")
    style.plain_ticks(axes[1].yaxis, 0.03, 0.1, 0.3)
    axes[2].set_ylabel("cosine to the next larger\ndictionary")
    axes[2].set_ylim(top=1.02)
    axes[0].legend(title="$1-S$, penalty", fontsize=6, title_fontsize=6)
    for ax in axes:
        ax.set_xlabel("elements (dotted: features)")

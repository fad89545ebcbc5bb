"""Draw the figures of correlated features: arrangements, local bases, and the collapse of pairs."""

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from superposition.analysis import alignment
from superposition.analysis.rows import gram_of, rows_at, weights_of
from superposition.paper.correlated import (
    ARRANGEMENTS,
    DISTRIBUTION_LABELS,
    LOCAL_BASES_DENSITY,
    MODELS_PER_ROW,
    PAPER_CROSSINGS,
    PAPER_PCA_ONSET,
    count_collapsed_pairs,
    nearest_density,
    pca_onset,
)
from superposition.plotting import style

# The axes around a model extend to this value in all directions.
AXIS_LIMIT = 1.4
# Colours of solutions with no, one, two or three collapsed pairs.
BRANCH_COLOURS = [plt.cm.viridis(value) for value in (0.0, 0.33, 0.62, 0.88)]


def _draw_model(ax: Axes, W: Float[np.ndarray, "2 n"]) -> None:
    """Draw the columns of W as lines from the origin, a colour per pair, and a ring around each collapsed pair."""
    for i, position in enumerate(W.T):
        colour = style.CATEGORIES[i // 2]
        ax.plot(*np.stack([np.zeros(2), position]).T, color=colour, lw=1)
        ax.scatter(*position, s=12, color=colour, zorder=3)
    for pair in range(W.shape[1] // 2):
        members = W[:, 2 * pair : 2 * pair + 2]
        if count_collapsed_pairs(members):
            ax.scatter(*members.mean(1), s=50, fc="none", ec=style.CATEGORIES[pair], lw=0.8, zorder=4)
    ax.set(xlim=(-AXIS_LIMIT, AXIS_LIMIT), ylim=(-AXIS_LIMIT, AXIS_LIMIT), aspect="equal")
    ax.set_axis_off()


def correlated_organization(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw a row per arrangement: models from the lowest to the highest loss, and the share that show it by density."""
    shares, models = tables["shares"], tables["models"]
    shape, widths = (len(ARRANGEMENTS), MODELS_PER_ROW + 1), [1] * MODELS_PER_ROW + [2.1]
    fig, axes = plt.subplots(*shape, figsize=(style.PAGE, 4.2), width_ratios=widths)
    for row_axes, arrangement in zip(axes, ARRANGEMENTS, strict=True):
        for number, ax in enumerate(row_axes[:-1]):
            model = models.query(f"arrangement == '{arrangement.name}' and model == {number}")
            if model.empty:
                ax.set_axis_off()
                continue
            _draw_model(ax, weights_of(model))
            if not model["stated"].iloc[0]:
                ax.text(0, -AXIS_LIMIT, "another kind", fontsize=6.5, color="0.4", ha="center", va="top")
        here = shares[shares["arrangement"] == arrangement.name]
        shown = here.loc[here["shown"], "density"].iloc[0]
        # The empty title reserves the space. A title wider than its axes would push the other axes away, so the text is
        # kept out of the layout.
        row_axes[0].set_title(" ")
        title = f"{arrangement.title}, $1-S={shown:.2g}$: lowest to highest loss"
        row_axes[0].text(0, 1.04, title, transform=row_axes[0].transAxes, in_layout=False)
        ax = row_axes[-1]
        for distribution, colour in ((arrangement.distribution, "k"), ("independent", "0.6")):
            rows = here[here["distribution"] == distribution]
            label = "independent" if distribution == "independent" else arrangement.title[2:]
            ax.plot(rows["density"], rows["stated"] / rows["restarts"], ".-", color=colour, ms=4, lw=0.9, label=label)
        ax.axvline(shown, color="0.7", lw=0.6)
        ax.set(xscale="log", ylim=(-0.03, 1.03), yticks=[0, 0.5, 1], title=f"share {arrangement.name}")
        ax.legend(loc="best", handlelength=1, fontsize=6.5)
    axes[-1, -1].set_xlabel("$1-S$")
    return fig


def local_bases(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW of the best model at one density for correlated sets and for independent features, and interference."""
    pairs, models = tables["pairs"], tables["models"]
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.4), width_ratios=[1, 1, 1.25])
    # What stands around a set lies above the frame of the matrix.
    box: dict[str, Any] = {"fill": False, "linewidth": 1.2, "edgecolor": "k", "clip_on": False, "zorder": 3}
    for ax, (distribution, title) in zip(axes, DISTRIBUTION_LABELS.items(), strict=False):
        density = nearest_density(pairs["density"], LOCAL_BASES_DENSITY)
        here = rows_at(pairs[pairs["distribution"] == distribution], density=density)
        gram = gram_of(here)
        image = style.signed_matrix(ax, gram)
        half = len(gram) // 2
        for corner in (0, half):
            ax.add_patch(plt.Rectangle((corner - 0.5,) * 2, half, half, **box))
        ax.set(title=title, xlabel=style.density_title(float(f"{density:.2g}")))
    style.colorbar(fig, image, r"$W_i\cdot W_j$", ax=axes[:2], location="left", shrink=0.8, ticks=[-1, 0, 1])
    for distribution, dash in zip(DISTRIBUTION_LABELS, ("-", ":"), strict=True):
        mean = models[models["distribution"] == distribution].groupby("density")[["within", "between"]].mean()
        for column, colour in zip(mean, style.CATEGORIES, strict=False):
            axes[2].plot(mean.index, mean[column], dash, marker=".", ms=4, color=colour, lw=0.9)
    lines = [plt.Line2D([], [], color=colour) for colour in style.CATEGORIES[:2]]
    lines += [plt.Line2D([], [], color="0.4", ls=dash) for dash in ("-", ":")]
    labels = ["within a set", "between sets", *DISTRIBUTION_LABELS.values()]
    axes[2].legend(lines, labels, loc="upper right", handlelength=1.5, fontsize=6.5)
    # The upper part of the axes is left to the legend.
    top = 1.9 * models[["within", "between"]].to_numpy().max()
    axes[2].set(xscale="log", xlabel="$1-S$", ylim=(-0.02 * top, top), title=r"mean $(W_i\cdot W_j)^2$, $i\neq j$")
    return fig


def collapse(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the best models by density, the regimes of ours and of the paper, and the excess loss of every branch.

    Beside them is what the optimum of a single pair in one dimension represents, by its correlation.
    """
    best, paths, crossings = tables["best"], tables["branches"], tables["crossings"].set_index("fewer")["density"]
    lowest = best["density"].min()
    chosen = [nearest_density(best["density"], density) for density in (0.02, 0.05, 0.1, 0.2, 0.3, 0.42, 0.55, 0.83)]
    fig, above, below = style.figure_in_rows(3.9, 1, 2.6)
    for ax, density in zip(above.subplots(1, len(chosen)), chosen, strict=True):
        _draw_model(ax, weights_of(rows_at(best, density=density)))
        ax.set_title(style.density_title(round(density, 3)), fontsize=7)
    losses, single = below.subfigures(1, 2, width_ratios=[3.2, 1])
    _draw_pair(single, tables["pair"])
    regimes, ax = losses.subplots(2, 1, sharex=True, height_ratios=[1, 3.2])
    paper = [(low * high) ** 0.5 for low, high in PAPER_CROSSINGS.values()]
    ours = [crossings.get(fewer, np.nan) for fewer in PAPER_CROSSINGS]
    for y, crossed_at in ((1, ours), (0, paper)):
        for count, (low, high) in enumerate(itertools.pairwise([lowest, *crossed_at, 1.0])):
            regimes.barh(y, high - low, left=low, color=BRANCH_COLOURS[count], height=0.75)
            behind = {"boxstyle": "circle,pad=0.2", "fc": BRANCH_COLOURS[count], "lw": 0}
            ink = "w" if count < 2 else "k"
            regimes.text((low * high) ** 0.5, y, str(count), color=ink, bbox=behind, **style.CENTRED)
    for y, onset in enumerate((PAPER_PCA_ONSET, pca_onset(tables))):
        regimes.barh(y, 1 - onset, left=onset, color="none", hatch="////", ec="0.3", height=0.75, lw=0)
    regimes.set_yticks([0, 1], ["the paper", "ours"])
    regimes.set_title("collapsed pairs (hatched: like principal components)")
    regimes.tick_params(axis="both", length=0)
    regimes.spines[:].set_visible(False)
    _draw_branches(ax, paths, marker=".", ms=3)
    pca = tables["pca"][tables["pca"]["point"].isin(paths["point"])]
    ax.plot(pca["density"], _excess(pca, paths), "--", color="0.4", lw=0.9, label="principal components")
    for crossing in crossings:
        ax.axvline(crossing, color="0.7", lw=0.6, zorder=0)
    ax.set_xlim(lowest, 1)
    ax.legend(title="collapsed pairs", loc="upper left", ncols=2)
    return fig


def _excess(losses: pd.DataFrame, branches: pd.DataFrame) -> pd.Series:
    """Return by how much losses exceed that of the best branch at their point, in percent."""
    return 100 * (losses["loss"] / losses["point"].map(branches.groupby("point")["loss"].min()) - 1)


def _draw_branches(ax: Axes, branches: pd.DataFrame, **options: Any) -> None:
    """Draw the excess loss of every branch by density."""
    for count, rows in branches.groupby("collapsed"):
        colour = BRANCH_COLOURS[count]
        ax.plot(rows["density"], _excess(rows, branches), lw=1, color=colour, label=f"{count}", **options)
    ax.set(xscale="log", ylim=(-0.5, 16), xlabel="$1-S$", ylabel="loss above the best, %")


def _draw_pair(fig: SubFigure, pair: pd.DataFrame) -> None:
    """Draw the share of (a - b)/√2 in the squared weights of a pair's optimum, by density and correlation."""
    share = pair.pivot(index="correlation", columns="density", values="difference")
    ax = fig.subplots()
    colours = ax.pcolormesh(share.columns, share.index, share, cmap="cividis", vmin=0, vmax=1, shading="nearest")
    ax.set(xscale="log", xlabel="$1-S$", ylabel="correlation of $a$ and $b$", title="a single pair")
    bar = style.colorbar(fig, colours, "", ax=ax, location="bottom", shrink=0.9, pad=0.05)
    bar.set_ticks([0, 0.5, 1], labels=["$a+b$", "one", "$a-b$"])


def animate_collapse(tables: dict[str, pd.DataFrame]) -> FuncAnimation:
    """Animate the best model as features become dense, beside the excess loss of every branch."""
    pairs = alignment.symmetric_orders((0, 1), (2, 3), (4, 5))
    models: dict[float, np.ndarray] = {}
    for density, model in tables["best"].groupby("density"):
        W = weights_of(model)
        # Rotations and the order of the pairs are free: what moves is what changes.
        models[density] = alignment.align(W, [*models.values()][-1], pairs) if models else W
    collapsed = tables["best"].groupby("density")["collapsed"].first()
    fig = style.moving_figure(4.4, 2.4)
    plane, ax = fig.add_axes((0.02, 0.02, 0.46, 0.86)), fig.add_axes((0.63, 0.2, 0.34, 0.68))
    title = fig.text(0.25, 0.93, "", fontsize=8, ha="center")
    _draw_branches(ax, tables["branches"])
    ax.set_xlim(min(models), 1)
    line = ax.axvline(1, color="0.2", lw=0.8)
    ax.legend(title="collapsed\npairs", loc=(0.27, 0.44))
    ax.tick_params(which="both", labelsize=6)
    ax.xaxis.set_major_formatter("{x:g}")

    def show(density: float) -> list:
        plane.clear()
        _draw_model(plane, models[density])
        title.set_text(f"1−S = {density:.3f}, collapsed pairs: {collapsed[density]}")
        line.set_xdata([density, density])
        return []

    return FuncAnimation(fig, show, frames=[*models])

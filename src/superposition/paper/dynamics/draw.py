"""Draw the figures and the animation of learning dynamics: D_i and loss, and the features along training."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure

from superposition.analysis.rows import weights_of
from superposition.paper.dynamics import DIMENSIONALITY_LEVELS, SMALL_INIT, XAVIER_INIT, loss_fall_at_jumps
from superposition.plotting import style, vectors

# The features of a set end at the same distance along the last of these axes, which are columns.
VIEW_AXES = np.array([[1, 1, 1], [-1, 1, 1], [0, -2, 1]]) / np.sqrt([2, 6, 3])


def energy_levels(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the D_i of all features of one model over training, its loss, and the test of their coincidence."""
    (model,) = tables["models"][tables["models"]["shown"]].itertuples()
    levels, jumps = tables["levels"], tables["jumps"].query(f"restart == {model.restart}")
    steps = levels["step"]
    fig, axes = plt.subplots(
        2, 2, figsize=(style.PAGE, 3.9), width_ratios=[3.2, 1], height_ratios=[1.6, 1], sharex="col"
    )
    for level in DIMENSIONALITY_LEVELS:
        axes[0, 0].axhline(level, color="0.85", lw=0.6, zorder=0)
    jumping = sorted(jumps["feature"].unique())
    for i in range(levels.shape[1] - 1):
        if i not in jumping:
            axes[0, 0].plot(steps, levels[f"d{i}"], color="0.6", lw=0.4)
    for i, colour in zip(jumping, itertools.cycle(style.CATEGORIES), strict=False):
        axes[0, 0].plot(steps, levels[f"d{i}"], color=colour, lw=1.2)
    axes[0, 0].set(ylabel="$D_i$", ylim=(-0.03, 1.03), title="every feature of one model")
    axes[0, 0].set_yticks(DIMENSIONALITY_LEVELS, ["0", "1/2", "1"])
    loss = tables["losses"][f"l{model.restart}"]
    end = loss.iloc[-max(1, len(loss) // 20) :]
    above = loss - end.mean()
    axes[1, 0].plot(steps, above.where((above > end.std(ddof=0)).cummin()), color="k", lw=1)
    axes[1, 0].set(yscale="log", xlabel="step", ylabel="loss above its end")
    settled = steps.iloc[min(model.settled, len(steps) - 1)]
    for ax in axes[:, 0]:
        ax.axvspan(0, settled, color="0.95", zorder=-1)
        for step in jumps["step"].unique():
            ax.axvline(step, color="0.5", lw=0.6, ls=":")
        ax.set_xlim(0, steps.iloc[-1])
    test = loss_fall_at_jumps(tables)
    nulls = {
        "at random moments": (test.at_random, "0.75"),
        "at any model's jumps": (test.of_others, style.CATEGORIES[0]),
    }
    for label, (null, colour) in nulls.items():
        if np.isfinite(test.share):
            bins = np.arange(0, 101, 2)
            axes[0, 1].hist(100 * null, bins, color=colour, alpha=0.8, orientation="horizontal", label=label)
    axes[0, 1].axhline(100 * test.share, color=style.CATEGORIES[3], lw=1.2, label="at the jumps")
    axes[0, 1].set(xticks=[], title="% of the loss's fall")
    axes[1, 1].legend(*axes[0, 1].get_legend_handles_labels(), loc="upper left")
    axes[1, 1].set_axis_off()
    return fig


def _draw_views(side: Axes, top: Axes, positions: pd.DataFrame) -> None:
    """Draw the features from the side and along the axis on which the sets end as two triangles, turned by 60°.

    They are lines from the origin, coloured by set, with the edges of the polytope that they end as.
    """
    W = weights_of(positions).T
    dot, norm = W @ W.T, np.linalg.norm(W, axis=1)
    edges = np.argwhere(np.triu(dot > -0.5 * np.outer(norm, norm), k=1))
    turned = W @ VIEW_AXES
    for ax, (places, nearness) in ((side, vectors.project(turned, 0.3)), (top, (turned[:, :2], turned[:, 2]))):
        within = [style.CATEGORIES[i // 3] if i // 3 == j // 3 else "0.6" for i, j in edges]
        ax.add_collection(LineCollection(list(places[edges]), colors=within, linewidths=0.5, zorder=0))
        for i in np.argsort(nearness):
            colour = style.CATEGORIES[i // 3]
            ax.plot(*np.stack([np.zeros(2), places[i]]).T, color=colour, lw=1.2)
            ax.scatter(*places[i], s=14, color=colour, zorder=2)
        ax.set(xlim=(-1.15, 1.15), ylim=(-1.05, 1.05), aspect="equal")
        ax.set_axis_off()


def geometric_learning(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the loss of one run with its regimes, two views and WᵀW on each plateau, and the paths of all runs."""
    curve, moments, runs = tables["curve"], tables["moments"], tables["runs"]
    fig, above, below, lowest = style.figure_in_rows(6.6, 1.15, 1.5, 0.75)
    ax, paths = above.subplots(1, 2, width_ratios=[1.7, 1])
    ax.plot(curve["step"], curve["loss"], color="k", lw=1.2)
    edges = [curve["step"].iloc[0], *tables["drops"]["step"], curve["step"].iloc[-1]]
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        ax.axvspan(low, high, color="0.93" if number % 2 else "0.98", zorder=-1, lw=0)
    marks = curve[curve["step"].isin(moments["step"])]
    ax.plot(marks["step"], marks["loss"], "o", color=style.CATEGORIES[3], ms=4)
    for letter, row in zip("ABCDEFGH", marks.itertuples(), strict=False):
        last = row.step == edges[-1]
        anchor, offset = ("right", -4) if last else ("left", 3)
        ax.annotate(letter, (row.step, row.loss), (offset, 4), textcoords="offset points", ha=anchor)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", xlim=(edges[0], edges[-1]), title="one run")
    style.plain_ticks(ax.yaxis, 0.01, 0.02, 0.05, 0.1, 0.2)
    shares = pd.crosstab(runs["path"], runs["experiment"], normalize="columns")[[SMALL_INIT, XAVIER_INIT]]
    top = shares.loc[shares.max(axis=1).sort_values(ascending=False, kind="stable").index[:7]].iloc[::-1]
    labels = {SMALL_INIT: ("small weights", style.CATEGORIES[2]), XAVIER_INIT: ("Xavier", style.CATEGORIES[5])}
    # Where only one of the two takes a path, its bar is in the middle.
    both = (top > 0).all(axis=1).to_numpy()
    for shift, (experiment, (label, colour)) in zip((0.2, -0.2), labels.items(), strict=True):
        paths.barh(np.arange(len(top)) + shift * both, 100 * top[experiment], 0.38, label=label, color=colour)
    paths.set_yticks(np.arange(len(top)), top.index, fontsize=6)
    paths.set(xlabel="% of runs")
    paths.set_title("features in dimensions:\nplateaus → end", loc="right")
    paths.legend(loc="lower right", fontsize=6.5)
    axes = below.subplots(2, moments["step"].nunique(), squeeze=False)
    for (side, top), letter, (step, positions) in zip(axes.T, "ABCDEFGH", moments.groupby("step"), strict=False):
        _draw_views(side, top, positions)
        side.set_title(f"{letter}: step {step}", fontsize=7, pad=0)
    for ax, view in zip(axes[:, 0], ("side", "top"), strict=True):
        ax.text(-0.15, 0.5, view, transform=ax.transAxes, rotation=90, ha="right", va="center")
    _draw_grams(lowest, moments)
    return fig


def _draw_grams(below: SubFigure, moments: pd.DataFrame) -> None:
    """Draw WᵀW at every moment; on the first plateau it is the projector on the two first principal components."""
    axes = below.subplots(1, moments["step"].nunique())
    for ax, (_, positions) in zip(axes, moments.groupby("step"), strict=True):
        W = weights_of(positions)
        image = style.signed_matrix(ax, W.T @ W)
        for (i, j), dot in np.ndenumerate(W.T @ W):
            ax.text(j, i, f"{dot:.1f}".replace("-0.0", "0.0"), fontsize=4.5, **style.CENTRED)
    plateaus = sorted(moments.loc[moments["moment"] == "plateau", "step"].unique())
    if plateaus:
        first = axes[sorted(moments["step"].unique()).index(plateaus[0])]
        first.set_xlabel("principal components:\n1/3 within a set, 0 between sets", fontsize=6.5)
    axes[0].set_ylabel(r"$W^\mathsf{T}W$")
    style.colorbar(below, image, r"$W_i\cdot W_j$", ax=axes.tolist(), shrink=0.8, ticks=[-1, 0, 1])


def animate_geometric_learning(tables: dict[str, pd.DataFrame]) -> FuncAnimation:
    """Animate the run that the figure shows."""
    frames, curve = tables["frames"], tables["curve"]
    fig = style.moving_figure(6.0, 2.2)
    title = fig.text(0.33, 0.93, "", fontsize=8, ha="center")
    side, top = (fig.add_axes((left, 0.02, 0.33, 0.88)) for left in (0, 0.33))
    ax = fig.add_axes((0.75, 0.2, 0.23, 0.68))
    ax.plot(curve["step"], curve["loss"], color="k", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    ax.tick_params(which="both", labelsize=6)
    for axis in (ax.xaxis, ax.yaxis):
        # Powers of ten would be typeset as formulas again in every frame.
        axis.set_major_formatter("{x:g}")
    (mark,) = ax.plot([], [], "o", color=style.CATEGORIES[3], ms=4)
    loss = curve.set_index("step")["loss"]

    def show(step: int) -> list:
        # Animations reset the figure to the default layout engine.
        side.clear()
        top.clear()
        _draw_views(side, top, frames[frames["step"] == step])
        title.set_text(f"step {step}")
        mark.set_data([step], [loss[step]])
        return []

    return FuncAnimation(fig, show, frames=sorted(map(int, frames["step"].unique())), interval=120)

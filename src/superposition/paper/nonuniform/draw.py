"""Draw the solutions in canonical orientation, at rest and in motion, and the losses of the two kinds of solutions."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure

from superposition.analysis.rows import rows_at, weights_of
from superposition.paper.nonuniform import PAPER_CROSSOVER
from superposition.plotting import style

# The kinds of solutions, with their colours.
KIND_COLOURS = {"pentagon": style.POLYTOPES["pentagon"], "two digons": style.POLYTOPES["digon"], "other": "0.6"}


def pentagon_solutions(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the columns of W in canonical orientation, with angles and norms, by relative density and by importance."""
    fig, above, below = style.figure_in_rows(3.9, 1, 1)
    _draw_solutions(above, tables["solutions"], "density")
    _draw_solutions(below, tables["importance"], "importance")
    return fig


def _draw_solutions(part: SubFigure, solutions: pd.DataFrame, varied: str) -> None:
    """Draw the solutions of both kinds, coloured by relative density or importance, and their angles and norms.

    Args:
        part: The row of the figure.
        solutions: The best solution at every ratio, one row per feature.
        varied: What the ratio is of, density or importance.
    """
    solutions = solutions.rename(columns={f"relative_{varied}": "ratio"})
    axes = part.subplots(1, 4, width_ratios=[1.2, 1.1, 1.05, 1.05])
    colours = LogNorm(solutions["ratio"].min(), solutions["ratio"].max())
    for ax, name, first in zip(axes, ("pentagon", "two digons"), (0, 1), strict=False):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6))
        rows = solutions[solutions["kind"] == name]
        for ratio, model in rows.groupby("ratio"):
            # The features are in the order of the corners; the first is repeated to close the outline.
            outline = weights_of(model)[:, [*range(first, 5), first]]
            ax.plot(*outline, color=plt.cm.plasma(colours(ratio)), lw=0.4)
        points = ax.scatter(rows["w0"], rows["w1"], c=rows["ratio"], cmap="plasma", norm=colours, s=9)
        zeroth = rows[rows["feature"] == 0]
        ax.scatter(zeroth["w0"].mean(), zeroth["w1"].mean(), fc="none", ec="0.2", lw=0.6, s=90)
        extent = 1.25 if name == "pentagon" else 1.1
        ax.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", title=name)
        ax.set_axis_off()
    label = f"relative {varied} of\nthe varied feature (○)"
    style.colorbar(part, points, label, ax=axes[:2], location="left", shrink=0.8, pad=0.0)
    best = solutions[solutions["feature"] == 0]
    pentagons = best[best["kind"] == "pentagon"]
    axes[2].plot(pentagons["ratio"], pentagons["angle"], ".-", color=KIND_COLOURS["pentagon"], ms=4, lw=0.8)
    axes[2].axhline(72, color="0.7", lw=0.6, ls=":")
    axes[2].set(title="angle to neighbours, °")
    places = {"norm_varied": "varied", "norm_near": "neighbours", "norm_far": "far ones"}
    for (column, place), colour in zip(places.items(), style.CATEGORIES, strict=False):
        axes[3].plot(best["ratio"], best[column], ".-", color=colour, ms=3, lw=0.8, label=place)
    axes[3].set(title=r"norms $\Vert W_i\Vert$", ylim=(-0.05, 1.25))
    axes[3].legend(loc="lower right", handlelength=1)
    for ax in axes[2:]:
        ax.set(xscale="log", xlabel=f"relative {varied}")
        ax.axvline(1, color="0.7", lw=0.6, ls=":")


def animate_pentagon_solutions(tables: dict[str, pd.DataFrame]) -> FuncAnimation:
    """Animate the best solution as the varied feature becomes sparser, beside the loss of every best solution."""
    solutions = tables["solutions"].sort_values(["relative_density", "feature"])
    best = solutions[solutions["feature"] == 0]
    fig = style.moving_figure(4.4, 2.4)
    plane, ax = fig.add_axes((0.02, 0.02, 0.46, 0.86)), fig.add_axes((0.63, 0.2, 0.34, 0.68))
    title = fig.text(0.25, 0.93, "", fontsize=8, ha="center")
    plane.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6))
    plane.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    plane.set_axis_off()
    # The feature that varies lies above the others, also where it is absent.
    arrows = [plane.plot([], [], "o-", lw=1.5, ms=4, markevery=[1], zorder=3 - (i > 0))[0] for i in range(5)]
    for kind, rows in best.groupby("kind"):
        ax.plot(rows["relative_density"], rows["loss"], ".", color=KIND_COLOURS[kind], ms=4, label=kind)
    (mark,) = ax.plot([], [], "o", mfc="none", mec="0.2", ms=7)
    ax.set(xscale="log", yscale="log", xlabel="relative density", ylabel="loss of the best solution")
    ax.set_yticks([0.005, 0.01, 0.02])
    ax.legend(loc="lower right")
    ax.tick_params(which="both", labelsize=6)
    for side in (ax.xaxis, ax.yaxis):
        # Powers of ten would be typeset as formulas again in every frame.
        side.set_major_formatter("{x:g}")
        side.set_minor_formatter("")

    def show(ratio: float) -> list:
        model = rows_at(solutions, relative_density=ratio)
        for arrow, row in zip(arrows, model.itertuples(), strict=True):
            arrow.set(data=([0, row.w0], [0, row.w1]), color=KIND_COLOURS[row.kind])
        arrows[0].set_markerfacecolor("k")
        title.set_text(f"relative density (black): {ratio:.2f}")
        mark.set_data([ratio], [model["loss"].iloc[0]])
        return []

    return FuncAnimation(fig, show, frames=sorted(solutions["relative_density"].unique(), reverse=True))


def pentagon_loss(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw all fits by kind with the exact branches, their crossing, and its dependence on the other densities."""
    fits, branches, crossovers = tables["fits"], tables["branches"], tables["crossovers"]
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.5), width_ratios=[2, 1.2, 1])
    density = fits["density"].iloc[0]

    def per_feature(table: pd.DataFrame) -> pd.Series:
        """Divide the loss by Σ_i (1-S_i), so that losses at different densities are of the same size."""
        return table["loss"] / (density * (4 + table["relative_density"]))

    for name in reversed(KIND_COLOURS):
        rows = fits[fits["kind"] == name]
        axes[0].scatter(rows["relative_density"], per_feature(rows), s=2, color=KIND_COLOURS[name], lw=0, alpha=0.6)
    _draw_branches(axes[0], branches, per_feature)
    axes[0].set(yscale="log", ylabel=r"loss / $\sum_i(1-S_i)$", title="every fit, and the two branches")
    style.plain_ticks(axes[0].yaxis, 0.02, 0.03, 0.05, 0.1)
    handles = [plt.Line2D([], [], color=c, marker=".", ls="-" * (k != "other")) for k, c in KIND_COLOURS.items()]
    axes[0].legend(handles, KIND_COLOURS, loc="lower right")
    _draw_branches(axes[1], branches, per_feature)
    near = branches[branches["relative_density"].between(0.18, 0.55)]
    values = per_feature(near)
    margin = 0.05 * np.ptp(values) + 1e-6
    axes[1].set(xlim=(0.18, 0.55), ylim=(values.min() - margin, values.max() + margin), title="where they cross")
    crossover = crossovers.loc[(crossovers["density"] - density).abs().idxmin(), "crossover"]
    for ax in axes[:2]:
        ax.set(xscale="log", xlabel="relative density of the varied feature" if ax is axes[0] else "relative density")
        ax.axvline(crossover, color="0.3", lw=0.6)
        ax.axvline(PAPER_CROSSOVER, color="0.3", lw=0.6, ls=":")
    style.plain_ticks(axes[1].xaxis, 0.2, 0.3, 0.4, 0.5)
    axes[2].plot(crossovers["density"], crossovers["crossover"], "k.-", lw=0.8, label="exact")
    axes[2].plot([density], [PAPER_CROSSOVER], "x", color="0.3", ms=5, label="the paper")
    axes[2].set(xscale="log", ylim=(0, None), xlabel="$1-S$ of the others", title="relative density there")
    axes[2].legend(loc="upper left", handlelength=1)
    return fig


def _draw_branches(ax: Axes, branches: pd.DataFrame, per_feature: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Draw the loss of each branch over the relative density."""
    for name, rows in branches.groupby("kind"):
        ax.plot(rows["relative_density"], per_feature(rows), color=KIND_COLOURS[name], lw=1)

"""Draw phase diagrams, and the loss over the two weights of the smallest model."""

import functools
import itertools
import textwrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from superposition.analysis.rows import rows_at
from superposition.paper.phase import PANELS, PHASES, prototype_boundary, triangle_digon_crossover
from superposition.plotting import style, vectors

PHASE_COLOURS = {"absent": "#ffffff", "superposition": style.CATEGORIES[1], "dedicated": style.CATEGORIES[0]}
DENSITY_TICKS = (0.1, 0.2, 0.5, 1)
LABELS = {"absent": "absent", "superposition": "in superposition", "dedicated": "a dedicated dimension"}


def phase_2in1(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the four phase diagrams, how often training reaches the optimum, and the transition at the optimum."""
    fig, above, below = style.figure_in_rows(5.8, 4.8, 1.0)
    axes = above.subplots(2, 3)
    grid, two_features = tables["grid"], "boundary" in tables
    maps = dict(zip(PANELS, (axes[0, 0], axes[0, 1], axes[1, 0], axes[1, 1]), strict=True))
    for panel, ax in maps.items():
        _draw_phases(ax, grid[grid["panel"] == panel])
        for x, y in prototype_boundaries(two_features):
            ax.plot(x, y, color="0.15", lw=0.9, ls="-" if panel == "prototypes" else "--")
        ax.set_title(PANELS[panel])
    for ax in axes[:, 0]:
        ax.set_ylabel("feature density $1-S$")
    if not two_features:
        _outline_triangles(maps["optimum"], grid[grid["panel"] == "optimum"])

    rows = grid[grid["panel"] == "trained"]
    _draw_map(axes[1, 2], rows, rows["best_basin"].to_numpy(), cmap="viridis", vmin=0, vmax=1)
    axes[1, 2].set_title("restarts that reach the optimum")
    share = "share, within 1 % of its loss"
    bar = style.colorbar(above, axes[1, 2].images[0], share, ax=axes[1, 2], ticks=[0, 1], pad=0.03)
    bar.ax.yaxis.labelpad = -4
    if two_features:
        _draw_norms(axes[0, 2], tables["norms"])
    else:
        _draw_equal_importance(axes[0, 2], tables["equal_importance"])
    line = plt.Line2D([], [], color="0.15", lw=0.9, ls="--", label="boundaries of the\nfixed configurations")
    maps["optimum"].legend(handles=[line], loc="lower left", frameon=True, framealpha=0.8)
    _draw_configurations(below, tables["configurations"])
    return fig


phase_3in2 = phase_2in1


def _outline_triangles(ax: Axes, optimum: pd.DataFrame) -> None:
    """Outline where all three features share both dimensions, if they do anywhere."""
    arrangements = optimum.pivot(index="density", columns="relative_importance", values="arrangement")
    inside = (arrangements == "triangle").astype(float)
    if inside.any(axis=None):
        ax.contour(np.log10(inside.columns), np.log10(inside.index), inside, [0.5], colors="black", linewidths=0.9)
        line = {"arrowstyle": "-", "lw": 0.5}
        ax.annotate(r"$W\perp[1,1,1]$", (0, -0.1), (0.25, -0.45), fontsize=7, color="white", arrowprops=line)


def _draw_configurations(fig: SubFigure, configurations: pd.DataFrame) -> None:
    """Draw the fixed configurations on the colours of their phases, the extra feature in black."""
    groups = configurations.groupby("configuration")
    axes = fig.subplots(1, len(groups), squeeze=False)[0]
    for ax, (_, features) in zip(axes, groups, strict=True):
        n, phase = len(features), features["phase"].iloc[0]
        # Features in one dimension are on a line of the plane.
        plane = features if "w1" in features else features.assign(w1=0.0)
        vectors.feature_arrows(ax, plane, ["0.5"] * (n - 1) + ["black"])
        left_out = ", ".join(features["left_out"].map("{:.0f}".format))
        label = rf"$W\perp[{left_out}]$:" + "\n" + textwrap.fill(LABELS[phase], 14)
        ax.text(2.4, 0, label, va="center", fontsize=7, in_layout=False)
        ax.set(xticks=[], yticks=[], xlim=(-2.1, 2.1), ylim=(-2.1, 2.1), anchor="W")
        ax.set_facecolor(to_rgba(PHASE_COLOURS[phase], 0.4))
        style.frame(ax)


def _draw_phases(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw one phase diagram: the colours of the phases, mixed where a model has several or models differ."""
    _draw_map(ax, rows, rows[list(PHASES)].to_numpy() @ [to_rgb(PHASE_COLOURS[phase]) for phase in PHASES])


def _draw_map(ax: Axes, rows: pd.DataFrame, values: np.ndarray, **options: Any) -> None:
    """Draw values over the logarithms of relative importance and density, one pixel per point of the grid.

    Args:
        ax: Axes to draw on.
        rows: Coordinates of the points, in any order.
        values: Numbers or RGB colours of the points, [point] or [point, 3].
        options: Options of ``Axes.imshow``.
    """
    density, ratio = (np.sort(rows[name].unique()) for name in ("density", "relative_importance"))
    order = np.lexsort((rows["relative_importance"], rows["density"]))
    x, y = np.log10(ratio), np.log10(density)
    dx, dy = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    image = values[order].reshape(len(y), len(x), *values.shape[1:])
    extent = (x[0] - dx, x[-1] + dx, y[0] - dy, y[-1] + dy)
    ax.imshow(image, origin="lower", extent=extent, aspect="auto", **options)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    ax.set_xticks([-1, 0, 1], ["0.1", "1", "10"])
    ax.set_yticks([-2, -1, 0], ["0.01", "0.1", "1"])
    ax.set_xlabel("relative importance $r$")
    style.frame(ax)


def prototype_boundaries(two_features: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the boundaries between the phases of the fixed configurations, in base-10 logarithms of r and p."""
    low, high = np.linspace(-1.1, 0, 60), np.linspace(0, 1.1, 60)
    absent_shared = (low, np.log10(prototype_boundary(10**low)))
    if two_features:
        # The two features change places at r = 1.
        dedicated_shared = (high, np.log10(prototype_boundary(10**-high)))
        return [absent_shared, dedicated_shared, (np.zeros(2), np.array([dedicated_shared[1][0], 0.1]))]
    return [absent_shared, (np.zeros(2), np.array([-2.1, 0.1]))]


def _draw_norms(ax: Axes, norms: pd.DataFrame) -> None:
    """Draw ‖W_2‖ of the optimum over the density, one curve per relative importance."""
    ratios = sorted(norms["relative_importance"].unique())
    for ratio, colour in zip(ratios, plt.cm.viridis(np.linspace(0, 0.9, len(ratios))), strict=True):
        rows = rows_at(norms, relative_importance=ratio)
        ax.plot(rows["density"], rows["norm"], color=colour, lw=1, label=f"{ratio:g}")
    ax.set(xscale="log", xlabel="feature density $1-S$", ylabel=r"$\Vert W_2\Vert$ of the optimum", xlim=(0.08, 1))
    style.plain_ticks(ax.xaxis, *DENSITY_TICKS)
    ax.set_title("where superposition sets in")
    ax.legend(title="$r$", loc="lower left", handlelength=1, title_fontsize=7)


def _draw_equal_importance(ax: Axes, losses: pd.DataFrame) -> None:
    """Draw the losses of triangle and digon for three equal features, relative to that with one absent."""
    for kind, label in (("triangle", r"$W\perp[1,1,1]$"), ("digon", "a digon")):
        ax.plot(losses["density"], losses[kind] / losses["dropped"], label=label)
    crossover = triangle_digon_crossover(losses)
    ax.axvline(crossover, color="0.4", lw=0.7, ls=":")
    ax.text(crossover * 1.04, 0.1, f"$1-S = {crossover:.3f}$", fontsize=7)
    ax.axhline(1, color="0.6", lw=0.7, zorder=0)
    ax.set(xscale="log", xlabel="feature density $1-S$", ylabel="loss / loss with one absent", xlim=(0.1, 1))
    ax.set_ylim(0, 1.25)
    style.plain_ticks(ax.xaxis, *DENSITY_TICKS)
    ax.set_title("equal importance, $r = 1$")
    ax.legend(loc="upper left")


def phase_kinks(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the derivatives of the theoretical model's optimal loss along lines that cross its boundaries."""
    fig, axes = plt.subplots(2, 2, figsize=(style.PAGE, 3.6), sharex="col", sharey="col")
    names = {"p": ("feature density $1-S$", "(1-S)", "r"), "r": ("relative importance $r$", "r", "1-S")}
    for (features, row), (variable, column) in itertools.product(((2, 0), (3, 1)), (("p", 0), ("r", 1))):
        ax = axes[row, column]
        lines = tables["slopes"].query(f"features == {features} and variable == '{variable}'").groupby("fixed")
        for (fixed, line), colour in zip(lines, plt.cm.viridis(np.linspace(0, 0.85, len(lines))), strict=True):
            ax.plot(line["value"], line["slope"], color=colour, lw=1, label=f"${names[variable][2]} = {fixed:g}$")
        slope = rf"$\partial L\,/\,\partial {names[variable][1]}$"
        ax.set(xscale="log", ylabel=slope, xlim=(0.1, 1 if variable == "p" else 10))
        ax.set_title(f"{features} features in {'one dimension' if features == 2 else 'two dimensions'}")
        if row:
            ax.legend(handlelength=1)
    style.plain_ticks(axes[1, 0].xaxis, *DENSITY_TICKS)
    style.plain_ticks(axes[1, 1].xaxis, 0.1, 1, 10)
    for ax, (name, *_) in zip(axes[1], names.values(), strict=True):
        ax.set_xlabel(name)
    return fig


def phase_activations(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw one phase diagram for each activation function."""
    panels = tables["grid"].groupby("activation", sort=False)
    fig, axes = plt.subplots(1, len(panels), figsize=(style.PAGE, 2.2), sharey=True)
    for ax, (name, rows) in zip(axes, panels, strict=True):
        _draw_phases(ax, rows)
        ax.set_title(name)
    axes[0].set_ylabel("feature density $1-S$")
    handles = [Rectangle((0, 0), 1, 1, fc=PHASE_COLOURS[p], ec="0.4", lw=0.5, label=LABELS[p]) for p in PHASES]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig


def loss_surfaces(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw contours of the loss over (W_1, W_2): without a bias (top) and with the best bias for each W (bottom)."""
    settings = tables["surface"][["relative_importance", "density", "point"]].drop_duplicates()
    settings = settings.sort_values(["relative_importance", "density"], ascending=[True, False])
    fig, axes = plt.subplots(2, len(settings), figsize=(style.PAGE, 3.75), sharex=True, sharey=True, squeeze=False)
    levels = np.geomspace(0.03, 1.6, 17)
    extent = tables["surface"]["w0"].max().round(6)
    for column, (r, p, point) in enumerate(settings.itertuples(index=False)):
        here = f"point == {point}"
        surface, ends = (tables[name].query(here) for name in ("surface", "trained"))
        zero_output_loss = p / 3 * (1 + r)
        for bias, ax in zip((False, True), axes[:, column], strict=True):
            square = surface.pivot(index="w1", columns="w0", values="best_bias" if bias else "no_bias")
            square = square / zero_output_loss
            grid = (square.columns, square.index, square, levels)
            filled = ax.contourf(*grid, cmap="viridis_r", norm="log", extend="max")
            ax.contour(*grid, colors="white", linewidths=0.3)
            if bias:
                for sign in (1, -1):
                    ax.scatter(sign * ends["w0"], sign * ends["w1"], s=5, color="white", ec="0.3", lw=0.4, zorder=4)
            minima = tables["minima"].query(f"{here} and bias == {bias}")
            lowest = minima["loss"] <= minima["loss"].min() * (1 + 1e-6)
            marks = ((minima[lowest], "*", 45), (minima[~lowest], "X", 28))
            for sign, (rows, marker, size) in itertools.product((1, -1), marks):
                colours = {"color": style.CATEGORIES[1], "ec": "black", "lw": 0.5}
                ax.scatter(sign * rows["w0"], sign * rows["w1"], marker=marker, s=size, zorder=3, **colours)
            ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlim=(-extent, extent))
        axes[0, column].set_title(f"$1-S = {p:g}$\n$r = {r:g}$")
        axes[1, column].set_xlabel("$W_1$")
    axes[0, 0].set_ylabel("no bias\n$W_2$")
    axes[1, 0].set_ylabel("best bias\n$W_2$")
    mark, colour = functools.partial(plt.Line2D, [], [], ls="", mew=0.5), style.CATEGORIES[1]
    handles = [
        mark(marker="*", color=colour, mec="black", ms=6, label="lowest minimum"),
        mark(marker="X", color=colour, mec="black", ms=6, label="other minimum"),
        mark(marker="o", color="white", mec="0.3", ms=4, label="trained"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    placed = {"ax": axes, "ticks": [0.03, 0.1, 0.3, 1], "format": "{x:g}", "pad": 0.015, "aspect": 30}
    style.colorbar(fig, filled, "loss / loss of an output of 0", **placed).minorticks_off()
    return fig

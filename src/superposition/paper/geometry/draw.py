"""Draw D* and D_i by sparsity, factors as graphs, and polytopes with the gain per dimension."""

from fractions import Fraction
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure

from superposition.analysis import alignment
from superposition.paper.geometry import (
    GALLERY,
    LARGE_SWEEP,
    LINE_HALF_WIDTH,
    REPLICATED_SWEEP,
    SWEEPS_BY_M,
    SWEEPS_BY_N,
    SWEEPS_BY_STEPS,
    graphs,
    mean_distances,
    polytope_sizes,
    products,
)
from superposition.plotting import panels, style, vectors
from superposition.theory.polytopes import product_name

# The colour of the best known models.
BEST_KNOWN = "black"


# Large models


def dimensions_per_feature(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw D* by sparsity, trained and best known, D* of other sizes, and losses relative to ours."""
    fig, axes = plt.subplot_mosaic(
        [["curve", "sizes"], ["curve", "loss"]], figsize=(style.PAGE, 3.7), width_ratios=[1.6, 1]
    )
    curves, known = (
        tables[name].assign(sparsity=1 / tables[name]["density"]).sort_values("sparsity") for name in ("curves", "best")
    )
    _draw_curve(axes["curve"], curves, known, tables["optimum"])
    _draw_sizes(axes["sizes"], curves, known)
    _draw_convergence(axes["loss"], tables["convergence"])
    return fig


def _draw_curve(ax: Axes, curves: pd.DataFrame, known: pd.DataFrame, product: pd.DataFrame) -> None:
    """Draw D* of n = 400, trained and best known, the range of the replicates of n = 200, and the best product."""
    ours, replicated = style.CATEGORIES[:2]
    for level in (1, 0.5):
        ax.axhspan(level * 0.95, level * 1.05, color="0.92", lw=0)
        ax.axhline(level, color="0.6", lw=0.5)
    replicates = curves[curves["experiment"] == REPLICATED_SWEEP]
    extremes = replicates.groupby("sparsity")["dimensions_per_feature"].agg(["min", "max"])
    ax.fill_between(extremes.index, extremes["min"], extremes["max"], color=replicated, alpha=0.5, lw=0)
    large, best = (table[table["experiment"] == LARGE_SWEEP] for table in (curves, known))
    ax.plot(1 / product["density"], product["dimensions_per_feature"], color="0.3", lw=0.9, ls="--")
    ax.plot(best["sparsity"], best["dimensions_per_feature"], color=BEST_KNOWN, lw=1.2)
    ax.plot(large["sparsity"], large["dimensions_per_feature"], ".-", color=ours, ms=3.5, lw=0.8)
    runs = replicates["seed"].nunique()
    handles = {
        "$n=400$, $m=30$, trained": plt.Line2D([], [], color=ours, marker=".", lw=0.8),
        "$n=400$, $m=30$, best known": plt.Line2D([], [], color=BEST_KNOWN, lw=1.2),
        f"$n=200$, $m=20$: range of {runs} runs": plt.Rectangle((0, 0), 1, 1, fc=replicated, alpha=0.5),
        "best product of polytopes\nin up to 3 dimensions": plt.Line2D([], [], color="0.3", lw=0.9, ls="--"),
        r"$\pm 5\,\%$ of 1 and of $1/2$": plt.Rectangle((0, 0), 1, 1, fc="0.92"),
    }
    ax.legend([*handles.values()], [*handles], loc="upper right", bbox_to_anchor=(1, 0.87))
    style.sparsity_axis(ax, xlim=(1, 100), ylim=(0, 1.08), yticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_ylabel(r"dimensions per feature $D^*=m/\Vert W\Vert_F^2$")


def _draw_sizes(ax: Axes, curves: pd.DataFrame, known: pd.DataFrame) -> None:
    """Draw D* by n and m at the densities that all have: markers for trained models, lines for the best known."""
    sizes = [*SWEEPS_BY_N, *SWEEPS_BY_M[1:]]
    common = curves[curves["experiment"] == sizes[0]]["position"]
    curves, known = (table[table["position"].isin(common)].groupby("experiment") for table in (curves, known))
    for name, marker, colour in zip(sizes, "v.^os", style.CATEGORIES, strict=False):
        rows, best = curves.get_group(name), known.get_group(name)
        ax.plot(best.groupby("sparsity")["dimensions_per_feature"].mean(), color=colour, lw=0.7)
        mean, label = rows.groupby("sparsity")["dimensions_per_feature"].mean(), "{n}, {m}".format_map(rows.iloc[0])
        ax.plot(mean, marker, color=colour, ms=3, mfc="none", label=label)
    style.sparsity_axis(ax, yscale="log", xlim=(0.9, 110), ylabel="$D^*$", title="markers: trained; lines: best known")
    ax.set(yticks=[0.1, 0.3, 1], yticklabels=["0.1", "0.3", "1"])
    ax.minorticks_off()
    ax.legend(title="$n$, $m$", title_fontsize=7, handlelength=1.2, labelspacing=0.2)


def _draw_convergence(ax: Axes, convergence: pd.DataFrame) -> None:
    """Draw losses after twice the steps, with the authors' training configuration, and best known, relative to ours."""
    ax.axhline(0, color="0.6", lw=0.5)
    for name, label, marker, colour in (
        ("longer", "twice the steps", "o", style.CATEGORIES[2]),
        ("notebook", "authors' notebook", "s", style.CATEGORIES[3]),
        ("known", "best known", ".", BEST_KNOWN),
    ):
        rows = convergence[convergence["compared"] == name]
        ax.plot(1 / rows["density"], 100 * rows["relative"], marker, color=colour, ms=3.5, label=label)
    ax.set_yscale("symlog", linthresh=1)
    style.sparsity_axis(ax, xlim=(0.9, 110), ylim=(-5, 100), ylabel="loss against ours, %")
    ax.set(yticks=[-1, 0, 1, 10, 100], yticklabels=["−1", "0", "1", "10", "100"])
    ax.minorticks_off()
    ax.legend()


def feature_dimensionality(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw D_i of every feature, trained and best known, their distributions, and the graphs of some trained models."""
    drawn = tables["edges"][["density", "point"]].drop_duplicates().sort_values("density", ascending=False)
    fig, top, bottom = style.figure_in_rows(8.0, 3.4, 1)
    axes = top.subplots(2, 2, width_ratios=[4, 1], sharex="col", sharey=True)
    large = tables["features"][tables["features"]["experiment"] == LARGE_SWEEP]
    for (scatter, side), (kind, prefix) in zip(axes, (("trained", ""), ("best known", "best_")), strict=True):
        panels.fraction_lines(scatter, side)
        features, curve = tables[f"{prefix}features"], tables[f"{prefix}curve"]
        _draw_points(scatter, features[features["experiment"] == LARGE_SWEEP], curve, tables["optimum"])
        _draw_distribution(side, features)
        scatter.set_title(f"{kind} models, $n=400$, $m=30$", loc="left")
    for ax in axes[0]:
        ax.set_xlabel("")
    graph_axes = bottom.subplots(1, max(1, len(drawn)), squeeze=False)[0]
    for ax, model in zip(graph_axes, drawn.itertuples(), strict=False):
        nodes = large[(large["point"] == model.point) & (large["factor"] >= 0)]
        graphs.draw_factors(ax, nodes, tables["edges"][tables["edges"]["point"] == model.point])
        ax.set_title(f"$1/(1-S) = {1 / model.density:.3g}$\n{len(nodes)} features")
        ax.set_anchor("N")
    for ax in graph_axes:
        ax.set_axis_off()
    return fig


def _draw_points(ax: Axes, features: pd.DataFrame, curve: pd.DataFrame, optimum: pd.DataFrame) -> None:
    """Draw D_i of every feature by sparsity, coloured by the polytope of its factor, and D* beside that of products."""
    kind = features["polytope"].where(features["polytope"].isin([*style.POLYTOPES]), "other")
    for name, rows in features.groupby(kind, sort=False):
        colour = style.POLYTOPES[name]
        ax.scatter(1 / rows["density"], rows["dimensionality"], s=5, color=colour, lw=0, rasterized=True)
    curve = curve[curve["experiment"] == LARGE_SWEEP]
    (line,) = ax.plot(1 / curve["density"], curve["dimensions_per_feature"], color="black", lw=0.7, label="$D^*$")
    (product,) = ax.plot(1 / optimum["density"], optimum["dimensions_per_feature"], color="0.3", lw=0.9, ls="--")
    product.set_label("$D^*$ of the best product")
    handles = [
        plt.Line2D([], [], marker="o", ls="", ms=3.5, color=colour, label=name)
        for name, colour in style.POLYTOPES.items()
        if (kind == name).any()
    ]
    ax.legend(handles=[*handles, line, product], ncols=2, loc="upper right")
    style.sparsity_axis(ax, xlim=(0.95, 105), ylim=(-0.02, 1.03), ylabel="dimensionality $D_i$")


def _draw_distribution(ax: Axes, features: pd.DataFrame) -> None:
    """Draw the distribution of D_i of the represented features over all densities."""
    bins = np.arange(0, 1 + LINE_HALF_WIDTH, 2 * LINE_HALF_WIDTH).tolist()
    options: dict[str, Any] = {"orientation": "horizontal", "histtype": "step", "lw": 0.7, "density": True}
    for experiment, colour in ((LARGE_SWEEP, style.CATEGORIES[0]), (REPLICATED_SWEEP, style.CATEGORIES[1])):
        rows = features[features["experiment"] == experiment]
        label = f"$n={rows['feature'].max() + 1}$"
        ax.hist(rows.loc[rows["factor"] >= 0, "dimensionality"], bins=bins, color=colour, label=label, **options)
    ax.set(xscale="log", xlabel="density of $D_i$")
    ax.legend(loc="upper right")


# Small models, in two and three dimensions


@style.with_solids
def polytopes(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw exact polytopes above trained ones, their factors, the gain per dimension of each, and the best products."""
    fig, gallery, apart, middle, bottom = style.figure_in_rows(8.0, 2.3, 0.9, 2.1, 2.7)
    sizes = polytope_sizes(tables["optima"])
    for place, (n, m, factors) in enumerate(GALLERY, start=1):
        name, columns = product_name(factors), [f"w{k}" for k in range(m)]
        corners = tables["corners"].query(f"n == {n} and m == {m}")[columns].to_numpy(copy=True).T
        fractions = sorted({str(Fraction(*map(int, sizes.loc[f]))) for f in factors})
        space = {"projection": "3d"} if m == 3 else {}
        upper, lower = (gallery.add_subplot(2, len(GALLERY), row * len(GALLERY) + place, **space) for row in (0, 1))
        vectors.draw_polytope(upper, corners, colour="0.3")
        upper.set_title(f"{name.replace(' ', chr(10), 1)}\n$D$ = {', '.join(fractions)}", fontsize=6.5, pad=2)
        if (features := _most_regular(tables, n, m, name)).empty:
            lower.set_axis_off()
            lower.set_title("none trained", fontsize=6.5, pad=2)
            continue
        W = features[columns].to_numpy(copy=True).T
        vectors.draw_polytope(lower, alignment.align(W, corners), colour=style.CATEGORIES[0])
        lower.set_title(f"$1-S={features['density'].iloc[0]:.2g}$", fontsize=6.5, pad=2)
    _draw_factors(apart, tables)
    products.draw_gains(middle, tables)
    products.draw_best(bottom, tables["best_models"], sizes["features"])
    return fig


def _most_regular(tables: dict[str, pd.DataFrame], n: int, m: int, product: str) -> pd.DataFrame:
    """Return the features of the trained model that forms a product with the smallest residual, or none."""
    models = tables["models"].query(f"n == {n} and m == {m} and trained == '{product}'").nsmallest(1, "residual")
    return tables["features"].query(f"n == {n} and m == {m}").merge(models[["point"]])


def _draw_factors(fig: SubFigure, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the trained products of the gallery taken apart, each factor in the plane or on the line that it spans."""
    shown = [(n, m, product_name(factors), factors) for n, m, factors in GALLERY if len(factors) > 1]
    for ax, (n, m, name, factors) in zip(fig.subplots(1, len(shown)), shown, strict=True):
        ax.set_title(f"{name} =\n" + r" $\oplus$ ".join(factors), fontsize=6.5, pad=2)
        if (features := _most_regular(tables, n, m, name)).empty:
            ax.text(0.5, 0.5, "none trained", transform=ax.transAxes, **style.CENTRED, fontsize=6.5)
        for place, (_, factor) in enumerate(sorted(features.groupby("factor"), key=lambda item: -len(item[1]))):
            W = factor[[f"w{k}" for k in range(m)]].to_numpy().T
            axes, sizes, _ = np.linalg.svd(W, full_matrices=False)
            flat = (axes.T @ W)[sizes > 0.1 * sizes[0]]
            # As complex numbers, turned so that the first corner is at the top.
            plane = np.array([1, 1j])[: len(flat)] @ flat
            plane *= 1j * np.abs(plane[0]) / plane[0]
            corners = np.stack([plane.real + 3.2 * place, plane.imag])
            colour = style.POLYTOPES[factor["polytope"].iloc[0]]
            edges = vectors.hull_edges(corners.T) if len(flat) == 2 else [(0, 1)]
            ax.add_collection(LineCollection([corners.T[list(edge)] for edge in edges], colors=colour, lw=0.9))
            ax.scatter(*corners, s=8, color=colour)
            if place:
                ax.text(3.2 * place - 1.6, 0, r"$\oplus$", **style.CENTRED)
        ax.set(xlim=(-1.6, 3.2 * len(factors) - 1.6), ylim=(-1.4, 1.4), aspect="equal")
        ax.set_axis_off()


def animate_polytopes(tables: dict[str, pd.DataFrame]) -> FuncAnimation:
    """Animate the solids of the gallery, which turn once: exact ones in grey above the trained models."""
    solids = []
    for n, m, factors in (entry for entry in GALLERY if entry[1] == 3):
        name, columns = product_name(factors), ["w0", "w1", "w2"]
        corners = tables["corners"].query(f"n == {n} and m == {m}")[columns].to_numpy(copy=True).T
        if not (features := _most_regular(tables, n, m, name)).empty:
            solids.append((name, corners, alignment.align(features[columns].to_numpy(copy=True).T, corners)))
    fig = style.moving_figure(5.4, 2.08)
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-1.3, 2.6 * len(solids) - 1.1), ylim=(-4.1, 1.8), aspect="equal")
    ax.set_axis_off()
    parts = []
    for column, (name, exact, trained) in enumerate(solids):
        ax.text(2.6 * column, 1.35, name.replace(" ", "\n", 1), **style.CENTRED, fontsize=7)
        for row, (W, colour) in enumerate(((exact, "0.3"), (trained, style.CATEGORIES[0]))):
            ax.add_collection(lines := LineCollection([], colors=colour, capstyle="round"))
            points = ax.scatter([], [], s=8, color=colour, zorder=2)
            parts.append((W.T, np.array(vectors.hull_edges(W.T)), np.array([2.6 * column, -2.6 * row]), lines, points))

    def show(angle: float) -> list:
        for corners, edges, centre, lines, points in parts:
            places, nearness = vectors.project(corners, angle)
            places += centre
            points.set_offsets(places)
            lines.set_segments(list(places[edges]))
            # Edges at the back are fainter.
            near = nearness[edges].mean(axis=1) > -0.05
            lines.set(alpha=np.where(near, 1, 0.35), linewidths=np.where(near, 1, 0.5))
        return []

    return FuncAnimation(fig, show, frames=np.linspace(0, 2 * np.pi, 30, endpoint=False).tolist())


# The aside


def direction_left_out(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the aside's table of polytopes, the direction that is best left out, and what another one costs."""
    fig, above, below = style.figure_in_rows(5.0, 2.7, 2.3)
    _draw_examples(above, tables["examples"])
    best, cost = below.subplots(1, 2)
    optima, changes = tables["optima"], tables["changes"].set_index("n")["density"]
    sparsity = 1 / optima["density"]
    for k, (size, width) in enumerate({"largest": 2.5, "second": 0.8, "smallest": 0.8}.items()):
        colour, label = style.CATEGORIES[k], f"{size} component"
        best.plot(sparsity, optima[f"v{k}"], ".-", color=colour, ms=3.5, lw=width, label=label)
    best.axvline(1 / changes[3], color="0.7", lw=0.6)
    best.set_yticks([0, 3**-0.5, 0.5**0.5], ["0", r"$1/\sqrt{3}$", r"$1/\sqrt{2}$"])
    best.set(ylim=(-0.1, 0.85), ylabel="direction left out, $|v_i|$", title="the best $W$, $n=3$, $m=2$")
    best.legend(loc="center right")
    for (n, rows), colour in zip(tables["strategies"].groupby("n"), style.CATEGORIES[3:], strict=False):
        excess = 100 * (rows["simplex_loss"] / rows["digon_loss"] - 1)
        cost.plot(1 / rows["density"], excess, ".-", color=colour, ms=3.5, lw=0.8, label=f"$n={n}$")
        cost.plot(1 / changes[n], 0, "o", color=colour, ms=4, mfc="white")
    cost.axhline(0, color="0.7", lw=0.6)
    cost.set(ylabel="excess, %", title=r"loss of $W\perp(1,1,1,…)$ over that of $W\perp(1,1,0,…)$")
    cost.legend(loc="lower right")
    for ax in (best, cost):
        style.sparsity_axis(ax, xlim=(0.95, 105))
    return fig


def _draw_examples(fig: SubFigure, examples: pd.DataFrame) -> None:
    """Draw polytopes as columns of W, as the graph and the matrix of WᵀW, and as the directions left out."""
    polytopes = examples.groupby("polytope", sort=False)
    axes = fig.subplots(len(polytopes), 4, width_ratios=[1, 1, 1, 1.2])
    titles = ("columns of $W$", r"$W^\mathsf{T}W$ as a graph", r"$W^\mathsf{T}W$ as a matrix", "not represented")
    for (arrows, graph, matrix, text), (name, features) in zip(axes, polytopes, strict=True):
        W = features[["w0", "w1"]].to_numpy()
        gram, colours = W @ W.T, style.CATEGORIES[: len(W)]
        vectors.feature_arrows(arrows, features, colours, reach=1.6)
        arrows.set_ylabel(f"{name}, $n={len(W)}$", visible=True)
        arrows.set(xticks=[], yticks=[])
        arrows.spines[:].set_visible(False)
        for i, j in np.argwhere(np.triu(np.abs(gram) > 1e-9, k=1)):
            colour = style.signed()(0.5 + 0.5 * gram[i, j])
            graph.plot(*W[[i, j]].T, color=colour, lw=3 * abs(gram[i, j]), zorder=0)
            # Off the middle, where the edges of the square cross.
            at, dot = 0.7 * W[i] + 0.3 * W[j], str(Fraction(gram[i, j]).limit_denominator(9))
            graph.text(*at, dot, fontsize=7, bbox={"fc": "white", "ec": "none", "pad": 0.6}, **style.CENTRED)
        graph.scatter(*W.T, s=18, color=colours, ec="0.2", lw=0.5)
        graph.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
        graph.set_axis_off()
        style.signed_matrix(matrix, gram)
        for (i, j), dot in np.ndenumerate(gram):
            matrix.text(j, i, str(Fraction(dot).limit_denominator(9)), **style.CENTRED, fontsize=6)
        left_out = features["leaves_out"].iloc[0].replace("), (", ")\n(").replace("(", r"$W\perp$ (")
        text.text(0.5, 0.5, left_out, **style.CENTRED)
        text.set_axis_off()
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)


# How sharp the lines of D_i are


def line_sharpness(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the D_i of models that differ in steps or in n; below, their mean distance to the nearest line."""
    features = tables["features"]
    fig, top, below = style.figure_in_rows(4.9, 1.4, 1.0)
    axes = top.subplots(1, 4, sharex=True, sharey=True)
    shown = (*SWEEPS_BY_STEPS[0], SWEEPS_BY_N[0], SWEEPS_BY_N[-1])
    for ax, name in zip(axes, shown, strict=True):
        rows = features[(features["experiment"] == name) & (features["seed"] == 0)]
        ax.scatter(1 / rows["density"], rows["dimensionality"], s=5, lw=0, alpha=0.4, color=style.CATEGORIES[0])
        style.sparsity_axis(ax, title=_size_and_steps(rows))
    panels.fraction_lines(*axes)
    axes[0].set(ylabel="$D_i$ of represented features", ylim=(-0.02, 1.02))
    left, right = below.subplots(1, 2, sharey=True)
    distances = mean_distances(features).groupby("density").mean()
    for pair, colour in zip(SWEEPS_BY_STEPS, style.CATEGORIES, strict=False):
        for name, line in zip(pair, (":", "-"), strict=True):
            label = _size_and_steps(features[features["experiment"] == name]).replace("\n", ", ")
            curve = distances[name].dropna()
            left.plot(1 / curve.index, curve, line, marker=".", ms=4, color=colour, label=label)
    for name, colour in zip(SWEEPS_BY_N, style.CATEGORIES[2:], strict=False):
        n = features.loc[features["experiment"] == name, "n"].iloc[0]
        curve = distances[name].dropna()
        right.plot(1 / curve.index, curve, ".-", ms=4, color=colour, label=f"{n}")
    left.set(title="by steps", ylabel="mean distance\nto the nearest line")
    right.set(title="by features, $m = 20$")
    right.legend(title="$n$")
    left.legend()
    for ax in (left, right):
        style.sparsity_axis(ax)
    for ax in (*axes, left, right):
        style.plain_ticks(ax.xaxis, 1, 2, 5, 10)
    return fig


def _size_and_steps(rows: pd.DataFrame) -> str:
    """Return the size of a sweep's models and the number of its steps."""
    n, m, steps = rows[["n", "m", "steps"]].iloc[0]
    return f"$n = {n}$, $m = {m}$\n{steps} steps"

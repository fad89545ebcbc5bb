"""Draw arrangements of few features, angles, the cost of a pair, the forming of a pentagon, and many features."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition.analysis.rows import at_point, rows_at
from superposition.paper.summaries import APART, DRAWN_THRESHOLD, STEP_TOLERANCE, TOLERANCES
from superposition.plotting import style, vectors
from superposition.theory.polytopes import factors_of

# Densities at which the arrows of the best binary models are drawn.
ARROWS_AT = (0.5, 0.3, 0.15, 0.05, 0.01)


def five_features(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw binary features in the plane, the loss of each arrangement, and the number of represented features."""
    fig = plt.figure(figsize=(style.PAGE, 4.2))
    above, below = fig.subfigures(2, 1, height_ratios=[1, 1.45])
    features, models = (tables[name].query("values == 'binary'") for name in ("features", "models"))
    for ax, density in zip(above.subplots(1, len(ARROWS_AT), sharex=True, sharey=True), ARROWS_AT, strict=True):
        rows = at_point(features, rows_at(models, density=density, relative_importance=1)["point"].item())
        vectors.feature_arrows(ax, rows, [style.CATEGORIES[0]] * len(rows), reach=1.7)
        ax.set_title(style.density_title(density))
        ax.set_axis_off()
    axes = below.subplots(1, 3)
    for ax, values in zip(axes, ("binary", "uniform"), strict=False):
        _draw_arrangements(ax, tables, values)
    axes[0].set_ylabel("loss over that of dropping all")
    axes[1].legend(loc="upper right", fontsize=6)
    _draw_counts(axes[2], tables)
    return fig


def _draw_arrangements(ax: Axes, tables: dict[str, pd.DataFrame], values: str) -> None:
    """Draw the loss of each arrangement and of the best model, relative to that of a model without features."""
    arrangements = tables["arrangements"].query(f"values == '{values}'")
    for (name, rows), colour in zip(arrangements.groupby("arrangement", sort=False), (5, 0, 1), strict=True):
        ax.plot(1 / rows["density"], rows["loss"] / rows["dropped"], color=style.CATEGORIES[colour], lw=1.2, label=name)
    models = tables["models"].query(f"values == '{values}' and relative_importance == 1")
    dropped = np.interp(models["density"], rows["density"], rows["dropped"])
    ax.plot(1 / models["density"], models["loss"] / dropped, "k.", ms=4, label="best trained model")
    ax.axvline(1 / DRAWN_THRESHOLD, color="0.7", lw=0.6, ls=":", zorder=0)
    ax.set(xscale="log", xlabel=style.SPARSITY_LABEL, ylim=(0, 1), title=f"{values} values")


def _draw_counts(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw how many features the best models represent: optima of binary features, and trained uniform ones."""
    ratios = sorted(tables["models"]["relative_importance"].unique(), reverse=True)
    for k, ratio in enumerate(ratios):
        colour, shift = style.CATEGORIES[(0, 2, 3)[k]], 0.08 * (1 - k)
        optima = tables["optima"].query(f"relative_importance == {ratio}").sort_values("density")
        rows = tables["models"].query(f"relative_importance == {ratio} and values == 'uniform'")
        ax.step(
            1 / optima["density"], optima["represented"] + shift, color=colour, lw=1, where="mid", label=f"{ratio:g}"
        )
        ax.plot(1 / rows["density"], rows["represented"] + shift, "o", ms=3, mec=colour, mfc="white", mew=0.8)
    ax.axvline(1 / DRAWN_THRESHOLD, color="0.7", lw=0.6, ls=":", zorder=0)
    ax.set(xscale="log", xlabel=style.SPARSITY_LABEL, ylim=(0.4, 5.4), yticks=range(2, 6), title="features represented")
    ax.legend(
        loc="lower right",
        title="$I_3=I_4=I_5$; lines: binary,\ncircles: uniform",
        title_fontsize=6,
        fontsize=6,
        ncols=3,
    )


def polygons_and_solids(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw what the best models form by size and density, and the angles to nearest neighbours in the sparsest."""
    fig, axes = plt.subplots(2, 2, figsize=(style.PAGE, 5.0), height_ratios=[1.1, 1])
    seen: dict[str, str] = {}
    for column, (m, models) in enumerate(tables["models"].groupby("m")):
        seen |= _draw_map(axes[0, column], models)
        axes[0, column].set_title(f"$m={m}$")
        _draw_angles(axes[1, column], tables["sparsest"].query(f"m == {m}"))
    seen = {name: style.POLYTOPES[name] for name in style.POLYTOPES if name in seen}
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour, alpha=0.7) for colour in seen.values()]
    axes[0, 0].set_ylabel("features $n$")
    axes[1, 0].set_ylabel("angle to the nearest feature")
    axes[1, 1].legend(loc="upper right")
    fig.legend(handles, [*seen], loc="outside upper center", ncols=5, title="largest factor of the best trained model")
    return fig


def _draw_map(ax: Axes, models: pd.DataFrame) -> dict[str, str]:
    """Draw the best model of every size and density as a field with the colour of its largest factor.

    The numbers are those of the features per factor.
    """
    sizes = dict.fromkeys(style.POLYTOPES, 0) | {
        "single": 1,
        "digon": 2,
        "triangle": 3,
        "tetrahedron": 4,
        "pentagon": 5,
    }
    sizes |= {"hexagon": 6, "heptagon": 7, "square antiprism": 8, "octagon": 8, "nonagon": 9, "icosahedron": 12}
    models = models.assign(sparsity=1 / models["density"]).sort_values("sparsity")
    sparsity = np.sort(models["sparsity"].unique())
    half, seen = (sparsity[1] / sparsity[0]) ** 0.5, {}
    for n, line in models.groupby("n"):
        run_number = line["arrangement"].ne(line["arrangement"].shift()).cumsum()
        for _, run in line.groupby(run_number):
            first, last = run["sparsity"].iloc[0] / half, run["sparsity"].iloc[-1] * half
            parts = sorted(factors_of(run["arrangement"].iloc[0]), key=lambda part: -sizes.get(part, 0))
            name = parts[0] if parts and parts[0] in style.POLYTOPES else "other"
            seen[name] = style.POLYTOPES[name]
            ax.barh(n, last - first, left=first, height=0.85, color=seen[name], alpha=0.7, ec="white", lw=0.6)
            text = "+".join(str(sizes.get(part) or "?") for part in parts)
            if np.log(last / first) > 0.16 * len(text) + 0.1:
                ax.text((first * last) ** 0.5, n, text, ha="center", va="center", fontsize=6)
    ax.set(
        xscale="log",
        xlim=(1 / half, sparsity[-1] * half),
        xlabel=style.SPARSITY_LABEL,
        yticks=sorted(models["n"].unique()),
    )
    return seen


def _draw_angles(ax: Axes, sparsest: pd.DataFrame) -> None:
    """Draw the range of the angles to nearest neighbours, beside those of the best codes and of least interference."""
    ax.vlines(sparsest["n"], sparsest["smallest"], sparsest["largest"], color=style.CATEGORIES[0], lw=4, alpha=0.5)
    for label, column, marker, colour, size in (
        ("smallest of the model", "smallest", "o", style.CATEGORIES[0], 5),
        ("best code", "code", "_", style.CATEGORIES[3], 10),
        ("least interference", "least_interference", "x", "k", 4),
    ):
        ax.plot(sparsest["n"], sparsest[column], marker, color=colour, ms=size, label=label)
    # With coinciding features, at 0°, interference can be least, too.
    ax.set(xlabel="features $n$", xticks=sparsest["n"], ylim=(38, 114))
    ax.yaxis.set_major_formatter("{x:g}°")


def cost_of_a_pair(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the cost of a pair by cosine and by density, and what a triangle reads."""
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.5), width_ratios=[1, 1, 1.1])
    costs = tables["costs"].query("output == 'ReLU'")
    signs = {1: ("cos > 0", style.CATEGORIES[3]), -1: ("cos < 0", style.CATEGORIES[0])}
    densities = np.sort(costs["density"].unique())
    for density, line in ((densities[len(densities) // 3], "--"), (densities[2 * len(densities) // 3], "-")):
        for sign, (label, colour) in signs.items():
            rows = rows_at(costs, density=density).query(f"cosine * {sign} > 0").sort_values("cosine")
            axes[0].plot(rows["cosine"].abs(), rows["cost"], line, color=colour, label=f"{label}, $p$ = {density:.2g}")
    for sign, (label, colour) in signs.items():
        rows = rows_at(costs, cosine=sign / 2).sort_values("density")
        axes[1].plot(rows["density"], rows["cost"], color=colour, label=f"{label}, $b=0$")
        axes[1].plot(rows["density"], rows["best_bias"], ":", color=colour, label=f"{label}, best $b$")
    for ax, label in zip(axes, (r"$|\cos|$", "$p=1-S$"), strict=False):
        ax.set(xscale="log", yscale="log", xlabel=label)
        ax.legend(fontsize=6)
    axes[0].set(ylabel="cost of the pair", title="by angle", ylim=(5e-9, 20))
    axes[1].set_title(r"by density, $|\cos|$ = ½")
    _draw_triangle(axes[2], tables["triangle"])
    return fig


def _draw_triangle(ax: Axes, triangle: pd.DataFrame) -> None:
    """Draw the inputs of three features at 120° and what is read from them, as bars."""
    kinds = {"input": ("input", "0.6"), "linear": ("linear", style.CATEGORIES[3])}
    kinds |= {"relu": ("ReLU", style.CATEGORIES[0]), "best": ("best $b$, $\\Vert W_i\\Vert$", style.CATEGORIES[2])}
    for group, (_, rows) in enumerate(triangle.groupby("case", sort=False)):
        for k, (kind, (label, colour)) in enumerate(kinds.items()):
            place = 3.6 * group + rows["feature"] + 0.2 * (k - 1.5)
            ax.bar(place, rows[kind], 0.2, color=colour, label=label if group == 0 else None)
    ax.axhline(0, color="0.3", lw=0.6)
    ax.set(title="three directions at 120°", ylim=(-1, 1.35), ylabel="input and output")
    ax.set_xticks([0, 1, 2, 3.6, 4.6, 5.6], ["$x_1$", "$x_2$", "$x_3$"] * 2)
    ax.legend(fontsize=6, ncols=4, loc="upper center", handlelength=0.8, columnspacing=0.8)


def pentagon_forms(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the smallest angle and the change of norms along training, and when both settle."""
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.4))
    paths, runs = tables["paths"], tables["runs"].query("pentagon")
    for ax, name, colour in (
        (axes[0], "smallest_step", style.CATEGORIES[0]),
        (axes[1], "norm_change", style.CATEGORIES[1]),
    ):
        ax.fill_between(paths["step"], paths[f"{name}_low"], paths[f"{name}_high"], color=colour, alpha=0.3, lw=0)
        ax.plot(paths["step"], paths[f"{name}_median"], color=colour)
        ax.set(xlabel="step", xlim=(0, paths["step"].iloc[-1]))
    for angle in (APART, 72 - STEP_TOLERANCE, 72):
        axes[0].axhline(angle, color="0.6", lw=0.6, ls=":", zorder=0)
    axes[0].set(ylim=(0, 76), yticks=[0, 36, 72], title="smallest angle between neighbours")
    axes[0].yaxis.set_major_formatter("{x:g}°")
    axes[1].axhline(TOLERANCES["as_angles"], color="0.6", lw=0.6, ls=":", zorder=0)
    axes[1].set(title=r"largest change of a $\Vert W_i\Vert$ to come", ylim=(0, None))
    axes[1].yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    end = max(runs[["norms_settled_as_angles", "angles_settled"]].to_numpy().max(initial=1) * 1.05, 1)
    axes[2].plot([0, end], [0, end], color="0.7", lw=0.6, zorder=0)
    axes[2].plot(
        runs["norms_settled_as_angles"], runs["angles_settled"], "o", ms=3, color=style.CATEGORIES[2], alpha=0.6
    )
    axes[2].set(xlabel="norms settled, step", ylabel="angles settled, step", title="each pentagon")
    axes[2].set(xlim=(0, end), ylim=(0, end))
    return fig


def many_features(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw represented features and ‖W_i‖² by sparsity, and extreme cosines beside those of random directions."""
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.8))
    models = tables["models"].query("relative_importance == 1")
    for name, label, marker, colour in (
        ("five_uniform", "$n=5$, $m=2$", "o-", 0),
        ("five_binary", "the same, binary", "s-", 2),
        ("basic_small", "$n=20$, $m=5$", "^-", 1),
        ("uniform_100_20", "$n=100$, $m=20$", "-", 3),
        ("uniform_400_20", "$n=400$, $m=20$", "-", 4),
    ):
        rows = models[models["experiment"] == name].sort_values("density")
        line = axes[0].plot(
            1 / rows["density"], rows["represented"] / rows["n"], marker, color=style.CATEGORIES[colour]
        )
        line[0].set(label=label, markersize=3, linewidth=1)
    axes[0].axvline(10, color="0.7", lw=0.6, ls=":", zorder=0)
    axes[0].set(xscale="log", ylim=(-0.02, 1.05), yticks=[0, 0.5, 1], xlabel=style.SPARSITY_LABEL)
    axes[0].set_title("share of features represented")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=5)
    features, scale = tables["features"], Normalize(0, 1)
    colours = style.IMPORTANCE(scale(features["importance"].to_numpy()))
    axes[1].scatter(1 / features["density"], features["norm"] ** 2, s=9, c=colours, lw=0.2, edgecolors="0.3")
    axes[1].axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
    axes[1].set(
        xscale="log", xlabel=style.SPARSITY_LABEL, title=r"$\Vert W_i\Vert^2$, $n=20$, $m=5$", ylim=(-0.05, None)
    )
    style.colorbar(fig, plt.cm.ScalarMappable(scale, style.IMPORTANCE), "importance $I_i$", ax=axes[1], pad=0.02)
    rows = models.query("experiment == 'uniform_400_30'").sort_values("density")
    rows = rows[rows["represented"] > rows["m"]]
    for column, sign, label, shade, line in (
        ("highest", 1, "highest of the model", style.CATEGORIES[3], "-"),
        ("lowest", 1, "lowest", style.CATEGORIES[0], "-"),
        ("random", 1, "random directions", "0.5", "--"),
        ("random", -1, "", "0.5", "--"),
    ):
        axes[2].plot(1 / rows["density"], sign * rows[column], line, color=shade, label=label, lw=1)
    axes[2].set(
        xscale="log",
        ylim=(-1.05, 1.3),
        yticks=[-1, -0.5, 0, 0.5, 1],
        xlabel=style.SPARSITY_LABEL,
        title="cosines, $n=400$, $m=30$",
    )
    axes[2].legend(fontsize=6, loc="upper left", ncols=1)
    return fig

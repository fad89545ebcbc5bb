"""Draw arrangements of few features, angles, the cost of a pair, the forming of a pentagon, and many features."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition.analysis.rows import at_point, rows_at, runs_along_sparsity
from superposition.paper.summaries import APART, DRAWN_THRESHOLD, STEP_TOLERANCE, TOLERANCES
from superposition.plotting import style, vectors
from superposition.theory.polytopes import factors_of

# Densities at which the arrows of the best binary models are drawn.
ARROWS_AT = (0.5, 0.3, 0.15, 0.05, 0.01)
# Number of features in each factor that is recognised.
SIZES = {"single": 1, "digon": 2, "triangle": 3, "tetrahedron": 4, "pentagon": 5, "hexagon": 6, "heptagon": 7}
SIZES |= {"square antiprism": 8, "octagon": 8, "nonagon": 9, "icosahedron": 12}


def five_features(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw binary features in the plane, the loss of each arrangement, and the number of represented features."""
    fig, above, below = style.figure_in_rows(4.2, 1, 1.45)
    features, models = (tables[name].query("values == 'binary'") for name in ("features", "models"))
    for ax, density in zip(above.subplots(1, len(ARROWS_AT), sharex=True, sharey=True), ARROWS_AT, strict=True):
        rows = at_point(features, rows_at(models, density=density, relative_importance=1)["point"].item())
        vectors.feature_arrows(ax, rows, [style.CATEGORIES[0]] * len(rows), reach=1.7)
        ax.set_title(style.density_title(density))
        ax.set_axis_off()
    binary, uniform, counts = below.subplots(1, 3)
    _draw_arrangements(binary, tables, "binary")
    _draw_arrangements(uniform, tables, "uniform")
    binary.set_ylabel("loss over that of dropping all")
    uniform.legend(loc="upper right", fontsize=6)
    _draw_counts(counts, tables)
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
    style.sparsity_axis(ax, ylim=(0, 1), title=f"{values} values")


def _draw_counts(ax: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Draw how many features the best models represent: optima of binary features, and trained uniform ones."""
    ratios = sorted(tables["models"]["relative_importance"].unique(), reverse=True)
    for ratio, category, shift in zip(ratios, (0, 2, 3), (0.08, 0, -0.08), strict=False):
        colour = style.CATEGORIES[category]
        optima = tables["optima"].query(f"relative_importance == {ratio}").sort_values("density")
        rows = tables["models"].query(f"relative_importance == {ratio} and values == 'uniform'")
        places = optima["represented"] + shift
        ax.step(1 / optima["density"], places, color=colour, lw=1, where="mid", label=f"{ratio:g}")
        ax.plot(1 / rows["density"], rows["represented"] + shift, "o", ms=3, mec=colour, mfc="white", mew=0.8)
    ax.axvline(1 / DRAWN_THRESHOLD, color="0.7", lw=0.6, ls=":", zorder=0)
    style.sparsity_axis(ax, ylim=(0.4, 5.4), yticks=range(2, 6), title="features represented")
    title = "$I_3=I_4=I_5$; lines: binary,\ncircles: uniform"
    ax.legend(loc="lower right", title=title, title_fontsize=6, fontsize=6, ncols=3)


def polygons_and_solids(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw what the best models form by size and density, and the angles to nearest neighbours in the sparsest."""
    fig, axes = plt.subplots(2, 2, figsize=(style.PAGE, 5.0), height_ratios=[1.1, 1])
    seen: set[str] = set()
    for (above, below), (m, models) in zip(axes.T, tables["models"].groupby("m"), strict=True):
        seen |= _draw_map(above, models)
        above.set_title(f"$m={m}$")
        _draw_angles(below, tables["sparsest"].query(f"m == {m}"))
    names = [name for name in style.POLYTOPES if name in seen]
    handles = [plt.Rectangle((0, 0), 1, 1, color=style.POLYTOPES[name], alpha=0.7) for name in names]
    axes[0, 0].set_ylabel("features $n$")
    axes[1, 0].set_ylabel("angle to the nearest feature")
    axes[1, 1].legend(loc="upper right")
    fig.legend(handles, names, loc="outside upper center", ncols=5, title="largest factor of the best trained model")
    return fig


def _draw_map(ax: Axes, models: pd.DataFrame) -> set[str]:
    """Draw the best model of every size and density as a field with the colour of its largest factor.

    The numbers are those of the features per factor.

    Returns:
        The names of the largest factors.
    """
    runs, seen = runs_along_sparsity(models, "arrangement"), set()
    for n, arrangement, first, last in runs.itertuples(index=False):
        parts = sorted(factors_of(arrangement), key=lambda part: -SIZES.get(part, 0))
        name = parts[0] if parts and parts[0] in style.POLYTOPES else "other"
        seen.add(name)
        ax.barh(n, last - first, left=first, height=0.85, color=style.POLYTOPES[name], alpha=0.7, ec="white", lw=0.6)
        text = "+".join(str(SIZES.get(part, "?")) for part in parts)
        if np.log(last / first) > 0.16 * len(text) + 0.1:
            ax.text((first * last) ** 0.5, n, text, **style.CENTRED, fontsize=6)
    style.sparsity_axis(ax, xlim=(runs["first"].min(), runs["last"].max()), yticks=sorted(models["n"].unique()))
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
    fig, (angles, norms, ends) = plt.subplots(1, 3, figsize=(style.PAGE, 2.4))
    paths, runs = tables["paths"], tables["runs"].query("pentagon")
    for ax, name, colour in zip((angles, norms), ("smallest_step", "norm_change"), style.CATEGORIES, strict=False):
        ax.fill_between(paths["step"], paths[f"{name}_low"], paths[f"{name}_high"], color=colour, alpha=0.3, lw=0)
        ax.plot(paths["step"], paths[f"{name}_median"], color=colour)
        ax.set(xlabel="step", xlim=(0, paths["step"].iloc[-1]))
    for angle in (APART, 72 - STEP_TOLERANCE, 72):
        angles.axhline(angle, color="0.6", lw=0.6, ls=":", zorder=0)
    angles.set(ylim=(0, 76), yticks=[0, 36, 72], title="smallest angle between neighbours")
    angles.yaxis.set_major_formatter("{x:g}°")
    norms.axhline(TOLERANCES["as_angles"], color="0.6", lw=0.6, ls=":", zorder=0)
    norms.set(title=r"largest change of a $\Vert W_i\Vert$ to come", ylim=(0, None))
    norms.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    settled = runs[["norms_settled_as_angles", "angles_settled"]]
    end = max(settled.to_numpy().max(initial=1) * 1.05, 1)
    ends.plot([0, end], [0, end], color="0.7", lw=0.6, zorder=0)
    ends.plot(*settled.to_numpy().T, "o", ms=3, color=style.CATEGORIES[2], alpha=0.6)
    ends.set(xlabel="norms settled, step", ylabel="angles settled, step", title="each pentagon")
    ends.set(xlim=(0, end), ylim=(0, end))
    return fig


def many_features(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw represented features and ‖W_i‖² by sparsity, and extreme cosines beside those of random directions."""
    fig, (shares, norms, cosines) = plt.subplots(1, 3, figsize=(style.PAGE, 2.8))
    models = tables["models"].query("relative_importance == 1").sort_values("density")
    for name, label, marker, colour in (
        ("five_uniform", "$n=5$, $m=2$", "o-", 0),
        ("five_binary", "the same, binary", "s-", 2),
        ("basic_small", "$n=20$, $m=5$", "^-", 1),
        ("uniform_100_20", "$n=100$, $m=20$", "-", 3),
        ("uniform_400_20", "$n=400$, $m=20$", "-", 4),
    ):
        rows = models[models["experiment"] == name]
        share = rows["represented"] / rows["n"]
        shares.plot(1 / rows["density"], share, marker, color=style.CATEGORIES[colour], ms=3, lw=1, label=label)
    shares.axvline(10, color="0.7", lw=0.6, ls=":", zorder=0)
    style.sparsity_axis(shares, ylim=(-0.02, 1.05), yticks=[0, 0.5, 1], title="share of features represented")
    fig.legend(*shares.get_legend_handles_labels(), loc="outside lower left", ncols=5)
    features, scale = tables["features"], Normalize(0, 1)
    colours = style.IMPORTANCE(scale(features["importance"].to_numpy()))
    norms.scatter(1 / features["density"], features["norm"] ** 2, s=9, c=colours, lw=0.2, edgecolors="0.3")
    norms.axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
    style.sparsity_axis(norms, title=r"$\Vert W_i\Vert^2$, $n=20$, $m=5$", ylim=(-0.05, None))
    style.colorbar(fig, plt.cm.ScalarMappable(scale, style.IMPORTANCE), "importance $I_i$", ax=norms, pad=0.02)
    rows = models[(models["experiment"] == "uniform_400_30") & (models["represented"] > models["m"])]
    x = 1 / rows["density"]
    cosines.plot(x, rows["highest"], color=style.CATEGORIES[3], label="highest of the model", lw=1)
    cosines.plot(x, rows["lowest"], color=style.CATEGORIES[0], label="lowest", lw=1)
    cosines.plot(x, rows["random"], "--", color="0.5", label="random, best 1 %", lw=1)
    cosines.plot(x, -rows["random"], "--", color="0.5", lw=1)
    title = "cosines, $n=400$, $m=30$"
    style.sparsity_axis(cosines, ylim=(-1.05, 1.3), yticks=[-1, -0.5, 0, 0.5, 1], title=title)
    cosines.legend(fontsize=6, loc="upper left", ncols=1)
    return fig

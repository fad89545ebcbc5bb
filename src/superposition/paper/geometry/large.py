"""Large models: dimensions per feature, the dimensionality of every feature, and the tegum factors they form."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.stats import binomtest

from superposition import geometry, plotting, polytopes, tegum
from superposition.plotting import FRACTIONS, WRITTEN
from superposition.weights import Trained

LARGE, SMALL = "uniform_400_30", "uniform_200_20"
VARIED_N = ("uniform_100_20", SMALL, "uniform_400_20")
VARIED_M = ("uniform_400_20", LARGE, "uniform_400_40")
LONGER, NOTEBOOK = "uniform_longer", "uniform_notebook"

WINDOW = (2 / 5 - 3 / 8) / 4  # on either side of a line: with what lies beside it, up to the middle of the nearest two
THRESHOLDS = (0.1, 0.15, polytopes.JOINED, 0.25, 0.3)
CHANCE = 0.01  # a line stands out where a smooth distribution would do so in less than this share of cases


# From weights to tables


def dimensions_per_feature(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """D* of every model, what the best products of polytopes have, and whether training has converged."""
    rows = []
    for name, models in trained.items():
        W = models.best()["W"]
        rows.append(
            models.sweep.points()[["density", "seed"]].assign(
                experiment=name,
                n=models.sweep.n,
                m=models.sweep.m,
                dimensions_per_feature=geometry.dimensions_per_feature(W).numpy(),
                represented=W.square().sum((-2, -1)).numpy(),
                budget=geometry.dimensionality(W).sum(-1).numpy() / models.sweep.m,
                loss=models.loss.min(dim=1).values.numpy(),
                loss_error=models.loss_error[:, 0].numpy(),
            )
        )
    curves = pd.concat(rows, ignore_index=True)
    convergence = _convergence(curves)
    return {
        "curves": curves,
        "optimum": tegum.per_dimension(tegum.optima(trained[LARGE].sweep.density[::2])),  # it takes a while
        "convergence": convergence,
        "numbers": _convergence_shown(convergence, curves),
    }


def _convergence(curves: pd.DataFrame) -> pd.DataFrame:
    """Losses with twice the steps and by the authors' recipe, beside ours, wherever they were trained."""
    by_density = {
        name: rows.set_index(rows["density"].round(9))[["loss", "loss_error", "dimensions_per_feature"]]
        for name, rows in curves.groupby("experiment")
    }
    ours = by_density[LARGE].add_suffix("_ours")
    others = {"longer": by_density[LONGER], "notebook": by_density[NOTEBOOK]}
    table = pd.concat(
        [ours.join(other, how="inner").assign(compared=name) for name, other in others.items()]
    ).reset_index()
    return table.assign(relative=table["loss"] / table["loss_ours"] - 1)


def _convergence_shown(convergence: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The comparison, and beside it how far replicates are apart: what a difference between single runs may mean."""
    shown = {"longer": "twice the steps", "notebook": "the authors' recipe, 10 000 steps"}
    table = convergence.pivot(index="density", columns="compared", values="relative")[[*shown]]
    table = table.map(lambda part: "" if np.isnan(part) else f"{part:+.2%}").rename(columns=shown)
    replicates = curves[curves["experiment"] == SMALL]
    loss = replicates.groupby(replicates["density"].round(9))["loss"]
    apart = ((loss.max() - loss.min()) / loss.mean()).reindex(table.index)
    ours = convergence.groupby("density")["loss_ours"].first()
    table.insert(0, "1-S", table.index.map("{:.4g}".format))
    table.insert(1, "our loss", ours.map("{:.4f}".format))
    return table.assign(**{"replicates of n = 200 are apart by": apart.map("{:.2%}".format)})[::-1]


def feature_dimensionality(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """D_i and the tegum factor of every feature; how the factors depend on the threshold; clusters; some graphs."""
    curve, features, factors, thresholds = [], [], [], []
    for experiment, models in trained.items():
        best = models.best()["W"]
        every = geometry.dimensionality(best).numpy(), geometry.norms(best).numpy()
        points = models.sweep.points()[["density", "seed"]].assign(experiment=experiment)
        curve.append(points.assign(dimensions_per_feature=geometry.dimensions_per_feature(best).numpy()))
        for point, W in zip(models.sweep.points().itertuples(), best.numpy(), strict=True):
            where = {"experiment": experiment, "density": point.density, "seed": point.seed}
            for joined in THRESHOLDS:
                factor_of, found = polytopes.factors(W, joined)
                counts = found.groupby("polytope")["features"].agg(factors="size", features="sum").reset_index()
                thresholds.append(counts.assign(joined=joined, **where))
                if joined == polytopes.JOINED:
                    factors.append(found.assign(**where))
                    dimensionality, norm = (part[point.Index] for part in every)
                    columns = {
                        "feature": np.arange(W.shape[1]),
                        "dimensionality": dimensionality,
                        "norm": norm,
                        "factor": factor_of,
                        "polytope": found["polytope"].reindex(factor_of).fillna("absent").to_numpy(),
                    }
                    features.append(pd.DataFrame(columns).assign(**where))
    tables = {
        "curve": pd.concat(curve, ignore_index=True),
        "features": pd.concat(features, ignore_index=True),
        "factors": pd.concat(factors, ignore_index=True),
        "thresholds": pd.concat(thresholds, ignore_index=True),
    }
    clusters = _clusters(tables["features"])
    edges = _edges(trained[LARGE], tables["features"])
    return tables | {"clusters": clusters, "edges": edges, "numbers": _clusters_shown(clusters, tables["factors"])}


def _clusters(features: pd.DataFrame) -> pd.DataFrame:
    """Whether more D_i lie near a line than a smooth distribution would have there: at the named lines, and elsewhere.

    Inside is what is within ``WINDOW`` of the line, beside it the same width again, half on either side (at 0 and 1,
    all on one). Were the distribution smooth, a model would have as often less inside than beside as more. So this is a
    sign test over models, which are independent of each other as the features of one are not.
    """
    models = [group.to_numpy() for _, group in features.groupby(["experiment", "density", "seed"])["dimensionality"]]
    named = {fraction: name for name, fraction in FRACTIONS.items()}
    between = np.arange(0.1, 1 - 2 * WINDOW, 2 * WINDOW)
    clear = np.abs(between[:, None] - [*named]).min(axis=1) > 4 * WINDOW
    rows = []
    for line in (*named, *between[clear]):
        distance = [np.abs(values - line) for values in models]
        inside = np.array([(far <= WINDOW).sum() for far in distance])
        beside = np.array([((far > WINDOW) & (far <= 2 * WINDOW)).sum() for far in distance])
        more, less = int((inside > beside).sum()), int((inside < beside).sum())
        chance = binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
        rows.append((named.get(line, ""), line, inside.sum(), beside.sum(), more, less, chance))
    return pd.DataFrame(rows, columns=["polytope", "line", "inside", "beside", "models_more", "models_less", "chance"])


def _clusters_shown(clusters: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """The test of every named line, and how many features were recognised as its polytope, with which residuals."""
    lines = clusters[clusters["polytope"] != ""]
    recognised = factors.groupby("polytope").agg(features=("features", "sum"), residual=("residual", "median"))
    recognised = recognised.rename(index={"single": "own dimension"}).reindex(lines["polytope"])
    return pd.DataFrame(
        {
            "line": [f"{WRITTEN[row.line]} ({row.polytope})" for row in lines.itertuples()],
            f"D_i within {WINDOW:.5f} of it": lines["inside"],
            "in a band as wide beside it": lines["beside"],
            "models with more inside, with less": [f"{r.models_more}, {r.models_less}" for r in lines.itertuples()],
            "chance under a smooth distribution": lines["chance"].map("{:.2g}".format),
            "stands out": np.where(lines["chance"] < CHANCE, "yes", "no"),
            "features recognised as such": [f"{k:.0f}" if k == k else "" for k in recognised["features"]],
            "median residual": [f"{r:.3f}" if r == r else "" for r in recognised["residual"]],
        }
    )


def _edges(models: Trained, features: pd.DataFrame) -> pd.DataFrame:
    """Pairs of represented features with |W_i·W_j| > 0.05, in the models that are drawn as graphs.

    Those are, of each polytope, the one with the most features in it, and the first in which all are one component.
    """
    features = features[(features["experiment"] == LARGE) & (features["factor"] >= 0)]
    count = features.groupby(["density", "polytope"]).size().unstack(fill_value=0)
    shown = {count[name].idxmax() for name in ("triangle", "digon", "pentagon", "square antiprism") if name in count}
    if len(whole := count.index[features.groupby("density")["factor"].nunique() == 1]):
        shown.add(whole.max())
    rows = [pd.DataFrame({"density": [], "i": [], "j": [], "dot": []}).astype({"i": int, "j": int})]
    for density, W in zip(models.sweep.density, models.best()["W"], strict=True):
        if density in shown:
            represented = features.loc[features["density"] == density, "feature"].to_numpy(copy=True)
            gram = geometry.gram(W[:, represented]).numpy()
            i, j = np.nonzero(np.triu(np.abs(gram) > 0.05, k=1))
            edges = {"density": density, "i": represented[i], "j": represented[j], "dot": gram[i, j]}
            rows.append(pd.DataFrame(edges))
    return pd.concat(rows, ignore_index=True)


# From tables to figures


SPARSITY = "$1/(1-S)$"


def draw_dimensions(data: dict[str, pd.DataFrame]) -> Figure:
    """D* against sparsity; D* at other sizes; the loss with more steps and by the authors' recipe."""
    fig, axes = plt.subplot_mosaic(
        [["curve", "sizes"], ["curve", "loss"]], figsize=(plotting.PAGE, 3.7), width_ratios=[1.6, 1]
    )
    curves = data["curves"].assign(sparsity=1 / data["curves"]["density"]).sort_values("sparsity")
    ax = axes["curve"]
    for level in (1, 0.5):
        ax.axhspan(level * 0.95, level * 1.05, color="0.92", lw=0)
        ax.axhline(level, color="0.6", lw=0.5)
    small = curves[curves["experiment"] == SMALL].groupby("sparsity")["dimensions_per_feature"].agg(["min", "max"])
    ax.fill_between(small.index, small["min"], small["max"], color=plotting.CATEGORIES[1], alpha=0.5, lw=0)
    large, best = curves[curves["experiment"] == LARGE], data["optimum"]
    ax.plot(1 / best["density"], best["dimensions_per_feature"], color="0.3", lw=0.9, ls="--")
    ax.plot(large["sparsity"], large["dimensions_per_feature"], ".-", color=plotting.CATEGORIES[0], ms=3.5, lw=0.8)
    replicates = curves.loc[curves["experiment"] == SMALL, "seed"].nunique()
    ax.legend(
        handles=[
            plt.Line2D([], [], color=plotting.CATEGORIES[0], marker=".", lw=0.8, label="$n=400$, $m=30$"),
            plt.Rectangle(
                (0, 0), 1, 1, fc=plotting.CATEGORIES[1], alpha=0.5, label=f"$n=200$, $m=20$: range of {replicates} runs"
            ),
            plt.Line2D([], [], color="0.3", lw=0.9, ls="--", label="best product of polytopes\nin up to 3 dimensions"),
            plt.Rectangle((0, 0), 1, 1, fc="0.92", label=r"$\pm 5\,\%$ of 1 and of $1/2$"),
        ],
        loc="upper right",
        bbox_to_anchor=(1, 0.87),
    )
    ax.set(
        xscale="log",
        xlim=(1, 100),
        ylim=(0, 1.08),
        xlabel=SPARSITY,
        ylabel=r"dimensions per feature $D^*=m/\Vert W\Vert_F^2$",
    )
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])

    _draw_sizes(axes["sizes"], curves)
    _draw_convergence(axes["loss"], data["convergence"])
    return fig


def _draw_sizes(ax: Axes, curves: pd.DataFrame) -> None:
    """D* at other n and m, at the densities that all of them have."""
    sizes = [*VARIED_N, *VARIED_M[1:]]
    common = curves[curves["experiment"] == sizes[0]]["sparsity"].round(9)
    for name, marker, colour in zip(sizes, "v.^os", plotting.CATEGORIES[: len(sizes)], strict=True):
        rows = curves[(curves["experiment"] == name) & curves["sparsity"].round(9).isin(common)]
        label = f"{rows['n'].iloc[0]}, {rows['m'].iloc[0]}"
        mean = rows.groupby("sparsity")["dimensions_per_feature"].mean()
        ax.plot(mean, marker + "-", color=colour, ms=3, lw=0.7, mfc="none", label=label)
    ax.set(xscale="log", yscale="log", xlim=(0.9, 110), xlabel=SPARSITY, ylabel="$D^*$")
    ax.set(yticks=[0.1, 0.3, 1], yticklabels=["0.1", "0.3", "1"])
    ax.minorticks_off()
    ax.legend(title="$n$, $m$", title_fontsize=7, handlelength=1.2, labelspacing=0.2)


def _draw_convergence(ax: Axes, convergence: pd.DataFrame) -> None:
    ax.axhline(0, color="0.6", lw=0.5)
    kinds = (("longer", "twice the steps", "o"), ("notebook", "authors' recipe", "s"))
    for (name, label, marker), colour in zip(kinds, plotting.CATEGORIES[2:4], strict=True):
        rows = convergence[convergence["compared"] == name]
        ax.plot(1 / rows["density"], 100 * rows["relative"], marker, color=colour, ms=3.5, label=label)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xscale="log", xlim=(0.9, 110), ylim=(-5, 100), xlabel=SPARSITY, ylabel="loss against ours, %")
    ax.set(yticks=[-1, 0, 1, 10, 100], yticklabels=["−1", "0", "1", "10", "100"])
    ax.minorticks_off()
    ax.legend()


def draw_dimensionality(data: dict[str, pd.DataFrame]) -> Figure:
    """D_i of every feature, their distribution at the side, and graphs of some models."""
    graphs = sorted(data["edges"]["density"].unique(), reverse=True)
    fig = plt.figure(figsize=(plotting.PAGE, 5.4))
    top, bottom = fig.subfigures(2, 1, height_ratios=[1.9, 1])
    scatter, side = top.subplots(1, 2, width_ratios=[4, 1], sharey=True)
    plotting.fraction_lines(scatter, side)
    large = data["features"][data["features"]["experiment"] == LARGE]
    _draw_points(scatter, large, data["curve"])
    _draw_distribution(side, data["features"])
    panels = bottom.subplots(1, max(1, len(graphs)), squeeze=False)[0]
    for ax, density in zip(panels, graphs, strict=False):
        nodes = large[(large["density"] == density) & (large["factor"] >= 0)]
        _draw_graph(ax, nodes, data["edges"][data["edges"]["density"] == density])
        ax.set_title(f"{SPARSITY} $= {1 / density:.3g}$\n{len(nodes)} features")
        ax.set_anchor("N")
    for ax in panels:
        ax.set_axis_off()
    return fig


def _draw_points(ax: Axes, features: pd.DataFrame, curve: pd.DataFrame) -> None:
    """Every feature's D_i by sparsity, coloured by the polytope of its factor, and D*."""
    kind = features["polytope"].where(features["polytope"].isin([*plotting.POLYTOPES]), "other")
    for name, rows in features.groupby(kind, sort=False):
        colour = plotting.POLYTOPES[name]
        ax.scatter(1 / rows["density"], rows["dimensionality"], s=5, color=colour, lw=0, rasterized=True)
    curve = curve[curve["experiment"] == LARGE]
    (line,) = ax.plot(1 / curve["density"], curve["dimensions_per_feature"], color="black", lw=0.7, label="$D^*$")
    handles = [
        plt.Line2D([], [], marker="o", ls="", ms=3.5, color=colour, label=name)
        for name, colour in plotting.POLYTOPES.items()
        if (kind == name).any()
    ]
    ax.legend(handles=[*handles, line], ncols=2, loc="upper right")
    ax.set(xscale="log", xlim=(0.95, 105), ylim=(-0.02, 1.03), xlabel=SPARSITY, ylabel="dimensionality $D_i$")


def _draw_distribution(ax: Axes, features: pd.DataFrame) -> None:
    """The D_i of all represented features, all densities together."""
    bins = np.arange(0, 1 + WINDOW, 2 * WINDOW).tolist()
    style: dict[str, Any] = {"orientation": "horizontal", "histtype": "step", "lw": 0.7, "density": True}
    for experiment, colour in ((LARGE, plotting.CATEGORIES[0]), (SMALL, plotting.CATEGORIES[1])):
        rows = features[features["experiment"] == experiment]
        label = f"$n={rows['feature'].max() + 1}$"
        ax.hist(rows.loc[rows["factor"] >= 0, "dimensionality"], bins=bins, color=colour, label=label, **style)
    ax.set(xscale="log", xlabel="density of $D_i$")
    ax.legend(loc="upper right")


def _draw_graph(ax: Axes, nodes: pd.DataFrame, edges: pd.DataFrame) -> None:
    """A node per feature, coloured by its polytope; an edge per pair, as wide as |W_i·W_j|; a ring per factor."""
    place: dict[int, np.ndarray] = {}
    corner, row_height, width = np.zeros(2), 0.0, 1.35 * len(nodes) ** 0.5
    for _, factor in sorted(nodes.groupby("factor"), key=lambda item: (-len(item[1]), item[0])):
        members = factor["feature"].to_numpy()
        inside = edges[edges["i"].isin(members) & edges["j"].isin(members)]
        ring, radius = _ring(members, inside)
        if corner[0] + 2 * radius > width:
            corner, row_height = np.array([0.0, corner[1] - row_height - 0.5]), 0.0
        for feature, where in zip(members, ring, strict=True):
            place[feature] = corner + radius * (1 + where * [1, -1]) * [1, -1]
        corner, row_height = corner + np.array([2 * radius + 0.5, 0]), max(row_height, 2 * radius)
    edges = edges.sort_values("dot", key=abs)
    ends = [(place[i], place[j]) for i, j in zip(edges["i"], edges["j"], strict=True)]
    dot = edges["dot"].clip(-1, 1).to_numpy()
    style: dict[str, Any] = {"colors": plotting.SIGNED(0.5 + 0.5 * dot), "linewidths": 1.1 * np.abs(dot)}
    ax.add_collection(LineCollection(ends, **style, capstyle="round", zorder=1))
    where = np.array([place[feature] for feature in nodes["feature"]])
    colours = [plotting.POLYTOPES.get(name, plotting.POLYTOPES["other"]) for name in nodes["polytope"]]
    ax.scatter(*where.T, s=5, color=colours, lw=0, zorder=2)
    ax.set_aspect("equal")


def _ring(members: np.ndarray, edges: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Places of a factor's features on the unit circle, in the order in which they lie around their main plane; and
    the radius at which they have room."""
    k = len(members)
    if k == 1:
        return np.zeros((1, 2)), 0.3
    gram = np.eye(k)
    index = {feature: number for number, feature in enumerate(members)}
    i, j = edges["i"].map(index).to_numpy(int), edges["j"].map(index).to_numpy(int)
    gram[i, j] = gram[j, i] = edges["dot"]
    plane = np.linalg.eigh(gram)[1][:, -2:]
    angle = np.empty(k)
    angle[np.argsort(np.arctan2(plane[:, 1], plane[:, 0]), kind="stable")] = 2 * np.pi * np.arange(k) / k + np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=1), max(0.5, 0.17 * k)

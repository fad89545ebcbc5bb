"""Draw the figures of the privileged basis: three architectures compared, and the neurons' code by density."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from superposition.analysis import neurons
from superposition.analysis.rows import at_point, rows_at
from superposition.paper.privileged import (
    DRIVE_THRESHOLDS,
    LOSS_TOLERANCE,
    MODEL_LABELS,
    PAPER_REGIMES,
    SHOWN_DENSITY,
    regimes_by_density,
)
from superposition.plotting import panels, style


def privileged_vs_not(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw W of the three models, their alignment with the neurons, and the effects of rotations and of a bias."""
    colours = dict(zip(MODEL_LABELS.values(), style.CATEGORIES[:3], strict=True))
    fig, axes = plt.subplots(2, 3, figsize=(style.PAGE, 3.7), height_ratios=[1, 1.25])
    for ax, (name, weights) in zip(axes[0], tables["weights"].groupby("model", sort=False), strict=True):
        W = neurons.layer(weights)
        image = style.signed_matrix(ax, W)
        ax.set_title(name, color=colours[name])
        style.number_ticks(ax.xaxis, W.shape[1])
        style.number_ticks(ax.yaxis, len(W))
        ax.tick_params(length=0)
    axes[0, 0].set_ylabel("hidden unit")
    axes[0, 1].set_xlabel(f"feature ({style.density_title(SHOWN_DENSITY)})")
    style.colorbar(fig, image, "$W$", ax=axes[0].tolist(), shrink=0.8, pad=0.04)

    aligned, rotated, compared = axes[1]
    bins = np.linspace(0, 100, 21)
    for name, runs in rows_at(tables["alignment"], density=SHOWN_DENSITY).groupby("model", sort=False):
        aligned.hist(100 * runs["alignment"], bins, histtype="step", color=colours[name], lw=1.2)
    aligned.set(xlabel="% of rotations less aligned", ylabel="models", xlim=(0, 100))
    for x, (name, runs) in enumerate(tables["rotated"].groupby("model", sort=False)):
        relative = runs["loss"] / runs["loss"].iloc[0]
        rotated.scatter(np.full(len(runs) - 1, x), relative[1:], s=8, color=colours[name], alpha=0.6, lw=0)
        rotated.plot([x - 0.25, x + 0.25], [1, 1], color="k", lw=1)
    rotated.set(xlim=(-0.5, 2.5), yscale="log", ylabel="loss, rotated / as trained")
    rotated.set_xticks(range(3), ["linear", "ReLU", "ReLU,\nbias"])
    loss = tables["models"].pivot(index="density", columns="model", values="loss")
    linear, *others = MODEL_LABELS.values()
    for name in others:
        compared.plot(loss.index, loss[name] / loss[linear], "o-", ms=3, color=colours[name])
    compared.axhline(1, color=colours[linear], lw=1)
    compared.set(xscale="log", yscale="log", xlabel="$1-S$", ylabel="lowest loss / linear's")
    for ax in (rotated, compared):
        style.plain_ticks(ax.yaxis, 1, 2, 5, 10)
    compared.set_ylim(0.9, 10)
    return fig


def privileged_neurons(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the best model at every density, the codes, and how many neurons are monosemantic and models that good."""
    table = regimes_by_density(tables)
    rows = -(-len(table) // 7)
    fig, above, middle, below = style.figure_in_rows(2.45 * rows + 3.6, 2.45 * rows, 1.8, 1.8)
    _draw_codes(middle, tables, table)
    columns = -(-len(table) // rows)
    axes = above.subplots(2 * rows, columns, height_ratios=[1.25, 1] * rows, squeeze=False)
    for index, regime in enumerate(table.itertuples()):
        row, column = divmod(index, columns)
        heat, stack = axes[2 * row : 2 * row + 2, column]
        W = neurons.layer(at_point(tables["weights"], regime.point))
        style.signed_matrix(heat, W.T, aspect="auto")
        heat.set_title(style.density_title(regime.density))
        style.number_ticks(heat.yaxis, W.shape[1])
        heat.tick_params(length=0, labelsize=5, labelleft=column == 0)
        one = at_point(tables["neurons"], regime.point)["one"].to_numpy()
        panels.neuron_stacks(stack, W, one, style.CATEGORIES, labels=True)
        stack.tick_params(labelsize=5, length=2)
        others = f", {regime.others} in {len(W) - regime.one}" if regime.others else ""
        stack.set_xlabel(f"{regime.one} alone{others}", fontsize=6.5)
    for ax in axes.ravel()[2 * columns * rows :]:
        ax.set_axis_off()
    for row in range(rows):
        axes[2 * row, 0].set_ylabel("feature")
        axes[2 * row + 1, 0].set_ylabel("$|W_k|$")

    counts, rarity = below.subplots(1, 2)
    for threshold, at_threshold in tables["thresholds"].groupby("threshold"):
        ours = threshold == neurons.MONOSEMANTIC
        line = {"color": "k", "lw": 1.3, "zorder": 2, "ms": 3} if ours else {"color": "0.7", "lw": 0.6, "ms": 1.5}
        line["label"] = "ours" if ours else None
        counts.plot(at_threshold["density"], at_threshold["one"], "o-", **line)
    for stated in PAPER_REGIMES:
        low, high = max(stated.low, table["density"].min()) / 1.03, stated.high * 1.03
        label = "the paper" if stated is PAPER_REGIMES[0] else None
        counts.plot(
            [low, high], [stated.monosemantic] * 2, color=style.CATEGORIES[1], lw=5, alpha=0.5, zorder=1, label=label
        )
    thresholds = f"thresholds {DRIVE_THRESHOLDS[0]:g} to {DRIVE_THRESHOLDS[-1]:g}"
    counts.plot([], [], color="0.7", lw=0.6, label=thresholds)
    counts.set(xscale="log", xlabel="$1-S$", ylabel="neurons with one feature")
    counts.legend(loc="upper left")
    basins = tables["basins"]
    rarity.plot(basins["density"], basins["same_kind"] / basins["restarts"], "o-", ms=3, label="of the best one's kind")
    as_good = basins["as_good"] / basins["restarts"]
    rarity.plot(basins["density"], as_good, "s-", ms=3, label=f"within {LOSS_TOLERANCE:.0%} of its loss")
    rarity.set(xscale="log", yscale="log", xlabel="$1-S$", ylabel="share of restarts")
    rarity.legend(loc="lower right")
    return fig


def _draw_codes(middle: SubFigure, tables: dict[str, pd.DataFrame], regimes: pd.DataFrame) -> None:
    """Draw the codes of the neurons that features share: three features in the plane of two neurons, then patterns.

    A pattern has a row for every represented feature that is not alone in its neuron, and a dot where it activates a
    neuron. Rows and neurons are sorted so that the pattern can be recognised.
    """
    shared = tables["features"].query("represented and not alone")
    kinds = regimes[regimes["point"].isin(shared["point"])].drop_duplicates(["one", "others"])
    axes = middle.subplots(1, 1 + len(kinds), squeeze=False)[0]
    for ax, regime in zip(axes[1:], kinds.itertuples(), strict=True):
        words = at_point(shared, regime.point).set_index("feature")["code"]
        units = at_point(tables["neurons"], regime.point).query("not one")["neuron"].to_numpy()
        code = np.array([[word[k] == "●" for k in units] for word in words])
        code = code[:, np.lexsort((*code[::-1], -code.sum(0)))]
        order = np.lexsort((*~code.T[::-1], -code.sum(1)))
        for row, feature in enumerate(order):
            for k, active in enumerate(code[feature]):
                colour = style.CATEGORIES[words.index[feature] % 10] if active else "none"
                ax.scatter(k, row, s=26, color=colour, edgecolor="0.7", lw=0.4)
        ax.set_yticks(range(len(order)), [f"{words.index[i] + 1}" for i in order])
        ax.set(xticks=[], xlim=(-0.6, code.shape[1] - 0.4), ylim=(len(order) - 0.4, -0.6), aspect="equal")
        ax.set_title(f"{style.density_title(regime.density)}\n{regime.others} in {code.shape[1]} neurons", fontsize=7)
        ax.tick_params(length=0, labelsize=5.5)
        ax.spines[:].set_visible(False)
    if len(kinds):
        axes[1].set_ylabel("feature")
    _draw_plane(axes[0], tables, regimes)


def _draw_plane(ax: Axes, tables: dict[str, pd.DataFrame], regimes: pd.DataFrame) -> None:
    """Draw the features that share two neurons as vectors in the plane of these neurons, at the lowest such density."""
    shared = regimes[(regimes["one"] == 3) & (regimes["others"] > 0)]
    ax.set(title="their plane", xlabel="a neuron", ylabel="another", aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))
    ax.axhline(0, color="0.8", lw=0.5)
    ax.axvline(0, color="0.8", lw=0.5)
    if shared.empty:
        return
    point, density = shared.iloc[-1][["point", "density"]]
    W = neurons.layer(at_point(tables["weights"], point))[~at_point(tables["neurons"], point)["one"].to_numpy()]
    features = at_point(tables["features"], point)
    for i in features.loc[features["represented"] & ~features["alone"], "feature"]:
        ax.annotate("", W[:, i], (0, 0), arrowprops={"arrowstyle": "->", "color": style.CATEGORIES[i % 10], "lw": 1.3})
        ax.annotate(f"$W_{{{i + 1}}}$", 1.12 * W[:, i], fontsize=6, **style.CENTRED)
    ax.set_title(f"{style.density_title(density)}\nin the plane", fontsize=7)
    ax.tick_params(labelsize=5.5)

"""Draw the figures of the absolute-value model: layers as matrices and graphs, neurons as stacks, and motifs."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from superposition.analysis import neurons
from superposition.analysis.rows import rows_at
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    PAPER_INPUT_WEIGHT,
    ZOOM_DENSITIES,
    count_monosemantic,
    motifs_of_shown_model,
)
from superposition.plotting import panels, style

# Features of W_1 that are drawn beside the stacks.
MATRIX_FEATURES = 40


def _format_weight(value: float) -> str:
    """Format a weight with two significant digits."""
    return f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.1f}" if abs(value) >= 0.995 else f"{value:.2f}"


def _draw_matrix(ax: Axes, W: Float[np.ndarray, "m n"], title: str) -> None:
    """Draw a layer as a matrix with its values, a row per neuron."""
    style.signed_matrix(ax, W, reach=2.0, aspect="auto")
    for (k, i), value in np.ndenumerate(W):
        if abs(value) >= 0.05:
            colour = "k" if abs(value) < 1.3 else "w"
            ax.text(i, k, _format_weight(value), fontsize=6, color=colour, **style.CENTRED)
    ax.set_title(title)
    style.number_ticks(ax.xaxis, W.shape[1])
    style.number_ticks(ax.yaxis, len(W))
    ax.tick_params(length=0)


def _draw_graph(ax: Axes, W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> None:
    """Draw inputs, neurons and outputs from left to right, joined by lines as wide as the weights are large."""
    m, n = W.shape
    heights = {"x": np.linspace(1, 0, n), "h": np.linspace(1.08, -0.08, m), "y": np.linspace(1, 0, n)}
    for layer, left, right in ((W, 0.0, 1.0), (W_out, 1.0, 2.0)):
        for (k, i), value in np.ndenumerate(layer):
            if abs(value) > 0.05:
                ends = (heights["x"][i], heights["h"][k]) if layer is W else (heights["h"][k], heights["y"][i])
                colour = style.signed()(0.95 if value > 0 else 0.05)
                ax.plot([left, right], ends, color=colour, lw=1.4 * min(abs(value), 2), zorder=1)
    for column, (name, column_heights) in enumerate(heights.items()):
        for number, height in enumerate(column_heights, 1):
            ax.scatter(column, height, s=110, color="white", edgecolor="0.3", lw=0.7, zorder=2)
            ax.text(column, height, f"${name}_{number}$", fontsize=6, **style.CENTRED)
    ax.set(xlim=(-0.15, 2.15), ylim=(-0.2, 1.2))
    ax.set_axis_off()


def absolute_small(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw both layers as matrices, the stacks of weights, and the graph of the model."""
    W, W_out = (neurons.layer(tables["weights"], name) for name in ("weight", "out"))
    fig, axes = plt.subplots(1, 4, figsize=(style.PAGE, 2.3), width_ratios=[1, 1, 1.5, 1.7])
    _draw_matrix(axes[0], W, "$W_1$")
    _draw_matrix(axes[1], W_out, r"$W_2^\mathsf{T}$")
    axes[0].set(xlabel="feature", ylabel="neuron")
    axes[1].set(xlabel="output")
    panels.neuron_stacks(axes[2], W, neurons.monosemantic(np.abs(W)), style.CATEGORIES)
    axes[2].set(xlabel="neuron, by feature and sign", ylabel="$|W_1|$")
    names = [f"{np.abs(row).argmax() + 1}{'+' if row.max() > -row.min() else '-'}" for row in W]
    axes[2].set_xticks(range(len(W)), names)
    _draw_graph(axes[3], W, W_out)
    return fig


def _draw_circuit(
    ax: Axes, motif: Mapping[str, Any], into: Float[np.ndarray, " n"], out: Float[np.ndarray, " n"]
) -> None:
    """Draw one instance of the motif: two inputs, the shared neuron, its inhibitor, two outputs, and the weights.

    Args:
        ax: Axes to draw on.
        motif: The row of the instance in the table ``motifs``.
        into: Input weights of the inhibitor, scaled like those of the shared neuron.
        out: Output weights of the inhibitor, scaled likewise.
    """
    first, second = motif["first"], motif["second"]
    (x1, y1), (x2, y2) = ((f"$x_{{{i + 1}}}$", f"$y_{{{i + 1}}}$") for i in (first, second))
    places = {x1: (0, 1), x2: (0, 0), "shared": (1, 0.5), "inhibitor": (1, 1.35), y1: (2, 1), y2: (2, 0)}
    # The ends of every line, its weight, and where along it the label is clear of the lines that cross.
    lines = [
        (x1, "shared", motif["in_first"], 0.45),
        (x2, "shared", motif["in_second"], 0.45),
        (x1, "inhibitor", into[first], 0.45),
        ("shared", y1, motif["out_first"], 0.75),
        ("shared", y2, motif["out_second"], 0.45),
        ("inhibitor", y2, out[second], 0.55),
    ]
    for start, end, value, along in lines:
        (left, low), (right, high) = places[start], places[end]
        colour = style.signed()(0.95 if value > 0 else 0.05)
        width = min(0.5 + abs(value), 4)
        ax.plot([left, right], [low, high], color=colour, lw=width, zorder=1, solid_capstyle="round")
        at = left + along * (right - left), low + along * (high - low)
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        ax.text(*at, f"{value:.2f}", fontsize=6.5, bbox=plain, zorder=3, **style.CENTRED)
    for name, at in places.items():
        framed = {"facecolor": "white", "edgecolor": "0.3", "boxstyle": "round,pad=0.3", "lw": 0.7}
        ax.text(*at, name, fontsize=7, bbox=framed, zorder=4, **style.CENTRED)
    ax.set(xlim=(-0.25, 2.25), ylim=(-0.25, 1.6))
    ax.set_axis_off()


def _draw_parts(fig: SubFigure, W: Float[np.ndarray, "m n"], motifs: pd.DataFrame, density: float) -> None:
    """Draw the stacks of a model, taken apart into the neurons that compute |x| as usual and those of the motif."""
    inside = [*dict.fromkeys(motifs[["shared", "inhibitor"]].to_numpy().ravel())]
    usual = [k for k in range(len(W)) if k not in inside]
    parts = {
        f"the model, {style.density_title(density)}": [*range(len(W))],
        "= |x|, or one side of it": usual,
        "+ neurons of the motif": inside,
    }
    axes = fig.subplots(1, 3, width_ratios=[max(1, len(part)) for part in parts.values()], sharey=True)
    for ax, (title, part) in zip(axes, parts.items(), strict=True):
        ax.set_title(title)
        if part:
            panels.neuron_stacks(ax, W[part], ~np.isin(part, inside), style.CATEGORIES, labels=True)
        ax.set_xticks(range(len(part)), [str(k + 1) for k in part])
        ax.tick_params(axis="x", length=0)
        ax.set_xlabel("neuron")
    axes[0].set(ylabel="$|W_1|$", ylim=(0, 1.1 * np.abs(W).sum(axis=1).max()))


def asymmetric_motif(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the model and its parts, its first two motifs as circuits, and the second output without inhibition."""
    W, W_out = (neurons.layer(tables["weights"], name) for name in ("weight", "out"))
    b = tables["weights"].query("neuron == 0")["bias"].to_numpy()
    motifs, ablations = motifs_of_shown_model(tables), tables["ablations"]
    fig, above, below = style.figure_in_rows(5.9, 1.5, 4.3)
    _draw_parts(above, W, motifs, tables["weights"]["density"].iloc[0])
    left, right = below.subfigures(1, 2, width_ratios=[1, 1.5])
    heats = left.subplots(1, 2)
    _draw_matrix(heats[0], W, "$W_1$")
    _draw_matrix(heats[1], W_out, r"$W_2^\mathsf{T}$")
    heats[0].set(ylabel="neuron", xlabel="feature")
    heats[1].set(xlabel="output", yticks=[])
    axes = right.subplots(2, 2, height_ratios=[1.4, 1], squeeze=False)
    slopes = np.linspace(0, 1, 50)
    for (circuit, response), (k, motif) in zip(axes.T, enumerate(motifs.to_dict(orient="records"), 1), strict=False):
        sign = np.sign(W[motif["shared"], motif["first"]])
        scale = np.abs(motif["in_first"] / W[motif["inhibitor"], motif["first"]])
        _draw_circuit(circuit, motif, scale * W[motif["inhibitor"]], W_out[motif["inhibitor"]] / scale)
        names = f"neuron {motif['shared'] + 1}, inhibited by {motif['inhibitor'] + 1}"
        circuit.set_title(f"{names}\n(inputs scaled to {PAPER_INPUT_WEIGHT:g})", fontsize=7)
        losses = ablations[ablations["instance"].isin([0, k])].set_index("without")["loss"]
        without = W_out.copy()
        without[motif["inhibitor"], motif["second"]] = 0
        h = np.maximum(slopes[:, None] * sign * W[:, motif["first"]], 0)
        for label, layer, ablation, colour in (
            ("without inhibition", without, "inhibition", style.CATEGORIES[3]),
            ("as trained", W_out, "nothing", style.CATEGORIES[2]),
        ):
            output = np.maximum(h @ layer + b, 0)[:, motif["second"]]
            response.plot(slopes, output, color=colour, label=f"{label}, loss {losses[ablation]:.3f}")
        side = "" if sign > 0 else "-"
        response.set(xlabel=f"${side}x_{{{motif['first'] + 1}}}$ alone", ylabel=f"$y_{{{motif['second'] + 1}}}$")
        response.set_ylim(top=1.5 * response.get_ylim()[1])
        response.legend(loc="upper left", fontsize=6)
    for ax in axes[:, len(motifs) :].ravel():
        ax.set_axis_off()
    return fig


def _draw_stacks(ax: Axes, W: Float[np.ndarray, "m n"], labels: bool = False) -> int:
    """Draw the neurons of a large model as stacks, coloured by importance; return how many are monosemantic.

    The least important features, which no model represents, share a colour.
    """
    one = neurons.monosemantic(np.abs(W))
    panels.neuron_stacks(ax, W, one, [style.FEATURES(min(i / 30, 1)) for i in range(W.shape[1])], labels)
    return int(one.sum())


def absolute_neurons(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the stacks of |W_1| of the best model at every density, with W_1 beside them; below, what they compute."""
    weights, units = tables["weights"], tables["neurons"]
    densities = sorted(weights["density"].unique(), reverse=True)
    models = tables["models"][tables["models"]["experiment"].isin(MAIN_EXPERIMENTS)]
    fig, above, below = style.figure_in_rows(1.08 * len(densities) + 2, 1.08 * len(densities), 2)
    axes = above.subplots(len(densities), 2, width_ratios=[5, 1], squeeze=False)
    for (ax, heat), density in zip(axes, densities, strict=True):
        W = neurons.layer(rows_at(weights, density=density))
        one = _draw_stacks(ax, W)
        counts = count_monosemantic(rows_at(units, density=density)).iloc[0]
        known = (rows_at(tables["best_neurons"], density=density)["second"] < neurons.MONOSEMANTIC).sum()
        here = rows_at(models, density=density)
        relative = (here["loss"] / here["yardstick"]).min()
        ax.set_title(
            f"{style.density_title(density)}: {one} of {len(W)} neurons with one feature "
            f"(seeds: {', '.join(map(str, counts))}; best known: {known})",
            loc="left",
            fontsize=7,
            pad=2,
        )
        ax.tick_params(labelsize=6)
        style.signed_matrix(heat, W[:, :MATRIX_FEATURES], aspect="auto")
        heat.set_title(f"loss / yardstick: {relative:.2f}", fontsize=7, pad=2)
        heat.set_xticks([0, MATRIX_FEATURES - 1], ["1", str(MATRIX_FEATURES)] if density == densities[-1] else ["", ""])
        heat.tick_params(length=0, labelsize=6, pad=2)
    axes[-1, 1].set_xlabel("$W_1$, by feature")
    axes[-1, 0].set_xlabel("neuron, by the importance of its largest feature")
    above.supylabel("$|W_1|$, the largest at 1", fontsize=8)
    scale = plt.cm.ScalarMappable(Normalize(1, 31), style.FEATURES)
    label = "feature, from the most important on"
    bar = style.colorbar(above, scale, label, ax=axes.ravel().tolist(), shrink=0.4, pad=0.01, ticks=[1, 11, 21, 31])
    bar.ax.set_yticklabels(["1", "11", "21", "31 …"])
    computed = tables["computed"][tables["computed"]["experiment"].isin(MAIN_EXPERIMENTS)]
    _draw_computed(below.subplots(1, 2), computed, tables["best_computed"], len(W))
    return fig


def _draw_computed(axes: np.ndarray, computed: pd.DataFrame, best: pd.DataFrame, m: int) -> None:
    """Draw how much of every |x_i| the models compute, and of how many features, beside the numbers of neurons.

    m neurons compute |x| of m/2 features exactly. Lines are means over seeds, points single seeds; dashed lines are the
    best known models.
    """
    shares, counts = axes
    densities = sorted(computed["density"].unique(), reverse=True)
    colours = style.SUPERPOSITION(np.linspace(0, 0.95, len(densities)))
    for density, colour in zip(densities, colours, strict=True):
        mean = rows_at(computed, density=density).groupby("feature")["explained"].mean()
        shares.plot(mean.index + 1, mean, color=colour, lw=1, label=f"{density:g}")
    shares.set(xlabel="feature", ylabel="explained share of $|x_i|$", xlim=(1, 1.6 * m), ylim=(-0.1, 1.2))
    shares.legend(title="$1-S$", fontsize=6, title_fontsize=6)
    seeds = [computed["density"], computed["seed"]]
    limits = {"more than half": (0.5, 0.0), "more than 3 errors": (0.0, 3.0)}
    for (label, (share, errors)), marker, colour in zip(limits.items(), "os", style.CATEGORIES, strict=False):
        count, known = (t["explained"] > share + errors * t["explained_error"] for t in (computed, best))
        count, known = count.groupby(seeds).sum(), known.groupby(best["density"]).sum()
        mean = count.groupby("density").mean()
        counts.plot(1 / mean.index, mean, "-", marker=marker, color=colour, ms=3, label=label)
        counts.plot(1 / known.index, known, "--", color=colour, lw=1)
        counts.scatter(
            1 / count.index.get_level_values("density"), count, s=6, color=colour, marker=marker, alpha=0.5, lw=0
        )
    counts.plot([], [], "--", color="0.4", lw=1, label="in the best known model")
    for number, label in ((m // 2, "two neurons each"), (m, "one neuron each")):
        counts.axhline(number, color="0.6", lw=0.6, ls=":")
        counts.text(1 / densities[0], number - 1, label, va="top", fontsize=6, color="0.4")
        shares.axvline(number + 0.5, color="0.6", lw=0.6, ls=":")
    style.sparsity_axis(counts, ylabel="features computed", ylim=(0.4 * m, 1.4 * m))
    counts.legend(title="explained", fontsize=6, title_fontsize=6, loc="upper left")


def absolute_zoom(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the stacks of two models with feature numbers, and every neuron's second weight by its main feature."""
    weights, units = tables["weights"], tables["neurons"]
    fig, axes = plt.subplots(3, 1, figsize=(style.PAGE, 6.6), height_ratios=[1.25, 1.25, 1])
    places = zip(axes, ZOOM_DENSITIES, style.CATEGORIES, (-0.125, 0.125), strict=False)
    for ax, density, colour, shift in places:
        one = _draw_stacks(ax, neurons.layer(rows_at(weights, density=density)), labels=True)
        ax.set(title=f"{style.density_title(density)}: {one} neurons with one feature", ylabel="$|W_1|$")
        for seed, rows in rows_at(units, density=density).groupby("seed"):
            label = style.density_title(density) if seed == 0 else None
            axes[-1].scatter(rows["main"] + 1 + shift, rows["second"], s=9, color=colour, alpha=0.7, lw=0, label=label)
    axes[-1].axhline(neurons.MONOSEMANTIC, color="0.5", lw=0.6, ls="--")
    axes[-1].set(xlabel="a neuron's largest feature", ylabel="second weight / largest", ylim=(0, 1), xlim=(0, None))
    # The legend is above the axes, which are full of dots.
    axes[-1].legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(ZOOM_DENSITIES))
    return fig

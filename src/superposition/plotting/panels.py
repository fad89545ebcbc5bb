"""Panels that several sections draw: models with their matrices, neurons as stacks, and lines for polytopes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from superposition.analysis.rows import gram_of
from superposition.plotting import style
from superposition.theory.polytopes import FRACTION_LABELS, FRACTIONS


@dataclass(frozen=True)
class Panel:
    """A model as a panel of a figure: its title, its matrices and its features.

    Attributes:
        title: Title of the panel.
        matrices: Matrices with one row per feature, by label.
        features: The model's rows of the standard table of features.
        known_norms: ‖W_i‖ in the best known model, if it is to be compared.
    """

    title: str
    matrices: Mapping[str, Float[np.ndarray, "n columns"]]
    features: pd.DataFrame
    known_norms: Float[np.ndarray, " n"] | None = None


def gram(pairs: pd.DataFrame) -> dict[str, Float[np.ndarray, "n n"]]:
    """Return WᵀW of one model from its rows of the standard table of pairs, under its label."""
    return {r"$W^\mathsf{T}W$": gram_of(pairs)}


def model_panel(axes: Sequence[Axes], model: Panel, reach: float = 1.0) -> None:
    """Draw one model as in the paper: its matrices, b beside them, and bars of ‖W_i‖ coloured by superposition.

    The panels have one row per feature in common, with the most important feature on top. Black points, or a line
    where features are many, are the norms in the best known model. The axes are those for the matrices, for b and for
    the bars; colours extend from -reach to reach.
    """
    *heatmaps, strip, bars = axes
    features, n = model.features, len(model.features)
    columns = {**model.matrices, "$b$": features["bias"].to_numpy()[:, None]}
    for axis, (label, values) in zip([*heatmaps, strip], columns.items(), strict=True):
        style.signed_matrix(axis, values, reach, aspect="auto")
        axis.set_xlabel(label)
    bars.barh(
        features["feature"],
        features["norm"],
        height=1.0 if n > 40 else 0.85,
        color=style.SUPERPOSITION(np.clip(features["superposition"], 0, 1)),
    )
    if model.known_norms is not None:
        shown = np.where(model.known_norms > 0.05, model.known_norms, np.nan)
        bars.plot(shown, range(n), "k-" if n > 40 else "k.", lw=0.5, ms=2.5, mew=0, zorder=3)
    bars.set(xlim=(0, 1.3), ylim=(n - 0.5, -0.5), xticks=[0, 1], yticks=[], xlabel=r"$\Vert W_i\Vert$")
    bars.tick_params(axis="x", length=2, pad=1)
    bars.axvline(1, color="0.6", lw=0.5, ls=":", zorder=0)
    for axis in axes:
        axis.xaxis.set_label_coords(0.5, -0.16 / (axis.bbox.height / axis.figure.dpi))


def model_grid(
    models: Sequence[Panel], values: str = r"$W_i\cdot W_j$ and $b_i$", reach: float = 1.0, note: str = ""
) -> Figure:
    """Draw models side by side, at most four in a row, with the two colour scales.

    The colour scale of the matrices is labelled ``values`` and extends from -reach to reach; the note stands above the
    panels.
    """
    rows = 1 if len(models) <= 3 else max(2, -(-len(models) // 4))
    columns = -(-len(models) // rows)
    # All lengths are in inches. A panel is a square for the matrices, with the bias and the norms to its right.
    left, scale = 0.08, 0.72
    room = style.PAGE - left - scale * (2 if rows == 1 else 1)
    pitch = min(room / columns, 2.8)
    left += (room - columns * pitch) / 2
    panel = pitch - 0.55
    top = 0.12 * max(model.title.count("\n") + 1 for model in models) + 0.12
    above = 0.18 if note else 0.0
    height = above + rows * (top + panel + 0.38) + 0.04

    def axes_at(row: int, x: float, width: float) -> Axes:
        y = height - above - top - panel - row * (top + panel + 0.38)
        return fig.add_axes((x / style.PAGE, y / height, width / style.PAGE, panel / height))

    fig = plt.figure(figsize=(style.PAGE, height), layout="none")
    longest = max(model.features["norm"].max() for model in models)
    for place, model in enumerate(models):
        row, column = divmod(place, columns)
        x, share = left + column * pitch, (panel + 0.05) / len(model.matrices)
        heatmaps = [axes_at(row, x + k * share, share - 0.05) for k in range(len(model.matrices))]
        strip, bars = axes_at(row, x + panel + 0.03, 0.07), axes_at(row, x + panel + 0.12, pitch - panel - 0.24)
        model_panel([*heatmaps, strip, bars], model, reach)
        heatmaps[0].set_title(model.title, pad=4, x=panel / 2 / (share - 0.05))
        if longest > 1.3:
            bars.set_xlim(0, 1.05 * longest)
    scales = (
        (style.signed(), (-reach, reach), values),
        (style.SUPERPOSITION, (0, 1), r"$\sum_{j\neq i}(\hat W_i\cdot W_j)^2$"),
    )
    for place, (cmap, (low, high), label) in enumerate(scales):
        row, column = (place, 0) if rows > 1 else (0, place)
        beside = axes_at(row, left + columns * pitch + 0.02 + column * scale, 0.08)
        colours = ScalarMappable(Normalize(low, high), cmap)
        style.colorbar(fig, colours, label, cax=beside, ticks=[low, (low + high) / 2, high])
    fig.text(0.08 / style.PAGE, 1 - 0.06 / height, note, va="top", fontsize=7, color="0.35")
    return fig


def fraction_lines(*axes: Axes) -> None:
    """Draw the D_i of polytopes as lines through all axes, with their names to the right of the last."""
    for name, fraction in FRACTIONS.items():
        for ax in axes:
            ax.axhline(fraction, color="0.75", lw=0.5, zorder=0)
        # The labels of 2/5 and 3/8 would overlap.
        shift = {2 / 5: 0.013, 3 / 8: -0.013}.get(fraction, 0.0)
        text = f"{FRACTION_LABELS[fraction]} {name}"
        axes[-1].annotate(text, (1.02, fraction + shift), xycoords=("axes fraction", "data"), va="center", fontsize=7)


def neuron_stacks(
    ax: Axes,
    W: Float[np.ndarray, "m n"],
    one_feature: Sequence[bool] | np.ndarray,
    colours: Sequence[str | tuple[float, ...]],
    labels: bool = False,
) -> None:
    """Draw every neuron as a stack of its |weights|, the largest at the bottom.

    Weights too small to be seen are drawn as one grey piece on top.

    Args:
        ax: Axes to draw on.
        W: Weights of the neurons.
        one_feature: Whether each neuron has a single feature, which sets the colour behind its stack.
        colours: Colour of every feature.
        labels: Whether the larger pieces show the number of their feature.
    """
    size = np.abs(W)
    top = size.sum(1).max()
    boxes: list[np.ndarray] = []
    shades: list[str | tuple[float, ...]] = []
    for k, row in enumerate(size):
        ax.axvspan(k - 0.5, k + 0.5, color=style.NEURON_BACKGROUNDS[bool(one_feature[k])], lw=0, zorder=-1)
        pieces = np.argsort(-row, kind="stable")
        seen = pieces[row[pieces] >= 0.01 * top]
        heights = np.append(row[seen], row[pieces[len(seen) :]].sum())
        bottoms = np.append(0, np.cumsum(heights)[:-1])
        left, right = k - 0.43, k + 0.43
        for low, high in zip(bottoms, bottoms + heights, strict=True):
            boxes.append(np.array([(left, low), (right, low), (right, high), (left, high)]))
        shades += [*(colours[i] for i in seen), "0.7"]
        for i, bottom in zip(seen, bottoms, strict=False):
            if labels and row[i] >= 0.07 * top:
                ink = "w" if np.dot(to_rgb(colours[i]), (0.3, 0.6, 0.1)) < 0.55 else "k"
                ax.text(k, bottom + row[i] / 2, i + 1, fontsize=4.5, color=ink, in_layout=False, **style.CENTRED)
    ax.add_collection(PolyCollection(boxes, facecolors=shades, edgecolors="white", linewidths=0.25, joinstyle="miter"))
    ax.set(xlim=(-0.5, len(W) - 0.5), ylim=(0, 1.12 * top), xticks=[])

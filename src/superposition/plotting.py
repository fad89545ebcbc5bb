"""One look for all figures: style, colours, and the pictures that several sections draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.animation import Animation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure, FigureBase
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D

from superposition.theory.polytopes import FRACTIONS, WRITTEN

STYLE = Path(__file__).with_suffix(".mplstyle")
PAGE = 7.0  # inches: the width of a page

# Colour-blind-safe throughout: seaborn's palette for kinds, perceptually uniform maps for quantities.
CATEGORIES = sns.color_palette("colorblind").as_hex()
SIGNED = sns.diverging_palette(250, 20, s=85, l=45, as_cmap=True)  # a weight or a dot product: blue < 0 < orange
SUPERPOSITION = mpl.colormaps["viridis"]  # 0 (a dimension of its own) to 1 (shared, or more)
IMPORTANCE = mpl.colormaps["cividis_r"]
FEATURES = mpl.colormaps["plasma"]  # many features, by their number
POLYTOPES = {  # the colour of a feature by the polytope of its factor
    "single": CATEGORIES[5],
    "digon": CATEGORIES[0],
    "triangle": CATEGORIES[3],
    "tetrahedron": CATEGORIES[4],
    "pentagon": CATEGORIES[1],
    "square antiprism": CATEGORIES[2],
    "hexagon": CATEGORIES[6],
    "heptagon": CATEGORIES[8],
    "icosahedron": CATEGORIES[9],
    "other": "0.55",
    "absent": "0.8",
}

NEURONS = {True: "#dceaf6", False: "#fbe6cf"}  # behind a neuron with one feature, and with several

FINE = 0.4  # of a line, in points
MANY = 20  # features: more have no labels
ELEVATION, AZIMUTH = 0.3, 0.6  # from where what is in space is seen
VIEW = np.array([np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH), np.sin(ELEVATION)])
# For figures with solids, which reach beyond their axes: titles make room. To look for that takes a tenth of the time
# of drawing, so others do without.
with_solids = mpl.rc_context({"axes.titley": None})

plt.style.use(STYLE)
sns.set_palette(CATEGORIES)


def save(figure: Figure, *paths: str | Path) -> None:
    """Writes the figure in the format of each path's suffix; the same content gives the same bytes."""
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # once is enough
        _round(figure)
        for path in paths:
            dated = {"Date": None} if str(path).endswith(".svg") else {"Software": None}
            figure.savefig(path, metadata=dated)
    plt.close(figure)


def save_animation(animation: Animation, path: str | Path) -> None:
    """Writes a GIF of eight frames a second."""
    with mpl.rc_context({"figure.constrained_layout.use": False}):  # or each frame is laid out as it is saved
        animation.save(path, PillowWriter(fps=8), dpi=100)


def _round(figure: Figure) -> None:
    """Rounds where the layout puts things: the last bits of its solver differ from run to run."""
    parts: list[FigureBase] = [figure]
    while parts:
        part = parts.pop()
        for below in part.subfigs:
            below.bbox_relative.set_points(below.bbox_relative.get_points().round(6))
            parts.append(below)
    for ax in figure.axes:
        ax.set_position(Bbox(ax.get_position(original=True).get_points().round(6)))


def density_title(density: float) -> str:
    """The label of one model of a sweep over densities, in the paper's symbols."""
    return f"$1-S = {density:g}$"


def colorbar(figure: FigureBase, values: ScalarMappable, label: str, **placed: Any) -> Colorbar:
    """What the colours of a picture mean; ``placed`` as in matplotlib's own."""
    bar = figure.colorbar(values, label=label, **placed)
    bar.outline.set_linewidth(FINE)
    return bar


def frame(ax: Axes) -> None:
    """A fine line around a matrix or a map."""
    ax.spines[:].set(visible=True, linewidth=FINE, color="0.5")


@dataclass(frozen=True)
class Panel:
    """One model of a figure; the matrices have a row per feature, and go by their labels."""

    title: str
    matrices: Mapping[str, Float[np.ndarray, "n columns"]]
    features: pd.DataFrame  # its rows of the standard table


def gram(pairs: pd.DataFrame) -> dict[str, Float[np.ndarray, "n n"]]:
    """WᵀW of one model, by its label."""
    return {r"$W^\mathsf{T}W$": pairs.pivot(index="i", columns="j", values="dot").to_numpy()}


def model_panel(axes: Sequence[Axes], model: Panel, reach: float = 1.0) -> None:
    """One model as the paper draws it: its matrices, b beside them, and bars of ‖W_i‖ coloured by superposition.

    The axes share their rows, one per feature, the most important on top. Colours reach from -reach to reach.
    """
    *heats, strip, bars = axes
    features, n = model.features, len(model.features)
    columns = {**model.matrices, "$b$": features["bias"].to_numpy()[:, None]}
    for axis, (label, values) in zip([*heats, strip], columns.items(), strict=True):
        axis.imshow(values, cmap=SIGNED, vmin=-reach, vmax=reach, aspect="auto")
        axis.set(xticks=[], yticks=[], xlabel=label)
        frame(axis)
    bars.barh(
        features["feature"],
        features["norm"],
        height=1.0 if n > 40 else 0.85,
        color=SUPERPOSITION(np.clip(features["superposition"], 0, 1)),
    )
    bars.set(xlim=(0, 1.3), ylim=(n - 0.5, -0.5), xticks=[0, 1], yticks=[], xlabel=r"$\Vert W_i\Vert$")
    bars.tick_params(axis="x", length=2, pad=1)
    bars.axvline(1, color="0.6", lw=0.5, ls=":", zorder=0)
    for axis in axes:
        axis.xaxis.set_label_coords(0.5, -0.16 / (axis.bbox.height / axis.figure.dpi))


def model_grid(
    models: Sequence[Panel], values: str = r"$W_i\cdot W_j$ and $b_i$", reach: float = 1.0, note: str = ""
) -> Figure:
    """Models side by side, at most four in a row, and two scales of colour; ``values`` says what the first is of."""
    rows = 1 if len(models) <= 3 else max(2, -(-len(models) // 4))
    columns = -(-len(models) // rows)
    # All in inches. A panel is a square for the matrices, with the bias and the norms at its right.
    left, scale = 0.08, 0.72
    room = PAGE - left - scale * (2 if rows == 1 else 1)
    pitch = min(room / columns, 2.8)
    left += (room - columns * pitch) / 2
    panel = pitch - 0.55
    top = 0.12 * max(model.title.count("\n") + 1 for model in models) + 0.12
    above = 0.18 if note else 0.0
    height = above + rows * (top + panel + 0.38) + 0.04

    def axes_at(row: int, x: float, width: float) -> Axes:
        y = height - above - top - panel - row * (top + panel + 0.38)
        return fig.add_axes((x / PAGE, y / height, width / PAGE, panel / height))

    fig = plt.figure(figsize=(PAGE, height), layout="none")
    longest = max(model.features["norm"].max() for model in models)
    for place, model in enumerate(models):
        row, column = divmod(place, columns)
        x, share = left + column * pitch, (panel + 0.05) / len(model.matrices)
        heats = [axes_at(row, x + k * share, share - 0.05) for k in range(len(model.matrices))]
        strip, bars = axes_at(row, x + panel + 0.03, 0.07), axes_at(row, x + panel + 0.12, pitch - panel - 0.24)
        model_panel([*heats, strip, bars], model, reach)
        heats[0].set_title(model.title, pad=4, x=panel / 2 / (share - 0.05))
        if longest > 1.3:
            bars.set_xlim(0, 1.05 * longest)
    scales = ((SIGNED, (-reach, reach), values), (SUPERPOSITION, (0, 1), r"$\sum_{j\neq i}(\hat W_i\cdot W_j)^2$"))
    for place, (cmap, (low, high), label) in enumerate(scales):
        row, column = (place, 0) if rows > 1 else (0, place)
        beside = axes_at(row, left + columns * pitch + 0.02 + column * scale, 0.08)
        colours = ScalarMappable(Normalize(low, high), cmap)
        colorbar(fig, colours, label, cax=beside, ticks=[low, (low + high) / 2, high])
    fig.text(0.08 / PAGE, 1 - 0.06 / height, note, va="top", fontsize=7, color="0.35")
    return fig


def feature_arrows(ax: Axes, features: pd.DataFrame, importance: Normalize, reach: float = 1.45) -> None:
    """The columns of one model's W as arrows in the plane, or in space on axes with ``projection="3d"``.

    Coloured by importance. Features in one place share a label; those near 0 have none, nor has any where there are
    many.
    """
    W = features[[c for c in ("w0", "w1", "w2") if c in features]].to_numpy()
    width, size = (0.6, 8) if len(W) > MANY else (1.5, 18)
    colours = IMPORTANCE(importance(features["importance"].to_numpy()))
    (_space if isinstance(ax, Axes3D) else _plane)(ax, W)
    for place, colour in zip(W, colours, strict=True):
        ax.plot(*np.stack([0 * place, place]).T, color=colour, lw=width, solid_capstyle="round")
        ax.scatter(*place[:, None], s=size, color=[colour], edgecolor="0.2", lw=0.5, zorder=3)
    if len(W) <= MANY:
        _label(ax, W)
    ax.set(**{f"{axis}lim": (-reach, reach) for axis in "xyz"[: W.shape[1]]})


def _label(ax: Axes, W: Float[np.ndarray, "n m"]) -> None:
    """Writes W_i beyond the end of every arrow that can be seen."""
    groups: list[tuple[np.ndarray, list[str]]] = []
    for number, place in enumerate(W, start=1):
        if np.linalg.norm(place) > 0.3:
            together = next((names for other, names in groups if np.linalg.norm(place - other) < 0.2), None)
            if together is None:
                groups.append((place, [str(number)]))
            else:
                together.append(str(number))
    for place, names in groups:
        text, outward = f"$W_{{{','.join(names)}}}$", place / np.linalg.norm(place)
        if isinstance(ax, Axes3D):  # what comes towards the reader has its label beside it
            aside = outward - (outward @ VIEW) * VIEW
            x, y, z = place + 0.2 * aside / max(np.linalg.norm(aside), 0.5)
            ax.text(x, y, z, text, ha="center", va="center", fontsize=7)
        else:
            beyond = outward * [6 + 2.5 * len(names), 8.5]
            ax.annotate(
                text, tuple(place), tuple(beyond), textcoords="offset points", ha="center", va="center", fontsize=7
            )


def _plane(ax: Axes, W: Float[np.ndarray, "n 2"]) -> None:
    """The unit circle, and the axes."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6, ls=":"))
    ax.axhline(0, color="0.9", lw=0.5, zorder=0)
    ax.axvline(0, color="0.9", lw=0.5, zorder=0)
    ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def _space(ax: Axes3D, W: Float[np.ndarray, "n 3"]) -> None:
    """The outline of the unit sphere, the axes, and the edges of the convex hull of what is represented."""
    _look(ax, zoom=1.7)
    ax.set_proj_type("ortho")
    ax.set_axis_off()
    side = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0])
    turn = np.linspace(0, 2 * np.pi, 100)[:, None]
    ax.plot(*(np.cos(turn) * side + np.sin(turn) * np.cross(VIEW, side)).T, color="0.8", lw=0.6, ls=":")
    for axis in np.eye(3):
        ax.plot(*np.stack([-axis, axis]).T, color="0.9", lw=0.5)
    corners = W[np.linalg.norm(W, axis=1) > 0.3]
    if len(corners) > 3 and np.linalg.matrix_rank(corners[1:] - corners[0], tol=0.1) == 3:
        for edge in hull_edges(corners):
            ax.plot(*corners[list(edge)].T, color="0.6", lw=0.5)


def fraction_lines(*axes: Axes) -> None:
    """The D_i of polytopes as lines through all axes, with their names at the right of the last."""
    for name, fraction in FRACTIONS.items():
        for ax in axes:
            ax.axhline(fraction, color="0.75", lw=0.5, zorder=0)
        apart = {2 / 5: 0.013, 3 / 8: -0.013}.get(fraction, 0.0)  # their labels would overlap
        text = f"{WRITTEN[fraction]} {name}"
        axes[-1].annotate(text, (1.02, fraction + apart), xycoords=("axes fraction", "data"), va="center", fontsize=7)


def neuron_stacks(
    ax: Axes,
    W: Float[np.ndarray, "m n"],
    one_feature: Sequence[bool] | np.ndarray,
    colours: Sequence[str | tuple[float, ...]],
    labels: bool = False,
) -> None:
    """Every neuron as a stack of its |weights|, the largest at the bottom, coloured by feature (one colour for each).

    Behind a neuron the colour of ``NEURONS``. What is too small to be seen is one grey piece on top; with ``labels``
    the larger pieces bear the number of their feature.
    """
    size = np.abs(W)
    top = size.sum(1).max()
    boxes: list[np.ndarray] = []
    shades: list[str | tuple[float, ...]] = []
    for k, row in enumerate(size):
        ax.axvspan(k - 0.5, k + 0.5, color=NEURONS[bool(one_feature[k])], lw=0, zorder=-1)
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
                dark = np.dot(to_rgb(colours[i]), (0.3, 0.6, 0.1)) < 0.55
                ax.text(
                    k,
                    bottom + row[i] / 2,
                    i + 1,
                    ha="center",
                    va="center",
                    fontsize=4.5,
                    color="kw"[int(dark)],
                    in_layout=False,
                )
    ax.add_collection(PolyCollection(boxes, facecolors=shades, edgecolors="white", linewidths=0.25, joinstyle="miter"))
    ax.set(xlim=(-0.5, len(W) - 0.5), ylim=(0, 1.12 * top), xticks=[])


def arrangement(ax: Axes, W: Float[np.ndarray, "m n"], colour: str) -> None:
    """The columns of W as the corners of a polytope with its edges; m = 2, or 3 on axes with ``projection="3d"``."""
    points = W.T
    lines = hull_edges(points)
    if not isinstance(ax, Axes3D):
        for line in lines:
            ax.plot(*points[list(line)].T, color=colour, lw=0.8)
        for point in points:
            ax.plot(*np.stack([np.zeros(2), point]).T, color="0.8", lw=0.5, zorder=0)
        ax.scatter(*points.T, s=8, color=colour, zorder=2)
        reach = 1.15 * np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    else:
        front = points @ VIEW  # the nearer, the darker
        for line in lines:
            near = front[list(line)].mean() > -0.05
            ax.plot(*points[list(line)].T, color=colour, lw=0.9 if near else 0.5, alpha=1 if near else 0.45)
        ax.scatter(*points.T, s=7, color=colour, depthshade=False)
        reach = np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        _look(ax, zoom=1.2)
    ax.set_axis_off()


def _look(ax: Axes3D, zoom: float) -> None:
    """From the direction ``VIEW``."""
    ax.view_init(elev=np.degrees(ELEVATION), azim=np.degrees(AZIMUTH))
    ax.set_box_aspect((1, 1, 1), zoom=zoom)


def hull_edges(points: Float[np.ndarray, "n m"]) -> list[tuple[int, int]]:
    """The edges of the convex hull in two or three dimensions, without those inside a flat face."""
    from scipy.spatial import ConvexHull  # most figures have no solids

    hull = ConvexHull(points)
    if points.shape[1] == 2:
        return sorted((int(min(ends)), int(max(ends))) for ends in hull.simplices)
    faces: dict[tuple[int, int], list[np.ndarray]] = {}
    for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
        a, b, c = sorted(map(int, triangle))
        for edge in ((a, b), (a, c), (b, c)):
            faces.setdefault(edge, []).append(plane[:3])
    return sorted(edge for edge, (one, other) in faces.items() if one @ other < 0.98)

"""One look for all figures: style, colours, and the pictures that several sections draw."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, FigureBase
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D
from scipy.spatial import ConvexHull

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

plt.style.use(STYLE)
sns.set_palette(CATEGORIES)


def save(figure: Figure, *paths: str | Path) -> None:
    """Writes the figure in the format of each path's suffix; the same content gives the same bytes."""
    _lay_out(figure)
    for path in paths:
        dated = {"Date": None} if str(path).endswith(".svg") else {"Software": None}
        figure.savefig(path, metadata=dated)
    plt.close(figure)


def _lay_out(figure: Figure) -> None:
    """Runs the layout once and rounds where it puts things: the last bits of its solver differ from run to run."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
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


def gram_panel(axes: Sequence[Axes], pairs: pd.DataFrame, features: pd.DataFrame) -> None:
    """One model as the paper draws it: WᵀW, b beside it, and bars of ‖W_i‖ coloured by superposition.

    The three axes share their rows, one per feature, the most important on top.
    """
    heat, strip, bars = axes
    n = len(features)
    gram = pairs.pivot(index="i", columns="j", values="dot").to_numpy()
    heat.imshow(gram, cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
    strip.imshow(features["bias"].to_numpy()[:, None], cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
    bars.barh(
        features["feature"],
        features["norm"],
        height=1.0 if n > 40 else 0.85,
        color=SUPERPOSITION(np.clip(features["superposition"], 0, 1)),
    )
    bars.set(xlim=(0, 1.3), ylim=(n - 0.5, -0.5), xticks=[0, 1], yticks=[])
    bars.tick_params(axis="x", length=2, pad=1)
    bars.axvline(1, color="0.6", lw=0.5, ls=":", zorder=0)
    for axis in (heat, strip):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, linewidth=0.4, color="0.5")


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
    for k, row in enumerate(size):
        ax.axvspan(k - 0.5, k + 0.5, color=NEURONS[bool(one_feature[k])], lw=0, zorder=-1)
        pieces = np.argsort(-row, kind="stable")
        seen = pieces[row[pieces] >= 0.01 * top]
        heights = np.append(row[seen], row[pieces[len(seen) :]].sum())
        bottoms = np.append(0, np.cumsum(heights)[:-1])
        ax.bar(k, heights, 0.86, bottoms, color=[*(colours[i] for i in seen), "0.7"], edgecolor="white", lw=0.25)
        for i, bottom in zip(seen, bottoms, strict=False):
            if labels and row[i] >= 0.07 * top:
                dark = np.dot(to_rgb(colours[i]), (0.3, 0.6, 0.1)) < 0.55
                ax.text(k, bottom + row[i] / 2, i + 1, ha="center", va="center", fontsize=4.5, color="kw"[int(dark)])
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
        view = np.array([np.cos(0.3) * np.cos(0.6), np.cos(0.3) * np.sin(0.6), np.sin(0.3)])
        front = points @ view  # the nearer, the darker
        for line in lines:
            near = front[list(line)].mean() > -0.05
            ax.plot(*points[list(line)].T, color=colour, lw=0.9 if near else 0.5, alpha=1 if near else 0.45)
        ax.scatter(*points.T, s=7, color=colour, depthshade=False)
        ax.view_init(elev=np.degrees(0.3), azim=np.degrees(0.6))
        reach = np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        ax.set_box_aspect((1, 1, 1), zoom=1.2)
    ax.set_axis_off()


def hull_edges(points: Float[np.ndarray, "n m"]) -> list[tuple[int, int]]:
    """The edges of the convex hull in two or three dimensions, without those inside a flat face."""
    hull = ConvexHull(points)
    if points.shape[1] == 2:
        return sorted((int(min(ends)), int(max(ends))) for ends in hull.simplices)
    faces: dict[tuple[int, int], list[np.ndarray]] = {}
    for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
        a, b, c = sorted(map(int, triangle))
        for edge in ((a, b), (a, c), (b, c)):
            faces.setdefault(edge, []).append(plane[:3])
    return sorted(edge for edge, (one, other) in faces.items() if one @ other < 0.98)

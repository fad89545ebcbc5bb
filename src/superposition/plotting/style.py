"""One look for all figures: the style sheet, colours, and how a figure is saved."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.animation import Animation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, FigureBase
from matplotlib.transforms import Bbox

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

"""Common style of all figures: the style sheet, the colours, and how figures are saved."""

import functools
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import Animation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter
from matplotlib.transforms import Bbox, BboxBase

plt.style.use(Path(__file__).with_suffix(".mplstyle"))
# Width of a page in inches.
PAGE = 7.0

# All colours can be told apart by colour-blind readers: categories have the palette of the style sheet, quantities
# perceptually uniform colour maps.
CATEGORIES: list[str] = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
# Superposition of a feature, from 0 (a dedicated dimension) to 1 or more (shared with other features).
SUPERPOSITION = mpl.colormaps["viridis"]
IMPORTANCE = mpl.colormaps["cividis_r"]
# Features by number, where there are too many for a palette.
FEATURES = mpl.colormaps["plasma"]
# Features by the polytope that their factor forms.
POLYTOPES = {
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
# Colour behind a neuron: True if it has a single feature, False if it has several.
NEURON_BACKGROUNDS = {True: "#dceaf6", False: "#fbe6cf"}

# Arguments of a text whose middle is at its coordinates.
CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}
# Width of a fine line in points.
FINE_LINE = 0.4
# Solids extend beyond their axes, so in figures with solids titles are moved out of their way. The search for a free
# position takes a tenth of the drawing time, so other figures do without it.
with_solids = mpl.rc_context({"axes.titley": None})


@functools.cache
def signed() -> Colormap:
    """Return the colours of weights and dot products: blue is negative, orange positive."""
    # Importing seaborn takes a second, so only figures with these colours do.
    import seaborn

    return seaborn.diverging_palette(250, 20, s=85, l=45, as_cmap=True)


def save(figure: Figure, *paths: str | Path) -> None:
    """Save a figure in the format of each path's suffix, and close it.

    Equal figures give equal files, byte for byte.
    """
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        # Without the engine, saving does not repeat the layout.
        figure.set_layout_engine(None)
        _round_positions(figure)
        for path in paths:
            # These entries would hold the date and the version of matplotlib.
            metadata = {"Date": None} if str(path).endswith(".svg") else {"Software": None}
            figure.savefig(path, metadata=metadata)
    plt.close(figure)


def figure_in_rows(height: float, *ratios: float | int) -> tuple[Figure, *tuple[SubFigure, ...]]:
    """Create a figure as wide as a page, with its height in inches; also return its rows, whose heights have ratios."""
    figure = plt.figure(figsize=(PAGE, height))
    return figure, *figure.subfigures(len(ratios), 1, height_ratios=ratios)


def moving_figure(width: float, height: float) -> Figure:
    """Create a figure, with its size in inches, whose frames are drawn only when an animation of it is saved."""
    figure = plt.figure(figsize=(width, height), layout="none")
    # The canvas of a window would draw every frame twice, once to show it and once to save it.
    FigureCanvasBase(figure)
    return figure


def save_animation(animation: Animation, path: str | Path) -> None:
    """Save an animation as a GIF with eight frames per second."""
    # Constrained layout would arrange every frame anew.
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        animation.save(path, PillowWriter(fps=8), dpi=100)


def _round_positions(figure: Figure) -> None:
    """Round the positions of all axes and subfigures, because the layout solver's last bits differ from run to run."""
    parts: list[FigureBase] = [figure]
    while parts:
        part = parts.pop()
        for subfigure in part.subfigs:
            subfigure.bbox_relative.set_points(_rounded(subfigure.bbox_relative))
            parts.append(subfigure)
    for ax in figure.axes:
        ax.set_position(Bbox(_rounded(ax.get_position(original=True))))


def _rounded(box: BboxBase) -> np.ndarray:
    """Return the corners of a box in multiples of 2⁻³⁰.

    A short decimal number, which a ratio of heights may give, is never half way between two of them.
    """
    return np.round(box.get_points() * 2**30) / 2**30


def density_title(density: float) -> str:
    """Return the title of a model of the given density, in the paper's notation."""
    return f"$1-S = {density:g}$"


def sparsity_axis(ax: Axes, **properties: Any) -> None:
    """Make the x-axis the one along which features become sparser; other ``properties`` are passed to matplotlib."""
    ax.set(xscale="log", xlabel="$1/(1-S)$", **properties)


def colorbar(figure: FigureBase, values: ScalarMappable, label: str, **kwargs: Any) -> Colorbar:
    """Add a colour bar with a fine outline; ``kwargs`` are passed to matplotlib."""
    bar = figure.colorbar(values, label=label, **kwargs)
    bar.outline.set_linewidth(FINE_LINE)
    return bar


def plain_ticks(axis: Axis, *values: float | int) -> None:
    """Label a logarithmic axis at these values only, as plain numbers."""
    axis.set_ticks(values, [f"{value:g}" for value in values])
    axis.set_minor_formatter(NullFormatter())


def number_ticks(axis: Axis, count: int) -> None:
    """Number the rows or the columns of a matrix from 1."""
    axis.set_ticks(range(count), [str(number) for number in range(1, count + 1)])


def signed_matrix(ax: Axes, values: np.ndarray, reach: float = 1.0, **options: Any) -> AxesImage:
    """Draw a matrix without ticks in a fine frame; colours extend from -reach to reach, options are matplotlib's."""
    image = ax.imshow(values, cmap=signed(), vmin=-reach, vmax=reach, **options)
    ax.set(xticks=[], yticks=[])
    frame(ax)
    return image


def frame(ax: Axes) -> None:
    """Draw a fine frame around a matrix or a map."""
    ax.spines[:].set(visible=True, linewidth=FINE_LINE, color="0.5")

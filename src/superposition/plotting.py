"""One look for all figures: style, colours, and the pictures that several sections draw."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE = Path(__file__).with_suffix(".mplstyle")
PAGE = 7.0  # inches: the width of a page

# Colour-blind-safe throughout: seaborn's palette for kinds, perceptually uniform maps for quantities.
CATEGORIES = sns.color_palette("colorblind").as_hex()
SIGNED = sns.diverging_palette(250, 20, s=85, l=45, as_cmap=True)  # a weight or a dot product: blue < 0 < orange
SUPERPOSITION = mpl.colormaps["viridis"]  # 0 (a dimension of its own) to 1 (shared, or more)
IMPORTANCE = mpl.colormaps["cividis_r"]

plt.style.use(STYLE)
sns.set_palette(CATEGORIES)


def save(figure: Figure, *paths: str | Path) -> None:
    """Writes the figure in the format of each path's suffix; the same content gives the same bytes."""
    for path in paths:
        dated = {"Date": None} if str(path).endswith(".svg") else {"Software": None}
        figure.savefig(path, metadata=dated)
    plt.close(figure)


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

"""Draw the figure of the appendix: the code that packs two numbers into one, and its error."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from superposition.analysis.rows import rows_at
from superposition.paper.appendix import PAPER_SETTING, compression
from superposition.plotting import style


def nonlinear_compression(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw t as a function of x, and the error against the width of the segments."""
    fig, (code, error) = plt.subplots(1, 2, figsize=(style.PAGE, 2.6), width_ratios=[1, 1.4])
    Z, width = PAPER_SETTING
    x = np.linspace(0, 1, 601)[:-1]
    for place, y in enumerate((0.1, 0.5, 0.9)):
        t = (compression.soft_floor(Z * x, width, Z - 1) + y) / Z
        code.plot(x, t, color=style.CATEGORIES[place], label=f"$y = {y:g}$")
    code.set(xlabel="$x$", ylabel="$t$", xlim=(0, 1), ylim=(0, 1), title=f"$Z = {Z}$, $\\epsilon = {width:g}$")
    code.legend(loc="upper left")
    for place, (Z_value, rows) in enumerate(tables["errors"].groupby("Z")):
        error.plot(rows["width"], rows["error"], color=style.CATEGORIES[place], label=f"$Z = {Z_value}$")
    error.axhline(compression.BEST_LINEAR_ERROR, color="k", ls="--", lw=1, label="keep one value, or the mean")
    from_paper = rows_at(tables["errors"], Z=Z, width=width)
    error.plot(from_paper["width"], from_paper["error"], "o", color="k", ms=4, zorder=3)
    error.set(xscale="log", yscale="log", xlabel="width $\\epsilon$ of the segments", ylabel="mean squared error")
    error.legend(loc="lower right")
    return fig

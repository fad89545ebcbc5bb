"""Draw the parts that the loss consists of."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from superposition.plotting import style

# The two terms of the loss, as in the paper: of the linear model, up to a factor, and of one active feature.
FORMULAS = {
    r"linear model: $L \propto$": (r"$\sum_i I_i\,(1-\Vert W_i\Vert^2)^2$", r"$\sum_{i\neq j} I_j\,(W_j\cdot W_i)^2$"),
    "ReLU, one active feature: $L_1 =$": (
        r"$\sum_i\int_0^1 I_i\,(x-\mathrm{ReLU}(\Vert W_i\Vert^2x+b_i))^2\,\mathrm{d}x$",
        r"$\sum_{i\neq j}\int_0^1 I_j\,\mathrm{ReLU}(W_j\cdot W_i\,x+b_j)^2\,\mathrm{d}x$",
    ),
}


def theory(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the shares of the loss by number of active features, and the terms of both models with their formulas."""
    fig, above, below = style.figure_in_rows(3.3, 0.8, 2.5)
    _write_formulas(above)
    left, *terms = below.subplots(1, 3, width_ratios=[1.3, 1, 1])
    counts = tables["active_counts"].assign(part=lambda t: t["probability"] * t["loss"])
    counts["share"] = counts["part"] / counts.groupby("point")["part"].transform("sum")
    # Larger numbers of active features share one area.
    top = 4
    counts["group"] = counts["active"].clip(upper=top)
    share = counts.pivot_table(index="density", columns="group", values="share", aggfunc="sum")
    names = [*(f"$k = {k}$" for k in range(top)), f"$k \\geq {top}$"]
    colours = plt.cm.viridis(np.linspace(0.05, 0.95, top + 1))
    left.stackplot(share.index, share.T, labels=names, colors=colours, edgecolor="white", linewidth=0.3)
    left.set(xscale="log", xlabel="feature density $1-S$", ylabel="share of the loss, $P(k)\\,L_k / L$", ylim=(0, 1))
    left.set_xlim(share.index.max(), share.index.min())
    left.set_title("loss by number of active features")
    left.legend(reverse=True, loc="lower right", fontsize=6, framealpha=0.8, frameon=True)

    linear = tables["linear"].sort_values("loss").groupby("density").first()
    parts = {
        "linear model": linear[["benefit_term", "interference_term"]].div(linear["optimum"], axis=0),
        "ReLU, one active feature": tables["terms"].set_index("density"),
    }
    for ax, (title, part) in zip(terms, parts.items(), strict=True):
        ax.plot(part.index, part["benefit_term"], "o-", ms=3.5, label="feature benefit that is missed")
        ax.plot(part.index, part["interference_term"], "s--", ms=3.5, label="interference")
        ax.set(xscale="log", xlabel="feature density $1-S$", title=title)
        ax.invert_xaxis()
    terms[0].set(ylabel="term / closed-form optimum", ylim=(-0.05, 1.4))
    terms[1].set(ylabel="term / $L_1$ of an output of 0", yscale="log", ylim=(1e-3, 10))
    terms[0].legend(loc="upper center", fontsize=6)
    return fig


def _write_formulas(fig: SubFigure) -> None:
    """Write the terms of the loss in the colours of their curves, a line per model."""
    benefit, interference = style.CATEGORIES[:2]
    for x, name, colour in ((0.43, "feature benefit that is missed", benefit), (0.82, "interference", interference)):
        fig.text(x, 0.85, name, color=colour, **style.CENTRED)
    for y, (model, terms) in zip((0.54, 0.16), FORMULAS.items(), strict=True):
        fig.text(0.25, y, model, ha="right", va="center")
        for x, formula, colour in zip((0.43, 0.82), terms, (benefit, interference), strict=True):
            fig.text(x, y, formula, color=colour, **style.CENTRED)
        fig.text(0.635, y, "+", **style.CENTRED)

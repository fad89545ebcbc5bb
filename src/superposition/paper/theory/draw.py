"""Draw the parts that the loss consists of."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from superposition.plotting import style


def theory(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the shares of the loss by number of active features, and the terms of the loss of both models."""
    fig, (left, *terms) = plt.subplots(1, 3, figsize=(style.PAGE, 2.5), gridspec_kw={"width_ratios": [1.3, 1, 1]})
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
    left.legend(
        *(part[::-1] for part in left.get_legend_handles_labels()),
        loc="lower right",
        fontsize=6,
        framealpha=0.8,
        frameon=True,
    )

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

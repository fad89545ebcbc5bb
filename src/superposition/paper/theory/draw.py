"""Draw the parts that the loss consists of."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from superposition.plotting import style


def theory(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the shares of the loss by number of active features, and the two terms of the linear model's loss."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.5), gridspec_kw={"width_ratios": [1.5, 1]})
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
    left.legend(*(part[::-1] for part in left.get_legend_handles_labels()), loc="center left", bbox_to_anchor=(1, 0.5))

    best = tables["linear"].sort_values("loss").groupby("density").first()
    right.plot(best.index, best["benefit_term"] / best["optimum"], "o-", ms=3.5, label="features not represented")
    right.plot(best.index, best["interference_term"] / best["optimum"], "s--", ms=3.5, label="interference")
    right.set(xscale="log", xlabel="feature density $1-S$", ylabel="term / closed-form optimum", ylim=(-0.05, 1.15))
    right.invert_xaxis()
    right.set_title("linear model")
    right.legend(loc="center right")
    return fig

"""Draw the figures of adversarial robustness: vulnerability by density, and the effect of training against attacks."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from superposition.paper.adversarial import MAIN_EXPERIMENT, SIZE_CONVENTIONS
from superposition.plotting import style


def adversarial_training(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw features per dimension, interference and clean loss against the size of the attacks trained against."""
    models = tables["models"]
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.5))
    measures = {
        "features_per_dimension": ("features per dimension, $\\|W\\|_F^2/m$", (0.1, 0.3, 1, 3, 10)),
        "interference": ("interference, in antipodal pairs", (0.1, 1, 10, 100)),
        "price": ("clean loss over that without attacks", (1, 2, 5, 10)),
    }
    main = models["n"].min()
    colours = dict(zip(models["density"].unique(), style.CATEGORIES, strict=False))
    for ax, (measure, (label, ticks)) in zip(axes, measures.items(), strict=True):
        for (n, density), rows in models.groupby(["n", "density"], sort=False):
            by_size = rows.groupby("attack")[measure]
            median, low, high = by_size.median(), by_size.min(), by_size.max()
            line = {"marker": ".", "ms": 4} if n == main else {"marker": "s", "ms": 2, "ls": ":", "lw": 0.8}
            # Once superposition is gone, so little weight is left that its arrangement is meaningless.
            ends = measure == "interference" and bool((median <= 1).any())
            known = int((median <= 1).to_numpy().argmax()) + 1 if ends else len(median)
            median, low, high = (values.iloc[:known] for values in (median, low, high))
            ax.plot(median, label=f"{density:g}" if n == main else None, color=colours[density], **line)
            if n == main:
                ax.fill_between(median.index, low, high, color=colours[density], alpha=0.2, lw=0)
        ax.axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
        ax.axvline(0.8, color="0.8", lw=0.6, zorder=0)
        ax.set(yscale="log", xlabel="size of attacks over mean $\\|x\\|$", ylabel=label)
        style.plain_ticks(ax.yaxis, *ticks)
    axes[2].legend(title=f"$1-S$, $n={main}$\n(dotted: {models['n'].max()})", fontsize=6, title_fontsize=6)
    return fig


def adversarial(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw vulnerability and features per dimension against sparsity, and against each other."""
    models = tables["models"]
    fig, (sparse, features, both) = plt.subplots(1, 3, figsize=(style.PAGE, 2.7))
    main = models[models["experiment"] == MAIN_EXPERIMENT].groupby("density")
    means, spread = main.mean(numeric_only=True), main.std(numeric_only=True)
    inverse = 1 / means.index
    styles = {
        "constant": ("λ fixed", style.CATEGORIES[3], "-"),
        "scaled": ("λ ∝ norm", style.CATEGORIES[0], "-"),
        "represented": ("on represented", style.CATEGORIES[2], "--"),
        "single": ("on one feature", style.CATEGORIES[7], ":"),
    }
    for name, (label, colour, line) in styles.items():
        sparse.plot(inverse, means[name], color=colour, ls=line, label=label)
        low, high = means[name] - spread[name], means[name] + spread[name]
        sparse.fill_between(inverse, low, high, color=colour, alpha=0.2, lw=0)
    features.plot(inverse, means["features_per_dimension"], color="k")
    others = models[models["experiment"] != MAIN_EXPERIMENT].sort_values("density").groupby(["n", "m"])
    for ((n, m), at), marker in zip(others, "ov^sD", strict=False):
        features.plot(1 / at["density"], at["features_per_dimension"], marker, ms=2.5, color="0.5", label=f"{n}, {m}")
        for name in SIZE_CONVENTIONS:
            both.plot(at["features_per_dimension"], at[name], marker, ms=2.5, color=styles[name][1], alpha=0.5)
    for name in SIZE_CONVENTIONS:
        both.plot(means["features_per_dimension"], means[name], color=styles[name][1])
    limit = 1.05 * models["features_per_dimension"].max()
    both.plot([1, limit], [1, limit], color="0.6", lw=0.6, ls=":", zorder=0)
    for ax in (sparse, features):
        style.sparsity_axis(ax)
    sparse.axhline(1, color="0.7", lw=0.6, zorder=0)
    sparse.set_ylabel("relative vulnerability")
    for ax in (sparse, both):
        ax.set_yscale("log")
        style.plain_ticks(ax.yaxis, 1, 3, 10, 30, 100)
    both.set_xscale("log")
    style.plain_ticks(both.xaxis, 1, 2, 5, 10, 20)
    sparse.legend(loc="upper left", fontsize=6)
    features.set_ylabel("features per dimension, $\\|W\\|_F^2/m$")
    features.legend(title="$n$, $m$ (line: 200, 20)", title_fontsize=6, fontsize=6, loc="upper left")
    both.set(xlabel="features per dimension", ylabel="relative vulnerability")
    return fig

"""Drawings of polytopes by density: what each of them gains, and which product of them is the best."""

import numpy as np
import pandas as pd
from matplotlib.figure import SubFigure

from superposition.analysis.rows import runs_along_sparsity
from superposition.plotting import style
from superposition.theory.polytopes import factors_of


def draw_gains(fig: SubFigure, tables: dict[str, pd.DataFrame]) -> None:
    """Draw the gain per dimension of each polytope: how many features a dimension saves from being dropped."""
    ax = fig.subplots()
    optima = tables["optima"]
    for name, colour in style.POLYTOPES.items():
        rows = optima[optima["polytope"] == name]
        if len(rows):
            ax.plot(1 / rows["density"], rows["gain"], color=colour, lw=1.0, label=name)
    for handover in tables["handovers"].itertuples():
        ax.axvline(1 / handover.density, color="0.75", lw=0.5, zorder=0)
    style.sparsity_axis(ax, xlim=(1, 100), ylim=(0.95, None), ylabel="features saved\nper dimension")
    legend = ax.legend(ncols=2, title="lines: where the best polytope changes", title_fontsize=7, loc="upper left")
    legend.set_frame_on(True)
    legend.get_frame().set(fc="white", ec="none", alpha=1)


def draw_best(fig: SubFigure, models: pd.DataFrame, size: pd.Series) -> None:
    """Draw the best product of polytopes by n and density, marking where the best known model is better."""
    axes = fig.subplots(1, 2, sharey=True)
    for ax, (m, rows) in zip(axes, models[models["n"] < 10].groupby("m"), strict=True):
        runs = runs_along_sparsity(rows, "best")
        for n, name, first, last in runs.itertuples(index=False):
            parts = sorted(factors_of(name), key=lambda part: -size[part])
            colour = style.POLYTOPES.get(parts[0], style.POLYTOPES["other"])
            ax.barh(n, last - first, left=first, height=0.8, color=colour, alpha=0.45, ec="white", lw=0.8)
            if last / first > 1.45:
                text = " + ".join(str(size[part]) for part in parts)
                ax.text((first * last) ** 0.5, n, text, **style.CENTRED, fontsize=6.5)
        for n, line in rows.sort_values("density", ascending=False).groupby("n"):
            # The losses of models have sampling errors: smaller differences may be noise.
            better = line["density"][line["known_loss"] + 3 * line["known_error"] < line["best_loss"]]
            points = ax.plot(1 / better, np.full(len(better), n + 0.28), "k.", ms=2.2)
        style.sparsity_axis(ax, xlim=(runs["first"].min(), runs["last"].max()))
        ax.set_title(f"$m={m}$: features per factor of the best product")
    axes[0].set(ylabel="features $n$", yticks=range(4, 10), ylim=(3.5, 9.5))
    fig.legend(
        points, ["the best known model is better than every product of these polytopes"], loc="outside lower center"
    )

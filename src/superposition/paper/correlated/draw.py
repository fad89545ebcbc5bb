"""Tables to figures: arrangements, WᵀW of sets, and pairs as they collapse."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition.paper.correlated import (
    BASES,
    PAPER,
    PAPER_PCA,
    ROWS,
    SHOWN,
    SHOWN_BASES,
    collapsed_pairs,
    nearest,
    pca_onset,
)
from superposition.plotting import style


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Arrangements of pairs, local bases, or how pairs collapse."""
    drawn = {"correlated_organization": _draw_organization, "local_bases": _draw_bases, "collapse": _draw_collapse}
    return drawn[figure](data)


REACH = 1.4  # of the axes around a model


def _draw_model(ax: Axes, W: Float[np.ndarray, "2 n"]) -> None:
    """The columns of W as arrows, the members of a pair in one colour; where they coincide, a ring around the point."""
    for i, place in enumerate(W.T):
        colour = style.CATEGORIES[i // 2]
        ax.plot(*np.stack([np.zeros(2), place]).T, color=colour, lw=1)
        ax.scatter(*place, s=12, color=colour, zorder=3)
    for pair in range(W.shape[1] // 2):
        members = W[:, 2 * pair : 2 * pair + 2]
        if collapsed_pairs(members):
            ax.scatter(*members.mean(1), s=50, fc="none", ec=style.CATEGORIES[pair], lw=0.8, zorder=4)
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    ax.set_axis_off()


def _draw_organization(data: dict[str, pd.DataFrame]) -> Figure:
    """A row per setting: models from the lowest loss to the highest, and the share that are as stated by density."""
    shares, models = data["shares"], data["models"]
    fig, axes = plt.subplots(
        len(ROWS), SHOWN + 1, figsize=(style.PAGE, 4.2), width_ratios=[1] * SHOWN + [2.1], squeeze=False
    )
    for line, row in zip(axes, ROWS, strict=True):
        for number, ax in enumerate(line[:-1]):
            model = models.query(f"arrangement == '{row.name}' and model == {number}").sort_values("feature")
            if model.empty:
                ax.set_axis_off()
                continue
            _draw_model(ax, model[["w0", "w1"]].to_numpy().T)
            if not model["stated"].iloc[0]:
                ax.text(0, -REACH, "another", fontsize=6.5, color="0.4", ha="center", va="top")
        here = shares[shares["arrangement"] == row.name]
        shown = here.loc[here["shown"], "density"].iloc[0]
        line[0].set_title(" ")  # keeps the room; a title beside its axes would push the others away
        title = f"{row.title}, $1-S={shown:.2g}$: lowest to highest loss"
        line[0].text(0, 1.04, title, transform=line[0].transAxes, in_layout=False)
        ax = line[-1]
        for distribution, colour in ((row.distribution, "k"), ("independent", "0.6")):
            rows = here[here["distribution"] == distribution]
            label = "independent" if distribution == "independent" else row.title[2:]
            ax.plot(rows["density"], rows["stated"] / rows["restarts"], ".-", color=colour, ms=4, lw=0.9, label=label)
        ax.axvline(shown, color="0.7", lw=0.6)
        ax.set(xscale="log", ylim=(-0.03, 1.03), yticks=[0, 0.5, 1], title=f"share {row.name}")
        ax.legend(loc="best", handlelength=1, fontsize=6.5)
    axes[-1, -1].set_xlabel("$1-S$")
    return fig


def _draw_bases(data: dict[str, pd.DataFrame]) -> Figure:
    """WᵀW of the best model at one density, of correlated sets and of independent features; interference by density."""
    pairs, models = data["pairs"], data["models"]
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.4), width_ratios=[1, 1, 1.25])
    shown = nearest(pairs["density"], SHOWN_BASES)
    for ax, (distribution, title) in zip(axes, BASES.items(), strict=False):
        here = pairs[(pairs["distribution"] == distribution) & (pairs["density"] == shown)]
        gram = here.pivot(index="i", columns="j", values="dot").to_numpy()
        image = ax.imshow(gram, cmap=style.SIGNED, vmin=-1, vmax=1)
        half = len(gram) // 2
        for corner in (0, half):
            ax.add_patch(plt.Rectangle((corner - 0.5,) * 2, half, half, fill=False, lw=1.2, ec="k", clip_on=False))
        ax.set(xticks=[], yticks=[], title=title, xlabel=style.density_title(float(f"{shown:.2g}")))
    placed = {"ax": axes[:2], "location": "bottom", "fraction": 0.05, "pad": 0.03, "aspect": 40, "ticks": [-1, 0, 1]}
    style.colorbar(fig, image, r"$W_i\cdot W_j$", **placed)
    for distribution, dash in zip(BASES, ("-", ":"), strict=True):
        mean = models[models["distribution"] == distribution].groupby("density")[["within", "between"]].mean()
        for column, colour in zip(mean, style.CATEGORIES, strict=False):
            axes[2].plot(mean.index, mean[column], dash, marker=".", ms=4, color=colour, lw=0.9)
    lines = [plt.Line2D([], [], color=colour) for colour in style.CATEGORIES[:2]]
    lines += [plt.Line2D([], [], color="0.4", ls=dash) for dash in ("-", ":")]
    axes[2].legend(
        lines, ["within a set", "between sets", *BASES.values()], loc="upper right", handlelength=1.5, fontsize=6.5
    )
    top = 1.9 * models[["within", "between"]].to_numpy().max()  # with room for the legend
    axes[2].set(xscale="log", xlabel="$1-S$", ylim=(0, top), title=r"mean $(W_i\cdot W_j)^2$, $i\neq j$")
    return fig


def _draw_collapse(data: dict[str, pd.DataFrame]) -> Figure:
    """The best models over density; how much each branch costs above the best; the regimes, ours and the paper's."""
    best, paths, crossings = data["best"], data["branches"], data["crossings"].set_index("fewer")["density"]
    lowest = best["density"].min()
    chosen = [nearest(best["density"], density) for density in (0.02, 0.05, 0.1, 0.2, 0.3, 0.42, 0.55, 0.83)]
    fig = plt.figure(figsize=(style.PAGE, 3.9))
    above, below = fig.subfigures(2, 1, height_ratios=[1, 2.6])
    for ax, density in zip(above.subplots(1, len(chosen)), chosen, strict=True):
        model = best[best["density"] == density].sort_values("feature")
        _draw_model(ax, model[["w0", "w1"]].to_numpy().T)
        ax.set_title(style.density_title(round(density, 3)), fontsize=7)
    strips, ax = below.subplots(2, 1, sharex=True, height_ratios=[1, 3.2])
    colours = [plt.cm.viridis(value) for value in (0.0, 0.33, 0.62, 0.88)]
    paper = [*((low * high) ** 0.5 for low, high in PAPER.values())]
    ours = [crossings.get(fewer, np.nan) for fewer in PAPER]
    for y, bounds in ((1, ours), (0, paper)):
        edges = [lowest, *bounds, 1.0]
        for count, (low, high) in enumerate(itertools.pairwise(edges)):
            strips.barh(y, high - low, left=low, color=colours[count], height=0.75)
            ink, behind = "w" if count < 2 else "k", {"boxstyle": "circle,pad=0.2", "fc": colours[count], "lw": 0}
            strips.text((low * high) ** 0.5, y, str(count), color=ink, bbox=behind, ha="center", va="center")
    strips.barh(0, 1 - PAPER_PCA, left=PAPER_PCA, color="none", hatch="////", ec="0.3", height=0.75, lw=0)
    strips.barh(1, 1 - (onset := pca_onset(data)), left=onset, color="none", hatch="////", ec="0.3", height=0.75, lw=0)
    strips.set(yticks=[0, 1], title="collapsed pairs (hatched: like principal components)")
    strips.set_yticklabels(["the paper", "ours"])
    strips.tick_params(axis="both", length=0)
    strips.spines[:].set_visible(False)
    least = paths.groupby("density")["loss"].min()
    for count, rows in paths.groupby("collapsed"):
        excess = rows["loss"].to_numpy() / least[rows["density"]].to_numpy() - 1
        ax.plot(rows["density"], 100 * excess, ".-", ms=3, lw=1, color=colours[count], label=f"{count}")
    pca = data["pca"][data["pca"]["density"].isin(least.index)]
    excess = pca["loss"].to_numpy() / least[pca["density"]].to_numpy() - 1
    ax.plot(pca["density"], 100 * excess, "--", color="0.4", lw=0.9, label="principal components")
    for crossing in crossings:
        ax.axvline(crossing, color="0.7", lw=0.6, zorder=0)
    ax.set(xscale="log", xlim=(lowest, 1), ylim=(-0.5, 16), xlabel="$1-S$", ylabel="loss above the best, %")
    ax.legend(title="collapsed pairs", loc="upper left", ncols=2)
    return fig

"""Draw the figures and the animation of learning dynamics: D_i and loss, and the features along training."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure, SubFigure
from mpl_toolkits.mplot3d import Axes3D

from superposition.paper.dynamics import DIMENSIONALITY_LEVELS, SMALL_INIT, XAVIER_INIT, loss_fall_at_jumps
from superposition.plotting import style


def energy_levels(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the D_i of all features of one model over training, its loss, and the test of their coincidence."""
    (model,) = tables["models"][tables["models"]["shown"]].itertuples()
    levels, jumps = tables["levels"], tables["jumps"].query(f"restart == {model.restart}")
    steps = levels["step"]
    fig, axes = plt.subplots(
        2, 2, figsize=(style.PAGE, 3.9), width_ratios=[3.2, 1], height_ratios=[1.6, 1], sharex="col"
    )
    for level in DIMENSIONALITY_LEVELS:
        axes[0, 0].axhline(level, color="0.85", lw=0.6, zorder=0)
    jumping = sorted(jumps["feature"].unique())
    for i in range(levels.shape[1] - 1):
        if i not in jumping:
            axes[0, 0].plot(steps, levels[f"d{i}"], color="0.6", lw=0.4)
    for rank, i in enumerate(jumping):
        colour = style.CATEGORIES[rank % len(style.CATEGORIES)]
        axes[0, 0].plot(steps, levels[f"d{i}"], color=colour, lw=1.2)
    axes[0, 0].set(ylabel="$D_i$", ylim=(-0.03, 1.03), yticks=[0, 0.5, 1], title="every feature of one model")
    axes[0, 0].set_yticklabels(["0", "1/2", "1"])
    loss = tables["losses"][f"l{model.restart}"]
    end = loss.iloc[-max(1, len(loss) // 20) :]
    noise = max(float(end.std(ddof=0)), 1e-6 * float(end.mean()))
    axes[1, 0].plot(steps, np.maximum(loss - end.mean(), noise), color="k", lw=1)
    axes[1, 0].set(yscale="log", xlabel="step", ylabel="loss above its end")
    settled = steps.iloc[min(model.settled, len(steps) - 1)]
    for ax in axes[:, 0]:
        ax.axvspan(0, settled, color="0.95", zorder=-1)
        for step in jumps["step"].unique():
            ax.axvline(step, color="0.5", lw=0.6, ls=":")
        ax.set_xlim(0, steps.iloc[-1])
    test = loss_fall_at_jumps(tables)
    nulls = {"at random moments": (test.at_random, "0.75"), "at another's": (test.of_others, style.CATEGORIES[0])}
    for label, (null, colour) in nulls.items():
        if np.isfinite(test.share):
            bins = np.arange(0, 101, 2)
            axes[0, 1].hist(100 * null, bins, color=colour, alpha=0.8, orientation="horizontal", label=label)
    axes[0, 1].axhline(100 * test.share, color=style.CATEGORIES[3], lw=1.2, label="at the jumps")
    axes[0, 1].set(xticks=[], title="% of the loss's fall")
    axes[1, 1].legend(*axes[0, 1].get_legend_handles_labels(), loc="upper left")
    axes[1, 1].set_axis_off()
    return fig


def _draw_model(ax: Axes3D, positions: pd.DataFrame) -> None:
    """Draw the features as lines from the origin, coloured by set, with the edges of their convex hull."""
    W = positions.sort_values("feature")[["w0", "w1", "w2"]].to_numpy().T
    for i, position in enumerate(W.T):
        colour = style.CATEGORIES[0 if i < 3 else 1]
        ax.plot(*np.stack([np.zeros(3), position]).T, color=colour, lw=1)
        ax.scatter(*position, s=14, color=colour, depthshade=False)
    for i in range(6):
        for j in range(i):
            if W[:, i] @ W[:, j] > -0.5 * np.linalg.norm(W[:, i]) * np.linalg.norm(W[:, j]):
                ax.plot(*W[:, [i, j]], color="0.6", lw=0.5, zorder=0)
    ax.view_init(elev=20, azim=-35)
    ax.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
    ax.set_box_aspect((1, 1, 1), zoom=1.25)
    ax.set_axis_off()


@style.with_solids
def geometric_learning(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the loss of one run with its regimes, the model and its WᵀW on each plateau, and the paths of all runs."""
    curve, moments, runs = tables["curve"], tables["moments"], tables["runs"]
    fig = plt.figure(figsize=(style.PAGE, 5.6))
    above, below, lowest = fig.subfigures(3, 1, height_ratios=[1.15, 1, 0.7])
    ax, paths = above.subplots(1, 2, width_ratios=[1.7, 1])
    ax.plot(curve["step"], curve["loss"], color="k", lw=1.2)
    edges = [curve["step"].iloc[0], *tables["drops"]["step"], curve["step"].iloc[-1]]
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        ax.axvspan(low, high, color="0.93" if number % 2 else "0.98", zorder=-1, lw=0)
    marks = curve[curve["step"].isin(moments["step"])]
    ax.plot(marks["step"], marks["loss"], "o", color=style.CATEGORIES[3], ms=4)
    for letter, row in zip("abcdefgh", marks.itertuples(), strict=False):
        ax.annotate(letter, (row.step, row.loss), xytext=(3, 4), textcoords="offset points")
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", xlim=(edges[0], edges[-1]), title="one run")
    ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2], ["0.01", "0.02", "0.05", "0.1", "0.2"])
    ax.tick_params(axis="y", which="minor", labelleft=False)
    shares = (
        runs.groupby(["path", "experiment"]).size().unstack(fill_value=0).reindex(columns=[SMALL_INIT, XAVIER_INIT])
    )
    shares = shares.fillna(0) / runs.groupby("experiment").size().reindex([SMALL_INIT, XAVIER_INIT])
    top = shares.loc[shares.max(axis=1).sort_values(ascending=False, kind="stable").index[:7]].iloc[::-1]
    for offset, (experiment, label) in zip(
        (0.2, -0.2), {SMALL_INIT: "small weights", XAVIER_INIT: "Xavier"}.items(), strict=True
    ):
        colour = style.CATEGORIES[2 if experiment == SMALL_INIT else 5]
        paths.barh(np.arange(len(top)) + offset, 100 * top[experiment], height=0.38, label=label, color=colour)
    paths.set_yticks(np.arange(len(top)), top.index, fontsize=6)
    paths.set(xlabel="% of runs")
    paths.set_title("features in dimensions:\nplateaus → end", loc="right")
    paths.legend(loc="lower right", fontsize=6.5)
    for number, (letter, (step, positions)) in enumerate(zip("abcdefgh", moments.groupby("step"), strict=False)):
        axis = below.add_subplot(1, moments["step"].nunique(), number + 1, projection="3d")
        _draw_model(axis, positions)
        axis.set_title(f"{letter}: step {step}", fontsize=7, pad=0)
    _draw_grams(lowest, moments)
    return fig


def _draw_grams(below: SubFigure, moments: pd.DataFrame) -> None:
    """Draw WᵀW at every moment; on the first plateau it is the projector on the two first principal components."""
    axes = below.subplots(1, moments["step"].nunique())
    for ax, (_, positions) in zip(axes, moments.groupby("step"), strict=True):
        W = positions.sort_values("feature")[["w0", "w1", "w2"]].to_numpy().T
        image = ax.imshow(W.T @ W, cmap=style.SIGNED, vmin=-1, vmax=1)
        for (i, j), dot in np.ndenumerate(W.T @ W):
            ax.text(j, i, f"{dot:.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=4.5)
        ax.set(xticks=[], yticks=[])
        style.frame(ax)
    plateaus = sorted(moments.loc[moments["moment"] == "plateau", "step"].unique())
    if plateaus:
        first = axes[sorted(moments["step"].unique()).index(plateaus[0])]
        first.set_xlabel("principal components:\n1/3 within a set, 0 between sets", fontsize=6.5)
    axes[0].set_ylabel(r"$W^\mathsf{T}W$")
    style.colorbar(below, image, r"$W_i\cdot W_j$", ax=axes.tolist(), shrink=0.8, ticks=[-1, 0, 1])


def animate_geometric_learning(tables: dict[str, pd.DataFrame]) -> FuncAnimation:
    """Animate the run that the figure shows."""
    frames, curve = tables["frames"], tables["curve"]
    fig = style.moving_figure(4.4, 2.4)
    title = fig.text(0.25, 0.95, "", fontsize=8, ha="center")
    axis = fig.add_axes((0, 0, 0.5, 0.95), projection="3d")
    ax = fig.add_axes((0.63, 0.2, 0.32, 0.68))
    ax.plot(curve["step"], curve["loss"], color="k", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    ax.tick_params(which="both", labelsize=6)
    for side in (ax.xaxis, ax.yaxis):
        # Powers of ten would be typeset as formulas again in every frame.
        side.set_major_formatter("{x:g}")
    (mark,) = ax.plot([], [], "o", color=style.CATEGORIES[3], ms=4)
    loss = curve.set_index("step")["loss"]

    def show(step: int) -> list:
        # Animations reset the figure to the default layout engine.
        fig.set_layout_engine("none")
        axis.clear()
        _draw_model(axis, frames[frames["step"] == step])
        title.set_text(f"step {step}")
        mark.set_data([step], [loss[step]])
        return []

    return FuncAnimation(fig, show, frames=sorted(map(int, frames["step"].unique())), interval=120)

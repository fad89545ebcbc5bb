"""Learning dynamics: features jump between levels of D_i, and what is learned in steps has a geometry at each.

Both are seen along training, in snapshots of the weights.
"""

import itertools
from collections import Counter
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.animation import FuncAnimation
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from scipy.stats import binomtest

from superposition import geometry, plotting, polytopes, training, trajectories
from superposition.claims import Claims, Finding, Tables
from superposition.weights import Trained

claims = Claims("dynamics")

LEVELS = (0.0, 0.5, 1.0)  # D_i of a feature that is absent, in a digon, alone in a dimension
NEAR = 0.05  # a D_i within so much of a level counts as being there
WINDOW = 0.02  # of training: a jump is a change within so much before and after
LEAST = 0.15  # change of D_i that is a jump
SETTLED = 0.05  # change of D_i that at most a tenth of the features make at a time once a model has settled
SHUFFLES = 10_000

SMALL, XAVIER = "geometric_learning", "geometric_learning_xavier"
SETS = ((0, 1, 2), (3, 4, 5))
# Features of the first set at the positive ends of the axes, those of the second opposite to them.
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
OFTEN = 0.03  # the share of runs from which on a path is listed by itself
FRAMES = 60  # of the animation
FLAT = 0.5  # a plateau descends at most half as fast as the slower of the drops around it


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return _energy(trained["energy_levels"]) if figure == "energy_levels" else _learning(trained)


def _losses(models: Trained) -> Float[np.ndarray, "snapshot restart"]:
    """The expected loss along training, at the one point of the sweep; all snapshots are seen the same draws."""
    along = {name: values[:, 0].flatten(0, 1)[None] for name, values in models.snapshots.items()}
    loss, _ = training.losses(models.sweep, along, device="cpu", threads=1)
    return loss.view(-1, models.sweep.restarts).numpy()


def _energy(models: Trained) -> dict[str, pd.DataFrame]:
    """Jumps of the D_i of every model once it has settled, and what the loss does there; one model in full."""
    steps, loss = models.snapshot_steps.numpy(), _losses(models)
    every = geometry.dimensionality(models.snapshots["W"][:, 0].double()).numpy()
    norms = geometry.norms(models.parameters["W"][0].double()).numpy()
    window = max(1, round(WINDOW * len(steps)))
    rows, found, sensitivity = [], [], []
    for restart in range(models.sweep.restarts):
        levels = every[:, restart]
        start = trajectories.settled(levels, window, SETTLED)
        represented = norms[restart] ** 2 > 0.5
        later = trajectories.jumps(levels, window, LEAST).query(f"snapshot >= {start}")
        found.append(later.assign(restart=restart))
        for least in (LEAST / 1.5, LEAST, LEAST * 1.5):
            again = trajectories.jumps(levels, window, least).query(f"snapshot >= {start}")
            sensitivity.append({"restart": restart, "least": least, "jumps": len(again)})
        near = np.abs(levels[start:, :, None] - np.array(LEVELS)).min(-1) <= NEAR
        rows.append(
            {
                "restart": restart,
                "represented": int(represented.sum()),
                "digons": bool((np.abs(levels[-1, represented] - 0.5) <= 0.025).all()),
                "settled": start,
                "jumps": len(later),
                "last": later["snapshot"].max(),
                "at_levels": near.mean(),
                "loss": loss[-1, restart],
            }
        )
    table, jumps = pd.DataFrame(rows), pd.concat(found, ignore_index=True).rename(columns={"series": "feature"})
    # Shown is the model in which a jump comes latest, and so stands by itself.
    latest = (table["last"].where(table["digons"])).fillna(-1).idxmax()
    shown = int(table.loc[latest, "restart"])
    return {
        "models": table.assign(shown=table["restart"] == shown),
        "jumps": jumps.assign(
            step=steps[jumps["snapshot"].astype(int)], steps=jumps["duration"] * np.diff(steps).mean()
        ),
        "sensitivity": pd.DataFrame(sensitivity),
        "levels": pd.DataFrame(every[:, shown].round(5), columns=[f"d{i}" for i in range(models.sweep.n)]).assign(
            step=steps
        ),
        "losses": pd.DataFrame(loss, columns=[f"l{r}" for r in range(loss.shape[1])]).assign(step=steps),
    }


class Coincidence(NamedTuple):
    """How much of the loss's fall happens around the jumps, and how much would at other times."""

    share: float
    at_random: Float[np.ndarray, " shuffle"]  # every model's moments of jumping put at random
    of_others: Float[np.ndarray, " shuffle"]  # the moments of another model, the models being shuffled

    def p(self, null: Float[np.ndarray, " shuffle"]) -> float:
        """How likely a share as large as this is under a null."""
        return float((1 + (null >= self.share).sum()) / (1 + len(null)))


def fall_at_jumps(data: dict[str, pd.DataFrame], seed: int = 0) -> Coincidence:
    """Of the fall of the loss after settling, summed over the models that end as digons and in which features jump, the
    share within a window of a jump, each snapshot counted once. NaN if there is none."""
    rng, window = np.random.default_rng(seed), max(1, round(WINDOW * len(data["losses"])))
    models = data["models"].query("digons and jumps > 0")
    loss = data["losses"][[f"l{restart}" for restart in models["restart"]]].to_numpy().T
    fall = -np.diff(loss)
    fall[np.arange(fall.shape[1]) < models["settled"].to_numpy()[:, None]] = 0  # [model, moment]
    moments = [data["jumps"].query(f"restart == {restart}")["snapshot"].unique() for restart in models["restart"]]
    total = fall.sum()
    if not total > 0:
        return Coincidence(float("nan"), np.full(SHUFFLES, np.nan), np.full(SHUFFLES, np.nan))
    at_random = np.zeros(SHUFFLES)
    for model, at, start in zip(fall, moments, models["settled"], strict=True):
        at_random += _within(model, rng.integers(start, len(model), (SHUFFLES, len(at))), window)
    # Of every model's fall, at every model's moments.
    crossed = np.array([[_within(model, at[None], window)[0] for at in moments] for model in fall])
    orders = rng.permuted(np.tile(np.arange(len(models)), (SHUFFLES, 1)), axis=1)
    of_others = crossed[np.arange(len(models)), orders].sum(1)
    return Coincidence(float(crossed.trace() / total), at_random / total, of_others / total)


def _within(fall: Float[np.ndarray, " k"], moments: np.ndarray, window: int) -> Float[np.ndarray, " draw"]:
    """The sum of ``fall`` within a window of the moments, for each draw of moments [draw, moment]."""
    ends = np.zeros((len(moments), len(fall) + 1), dtype=int)  # of the windows: where one more begins, one less is left
    draw = np.arange(len(moments))[:, None]
    np.add.at(ends, (draw, np.maximum(moments - window, 0)), 1)
    np.add.at(ends, (draw, np.minimum(moments + window + 1, len(fall))), -1)
    return (fall * (ends.cumsum(1)[:, :-1] > 0)).sum(1)


def _learning(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """How every run ends and by which path; the loss, the regimes and the places of one of them."""
    runs, curves = [], {}
    for experiment, models in trained.items():
        steps, loss = models.snapshot_steps.numpy(), _losses(models)
        for restart in range(models.sweep.restarts):
            along = models.snapshots["W"][:, 0, restart].double().numpy()
            found, plateaus, flat = trajectories.drops(steps, loss[:, restart])
            curves[experiment, restart] = loss[:, restart], found, plateaus
            residual = polytopes.difference(along[-1], OCTAHEDRON)
            runs.append(
                {
                    "experiment": experiment,
                    "restart": restart,
                    "octahedron": residual <= polytopes.ALIKE,
                    "residual": residual,
                    "across": pairs_across(along[-1]),
                    "represented": _represented(along[-1]),
                    "loss": loss[-1, restart],
                    "path": " → ".join(_stage(along[k]) for k in [*plateaus, -1]),
                    "plateaus": len(plateaus),
                    "flattest": min(flat, default=np.nan),
                }
            )
    table = pd.DataFrame(runs)
    shown = _shown(table)
    models = trained[SMALL]
    steps, along = models.snapshot_steps.numpy(), models.snapshots["W"][:, 0, shown].double().numpy()
    loss, found, plateaus = curves[SMALL, shown]
    rotation, order = polytopes.alignment(along[-1], OCTAHEDRON, polytopes.symmetric_orders(*SETS))
    moments = [("start", 0), *(("plateau", k) for k in plateaus), ("end", len(steps) - 1)]
    frames = np.unique(np.geomspace(1, len(steps), FRAMES).round().astype(int) - 1)
    return {
        "runs": table.assign(shown=(table["experiment"] == SMALL) & (table["restart"] == shown)),
        "curve": pd.DataFrame({"step": steps, "loss": loss}),
        "drops": pd.DataFrame({"step": steps[found]}),
        "moments": pd.concat([_places(rotation @ along[k][:, order], int(steps[k]), name) for name, k in moments]),
        "frames": pd.concat([_places(rotation @ along[k][:, order], int(steps[k]), "frame") for k in frames]),
        "numbers": _paths_shown(table),
    }


def _shown(runs: pd.DataFrame) -> int:
    """The model that is shown: of the runs from small weights that end as the octahedron by the most frequent path, the
    one with the lowest loss (of all runs, if none does)."""
    small = runs[runs["experiment"] == SMALL]
    ended = small[small["octahedron"]] if small["octahedron"].any() else small
    path = Counter(ended["path"]).most_common(1)[0][0]
    rows = ended[ended["path"] == path]
    return int(rows.loc[rows["loss"].idxmin(), "restart"])


def pairs_across(W: Float[np.ndarray, "3 6"]) -> bool:
    """Whether every feature's opposite, the one under the most negative cosine, is in the other set."""
    unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-12)
    opposite = (unit.T @ unit).argmin(1)
    return bool((opposite // 3 != np.arange(6) // 3).all())


def _represented(W: Float[np.ndarray, "3 6"]) -> int:
    return int(((W**2).sum(0) > 0.5).sum())


def _stage(W: Float[np.ndarray, "3 6"]) -> str:
    """What a model does with its dimensions: how many features it represents, in how many (singular values over ½)."""
    return f"{_represented(W)} in {(np.linalg.svd(W, compute_uv=False) > 0.5).sum()}"


def _places(W: Float[np.ndarray, "3 6"], step: int, moment: str) -> pd.DataFrame:
    places = pd.DataFrame(W.T.round(6), columns=["w0", "w1", "w2"])
    return places.assign(feature=np.arange(6), step=step, moment=moment)


def _paths_shown(runs: pd.DataFrame) -> pd.DataFrame:
    """The paths by their shares, from small and from Xavier-normal weights."""
    count = runs.groupby("experiment")["restart"].count()
    size = runs.groupby(["experiment", "path"])["path"].transform("size")
    often = runs.loc[size >= OFTEN * runs["experiment"].map(count), "path"]
    runs = runs.assign(path=runs["path"].where(runs["path"].isin(often), "others"))
    shares = runs.groupby(["path", "octahedron", "experiment"]).size().unstack(fill_value=0)
    shares = shares.reindex(columns=[SMALL, XAVIER]).fillna(0)
    shares = shares.sort_values([SMALL, XAVIER], ascending=False, kind="stable").reset_index()
    return pd.DataFrame(
        {
            "features represented, in dimensions, on each plateau and at the end": shares["path"],
            "ends as the octahedron": shares["octahedron"].map({True: "yes", False: "no"}),
            "of runs from small weights": (shares[SMALL] / count.get(SMALL, np.nan)).map("{:.0%}".format),
            "from Xavier-normal weights": (shares[XAVIER] / count.get(XAVIER, np.nan)).map("{:.0%}".format),
        }
    )


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return _draw_energy(data) if figure == "energy_levels" else _draw_learning(data)


def _draw_energy(data: dict[str, pd.DataFrame]) -> Figure:
    """D_i of all features over training with the loss below; the test of jumps against the loss's fall."""
    (model,) = data["models"][data["models"]["shown"]].itertuples()
    levels, jumps = data["levels"], data["jumps"].query(f"restart == {model.restart}")
    steps = levels["step"]
    fig, axes = plt.subplots(
        2, 2, figsize=(plotting.PAGE, 3.9), width_ratios=[3.2, 1], height_ratios=[1.6, 1], sharex="col"
    )
    for level in LEVELS:
        axes[0, 0].axhline(level, color="0.85", lw=0.6, zorder=0)
    jumping = sorted(jumps["feature"].unique())
    for i in range(levels.shape[1] - 1):
        if i not in jumping:
            axes[0, 0].plot(steps, levels[f"d{i}"], color="0.6", lw=0.4)
    for place, i in enumerate(jumping):
        colour = plotting.CATEGORIES[place % len(plotting.CATEGORIES)]
        axes[0, 0].plot(steps, levels[f"d{i}"], color=colour, lw=1.2)
    axes[0, 0].set(ylabel="$D_i$", ylim=(-0.03, 1.03), yticks=[0, 0.5, 1], title="every feature of one model")
    axes[0, 0].set_yticklabels(["0", "1/2", "1"])
    loss = data["losses"][f"l{model.restart}"]
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
    test = fall_at_jumps(data)
    nulls = {"at random moments": (test.at_random, "0.75"), "at another's": (test.of_others, plotting.CATEGORIES[0])}
    for label, (null, colour) in nulls.items():
        if np.isfinite(test.share):
            bins = np.arange(0, 101, 2)
            axes[0, 1].hist(100 * null, bins, color=colour, alpha=0.8, orientation="horizontal", label=label)
    axes[0, 1].axhline(100 * test.share, color=plotting.CATEGORIES[3], lw=1.2, label="at the jumps")
    axes[0, 1].set(xticks=[], title="% of the loss's fall")
    axes[1, 1].legend(*axes[0, 1].get_legend_handles_labels(), loc="upper left")
    axes[1, 1].set_axis_off()
    return fig


def _draw_place(ax: Axes3D, places: pd.DataFrame) -> None:
    """The features as arrows, coloured by set, with the edges of their convex hull."""
    W = places.sort_values("feature")[["w0", "w1", "w2"]].to_numpy().T
    for i, place in enumerate(W.T):
        colour = plotting.CATEGORIES[0 if i < 3 else 1]
        ax.plot(*np.stack([np.zeros(3), place]).T, color=colour, lw=1)
        ax.scatter(*place, s=14, color=colour, depthshade=False)
    for i in range(6):
        for j in range(i):
            if W[:, i] @ W[:, j] > -0.5 * np.linalg.norm(W[:, i]) * np.linalg.norm(W[:, j]):
                ax.plot(*W[:, [i, j]], color="0.6", lw=0.5, zorder=0)
    ax.view_init(elev=20, azim=-35)
    ax.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
    ax.set_box_aspect((1, 1, 1), zoom=1.25)
    ax.set_axis_off()


def _draw_learning(data: dict[str, pd.DataFrame]) -> Figure:
    """The loss of one run with its regimes, the model on each plateau, and the paths of all runs."""
    curve, moments, runs = data["curve"], data["moments"], data["runs"]
    fig = plt.figure(figsize=(plotting.PAGE, 4.3))
    above, below = fig.subfigures(2, 1, height_ratios=[1.15, 1])
    ax, paths = above.subplots(1, 2, width_ratios=[1.7, 1])
    ax.plot(curve["step"], curve["loss"], color="k", lw=1.2)
    edges = [curve["step"].iloc[0], *data["drops"]["step"], curve["step"].iloc[-1]]
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        ax.axvspan(low, high, color="0.93" if number % 2 else "0.98", zorder=-1, lw=0)
    named = moments.drop_duplicates("step")
    marks = curve[curve["step"].isin(named["step"])]
    ax.plot(marks["step"], marks["loss"], "o", color=plotting.CATEGORIES[3], ms=4)
    for letter, row in zip("abcdefgh", marks.itertuples(), strict=False):
        ax.annotate(letter, (row.step, row.loss), xytext=(3, 4), textcoords="offset points")
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", xlim=(edges[0], edges[-1]), title="one run")
    ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2], ["0.01", "0.02", "0.05", "0.1", "0.2"])
    ax.tick_params(axis="y", which="minor", labelleft=False)
    shares = runs.groupby(["path", "experiment"]).size().unstack(fill_value=0).reindex(columns=[SMALL, XAVIER])
    shares = shares.fillna(0) / runs.groupby("experiment").size().reindex([SMALL, XAVIER])
    top = shares.loc[shares.max(axis=1).sort_values(ascending=False, kind="stable").index[:7]].iloc[::-1]
    for offset, (experiment, label) in zip(
        (0.2, -0.2), {SMALL: "small weights", XAVIER: "Xavier"}.items(), strict=True
    ):
        colour = plotting.CATEGORIES[2 if experiment == SMALL else 5]
        paths.barh(np.arange(len(top)) + offset, 100 * top[experiment], height=0.38, label=label, color=colour)
    paths.set_yticks(np.arange(len(top)), top.index, fontsize=6)
    paths.set(xlabel="% of runs")
    paths.set_title("features in dimensions:\nplateaus → end", loc="right")
    paths.legend(loc="lower right", fontsize=6.5)
    for number, (letter, (step, places)) in enumerate(zip("abcdefgh", moments.groupby("step"), strict=False)):
        axis = below.add_subplot(1, moments["step"].nunique(), number + 1, projection="3d")
        _draw_place(axis, places)
        axis.set_title(f"{letter}: step {step}", fontsize=7, pad=0)
    return fig


def animate(figure: str, data: dict[str, pd.DataFrame]) -> FuncAnimation:
    """The run of the figure in motion."""
    frames, curve = data["frames"], data["curve"]
    fig = plt.figure(figsize=(4.4, 2.4), layout="none")
    FigureCanvasBase(fig)  # that of a window would draw every frame twice: to show it, and to save it
    axis = fig.add_axes((0, 0, 0.5, 0.95), projection="3d")
    ax = fig.add_axes((0.63, 0.2, 0.34, 0.68))
    ax.plot(curve["step"], curve["loss"], color="k", lw=1)
    ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    ax.tick_params(which="both", labelsize=6)
    (mark,) = ax.plot([], [], "o", color=plotting.CATEGORIES[3], ms=4)
    loss = curve.set_index("step")["loss"]

    def show(step: int) -> list:
        fig.set_layout_engine("none")  # an animation starts with the default one
        axis.clear()
        _draw_place(axis, frames[frames["step"] == step])
        axis.set_title(f"step {step}", fontsize=8, pad=-4)
        mark.set_data([step], [loss[step]])
        return []

    return FuncAnimation(fig, show, frames=sorted(map(int, frames["step"].unique())), interval=120)


# Claims


@claims.add(
    "jumps",
    figure="energy_levels",
    paper="During training features jump between discrete levels of D_i",
    criterion="models whose represented features all end as digons, once settled (never again more than a tenth of "
    "the features on the move at a time): a jump takes, in the median, at most a tenth of the time for which the model "
    "is settled, and more jumps begin, and end, within 0.05 of 0, 1/2 or 1 than if D_i were spread evenly (p < 0.001 "
    "each); corrected if they end so but do not begin so",
    expected="corrected",
)
def feature_jumps(data: Tables) -> Finding:
    tables = data["energy_levels"]
    models = tables["models"].query("digons")
    jumps = tables["jumps"].merge(models[["restart"]], on="restart")
    spacing = tables["levels"]["step"].diff().mean()
    settled_for = (len(tables["levels"]) - models["settled"]).median() * spacing
    takes = jumps["steps"].median()
    chance = 2 * NEAR * (len(LEVELS) - 1)  # the outer levels have one side each
    counts, on_levels = {}, {}
    for moment in ("before", "after"):
        near = np.abs(jumps[moment].to_numpy()[:, None] - np.array(LEVELS)).min(1, initial=np.inf) <= NEAR
        counts[moment] = int(near.sum())
        on_levels[moment] = len(jumps) > 0 and binomtest(counts[moment], len(jumps), chance, "greater").pvalue < 0.001
    quick = takes <= 0.1 * settled_for
    by_least = tables["sensitivity"].groupby("least")["jumps"].sum()
    return Finding(
        f"{len(jumps)} jumps in {jumps['restart'].nunique()} of {len(models)} models, in the median within "
        f"{takes:.0f} steps of {settled_for:.0f}; {counts['before']} begin at a level, {counts['after']} end at one",
        holds=quick and all(on_levels.values()),
        correction="Features jump to a level, 1/2 or 0, but not from one: they come from slowly changing values in "
        "between, or from a dimension of their own in part"
        if quick and on_levels["after"] and not on_levels["before"]
        else "",
        note=f"{len(models)} of {len(tables['models'])} models end as digons. Of all D_i once settled "
        f"{models['at_levels'].mean():.1%} are at the levels, most of them never to leave. By the least change that is "
        "a jump: " + ", ".join(f"{count} of {least:.2g}" for least, count in by_least.items()),
    )


@claims.add(
    "loss_drops",
    figure="energy_levels",
    paper="The loss drops when features jump",
    criterion="models that end as digons, once settled: more of the fall of the loss is within 2 % of training of a "
    "jump than if the moments of jumping are put at random, and than if every model is given those of another (10 000 "
    "shuffles each, p < 0.01)",
    at_quick=False,
)
def loss_drops(data: Tables) -> Finding:
    test = fall_at_jumps(data["energy_levels"])
    chances = [test.p(null) for null in (test.at_random, test.of_others)]
    return Finding(
        f"{test.share:.0%} of the fall at the jumps; {test.at_random.mean():.0%} at random moments (p = "
        f"{chances[0]:.1g}), {test.of_others.mean():.0%} at another model's (p = {chances[1]:.1g})",
        holds=bool(np.isfinite(test.share)) and max(chances) < 0.01,
    )


@claims.add(
    "octahedron",
    figure="geometric_learning",
    paper="Two correlated sets of three features in three dimensions end as an octahedron whose antipodal pairs join "
    "features of different sets; the regimes of learning show as plateaus in the loss",
    criterion="more than half of the runs, from small and from Xavier-normal weights each, end so; the loss of more "
    "than half of the runs from small weights has a plateau between two drops where it falls at most half as fast as "
    "at the slower of them (in log-log)",
)
def octahedron(data: Tables) -> Finding:
    runs = data["geometric_learning"]["runs"]
    ended = (runs["octahedron"] & runs["across"]).groupby(runs["experiment"]).mean().reindex([SMALL, XAVIER])
    flat = (runs["flattest"] <= FLAT).groupby(runs["experiment"]).mean().reindex([SMALL, XAVIER])
    others = runs[~runs["octahedron"]]
    within = int((runs["octahedron"] & ~runs["across"]).sum())
    return Finding(
        f"{ended[SMALL]:.0%} of the runs from small weights and {ended[XAVIER]:.0%} of those from Xavier-normal ones "
        f"end so; a plateau in {flat[SMALL]:.0%} and {flat[XAVIER]:.0%}",
        holds=bool((ended > 0.5).all() and flat[SMALL] > 0.5),
        note=f"{within} octahedra have a pair within a set. Of the {len(others)} other runs "
        f"{int((others['represented'] < 6).sum())} represent fewer than six features. Plateaus per run: "
        + ", ".join(
            f"{name} {runs.loc[runs['experiment'] == e, 'plateaus'].mean():.1f}"
            for e, name in {SMALL: "from small weights", XAVIER: "from Xavier-normal ones"}.items()
        ),
    )

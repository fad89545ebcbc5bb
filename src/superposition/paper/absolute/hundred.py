"""A hundred features with forty neurons: stacks of weights, and which neurons have one feature."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition import exact, neurons, plotting
from superposition.paper.absolute.layers import layers, long, matrix
from superposition.sweep import Sweep
from superposition.weights import Trained

MAIN = ("absolute_dense", "absolute_sparse")
LENGTHS = {"absolute_shorter": "a tenth of the steps", "absolute_longer": "three times the steps"}
THRESHOLDS = (0.1, 0.15, 0.25, 0.35, 0.5)
ZOOM = (0.01, 0.003)  # with neurons of both kinds, whatever the threshold
SMALL = 0.05  # of the largest weight of a neuron: a weight that can be seen beside it
IN_MATRIX = 40  # features of W_1 that are drawn
BOTH = 0.1  # of the neurons, at least: of such a kind there are some


# From weights to tables


def exact_features(sweep: Sweep) -> np.ndarray:
    """The loss at every point of a model that computes the m/2 most important features exactly and drops the others.

    Two neurons make one |x|. Where features are dense no better model is known.
    """
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    cost = importance * exact.feature_variance(density)
    return cost[:, sweep.m // 2 :].sum(1).numpy()


def measure_neurons(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    runs, units, weights = [], [], []
    for experiment in (*MAIN, *LENGTHS):
        models = trained[experiment]
        points, yardstick = models.points, exact_features(models.sweep)
        shown = set(points.groupby("density")["loss"].idxmin())  # of all seeds
        for point, row in enumerate(points.itertuples()):
            here = {"experiment": experiment, "density": row.density, "seed": row.seed}
            loss, error = models.loss[point].numpy(), models.loss_error[point].numpy()
            runs.append(
                pd.DataFrame({**here, "restart": np.arange(len(loss)), "loss": loss, "loss_error": error}).assign(
                    yardstick=yardstick[point], best=loss == loss.min()
                )
            )
            for restart in range(len(loss)):
                W, W_out, b = layers(models, point, restart)
                units.append(_units(W).assign(**here, restart=restart, best=restart == loss.argmin()))
                if restart == loss.argmin() and point in shown and experiment in MAIN:
                    weights.append(long(W, W_out, b).assign(density=row.density))
    tables = {
        "models": pd.concat(runs, ignore_index=True),
        "neurons": pd.concat(units, ignore_index=True),
        "weights": pd.concat(weights, ignore_index=True),
    }
    return tables | {"numbers": _hundred_shown(tables)}


def _units(W: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    drive = neurons.drive(W, signed=True)
    return pd.DataFrame(
        {
            "neuron": np.arange(len(W)),
            "main": drive.argmax(1),
            "second": neurons.second(drive),
            "small": ((drive >= SMALL * drive.max(1, keepdims=True)).sum(1) - 1),
        }
    )


def alone(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> pd.DataFrame:
    """The neurons with one feature, of the best model of every seed: [density, seed]; the main recipe alone."""
    best = units[units["best"] & units["experiment"].isin(MAIN)]
    counts = (best["second"] < threshold).groupby([best["density"], best["seed"]]).sum().unstack()
    return counts.sort_index(ascending=False)


def count(units: pd.DataFrame) -> int:
    """How many neurons a model has."""
    return int(units["neuron"].max()) + 1


def mixed(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> set[float]:
    """The densities at which there are neurons of both kinds in every seed."""
    kept, m = alone(units, threshold), count(units)
    return set(kept.index[((kept >= BOTH * m) & (kept <= (1 - BOTH) * m)).all(axis=1)])


def _hundred_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Losses over that of m/2 exact features, and neurons with one feature, by density and by length of training."""
    best = tables["models"][tables["models"]["best"]]
    best = best.assign(relative=best["loss"] / best["yardstick"])
    units = tables["neurons"]
    counts = {threshold: alone(units, threshold) for threshold in THRESHOLDS}
    rows = []
    for density, kept in alone(units).iterrows():
        here = best[best["density"] == density]
        seeds = here[here["experiment"].isin(MAIN)].sort_values("seed")["relative"]
        row = {
            "1-S": f"{density:g}",
            "loss over that of m/2 exact features, by seed": ", ".join(seeds.map("{:.3f}".format)),
            "neurons with one feature, by seed": ", ".join(map(str, kept)),
            "the same by threshold": "; ".join(
                f"{threshold:g}: {', '.join(map(str, ones.loc[density]))}" for threshold, ones in counts.items()
            ),
        }
        for experiment, name in LENGTHS.items():
            other = here[here["experiment"] == experiment]["relative"]
            few = units[(units["experiment"] == experiment) & (units["density"] == density)]
            one = (few["second"] < neurons.MONOSEMANTIC).sum()
            row[f"{name}: loss, neurons"] = f"{other.iloc[0]:.3f}, {one}" if len(other) else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def measure_zoom(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    models = trained["absolute_sparse"]
    points, units, weights = models.points, [], []
    for density in ZOOM:
        here = points[points["density"] == density]
        for point, row in here.iterrows():
            W, W_out, b = layers(models, point, row["restart"])
            units.append(_units(W).assign(density=density, seed=row["seed"]))
            if point == here["loss"].idxmin():
                weights.append(long(W, W_out, b).assign(density=density))
    return {"neurons": pd.concat(units, ignore_index=True), "weights": pd.concat(weights, ignore_index=True)}


# From tables to figures


def _colours(n: int) -> list[tuple[float, ...]]:
    """One for each feature, from the most important on; those that no model can afford are alike."""
    return [plotting.FEATURES(min(i / 30, 1)) for i in range(n)]


def draw_neurons(data: dict[str, pd.DataFrame]) -> Figure:
    """The stacks of |W_1| of the best model at every density, W_1 beside them."""
    weights, units = data["weights"], data["neurons"]
    densities = sorted(weights["density"].unique(), reverse=True)
    kept, models = alone(units), data["models"][data["models"]["experiment"].isin(MAIN)]
    fig, axes = plt.subplots(
        len(densities), 2, figsize=(plotting.PAGE, 1.08 * len(densities)), width_ratios=[5, 1], squeeze=False
    )
    for (ax, heat), density in zip(axes, densities, strict=True):
        W = matrix(weights[weights["density"] == density])
        one = neurons.monosemantic(np.abs(W))
        plotting.neuron_stacks(ax, W, one, _colours(W.shape[1]))
        here = models[models["density"] == density]
        relative = (here["loss"] / here["yardstick"]).min()
        ax.set_title(
            f"{plotting.density_title(density)}: {one.sum()} of {len(W)} neurons with one feature "
            f"(seeds: {', '.join(map(str, kept.loc[density]))}); loss / that of {len(W) // 2} exact: {relative:.2f}",
            loc="left",
            fontsize=7,
            pad=2,
        )
        ax.tick_params(labelsize=6)
        heat.imshow(W[:, :IN_MATRIX], cmap=plotting.SIGNED, vmin=-1, vmax=1, aspect="auto")
        heat.set(xticks=[0, IN_MATRIX - 1], yticks=[])
        heat.set_xticklabels(["1", str(IN_MATRIX)] if density == densities[-1] else [])
        heat.tick_params(length=0, labelsize=6, pad=2)
        heat.spines[:].set(visible=True, linewidth=0.4, color="0.5")
    axes[0, 1].set_title("$W_1$", fontsize=7, pad=2)
    axes[-1, 1].set_xlabel("feature")
    axes[-1, 0].set_xlabel("neuron, by the importance of its largest feature")
    fig.supylabel("$|W_1|$, the largest at 1", fontsize=8)
    scale = plt.cm.ScalarMappable(Normalize(1, 31), plotting.FEATURES)
    bar = fig.colorbar(scale, ax=axes.ravel().tolist(), shrink=0.4, pad=0.01, ticks=[1, 11, 21, 31])
    bar.ax.set_yticklabels(["1", "11", "21", "31 …"])
    bar.set_label("feature, from the most important on")
    bar.outline.set_linewidth(0.4)
    return fig


def draw_zoom(data: dict[str, pd.DataFrame]) -> Figure:
    """Two models' stacks with the numbers of the features, and how much room a neuron has for others than its first."""
    weights, units = data["weights"], data["neurons"]
    fig, axes = plt.subplots(len(ZOOM) + 1, 1, figsize=(plotting.PAGE, 6.6), height_ratios=[1.25] * len(ZOOM) + [1])
    for ax, density in zip(axes, ZOOM, strict=False):
        W = matrix(weights[weights["density"] == density])
        one = neurons.monosemantic(np.abs(W))
        plotting.neuron_stacks(ax, W, one, _colours(W.shape[1]), labels=True)
        ax.set(title=f"{plotting.density_title(density)}: {one.sum()} neurons with one feature", ylabel="$|W_1|$")
    for place, density in enumerate(ZOOM):
        for seed, rows in units[units["density"] == density].groupby("seed"):
            colour, shift = plotting.CATEGORIES[place], 0.25 * (place - 0.5)
            label = plotting.density_title(density) if seed == units["seed"].min() else None
            main = rows["main"] + 1 + shift
            axes[-1].scatter(main, rows["second"], s=9, color=colour, alpha=0.7, lw=0, label=label)
    axes[-1].axhline(neurons.MONOSEMANTIC, color="0.5", lw=0.6, ls="--")
    axes[-1].set(xlabel="a neuron's largest feature", ylabel="second weight / largest", ylim=(0, 1), xlim=(0, None))
    axes[-1].legend(loc="upper left")
    return fig

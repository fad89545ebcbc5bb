"""Weights to tables: layers with their neurons in order, what each neuron has, the motif and its parts."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from superposition.analysis import neurons
from superposition.core import features
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.absolute import LENGTHS, MAIN, PAPER_INPUT, THRESHOLDS, ZOOM, alone, is_exact
from superposition.theory import exact

SAMPLES = 2**18  # that are not empty, to see where an ablation hurts
SCALED = ("in_first", "in_second", "out_first", "out_second")  # the shared neuron's weights
SMALL = 0.05  # of the largest weight of a neuron: a weight that can be seen beside it


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](trained)


def layers(models: SweepResult, point: int, restart: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W_1, W_2 (as [m, n]) and b of one model, every neuron rescaled and in order."""
    W, W_out, b = (models.parameters[k][point, restart].double().numpy() for k in ("W", "W_out", "b"))
    W, W_out = neurons.rescaled(W, W_out)
    order = neurons.display_order(W)
    return W[order], W_out[order], b


def long(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"], b: Float[np.ndarray, " n"]) -> pd.DataFrame:
    """One row per neuron and feature: the weights in and out, and the bias of the feature's output."""
    neuron, feature = (index.ravel() for index in np.indices(W.shape))
    return pd.DataFrame(
        {"neuron": neuron, "feature": feature, "weight": W.ravel(), "out": W_out.ravel(), "bias": b[feature]}
    )


# Models few enough in neurons to be seen whole: the exact one, and those with the asymmetric motif


def measure_small(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The layers of the best model, and how many restarts compute |x| exactly."""
    models = trained["absolute_small"]
    loss = models.loss[0].numpy()
    found = [is_exact(*(models.parameters[k][0, r].double().numpy() for k in ("W", "W_out"))) for r in range(len(loss))]
    return {
        "weights": long(*layers(models, 0, int(loss.argmin()))),
        "models": pd.DataFrame({"restart": np.arange(len(loss)), "loss": loss, "exact": found}),
    }


def measure_motif(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Instances of the motif in every model; the model that is shown, and what becomes of it without an inhibitor."""
    models = trained["absolute_motif"]
    sweep = models.sweep
    runs, found = [], []
    for point, density in enumerate(sweep.density):
        for restart, loss in enumerate(models.loss[point].tolist()):
            W, W_out, _ = layers(models, point, restart)
            here = {"density": density, "restart": restart}
            instances = neurons.motifs(W, W_out)
            best = restart == int(models.loss[point].argmin())
            runs.append({**here, "loss": loss, "instances": len(instances), "best": best})
            for motif in instances:
                into = W[motif.shared, [motif.first, motif.second]]
                out = W_out[motif.shared, [motif.first, motif.second]]
                scale = PAPER_INPUT / np.abs(into[0])
                scaled = np.concatenate([into * scale, out / scale])
                found.append({**here, "best": best, **vars(motif), **dict(zip(SCALED, scaled, strict=True))})
    table = pd.DataFrame(runs)
    shown = table[table["best"]].sort_values(["instances", "density"], ascending=False, kind="stable").iloc[0]
    point, restart = sweep.density.index(shown["density"]), int(shown["restart"])
    W, W_out, b = layers(models, point, restart)
    columns = ["density", "restart", "best", *neurons.Motif.__annotations__, *SCALED]
    tables = {
        "models": table,
        "motifs": pd.DataFrame(found, columns=columns),
        "weights": long(W, W_out, b).assign(density=shown["density"], restart=restart),
        "ablations": _ablations(models, point, W, W_out, b),
    }
    return tables | {"numbers": _motif_shown(tables)}


def _ablations(
    models: SweepResult,
    point: int,
    W: Float[np.ndarray, "m n"],
    W_out: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, " n"],
) -> pd.DataFrame:
    """The loss as trained, and for every instance without one weight: that by which the inhibitor holds the second
    output down, that by which the first feature switches the inhibitor on, or the interfering one.

    ``share``: how much of the rise is in samples in which the first feature switches the shared neuron on.
    """
    sweep = models.sweep
    gates, drawn = features.samples(sweep, point, SAMPLES)
    x = drawn.double()
    importance = torch.from_numpy(sweep.importances()[point])
    some, none = gates.any_from[0, 0].item(), gates.all_zero_probability[0].item()

    def sampled(W: np.ndarray, W_out: np.ndarray) -> tuple[np.ndarray, float]:
        """Of every sample that is not empty, and of the empty one, each with its weight."""
        p = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.from_numpy(b)}
        empty = exact.all_zero_loss(models.model, p, importance).item()
        return some * models.model.loss(p, x, importance).numpy(), none * empty

    trained, empty = sampled(W, W_out)  # no weight changes the empty sample's
    rows: list[dict[str, object]] = [{"instance": 0, "without": "nothing", "loss": trained.mean() + empty}]
    for k, motif in enumerate(neurons.motifs(W, W_out), 1):
        on = (x[:, motif.first] * W[motif.shared, motif.first] > 0).numpy()
        for name, layer, neuron, feature in (
            ("inhibition", W_out, motif.inhibitor, motif.second),
            ("inhibitor's input", W, motif.inhibitor, motif.first),
            ("interference", W_out, motif.shared, motif.second),
        ):
            without = layer.copy()
            without[neuron, feature] = 0
            rise = (sampled(without, W_out) if layer is W else sampled(W, without))[0] - trained
            loss = (trained + rise).mean() + empty
            rows.append({"instance": k, "without": name, "loss": loss, "share": rise[on].sum() / rise.sum()})
    return pd.DataFrame(rows, columns=["instance", "without", "loss", "share"])


def _motif_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How often the motif is found, by density."""
    models = tables["models"]
    groups = models.groupby("density", sort=False)
    best = models[models["best"]].set_index("density")["instances"]
    return pd.DataFrame(
        {
            "1-S": [f"{density:g}" for density, _ in groups],
            "instances in the best model": [str(best[density]) for density, _ in groups],
            "instances per model": [f"{runs['instances'].mean():.2f}" for _, runs in groups],
            "models with one or more": [f"{(runs['instances'] > 0).mean():.0%}" for _, runs in groups],
        }
    )


# A hundred features with forty neurons


def exact_features(sweep: Sweep) -> np.ndarray:
    """The loss at every point of a model that computes the m/2 most important features exactly and drops the others.

    Two neurons make one |x|. Where features are dense no better model is known.
    """
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    cost = importance * exact.feature_variance(density)
    return cost[:, sweep.m // 2 :].sum(1).numpy()


def measure_neurons(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Models, what each neuron of the best ones has, and W_1, at all densities and lengths of training."""
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
            "second": neurons.second_drive_ratio(drive),
            "small": ((drive >= SMALL * drive.max(1, keepdims=True)).sum(1) - 1),
        }
    )


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


def measure_zoom(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Two densities in detail: the neurons of every seed's best model, and the weights of the best of all."""
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


MEASURED = {
    "absolute_small": measure_small,
    "absolute_neurons": measure_neurons,
    "absolute_zoom": measure_zoom,
    "asymmetric_motif": measure_motif,
}

"""Measure the absolute-value model: its layers, the features of every neuron, and the asymmetric motif."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from superposition.analysis import neurons
from superposition.analysis.rows import at_point, rows_at
from superposition.core import features
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    PAPER_INPUT_WEIGHT,
    TRAINING_LENGTHS,
    WEIGHT_THRESHOLDS,
    ZOOM_DENSITIES,
    activity,
    computes_exactly,
    count_monosemantic,
)
from superposition.paper.absolute.motifs import Motif, find_motifs
from superposition.theory import exact

# Samples, none of them all-zero, by which the effect of ablations is measured.
ABLATION_SAMPLES = 2**18
# Columns for the scaled weights of a motif's shared neuron.
MOTIF_WEIGHTS = ("in_first", "in_second", "out_first", "out_second")


def ordered_layers(models: SweepResult, point: int, restart: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return W_1 [m, n], W_2ᵀ [m, n] and b [n] of one model, with its neurons rescaled and ordered."""
    W, W_out, b = (models.parameters[k][point, restart].double().numpy() for k in ("W", "W_out", "b"))
    W, W_out = neurons.rescaled(W, W_out)
    order = neurons.display_order(W)
    return W[order], W_out[order], b


def weights_table(
    W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"], b: Float[np.ndarray, " n"]
) -> pd.DataFrame:
    """Return a table of one row per neuron and feature: the weights in and out, and the bias of the output."""
    neuron, feature = (index.ravel() for index in np.indices(W.shape))
    return pd.DataFrame(
        {"neuron": neuron, "feature": feature, "weight": W.ravel(), "out": W_out.ravel(), "bias": b[feature]}
    )


# Small models, whose neurons are all shown: the exact one, and those with the asymmetric motif.


def absolute_small(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the layers of the best small model, and which restarts compute |x| exactly."""
    models = trained["absolute_small"]
    loss = models.loss[0].numpy()
    found = [
        computes_exactly(*(models.parameters[k][0, r].double().numpy() for k in ("W", "W_out")))
        for r in range(len(loss))
    ]
    return {
        "weights": weights_table(*ordered_layers(models, 0, int(loss.argmin()))),
        "models": pd.DataFrame({"restart": np.arange(len(loss)), "loss": loss, "exact": found}),
        "residuals": pd.DataFrame([(k, activity.residual_of_neurons(k)) for k in (1, 2)], columns=["neurons", "share"]),
    }


def asymmetric_motif(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Find the instances of the motif in every model, and ablate those of the model that is shown."""
    models = trained["absolute_motif"]
    sweep = models.sweep
    runs, found = [], []
    for point, density in enumerate(sweep.density):
        for restart, loss in enumerate(models.loss[point].tolist()):
            W, W_out, _ = ordered_layers(models, point, restart)
            here = {"point": point, "density": density, "restart": restart}
            instances = find_motifs(W, W_out)
            best = restart == int(models.loss[point].argmin())
            runs.append({**here, "loss": loss, "instances": len(instances), "best": best})
            for motif in instances:
                into = W[motif.shared, [motif.first, motif.second]]
                out = W_out[motif.shared, [motif.first, motif.second]]
                scale = PAPER_INPUT_WEIGHT / np.abs(into[0])
                scaled = np.concatenate([into * scale, out / scale])
                found.append({**here, "best": best, **vars(motif), **dict(zip(MOTIF_WEIGHTS, scaled, strict=True))})
    table = pd.DataFrame(runs)
    shown = table[table["best"]].sort_values(["instances", "density"], ascending=False, kind="stable").iloc[0]
    point, restart = int(shown["point"]), int(shown["restart"])
    W, W_out, b = ordered_layers(models, point, restart)
    columns = ["point", "density", "restart", "best", *Motif.__annotations__, *MOTIF_WEIGHTS]
    tables = {
        "models": table,
        "motifs": pd.DataFrame(found, columns=columns),
        "weights": weights_table(W, W_out, b).assign(point=point, density=shown["density"], restart=restart),
        "ablations": _measure_ablations(models, point, W, W_out, b),
    }
    return tables | {"numbers": _summarise_motif(tables)}


def _measure_ablations(
    models: SweepResult,
    point: int,
    W: Float[np.ndarray, "m n"],
    W_out: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, " n"],
) -> pd.DataFrame:
    """Measure the loss of a model, and the loss without one of the weights of each motif.

    The weights removed are that by which the inhibitor suppresses the second output (``inhibition``), that by which the
    first feature activates the inhibitor (``inhibitor's input``), and the interfering one (``interference``).

    Args:
        models: The sweep to which the model belongs.
        point: Its point in the sweep.
        W: Its first layer.
        W_out: Its second layer.
        b: Its bias.

    Returns:
        One row per ablation; ``share`` is the share of the rise of the loss in samples in which the first feature
        activates the shared neuron.
    """
    sweep = models.sweep
    gates, drawn = features.samples(sweep, point, ABLATION_SAMPLES)
    x = drawn.double()
    importance = torch.from_numpy(sweep.importances()[point])
    p_active, p_zero = gates.any_from[0, 0].item(), gates.all_zero_probability[0].item()

    def weighted_losses(W: np.ndarray, W_out: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the weighted losses of the samples, and that of the all-zero sample."""
        p = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.from_numpy(b)}
        zero_loss = exact.all_zero_loss(models.model, p, importance).item()
        return p_active * models.model.loss(p, x, importance).numpy(), p_zero * zero_loss

    # Removing a weight does not change the loss of the all-zero sample.
    trained, zero = weighted_losses(W, W_out)
    rows: list[dict[str, object]] = [{"instance": 0, "without": "nothing", "loss": trained.mean() + zero}]
    for k, motif in enumerate(find_motifs(W, W_out), 1):
        active = (x[:, motif.first] * W[motif.shared, motif.first] > 0).numpy()
        for name, layer, neuron, feature in (
            ("inhibition", W_out, motif.inhibitor, motif.second),
            ("inhibitor's input", W, motif.inhibitor, motif.first),
            ("interference", W_out, motif.shared, motif.second),
        ):
            without = layer.copy()
            without[neuron, feature] = 0
            ablated = weighted_losses(without, W_out) if layer is W else weighted_losses(W, without)
            rise = ablated[0] - trained
            loss = (trained + rise).mean() + zero
            rows.append({"instance": k, "without": name, "loss": loss, "share": rise[active].sum() / rise.sum()})
    return pd.DataFrame(rows, columns=["instance", "without", "loss", "share"])


def _summarise_motif(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by density how often the motif is found."""
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


# Large models: a hundred features in forty neurons.


def exact_features_loss(sweep: Sweep) -> np.ndarray:
    """Return the loss, at every point, of a model that computes the m/2 most important features exactly.

    Every |x| takes two neurons; the other features are dropped. For dense features no better model is known.
    """
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    cost = importance * exact.feature_variance(density)
    return cost[:, sweep.m // 2 :].sum(1).numpy()


def absolute_neurons(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure losses, the features of every neuron, and the best models, for all densities and lengths of training.

    Of the best known models, ``best_computed`` has the features that they compute, and ``best_neurons`` the neurons.
    """
    runs, units, weights, computed, active = [], [], [], [], []
    for experiment in (*MAIN_EXPERIMENTS, *TRAINING_LENGTHS):
        models = trained[experiment]
        points, yardstick = models.points, exact_features_loss(models.sweep)
        # The best model of all seeds is shown.
        shown = set(points.groupby("density")["loss"].idxmin())
        for point, row in enumerate(points.itertuples()):
            here = {"experiment": experiment, "point": point, "density": row.density, "seed": row.seed}
            loss, error = models.loss[point].numpy(), models.loss_error[point].numpy()
            runs.append(
                pd.DataFrame({**here, "restart": np.arange(len(loss)), "loss": loss, "loss_error": error}).assign(
                    yardstick=yardstick[point], best=loss == loss.min()
                )
            )
            share, share_error = activity.explained_variance(models, point, int(loss.argmin()))
            shares = {"feature": np.arange(len(share)), "explained": share, "explained_error": share_error}
            computed.append(pd.DataFrame({**here, **shares}))
            if experiment in MAIN_EXPERIMENTS:
                large, small = activity.primary_shares(models, point, int(loss.argmin()))
                W = models.best()["W"][point].double().numpy()
                second = neurons.second_drive_ratio(neurons.drive(W, signed=True))
                shares = {"second": second, "visible": activity.visible_features(W), "large": large, "small": small}
                active.append(pd.DataFrame({**here, **shares}))
            for restart in range(len(loss)):
                W, W_out, b = ordered_layers(models, point, restart)
                units.append(_neurons_table(W).assign(**here, restart=restart, best=restart == loss.argmin()))
                if restart == loss.argmin() and point in shown and experiment in MAIN_EXPERIMENTS:
                    weights.append(weights_table(W, W_out, b).assign(point=point, density=row.density))
    tables = {
        "models": pd.concat(runs, ignore_index=True),
        "neurons": pd.concat(units, ignore_index=True),
        "weights": pd.concat(weights, ignore_index=True),
        "computed": pd.concat(computed, ignore_index=True),
        "activity": pd.concat(active, ignore_index=True),
    }
    return tables | _measure_known(best) | {"numbers": _summarise_neurons(tables)}


def _measure_known(best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the share of |x| that every feature's output explains in the best known models, and their neurons."""
    computed, units = [], []
    for models in (best[name] for name in MAIN_EXPERIMENTS):
        # The best known models of replicates are the same.
        for point, row in models.points[models.points["seed"] == 0].iterrows():
            here = {"point": point, "density": row["density"]}
            share, error = activity.explained_variance(models, point, row["restart"])
            columns = {"feature": np.arange(len(share)), "explained": share, "explained_error": error}
            computed.append(pd.DataFrame({**here, "known_loss": row["loss"], **columns}))
            units.append(_neurons_table(ordered_layers(models, point, row["restart"])[0]).assign(**here))
    return {
        "best_computed": pd.concat(computed, ignore_index=True),
        "best_neurons": pd.concat(units, ignore_index=True),
    }


def _neurons_table(W: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    """Return one row per neuron: its main feature, its second weight over the largest, and its number of small ones."""
    drive = neurons.drive(W, signed=True)
    return pd.DataFrame(
        {
            "neuron": np.arange(len(W)),
            "main": drive.argmax(1),
            "second": neurons.second_drive_ratio(drive),
            "small": activity.visible_features(W) - 1,
        }
    )


def _summarise_neurons(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise losses and the number of monosemantic neurons by density and length of training."""
    best = tables["models"][tables["models"]["best"]]
    best = best.assign(relative=best["loss"] / best["yardstick"])
    units = tables["neurons"]
    counts = {threshold: count_monosemantic(units, threshold) for threshold in WEIGHT_THRESHOLDS}
    rows = []
    for density, ones in count_monosemantic(units).iterrows():
        here = rows_at(best, density=density)
        seeds = here[here["experiment"].isin(MAIN_EXPERIMENTS)].sort_values("seed")["relative"]
        row = {
            "1-S": f"{density:g}",
            "loss over that of m/2 exact features, by seed": ", ".join(seeds.map("{:.3f}".format)),
            "neurons with one feature, by seed": ", ".join(map(str, ones)),
            "the same by threshold": "; ".join(
                f"{threshold:g}: {', '.join(map(str, table.loc[density]))}" for threshold, table in counts.items()
            ),
        }
        for experiment, name in TRAINING_LENGTHS.items():
            row[f"{name}: loss, neurons"] = "–"
            for other in here[here["experiment"] == experiment].head(1).itertuples():
                its_neurons = at_point(units[units["experiment"] == experiment], other.point)
                one = (its_neurons["second"] < neurons.MONOSEMANTIC).sum()
                row[f"{name}: loss, neurons"] = f"{other.relative:.3f}, {one}"
        rows.append(row)
    return pd.DataFrame(rows)


def absolute_zoom(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure two densities in detail: the neurons of every seed's best model, and the weights of the best of all."""
    models = trained["absolute_sparse"]
    points, units, weights = models.points, [], []
    for density in ZOOM_DENSITIES:
        here = rows_at(points, density=density)
        for point, row in here.iterrows():
            W, W_out, b = ordered_layers(models, point, row["restart"])
            units.append(_neurons_table(W).assign(point=point, density=density, seed=row["seed"]))
            if point == here["loss"].idxmin():
                weights.append(weights_table(W, W_out, b).assign(point=point, density=density))
    return {"neurons": pd.concat(units, ignore_index=True), "weights": pd.concat(weights, ignore_index=True)}

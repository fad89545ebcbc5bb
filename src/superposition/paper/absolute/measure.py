"""Measure the absolute-value model: its layers, the features of every neuron, and the asymmetric motif."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from superposition.analysis import neurons
from superposition.analysis.rows import at_point, rows_at
from superposition.analysis.tables import stack
from superposition.core import features
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    TRAINING_LENGTHS,
    WEIGHT_THRESHOLDS,
    ZOOM_DENSITIES,
    activity,
    computes_exactly,
    count_monosemantic,
)
from superposition.paper.absolute.cones import error_of_single_features
from superposition.paper.absolute.motifs import Motif, find_motifs
from superposition.theory import exact

# Samples, none of them all-zero, by which the effect of ablations is measured.
ABLATION_SAMPLES = 2**18


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
    return neurons.layers_table(weight=W, out=W_out, bias=np.broadcast_to(b, W.shape))


def absolute_small(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the layers of the best small model, and which restarts compute |x| exactly."""
    models = trained["absolute_small"]
    loss = models.loss[0].numpy()
    layers = [ordered_layers(models, 0, restart) for restart in range(len(loss))]
    exact = [computes_exactly(W, W_out) for W, W_out, _ in layers]
    return {
        "weights": weights_table(*layers[loss.argmin()]),
        "models": pd.DataFrame({"restart": np.arange(len(loss)), "loss": loss, "exact": exact}),
        "residuals": pd.DataFrame({"neurons": [1, 2], "share": [*map(activity.residual_of_neurons, (1, 2))]}),
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
            instances, best = find_motifs(W, W_out), restart == int(models.loss[point].argmin())
            runs.append(here | {"loss": loss, "instances": len(instances), "best": best})
            found += [here | {"best": best} | vars(motif) for motif in instances]
    table = pd.DataFrame(runs)
    shown = table[table["best"]].sort_values(["instances", "density"], ascending=False, kind="stable").iloc[0]
    point, restart = int(shown["point"]), int(shown["restart"])
    W, W_out, b = ordered_layers(models, point, restart)
    columns = ["point", "density", "restart", "best", *Motif.__annotations__]
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

    layers = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.from_numpy(b)}

    def sample_losses(**changed: torch.Tensor) -> np.ndarray:
        """Return the weighted losses of the samples, none of them all-zero, with another layer."""
        return p_active * models.model.loss(layers | changed, x, importance).numpy()

    # Removing a weight does not change the loss of the all-zero sample.
    zero = p_zero * exact.all_zero_loss(models.model, layers, importance).item()
    trained = sample_losses()
    rows: list[dict[str, object]] = [{"instance": 0, "without": "nothing", "loss": trained.mean() + zero}]
    for k, motif in enumerate(find_motifs(W, W_out), 1):
        active = (x[:, motif.first] * W[motif.shared, motif.first] > 0).numpy()
        for name, layer, neuron, feature in (
            ("inhibition", "W_out", motif.inhibitor, motif.second),
            ("inhibitor's input", "W", motif.inhibitor, motif.first),
            ("interference", "W_out", motif.shared, motif.second),
        ):
            without = layers[layer].clone()
            without[neuron, feature] = 0
            rise = sample_losses(**{layer: without}) - trained
            loss = (trained + rise).mean() + zero
            rows.append({"instance": k, "without": name, "loss": loss, "share": rise[active].sum() / rise.sum()})
    return pd.DataFrame(rows, columns=["instance", "without", "loss", "share"])


def _summarise_motif(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by density how often the motif is found."""
    groups = tables["models"].groupby("density", sort=False)
    return pd.DataFrame(
        {
            "1-S": f"{density:g}",
            "instances in the best model": str(runs.loc[runs["best"], "instances"].item()),
            "instances per model": f"{runs['instances'].mean():.2f}",
            "models with one or more": f"{(runs['instances'] > 0).mean():.0%}",
        }
        for density, runs in groups
    )


def exact_features_loss(sweep: Sweep) -> np.ndarray:
    """Return the loss, at every point, of a model that computes the m/2 most important features exactly.

    Every |x| takes two neurons; the other features are dropped. At density 1 no better model is known.
    """
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    cost = importance * exact.feature_variance(density)
    return cost[:, sweep.m // 2 :].sum(1).numpy()


def absolute_neurons(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure losses, the features of every neuron, and the best models, for all densities and lengths of training.

    Of the best known models, ``best_computed`` has the features that they compute, and ``best_neurons`` the neurons;
    ``constructed`` has the errors of a construction with six neurons where one feature is active.
    """
    parts: list[dict[str, pd.DataFrame]] = []
    for experiment in (*MAIN_EXPERIMENTS, *TRAINING_LENGTHS):
        models = trained[experiment]
        yardstick = exact_features_loss(models.sweep)
        # The best model of all seeds is shown.
        shown = set(models.points.groupby("density")["loss"].idxmin())
        for point, row in enumerate(models.points.itertuples()):
            here = {"experiment": experiment, "point": point, "density": row.density, "seed": row.seed}
            loss = models.loss[point].numpy()
            lowest = int(loss.argmin())
            restarts = np.arange(len(loss))
            runs = {"restart": restarts, "loss": loss, "yardstick": yardstick[point], "best": restarts == lowest}
            parts.append(
                {
                    "models": pd.DataFrame(here | runs),
                    "computed": pd.DataFrame({**here, **activity.explained_variance(models, point, lowest)}),
                }
            )
            for restart in restarts.tolist():
                units = _neurons_table(ordered_layers(models, point, restart)[0])
                parts.append({"neurons": units.assign(**here, restart=restart, best=restart == lowest)})
            if experiment in MAIN_EXPERIMENTS:
                parts.append({"activity": pd.DataFrame({**here, **activity.neuron_responses(models, point, lowest)})})
            if experiment in MAIN_EXPERIMENTS and point in shown:
                table = weights_table(*ordered_layers(models, point, lowest))
                parts.append({"weights": table.assign(point=point, density=row.density)})
    tables = stack(parts)
    error = error_of_single_features(trained[MAIN_EXPERIMENTS[0]].sweep.n)
    constructed = pd.DataFrame({"feature": np.arange(len(error)), "error": error})
    return tables | _measure_known(best) | {"numbers": _summarise_neurons(tables), "constructed": constructed}


def _measure_known(best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the share of |x| that every feature's output explains in the best known models, and their neurons."""
    parts: list[dict[str, pd.DataFrame]] = []
    for models in (best[name] for name in MAIN_EXPERIMENTS):
        # The best known models of replicates are the same.
        for point, row in models.points.query("seed == 0").iterrows():
            here = {"point": point, "density": row["density"]}
            computed = activity.explained_variance(models, point, row["restart"])
            units = _neurons_table(ordered_layers(models, point, row["restart"])[0])
            parts.append(
                {
                    "best_computed": pd.DataFrame({**here, "known_loss": row["loss"], **computed}),
                    "best_neurons": units.assign(**here),
                }
            )
    return stack(parts)


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
    best = tables["models"].query("best")
    best = best.assign(relative=best["loss"] / best["yardstick"])
    units = tables["neurons"]
    counts = {threshold: count_monosemantic(units, threshold) for threshold in WEIGHT_THRESHOLDS}
    rows = []
    for density, ones in count_monosemantic(units).iterrows():
        here = rows_at(best, density=density)
        seeds = here[here["experiment"].isin(MAIN_EXPERIMENTS)].sort_values("seed")["relative"]
        by_threshold = [f"{t:g}: {', '.join(map(str, table.loc[density]))}" for t, table in counts.items()]
        row = {
            "1-S": f"{density:g}",
            "loss over that of m/2 exact features, by seed": ", ".join(seeds.map("{:.3f}".format)),
            "neurons with one feature, by seed": ", ".join(map(str, ones)),
            "the same by threshold": "; ".join(by_threshold),
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
    models, parts = trained["absolute_sparse"], []
    for density in ZOOM_DENSITIES:
        here = rows_at(models.points, density=density)
        for point, row in here.iterrows():
            W, W_out, b = ordered_layers(models, point, row["restart"])
            parts.append({"neurons": _neurons_table(W).assign(point=point, density=density, seed=row["seed"])})
            if point == here["loss"].idxmin():
                parts.append({"weights": weights_table(W, W_out, b).assign(point=point, density=density)})
    return stack(parts)

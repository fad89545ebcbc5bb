"""Measure the alignment of weights with the neurons, and the codes of the best models."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int

from superposition.analysis import neurons
from superposition.analysis.rows import at_point
from superposition.analysis.tables import stack
from superposition.core.features import samples
from superposition.core.weights import SweepResult
from superposition.paper.privileged import (
    DRIVE_THRESHOLDS,
    LOSS_TOLERANCE,
    MODEL_LABELS,
    SHOWN_DENSITY,
    codes,
    matches_regime,
    paper_regime,
    regimes_by_density,
)
from superposition.training.evaluation import losses

# Restarts of each architecture whose alignment is measured.
COMPARED_RESTARTS = 100
# Random rotations of the hidden space with which a model is compared.
ROTATIONS = 999
# At every density the best models, and the best of the paper's kind, are ranked again by a more precise loss.
RERANKED, RERANKED_OF_PAPER_KIND = 20, 5
# The precise loss is estimated from this many times the random numbers of the usual one.
PRECISE_FACTOR = 16


def concentration(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch"]:
    """Return Σ W_ki⁴ / (Σ W_ki²)², which a rotation of the hidden space maximises if weights align with the neurons."""
    square = W**2
    return (square**2).sum((-2, -1)) / square.sum((-2, -1)) ** 2


def random_rotations(m: int, count: int, seed: int = 0) -> Float[np.ndarray, "count m m"]:
    """Return uniformly distributed orthogonal matrices, the same for the same seed."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, m, m)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def alignment_rank(W: Float[np.ndarray, "*batch m n"], seed: int = 0) -> Float[np.ndarray, "*batch"]:
    """Return the share of random rotations of W whose weights are less concentrated on the neurons than those of W.

    The share is uniformly distributed on [0, 1] for a model without a preferred basis.
    """
    turned = random_rotations(W.shape[-2], ROTATIONS, seed) @ W[..., None, :, :]
    return (concentration(turned) < concentration(W)[..., None]).mean(-1)


def privileged_vs_not(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure losses and alignment of the three architectures, and the effect of rotating the hidden space."""
    densities = trained["privileged_linear"].sweep.density
    parts: list[dict[str, pd.DataFrame]] = []
    for experiment, name in MODEL_LABELS.items():
        models = trained[experiment]
        for density in densities:
            point = models.sweep.density.index(density)
            here = {"model": name, "point": point, "density": density}
            best, lowest = {k: v[point] for k, v in models.best().items()}, models.loss[point].argmin()
            about = {
                "loss": models.loss[point, lowest].item(),
                "loss_error": models.loss_error[point, lowest].item(),
                "least_bias": best["b_hidden"].min().item() if "b_hidden" in best else np.nan,
                "on": active_fraction(models, point),
            }
            compared = models.parameters["W"][point, :COMPARED_RESTARTS].double().numpy()
            ranks = alignment_rank(compared, models.sweep.seed)
            alignment = pd.DataFrame({**here, "restart": np.arange(len(ranks)), "alignment": ranks})
            parts.append({"models": pd.DataFrame([here | about]), "alignment": alignment})
            if experiment == "privileged":
                loss = _losses_of_rotated(models, point)
                rise = np.median(loss[1:]) / loss[0] - 1
                parts.append({"turned": pd.DataFrame({"density": [density], "rise": rise})})
            if density == SHOWN_DENSITY:
                W = best["W"].numpy()
                weights = neurons.layers_table(weight=W[neurons.display_order(W)]).assign(model=name, point=point)
                loss = _losses_of_rotated(models, point)
                rotated = pd.DataFrame({"model": name, "point": point, "rotation": np.arange(len(loss)), "loss": loss})
                parts.append({"weights": weights, "rotated": rotated})
    tables = stack(parts)
    return tables | {"numbers": _summarise_comparison(tables)}


def active_fraction(models: SweepResult, point: int) -> float:
    """Return how often a hidden unit of the best model is active, over samples that are not all-zero."""
    _, x = samples(models.sweep, point, 2**16)
    best = {k: v[point] for k, v in models.best().items()}
    h = x.double() @ best["W"].mT + best.get("b_hidden", torch.zeros(models.sweep.m, dtype=torch.float64))
    return (h > 0).double().mean().item()


def _losses_of_rotated(models: SweepResult, point: int) -> np.ndarray:
    """Return the loss of the best model, followed by those with its hidden space (and hidden bias) rotated."""
    m, best = models.sweep.m, {k: v[point].float() for k, v in models.best().items()}
    rotations = torch.cat([torch.eye(m)[None], torch.from_numpy(random_rotations(m, 20, models.sweep.seed)).float()])
    rotated = {k: v.expand(len(rotations), -1) if k == "b" else rotations @ v for k, v in best.items()}
    sweep = models.sweep.model_copy(update={"density": (models.sweep.density[point],)})
    return losses(sweep, {k: v[None] for k, v in rotated.items()})[0][0].numpy()


def _summarise_comparison(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by density the models with and without a hidden bias, compared with a linear hidden layer."""
    loss = tables["models"].pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODEL_LABELS.values())
    biased = tables["models"].query(f"model == '{MODEL_LABELS['privileged_bias']}'").set_index("density")
    aligned = tables["alignment"].groupby(["density", "model"])["alignment"].median().unstack()
    out = pd.DataFrame(
        {
            "1-S": loss.index.map("{:g}".format),
            "loss with a ReLU hidden layer, over that with a linear one": (relu / linear).map("{:.3f}".format),
            "the same with a hidden bias": (bias / linear).map("{:.3f}".format),
            "its smallest hidden bias": biased["least_bias"].map("{:.2f}".format),
            "hidden units on": biased["on"].map("{:.1%}".format),
        }
        | {f"alignment, {name} (median)": aligned[name].map("{:.2f}".format) for name in MODEL_LABELS.values()}
    )
    return out.iloc[::-1]


def privileged_neurons(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the code of the best model at every density, chosen by a precise loss, and how rare such models are."""
    models = trained["privileged"]
    sweep = models.sweep
    # The upper bound is the largest value that a sweep may have.
    precise = sweep.model_copy(update={"evaluation": min(PRECISE_FACTOR * sweep.evaluation, 2**30)})
    parts = []
    for point, density in enumerate(sweep.density):
        W_all, here = models.parameters["W"][point].double().numpy(), {"point": point, "density": density}
        paper_kind = np.array([is_of_paper_kind(density, W) for W in W_all])
        order = models.loss[point].argsort(stable=True).numpy()
        ranked = np.concatenate([order[:RERANKED], order[paper_kind[order]][:RERANKED_OF_PAPER_KIND]])
        at = precise.model_copy(update={"density": (density,)})
        loss, error = (
            part[0].numpy() for part in losses(at, {k: v[[point]][:, ranked] for k, v in models.parameters.items()})
        )
        best = int(loss.argmin())
        basin = here | {"loss": loss[best], "loss_error": error[best], "restarts": sweep.restarts}
        basin |= _measure_basin(W_all, models.loss[point].numpy(), ranked, loss, paper_kind)
        parts.append(_describe_code(W_all[ranked[best]], here) | {"basins": pd.DataFrame([basin])})
    tables = stack(parts)
    return tables | {"numbers": _summarise_regimes(tables)}


def _measure_basin(
    W_all: Float[np.ndarray, "restart m n"],
    runs: Float[np.ndarray, " restart"],
    ranked: Int[np.ndarray, " k"],
    loss: Float[np.ndarray, " k"],
    paper_kind: Bool[np.ndarray, " restart"],
) -> dict[str, float | int]:
    """Measure how many restarts at one density are like the best model, and what others cost more.

    Args:
        W_all: Weights of all restarts.
        runs: Their losses.
        ranked: The restarts whose precise losses are known.
        loss: These losses.
        paper_kind: Whether each restart is of the kind that the paper finds at this density.
    """
    best = int(loss.argmin())
    kinds = codes.canonical_codes(W_all)
    same = np.array([kind == kinds[ranked[best]] for kind in kinds])
    excess = loss / loss[best] - 1
    return {
        "same_kind": int(same.sum()),
        "as_good": int((runs <= (1 + LOSS_TOLERANCE) * runs[ranked[best]]).sum()),
        "other_kind": excess[~same[ranked]].min(initial=np.inf),
        "as_stated": excess[paper_kind[ranked]].min(initial=np.inf),
    }


def _describe_code(W: Float[np.ndarray, "m n"], here: dict[str, float | int]) -> dict[str, pd.DataFrame]:
    """Describe one model by its weights, its neurons, its features, and its number of monosemantic neurons.

    Args:
        W: Weights.
        here: The columns that say which model it is.
    """
    W = W[neurons.display_order(W)]
    # Neurons with one feature come first.
    W = W[np.argsort(~neurons.monosemantic(neurons.drive(W, signed=False)), kind="stable")]
    drive, code = neurons.drive(W, signed=False), codes.representing_neurons(W)
    one, second = neurons.monosemantic(drive), neurons.second_drive_ratio(drive)
    features = {"feature": np.arange(W.shape[1]), "code": _codewords(code)}
    counts = [int(neurons.monosemantic(drive, threshold).sum()) for threshold in DRIVE_THRESHOLDS]
    return {
        "weights": neurons.layers_table(weight=W).assign(**here),
        "neurons": pd.DataFrame({**here, "neuron": np.arange(len(W)), "second": second, "one": one}),
        "features": pd.DataFrame({**here, **features}).assign(
            represented=codes.response(W) > 0.5, alone=code[one].any(0), neurons=code.sum(0)
        ),
        "thresholds": pd.DataFrame({**here, "threshold": DRIVE_THRESHOLDS, "one": counts}),
    }


def is_of_paper_kind(density: float, W: Float[np.ndarray, "m n"]) -> bool:
    """Return whether a model is of the kind that the paper finds at this density."""
    regime, code = paper_regime(density), codes.representing_neurons(W)
    if regime is None:
        return False
    one, represented = neurons.monosemantic(neurons.drive(W, signed=False)), codes.response(W) > 0.5
    others = int((represented & ~code[one].any(0)).sum())
    return matches_regime(regime, int(one.sum()), others, _codewords(code[:, represented]))


def _codewords(code: Bool[np.ndarray, "m k"]) -> list[str]:
    """Return the neurons of every feature as text, such as ○●●○○ for the second and the third.

    Digits would be read back from a table as a number.
    """
    return ["".join("○●"[int(bit)] for bit in word) for word in code.T]


def _summarise_regimes(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by density the regimes of the best models and of the paper, and how rare the best model is."""
    table, basins = regimes_by_density(tables), tables["basins"]
    ours = []
    for row in table.itertuples():
        code = f"{row.others} features in {len(at_point(tables['neurons'], row.point)) - row.one}"
        pairs = ", all as pairs" if 0 < row.others == row.pairs else ""
        ours.append(f"{row.one} alone" + (f", {code}{pairs}" if row.others else ""))
    words = tables["features"].query("represented and not alone").groupby("point")["code"].agg(" ".join)

    def percent(value: float) -> str:
        return f"{value:.2%}" if np.isfinite(value) else "–"

    return pd.DataFrame(
        {
            "1-S": table["density"].map("{:g}".format),
            "the paper": table["paper"],
            "neurons with one feature, and the others": ours,
            "the code of the features in the others, by neuron": [words.get(point, "") for point in table["point"]],
            "restarts of this kind": [f"{r.same_kind} of {r.restarts}" for r in basins.itertuples()],
            "within 1 % of its loss": basins["as_good"].astype(str),
            "best of another kind": basins["other_kind"].map(percent),
            "best of the paper's kind": basins["as_stated"].map(percent),
        }
    )

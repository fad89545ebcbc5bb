"""Weights to tables: how weights lie to the neurons, and the codes of the best models."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float

from superposition.analysis import neurons
from superposition.core.features import samples
from superposition.core.weights import SweepResult
from superposition.paper.privileged import MODELS, NEAR, SHOWN, THRESHOLDS, at_density, matches, regimes, stated_at
from superposition.training.evaluation import losses

COMPARED = 100  # restarts of each model that are compared
ROTATIONS = 999  # random rotations of the hidden space that a model is compared with
RANKED = 20  # models of each density that are ranked again, by a draw of PRECISE times as many numbers
FEW = 5  # and of those of the kind that the paper finds there
PRECISE = 16


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](trained)


def concentration(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch"]:
    """Σ W_ki⁴ / (Σ W_ki²)²: of all rotations of the hidden space, largest where weights lie along the neurons."""
    square = W**2
    return (square**2).sum((-2, -1)) / square.sum((-2, -1)) ** 2


def rotations(m: int, count: int) -> Float[np.ndarray, "count m m"]:
    """Random rotations and reflections, all equally likely; the same on every call."""
    q, r = np.linalg.qr(np.random.default_rng(0).normal(size=(count, m, m)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def alignment(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch"]:
    """The share of random rotations of W whose weights are less concentrated on the neurons than those of W itself.

    Uniform on [0, 1] for a model that does not know its neurons.
    """
    turned = rotations(W.shape[-2], ROTATIONS) @ W[..., None, :, :]
    return (concentration(turned) < concentration(W)[..., None]).mean(-1)


def _compare(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    densities = trained["privileged_linear"].sweep.density
    weights, aligned, runs, turned = [], [], [], []
    for experiment, name in MODELS.items():
        models = trained[experiment]
        for density in densities:
            point = models.sweep.density.index(density)
            kept = min(COMPARED, models.sweep.restarts)
            W = models.parameters["W"][point, :kept].double().numpy()
            here = {"model": name, "density": density}
            aligned.append(pd.DataFrame({**here, "restart": np.arange(kept), "alignment": alignment(W)}))
            best = {k: v[point] for k, v in models.best().items()}
            runs.append(
                {
                    **here,
                    "loss": models.loss[point].min().item(),
                    "loss_error": models.loss_error[point, models.loss[point].argmin()].item(),
                    "least_bias": best["b_hidden"].min().item() if "b_hidden" in best else np.nan,
                    "on": _on_share(models, point),
                }
            )
            if density == SHOWN:
                W = best["W"].numpy()
                W = W[neurons.display_order(W)]
                weights.append(_long(W).assign(model=name))
                loss = _loss_of_rotated(models, point)
                turned.append(pd.DataFrame({"model": name, "rotation": np.arange(len(loss)), "loss": loss}))
    tables = {
        "weights": pd.concat(weights),
        "alignment": pd.concat(aligned),
        "models": pd.DataFrame(runs),
        "rotated": pd.concat(turned),
    }
    return tables | {"numbers": _comparison_shown(tables)}


def _long(W: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    neuron, feature = np.indices(W.shape)
    return pd.DataFrame({"neuron": neuron.ravel(), "feature": feature.ravel(), "weight": W.ravel()})


def _on_share(models: SweepResult, point: int) -> float:
    """How much of the time, of the samples that are not empty, a hidden unit of the best model is above 0."""
    _, x = samples(models.sweep, point, 2**16)
    best = {k: v[point] for k, v in models.best().items()}
    h = x.double() @ best["W"].mT + best.get("b_hidden", torch.zeros(models.sweep.m, dtype=torch.float64))
    return (h > 0).double().mean().item()


def _loss_of_rotated(models: SweepResult, point: int) -> np.ndarray:
    """The loss of the best model, and of the same with its hidden space turned (the hidden bias with it), in order."""
    best = {k: v[point] for k, v in models.best().items()}
    turns = torch.cat([torch.eye(models.sweep.m)[None], torch.from_numpy(rotations(models.sweep.m, 20)).float()])
    count = len(turns)
    parameters = {"W": turns @ best["W"].float(), "b": best["b"].float().expand(count, -1)}
    if "b_hidden" in best:
        parameters["b_hidden"] = turns @ best["b_hidden"].float()
    sweep = models.sweep.model_copy(update={"density": (models.sweep.density[point],)})
    return losses(sweep, {k: v[None] for k, v in parameters.items()})[0][0].numpy()


def _comparison_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The models with and without a hidden bias beside those with a linear hidden layer, by density."""
    loss = tables["models"].pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODELS.values())
    biased = tables["models"].query(f"model == '{MODELS['privileged_bias']}'").set_index("density")
    aligned = tables["alignment"].groupby(["density", "model"])["alignment"].median().unstack()
    out = pd.DataFrame(
        {
            "1-S": loss.index.map("{:g}".format),
            "loss with a ReLU hidden layer, over that with a linear one": (relu / linear).map("{:.3f}".format),
            "the same with a hidden bias": (bias / linear).map("{:.3f}".format),
            "its smallest hidden bias": biased["least_bias"].map("{:.2f}".format),
            "hidden units on": biased["on"].map("{:.1%}".format),
        }
        | {f"alignment, {name} (median)": aligned[name].map("{:.2f}".format) for name in MODELS.values()}
    )
    return out.iloc[::-1]


def _codes(models: SweepResult) -> dict[str, pd.DataFrame]:
    """The best of all restarts at every density, by a precise draw: what its neurons stand for, and how rare it is."""
    sweep = models.sweep
    W_all = models.parameters["W"].double().numpy()
    # Never more than a sweep may have.
    precise = sweep.model_copy(update={"evaluation": min(PRECISE * sweep.evaluation, 2**30)})
    weights, units, features, basins, thresholds = [], [], [], [], []
    for point, density in enumerate(sweep.density):
        here, runs = {"density": density}, models.loss[point].numpy()
        as_stated = np.array([_is_as_stated(density, W) for W in W_all[point]])
        order = np.argsort(runs, kind="stable")
        ranked = np.concatenate([order[:RANKED], order[as_stated[order]][:FEW]])
        at = precise.model_copy(update={"density": (density,)})
        loss, error = (
            part[0].numpy() for part in losses(at, {k: v[[point]][:, ranked] for k, v in models.parameters.items()})
        )
        best = int(loss.argmin())
        W = W_all[point, ranked[best]]
        one = neurons.monosemantic(neurons.drive(W, signed=False))
        W = W[np.lexsort((np.argsort(neurons.display_order(W)), ~one))]
        drive, code, response = neurons.drive(W, signed=False), neurons.representing_neurons(W), neurons.response(W)
        one = neurons.monosemantic(drive)
        weights.append(_long(W).assign(**here))
        units.append(
            pd.DataFrame(
                {**here, "neuron": np.arange(sweep.m), "second": neurons.second_drive_ratio(drive), "one": one}
            )
        )
        features.append(
            pd.DataFrame({**here, "feature": np.arange(sweep.n), "response": response, "code": _words(code)}).assign(
                represented=response > 0.5, alone=code[one].any(0), neurons=code.sum(0)
            )
        )
        kinds = neurons.canonical_codes(W_all[point])
        same = np.array([kind == kinds[ranked[best]] for kind in kinds])
        excess = loss / loss[best] - 1
        basins.append(
            {
                **here,
                "loss": loss[best],
                "loss_error": error[best],
                "restarts": sweep.restarts,
                "same_kind": int(same.sum()),
                "as_good": int((runs <= (1 + NEAR) * runs[ranked[best]]).sum()),
                "median": np.median(runs) / runs[ranked[best]] - 1,
                "other_kind": excess[~same[ranked]].min(initial=np.inf),
                "as_stated": excess[as_stated[ranked]].min(initial=np.inf),
            }
        )
        thresholds += [{**here, "threshold": t, "one": int(neurons.monosemantic(drive, t).sum())} for t in THRESHOLDS]
    tables = {
        "weights": pd.concat(weights),
        "neurons": pd.concat(units),
        "features": pd.concat(features),
        "basins": pd.DataFrame(basins),
        "thresholds": pd.DataFrame(thresholds),
    }
    return tables | {"numbers": _regimes_shown(tables)}


def _is_as_stated(density: float, W: Float[np.ndarray, "m n"]) -> bool:
    """Whether a model is of the kind that the paper finds at this density."""
    stated, code = stated_at(density), neurons.representing_neurons(W)
    if stated is None:
        return False
    one, represented = neurons.monosemantic(neurons.drive(W, signed=False)), neurons.response(W) > 0.5
    others = int((represented & ~code[one].any(0)).sum())
    return matches(stated, int(one.sum()), others, _words(code[:, represented]))


def _words(code: Bool[np.ndarray, "m k"]) -> list[str]:
    """A feature's neurons, as text (and never as a number, when a table is read): ○●●○○ for the second and the "
    "third."""
    return ["".join("○●"[int(bit)] for bit in word) for word in code.T]


def _regimes_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The table of regimes beside the paper's, and how rare the best model is."""
    table, basins = regimes(tables), tables["basins"]
    ours = []
    for row in table.itertuples():
        code = f"{row.others} features in {len(at_density(tables['neurons'], row.density)) - row.one}"
        pairs = ", all as pairs" if 0 < row.others == row.pairs else ""
        ours.append(f"{row.one} alone" + (f", {code}{pairs}" if row.others else ""))
    words = tables["features"].query("represented and not alone").groupby("density")["code"].agg(" ".join)

    def percent(value: float) -> str:
        return f"{value:.2%}" if np.isfinite(value) else "–"

    return pd.DataFrame(
        {
            "1-S": table["density"].map("{:g}".format),
            "the paper": table["paper"],
            "neurons with one feature, and the others": ours,
            "the code of the features in the others, by neuron": [words.get(d, "") for d in table["density"]],
            "restarts of this kind": [f"{r.same_kind} of {r.restarts}" for r in basins.itertuples()],
            "within 1 % of its loss": basins["as_good"].astype(str),
            "best of another kind": basins["other_kind"].map(percent),
            "best of the paper's kind": basins["as_stated"].map(percent),
        }
    )


MEASURED: dict[str, Callable[[dict[str, SweepResult]], dict[str, pd.DataFrame]]] = {
    "privileged_vs_not": _compare,
    "privileged_neurons": lambda trained: _codes(trained["privileged"]),
}

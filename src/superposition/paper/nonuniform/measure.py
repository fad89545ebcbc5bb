"""Weights to tables: the best fits, both kinds of solution followed exactly, and what is known in the limit."""

from functools import cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from superposition.analysis import alignment, recognition
from superposition.core.weights import SweepResult
from superposition.paper.nonuniform import PENTAGON
from superposition.paper.nonuniform.sparse import sparse_limit, sparse_norm
from superposition.theory import branches, polytopes, tegum
from superposition.theory.polytopes import Polytope

CROSS = np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1)  # the varied feature is dropped
ORDERS = alignment.symmetric_orders((0,), (1, 2, 3, 4))
SEEDS = (0, 1, 2)  # of the points at which the precise loss is taken: their spread is the error of the crossover
OTHERS = (0.01, 0.02, 0.05, 0.1)  # densities of the other features at which the crossover is computed
EQUAL = (0.001, 0.01, 0.02, 0.05, 0.1)  # densities at which the pentagon of equal features is measured


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return {"pentagon_solutions": _solutions_tables, "pentagon_loss": _loss_tables}[figure](trained["pentagon"])


def _solutions_tables(models: SweepResult) -> dict[str, pd.DataFrame]:
    limits = _limits()
    return {"solutions": _solutions(models), "equal": _equal(), "limits": limits, "numbers": _limits_shown(limits)}


def _loss_tables(models: SweepResult) -> dict[str, pd.DataFrame]:
    return {"fits": _fits(models), "branches": _branches(models), "crossovers": _crossovers()}


def kind(W: Float[np.ndarray, "2 5"]) -> str:
    """Pentagon: all features are represented, neighbours at 72°, give or take half of that. Two digons: the varied
    feature is not represented, the others are a square."""
    represented = (W**2).sum(0) > 0.5
    if not np.isfinite(W).all():
        return "other"
    if represented.all():
        angles = np.sort(np.arctan2(W[1], W[0]))
        gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
        return "pentagon" if (np.abs(np.degrees(gaps) - 72) < 36).all() else "other"
    digons = not represented[0] and represented[1:].all()
    square = digons and alignment.difference(W[:, 1:], CROSS[:, 1:]) <= recognition.MAX_RESIDUAL
    return "two digons" if square else "other"


def _shape(W: Float[np.ndarray, "2 5"], b: Float[np.ndarray, " 5"]) -> dict[str, float]:
    """Lengths and biases of the varied feature, its two neighbours and the other two; the angle to the neighbours."""
    norm = np.linalg.norm(W, axis=0)
    cosine = W[:, 0] @ W[:, 1:] / np.maximum(norm[0] * norm[1:], 1e-12)
    near, far = 1 + np.argsort(-cosine)[:2], 1 + np.argsort(-cosine)[2:]
    return {
        "norm_varied": norm[0],
        "norm_near": norm[near].mean(),
        "norm_far": norm[far].mean(),
        "bias_varied": b[0],
        "bias_near": b[near].mean(),
        "bias_far": b[far].mean(),
        "angle": np.degrees(np.arccos(np.clip(cosine[near - 1], -1, 1))).mean(),
    }


def _solutions(models: SweepResult) -> pd.DataFrame:
    """The fit with the lowest loss at every relative density, in canonical orientation: one row per feature."""
    rows, best = [], models.best()
    for point, W, b in zip(models.points.itertuples(), best["W"].numpy(), best["b"].numpy(), strict=True):
        common = {"relative_density": point.relative_density, "kind": kind(W), "loss": point.loss} | _shape(W, b)
        places = alignment.align(W, CROSS if common["kind"] == "two digons" else PENTAGON.corners, ORDERS)
        rows += [common | {"feature": i, "w0": x, "w1": y} for i, (x, y) in enumerate(places.T)]
    return pd.DataFrame(rows)


def _fits(models: SweepResult) -> pd.DataFrame:
    """The loss and the kind of every fit."""
    points = models.sweep.points()[["density", "relative_density"]]
    table = points.loc[points.index.repeat(models.sweep.restarts)].reset_index(drop=True)
    every = models.parameters["W"].double().flatten(0, 1).numpy()
    error = models.loss_error.flatten().numpy()
    return table.assign(kind=[kind(W) for W in every], loss=models.loss.flatten().numpy(), loss_error=error)


def _densities(density: float | Float64[Tensor, " k"], ratio: Float64[Tensor, " k"]) -> Float64[Tensor, "k 5"]:
    others = torch.as_tensor(density, dtype=torch.float64).expand_as(ratio)
    return torch.stack([ratio * others, *[others] * 4], dim=-1)


def _branches(models: SweepResult) -> pd.DataFrame:
    """Both kinds of solution, followed from the best trained one as far as they are local minima of their kind: the
    pentagon from equal densities in both directions, the two digons from where the varied feature is sparsest."""
    ratios = torch.tensor(models.points["relative_density"], dtype=torch.float64)
    equal = int(ratios.log().abs().argmin())
    paths = [("pentagon", range(equal, -1, -1)), ("pentagon", range(equal, len(ratios)))]
    paths.append(("two digons", range(len(ratios))))
    W, b = (torch.stack(part) for part in zip(*(_best_of(models, path[0], name) for name, path in paths), strict=True))
    # All paths at once; a shorter one waits at its end.
    steps = [[path[min(step, len(path) - 1)] for _, path in paths] for step in range(len(ratios))]
    densities = torch.stack([_densities(models.sweep.density[0], ratios[step]) for step in steps])
    W, b, loss = branches.trace(W, b, densities)
    rows = []
    for k, (name, path) in enumerate(paths):
        for step, point in enumerate(path):
            if kind(W[step, k].numpy()) != name:
                break
            at = {"kind": name, "relative_density": float(ratios[point]), "loss": float(loss[step, k])}
            rows.append(at | _shape(W[step, k].numpy(), b[step, k].numpy()))
    columns = ["kind", "relative_density", "loss", *_shape(PENTAGON.corners, np.zeros(5))]
    table = pd.DataFrame(rows, columns=columns).drop_duplicates(["kind", "relative_density"])
    return table.sort_values(["kind", "relative_density"], ignore_index=True)


def _best_of(models: SweepResult, point: int, name: str) -> tuple[Float64[Tensor, "2 5"], Float64[Tensor, " 5"]]:
    """W and b of the best fit of a kind; of the first fit, where none is of that kind."""
    W, b = (models.parameters[p][point].double() for p in ("W", "b"))
    other = torch.tensor([kind(one) != name for one in W.numpy()])
    k = models.loss[point].masked_fill(other, torch.inf).argmin()
    return W[k], b[k]


def _crossovers() -> pd.DataFrame:
    """The relative density at which both kinds cost the same, by the density of the others.

    Its error is the largest difference between different points at which the loss is taken.
    """
    others = torch.tensor(OTHERS, dtype=torch.float64)
    limit = sparse_limit(PENTAGON)
    W = torch.from_numpy(np.stack([PENTAGON.corners * limit["norm"], CROSS])).expand(len(OTHERS), -1, -1, -1)
    b = torch.zeros(len(OTHERS), 2, 5, dtype=torch.float64)
    b[:, 0] = limit["bias"]
    found, ratio = [], torch.full_like(others, 0.3)
    for seed in SEEDS:  # each from where the one before ended
        ratio, W, b = branches.crossing(W, b, ratio, lambda r: _densities(others, r), seed=seed)
        kinds = np.array([[kind(one) for one in both] for both in W.numpy()])
        found.append(np.where((kinds == ["pentagon", "two digons"]).all(1), ratio.numpy(), np.nan))
    return pd.DataFrame({"density": OTHERS, "crossover": np.mean(found, axis=0), "error": np.ptp(found, axis=0)})


@cache
def _equal() -> pd.DataFrame:
    """The best pentagon of equal features, and the norms that go with its bias: by the paper, and in the limit."""
    table = tegum.factor_optimum(PENTAGON, EQUAL)[["density", "norm", "bias"]]
    return table.assign(paper=1 / (1 - table["bias"]), limit=[sparse_norm(PENTAGON, b) for b in table["bias"]])


@cache
def _limits() -> pd.DataFrame:
    """The best k-gons as the density goes to 0."""
    polygons = {k: sparse_limit(Polytope(f"{k}-gon", polytopes.polygon(k))) for k in range(5, 9)}
    return pd.DataFrame(polygons).T.rename_axis("features").reset_index()


def _limits_shown(limits: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "k-gon, 1-S → 0": limits["features"].map("{:.0f}".format),
            "‖W_i‖": limits["norm"].map("{:.8f}".format),
            "b_i": limits["bias"].map("{:.8f}".format),
            "loss / (1-S)": limits["loss"].map("{:.8f}".format),
            "the paper's 1/(1-b_i)": (1 / (1 - limits["bias"])).map("{:.4f}".format),
        }
    )

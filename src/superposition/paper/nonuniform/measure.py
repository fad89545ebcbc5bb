"""Measure the best fits, the exact branches of both kinds of solutions, and the sparse limit."""

from functools import cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from superposition.analysis import alignment, recognition
from superposition.analysis.plane import steps_around
from superposition.analysis.representation import is_represented
from superposition.analysis.rows import formatted, weights_table
from superposition.analysis.tables import numbered_points, repeat_rows
from superposition.core.weights import SweepResult
from superposition.paper.nonuniform import TWO_DIGONS, UPRIGHT_PENTAGON
from superposition.paper.nonuniform.interference import measure_interference
from superposition.paper.nonuniform.sparse import sparse_limit, sparse_norm
from superposition.theory import branches, polytopes, tegum
from superposition.theory.catalogue import DIGON
from superposition.theory.polytopes import Polytope

# The other features are equivalent: they may trade places when models are aligned.
FEATURE_ORDERS = alignment.symmetric_orders((0,), (1, 2, 3, 4))
# Densities of the other features at which the crossover is computed.
CROSSOVER_DENSITIES = (0.01, 0.02, 0.05, 0.1)
# Densities at which the pentagon of equal features is measured.
EQUAL_DENSITIES = (0.001, 0.01, 0.02, 0.05, 0.1)


def pentagon_solutions(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the best trained solutions, the best pentagons of equal features, and the sparse limit of polygons."""
    models, limits = trained["pentagon"], _sparse_limits()
    best = {k: v.contiguous() for k, v in models.best().items()}
    precise = branches.precise_loss(best["W"], best["b"], torch.from_numpy(models.sweep.densities()))
    solutions = _best_solutions(models, "relative_density").assign(precise_loss=np.repeat(precise.numpy(), 5))
    return {
        "solutions": solutions,
        "importance": _best_solutions(trained["pentagon_importance"], "relative_importance"),
        "interference": measure_interference(solutions),
        "equal": _equal_pentagons(),
        "limits": limits,
        "numbers": _format_limits(limits),
    }


def pentagon_loss(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the loss of every fit, of the exact branches, and where these cross; and how often fits miss the best."""
    models = trained["pentagon"]
    return {
        "fits": _classify_fits(models),
        "branches": trace_branches(models),
        "crossovers": _find_crossovers(),
        "restarts": _count_missed({name: models for name, models in trained.items() if "polytopes" in name}),
    }


def classify_solution(W: Float[np.ndarray, "2 5"]) -> str:
    """Return "pentagon", "two digons" or "other".

    In a pentagon all features are represented, with angles of 72° ± 36° between neighbours. In two digons the varied
    feature is not represented, and the others form a square.
    """
    represented = is_represented((W**2).sum(0))
    if not np.isfinite(W).all():
        return "other"
    if represented.all():
        return "pentagon" if (np.abs(steps_around(W) - 72) < 36).all() else "other"
    digons = not represented[0] and represented[1:].all()
    square = digons and alignment.difference(W[:, 1:], TWO_DIGONS[:, 1:]) <= recognition.MAX_RESIDUAL
    return "two digons" if square else "other"


def describe_shape(W: Float[np.ndarray, "2 5"], b: Float[np.ndarray, " 5"]) -> dict[str, float]:
    """Return norms and biases of the varied feature, its neighbours and the two far ones, and the neighbours' angle."""
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


def _best_solutions(models: SweepResult, axis: str) -> pd.DataFrame:
    """Return the fit with the lowest loss at every point in canonical orientation, one row per feature.

    ``axis`` is the coordinate that varies, of relative density and relative importance.
    """
    solutions, best = [], models.best()
    for point, W, b in zip(models.points.itertuples(), best["W"].numpy(), best["b"].numpy(), strict=True):
        kind = classify_solution(W)
        at = {"point": point.Index, axis: getattr(point, axis), "kind": kind, "loss": point.loss}
        aligned = alignment.align(W, TWO_DIGONS if kind == "two digons" else UPRIGHT_PENTAGON.corners, FEATURE_ORDERS)
        solutions.append(weights_table(aligned, **at, **describe_shape(W, b)))
    return pd.concat(solutions, ignore_index=True)


def _classify_fits(models: SweepResult) -> pd.DataFrame:
    """Return the loss and the kind of every fit."""
    points = numbered_points(models.sweep, "density", "relative_density")
    return repeat_rows(points, models.sweep.restarts).assign(
        kind=[classify_solution(W) for W in models.parameters["W"].double().flatten(0, 1).numpy()],
        loss=models.loss.flatten().numpy(),
    )


def _densities(density: float | Float64[Tensor, " k"], ratio: Float64[Tensor, " k"]) -> Float64[Tensor, "k 5"]:
    """Return the densities of all features from that of the others and the relative density of the varied one."""
    others = torch.as_tensor(density, dtype=torch.float64).expand_as(ratio)
    return torch.stack([ratio * others, *[others] * 4], dim=-1)


def trace_branches(models: SweepResult) -> pd.DataFrame:
    """Follow both kinds of solutions from the best trained ones as far as they are local minima of their kind.

    The pentagon is followed from equal densities in both directions, the two digons from the lowest density of the
    varied feature.
    """
    ratios = torch.tensor(models.points["relative_density"], dtype=torch.float64)
    equal = int(ratios.log().abs().argmin())
    up, down = range(equal, len(ratios)), range(equal, -1, -1)
    paths = [("pentagon", down), ("pentagon", up), ("two digons", range(len(ratios)))]
    starts = [_best_of_kind(models, path[0], name) for name, path in paths]
    W, b = (torch.stack(part) for part in zip(*starts, strict=True))
    # All paths are followed together; shorter ones stay at their ends.
    steps = [[path[min(step, len(path) - 1)] for _, path in paths] for step in range(len(ratios))]
    densities = torch.stack([_densities(models.sweep.density[0], ratios[step]) for step in steps])
    W, b, loss = branches.trace(W, b, densities)
    rows = []
    for k, (name, path) in enumerate(paths):
        for step, point in enumerate(path):
            if classify_solution(W[step, k].numpy()) != name:
                break
            row = {"kind": name, "point": point, "relative_density": float(ratios[point]), "loss": float(loss[step, k])}
            rows.append(row | describe_shape(W[step, k].numpy(), b[step, k].numpy()))
    columns = ["kind", "point", "relative_density", "loss", *describe_shape(UPRIGHT_PENTAGON.corners, np.zeros(5))]
    table = pd.DataFrame(rows, columns=columns).drop_duplicates(["kind", "point"])
    return table.sort_values(["kind", "relative_density"], ignore_index=True)


def _best_of_kind(models: SweepResult, point: int, kind: str) -> tuple[Float64[Tensor, "2 5"], Float64[Tensor, " 5"]]:
    """Return W and b of the best fit of a kind, or of the first fit if there is none of that kind."""
    W, b = (models.parameters[p][point].double() for p in ("W", "b"))
    other = torch.tensor([classify_solution(fit) != kind for fit in W.numpy()])
    k = models.loss[point].masked_fill(other, torch.inf).argmin()
    return W[k], b[k]


def _find_crossovers() -> pd.DataFrame:
    """Return the relative density at which both kinds have the same loss, by the density of the other features.

    Beside it are the slopes d ln L / d ln r of both branches there, and the norms of the varied feature. Errors are the
    ranges of the results over different sets of points at which the loss is evaluated.
    """
    others = torch.tensor(CROSSOVER_DENSITIES, dtype=torch.float64)
    limit = sparse_limit(UPRIGHT_PENTAGON)
    W = torch.from_numpy(np.stack([UPRIGHT_PENTAGON.corners * limit["norm"], TWO_DIGONS])).expand(
        len(others), -1, -1, -1
    )
    b = torch.zeros(len(others), 2, 5, dtype=torch.float64)
    b[:, 0] = limit["bias"]
    found, slopes, norms, ratio = [], [], [], torch.full_like(others, 0.3)
    for seed in branches.SOBOL_SEEDS:
        # Each search starts at the result of the previous one.
        ratio, W, b = branches.crossing(W, b, ratio, lambda r: _densities(others, r), seed=seed)
        kinds = np.array([[classify_solution(solution) for solution in pair] for pair in W.numpy()])
        found.append(np.where((kinds == ["pentagon", "two digons"]).all(1), ratio.numpy(), np.nan))
        slopes.append(_slopes(W, b, ratio, others, seed))
        norms.append(W[..., 0].norm(dim=-1).numpy())
    columns = {"density": CROSSOVER_DENSITIES, "crossover": np.mean(found, axis=0), "error": np.ptp(found, axis=0)}
    for name, values in (("slope", slopes), ("norm", norms)):
        columns |= {f"{name}_{kind}": np.mean(values, axis=0)[:, k] for k, kind in enumerate(("pentagon", "digons"))}
        columns[f"{name}_error"] = np.ptp(values, axis=0).max(axis=1)
    return pd.DataFrame(columns)


def _slopes(
    W: Float64[Tensor, "problem 2 2 5"],
    b: Float64[Tensor, "problem 2 5"],
    ratio: Float64[Tensor, " problem"],
    others: Float64[Tensor, " problem"],
    seed: int,
) -> Float64[np.ndarray, "problem 2"]:
    """Return d ln L / d ln r of both branches; at minima the loss depends on r through the densities only."""
    varied = ratio.repeat_interleave(2).requires_grad_()
    density = _densities(others.repeat_interleave(2), varied)
    loss = branches.precise_loss(W.flatten(0, 1), b.flatten(0, 1), density, seed=seed)
    (slope,) = torch.autograd.grad(loss.sum(), varied)
    return (slope * varied / loss).detach().unflatten(0, (-1, 2)).numpy()


def _count_missed(trained: dict[str, SweepResult]) -> pd.DataFrame:
    """Return the share of the fits whose loss is more than 1 % above the best one, by size and density."""
    rows = [
        models.sweep.points()[["density"]].assign(
            n=models.sweep.n,
            m=models.sweep.m,
            missed=(models.loss > 1.01 * models.loss.min(dim=1, keepdim=True).values).double().mean(dim=1).numpy(),
        )
        for models in trained.values()
    ]
    return pd.concat(rows, ignore_index=True)


@cache
def _equal_pentagons() -> pd.DataFrame:
    """Return the best pentagons of equal features, and the norm that the sparse limit gives to the bias of each."""
    table = tegum.factor_optimum(UPRIGHT_PENTAGON, EQUAL_DENSITIES)[["density", "norm", "bias", "loss"]]
    p = table["density"]
    digons = tegum.factor_optimum(DIGON, EQUAL_DENSITIES)["loss"]
    table["digons_loss"] = 2 * digons + p / 3 - p**2 / 4
    return table.assign(limit=[sparse_norm(UPRIGHT_PENTAGON, b) for b in table["bias"]])


@cache
def _sparse_limits() -> pd.DataFrame:
    """Return the best k-gons in the limit of density 0, one row per number of features k."""
    polygons = {k: sparse_limit(Polytope(f"{k}-gon", polytopes.polygon(k))) for k in range(5, 9)}
    return pd.DataFrame(polygons).T.rename_axis("features").reset_index()


def _format_limits(limits: pd.DataFrame) -> pd.DataFrame:
    """Format the sparse limits beside the norm that the paper's formula gives."""
    columns = {
        "k-gon, 1-S → 0": "{features:.0f}",
        "‖W_i‖": "{norm:.8f}",
        "b_i": "{bias:.8f}",
        "loss / (1-S)": "{loss:.8f}",
        "the paper's 1/(1-b_i)": "{formula:.4f}",
    }
    return formatted(limits.assign(formula=1 / (1 - limits["bias"])), columns)

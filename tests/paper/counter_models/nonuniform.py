"""Counter-models for non-uniform superposition: random weights, a change without a snap, and norms at random."""

import functools
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
from tests.paper.synthetic import changed, few_samples
from tests.real import QUICK

from superposition.core.weights import SweepResult
from superposition.paper.nonuniform import TWO_DIGONS, UPRIGHT_PENTAGON, measure
from superposition.pipeline.judging.claims import Tables

Solve = Callable[[float], tuple[np.ndarray, np.ndarray]]  # from the relative density or importance to W and b


def solved(experiment: str, solve: Solve) -> SweepResult:
    """Return a sweep with these solutions."""
    sweep = QUICK.sweeps[experiment].model_copy(update={"restarts": 1})
    ratios = sweep.points()[["relative_density", "relative_importance"]].prod(axis=1)
    W, b = (torch.from_numpy(np.stack(part))[:, None] for part in zip(*map(solve, ratios), strict=True))
    loss = torch.full((sweep.size, 1), 0.01, dtype=torch.float64)
    return SweepResult(sweep, {"W": W, "b": b}, loss, loss / 100)


def fits(experiment: str) -> SweepResult:
    """Return fits of which half miss the best loss in three dimensions, and none in two."""
    sweep = QUICK.sweeps[experiment]
    loss = torch.ones(sweep.size, sweep.restarts, dtype=torch.float64)
    loss[:, ::2] += 0.1 * (sweep.m == 3)
    return SweepResult(sweep, {}, loss, loss)


def measured(solve: Solve, *figures: str) -> Tables:
    """Return the tables of figures for these solutions; the exact branches are followed with few samples."""
    trained = {name: solved(name, solve) for name in ("pentagon", "pentagon_importance")}
    trained |= {f"polytopes_{m}_{n}": fits(f"polytopes_{m}_{n}") for m in (2, 3) for n in (5, 6)}
    with few_samples(2**6, seeds=2), patch.object(measure, "CROSSOVER_DENSITIES", (0.05, 0.1)):
        return {figure: getattr(measure, figure)(trained) for figure in figures}


@functools.cache
def without_snap() -> Tables:
    """Return models that change evenly from two digons to the pentagon."""

    def solve(ratio: float) -> tuple[np.ndarray, np.ndarray]:
        share = 0.5 + 0.5 * np.log10(ratio)
        return share * UPRIGHT_PENTAGON.corners + (1 - share) * TWO_DIGONS, np.full(5, -0.2)

    return measured(solve, "pentagon_solutions", "pentagon_loss")


@functools.cache
def random_weights() -> Tables:
    """Return solutions of random weights, beside the exact branches of other models."""
    rng = np.random.default_rng(0)
    return without_snap() | measured(lambda ratio: (rng.normal(size=(2, 5)), np.zeros(5)), "pentagon_solutions")


@functools.cache
def random_norms() -> Tables:
    """Return pentagons with equal angles whose norms and biases are random, beside the exact branches of others."""
    rng = np.random.default_rng(1)

    def solve(ratio: float) -> tuple[np.ndarray, np.ndarray]:
        return UPRIGHT_PENTAGON.corners * rng.uniform(0.9, 1.3, 5), rng.uniform(0, 0.3, 5)

    return without_snap() | measured(solve, "pentagon_solutions")


def positive_biases() -> Tables:
    """Return a regular pentagon whose biases have the wrong sign."""
    shape = {f"bias_{which}": 0.246 for which in ("varied", "near", "far")}
    W = {f"w{k}": lambda rows, k=k: 1.135 * UPRIGHT_PENTAGON.corners[k, rows["feature"]] for k in (0, 1)}
    return changed(random_norms(), "pentagon_solutions", "solutions", "relative_density == 1", **shape, **W)


def second_order() -> Tables:
    """Return branches that have the same slope and the same norms where they meet."""
    data = without_snap()
    for name in ("slope", "norm"):
        same = {f"{name}_digons": lambda rows, name=name: rows[f"{name}_pentagon"]}
        data = changed(data, "pentagon_loss", "crossovers", "density > 0", **same)
    return data


COUNTER_MODELS = {
    "pentagon_when_equal": random_weights,
    "snap": without_snap,
    "crossover": without_snap,
    "different_geometries": without_snap,
    "importance_deforms": without_snap,
    "stretch": random_norms,
    "norm_bias": positive_biases,
    "first_order": second_order,
}


def crossing_as_stated() -> Tables:
    """Return branches that cross where the varied feature is 2.5 times sparser."""
    return changed(without_snap(), "pentagon_loss", "crossovers", "density > 0", crossover=0.4)


def norms_as_stated() -> Tables:
    """Return a pentagon with ‖W_i‖ = 1/(1 - b), up to a small error."""
    shape = {f"bias_{which}": 0.2 for which in ("varied", "near", "far")}
    norm = 1.25 + 1e-4 * np.arange(-2, 3)
    W = {f"w{k}": lambda rows, k=k: (norm * UPRIGHT_PENTAGON.corners[k])[rows["feature"]] for k in (0, 1)}
    return changed(random_norms(), "pentagon_solutions", "solutions", "relative_density == 1", **shape, **W)


# Tables with which the statements hold that are corrected.
AS_STATED = {"crossover": crossing_as_stated, "norm_bias": norms_as_stated}

"""Counter-models for common summaries: random directions, other polygons, and pairs and triangles of another kind."""

import functools
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from tests.paper.synthetic import changed
from tests.real import QUICK
from torch import Tensor

from superposition.core.weights import SweepResult
from superposition.paper.summaries import gram, measure, optima, pairs
from superposition.pipeline.judging.claims import Tables
from superposition.theory import packing
from superposition.theory.polytopes import Polytope

FIGURES = ("five_features", "cost_of_a_pair", "pentagon_forms", "many_features")
FEW = (0.001, 0.002, 0.1, 1.0)
SIZES = ((4, 2), (6, 2), (4, 3), (6, 3), (7, 3), (12, 3))
EXPERIMENTS = {
    "five_features": ("five_binary", "five_uniform"),
    "polygons_and_solids": tuple(f"polytopes_{m}_{n}" for n, m in SIZES),
    "pentagon_forms": ("pentagon_forms",),
    "many_features": ("basic_small", "five_binary", "five_uniform", "uniform_100_20"),
}


def made(experiment: str, W: np.ndarray, loss: float = 9.0) -> SweepResult:
    """Return one model per point of a sweep at scale quick, with the weights [m, n] or [point, m, n]."""
    sweep = QUICK.sweeps[experiment].model_copy(update={"restarts": 1})
    weights = torch.from_numpy(np.broadcast_to(W, (sweep.size, sweep.m, sweep.n)).copy())[:, None].double()
    biases = torch.zeros(sweep.size, 1, sweep.n, dtype=torch.float64)
    losses = torch.full((sweep.size, 1), loss, dtype=torch.float64)
    return SweepResult(sweep, {"W": weights, "b": biases}, losses, losses / 100)


def random_directions(experiment: str, length: float = 2.0) -> SweepResult:
    """Return models whose features have random directions, the first two the same one, and a length."""
    sweep = QUICK.sweeps[experiment]
    W = np.random.default_rng(1).normal(size=(sweep.size, sweep.m, sweep.n))
    W[..., 1] = W[..., 0]
    return made(experiment, length * W / np.linalg.norm(W, axis=1, keepdims=True))


def along_training(norms: np.ndarray, turns: np.ndarray) -> SweepResult:
    """Return five directions whose length and distance from the angles of a pentagon are given for every snapshot."""
    sweep = QUICK.sweeps["pentagon_forms"].model_copy(update={"restarts": 10, "snapshots": len(norms)})
    angle = 2 * np.pi * np.arange(5) / 5 + turns[:, None] * np.array([0, 1, -1, 0.5, 0])
    W = norms[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    snapshots = torch.from_numpy(W)[:, None, None].expand(-1, 1, 10, -1, -1)
    b, loss = torch.zeros(1, 10, 5), torch.ones(1, 10).double()
    steps = torch.arange(1, len(norms) + 1) * 20
    return SweepResult(sweep, {"W": snapshots[-1], "b": b}, loss, loss / 100, steps, {"W": snapshots})


def lengths_last() -> SweepResult:
    """Return a pentagon whose directions settle long before the lengths, which are 1 from the last snapshots on."""
    return along_training(np.append(np.linspace(0.1, 1, 80), np.ones(20)), np.zeros(100))


@functools.cache
def random_models() -> Tables:
    """Return the tables of models with random directions; nothing random is in the exact calculations."""
    models = {figure: {name: random_directions(name) for name in names} for figure, names in EXPERIMENTS.items()}
    models["pentagon_forms"] = {"pentagon_forms": lengths_last()}
    few = {"FINE_GRID": measure.FINE_GRID[::20], "SEARCH_GRID": measure.SEARCH_GRID[::6]}
    search = patch.object(optima, "best_binary_models", unpolished)
    with (
        patch.multiple(measure, **few),
        patch.multiple(packing, PACKING_STARTS=4),
        patch.multiple(pairs, PAIR_DENSITIES=FEW),
        search,
    ):
        tables = {figure: getattr(measure, figure)(models.get(figure, {})) for figure in FIGURES}
        solids = models["polygons_and_solids"]
        return tables | {"polygons_and_solids": measure.polygons_and_solids(solids, solids)}


def unpolished(density: Tensor, ratio: float, trained: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the first of the trained models at every density, in place of the best one."""
    p = optima.FIVE.unpack(trained[:1].expand(len(density), -1))
    return p["W"], p["b"], density


def continuous() -> Tables:
    """Return optima of binary features whose lengths change little by little."""

    def sliding(rows: pd.DataFrame) -> np.ndarray:
        return np.linspace(0.7, 0.3, len(rows))

    columns = {f"norm2_{k}": sliding for k in range(1, 6)}
    represented = [2] * 2 + [5] * 3
    return changed(
        random_models(), "five_features", "optima", "relative_importance == 1", represented=represented, **columns
    )


def linear_pairs() -> Tables:
    """Return pairs whose interference is not filtered by a ReLU."""
    costs = random_models()["cost_of_a_pair"]["costs"]
    linear = costs[costs["output"] == "linear"].assign(output="ReLU")
    return with_table("costs", pd.concat([linear, linear.assign(output="linear")], ignore_index=True))


def with_table(name: str, table: pd.DataFrame) -> Tables:
    """Return the tables of the random models, with another one of the pairs in the place of one of them."""
    tables = random_models()
    return tables | {"cost_of_a_pair": tables["cost_of_a_pair"] | {name: table}}


def right_angles() -> Tables:
    """Return what is read from two features at 90° to each other, and a third one opposite to the first."""
    with patch.object(pairs, "TRIANGLE", Polytope("right angles", np.array([[1.0, 0, -1], [0, 1, 0]]))):
        return with_table("triangle", pairs.triangle_outputs())


def without_a_dimension() -> Tables:
    """Return W recovered from WᵀW of too low a rank."""

    def flat(G: np.ndarray, rank: int, factor: Callable[..., np.ndarray] = gram.factor) -> np.ndarray:
        W = factor(G, rank)
        return np.concatenate([W[1:], np.zeros_like(W[:1])])

    with patch.object(gram, "factor", flat):
        return with_table("round_trips", gram.round_trips())


def short_vectors() -> Tables:
    """Return models in which no feature is represented."""
    models = {name: random_directions(name, length=0.1) for name in EXPERIMENTS["many_features"]}
    return random_models() | {"many_features": measure.many_features(models)}


COUNTER_MODELS = dict.fromkeys(
    (
        "binary",
        "dedicated",
        "polygons",
        "solids",
        "equidistant",
        "min_max",
        "dynamics",
        "diagonal",
    ),
    random_models,
) | {
    "sharp": continuous,
    "interference": linear_pairs,
    "triangle": right_angles,
    "polytope_gram": without_a_dimension,
    "all_represented": short_vectors,
}

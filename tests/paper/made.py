"""Models of every experiment, made by hand instead of trained: features share dimensions as polytopes do.

They are not the models that training would find, but have what the measures look for: features with a dimension of
their own, polytopes, absent features, neurons with one feature and with several, and paths of learning with jumps.
Rough ones have noise of any size besides, so that some of them lie near every limit, and some have hardly anything.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from tests.paper.counter_models import absolute, correlated, dynamics
from tests.real import QUICK

from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult

# Models per point, and snapshots of their training; those of scale quick are up to 30 and 150.
RESTARTS, SNAPSHOTS = 6, 60
# Sweeps whose claims need other points than those of scale quick, and models that other tests make.
GRIDS: dict[str, dict[str, object]] = {
    "adversarial_training": {"seeds": 2},
    "adversarial_training_200": {"attack": (0.0, 0.8, 2.0)},
    "uniform_shorter": {"seeds": 2},
    # Of every second density, one is where antipodal pairs are best, or triangles.
    "uniform_400_30": {"density": (1.0, 0.7, *QUICK.sweeps["uniform_400_30"].density[1:])},
    "uniform_200_20": {"density": (1.0, 0.9, 0.7, *QUICK.sweeps["uniform_200_20"].density[1:])},
}
OTHERS = {
    "absolute_motif": lambda: absolute.made("absolute_motif", lambda density: absolute.circuit()),
    "collapse": correlated.collapse_models,
    "energy_levels": lambda: dynamics.along_training(dynamics.energy_sweep(), dynamics.growing(dynamics.LATE)),
    "organization_4": lambda: correlated.organised(correlated.SWEEPS["organization_4"], correlated.arrangement),
    "organization_6": lambda: correlated.organised(correlated.SWEEPS["organization_6"], correlated.arrangement_6),
}


def polygon(k: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(k) / k
    return np.stack([np.cos(angle), np.sin(angle)])


def antiprism() -> np.ndarray:
    turned = 2 * np.pi * np.arange(8) / 8
    height = np.where(np.arange(8) % 2, -0.5, 0.5)
    return np.stack([np.cos(turned), np.sin(turned), height]) / np.sqrt(1.25)


FACTORS = (
    np.ones((1, 1)),
    np.array([[1.0, -1]]),
    polygon(3),
    polygon(5),
    np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / np.sqrt(3),
    antiprism(),
)


def arrange(n: int, m: int, crowding: float, rng: np.random.Generator) -> np.ndarray:
    """Return W of features as polytopes in orthogonal subspaces, with about so many features per dimension.

    Features for which no dimension is left are short.
    """
    W = np.zeros((m, n))
    features, dimensions = 0, 0
    while dimensions < m and features < n:
        fitting = [f for f in FACTORS if f.shape[0] <= m - dimensions and f.shape[1] <= n - features]
        wanted = crowding * np.exp(0.3 * rng.normal())
        factor = min(fitting, key=lambda f: abs(np.log(f.shape[1] / f.shape[0] / wanted)))
        d, k = factor.shape
        W[dimensions : dimensions + d, features : features + k] = factor
        features, dimensions = features + k, dimensions + d
    W[:, :features] *= rng.uniform(0.95, 1.05, features)
    W[:, features:] = rng.normal(size=(m, n - features)) * 0.05 / np.sqrt(m)
    return np.linalg.qr(rng.normal(size=(m, m)))[0] @ W + 0.003 * rng.normal(size=(m, n))


def neurons(n: int, m: int, crowding: float, rng: np.random.Generator) -> np.ndarray:
    """Return W of neurons, each with a large weight for one feature, and the sparser the features, others besides."""
    W = np.zeros((m, n))
    for k in range(m):
        W[k, k % n] = 1
        if rng.uniform() < (crowding - 1) / 2:
            others = rng.choice(n, size=min(n, 3), replace=False)
            W[k, others] = [0.9, 0.4, -0.3][: len(others)]
    return rng.uniform(0.7, 1.4, (m, 1)) * W + 0.01 * rng.normal(size=(m, n))


def computing(n: int, m: int, crowding: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return both layers of a model of |x|, with a “+” and a “-” neuron per feature, and neurons of several."""
    W = np.zeros((m, n))
    for k in range(m):
        W[k, k // 2 % n] = (-1) ** k
        if rng.uniform() < (crowding - 1) / 3:
            W[k, rng.integers(n)] += 0.7
    size = rng.uniform(0.5, 2, (m, 1))
    W_out = np.abs(W) / size
    W_out[-1, 0] -= 3
    return size * W + 0.02 * rng.normal(size=(m, n)), W_out + 0.02 * rng.normal(size=(m, n))


def parameters(sweep: Sweep, density: float, importance: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the parameters of one model; those features are represented that are most important."""
    n, m = sweep.n, sweep.m
    order = np.lexsort([rng.uniform(size=n), -importance])
    # From one feature per dimension, if all are always active, to two and a half, if one in a hundred is.
    crowding = 1 - 0.75 * np.log10(density) + 0.2 * rng.normal()
    arrays = {}
    if sweep.model == "absolute":
        arrays["W"], arrays["W_out"] = computing(n, m, crowding, rng)
    elif sweep.model == "relu_hidden":
        arrays["W"] = neurons(n, m, crowding, rng)
    elif sweep.model == "linear":
        arrays["W"] = arrange(n, m, 0.1, rng)
    else:
        arrays["W"] = arrange(n, m, max(crowding, 0.3), rng)
    place = np.argsort(order)
    arrays = {name: W[:, place] for name, W in arrays.items()}
    represented = (arrays["W"] ** 2).sum(0) > 0.25
    arrays["b"] = np.where(represented, -0.1 * (1 - density), density / 2) + 0.003 * rng.normal(size=n)
    if sweep.hidden_bias:
        arrays["b_hidden"] = 0.05 * rng.normal(size=m)
    return arrays


def path(end: np.ndarray, steps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return W after every share of the steps: features first share a direction in threes, and then go to their end."""
    m, n = end.shape
    start = np.repeat(rng.normal(size=(m, -(-n // 3))), 3, axis=1)[:, :n]
    start /= np.linalg.norm(start, axis=0)
    at, jump = rng.uniform(0.05, 0.15), rng.uniform(0.2, 0.8, n)
    length = 0.2 + 0.8 / (1 + np.exp(-(steps[:, None] - at) / 0.015))
    # On a plateau the loss falls slowly. If it did not, the flattest place would depend on rounding.
    length *= 0.8 + 0.2 * steps[:, None] ** 0.5
    moved = 1 / (1 + np.exp(-(steps[:, None] - jump) / 0.012))
    return length[:, None] * (0.6 * (1 - moved)[:, None] * start + moved[:, None] * end)


def made(name: str, seed: int = 0, rough: bool = False) -> SweepResult:
    """Return models of an experiment, on the grid of scale quick; with another seed, other and better ones."""
    if name in OTHERS:
        models = OTHERS[name]()
    else:
        sweep = QUICK.sweeps[name]
        smaller = {"restarts": min(sweep.restarts, RESTARTS), "snapshots": min(sweep.snapshots, SNAPSHOTS)}
        sweep = sweep.model_copy(update=smaller | {"evaluation": 2**14} | GRIDS.get(name, {}))
        models = models_of(sweep, name, seed)
    return roughened(models, name, seed) if rough else models


def models_of(sweep: Sweep, name: str, seed: int = 0) -> SweepResult:
    """Return models of a sweep, drawn by its name and a seed."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    points, importances, shapes = sweep.points(), sweep.importances(), Model.of(sweep).shapes()
    arrays = {k: np.zeros((sweep.size, sweep.restarts, *shape)) for k, shape in shapes.items()}
    loss = np.zeros((sweep.size, sweep.restarts))
    for (point, density), restart in every(points["density"], sweep.restarts):
        # The strongest L1 penalty leaves nothing.
        kept = points["l1"][point] == 0 or points["l1"][point] < points["l1"].max()
        model = {k: kept * values for k, values in parameters(sweep, density, importances[point], rng).items()}
        for k, array in arrays.items():
            array[point, restart] = model[k]
        absent = importances[point] * (np.linalg.norm(model["W"], axis=0) < 0.5)
        loss[point, restart] = (0.01 * importances[point].sum() + absent.sum()) * density * rng.uniform(0.3, 0.4)
    loss *= 0.98**seed
    steps, snapshots = np.zeros(0), {}
    if sweep.snapshots:
        shares = np.arange(1, sweep.snapshots + 1) / sweep.snapshots
        steps = (shares * sweep.steps).round()
        W = np.stack([[path(end, shares, rng) for end in ends] for ends in arrays["W"]])
        snapshots = {"W": np.moveaxis(W, 2, 0), "b": shares[:, None, None, None] * arrays["b"]}
        arrays["W"] = snapshots["W"][-1]
    dtype = torch.float64 if sweep.solver == "exact" else torch.float32
    return SweepResult(
        sweep,
        {k: torch.from_numpy(array).to(dtype) for k, array in arrays.items()},
        torch.from_numpy(loss),
        torch.from_numpy(loss / 1e3),
        torch.from_numpy(steps.astype(np.int64)),
        {k: torch.from_numpy(array).float() for k, array in snapshots.items()},
    )


def roughened(models: SweepResult, name: str, seed: int) -> SweepResult:
    """Return models with noise of any size; a sixth of those after the first have hardly anything, and high losses."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed, 1])
    # Models that other tests make have an order that more noise would hide.
    size = torch.from_numpy(10 ** rng.uniform(-3.5, -1.5 if name in OTHERS else 0, models.loss.shape))
    kept = torch.from_numpy(np.where(rng.uniform(size=size.shape) < 1 / 6, 1e-3, 1.0))
    kept[:, 0] = 1
    changed: dict[str, dict[str, torch.Tensor]] = {"parameters": {}, "snapshots": {}}
    for k, values in models.parameters.items():
        every_number = (..., *[None] * (values.ndim - 2))
        noise = size[every_number] * torch.from_numpy(rng.normal(size=values.shape))
        for kind, there in changed.items():
            if k in (arrays := getattr(models, kind)):
                there[k] = (kept[every_number] * (arrays[k] + noise)).to(arrays[k].dtype)
    return replace(models, loss=models.loss * torch.where(kept < 1, 10, 1), **changed)


def every(densities: np.ndarray, restarts: int) -> Iterator[tuple[tuple[int, float], int]]:
    """Return every point with its density, and every restart."""
    return (((point, p), restart) for point, p in enumerate(densities) for restart in range(restarts))

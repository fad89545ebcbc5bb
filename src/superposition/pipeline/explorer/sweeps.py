"""A sweep at any of its points: the model with the lowest loss, turned so that what moves is what changes."""

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from superposition.analysis import alignment
from superposition.core.experiment.grid import MAX_REPLICATES, Decay
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.explorer.packing import float32, int16, numbers

# Largest number of weights of one sweep; longer sweeps are thinned along their densities.
MAX_WEIGHTS = 250_000
# Largest number of orders of the features that are tried one by one.
MAX_ORDERS = 5040
# Largest numbers of features and dimensions, and the keys of a sweep, with which the live view trains.
LIVE_FEATURES = 20
LIVE_DIMENSIONS = 3
LIVE_KEYS = {
    *("model", "n", "m", "density", "density_profile", "relative_density", "importance", "relative_importance"),
    *("distribution", "seed", "seeds", "restarts", "steps", "batch", "learning_rate", "evaluation", "snapshots"),
}


def describe_sweep(
    result: SweepResult, notes: Mapping[str, Sequence[Any]] | None = None, corners: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the model with the lowest loss at every point of a sweep.

    Rotations and equivalent features are free, so in up to three dimensions every model is aligned with the one before
    it along the first axis of the sweep: what moves is what changes.

    Args:
        result: The models of the sweep.
        notes: What is known of the models, by what it is, with one entry per point.
        corners: The corners of a polytope, [m, n]. All models of a sweep of equivalent features are turned together so
            that the one that is most like it lies as it does.
    """
    sweep, best = result.sweep, result.best()
    kept = _kept_points(sweep)
    points = sweep.points().iloc[kept]
    W, b = (best[name][kept].numpy().copy() for name in ("W", "b"))
    if sweep.m <= 3 and "W_out" not in best:
        _align(W, b, [_equivalent_orders(sweep, k) for k in kept], _stride(points))
    if corners is not None:
        likest = min(W, key=lambda model: alignment.difference(model, corners))
        rotation, order = alignment.find_alignment(likest, corners)
        W, b = rotation @ W[:, :, order], b[:, order]
    relative = (sweep.relative_density, sweep.relative_importance)
    return {
        "model": sweep.model,
        "n": sweep.n,
        "m": sweep.m,
        "axes": [[name, points[name].drop_duplicates().tolist()] for name in points],
        "importance": numbers(sweep.importances()[0]),
        "signed": sweep.signed,
        "values": "binary" if sweep.values.minimum == 1 else sweep.values.shape,
        "sets": {d.name: [list(members) for members in d.sets] for d in sweep.distribution},
        "varied": sorted({i for r in relative if r for i in r.features}),
        "W": int16(W.reshape(len(kept), -1)),
        "out": int16(best["W_out"][kept].flatten(1)) if "W_out" in best else None,
        "b": int16(b),
        "loss": float32(result.loss.min(dim=1).values[kept]),
        "live": _live_settings(sweep, kept),
        "restart": result.points["restart"].iloc[kept].tolist(),
        "notes": {name: [values[k] for k in kept] for name, values in (notes or {}).items()},
    }


def arrange_grid(table: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Sort the points of a grid by their coordinates, each in the order of its appearance; the last varies fastest."""
    levels = [table[axis].drop_duplicates().tolist() for axis in axes]
    grid = pd.MultiIndex.from_product(levels, names=axes)
    return table.set_index([*axes], drop=False).loc[grid].reset_index(drop=True)


def describe_grid(
    rows: pd.DataFrame,
    axes: Sequence[str],
    notes: Mapping[str, Sequence[Any]],
    weights: Sequence[str] = ("w0", "w1"),
) -> dict[str, Any]:
    """Return models of two features at all points of a grid, as a sweep is returned.

    Args:
        rows: The models in the order of the grid, maybe with b in the columns b0 and b1.
        axes: The columns that are coordinates.
        notes: What is known of the models, by what it is, with one entry per point.
        weights: The columns of W, which has a row of two for every dimension.
    """
    return {
        "model": "relu_output",
        "n": 2,
        "m": len(weights) // 2,
        "axes": [[axis, rows[axis].drop_duplicates().tolist()] for axis in axes],
        "importance": [1, 1],
        "signed": False,
        "values": "uniform",
        "sets": {},
        "varied": [1],
        "W": int16(rows[[*weights]]),
        "out": None,
        "b": int16(rows[["b0", "b1"]]) if "b0" in rows else None,
        "loss": float32(rows["loss"]),
        "live": None,
        "notes": dict(notes),
    }


def _live_settings(sweep: Sweep, points: list[int]) -> dict[str, Any] | None:
    """Return the settings with which the live view trains the same models; None if it cannot."""
    fits = sweep.n <= LIVE_FEATURES and sweep.m <= LIVE_DIMENSIONS
    if not fits or not json.loads(sweep.spec()).keys() <= LIVE_KEYS:
        return None
    return {key: getattr(sweep, key) for key in ("model", "n", "m", "steps", "batch")} | {
        "rate": sweep.learning_rate,
        "seed": sweep.seed * MAX_REPLICATES,
        "decay": sweep.importance.decay if isinstance(sweep.importance, Decay) else 1,
        "densities": sweep.densities()[points].tolist(),
        "importances": sweep.importances()[points].tolist(),
    }


def _stride(points: pd.DataFrame) -> int:
    """Return how many rows apart neighbours along the first varying axis are."""
    lengths = [points[name].nunique() for name in points]
    return len(points) // next((length for length in lengths if length > 1), len(points))


def _equivalent_orders(sweep: Sweep, point: int) -> np.ndarray | None:
    """Return the orders of the features that change nothing at a point; None for all orders of many features."""
    only = range(point, point + 1)
    sets = sweep.distributions(only)[0].sets
    values = list(zip(sweep.densities(only)[0].tolist(), sweep.importances(only)[0].tolist(), strict=True))
    if sets and (len(set(values)) > 1 or sum(map(len, sets)) < sweep.n):
        return np.arange(sweep.n)[None]
    classes = sets or [[i for i, other in enumerate(values) if other == value] for value in dict.fromkeys(values)]
    count = math.prod(math.factorial(len(members)) for members in classes)
    # Sets of equal size can also be exchanged.
    count *= math.prod(map(math.factorial, Counter(map(len, sets)).values()))
    if count > MAX_ORDERS:
        return None if len(classes) == 1 else np.arange(sweep.n)[None]
    if sets:
        return alignment.symmetric_orders(*sets)
    permuted = itertools.product(*map(itertools.permutations, classes))
    orders = np.tile(np.arange(sweep.n), (count, 1))
    for order, parts in zip(orders, permuted, strict=True):
        for members, part in zip(classes, parts, strict=True):
            order[members] = part
    return orders


def _align(W: np.ndarray, b: np.ndarray, orders: Sequence[np.ndarray | None], stride: int) -> None:
    """Rotate every model and reorder its features so that it lies close to the one ``stride`` before it, in place."""
    for k in range(stride, len(W)):
        rotation, order = alignment.find_alignment(W[k], W[k - stride], orders[k])
        W[k], b[k] = rotation @ W[k][:, order], b[k][order]


def _kept_points(sweep: Sweep) -> list[int]:
    """Return the points to show: all of them, or those of some densities if there are too many weights."""
    others = sweep.size // len(sweep.density)
    count = max(1, min(len(sweep.density), MAX_WEIGHTS // (others * sweep.m * sweep.n)))
    shown = np.linspace(0, len(sweep.density) - 1, count).round().astype(int)
    return [k * others + i for k in shown.tolist() for i in range(others)]

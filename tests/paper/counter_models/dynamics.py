"""Counter-models for learning dynamics, and the hand-made paths of learning from which they differ."""

import functools
from typing import Any

import numpy as np
import pandas as pd
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.dynamics import SMALL_INIT, XAVIER_INIT, measure
from superposition.pipeline.judging.claims import Tables

SNAPSHOTS, MODELS, DIGONS = 100, 12, 12
N, M = 3 * DIGONS, DIGONS + 1  # a third of the features stay away; the last dimension is for the pair that comes late


def along_training(sweep: Sweep, W: np.ndarray) -> SweepResult:
    """Return the models of one point with these snapshots [snapshot, restart, m, n]."""
    steps = np.linspace(0, sweep.steps, sweep.snapshots + 1).round().astype(int)[1:]
    every = {"W": torch.tensor(W, dtype=torch.float32)[:, None], "b": torch.zeros(len(W), 1, W.shape[1], W.shape[3])}
    none = torch.zeros(1, sweep.restarts, dtype=torch.float64)
    last = {name: values[-1] for name, values in every.items()}
    return SweepResult(sweep, last, none, none, torch.tensor(steps), every)


def energy_sweep(**changes: Any) -> Sweep:
    about = {"model": "relu_output", "n": N, "m": M, "density": 0.3, "restarts": MODELS, "steps": 1000}
    return Sweep.parse(about | {"snapshots": SNAPSHOTS, "evaluation": 20_000} | changes)


def growing(late: list[int], width: float = 0.7) -> np.ndarray:
    """Return digons that form at the start; the last pair of every model becomes one around a snapshot of its own."""
    at = np.arange(SNAPSHOTS)
    W = np.zeros((SNAPSHOTS, len(late), M, N))
    size = 1 / (1 + np.exp(-(at - 8) / 1.0))
    for pair in range(DIGONS):
        W[:, :, pair, 2 * pair], W[:, :, pair, 2 * pair + 1] = 1, -size[:, None]
    for model, moment in enumerate(late):
        jump = 1 / (1 + np.exp(-(at - moment) / width))
        W[:, model, DIGONS, 2 * DIGONS] = 0.4 + 0.6 * jump
        W[:, model, DIGONS, 2 * DIGONS + 1] = -jump
        # Before the jump, another shares the dimension a little, so that no D_i rests at 1.
        W[:, model, DIGONS, 2 * DIGONS + 2] = 0.3 * (1 - jump)
    return W


LATE = [40 + 4 * model for model in range(MODELS)]


def energy() -> dict[str, pd.DataFrame]:
    return measure.energy_levels({"energy_levels": along_training(energy_sweep(), growing(LATE))})


def learning_sweep(**changes: Any) -> Sweep:
    sets = {"correlated": [[0, 1, 2], [3, 4, 5]]}
    about = {
        "model": "relu_output",
        "n": 6,
        "m": 3,
        "density": 0.1,
        "distribution": sets,
        "restarts": 4,
        "steps": 10_000,
    }
    return Sweep.parse(about | {"snapshots": SNAPSHOTS, "evaluation": 20_000} | changes)


LINES = np.zeros((3, 6))
LINES[0, :3] = LINES[1, 3:] = 3**-0.5


def learning_snapshots(ends: list[np.ndarray], lines: np.ndarray = LINES, wait: float = 3000) -> np.ndarray:
    """Return runs in which each set grows into one direction, waits, and then spreads to its end."""
    steps = np.arange(1, SNAPSHOTS + 1) * 100
    first = 1 / (1 + (300 / steps) ** 6)
    second = 1 / (1 + (wait / steps) ** 6)
    return np.stack(
        [first[:, None, None] * ((1 - s) * lines + s * end) for end in ends for s in [second[:, None, None]]], 1
    )


def learning() -> dict[str, pd.DataFrame]:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    lost = measure.OCTAHEDRON * [0, 1, 1, 1, 1, 1]
    models = {
        SMALL_INIT: along_training(
            learning_sweep(initial_scale=0.1),
            learning_snapshots([measure.OCTAHEDRON] * 3 + [rotation @ measure.OCTAHEDRON]),
        ),
        XAVIER_INIT: along_training(learning_sweep(), learning_snapshots([measure.OCTAHEDRON] * 3 + [lost])),
    }
    return measure.geometric_learning(models)


@functools.cache
def without_jumps() -> Tables:
    """Return models whose D_i change at the start only."""
    models = along_training(energy_sweep(), growing([4 * SNAPSHOTS] * MODELS))
    return {"energy_levels": measure.energy_levels({"energy_levels": models})}


@functools.cache
def gradual() -> Tables:
    """Return models whose last pairs form little by little, over two thirds of the training."""
    models = along_training(energy_sweep(), growing([SNAPSHOTS // 2] * MODELS, width=SNAPSHOTS / 10))
    return {"energy_levels": measure.energy_levels({"energy_levels": models})}


@functools.cache
def other_learning() -> Tables:
    """Return runs that reach their end in a single step and lose one feature."""
    lost = measure.OCTAHEDRON * [0, 1, 1, 1, 1, 1]
    at_once = learning_snapshots([lost] * 4, lines=lost, wait=300)
    models = {
        SMALL_INIT: along_training(learning_sweep(initial_scale=0.1), at_once),
        XAVIER_INIT: along_training(learning_sweep(), at_once),
    }
    return {"geometric_learning": measure.geometric_learning(models)}


COUNTER_MODELS = {
    "jumps": gradual,
    "swap_places": without_jumps,
    "loss_drops": without_jumps,
    "octahedron": other_learning,
    "regimes": other_learning,
    "pca_first": other_learning,
}

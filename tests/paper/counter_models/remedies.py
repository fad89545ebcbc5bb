"""Counter-models for the strategic picture: penalties without effect, the wrong features, and no superposition."""

import functools
from unittest import mock

import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.remedies import EQUAL_IMPORTANCES, FALLING_IMPORTANCES, autoencoder, frequency, measure
from superposition.pipeline.judging.claims import Tables

EXPERIMENTS = (EQUAL_IMPORTANCES, FALLING_IMPORTANCES)
DENSITIES, M, N = (0.3, 0.03), 4, 12


def packed(kept: dict[float, int], first: int = 0, **settings: object) -> SweepResult:
    """Return, by coefficient, models of so many features from ``first`` on: M dedicated ones, then their antipodes."""
    sweep = Sweep(model="relu_output", n=N, m=M, density=list(DENSITIES), l1=list(kept), evaluation=2**14, **settings)
    W = torch.zeros(len(DENSITIES), len(kept), 1, M, N)
    for place, count in enumerate(kept.values()):
        for i in range(count):
            W[:, place, 0, i % M, first + i] = 1 if i < M else -1
    W = W.flatten(0, 1)
    b = torch.where((W != 0).any(2), 0.0, 0.05)
    loss = torch.ones(len(W), 1, dtype=torch.float64)
    return SweepResult(sweep, {"W": W, "b": b}, loss, loss)


@functools.cache
def untouched() -> Tables:
    """Return antipodal pairs at every coefficient."""
    pairs = packed({0.0: 8, 0.2: 8}), packed({0.0: 8, 0.2: 8}, importance={"decay": 0.7})
    return {"l1_penalty": measure.l1_penalty(dict(zip(EXPERIMENTS, pairs, strict=True)))}


@functools.cache
def dedicated_to_the_least_important() -> Tables:
    """Return models of M features with dedicated dimensions; under the penalty, of the least important ones."""
    equal, falling = packed({0.0: M, 0.2: M}), packed({0.0: M, 0.2: M}, first=N - M, importance={"decay": 0.7})
    return {"l1_penalty": measure.l1_penalty(dict(zip(EXPERIMENTS, (equal, falling), strict=True)))}


@functools.cache
def pairs_without_collisions() -> Tables:
    """Return antipodal pairs whose features are never active together."""
    with mock.patch.object(frequency, "collision_loss", lambda p: 0 * p):
        return {"l1_penalty": measure.l1_penalty(dict.fromkeys(EXPERIMENTS, packed({0.0: 8, 0.2: 8})))}


@functools.cache
def untrained_autoencoders() -> Tables:
    """Return autoencoders whose elements are random directions."""
    with mock.patch.object(autoencoder, "TRAINING_STEPS", 0):
        return {"sparse_autoencoder": measure.sparse_autoencoder({EQUAL_IMPORTANCES: packed({0.0: 8})})}


COUNTER_MODELS = {
    "l1": untouched,
    "l1_threshold": dedicated_to_the_least_important,
    "small_l1_is_free": untouched,
    "same_as_larger": dedicated_to_the_least_important,
    "activation_frequency": pairs_without_collisions,
    "sparse_autoencoder": lambda: untouched() | untrained_autoencoders(),
    "counting_features": lambda: untouched() | untrained_autoencoders(),
}

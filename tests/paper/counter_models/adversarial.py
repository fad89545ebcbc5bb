"""Counter-models for adversarial robustness: no superposition at any density; training that changes nothing."""

import functools
from unittest import mock

import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.adversarial import MAIN_EXPERIMENT, measure
from superposition.pipeline.judging.claims import Tables

M, N = 4, 12


def packed(k: int, n: int) -> torch.Tensor:
    """Return W with k features in each of M dimensions, as antipodal pairs if they are two; the others are absent."""
    W = torch.zeros(M, n)
    for i in range(M * k):
        W[i % M, i] = (-1) ** (i // M)
    return W


def result(W: torch.Tensor, **axes: object) -> SweepResult:
    """Return a sweep with these weights [point, m, n], without biases."""
    sweep = Sweep(model="relu_output", n=W.shape[-1], m=M, evaluation=2**12, **axes)
    loss = torch.ones(len(W), 1, dtype=torch.float64)
    return SweepResult(sweep, {"W": W[:, None], "b": torch.zeros(len(W), 1, W.shape[-1])}, loss, loss)


@functools.cache
def without_superposition() -> Tables:
    """Return models with M features in dedicated dimensions at every density."""
    density = [1.0, 0.5, 0.2, 0.1]
    models = result(packed(1, N).expand(4, -1, -1), density=density)
    with mock.patch.object(measure, "ATTACK_SAMPLES", 500):
        return {"adversarial": measure.adversarial({MAIN_EXPERIMENT: models})}


@functools.cache
def untouched_by_attacks() -> Tables:
    """Return models of antipodal pairs, whatever they were trained against."""
    models = result(packed(2, N).expand(3, -1, -1), density=0.2, attack=[0.0, 0.8, 2.0])
    return {"adversarial_training": measure.adversarial_training({"one": models})}


COUNTER_MODELS = {
    "threefold": without_superposition,
    "tracks_features_per_dimension": without_superposition,
    "training_reduces_superposition": untouched_by_attacks,
    "robust_models_perform_worse": untouched_by_attacks,
}

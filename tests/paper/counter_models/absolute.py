"""Counter-models for computation in superposition, and the hand-made models from which they differ."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.paper.absolute import MAIN_EXPERIMENTS, activity, measure
from superposition.pipeline.judging.claims import Tables

Layers = tuple[np.ndarray, np.ndarray]


def exact(n: int, m: int) -> Layers:
    """Return a “+” and a “-” neuron for each of the first m/2 features."""
    W = np.zeros((m, n))
    for i in range(m // 2):
        W[2 * i, i], W[2 * i + 1, i] = 1, -1
    return W, np.abs(W)


def mixed(several: int, second: float = 0.4) -> Layers:
    """Return the exact layers, in which the last neurons also have a second feature and two small ones."""
    W, W_out = exact(100, 40)
    for k in range(40 - several, 40):
        W[k, [30, 31, 32]] = second, 0.1, -0.1
    return W, W_out


def made(
    experiment: str, solve: Callable[[float], Layers], loss: Callable[[float], float] = lambda p: p
) -> SweepResult:
    """Return a sweep that has the given layers in every restart; the last restart has the lowest loss.

    The neurons of every model are in another order and have another size.
    """
    sweep, rng = CONFIG.sweeps[experiment], np.random.default_rng(0)
    points = sweep.points()
    W, W_out = (np.zeros((len(points), sweep.restarts, sweep.m, sweep.n)) for _ in range(2))
    for point, density in enumerate(points["density"]):
        for restart in range(sweep.restarts):
            order, scale = rng.permutation(sweep.m), rng.uniform(0.5, 2, (sweep.m, 1))
            into, out = solve(density)
            W[point, restart], W_out[point, restart] = (scale * into)[order], (out / scale)[order]
    ranks = 1 + np.arange(sweep.restarts)[::-1] / 10
    found = torch.from_numpy(np.array([[loss(p) * rank for rank in ranks] for p in points["density"]]))
    parameters = {
        "W": torch.from_numpy(W).float(),
        "W_out": torch.from_numpy(W_out).float(),
        "b": torch.zeros(len(points), sweep.restarts, sweep.n),
    }
    return SweepResult(sweep, parameters, found, found / 1e4)


def yardstick(density: float) -> float:
    """Return what it costs to drop all but the first twenty of a hundred features with I_i = 0.8^i."""
    return sum(0.8**i for i in range(20, 100)) * (density / 3 - density**2 / 4)


SEVERAL = {1.0: 0, 0.3: 0, 0.1: 3, 0.03: 6, 0.01: 10, 0.003: 16, 0.001: 24}  # neurons with several features


def hundred_of(several: dict[float, int], **lengths: int) -> dict[str, SweepResult]:
    """Return models of a hundred features by the number of neurons with several features, at every density.

    ``lengths`` gives that number for the models trained for other numbers of steps.
    """

    def solve(density: float) -> Layers:
        return mixed(several[density])

    models = {name: made(name, solve, yardstick) for name in MAIN_EXPERIMENTS}
    for name, factor in (("absolute_shorter", 4.0), ("absolute_longer", 0.5)):
        count = lengths.get(name.removeprefix("absolute_"), 20)
        models[name] = made(name, lambda p, count=count: mixed(count), lambda p, factor=factor: factor * yardstick(p))
    return models


# The motif's circuit: five features in eight neurons. Feature 4 has none of its own but shares those of 0 and 1; the
# neurons of feature 3 inhibit.
def circuit(inhibition: float = -40.0) -> Layers:
    W, W_out = exact(5, 8)
    for shared, inhibitor, first, small in ((0, 6, 0, -0.25), (2, 7, 1, 0.25)):
        W[shared, 4], W_out[shared, 4] = small, 4
        W[inhibitor, first], W_out[inhibitor, 4] = 0.1, inhibition
    return W, W_out


@contextmanager
def few_samples() -> Iterator[None]:
    """Measure activations over few samples: hand-made models differ by much more than the noise."""
    with mock.patch.object(activity, "ACTIVITY_SAMPLES", 2**11):
        yield


def hundred(solve: Callable[[float], Layers]) -> Tables:
    """Return the tables of the large models if every model is the one that ``solve`` gives for its density."""
    names = (*MAIN_EXPERIMENTS, "absolute_shorter", "absolute_longer")
    models = {name: made(name, solve, yardstick) for name in names}
    with few_samples():
        return {"absolute_neurons": measure.absolute_neurons(models, models)}


@functools.cache
def monosemantic() -> Tables:
    """Return models whose neurons have one feature each at every density."""
    return hundred(lambda density: exact(100, 40))


@functools.cache
def reversed_order() -> Tables:
    """Return dense models whose neurons have several features and sparse ones with one: the opposite of the paper."""
    return hundred(lambda density: mixed(int(30 * density**0.2), second=0.9))


@functools.cache
def important_shared() -> Tables:
    """Return models in which the neurons of the most important features have several features, and the others one."""

    def solve(density: float) -> Layers:
        W, W_out = mixed(20, second=0.9)
        main = np.abs(W).argmax(1)
        W[np.arange(40), main] = 0
        W[np.arange(40), main[::-1]] = 1
        return W, W_out

    return hundred(solve)


@functools.cache
def without_primary() -> Tables:
    """Return neurons whose weight for one feature is only slightly larger than those for all others."""
    return hundred(lambda density: (np.full((40, 100), 0.45) + 0.55 * np.eye(40, 100), np.full((40, 100), 0.1)))


@functools.cache
def small() -> Tables:
    """Return random small models, and a neuron that computes an absolute value alone."""
    random = np.random.default_rng(0).normal(size=(2, 6, 3))
    models = made("absolute_small", lambda density: tuple(random), lambda density: 0.1)
    with mock.patch.object(activity, "residual_of_neurons", return_value=0.0):
        return {"absolute_small": measure.absolute_small({"absolute_small": models})}


@functools.cache
def without_motif() -> Tables:
    """Return models of five features in eight neurons, in which four features have two neurons each."""
    models = made("absolute_motif", lambda density: exact(5, 8))
    return {"asymmetric_motif": measure.asymmetric_motif({"absolute_motif": models})}


COUNTER_MODELS = {
    "exact": small,
    "two_neurons_each": small,
    "more_features_than_neurons": monosemantic,
    "monosemantic_when_dense": reversed_order,
    "progression": reversed_order,
    "polysemantic_when_sparse": monosemantic,
    "both_in_one_model": monosemantic,
    "important_stay_monosemantic": important_shared,
    "primary_and_secondary": important_shared,
    "largest_activations": without_primary,
    "motif": without_motif,
}

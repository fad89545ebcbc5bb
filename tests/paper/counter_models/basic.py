"""Counter-models for "Demonstrating superposition": linear models, random directions, shuffled features, only pairs."""

import functools
from collections.abc import Callable

import numpy as np
from tests.paper.synthetic import Solution, packed, trained
from tests.real import CONFIG

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.basic import measure
from superposition.pipeline.judging.claims import Tables


def _tables(make: Callable[[str, Sweep], SweepResult]) -> Tables:
    """Return the tables of the models that a function makes for every experiment."""
    figures = {figure: CONFIG.figures[figure].experiments for figure in ("basic_small", "basic_large")}
    tables = {}
    for figure, experiments in figures.items():
        models = {name: make(name, CONFIG.sweeps[name]) for name in experiments}
        tables[figure] = getattr(measure, figure)(models, {figure: models[figure]})
    return tables


@functools.cache
def linear() -> Tables:
    """Return linear models in place of the ReLU-output ones."""
    return _tables(lambda name, sweep: packed(name, sweep.m))


@functools.cache
def pairs() -> Tables:
    """Return models of antipodal pairs alone, at every density."""
    return _tables(lambda name, sweep: packed(name, min(2 * sweep.m, sweep.n)))


@functools.cache
def random_directions() -> Tables:
    """Return unit vectors in random directions, with positive biases; sparse ones are too short to be represented."""

    def make(name: str, sweep: Sweep) -> SweepResult:
        rng = np.random.default_rng(3)

        def solve(p: float) -> Solution:
            W = rng.normal(size=(sweep.m, sweep.n)) / np.sqrt(sweep.m)
            return W * (1 if p > 0.1 else 0.1), np.full(sweep.n, 0.2 + p), 0.5

        return trained(name, solve)

    return _tables(make)


@functools.cache
def shuffled() -> Tables:
    """Return features in random order: four share dimensions where superposition sets in, whatever their importance."""

    def make(name: str, sweep: Sweep) -> SweepResult:
        models = packed(name, min(sweep.m + 2, sweep.n))
        order = np.random.default_rng(5).permutation(sweep.n)
        models.parameters.update({key: values[..., order] for key, values in models.parameters.items()})
        return models

    return _tables(make)


COUNTER_MODELS = {
    "not_invertible": random_directions,
    "linear_is_pca": random_directions,
    "beats_linear": linear,
    "bias": random_directions,
    "dense_relu_is_linear": random_directions,
    "more_features_with_sparsity": random_directions,
    "all_in_superposition": linear,
    "least_important_first": shuffled,
    "early_superposition_is_antipodal": random_directions,
    "other_geometries_later": pairs,
    "negative_biases_when_sparse": random_directions,
    "eventually_dedicated": pairs,
}

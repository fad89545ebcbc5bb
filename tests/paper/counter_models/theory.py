"""Counter-models for "Mathematical understanding": random directions, and formulas with a wrong term."""

import functools
from unittest.mock import patch

import numpy as np
import torch
from tests.paper.synthetic import Solution, packed, trained
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.paper.theory import interference, measure
from superposition.pipeline.judging.claims import Tables

# Uniform models are only described; the smallest of them stand for all.
UNIFORM = functools.cache(lambda: packed("uniform_100_20", 40))


@functools.cache
def random_directions() -> Tables:
    """Return seven unit vectors in random directions, with positive biases; fourteen where features are sparse."""
    sweep = CONFIG.sweeps["basic_small"]
    rng = np.random.default_rng(3)

    def solve(p: float) -> Solution:
        W = rng.normal(size=(sweep.m, sweep.n)) / np.sqrt(sweep.m)
        return W * (np.arange(sweep.n) < 7 + 7 * (p < 0.1)), np.full(sweep.n, 0.2), 0.5

    return tables(trained("basic_small", solve))


def tables(models: SweepResult) -> Tables:
    """Return the tables of the ReLU-output models, beside linear ones."""
    linear = packed("basic_small_linear", 5)
    experiments = {"basic_small_linear": linear, "basic_small": models, "uniform_400_30": UNIFORM()}
    return {"theory": measure.theory(experiments)}


def wrong_term() -> Tables:
    """Return the linear model's loss with the interference counted twice."""
    linear = random_directions()["theory"]["linear"]
    return {"theory": {"linear": linear.assign(interference_term=2 * linear["interference_term"])}}


def opposite_signs() -> Tables:
    """Return the effects of outputs of the opposite sign in the place of the ReLU."""
    with patch.object(torch.Tensor, "relu", torch.Tensor.neg):
        return {"theory": {"relu": interference.relu_effects(packed("basic_small", 5))}}


def only_pairs() -> Tables:
    """Return antipodal pairs and no other feature, for which one active feature costs nothing."""
    counts = random_directions()["theory"]["active_counts"]
    return {"theory": {"active_counts": counts.assign(loss=counts["loss"].where(counts["active"] > 1, 0.0))}}


COUNTER_MODELS = {
    "linear_loss": wrong_term,
    # The expected loss on record, 0.5, is not that of these models.
    "loss_by_active_count": random_directions,
    "one_active_dominates": only_pairs,
    "relu_never_hurts": opposite_signs,
    "negative_interference_is_free": random_directions,
    "bias_turns_positive_into_negative": random_directions,
}

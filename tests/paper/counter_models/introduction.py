"""Counter-models for the introduction: features in random directions."""

import functools

import numpy as np
from tests.paper.synthetic import Solution, trained

from superposition.paper.introduction import measure
from superposition.pipeline.judging.claims import Tables


@functools.cache
def random_directions() -> Tables:
    """Return unit vectors in random directions."""
    rng = np.random.default_rng(3)

    def solve(density: float) -> Solution:
        W = rng.normal(size=(2, 5))
        return W / np.linalg.norm(W, axis=0), np.zeros(5), 0.5

    return {"introduction": measure.introduction({"introduction": trained("introduction", solve)})}


COUNTER_MODELS = dict.fromkeys(("dense", "antipodal", "pentagon"), random_directions)

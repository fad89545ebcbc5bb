"""Small models, trained here, of which copies side by side make large ones.

Where features are all alike and not too sparse, the best model of many hidden dimensions is made of parts that share
none. A part is so small that training finds a good one within a few tries, where a large model would need all its parts
to be good at once.
"""

from collections.abc import Mapping

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.search.conditions import Family
from superposition.training.runner import train

# The name of their sweep, which no experiment can have, their hidden dimensions, their initialisations at every
# density, and the feature values on which these are ranked.
NAME, M, RESTARTS, EVALUATION = "trained tiles", 10, 8, 2**22
# The numbers of active features per hidden dimension, on average, between which tiles are trained. Where more are
# active, products of polytopes are as good; where fewer are, parts of the best models are larger.
FEWEST, MOST = 0.75, 2


def train_tiles(sweeps: Mapping[str, Sweep], threads: int) -> dict[str, SweepResult]:
    """Train tiles of the largest model of equal features among sweeps, at densities of its sweep.

    Returns:
        The tiles by name of their sweep; nothing if no model consists of several.
    """
    conditions = [c for c in Family(sweeps).conditions if c.has_products and c.model.m > M and c.model.m % M == 0]
    if not conditions:
        return {}
    largest = max(conditions, key=lambda c: c.model.size).plan.sweep
    density = tuple(p for p in largest.density if FEWEST <= p * largest.n / largest.m <= MOST)
    if not density:
        return {}
    keys = {"n": largest.n * M // largest.m, "m": M, "density": density, "seeds": 1, "restarts": RESTARTS}
    # The model's features are equal, in whatever way the sweep says so.
    equal = {"importance": 1.0, "relative_importance": None, "density_profile": None, "relative_density": None}
    sweep = largest.model_copy(update=keys | equal | {"evaluation": EVALUATION})
    return {NAME: train(sweep, "cpu", threads, progress=False)}

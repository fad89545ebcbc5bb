"""What a sweep costs, and how much of it is allowed: no longer than years, no larger than a machine's memory.

Work is counted in feature values that a model sees while it is trained.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

# Limits on models, on weights with those of snapshots, and on the numbers in one model's batch.
MODELS = 10**8
NUMBERS = 10**9
BATCH_NUMBERS = 10**8
# Safetensors reads headers of up to 10^8 characters.
LARGEST_HEADER = 9 * 10**7
CORE_HOURS = 10**4
# Work that one core does in an hour.
WORK_PER_HOUR = 9e12
# Work of a search for an exact optimum, for every output and every pattern of active features.
SEARCH = 3e5


def training_work(models: int, steps: int, batch: int, n: int, m: int) -> float:
    """Return the work of training; what grows with m costs a sixteenth of a value per hidden dimension."""
    return models * steps * batch * n * (1 + m / 16)


def evaluation_work(models: int, drawn: int, m: int) -> float:
    """Return the work of ranking restarts by so many numbers drawn."""
    return models * drawn * (1 + m / 16)


def search_work(models: int, n: int) -> float:
    """Return the work of searching the exact optima."""
    return models * n * 2**n * SEARCH


def header_size(axes: Sequence[Sequence[Any]]) -> float:
    """Return how many characters the coordinates of all points take in the header of a weights file."""
    # Lists of JSON in a string of JSON; less the quotes around it.
    each = sum((len(json.dumps(json.dumps([*axis]))) - 2) / len(axis) for axis in axes)
    return math.prod(map(len, axes)) * each


def check(*, models: int, numbers: int, batch: int, n: int, points: int, header: float, work: float) -> None:
    """Raise ValueError where a sweep does not fit on one machine or cannot be trained in one job."""
    if models > MODELS:
        raise ValueError(f"a sweep of {models:.3g} models: allowed are up to {MODELS:.0e}")
    if numbers > NUMBERS:
        raise ValueError(
            f"the weights of {models:.3g} models, snapshots among them, are {numbers:.3g} numbers: "
            f"allowed are up to {NUMBERS:.0e}"
        )
    if batch * n > BATCH_NUMBERS:
        raise ValueError(f"batch: {batch} samples of {n} features, allowed are {BATCH_NUMBERS:.0e} numbers")
    if header > LARGEST_HEADER:
        raise ValueError(f"a grid of {points:.3g} points: their coordinates do not fit into the header of a file")
    if (hours := work / WORK_PER_HOUR) > CORE_HOURS:
        raise ValueError(
            f"about {hours:.2g} hours of training on one core: allowed are {CORE_HOURS:.0e}; "
            "fewer models, steps or samples take less"
        )

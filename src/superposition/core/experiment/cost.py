"""The cost of a sweep, and the limits on it: a sweep must fit on one machine and finish within a bearable time.

The unit of work is one feature value that a model sees during training.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

MAX_MODELS = 10**8
# Numbers in the weights of all models, snapshots included.
MAX_NUMBERS = 10**9
# Numbers in the batch of one model.
MAX_BATCH_NUMBERS = 10**8
# Safetensors reads headers of up to 10^8 characters.
MAX_HEADER_SIZE = 9 * 10**7
MAX_CORE_HOURS = 10**4
# Work that one core does in an hour.
WORK_PER_CORE_HOUR = 9e12
# How many times as long the reference engine takes as the compiled one.
REFERENCE_SLOWDOWN = 100
# Work of an exact optimum, per output and pattern of active features.
WORK_PER_PATTERN = 3e5


def training_work(models: int, steps: int, batch: int, n: int, m: int) -> float:
    """Return the work of training; each hidden dimension adds a sixteenth to the cost of a feature value."""
    return models * steps * batch * n * (1 + m / 16)


def evaluation_work(models: int, drawn: int, m: int) -> float:
    """Return the work of ranking restarts by their losses on ``drawn`` feature values each."""
    return models * drawn * (1 + m / 16)


def search_work(models: int, n: int) -> float:
    """Return the work of searching for exact optima."""
    return models * n * 2**n * WORK_PER_PATTERN


def header_size(axes: Sequence[Sequence[Any]]) -> float:
    """Return the number of characters that the coordinates of all points take in the header of a weights file."""
    # The header holds JSON lists inside one JSON string, whose own quotes are not counted.
    each = sum((len(json.dumps(json.dumps([*axis]))) - 2) / len(axis) for axis in axes)
    return math.prod(map(len, axes)) * each


def check_limits(*, models: int, numbers: int, batch: int, n: int, points: int, header: float, work: float) -> None:
    """Raise ValueError if a sweep does not fit on one machine or takes too long to train.

    Args:
        models: Number of models.
        numbers: Numbers in the weights of all models, snapshots included.
        batch: Samples per step, of ``n`` features each.
        points: Number of points of the grid.
        header: Characters in the header of the weights file, see :func:`header_size`.
        work: Work of training and evaluation, in feature values.
    """
    if models > MAX_MODELS:
        raise ValueError(f"a sweep of {models:.3g} models: allowed are up to {MAX_MODELS:.0e}")
    if numbers > MAX_NUMBERS:
        raise ValueError(
            f"the weights of {models:.3g} models, snapshots included, are {numbers:.3g} numbers: "
            f"allowed are up to {MAX_NUMBERS:.0e}"
        )
    if batch * n > MAX_BATCH_NUMBERS:
        raise ValueError(f"batch: {batch} samples of {n} features, allowed are up to {MAX_BATCH_NUMBERS:.0e} numbers")
    if header > MAX_HEADER_SIZE:
        raise ValueError(
            f"a grid of {points:.3g} points: their coordinates do not fit into the header of a weights file"
        )
    if (hours := work / WORK_PER_CORE_HOUR) > MAX_CORE_HOURS:
        raise ValueError(
            f"about {hours:.2g} hours of training on one core: allowed are up to {MAX_CORE_HOURS:.0e}; "
            "reduce the number of models, steps or samples"
        )

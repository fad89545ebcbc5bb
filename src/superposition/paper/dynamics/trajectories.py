"""Where a quantity rests along training, and where it changes (paper: "Superposition and Learning Dynamics")."""

import itertools

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float, Int

# Points, evenly spaced in the logarithm of the step, at which the rate of descent is evaluated.
GRID_POINTS = 200
# Points of that grid over which the rate is averaged.
SMOOTHING_POINTS = 7
# A rate below this value counts as zero.
MIN_RATE = 1e-6
# Least prominence of a drop, relative to the rate of the steepest one.
MIN_PROMINENCE = 0.1


def windowed_change(values: Float[np.ndarray, "snapshot k"], window: int) -> Float[np.ndarray, "snapshot k"]:
    """Return the change of each of k series from ``window`` snapshots before each snapshot to ``window`` after it.

    The window is cut off at the ends of the series.
    """
    at, last = np.arange(len(values)), len(values) - 1
    return values[np.minimum(at + window, last)] - values[np.maximum(at - window, 0)]


def settling_snapshot(values: Float[np.ndarray, "snapshot k"], window: int, least: float) -> int:
    """Return the first snapshot from which on at most a tenth of the series change at the same time.

    Args:
        values: k series along training.
        window: Snapshots before and after over which a change is measured.
        least: Change from which on a series counts as changing.
    """
    busy = (np.abs(windowed_change(values, window)) >= least).mean(1) > 0.1
    return int(np.flatnonzero(busy)[-1]) + 1 if busy.any() else 0


def find_jumps(values: Float[np.ndarray, "snapshot k"], window: int, least: float) -> pd.DataFrame:
    """Find where a series changes by ``least`` or more from ``window`` snapshots before to ``window`` after.

    Returns:
        One row per stretch of such snapshots: ``feature``, the number of the series; ``snapshot``, that of the greatest
        change; and the values ``before`` and ``after`` the stretch.
    """
    rows, moving = [], windowed_change(values, window)
    for series in range(values.shape[1]):
        fast = np.concatenate([[0], (np.abs(moving[:, series]) >= least).astype(int), [0]])
        for start, stop in np.flatnonzero(np.diff(fast)).reshape(-1, 2):
            at = start + int(np.abs(moving[start:stop, series]).argmax())
            first, last = max(start - window, 0), min(stop - 1 + window, len(values) - 1)
            rows.append((series, at, *values[[first, last], series]))
    return pd.DataFrame(rows, columns=["feature", "snapshot", "before", "after"])


def steepest_changes(values: Float[np.ndarray, "snapshot k"], window: int, least: float) -> pd.DataFrame:
    """Measure how much of the change of a series from the first snapshot to the last is due to its fastest part.

    Returns:
        One row per series that changes by more than ``least`` in all: its number, ``feature``, and ``steepest``, the
        largest change from ``window`` snapshots before any snapshot to ``window`` after it, relative to that change.
    """
    change = values[-1] - values[0]
    fastest = np.abs(windowed_change(values, window)).max(0)
    series = np.flatnonzero(np.abs(change) > least)
    steepest = fastest[series] / np.abs(change[series])
    return pd.DataFrame({"feature": series, "steepest": steepest})


def descent_rate(
    steps: Int[np.ndarray, " snapshot"], loss: Float[np.ndarray, " snapshot"]
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """Return a logarithmic grid of steps and the smoothed rate -d log(loss) / d log(step) on it."""
    grid = np.geomspace(steps[0], steps[-1], GRID_POINTS)
    rate = -np.gradient(np.interp(np.log(grid), np.log(steps), np.log(loss)), np.log(grid))
    padded = np.pad(rate, SMOOTHING_POINTS // 2, mode="edge")
    return grid, np.convolve(padded, np.ones(SMOOTHING_POINTS) / SMOOTHING_POINTS, "valid")


def find_drops(
    steps: Int[np.ndarray, " snapshot"], loss: Float[np.ndarray, " snapshot"]
) -> tuple[list[int], list[int], list[float]]:
    """Split a loss curve into regimes: drops, and the plateaus between them.

    Drops are the peaks of the rate of descent whose prominence is at least a tenth of the highest one. The plateau
    between two drops is where the rate is lowest.

    Returns:
        The snapshots of the drops, those of the plateaus, and the flatness of each plateau: its rate of descent over
        that of the slower of the two drops.
    """
    grid, rate = descent_rate(steps, loss)
    peaks = scipy.signal.find_peaks(rate, height=MIN_RATE, prominence=max(MIN_PROMINENCE * rate.max(), MIN_RATE))[0]
    low = [one + int(rate[one:other].argmin()) for one, other in itertools.pairwise(peaks)]
    flatness = [rate[k] / min(rate[one], rate[other]) for k, one, other in zip(low, peaks, peaks[1:], strict=False)]
    drops, plateaus = ([int(np.abs(steps - grid[k]).argmin()) for k in found] for found in (peaks, low))
    return drops, plateaus, [float(value) for value in flatness]

"""Where a quantity rests along training, and where it changes (paper: "Superposition and Learning Dynamics")."""

import itertools

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.signal import find_peaks

GRID = 200  # points, evenly spaced in the logarithm of the step, at which the rate of descent is taken
SMOOTH = 7  # points of that grid over which it is averaged
STILL = 1e-6  # a rate that is none
PROMINENCE = 0.1  # of a drop, over the rate of the steepest one


def change(values: Float[np.ndarray, "snapshot k"], window: int) -> Float[np.ndarray, "snapshot k"]:
    """How much each of k series changes from ``window`` snapshots before to as many after; at the ends, fewer."""
    at, last = np.arange(len(values)), len(values) - 1
    return values[np.minimum(at + window, last)] - values[np.maximum(at - window, 0)]


def settled(values: Float[np.ndarray, "snapshot k"], window: int, least: float, share: float = 0.1) -> int:
    """The first snapshot from which on never more than a share of the series change by ``least`` at a time."""
    busy = (np.abs(change(values, window)) >= least).mean(1) > share
    return int(np.flatnonzero(busy)[-1]) + 1 if busy.any() else 0


def jumps(values: Float[np.ndarray, "snapshot k"], window: int, least: float) -> pd.DataFrame:
    """Where a series changes by ``least`` or more within ``window`` snapshots before and after.

    One row per stretch of such snapshots: ``series``, ``snapshot`` of the greatest change, the values ``before`` and
    ``after`` the stretch, and its ``duration``: how many snapshots it takes from a tenth to nine tenths of the way.
    """
    rows, moving = [], change(values, window)
    for series in range(values.shape[1]):
        fast = np.concatenate([[0], (np.abs(moving[:, series]) >= least).astype(int), [0]])
        for start, stop in np.flatnonzero(np.diff(fast)).reshape(-1, 2):
            at = start + int(np.abs(moving[start:stop, series]).argmax())
            first, last = max(start - window, 0), min(stop - 1 + window, len(values) - 1)
            before, after = values[[first, last], series]
            way = (values[first : last + 1, series] - before) / (after - before) if after != before else np.zeros(1)
            duration = int(((way > 0.1) & (way < 0.9)).sum())
            rows.append((series, at, before, after, duration))
    return pd.DataFrame(rows, columns=["series", "snapshot", "before", "after", "duration"])


def descent(
    steps: Int[np.ndarray, " snapshot"], loss: Float[np.ndarray, " snapshot"]
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """The rate -d log(loss) / d log(step), smoothed, and the steps at which it is taken."""
    grid = np.geomspace(steps[0], steps[-1], GRID)
    rate = -np.gradient(np.interp(np.log(grid), np.log(steps), np.log(loss)), np.log(grid))
    padded = np.pad(rate, SMOOTH // 2, mode="edge")
    return grid, np.convolve(padded, np.ones(SMOOTH) / SMOOTH, "valid")


def drops(
    steps: Int[np.ndarray, " snapshot"], loss: Float[np.ndarray, " snapshot"]
) -> tuple[list[int], list[int], list[float]]:
    """The regimes of a loss curve: snapshots of its drops, of the plateaus between them, and how flat these are.

    Drops are the peaks of the rate of descent that stand out by a tenth of the highest one; the plateau between two of
    them is where the rate is lowest, and its flatness is that rate over the rate of the slower of the two drops.
    """
    grid, rate = descent(steps, loss)
    peaks = find_peaks(rate, height=STILL, prominence=max(PROMINENCE * rate.max(), STILL))[0]
    low = [one + int(rate[one:other].argmin()) for one, other in itertools.pairwise(peaks)]
    flat = [rate[k] / min(rate[one], rate[other]) for k, one, other in zip(low, peaks, peaks[1:], strict=False)]
    near = [[int(np.abs(steps - grid[k]).argmin()) for k in found] for found in (peaks, low)]
    return near[0], near[1], [float(value) for value in flat]

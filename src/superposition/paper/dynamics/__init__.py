"""Superposition and learning dynamics: jumps of D_i, and learning as a sequence of geometric regimes.

Both are observed along training, in snapshots of the weights.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

# D_i of a feature that is absent, in a digon, or in a dedicated dimension.
DIMENSIONALITY_LEVELS = (0.0, 0.5, 1.0)
# A D_i within this distance of a level counts as being at the level.
LEVEL_TOLERANCE = 0.05
# Fraction of training, before and after a snapshot, over which the change of D_i is measured to find jumps.
JUMP_WINDOW = 0.02
SHUFFLES = 10_000

# The experiments that differ in how the weights are initialised; others differ from the first in density.
SMALL_INIT, XAVIER_INIT = "geometric_learning", "geometric_learning_xavier"


class Coincidence(NamedTuple):
    """The share of the loss's fall that happens around the jumps, and its distributions under two null models.

    Attributes:
        share: Share of the fall within a window of a jump.
        at_random: The same with the moments of every model's jumps drawn at random.
        of_others: The same with the moments of the jumps shuffled among the models.
    """

    share: float
    at_random: Float[np.ndarray, " shuffle"]
    of_others: Float[np.ndarray, " shuffle"]

    def p_value(self, null: Float[np.ndarray, " shuffle"]) -> float:
        """Return the probability of a share at least as large as the observed one under a null model."""
        return float((1 + (null >= self.share).sum()) / (1 + len(null)))


def jump_window(snapshots: int) -> int:
    """Return the number of snapshots, before and after one of so many, over which a change is measured."""
    return max(1, round(JUMP_WINDOW * snapshots))


def loss_fall_at_jumps(data: dict[str, pd.DataFrame]) -> Coincidence:
    """Measure how much of the fall of the loss coincides with jumps of D_i.

    The fall is taken once a model has settled and summed over the models that end as digons and in which features jump.
    A snapshot within the windows of several jumps counts once.

    Args:
        data: The tables of the figure ``energy_levels``.

    Returns:
        The share within a window of a jump, and its null distributions; NaN if no model qualifies or no loss falls.
    """
    rng, window = np.random.default_rng(0), jump_window(len(data["losses"]))
    models = data["models"].query("digons and jumps > 0")
    loss = data["losses"][[f"l{restart}" for restart in models["restart"]]].to_numpy().T
    fall = -np.diff(loss)  # [model, moment]
    fall[np.arange(fall.shape[1]) < models["settled"].to_numpy()[:, None]] = 0
    moments = [data["jumps"].query(f"restart == {restart}")["snapshot"].unique() for restart in models["restart"]]
    total = fall.sum()
    if not total > 0:
        nothing = np.full(SHUFFLES, np.nan)
        return Coincidence(np.nan, nothing, nothing)
    at_random = np.zeros(SHUFFLES)
    for model, at, start in zip(fall, moments, models["settled"], strict=True):
        at_random += fall_within(model, rng.integers(start, len(model), (SHUFFLES, len(at))), window)
    # The fall of every model (rows) at the moments of every model (columns).
    crossed = np.array([[fall_within(model, at[None], window)[0] for at in moments] for model in fall])
    orders = rng.permuted(np.tile(np.arange(len(models)), (SHUFFLES, 1)), axis=1)
    of_others = crossed[np.arange(len(models)), orders].sum(1)
    return Coincidence(float(crossed.trace() / total), at_random / total, of_others / total)


def fall_within(fall: Float[np.ndarray, " k"], moments: np.ndarray, window: int) -> Float[np.ndarray, " draw"]:
    """Return the sum of ``fall`` within a window of the moments, for each draw of moments [draw, moment]."""
    # The change of the number of open windows at each snapshot: its cumulative sum says where any is open.
    ends = np.zeros((len(moments), len(fall) + 1), dtype=int)
    draw = np.arange(len(moments))[:, None]
    np.add.at(ends, (draw, np.maximum(moments - window, 0)), 1)
    np.add.at(ends, (draw, np.minimum(moments + window + 1, len(fall))), -1)
    return (fall * (ends.cumsum(1)[:, :-1] > 0)).sum(1)


def swaps_at_jumps(data: dict[str, pd.DataFrame]) -> tuple[int, Int[np.ndarray, " shuffle"]]:
    """Count the jumps at which the D_i of another feature jumps the other way, within the window.

    Args:
        data: The tables of the figure ``energy_levels``.

    Returns:
        The count over all models, and its distribution if the moments of every model's jumps are drawn at random from
        the time for which the model is settled.
    """
    rng, window = np.random.default_rng(0), jump_window(len(data["losses"]))
    observed, at_random = 0, np.zeros(SHUFFLES, dtype=int)
    for model in data["models"].query("jumps > 1").itertuples():
        jumps = data["jumps"].query(f"restart == {model.restart}")
        opposite = np.sign(jumps["after"] - jumps["before"]).to_numpy()
        opposite = opposite[:, None] * opposite < 0
        moments = rng.integers(model.settled, len(data["losses"]), (SHUFFLES, len(jumps)))
        observed += _swaps(jumps["snapshot"].to_numpy()[None], opposite, window)[0]
        at_random += _swaps(moments, opposite, window)
    return int(observed), at_random


def _swaps(moments: np.ndarray, opposite: np.ndarray, window: int) -> np.ndarray:
    """Count the jumps with an opposite one within the window, for each draw of moments [draw, jump]."""
    near = np.abs(moments[:, :, None] - moments[:, None, :]) <= window
    return (near & opposite).any(-1).sum(-1)

"""Learning dynamics: features jump between levels of D_i, and what is learned in steps has a geometry at each.

Both are seen along training, in snapshots of the weights.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

LEVELS = (0.0, 0.5, 1.0)  # D_i of a feature that is absent, in a digon, alone in a dimension
NEAR = 0.05  # a D_i within so much of a level counts as being there
WINDOW = 0.02  # of training: a jump is a change within so much before and after
SHUFFLES = 10_000

SMALL, XAVIER = "geometric_learning", "geometric_learning_xavier"


class Coincidence(NamedTuple):
    """How much of the loss's fall happens around the jumps, and how much would at other times."""

    share: float
    at_random: Float[np.ndarray, " shuffle"]  # every model's moments of jumping put at random
    of_others: Float[np.ndarray, " shuffle"]  # the moments of another model, the models being shuffled

    def p(self, null: Float[np.ndarray, " shuffle"]) -> float:
        """How likely a share as large as this is under a null."""
        return float((1 + (null >= self.share).sum()) / (1 + len(null)))


def fall_at_jumps(data: dict[str, pd.DataFrame], seed: int = 0) -> Coincidence:
    """Of the fall of the loss after settling, summed over the models that end as digons and in which features jump, the
    share within a window of a jump, each snapshot counted once. NaN if there is none."""
    rng, window = np.random.default_rng(seed), max(1, round(WINDOW * len(data["losses"])))
    models = data["models"].query("digons and jumps > 0")
    loss = data["losses"][[f"l{restart}" for restart in models["restart"]]].to_numpy().T
    fall = -np.diff(loss)
    fall[np.arange(fall.shape[1]) < models["settled"].to_numpy()[:, None]] = 0  # [model, moment]
    moments = [data["jumps"].query(f"restart == {restart}")["snapshot"].unique() for restart in models["restart"]]
    total = fall.sum()
    if not total > 0:
        return Coincidence(float("nan"), np.full(SHUFFLES, np.nan), np.full(SHUFFLES, np.nan))
    at_random = np.zeros(SHUFFLES)
    for model, at, start in zip(fall, moments, models["settled"], strict=True):
        at_random += _within(model, rng.integers(start, len(model), (SHUFFLES, len(at))), window)
    # Of every model's fall, at every model's moments.
    crossed = np.array([[_within(model, at[None], window)[0] for at in moments] for model in fall])
    orders = rng.permuted(np.tile(np.arange(len(models)), (SHUFFLES, 1)), axis=1)
    of_others = crossed[np.arange(len(models)), orders].sum(1)
    return Coincidence(float(crossed.trace() / total), at_random / total, of_others / total)


def _within(fall: Float[np.ndarray, " k"], moments: np.ndarray, window: int) -> Float[np.ndarray, " draw"]:
    """The sum of ``fall`` within a window of the moments, for each draw of moments [draw, moment]."""
    ends = np.zeros((len(moments), len(fall) + 1), dtype=int)  # of the windows: where one more begins, one less is left
    draw = np.arange(len(moments))[:, None]
    np.add.at(ends, (draw, np.maximum(moments - window, 0)), 1)
    np.add.at(ends, (draw, np.minimum(moments + window + 1, len(fall))), -1)
    return (fall * (ends.cumsum(1)[:, :-1] > 0)).sum(1)

"""Correlated features: how they are laid out, the local bases that they form, and the collapse of dense pairs."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from superposition.theory import polytopes


def nearest(densities: Iterable[float], density: float) -> float:
    """Of the densities of a sweep, which may have been changed, the one nearest to a density that is shown."""
    return min(densities, key=lambda p: abs(np.log(p / density)))


class Row(NamedTuple):
    """One row of the figure: which models it shows, and the arrangement that the paper states for them."""

    name: str  # of the arrangement
    experiment: str
    distribution: str
    title: str
    density: float  # at which models are shown
    corners: Float64[np.ndarray, "2 n"]  # the stated arrangement, in the order of the features
    chance: float  # the share of all pairings of its corners that are as stated


SQUARE, HEXAGON = polytopes.polygon(4), polytopes.polygon(6)
OPPOSITE = SQUARE[:, [0, 2, 1, 3]]
# The densities at which models are shown; the figure has the others. Correlated pairs lie at right angles as long as no
# pair collapses. What anticorrelated pairs gain by being opposite is of second order in the density, so they want dense
# ones. Three correlated pairs want sparse ones, far from where the first one collapses.
ROWS = (
    Row("orthogonal", "organization_4", "correlated 0+1 2+3", "2 correlated pairs", 0.1, SQUARE, 2 / 3),
    Row("antipodal", "organization_4", "anticorrelated 0+1 2+3", "2 anticorrelated pairs", 0.68, OPPOSITE, 1 / 3),
    Row("side by side", "organization_6", "correlated 0+1 2+3 4+5", "3 correlated pairs", 0.01, HEXAGON, 2 / 15),
)
SHOWN = 6  # models of each row, evenly spaced from the lowest loss to the highest
COLLAPSED = 0.25  # of ‖W_a - W_b‖², below which the model does not tell the members of a pair apart
# Where the paper has the regimes' boundaries: from so many collapsed pairs to one more.
PAPER = {0: (0.05, 0.05), 1: (0.15, 0.15), 2: (0.2, 0.25)}
PAPER_PCA = 0.5  # from where on it is like principal components
BASES = {"correlated": "two correlated sets", "independent": "independent features"}
SHOWN_BASES = 0.05  # the density at which WᵀW is shown: what interference there is within a set can just be seen


def collapsed_pairs(W: Float[np.ndarray, "2 n"]) -> int:
    """How many pairs of neighbours in number are represented by one direction, (a + b)/√2, alone."""
    return int((((W[:, ::2] - W[:, 1::2]) ** 2).sum(0) < COLLAPSED).sum())


def pca_onset(data: dict[str, pd.DataFrame], within: float = 0.05) -> float:
    """The density from which on the best linear model's loss is within 5 % of the best branch's; NaN if nowhere.

    Always on (1-S = 1), the members of a pair are independent, and every model is as good as linear.
    """
    least = data["branches"].groupby("density")["loss"].min()
    excess = data["pca"].set_index("density")["loss"].reindex(least.index) / least - 1
    like = excess <= within
    if not like.iloc[-1] or like.all():
        return float("nan")
    last = int(np.flatnonzero(~like)[-1])
    ends = np.log(excess.index.to_numpy()[last : last + 2])
    return float(np.exp(np.interp(-within, -excess.to_numpy()[last : last + 2], ends)))

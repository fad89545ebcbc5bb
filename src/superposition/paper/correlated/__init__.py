"""Correlated and anticorrelated features: their arrangement, local bases, and the collapse of dense pairs.

Paper: "Correlated and Anticorrelated Features".
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from superposition.theory import polytopes


def nearest_density(densities: Iterable[float], density: float) -> float:
    """Return the density of a sweep that is nearest, in the logarithm, to the given one.

    Figures name the densities that they show; a sweep may have been changed so that it no longer contains them.
    """
    return min(densities, key=lambda p: abs(np.log(p / density)))


class Arrangement(NamedTuple):
    """An arrangement of features that the paper describes; one row of the figure.

    Attributes:
        name: The name of the arrangement in tables and claims.
        experiment: The experiment whose models are shown.
        distribution: The feature distribution that leads to the arrangement.
        title: The title of the row.
        density: The density at which models are shown.
        corners: Directions of the features, in the order of their numbers.
        chance: Fraction of all assignments of the features to these corners that form the arrangement.
    """

    name: str
    experiment: str
    distribution: str
    title: str
    density: float
    corners: Float64[np.ndarray, "2 n"]
    chance: float


SQUARE, HEXAGON = polytopes.polygon(4), polytopes.polygon(6)
# The square with its corners reordered so that neighbours in number are antipodal.
ANTIPODAL_SQUARE = SQUARE[:, [0, 2, 1, 3]]
# The densities are those at which models are shown; the shares are drawn at all densities. Correlated pairs are
# orthogonal as long as no pair collapses. The benefit of being antipodal is of second order in the density, so
# anticorrelated pairs are shown at a high one. Three correlated pairs are shown far below the first collapse.
ARRANGEMENTS = (
    Arrangement("orthogonal", "organization_4", "correlated 0+1 2+3", "2 correlated pairs", 0.1, SQUARE, 2 / 3),
    Arrangement(
        "antipodal", "organization_4", "anticorrelated 0+1 2+3", "2 anticorrelated pairs", 0.68, ANTIPODAL_SQUARE, 1 / 3
    ),
    Arrangement(
        "side by side", "organization_6", "correlated 0+1 2+3 4+5", "3 correlated pairs", 0.01, HEXAGON, 2 / 15
    ),
)
# Models shown of each arrangement, evenly spaced from the lowest loss to the highest.
MODELS_PER_ROW = 6
# Below this value of ‖W_a - W_b‖², a model does not distinguish the members of a pair: the pair has collapsed.
COLLAPSE_THRESHOLD = 0.25
# The densities, or ranges of densities, at which the paper has one more collapsed pair; by their number before.
PAPER_CROSSINGS = {0: (0.05, 0.05), 1: (0.15, 0.15), 2: (0.2, 0.25)}
# The density from which on, according to the paper, the model resembles principal component analysis.
PAPER_PCA_ONSET = 0.5
DISTRIBUTION_LABELS = {"correlated": "two correlated sets", "independent": "independent features"}
# The density at which WᵀW is shown for the local bases: the interference within a set is just visible.
LOCAL_BASES_DENSITY = 0.05


def count_collapsed_pairs(W: Float[np.ndarray, "2 n"]) -> int:
    """Count the pairs of features (0, 1), (2, 3), … that are represented by a single direction, (a + b)/√2."""
    return int((((W[:, ::2] - W[:, 1::2]) ** 2).sum(0) < COLLAPSE_THRESHOLD).sum())


def pca_onset(data: dict[str, pd.DataFrame], within: float = 0.05) -> float:
    """Return the density from which on the best linear model is nearly as good as the best branch.

    The density 1 does not count: the members of a pair are independent there, and every model is as good as linear.

    Args:
        data: The tables of the figure ``collapse``.
        within: Relative excess of the linear model's loss that counts as nearly as good.

    Returns:
        The density, interpolated in the logarithm; NaN if there is none.
    """
    least = data["branches"].groupby("density")["loss"].min()
    excess = data["pca"].set_index("density")["loss"].reindex(least.index) / least - 1
    like = excess <= within
    if not like.iloc[-1] or like.all():
        return float("nan")
    last = int(np.flatnonzero(~like)[-1])
    ends = np.log(excess.index.to_numpy()[last : last + 2])
    return float(np.exp(np.interp(-within, -excess.to_numpy()[last : last + 2], ends)))

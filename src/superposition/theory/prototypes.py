"""The paper's fixed configurations: a feature is dropped, has a dedicated dimension, or is in an antipodal pair."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from superposition.core import geometry
from superposition.theory import exact, simplices


class Configurations(NamedTuple):
    """Weights whose columns have unit norm, and the features that are dropped; only these have a bias, their mean."""

    W: Float64[Tensor, "configuration m n"]
    dropped: Bool[Tensor, "configuration n"]


def configurations(n: int, m: int) -> Configurations:
    """Return every fixed configuration of n features in m dimensions.

    The paper leaves out those in which three or more features form a simplex.
    """
    arrangements = [groups for groups in simplices.arrangements(n, m) if max(map(len, groups)) <= 2]
    W = torch.stack([simplices.arrange_simplices(groups, n, m) for groups in arrangements])
    return Configurations(W, geometry.norms(W) == 0)


def losses(
    fixed: Configurations, density: Float64[Tensor, " point"], importance: Float64[Tensor, "point n"]
) -> Float64[Tensor, "configuration point"]:
    """Return the expected losses of fixed configurations, where active features are uniform on [0, 1].

    A dropped feature costs its importance times its variance, and a member of an antipodal pair its importance times
    p² / 6.
    """
    paired = geometry.superposition(fixed.W) > 0.5
    dropped, paired = ((importance @ which.double().T).T for which in (fixed.dropped, paired))
    return dropped * exact.feature_variance(density) + paired * density**2 / 6

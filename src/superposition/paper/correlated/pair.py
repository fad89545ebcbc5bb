"""One pair of features in one dimension, solved exactly, from independent to always active together.

Paper: "Collapsing of Correlated Features".
"""

import functools
import itertools

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import bfgs, exact

MODEL = Model("relu_output", 2, 1)
# Correlations c of the pair and densities p: if one feature is active, so is the other with probability c + (1-c) p.
CORRELATIONS = tuple(k / 10 for k in range(11))
DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Starts of the searches: the sum of both features, one of them, a weak and a strong antipode; without and with a bias.
START_WEIGHTS, START_BIASES = ((0.7, 0.7), (1.0, 0.0), (1.0, -0.3), (1.0, -1.0)), ((0.0, 0.0), (0.0, 0.2))


def pair_loss(x: Float64[Tensor, "k 4"], p: Float64[Tensor, " k"], c: Float64[Tensor, " k"]) -> Float64[Tensor, " k"]:
    """Return the exact expected losses of models (W_a, W_b, b_a, b_b) of a pair of density p and correlation c."""
    parameters, ones = MODEL.unpack(x), torch.ones_like(x[:, :2])
    both = p * (c + (1 - c) * p)
    zero = exact.all_zero_loss(MODEL, parameters, ones)
    single = exact.single_active_loss(parameters["W"], parameters["b"], ones).sum(-1)
    return (1 - 2 * p + both) * zero + (p - both) * single + both * exact.expected_loss(MODEL, parameters, ones, ones)


@functools.cache
def pair_optima() -> pd.DataFrame:
    """Return the best models of a pair in one dimension.

    Returns:
        One row per correlation and density, with the loss and ``difference``, the share of (a - b)/√2 in the squared
        weights: 0 if the model represents (a + b)/√2, 1/2 if it represents one feature, 1 if both as antipodes.
    """
    points = torch.tensor([*itertools.product(CORRELATIONS, DENSITIES)], dtype=torch.float64)
    starts = torch.tensor([(*W, *b) for W in START_WEIGHTS for b in START_BIASES], dtype=torch.float64)
    c, p = points.T

    def losses(x: Tensor, models: Tensor) -> Tensor:
        return pair_loss(x, p[models], c[models]) / p[models]

    best, loss = bfgs.minimise_from_all(losses, starts.expand(len(points), -1, -1))
    W = best[:, :2]
    difference = (W[:, 0] - W[:, 1]).square() / (2 * W.square().sum(1))
    return pd.DataFrame({"correlation": c, "density": p, "loss": loss * p, "difference": difference})

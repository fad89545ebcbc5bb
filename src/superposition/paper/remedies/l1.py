"""An L1 penalty on one hidden dimension, solved exactly (paper: "The strategic picture of superposition").

A dimension may hold no feature, one, or two as an antipodal pair, W = [w] or [w, -w], with the best bias. If all weight
lies on the axes, dimensions do not interfere, and the objective is a sum over them: the loss of the features that a
dimension holds, plus the coefficient times E|h|. The best model of this kind is therefore known for any coefficient.
"""

import numpy as np
import torch

from superposition.core.models import Model
from superposition.theory import exact

WEIGHTS = np.linspace(0, 1.2, 241)
# The best bias is found by searching grids of this many values, each round on a finer one.
BIASES_PER_ROUND, SEARCH_ROUNDS = 21, 4


def _losses_by_weight(count: int, density: float) -> np.ndarray:
    """Return the expected loss of ``count`` features (1 or 2) of importance 1 at each of WEIGHTS with the best bias."""
    model = Model("relu_output", count, 1)
    W = torch.from_numpy(WEIGHTS)[:, None, None, None] * torch.tensor([1.0, -1.0], dtype=torch.float64)[:count]
    W = W.expand(-1, BIASES_PER_ROUND, 1, count)
    alike = torch.ones(len(WEIGHTS), BIASES_PER_ROUND, count, dtype=torch.float64)
    centre, reach = torch.zeros(len(WEIGHTS), 1, dtype=torch.float64), 0.6
    for _ in range(SEARCH_ROUNDS):
        # In descending order: below some b the output is always 0 and the loss is flat. Of equal losses the search then
        # picks the largest b, the edge of the flat part, next to which the minimum may lie.
        b = centre - reach * torch.linspace(-1, 1, BIASES_PER_ROUND, dtype=torch.float64)
        loss = exact.expected_loss(model, {"W": W, "b": b[:, :, None] * alike}, density * alike, alike)
        centre, reach = b.gather(1, loss.argmin(1, keepdim=True)), 2 * reach / (BIASES_PER_ROUND - 1)
    return loss.min(1).values.numpy()


def _mean_activation(count: int, density: float) -> float:
    """Return E|h| for w = 1: the mean of x, or the mean absolute difference of two features."""
    return density / 2 if count == 1 else density * (1 - density) + density**2 / 3


def gain_over_unused(count: int, density: float, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much using a dimension lowers the objective, and the best weight, for each coefficient.

    Exact within 1e-5 of the density.

    Args:
        count: Number of features that the dimension holds, 1 or 2; independent, of importance 1.
        density: Density of the features.
        coefficients: Coefficients of the L1 penalty.
    """
    total = _losses_by_weight(count, density) + coefficients[:, None] * _mean_activation(count, density) * WEIGHTS
    return total[:, 0] - total.min(1), WEIGHTS[total.argmin(1)]


def threshold_coefficient(density: float) -> float:
    """Return the coefficient of the penalty above which it is best not to use a dimension for one feature."""
    loss = _losses_by_weight(1, density)
    return float(((loss[0] - loss[1:]) / (_mean_activation(1, density) * WEIGHTS[1:])).max())

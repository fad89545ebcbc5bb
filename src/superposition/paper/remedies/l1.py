"""An L1 penalty on one hidden dimension, exactly (paper: "The strategic picture of superposition").

A dimension may hold no feature, one, or two as an antipodal pair, W = [w] or [w, -w], with the best bias. With all
weight on the axes, dimensions do not interfere, and what is minimised is a sum over them: the loss of the features
that a dimension holds, plus the coefficient times E|h|. So the best model of this kind is known for any coefficient.
"""

import numpy as np
import torch

from superposition.core.models import Model
from superposition.theory import exact

WEIGHTS = np.linspace(0, 1.2, 241)
BIASES, ROUNDS = 21, 4  # of a search that closes in on the best bias


def _losses(count: int, density: float) -> np.ndarray:
    """The expected loss of ``count`` features of importance 1 (1 or 2) at each of WEIGHTS, with the best bias."""
    model = Model("relu_output", count, 1)
    W = torch.from_numpy(WEIGHTS)[:, None, None, None] * torch.tensor([1.0, -1.0], dtype=torch.float64)[:count]
    W = W.expand(-1, BIASES, 1, count)
    alike = torch.ones(len(WEIGHTS), BIASES, count, dtype=torch.float64)
    centre, reach = torch.zeros(len(WEIGHTS), 1, dtype=torch.float64), 0.6
    for _ in range(ROUNDS):
        # From above: where the output is 0 for all b below some value, that is the end of the flat part to go on from.
        b = centre - reach * torch.linspace(-1, 1, BIASES, dtype=torch.float64)
        loss = exact.expected_loss(model, {"W": W, "b": b[:, :, None] * alike}, density * alike, alike)
        centre, reach = b.gather(1, loss.argmin(1, keepdim=True)), 2 * reach / (BIASES - 1)
    return loss.min(1).values.numpy()


def _activity(count: int, density: float) -> float:
    """E|h| for w = 1: of x, or of the difference of two."""
    return density / 2 if count == 1 else density * (1 - density) + density**2 / 3


def gains(count: int, density: float, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much it lowers what is minimised to hold ``count`` features in a dimension rather than none, and the best
    w; one for each coefficient. Features of importance 1 that are on independently. Within 1e-5 of the density."""
    total = _losses(count, density) + coefficients[:, None] * _activity(count, density) * WEIGHTS
    return total[:, 0] - total.min(1), WEIGHTS[total.argmin(1)]


def threshold(count: int, density: float) -> float:
    """The coefficient above which the dimension is better left empty."""
    loss = _losses(count, density)
    return float(((loss[0] - loss[1:]) / (_activity(count, density) * WEIGHTS[1:])).max())

"""Optimal models of two features in one dimension for other activation functions at the output.

The expected loss has no closed form for most functions, so it is integrated with Gauss–Legendre rules over the values
of one and of both active features.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import functional

from superposition.theory import bfgs

COMPARED_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": torch.relu,
    "leaky ReLU, slope 0.1": lambda x: functional.leaky_relu(x, 0.1),
    "GELU": functional.gelu,
    "tanh": torch.tanh,
}
# Points of the grid along each axis, and nodes for the value of one active feature.
POINTS, NODES = 13, 12
# Starts of the searches: each feature alone, both opposite, both alike.
ACTIVATION_STARTS = ((1.0, 0.0), (0.0, 1.0), (1.0, -1.0), (0.7, 0.7), (1.0, -0.4), (0.4, -1.0))

PerModel = Float64[Tensor, " k"]


def _inputs() -> tuple[Float64[Tensor, "sample 2"], Float64[Tensor, " sample"]]:
    """Return the inputs of the quadrature, and their weights among those with the same active features."""
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(NODES))
    x, weight, zero = (nodes + 1) / 2, weights / 2, torch.zeros(NODES, dtype=torch.float64)
    parts = [
        (torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)),
        (torch.stack([x, zero], 1), weight),
        (torch.stack([zero, x], 1), weight),
        (torch.cartesian_prod(x, x), torch.outer(weight, weight).flatten()),
    ]
    return torch.cat([part for part, _ in parts]), torch.cat([part for _, part in parts])


def expected_loss(
    activation: Callable[[Tensor], Tensor], model: Float64[Tensor, "k 4"], p: PerModel, r: PerModel
) -> PerModel:
    """Return the expected losses of models (W_1, W_2, b_1, b_2), by quadrature."""
    x, weight = _inputs()
    count = (x > 0).sum(1)
    W, b = model[:, None, :2], model[:, None, 2:]
    errors = (x - activation(W * (x @ model[:, :2].T).T[..., None] + b)) ** 2
    probability = weight * p[:, None] ** count * (1 - p[:, None]) ** (2 - count)
    return (probability * (errors[..., 0] + r[:, None] * errors[..., 1])).sum(1)


def best_models(activation: Callable[[Tensor], Tensor]) -> pd.DataFrame:
    """Return the best model at every point of a grid of relative importance and density, and its loss."""
    axes = (10 ** torch.linspace(low, high, POINTS, dtype=torch.float64) for low, high in ((-1, 1), (-2, 0)))
    r, p = torch.cartesian_prod(*axes).T
    W = torch.tensor(ACTIVATION_STARTS, dtype=torch.float64).expand(len(p), -1, -1)
    starts = torch.cat([W, torch.where(W == 0, p[:, None, None] / 2, 0.0)], dim=-1)

    def objective(model: Tensor, which: Tensor) -> Tensor:
        return expected_loss(activation, model, p[which], r[which]) / (p * (1 + r))[which]

    best, _ = bfgs.minimise_from_all(objective, starts, tolerance=1e-6, max_evaluations=80)
    models = dict(zip(("w0", "w1", "b0", "b1"), best.T, strict=True))
    return pd.DataFrame(
        {"density": p, "relative_importance": r} | models | {"loss": expected_loss(activation, best, p, r)}
    )

"""What a pair of features costs that is not orthogonal, and what a triangle reads from several active features."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import bfgs, exact, tegum
from superposition.theory.catalogue import TRIANGLE

PAIR = {output: Model(model, 2, 2) for output, model in (("ReLU", "relu_output"), ("linear", "linear"))}
PAIR_DENSITIES = tuple(np.geomspace(0.001, 1, 25))
# |cos| of the angle between the two features.
COSINES = tuple(np.geomspace(1 / 64, 1, 25))
# Density at which the best triangle is read, and the inputs: one active feature, and two.
TRIANGLE_DENSITY = 0.05
INPUTS = {"one active": (1.0, 0.0, 0.0), "two active": (0.9, 0.9, 0.0)}


def pair_costs() -> pd.DataFrame:
    """Return the loss of two features of unit length, which is 0 if they are orthogonal.

    Returns:
        One row per ``output``, ``density`` and ``cosine``: the ``cost`` without biases, and with the ``best_bias``. The
        latter is NaN for the linear output.
    """
    signed = np.concatenate([-np.array(COSINES[::-1]), COSINES])
    grid = pd.MultiIndex.from_product([PAIR_DENSITIES, signed], names=["density", "cosine"]).to_frame(index=False)
    density = torch.tensor(grid["density"].to_numpy())[:, None].expand(-1, 2)
    cosine, ones = torch.tensor(grid["cosine"].to_numpy()), torch.ones_like(density)
    W = torch.stack([ones, torch.stack([cosine, (1 - cosine**2).clamp(min=0).sqrt()], -1)], -1)
    W[:, 1, 0] = 0

    def losses(bias: Tensor, at: Tensor) -> Tensor:
        p = {"W": W[at], "b": bias.expand(-1, 2)}
        return exact.expected_loss(PAIR["ReLU"], p, density[at], ones[at]) / density[at].sum(-1)

    zero = torch.zeros(len(grid), 1, dtype=torch.float64)
    relu = losses(zero, torch.arange(len(grid))) * density.sum(-1)
    _, best, _ = bfgs.minimise(losses, zero - 0.01, tolerance=1e-8)
    linear = exact.linear_loss(W, torch.zeros_like(density), density, ones)
    table = grid.assign(output="ReLU", cost=relu.numpy(), best_bias=(best * density.sum(-1)).numpy())
    return pd.concat([table, grid.assign(output="linear", cost=linear.numpy(), best_bias=np.nan)], ignore_index=True)


def triangle_outputs() -> pd.DataFrame:
    """Return what each of three features at 120° reads.

    Returns:
        One row per ``case`` of active features and ``feature``: its ``input``, and the outputs of unit vectors with a
        ``linear`` output and a ``relu`` one, and of the ``best`` triangle, with its own length and bias.
    """
    (best,) = tegum.factor_optimum(TRIANGLE, [TRIANGLE_DENSITY]).itertuples()
    return pd.concat([_read(case, np.array(x), best.norm, best.bias) for case, x in INPUTS.items()], ignore_index=True)


def _read(case: str, x: Float64[np.ndarray, "3"], norm: float, bias: float) -> pd.DataFrame:
    """Return the outputs for one input."""
    linear = TRIANGLE.corners.T @ TRIANGLE.corners @ x
    columns = {"linear": linear, "relu": linear.clip(min=0), "best": (norm**2 * linear + bias).clip(min=0)}
    return pd.DataFrame({"case": case, "feature": range(3), "input": x} | columns)

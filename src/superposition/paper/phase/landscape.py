"""The loss over (W_1, W_2) without a bias, as in the published comment by T. McGrath: its minima and their basins."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.paper.phase import two_in_one

# Starts of the searches for the global minimum: W_1 and W_2 of equal signs, a weak W_2, and opposite signs.
STARTS = ((0.8, 0.6), (1.0, 0.1), (1.0, -0.3), (1.0, -0.8))
# Models whose exact loss is compared with samples, and samples for each of them.
MODELS, SAMPLES = 24, 200_000
# Gradient descent for the basins: starts per density, learning rate relative to the density, steps.
DRAWN, RATE, STEPS = 64, 0.2, 400


def sampled_losses() -> pd.DataFrame:
    """Return the exact losses of random models without a bias beside losses on samples, with their standard errors."""
    random = torch.Generator().manual_seed(0)
    uniform = torch.rand(MODELS, 4, generator=random, dtype=torch.float64)
    W, p, r = 2 * two_in_one.EXTENT * uniform[:, :2] - two_in_one.EXTENT, uniform[:, 2], 10 ** (2 * uniform[:, 3] - 1)
    x = torch.rand(2, SAMPLES, 2, generator=random, dtype=torch.float64)
    rows = []
    for w, density, ratio, exact in zip(W, p, r, two_in_one.loss(W, p, r), strict=True):
        values = x[0] * (x[1] < density)
        errors = (values - torch.relu((values @ w)[:, None] * w)) ** 2 @ torch.stack([torch.ones_like(ratio), ratio])
        rows.append((density, ratio, *w, exact, errors.mean(), errors.std() / SAMPLES**0.5))
    columns = ["density", "relative_importance", "w0", "w1", "loss", "sampled", "error"]
    return pd.DataFrame([[float(value) for value in row] for row in rows], columns=columns)


def global_minima(ratios: Sequence[float], densities: Sequence[float]) -> pd.DataFrame:
    """Return the weights of the lowest minimum, with W_1 ≥ 0, by relative importance r ≤ 1 and density."""
    r, p = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in (ratios, densities))).T
    start = torch.tensor(STARTS, dtype=torch.float64).repeat(len(p), 1)
    x, losses = two_in_one.minimise_loss(start, *(axis.repeat_interleave(len(STARTS)) for axis in (p, r)))
    lowest = losses.view(-1, len(STARTS)).argmin(dim=1)
    W = x.view(-1, len(STARTS), 2)[torch.arange(len(p)), lowest]
    W = W * torch.where(W[:, :1] < 0, -1.0, 1.0)
    return pd.DataFrame({"density": p, "relative_importance": r, "w0": W[:, 0], "w1": W[:, 1]})


def basins(densities: Sequence[float]) -> pd.DataFrame:
    """Return the share of starts that gradient descent takes to W_1 W_2 > 0, for two equal features, by density.

    The starts are the points of a Sobol sequence on the square of the loss surface. ``minima`` is the number of
    distinct minima up to sign.
    """
    drawn = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(DRAWN, dtype=torch.float64)
    W = (2 * two_in_one.EXTENT * drawn - two_in_one.EXTENT).repeat(len(densities), 1)
    p = torch.tensor(densities, dtype=torch.float64).repeat_interleave(DRAWN)
    W = _descend(W, p)
    same = (W.prod(1) > 0).view(-1, DRAWN).double().mean(1)
    minima = two_in_one.distinct_minima([(density, 1.0) for density in densities], bias=False)
    return pd.DataFrame({"density": densities, "confused": same, "minima": [len(table) for table in minima]})


def _descend(W: Float64[Tensor, "k 2"], p: Float64[Tensor, " k"]) -> Float64[Tensor, "k 2"]:
    """Follow the gradient of the loss of two equal features."""
    for _ in range(STEPS):
        W = W.detach().requires_grad_()
        (gradient,) = torch.autograd.grad((two_in_one.loss(W, p, torch.ones_like(p)) / p).sum(), W)
        W = W - RATE * gradient
    return W.detach()

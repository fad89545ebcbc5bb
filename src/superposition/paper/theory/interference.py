"""Measure how features interfere: with which signs, what the bias leaves of it, and with how many others."""

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.analysis.recognition import components
from superposition.analysis.representation import is_represented
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.theory import exact

# Draws of random directions, and the share of them that have less positive interference than the value returned.
RANDOM_DIRECTIONS, QUANTILE = 2000, 0.01
# Samples on which the ReLU is compared with its argument.
FILTERED_SAMPLES = 2000


def pair_losses() -> pd.DataFrame:
    """Return the loss of two unit vectors without a bias on inputs with one active feature, by their cosine."""
    cosine = torch.linspace(-1, 1, 41, dtype=torch.float64)
    W = torch.stack(
        [torch.stack([torch.ones_like(cosine), cosine], -1), torch.stack([0 * cosine, (1 - cosine**2).sqrt()], -1)], 1
    )
    loss = exact.single_active_loss(W, torch.zeros(41, 2, dtype=torch.float64), torch.ones(41, 2, dtype=torch.float64))
    return pd.DataFrame({"cosine": cosine, "loss": loss.mean(-1)})


def relu_effects(models: SweepResult) -> pd.DataFrame:
    """Return the largest increase of a squared error by the ReLU, and the losses with and without it, by point."""
    best, importance = models.best(), torch.from_numpy(models.sweep.importances())
    random = torch.Generator().manual_seed(0)
    shape = (len(importance), FILTERED_SAMPLES, models.sweep.n)
    drawn, values = (torch.rand(shape, generator=random, dtype=torch.float64) for _ in range(2))
    x = values * (drawn < torch.from_numpy(models.sweep.densities())[:, None])
    argument = x @ (best["W"].mT @ best["W"]) + best["b"][:, None]
    errors = {"loss": (x - argument.relu()) ** 2, "loss_without": (x - argument) ** 2}
    increase = (errors["loss"] - errors["loss_without"]).amax((1, 2))
    losses = {name: (importance[:, None] * error).sum(-1).mean(-1).numpy() for name, error in errors.items()}
    return models.sweep.points().assign(increase=increase.numpy(), **losses)


def signs(models: SweepResult) -> pd.DataFrame:
    """Return the signs of the interference between represented features (‖W_i‖² > ½), by point.

    The columns are

    - ``represented``: the number r of represented features;
    - ``positive``: the share of Σ_{i≠j} (W_i·W_j)² with W_i·W_j > 0;
    - ``random``: the share that random directions remain below once in a hundred draws;
    - ``left``, ``unfiltered``: Σ_{i≠j} I_j ∫ ReLU(W_i·W_j x + b_j)² dx over the pairs with W_i·W_j > 0, and without b.
    """
    best, importance = models.best(), models.sweep.importances()
    rows = []
    for W, b, weight in zip(best["W"], best["b"], importance, strict=True):
        kept = is_represented(geometry.norms(W).square())
        gram = geometry.gram(W[:, kept]).fill_diagonal_(0.0)
        i, j = torch.nonzero(gram > 0, as_tuple=True)
        cost = torch.from_numpy(weight)[kept][j]
        rows.append(
            {
                "represented": int(kept.sum()),
                "positive": float(_positive_share(gram)),
                "random": _random_share(int(kept.sum()), models.sweep.m),
                "left": float((cost * _interference(gram[i, j], b[kept][j])).sum()),
                "unfiltered": float((cost * gram[i, j] ** 2 / 3).sum()),
            }
        )
    return pd.concat([models.sweep.points(), pd.DataFrame(rows).assign(m=models.sweep.m)], axis=1)


def _positive_share(gram: Float64[Tensor, "*batch n n"]) -> Float64[Tensor, "*batch"]:
    """Return the share of the off-diagonal squares that belongs to positive entries; the diagonal has to be 0."""
    return gram.relu().square().sum((-2, -1)) / gram.square().sum((-2, -1))


def _random_share(n: int, m: int) -> float:
    """Return the quantile of the positive share of the interference between n random directions in m dimensions."""
    directions = torch.randn(RANDOM_DIRECTIONS, m, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cosine = geometry.cosines(directions)
    cosine.diagonal(dim1=-2, dim2=-1).zero_()
    return float(_positive_share(cosine).quantile(QUANTILE))


def _interference(slope: Float64[Tensor, " k"], bias: Float64[Tensor, " k"]) -> Float64[Tensor, " k"]:
    """Return ∫₀¹ ReLU(slope·x + bias)² dx for positive slopes."""
    return ((slope + bias).relu() ** 3 - bias.relu() ** 3) / (3 * slope)


def graphs(models: SweepResult) -> pd.DataFrame:
    """Return the numbers of features with which represented features interfere, by point.

    The effective number of partners of feature i is (Σ_j c_ij²)² / Σ_j c_ij⁴ with c_ij = Ŵ_i·Ŵ_j: k if it interferes
    equally with k others. The columns are ``represented``; ``partners``, the median of this number; ``random``, its
    expectation for random directions, (r - 1)(m + 2) / 3m; and ``components``, the number of connected parts of the
    interference graph.
    """
    rows = []
    for W in models.best()["W"]:
        kept = W[:, is_represented(geometry.norms(W).square())]
        square = geometry.cosines(kept).fill_diagonal_(0.0) ** 2
        partners = square.sum(0) ** 2 / (square**2).sum(0)
        r, m = kept.shape[1], models.sweep.m
        rows.append((r, float(partners.median()), (r - 1) * (m + 2) / (3 * m), len(components(kept.numpy()))))
    columns = ["represented", "partners", "random", "components"]
    return pd.concat([models.sweep.points(), pd.DataFrame(rows, columns=columns)], axis=1)

"""Exact optima of five features in the plane: the best model of binary features, and the best of each arrangement."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.experiment.values import BINARY, UNIFORM
from superposition.core.models import Model
from superposition.theory import bfgs, exact, tegum
from superposition.theory.catalogue import DIGON, PENTAGON, SINGLE
from superposition.theory.polytopes import Polytope, polygon
from superposition.theory.simplices import arrange_simplices

FIVE = Model("relu_output", 5, 2)
# The factors of each arrangement; all other features are dropped.
PLANAR_PRODUCTS = {"two features": (SINGLE, SINGLE), "two digons": (DIGON, DIGON), "pentagon": (PENTAGON,)}
# Length and bias of the features of a factor at which searches start. A bias of 0 would be at the kink of the ReLU.
FACTOR_STARTS = ((1.0, 0.003), (1.0, 0.03), (1.0, 0.2), (1.3, -0.7))
# Number of random initialisations of the search for the best model, and the noise around the arrangements.
RANDOM_STARTS, DEVIATION = 9, 0.05


def arrangement_losses(densities: Sequence[float]) -> pd.DataFrame:
    """Return the lowest loss of each arrangement of five equally important features.

    Returns:
        One row per kind of ``values``, ``density`` and ``arrangement``, with the number of features ``represented``,
        the ``loss``, and the ``dropped`` loss of a model that represents no feature.
    """
    tables = []
    density = torch.tensor(densities, dtype=torch.float64)
    for values in (BINARY, UNIFORM):
        dropped = exact.feature_variance(density, values)
        losses = {
            polytope.name: _binary_loss(polytope, density)
            if values == BINARY
            else torch.tensor(tegum.factor_optimum(polytope, densities).set_index("density")["loss"][densities].values)
            for polytope in (SINGLE, DIGON, PENTAGON)
        }
        for name, factors in PLANAR_PRODUCTS.items():
            represented = sum(factor.features for factor in factors)
            loss = torch.stack([losses[factor.name] for factor in factors]).sum(0)
            columns = {"values": values.name, "density": densities, "arrangement": name, "represented": represented}
            columns |= {"loss": (loss + (5 - represented) * dropped).numpy(), "dropped": 5 * dropped.numpy()}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _binary_loss(polytope: Polytope, density: Float64[Tensor, " point"]) -> Float64[Tensor, " point"]:
    """Return the lowest loss of the features of a factor if values are binary."""
    model = Model("relu_output", polytope.features, polytope.dimensions)
    corners = torch.from_numpy(polytope.corners)
    densities = density.repeat_interleave(len(FACTOR_STARTS))[:, None].expand(-1, polytope.features)
    unit = densities.sum(-1)

    def losses(x: Tensor, problem: Tensor) -> Tensor:
        p = {"W": x[:, :1, None] * corners, "b": x[:, 1:].expand(-1, polytope.features)}
        here = densities[problem]
        return exact.enumerated_loss(model, p, here, torch.ones_like(here)) / unit[problem]

    start = torch.tensor(FACTOR_STARTS, dtype=torch.float64).repeat(len(density), 1)
    _, loss, _ = bfgs.minimise(losses, start)
    return (loss * unit).view(len(density), -1).amin(1)


def best_binary_models(
    density: Float64[Tensor, " point"], ratio: float, trained: Float64[Tensor, "start size"]
) -> tuple[Float64[Tensor, "point m n"], Float64[Tensor, "point n"], Float64[Tensor, " point"]]:
    """Search for the best models of five binary features in the plane.

    The searches start from trained models, from arrangements of two to five features, and at random. The loss is a sum
    over all 32 samples.

    Args:
        density: Density of all features at every point.
        ratio: Importance of the last three features; that of the first two is 1.
        trained: Weights and biases of trained models.

    Returns:
        Weights, biases and losses of the best models.
    """
    groups = (((0,), (1,)), ((0, 2), (1,)), ((0, 1, 2),), ((0, 2), (1, 3)), ((0, 1), (2, 3)))
    known = [arrange_simplices(members, 5, 2) for members in groups]
    known += [torch.from_numpy(polygon(5)[:, order]) for order in ([0, 1, 2, 3, 4], [0, 2, 1, 3, 4])]
    noise = torch.randn(len(known) + RANDOM_STARTS, 2, 5, generator=torch.Generator().manual_seed(0)).double()
    W = torch.cat([torch.stack(known) + DEVIATION * noise[: len(known)], noise[len(known) :]])
    absent = torch.stack([(w == 0).all(0) for w in known] + [torch.zeros(5, dtype=torch.bool)] * RANDOM_STARTS)
    b = torch.where(absent, density[:, None, None], 0.0)
    made = torch.cat([W.flatten(1).expand(len(density), -1, -1), b], dim=2)
    start = torch.cat([made, trained.expand(len(density), -1, -1)], dim=1)  # [point, start, size]
    point = torch.arange(len(density)).repeat_interleave(start.shape[1])
    importance = torch.tensor([1, 1, ratio, ratio, ratio], dtype=torch.float64)
    unit = density * importance.sum()

    def losses(x: Tensor, problem: Tensor) -> Tensor:
        at = point[problem]
        p, weights = density[at, None].expand(-1, 5), importance.expand(len(x), -1)
        return exact.enumerated_loss(FIVE, FIVE.unpack(x), p, weights) / unit[at]

    found, loss, _ = bfgs.minimise(losses, start.flatten(0, 1), tolerance=1e-7)
    loss = loss.view(start.shape[:2])
    best = loss.argmin(1) + start.shape[1] * torch.arange(len(density))
    p = FIVE.unpack(found[best])
    return p["W"], p["b"], loss.amin(1) * unit

"""The optimal loss of the paper's fixed configurations, which has kinks where two of their losses cross."""

import itertools

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.models import Model
from superposition.paper.phase import prototype_boundary
from superposition.theory import exact, prototypes

# Distance over which the derivatives on the two sides of a boundary are measured.
DIFFERENCE = 1e-5
# Density at which all three phases of two features meet.
MEETING = 4 / 7
# Relative importances and densities along which the derivatives are drawn.
FIXED_RATIOS, FIXED_DENSITIES = (0.2, 0.5, 2.0, 5.0), (0.2, 0.4, 0.8)

PerModel = Float64[Tensor, " k"]


def optimal_loss(n: int, p: PerModel, r: PerModel) -> PerModel:
    """Return the lowest exact loss of the fixed configurations of n features in n - 1 dimensions."""
    model, losses = Model("relu_output", n, n - 1), []
    importance = torch.stack([torch.ones_like(r)] * (n - 1) + [r], dim=1)
    for W, dropped in zip(*prototypes.configurations(n, n - 1), strict=True):
        bias = dropped * exact.feature_mean(p)[:, None]
        parameters = {"W": W.expand(len(p), -1, -1), "b": bias}
        losses.append(exact.expected_loss(model, parameters, p[:, None].expand(-1, n), importance))
    return torch.stack(losses).min(dim=0).values


def kinks(n: int) -> pd.DataFrame:
    """Measure the jump of the derivative of the optimal loss on every boundary between configurations.

    Returns:
        One row per point: ``boundary``, ``density``, ``relative_importance``, the ``variable`` that crosses the
        boundary (p or r), the ``jump`` of the derivative, and the ``exact`` jump that follows from the closed forms.
    """
    low, high = (10 ** torch.linspace(*ends, 12, dtype=torch.float64) for ends in ((-1.0, -0.05), (0.05, 1.0)))
    sparse, dense = (torch.linspace(*ends, 6, dtype=torch.float64) for ends in ((0.05, 0.55), (0.6, 0.99)))
    third = torch.full_like(high, 1 / 3)
    boundaries = [("absent | superposition", "p", prototype_boundary(low), low, low / 3)]
    if n == 2:
        boundaries.append(("superposition | dedicated", "p", 4 / (5 + 2 * high), high, third))
    else:
        boundaries.append(("superposition | dedicated", "r", sparse, torch.ones_like(sparse), sparse**2 / 6))
        # The extra feature has a dedicated dimension on both sides; the others are a pair, or one of them is absent.
        boundaries.append(("dedicated | dedicated", "p", torch.full_like(high, MEETING), high, third))
    boundaries.append(("absent | dedicated", "r", dense, torch.ones_like(dense), exact.feature_variance(dense)))
    return pd.concat([_jumps(n, *boundary) for boundary in boundaries], ignore_index=True)


def _jumps(n: int, boundary: str, variable: str, p: PerModel, r: PerModel, expected: PerModel) -> pd.DataFrame:
    """Return by how much the derivative of the optimal loss falls across points on a boundary.

    It falls, because the optimal loss is the lower of two that cross there.
    """
    dp, dr = (DIFFERENCE, 0.0) if variable == "p" else (0.0, DIFFERENCE)
    here, above, below = (optimal_loss(n, p + k * dp, r + k * dr) for k in (0, 1, -1))
    jump = (here - below) / DIFFERENCE - (above - here) / DIFFERENCE
    points = {"boundary": boundary, "variable": variable, "density": p, "relative_importance": r}
    return pd.DataFrame(points | {"jump": jump, "exact": expected})


def slopes() -> pd.DataFrame:
    """Return the derivatives of the optimal loss along lines through the diagrams.

    Returns:
        One row per point: ``features`` (2 or 3), ``variable`` (density p or relative importance r), ``fixed``, the
        value of the other one, ``value``, and ``slope``, the derivative of the optimal loss by the variable.
    """
    p, r = (10 ** torch.linspace(low, high, 400, dtype=torch.float64) for low, high in ((-1, -1e-3), (-1, 1)))
    tables = []
    for n, (variable, values, lines) in itertools.product((2, 3), (("p", p, FIXED_RATIOS), ("r", r, FIXED_DENSITIES))):
        for fixed in lines:
            other = torch.full_like(values, fixed)
            below, above = (
                optimal_loss(n, *((end, other) if variable == "p" else (other, end)))
                for end in (values - DIFFERENCE / 2, values + DIFFERENCE / 2)
            )
            slope = (above - below) / DIFFERENCE
            columns = {"features": n, "variable": variable, "fixed": fixed, "value": values, "slope": slope}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)

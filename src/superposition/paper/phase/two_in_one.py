"""Two features in one dimension: the smallest model with superposition, solved exactly.

The first feature has importance 1, the second r; both have density p. A model is a vector x = (W_1, W_2, b_1, b_2), or
(W_1, W_2) without a bias. Paper: "Superposition as a phase change".
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from superposition.core.models import Model
from superposition.paper.phase import prototype_boundary
from superposition.theory import bfgs, exact, optimum

MODEL = Model("relu_output", 2, 1)
# Columns of the tables that hold the parameters of a model.
PARAMETERS = ("w0", "w1", "b0", "b1")
# Searches for superposition start from antipodal pairs with a strong, a weaker and a weak second feature.
ANTIPODAL_STARTS = torch.tensor([[1, -1, 0, 0], [1, -0.5, 0.02, 0.1], [1, -0.2, 0.02, 0.3]], dtype=torch.float64)
# Distance from a boundary at which its two sides are evaluated, relative to the density of the boundary.
SIDE_OFFSET = 1e-6
# Loss surfaces reach from -SURFACE_EXTENT to SURFACE_EXTENT in both weights.
SURFACE_EXTENT, SURFACE_STEP = 1.4, 0.05

# One number per model: a density, a relative importance or a loss.
PerModel = Float64[Tensor, " k"]


def loss(x: Float64[Tensor, "k size"], p: PerModel, r: PerModel, twice: bool = False) -> PerModel:
    """Return the exact expected loss of k models.

    Args:
        x: Models, of size 4, or of size 2 without a bias.
        p: Density of both features, one per model.
        r: Relative importance of the second feature, one per model.
        twice: Whether the loss is to be differentiable twice instead of once.
    """
    full = MODEL.unpack(torch.nn.functional.pad(x, (0, MODEL.size - x.shape[1])))
    density, importance = (torch.stack(both, dim=1) for both in ((p, p), (torch.ones_like(r), r)))
    return exact.expected_loss(MODEL, full, density, importance, twice)


def minimise_loss(
    starts: Float64[Tensor, "k start size"], p: PerModel, r: PerModel
) -> tuple[Float64[Tensor, "k size"], PerModel]:
    """Return the lowest minima to which searches from the given models lead, and their losses."""
    unit = p * (1 + r)
    x, value = bfgs.minimise_from_all(lambda x, which: loss(x, p[which], r[which]) / unit[which], starts)
    return x, value * unit


def absent_loss(p: PerModel, r: PerModel) -> PerModel:
    """Return the loss of W = [1, 0], b = [0, p/2]: the second feature is absent and costs its variance."""
    return r * exact.feature_variance(p)


def stability_limit(p: PerModel) -> PerModel:
    """Return the relative importance above which W = [1, 0] is no longer a local minimum, in closed form.

    To second order in a small W_2 = -ε, with b_1 = cε ≥ 0 and the best W_1 and b_2, the loss changes by
    ε² (min_c [p v + p (c - p/2)²/4 + (1-p)² c² + (1-p) p c³/3] - r v), where v = p/3 - p²/4 is the variance of x_2.
    """
    # The derivative of the bracket in c is quadratic. This form of its positive root also holds for p = 1.
    square, linear, constant = p * (1 - p), p / 2 + 2 * (1 - p) ** 2, -(p**2) / 4
    c = -2 * constant / (linear + (linear**2 - 4 * square * constant).sqrt())
    bracket = p * (c - p / 2) ** 2 / 4 + (1 - p) ** 2 * c**2 + square * c**3 / 3
    return p + bracket / exact.feature_variance(p)


class Optimum(NamedTuple):
    """Optimal models: W = [1, 0], or an antipodal pair if its loss is lower.

    Attributes:
        norm: ‖W_2‖; 0 for W = [1, 0].
        loss: The optimal loss.
        slope: dL/dp of the optimal loss. By the envelope theorem only the explicit dependence on p contributes.
        gain: Relative decrease of the loss from W = [1, 0]; 0 for W = [1, 0].
    """

    norm: PerModel
    loss: PerModel
    slope: PerModel
    gain: PerModel


def find_optimum(p: PerModel, r: PerModel) -> Optimum:
    """Return the optimal models at pairs of density and relative importance, for r < 1."""
    x, lowest = minimise_loss(ANTIPODAL_STARTS.expand(len(p), -1, -1), p, r)
    density = p.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x, density, r).sum(), density)
    gain = 1 - lowest / absent_loss(p, r)
    pair = gain > optimum.RELATIVE_ROUNDING
    return Optimum(
        norm=torch.where(pair, x[:, 1].abs(), 0.0),
        loss=torch.where(pair, lowest, absent_loss(p, r)),
        slope=torch.where(pair, slope, r * (1 / 3 - p / 2)),
        gain=torch.where(pair, gain, 0.0),
    )


def boundary(ratios: Sequence[float]) -> pd.DataFrame:
    """Find where the optimum leaves W = [1, 0] as features become sparser.

    Args:
        ratios: Relative importances r < 1.

    Returns:
        One row per relative importance, with the columns

        - ``p_prototypes``: the boundary of the paper's fixed configurations, 4r / (2 + 5r);
        - ``p_optimum``: the true boundary;
        - ``jump``: whether superposition is better before W = [1, 0] stops being a local minimum;
        - ``norm_onset``: ‖W_2‖ just below ``p_optimum``;
        - ``p_strong``: the density at which ‖W_2‖ passes ½;
        - ``norm_above``, ``norm_below``, ``slope_above``, ``slope_below``: ‖W_2‖ and dL/dp of the optimal loss on both
          sides of ``p_strong``.
    """
    r = torch.tensor(ratios, dtype=torch.float64)
    unstable = instability_density(r)
    # The last densities at which W = [1, 0] is not optimal, and at which superposition is strong.
    norms = torch.tensor([0, 0.5]).repeat_interleave(len(r))[:, None]
    better, strong = _narrow(
        unstable.repeat(2) / 2, r.repeat(2), lambda norm: (norm[:, 1:-1] > norms).int().cumprod(dim=1).sum(dim=1)
    ).chunk(2)
    # A continuous transition gains too little at first to be detected.
    onset = better.maximum(unstable)
    above, below = find_optimum(strong * (1 + SIDE_OFFSET), r), find_optimum(strong * (1 - SIDE_OFFSET), r)
    return pd.DataFrame(
        {
            "relative_importance": r,
            "p_prototypes": prototype_boundary(r),
            "p_optimum": onset,
            "jump": find_optimum(unstable * (1 + SIDE_OFFSET), r).gain > 0,
            "norm_onset": find_optimum(onset * (1 - SIDE_OFFSET), r).norm,
            "p_strong": strong,
            "norm_above": above.norm,
            "norm_below": below.norm,
            "slope_above": above.slope,
            "slope_below": below.slope,
        }
    )


def transition_kinds(ratios: Sequence[float]) -> pd.DataFrame:
    """Return whether the optimum leaves W = [1, 0] by a jump, by relative importance.

    It does if a pair is already better at the density at which W = [1, 0] loses its stability.
    """
    r = torch.tensor(ratios, dtype=torch.float64)
    found = find_optimum(instability_density(r) * (1 + SIDE_OFFSET), r)
    return pd.DataFrame({"relative_importance": r, "jump": found.gain > 0})


def largest_jumps(ratios: Sequence[float]) -> pd.DataFrame:
    """Return by how much ‖W_2‖ of the optimum changes where it changes fastest, within a short and a longer distance.

    The two are equal if the optimum jumps there. If it were continuous, the change would be smaller within the shorter
    distance: as its square root at most, where W = [1, 0] loses its stability.

    Returns:
        One row per relative importance: the ``density``, and ``near`` and ``far``, the changes within ``SIDE_OFFSET``
        and 100 times as far on either side.
    """
    r = torch.tensor(ratios, dtype=torch.float64)
    steepest = _narrow(instability_density(r) / 2, r, lambda norm: norm.diff(dim=1).abs().argmax(dim=1))
    changes = {
        name: find_optimum(steepest * (1 - offset), r).norm - find_optimum(steepest * (1 + offset), r).norm
        for name, offset in (("near", SIDE_OFFSET), ("far", 100 * SIDE_OFFSET))
    }
    return pd.DataFrame({"relative_importance": r, "density": steepest, **changes})


def optimal_norms(ratios: Sequence[float], densities: Sequence[float]) -> pd.DataFrame:
    """Return ‖W_2‖ of the optimum, one row per relative importance and density."""
    r, p = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in (ratios, densities))).T
    return pd.DataFrame({"relative_importance": r, "density": p, "norm": find_optimum(p, r).norm})


def instability_density(r: PerModel) -> PerModel:
    """Return the density at which W = [1, 0] stops being a local minimum, by bisection."""
    low, high = torch.full_like(r, 1e-6), torch.ones_like(r)
    for _ in range(60):
        middle = (low + high) / 2
        above = stability_limit(middle) > r
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return low


def _narrow(low: PerModel, r: PerModel, choose: Callable[[Float64[Tensor, "k 18"]], Int64[Tensor, " k"]]) -> PerModel:
    """Return where intervals of density, from ``low`` to 1, begin after they were narrowed to a share of 4·10⁻⁸.

    Each is divided into 17 parts six times; from ‖W_2‖ of the optimum at the ends of the parts, ``choose`` returns the
    number of the part that remains.
    """
    high, fractions = torch.ones_like(r), torch.linspace(0, 1, 18, dtype=torch.float64)
    for _ in range(6):
        p = low[:, None] + (high - low)[:, None] * fractions
        part = choose(find_optimum(p.flatten(), r.repeat_interleave(len(fractions))).norm.view(p.shape))
        low, high = (p[torch.arange(len(r)), part + k] for k in (0, 1))
    return low


def loss_surface(p: float, r: float) -> pd.DataFrame:
    """Return the loss over a grid of (W_1, W_2), with b = 0 (``no_bias``) and with the best b (``best_bias``)."""
    W, first = _first_output(p, SURFACE_EXTENT, SURFACE_STEP)
    density, ratio = (torch.full((len(W),), value, dtype=torch.float64) for value in (p, r))
    columns = {
        "w0": W[:, 0],
        "w1": W[:, 1],
        "no_bias": loss(W, density, ratio),
        # The loss of x_2 is that of x_1 with the weights exchanged.
        "best_bias": (first + r * first.T).flatten(),
    }
    return pd.DataFrame({"density": p, "relative_importance": r, **columns})


@cache
def _first_output(p: float, extent: float, step: float) -> tuple[Float64[Tensor, "model 2"], Float64[Tensor, "k k"]]:
    """Return the weights of a surface, and the loss of output x_1 alone (r = 0) with the best b_1.

    The best b_1 depends on the weights and on x_1 only, so that the two outputs can be optimised separately.
    """
    axis = step * torch.arange(-round(extent / step), round(extent / step) + 1, dtype=torch.float64)
    W = torch.cartesian_prod(axis, axis)
    # W and -W are the same model.
    half = W[: len(W) // 2 + 1]
    # The bias that suppresses interference may be strongly negative, behind a long slope; at -reach the output is 0.
    reach = half[:, 0] ** 2 + (half[:, 0] * half[:, 1]).clamp(min=0)
    biases = [torch.full_like(reach, b) for b in (0, p / 2, -p / 2)] + [-reach * k / 4 for k in (1, 2, 3)]

    def first_output(b: Tensor, which: Tensor) -> Tensor:
        x = torch.cat([half[which], b, torch.zeros_like(b)], dim=1)
        density = torch.full((len(x),), p, dtype=torch.float64)
        return loss(x, density, torch.zeros_like(density)) / p

    starts = torch.stack(biases, dim=1)[..., None]
    _, best = bfgs.minimise_from_all(first_output, starts, tolerance=1e-7, max_evaluations=60)
    best = best * p
    return W, torch.cat([best, best[:-1].flip(0)]).view(len(axis), len(axis))


def distinct_minima(settings: Sequence[tuple[float, float]], bias: bool) -> pd.DataFrame:
    """Return the distinct local minima that searches from 100 random models lead to.

    Of W and -W, the one with W_1 > 0 is listed, or with W_2 > 0 if W_1 is 0. Plateaus and flat valleys, where the loss
    does not curve in every direction, are left out.

    Args:
        settings: Pairs of density p and relative importance r.
        bias: Whether the models have a bias.

    Returns:
        One row per minimum, sorted by the number of its setting (``point``) and by loss.
    """
    p, r = torch.tensor(settings, dtype=torch.float64).T
    generator = torch.Generator().manual_seed(0)
    drawn = 2 * torch.rand(100, MODEL.size, generator=generator, dtype=torch.float64) - 1
    spread = torch.stack([torch.full_like(p, SURFACE_EXTENT), torch.full_like(p, SURFACE_EXTENT), p / 2, p / 2], dim=1)
    start = (drawn * spread[:, None]).flatten(0, 1)
    density, ratio = (values.repeat_interleave(len(drawn)) for values in (p, r))
    x, losses = minimise_loss(start[:, None, : MODEL.size if bias else 2], density, ratio)
    x[:, :2] *= torch.where(x[:, :1] + 1e-6 * x[:, 1:2] < 0, -1, 1)
    curved = least_curvature(x, density, ratio) > 1e-6 * density
    full = torch.nn.functional.pad(x, (0, MODEL.size - x.shape[1]))
    columns = dict(zip(PARAMETERS, full.T, strict=True))
    table = pd.DataFrame({"density": density, "relative_importance": ratio, "bias": bias, **columns, "loss": losses})
    table = table.assign(point=torch.arange(len(p)).repeat_interleave(len(drawn)).numpy())
    table = table[curved.numpy()].sort_values(["point", "loss"])
    # Adding 0.0 turns -0.0 into 0.0.
    return table[~(table[["point", "w0", "w1"]].round(3) + 0.0).duplicated()]


def least_curvature(x: Float64[Tensor, "k size"], p: PerModel, r: PerModel) -> PerModel:
    """Return the smallest eigenvalue of the Hessian of the loss."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x, p, r, twice=True).sum(), x, create_graph=True)
    rows = [torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in gradient.T]
    return torch.linalg.eigvalsh(torch.stack(rows, dim=1))[:, 0]


def same_sign_minima(densities: Sequence[float]) -> pd.DataFrame:
    """Return what a trained bias does to W_1 = W_2 = 1/√2, a minimum of two equal features without a bias.

    Args:
        densities: Densities p; r is 1.

    Returns:
        One row per density: ``loss_no_bias`` and ``curvature_no_bias`` (over W) of that model, and ``w0`` … ``b1``,
        ``curvature`` (over W and b) and ``loss`` of the model to which a search over W and b leads from beside it.
    """
    p = torch.tensor(densities, dtype=torch.float64)
    r, W = torch.ones_like(p), torch.full((len(p), 2), 0.5**0.5, dtype=torch.float64)
    x, losses = minimise_loss(torch.nn.functional.pad(W + torch.tensor([1e-3, 0]), (0, 2))[:, None], p, r)
    return pd.DataFrame(
        {
            "density": p,
            "loss_no_bias": loss(W, p, r),
            "curvature_no_bias": least_curvature(W, p, r),
            **dict(zip(PARAMETERS, x.T, strict=True)),
            "curvature": least_curvature(x, p, r),
            "loss": losses,
        }
    )

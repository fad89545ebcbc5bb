"""Two features in one dimension: the smallest model with superposition, known exactly.

The first feature has importance 1, the second r; both have density p. A model is (W_1, W_2, b_1, b_2), or (W_1, W_2)
where it has no bias. Paper: "Superposition as a phase change".
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import bfgs, exact, optimum

MODEL = Model("relu_output", 2, 1)
PARAMETERS = ("w0", "w1", "b0", "b1")  # columns of the tables
# Searches for superposition start from antipodal pairs with a strong, a weaker and a weak second feature.
ANTIPODAL = torch.tensor([[1, -1, 0, 0], [1, -0.5, 0.02, 0.1], [1, -0.2, 0.02, 0.3]], dtype=torch.float64)
SIDE = 1e-6  # how far from a boundary its two sides are, relative to its density
EXTENT, STEP = 1.4, 0.05  # the surfaces reach from -EXTENT to EXTENT in both weights

Axis = Float64[Tensor, " k"]  # densities or relative importances


def loss(x: Float64[Tensor, "k size"], p: Axis, r: Axis, twice: bool = False) -> Axis:
    """The expected loss, exactly; it can be differentiated once, or ``twice``."""
    full = MODEL.unpack(torch.nn.functional.pad(x, (0, MODEL.size - x.shape[1])))
    density, importance = (torch.stack(both, dim=1) for both in ((p, p), (torch.ones_like(r), r)))
    return exact.expected_loss(MODEL, full, density, importance, twice)


def search(
    begin: Float64[Tensor, "k size"], p: Axis, r: Axis, tolerance: float = bfgs.TOLERANCE
) -> tuple[Float64[Tensor, "k size"], Axis]:
    """Local minima from the given starts, and their losses."""
    unit = p * (1 + r)
    x, value, _ = bfgs.minimise(lambda x, which: loss(x, p[which], r[which]) / unit[which], begin, tolerance)
    return x, value * unit


def absent_loss(p: Axis, r: Axis) -> Axis:
    """Of W = [1, 0], b = [0, p/2]: the second feature costs its variance."""
    return r * exact.feature_variance(p)


def stability(p: Axis) -> Axis:
    """The relative importance above which W = [1, 0] is no minimum any more, in closed form.

    To second order in a small W_2 = -ε, with b_1 = cε ≥ 0 and the best W_1 and b_2, the loss changes by
    ε² (min_c [p v + p (c - p/2)²/4 + (1-p)² c² + (1-p) p c³/3] - r v), where v = p/3 - p²/4 is the variance of x_2.
    """
    # The bracket's derivative in c is a quadratic; its positive root, in the form that holds for p = 1 too.
    square, linear, constant = p * (1 - p), p / 2 + 2 * (1 - p) ** 2, -(p**2) / 4
    c = -2 * constant / (linear + (linear**2 - 4 * square * constant).sqrt())
    bracket = p * (c - p / 2) ** 2 / 4 + (1 - p) ** 2 * c**2 + square * c**3 / 3
    return p + bracket / exact.feature_variance(p)


def prototype_boundary(r: Axis) -> Axis:
    """The density at which the paper's fixed configurations change from absent to superposition, r ≤ 1.

    There a dropped feature, r (p/3 - p²/4), costs what an antipodal pair does, (1 + r) p²/6.
    """
    return 4 * r / (2 + 5 * r)


class Optimum(NamedTuple):
    """The best model: W = [1, 0], or an antipodal pair where its loss is lower."""

    norm: Axis  # ‖W_2‖; 0 for W = [1, 0]
    loss: Axis
    slope: Axis  # dL/dp of the optimal loss; by the envelope theorem only p itself counts
    gain: Axis  # by what part the loss is lower than that of W = [1, 0]; 0 for W = [1, 0]


def best(p: Axis, r: Axis) -> Optimum:
    """The optimum at pairs of density and relative importance, r < 1."""
    count = len(ANTIPODAL)
    x, losses = search(ANTIPODAL.repeat(len(p), 1), p.repeat_interleave(count), r.repeat_interleave(count))
    lowest = losses.view(-1, count).min(dim=1)
    x = x.view(-1, count, MODEL.size)[torch.arange(len(p)), lowest.indices]
    density = p.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x, density, r).sum(), density)
    gain = 1 - lowest.values / absent_loss(p, r)
    pair = gain > optimum.MIN_GAIN
    return Optimum(
        norm=torch.where(pair, x[:, 1].abs(), 0.0),
        loss=torch.where(pair, lowest.values, absent_loss(p, r)),
        slope=torch.where(pair, slope, r * (1 / 3 - p / 2)),
        gain=torch.where(pair, gain, 0.0),
    )


def boundary(ratios: Sequence[float]) -> pd.DataFrame:
    """Where the optimum leaves W = [1, 0] as features become sparser, by relative importance r.

    ``p_prototypes``: the boundary of the paper's fixed configurations, 4r / (2 + 5r); ``p_optimum``: the true one;
    ``p_stability``: where W = [1, 0] stops being a local minimum; ``jump``: whether superposition wins before that;
    ``norm_onset``: ‖W_2‖ just below p_optimum. ``p_strong``: where ‖W_2‖ passes ½; ``norm_above``, ``norm_below``,
    ``slope_above``, ``slope_below``: ‖W_2‖ and dL/dp of the optimal loss on the two sides of that.
    """
    r = torch.tensor(ratios, dtype=torch.float64)
    unstable = _unstable(r)
    better, strong = _last_densities((lambda found: found.gain > 0, lambda found: found.norm > 0.5), unstable / 2, r)
    leaves = better.maximum(unstable)  # a continuous transition gains too little at first to be seen
    above, below = best(strong * (1 + SIDE), r), best(strong * (1 - SIDE), r)
    return pd.DataFrame(
        {
            "relative_importance": r,
            "p_prototypes": prototype_boundary(r),
            "p_optimum": leaves,
            "p_stability": unstable,
            "jump": best(unstable * (1 + SIDE), r).gain > 0,
            "norm_onset": best(leaves * (1 - SIDE), r).norm,
            "p_strong": strong,
            "norm_above": above.norm,
            "norm_below": below.norm,
            "slope_above": above.slope,
            "slope_below": below.slope,
        }
    )


def transitions(ratios: Sequence[float]) -> pd.DataFrame:
    """Whether the optimum leaves W = [1, 0] by a jump: a pair is already better where it loses its stability."""
    r = torch.tensor(ratios, dtype=torch.float64)
    found = best(_unstable(r) * (1 + SIDE), r)
    return pd.DataFrame({"relative_importance": r, "norm": found.norm, "gain": found.gain, "jump": found.gain > 0})


def norms(ratios: Sequence[float], densities: Sequence[float]) -> pd.DataFrame:
    """‖W_2‖ of the optimum and its loss."""
    r, p = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in (ratios, densities))).T
    found = best(p, r)
    return pd.DataFrame({"relative_importance": r, "density": p, "norm": found.norm, "loss": found.loss})


def _unstable(r: Axis) -> Axis:
    """The density at which W = [1, 0] stops being a minimum, by bisection."""
    low, high = torch.full_like(r, 1e-6), torch.ones_like(r)
    for _ in range(60):
        middle = (low + high) / 2
        above = stability(middle) > r
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return low


def _last_densities(conditions: Sequence[Callable[[Optimum], Bool[Tensor, " k"]]], low: Axis, r: Axis) -> list[Axis]:
    """The densities up to which each condition holds for the optimum, given that it does at ``low``; to 10⁻⁷."""
    parts, count = torch.linspace(0, 1, 18, dtype=torch.float64), len(conditions)
    low, r = low.repeat(count), r.repeat(count)
    high = torch.ones_like(r)
    for _ in range(6):
        p = low[:, None] + (high - low)[:, None] * parts
        inner = p[:, 1:-1]
        found = best(inner.flatten(), r.repeat_interleave(inner.shape[1]))
        each = [condition(found).view(count, -1)[k] for k, condition in enumerate(conditions)]
        last = torch.cat(each).view(inner.shape).int().cumprod(dim=1).sum(dim=1)
        low, high = (p[torch.arange(len(r)), last + k] for k in (0, 1))
    return list(low.view(count, -1))


def surface(p: float, r: float) -> pd.DataFrame:
    """The loss over (W_1, W_2), with b = 0 (``no_bias``) and with the b that suits each W (``best_bias``)."""
    W, first = _first_output(p, EXTENT, STEP)
    density, ratio = (torch.full((len(W),), value, dtype=torch.float64) for value in (p, r))
    columns = {
        "w0": W[:, 0],
        "w1": W[:, 1],
        "no_bias": loss(W, density, ratio),
        "best_bias": (first + r * first.T).flatten(),  # that of x_2 is its mirror image
    }
    return pd.DataFrame({"density": p, "relative_importance": r, **columns})


@cache
def _first_output(p: float, extent: float, step: float) -> tuple[Float64[Tensor, "model 2"], Float64[Tensor, "k k"]]:
    """The weights of a surface, and the loss of x_1 alone (r = 0) with the bias that suits it, which is its own."""
    axis = step * torch.arange(-round(extent / step), round(extent / step) + 1, dtype=torch.float64)
    W = torch.cartesian_prod(axis, axis)
    half = W[: len(W) // 2 + 1]  # W and -W are the same model
    # The bias that drowns interference may be far down, behind a long slope; at -reach the output ends.
    reach = half[:, 0] ** 2 + (half[:, 0] * half[:, 1]).clamp(min=0)
    starts = torch.stack([torch.full_like(reach, b) for b in (0, p / 2, -p / 2)] + [-reach * k / 4 for k in (1, 2, 3)])
    fixed = half.repeat(len(starts), 1)
    density, none = torch.full((len(fixed),), p, dtype=torch.float64), torch.zeros(len(fixed), dtype=torch.float64)

    def first_output(b: Tensor, which: Tensor) -> Tensor:
        x = torch.cat([fixed[which], b, torch.zeros_like(b)], dim=1)
        return loss(x, density[which], none[which]) / p

    _, found, _ = bfgs.minimise(first_output, starts.flatten()[:, None], tolerance=1e-7, max_evaluations=60)
    best = found.view(starts.shape).min(dim=0).values * p
    return W, torch.cat([best, best[:-1].flip(0)]).view(len(axis), len(axis))


def minima(settings: Sequence[tuple[float, float]], bias: bool) -> list[pd.DataFrame]:
    """For each setting of p and r, the different local minima that 100 random starts lead to, of each pair W and -W the
    one with W_1 > 0 (or, where that is 0, with W_2 > 0).

    Plateaus and flat valleys, where the loss does not curve in every direction, are left out.
    """
    p, r = torch.tensor(settings, dtype=torch.float64).T
    generator = torch.Generator().manual_seed(0)
    drawn = 2 * torch.rand(100, MODEL.size, generator=generator, dtype=torch.float64) - 1
    reach = torch.stack([torch.full_like(p, EXTENT), torch.full_like(p, EXTENT), p / 2, p / 2], dim=1)
    begin = (drawn * reach[:, None]).flatten(0, 1)
    density, ratio = (values.repeat_interleave(len(drawn)) for values in (p, r))
    x, losses = search(begin if bias else begin[:, :2], density, ratio)
    x[:, :2] *= torch.where(x[:, :1] + 1e-6 * x[:, 1:2] < 0, -1, 1)
    curved = curvature(x, density, ratio) > 1e-6 * density
    full = torch.nn.functional.pad(x, (0, MODEL.size - x.shape[1]))
    columns = dict(zip(PARAMETERS, full.T, strict=True))
    every = pd.DataFrame({"density": density, "relative_importance": ratio, "bias": bias, **columns, "loss": losses})
    tables = []
    for first in range(0, len(every), len(drawn)):
        here = slice(first, first + len(drawn))
        table = every[here][curved[here].numpy()].sort_values("loss", kind="stable")
        tables.append(table[~(table[["w0", "w1"]].round(3) + 0.0).duplicated()])
    return tables


def curvature(x: Float64[Tensor, "k size"], p: Axis, r: Axis) -> Axis:
    """The smallest eigenvalue of the loss's Hessian."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x, p, r, twice=True).sum(), x, create_graph=True)
    rows = [torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in gradient.T]
    return torch.linalg.eigvalsh(torch.stack(rows, dim=1))[:, 0]


def same_sign(densities: Sequence[float]) -> pd.DataFrame:
    """What a trained bias does to the minimum W_1 = W_2 = 1/√2 of two equal features, by density.

    ``curvature_no_bias`` (over W) and ``loss_no_bias``: there, without a bias; ``w0`` … ``b1``, ``curvature`` (over W
    and b) and ``loss``: where a search over both from beside it ends.
    """
    p = torch.tensor(densities, dtype=torch.float64)
    r, W = torch.ones_like(p), torch.full((len(p), 2), 0.5**0.5, dtype=torch.float64)
    x, losses = search(torch.nn.functional.pad(W + torch.tensor([1e-3, 0]), (0, 2)), p, r)
    return pd.DataFrame(
        {
            "density": p,
            "loss_no_bias": loss(W, p, r),
            "curvature_no_bias": curvature(W, p, r),
            **dict(zip(PARAMETERS, x.T, strict=True)),
            "curvature": curvature(x, p, r),
            "loss": losses,
        }
    )

"""Expected losses without sampling error, in float64 (paper: "Mathematical understanding").

All functions are batched over leading axes and differentiable. Features are independent, and never negative unless a
function is told that they are ``signed``; active ones are uniform on [0, 1] unless it is given other ``values``.
"""

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from superposition.core.experiment.values import UNIFORM, Values
from superposition.core.models import Model, Parameters


@cache
def _gauss(order: int) -> tuple[Float64[Tensor, " order"], Float64[Tensor, " order"]]:
    """Return the nodes and weights of the Gauss–Legendre rule on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return torch.from_numpy(nodes), torch.from_numpy(weights)


def feature_mean(density: Float[Tensor, "..."], values: Values = UNIFORM) -> Float[Tensor, "..."]:
    """Return E[x] = p E[v], p/2 of uniform values, which is the optimal bias of a dropped feature."""
    return density * values.mean


def feature_variance(
    density: Float[Tensor, "..."], values: Values = UNIFORM, signed: bool = False
) -> Float[Tensor, "..."]:
    """Return Var[x], the loss from dropping a feature of importance 1.

    Of uniform values it is p/3 - p²/4 or, if they are signed and their mean is therefore 0, p/3.
    """
    # Dividing by E[v²]⁻¹, which is 3, rounds p/3 once.
    mean_square = density / (1 / values.mean_square)
    return mean_square if signed else mean_square - feature_mean(density, values) ** 2


def mean_norm(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Return E‖x‖ to within 1e-9, for up to thousands of features.

    The integral E√s = π^-½ ∫ (1 - E exp(-t² s)) / t² dt over t > 0 is evaluated numerically. With s = ‖x‖² the
    expectation in the integrand is a product over the features.
    """
    node, weight = _gauss(400)
    u = (node + 1) / 2
    t = (u / (1 - u))[:, None]
    # E exp(-t² x²) of an active feature.
    active = np.sqrt(np.pi) * torch.erf(t) / (2 * t)
    rest = -torch.expm1(torch.log1p(density[..., None, :] * (active - 1)).sum(-1))
    return (weight / 2 * rest / u**2).sum(-1) / np.sqrt(np.pi)


def linear_optimum(
    m: int,
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    values: Values = UNIFORM,
    signed: bool = False,
) -> Float[Tensor, "*batch"]:
    """Return the lowest loss of any linear model with m hidden dimensions.

    The covariance of independent features, ``signed`` or not, is diagonal, so the best subspace of rank m is spanned by
    the m features that are costliest to drop; all others are dropped.
    """
    cost = (importance * feature_variance(density, values, signed)).sort(dim=-1).values
    return cost[..., : cost.shape[-1] - m].sum(-1)


def linear_loss(
    W: Float[Tensor, "*batch m n"],
    b: Float[Tensor, "*batch n"],
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    values: Values = UNIFORM,
    W_out: Float[Tensor, "*batch m n"] | None = None,
) -> Float[Tensor, "*batch"]:
    """Expected loss of the linear model x' = WᵀWx + b, or W_outᵀWx + b, computed from the first two moments of x."""
    # The error x - x' is residual @ x - b.
    residual = torch.eye(W.shape[-1], dtype=W.dtype) - (W if W_out is None else W_out).mT @ W
    mean = (residual @ feature_mean(density, values)[..., None])[..., 0] - b
    spread = (residual**2 @ feature_variance(density, values)[..., None])[..., 0]
    return (importance * (mean**2 + spread)).sum(-1)


def all_zero_loss(model: Model, p: Parameters, importance: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Return L_0, the loss of the all-zero sample: Σ_i I_i ReLU(b_i)² in the ReLU-output model."""
    x = torch.zeros(*importance.shape[:-1], 1, model.n, dtype=importance.dtype)
    return model.loss(p, x, importance)[..., 0]


def _squared_error(
    weight: Float[Tensor, "*batch k"],
    bias: Float[Tensor, "*batch"],
    target_active: bool,
    relu: bool,
    twice_differentiable: bool = False,
    minimum: float = 0.0,
) -> Float[Tensor, "*batch"]:
    """Integrate the squared error of one output over the values of the active features.

    The result is the mean of (t - f(weight·v + bias))² over the cube [minimum, 1]^k, with f = ReLU or the identity. The
    target t is v_k if the output's own feature is active (``target_active``), and 0 otherwise.

    The dimensions are integrated one at a time. Along one axis, with the inner axes integrated out, the integrand is a
    polynomial between the points where the kink of f passes a corner of the inner cube; on each piece a Gauss–Legendre
    rule of sufficient order is exact. The innermost integral has a closed form. The only error is rounding, which no
    division by a small weight amplifies.

    The first derivative does not depend on how the pieces move, because the integrand is continuous. Their motion is
    therefore differentiated only with ``twice_differentiable``.
    """
    k = weight.shape[-1]
    if minimum:  # The rest integrates over the unit cube.
        bias, weight = bias + minimum * weight.sum(-1), (1 - minimum) * weight
    # The closed form needs an active feature other than the target, which is constant in the innermost integral.
    closed = k > int(target_active)
    # For all nodes [*batch, node] found so far: the fixed part of f's argument, the quadrature weights, and v by axis.
    argument = bias[..., None]
    measure, v = torch.ones_like(argument), list[Tensor]()
    with torch.set_grad_enabled(twice_differentiable):
        for axis in range(k - 1, int(closed) - 1, -1):
            a = weight[..., axis, None, None]
            inner = (weight[..., None, :axis] * _cube_corners(axis)).sum(-1)[..., None, :]  # [*batch, 1, corner]
            # Without a kink along this axis, division by 1 instead of 0 keeps the gradient finite.
            flat = a == 0
            kinks = torch.where(flat, 0.0, -(argument[..., None] + inner) / torch.where(flat, 1.0, a)).clamp(0, 1)
            edge = torch.zeros_like(kinks[..., :1])
            ends = torch.cat([edge, kinks.sort(-1).values, edge + 1], -1)
            # The integrand has degree 2 in the innermost variable, and each inner integration raises the degree by one.
            # A rule is exact up to degree 2·order - 1.
            nodes, rule = _gauss((axis + 4) // 2)
            width = ends.diff(dim=-1)[..., None]
            here = ends[..., :-1, None] + width * ((nodes + 1) / 2)
            measure = (measure[..., None, None] * (width * (rule / 2))).flatten(-3)
            argument = (argument[..., None, None] + a[..., None] * here).flatten(-3)
            v = [*(values[..., None, None].expand_as(here).flatten(-3) for values in v), here.flatten(-3)]
    argument = bias[..., None]
    for axis, values in zip(range(k - 1, -1, -1), v, strict=False):
        argument = argument + weight[..., axis, None] * values
    target = v[0] if target_active else torch.zeros_like(measure)
    if minimum and target_active:
        target = minimum + (1 - minimum) * target
    if closed:
        mean, mean_square = _segment_means(argument, argument + weight[..., :1], relu)
        return (measure * (target**2 - 2 * target * mean + mean_square)).sum(-1)
    output = torch.relu(argument) if relu else argument
    return (measure * (target - output) ** 2).sum(-1)


@cache
def _cube_corners(dimensions: int) -> Float64[Tensor, "corner dimensions"]:
    """Return the corners of the unit cube."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=dimensions)), dtype=torch.float64)


def _segment_means(u: Float[Tensor, "*#batch"], w: Float[Tensor, "*#batch"], relu: bool) -> tuple[Tensor, Tensor]:
    """Return the means of f and f² over the segment from u to w, where f is ReLU or the identity."""
    if not relu:
        return (u + w) / 2, (u**2 + u * w + w**2) / 3
    up, wp = torch.relu(u), torch.relu(w)
    total = up + wp
    # An end at exactly 0 counts as negative, because the formula for u, w > 0 has no gradient there.
    crossing = (u <= 0) != (w <= 0)
    # Only the positive part of a segment that crosses 0 contributes. The segment is at least as long as ``total``, so
    # the quotient is at most 1.
    part = torch.where(crossing, total / torch.where(crossing, torch.maximum(u, w) - torch.minimum(u, w), 1.0), 1.0)
    return total * part / 2, (total**2 - up * wp) * part / 3


class _Cases(NamedTuple):
    """Outputs whose errors are integrated together: given as many active features, and all of them active, or none."""

    target_active: bool
    output: Int64[Tensor, " case"]
    # The active features, of which the output's own comes last.
    inputs: Int64[Tensor, "case active"]


@cache
def _cases(n: int) -> tuple[list[tuple[int, ...]], list[_Cases], Int64[Tensor, "pattern n"]]:
    """Return all sets of active features, the cases by what is integrated together, and every output's case."""
    patterns = [active for k in range(n + 1) for active in itertools.combinations(range(n), k)]
    together, numbers = [], dict[tuple[tuple[int, ...], int], int]()
    for k, target_active in itertools.product(range(n + 1), (False, True)):
        alike = [active for active in patterns if len(active) == k]
        if cases := [(active, j) for active in alike for j in range(n) if (j in active) == target_active]:
            inputs = [sorted(active, key=lambda i, j=j: i == j) for active, j in cases]
            output = torch.tensor([j for _, j in cases])
            together.append(_Cases(target_active, output, torch.tensor(inputs, dtype=torch.long)))
            numbers |= {case: len(numbers) + number for number, case in enumerate(cases)}
    return patterns, together, torch.tensor([[numbers[active, j] for j in range(n)] for active in patterns])


def pattern_losses(
    model: Model,
    p: Parameters,
    importance: Float[Tensor, "*batch n"],
    twice_differentiable: bool = False,
    minimum: float = 0.0,
) -> dict[tuple[int, ...], Float[Tensor, "*batch"]]:
    """Expected losses conditional on the set of active features, for each of the 2^n sets.

    The losses are exact up to rounding. The work grows like 2^(n²/2), which limits the function to n ≤ 3 in practice.

    Args:
        model: A model with a linear hidden layer and a linear or ReLU output.
        p: Parameters of the model.
        importance: Importance of every feature.
        twice_differentiable: Whether second derivatives are correct as well as first ones, at a higher cost.
        minimum: Active features are uniform on [minimum, 1].

    Returns:
        The loss for every tuple of active features.

    Raises:
        ValueError: The model has another hidden layer or output.
    """
    if not model.has_closed_form:
        raise ValueError(
            f"model {model.name!r}: the exact loss requires a linear hidden layer and a linear or ReLU output"
        )
    gram, (patterns, cases, order) = p[model.output_matrix].mT @ p["W"], _cases(model.n)
    relu = model.output_function == "relu"
    errors = [
        _squared_error(
            gram[..., output[:, None], inputs], p["b"][..., output], target_active, relu, twice_differentiable, minimum
        )
        for target_active, output, inputs in cases
    ]
    losses = (importance[..., None, :] * torch.cat(errors, dim=-1)[..., order]).sum(-1)
    return dict(zip(patterns, losses.unbind(-1), strict=True))


def pattern_probability(active: tuple[int, ...], density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Probability that exactly the given features are active."""
    probability = torch.ones_like(density[..., 0])
    for j in range(density.shape[-1]):
        probability = probability * (density[..., j] if j in active else 1 - density[..., j])
    return probability


def expected_loss(
    model: Model,
    p: Parameters,
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    twice_differentiable: bool = False,
    minimum: float = 0.0,
) -> Float[Tensor, "*batch"]:
    """Expected loss E[Σ_i I_i (x_i - x'_i)²], summed over all sets of active features.

    See :func:`pattern_losses` for the arguments, the cost and the models allowed.
    """
    losses = pattern_losses(model, p, importance, twice_differentiable, minimum)
    return torch.stack([pattern_probability(active, density) * loss for active, loss in losses.items()]).sum(0)


def enumerated_loss(
    model: Model,
    p: Parameters,
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    signed: bool = False,
) -> Float[Tensor, "*batch"]:
    """Expected loss of any model on binary features, summed over all 2^n samples, or 3^n if features have signs."""
    levels = (0.0, 1.0, -1.0) if signed else (0.0, 1.0)
    x = torch.tensor(list(itertools.product(levels, repeat=model.n)), dtype=density.dtype)
    active, inactive = density[..., None, :] / (len(levels) - 1), 1 - density[..., None, :]
    probability = torch.where(x != 0, active, inactive).prod(-1)
    return (probability * model.loss(p, x.expand(*density.shape[:-1], *x.shape), importance)).sum(-1)


def _tail_moments(values: Values, c: Float[Tensor, "*batch"]) -> tuple[Tensor, Tensor, Tensor]:
    """Return E[v^k; v > c] of unbounded values for k = 0, 1, 2 and c ≥ 0."""
    if values.shape == "exponential":
        tail = torch.exp(-c)
        return tail, (c + 1) * tail, (c**2 + 2 * c + 2) * tail
    tail, first = torch.erfc(c / 2**0.5), (2 / np.pi) ** 0.5 * torch.exp(-(c**2) / 2)
    return tail, first, tail + c * first


def _unbounded_squared_error(
    weight: Float[Tensor, "*batch"], bias: Float[Tensor, "*batch"], target_active: bool, values: Values
) -> Float[Tensor, "*batch"]:
    """Return E[(t - ReLU(weight v + bias))²] over unbounded values v; the target t is v or 0."""
    # The output is positive above the kink or, where the weight is negative, below it. No value exceeds 1000.
    kink = torch.where(weight == 0, 0.0, -bias / torch.where(weight == 0, 1.0, weight)).clamp(0, 1e3)
    above = (weight > 0) | ((weight == 0) & (bias > 0))
    everywhere = _tail_moments(values, torch.zeros_like(kink))
    tails = zip(everywhere, _tail_moments(values, kink), strict=True)
    m0, m1, m2 = (torch.where(above, tail, all_ - tail) for all_, tail in tails)
    loss = weight**2 * m2 + 2 * weight * bias * m1 + bias**2 * m0
    return loss + everywhere[2] - 2 * (weight * m2 + bias * m1) if target_active else loss


def single_active_loss(
    W: Float[Tensor, "*batch m n"],
    b: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    values: Values = UNIFORM,
    W_out: Float[Tensor, "*batch m n"] | None = None,
) -> Float[Tensor, "*batch n"]:
    """Expected loss of the ReLU-output model conditional on feature i alone being active, for every i and any n.

    It is Σ_j I_j ∫₀¹ (δ_ij x - ReLU(W_j·W_i x + b_j))² dx. If densities are equal, its mean over i is the paper's L_1.
    """
    slope = W.mT @ (W if W_out is None else W_out)  # [active feature, output]
    n = W.shape[-1]

    def error(slope: Tensor, bias: Tensor, target_active: bool) -> Tensor:
        if values.shape == "uniform":
            return _squared_error(slope[..., None], bias, target_active, relu=True, minimum=values.minimum)
        return _unbounded_squared_error(slope, bias, target_active, values)

    losses = error(slope, b[..., None, :].expand_as(slope), False)
    target_losses = error(slope.diagonal(dim1=-2, dim2=-1), b, True)
    losses = torch.where(torch.eye(n, dtype=torch.bool), target_losses[..., None], losses)
    return (importance[..., None, :] * losses).sum(-1)


def pair_active_loss(
    model: Model, p: Parameters, density: Float[Tensor, " n"], importance: Float[Tensor, " n"], minimum: float = 0.0
) -> Float[Tensor, "*batch"]:
    """Share of the expected loss that samples with exactly two active features have, for any n.

    See :func:`pattern_losses` for the models allowed; active features are uniform on [minimum, 1].
    """
    n, slope, b = model.n, p["W"].mT @ p[model.output_matrix], p["b"]  # slope: [active feature, output]
    first, second = torch.triu_indices(n, n, 1)

    def squared_error(weight: Tensor, target_active: bool) -> Tensor:
        bias, relu = b[..., None, :].expand(weight.shape[:-1]), model.output_function == "relu"
        return _squared_error(weight, bias, target_active, relu, minimum=minimum)

    # Outputs of features that are not active, and of those that are, whose own weight comes last.
    error = squared_error(torch.stack([slope[..., first, :], slope[..., second, :]], dim=-1), False)
    own = slope.diagonal(dim1=-2, dim2=-1)[..., None, :].expand_as(slope)
    of_target = squared_error(torch.stack([slope, own], dim=-1), True)
    pair = torch.arange(len(first))
    error[..., pair, first], error[..., pair, second] = of_target[..., second, first], of_target[..., first, second]
    return (pair_active_probability(density) * (error * importance).sum(-1)).sum(-1)


def pair_active_probability(density: Float[Tensor, " n"]) -> Float[Tensor, " pair"]:
    """Probability that exactly two features are active, for every pair, in the order of ``torch.triu_indices``."""
    n = len(density)
    first, second = torch.triu_indices(n, n, 1)
    active = torch.zeros(len(first), n, dtype=torch.bool)
    active[torch.arange(len(first)), first] = active[torch.arange(len(first)), second] = True
    return torch.where(active, density, 1 - density).prod(-1)


def single_active_probability(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Probability that feature i alone is active, for every i."""
    n = density.shape[-1]
    inactive = (1 - density)[..., None, :].expand(*density.shape, n)
    others = torch.where(torch.eye(n, dtype=torch.bool), torch.ones_like(inactive), inactive).prod(-1)
    return density * others


def active_count_probability(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch count"]:
    """Probability that k features are active, for k = 0 … n (the Poisson binomial distribution)."""
    out = torch.ones(*density.shape[:-1], 1, dtype=density.dtype)
    for j in range(density.shape[-1]):
        q = density[..., j, None]
        pad = torch.zeros_like(out[..., :1])
        out = torch.cat([out * (1 - q), pad], -1) + torch.cat([pad, out * q], -1)
    return out

"""Expected losses without sampling error, in float64 (paper: "Mathematical understanding").

All functions are batched over leading axes and differentiable. Features are independent, uniform on [0, 1] when on.
"""

import itertools
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from superposition.core.models import Model, Parameters


@cache
def _gauss(order: int) -> tuple[Float64[Tensor, " order"], Float64[Tensor, " order"]]:
    """Points and weights of the Gauss–Legendre rule on [-1, 1]."""
    points, weights = np.polynomial.legendre.leggauss(order)
    return torch.from_numpy(points), torch.from_numpy(weights)


def feature_mean(density: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """E[x] = p/2: the bias of a feature that a model drops."""
    return density / 2


def feature_variance(density: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Var[x] = p/3 - p²/4: what it costs to drop a feature of importance 1."""
    return density / 3 - density**2 / 4


def mean_norm(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """E‖x‖, by E√s = π^-½ ∫ (1 - E exp(-t² s)) / t² dt over t > 0: with s = ‖x‖² the mean under the integral is a
    product over the features. Within 1e-9 (n up to thousands)."""
    node, weight = _gauss(400)
    u = (node + 1) / 2
    t = (u / (1 - u))[:, None]
    one = np.sqrt(np.pi) * torch.erf(t) / (2 * t)  # of a feature that is on: E exp(-t² x²)
    rest = -torch.expm1(torch.log1p(density[..., None, :] * (one - 1)).sum(-1))
    return (weight / 2 * rest / u**2).sum(-1) / np.sqrt(np.pi)


def linear_optimum(
    m: int, density: Float[Tensor, "*batch n"], importance: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch"]:
    """The least loss of any linear model with m hidden dimensions: all but the m costliest features are dropped.

    With the features independent their covariance is diagonal, so the best subspace of rank m is spanned by features.
    """
    cost = (importance * feature_variance(density)).sort(dim=-1).values
    return cost[..., : cost.shape[-1] - m].sum(-1)


def linear_loss(
    W: Float[Tensor, "*batch m n"],
    b: Float[Tensor, "*batch n"],
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
) -> Float[Tensor, "*batch"]:
    """Expected loss of the linear model x' = WᵀWx + b, from the first two moments of x."""
    residual = torch.eye(W.shape[-1], dtype=W.dtype) - W.mT @ W  # x - x' = residual x - b
    mean = (residual @ feature_mean(density)[..., None])[..., 0] - b
    spread = (residual**2 @ feature_variance(density)[..., None])[..., 0]
    return (importance * (mean**2 + spread)).sum(-1)


def empty_loss(model: Model, p: Parameters, importance: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """L_0, the loss of the sample in which nothing is on: Σ_i I_i ReLU(b_i)² in the ReLU-output model."""
    nothing = torch.zeros(*importance.shape[:-1], 1, model.n, dtype=importance.dtype)
    return model.loss(p, nothing, importance)[..., 0]


def _kinked(
    weight: Float[Tensor, "*batch k"], bias: Float[Tensor, "*batch"], own: bool, relu: bool, twice: bool = False
) -> Float[Tensor, "*batch"]:
    """∫ (v_k - f(weight·v + bias))² dv over the unit cube [0, 1]^k, with f = ReLU or the identity; with 0 for v_k if it
    is not the output's ``own`` feature.

    One dimension at a time. Seen along one axis, with the ones inside it integrated out, the integrand is a
    polynomial between the points where the kink passes a corner of the inner cube; on each piece a Gauss–Legendre
    rule of sufficient order is exact. The innermost integral has a closed form. So the only error is rounding:
    nothing is divided by a small weight that could matter.

    Can be differentiated once: the integrand being continuous, that its pieces move does not count. ``twice``: it does.
    """
    k = weight.shape[-1]
    closed = k > int(own)  # there is another feature for the innermost integral; the own one is constant in it
    # Nodes found so far: [*batch, node], their weights, the part of the argument that is fixed, and v by axis.
    argument = bias[..., None]
    measure, v = torch.ones_like(argument), list[Tensor]()
    with torch.set_grad_enabled(twice):
        for axis in range(k - 1, int(closed) - 1, -1):
            a = weight[..., axis, None, None]
            inner = (weight[..., None, :axis] * _corners(axis)).sum(-1)[..., None, :]  # [*batch, 1, corner]
            flat = a == 0  # no kink along this axis; dividing by 1 instead keeps the gradient finite
            kinks = torch.where(flat, 0.0, -(argument[..., None] + inner) / torch.where(flat, 1.0, a)).clamp(0, 1)
            edge = torch.zeros_like(kinks[..., :1])
            ends = torch.cat([edge, kinks.sort(-1).values, edge + 1], -1)
            # Degree 2 in the innermost variable and one more for every integration inside: exact up to 2·order - 1.
            roots, rule = _gauss((axis + 4) // 2)
            width = ends.diff(dim=-1)[..., None]
            here = ends[..., :-1, None] + width * ((roots + 1) / 2)
            measure = (measure[..., None, None] * (width * (rule / 2))).flatten(-3)
            argument = (argument[..., None, None] + a[..., None] * here).flatten(-3)
            v = [*(values[..., None, None].expand_as(here).flatten(-3) for values in v), here.flatten(-3)]
    argument = bias[..., None]
    for axis, values in zip(range(k - 1, -1, -1), v, strict=False):
        argument = argument + weight[..., axis, None] * values
    value = v[0] if own else torch.zeros_like(measure)
    if closed:
        first, second = _means(argument, argument + weight[..., :1], relu)
        return (measure * (value**2 - 2 * value * first + second)).sum(-1)
    output = torch.relu(argument) if relu else argument
    return (measure * (value - output) ** 2).sum(-1)


@cache
def _corners(dimensions: int) -> Float64[Tensor, "corner dimensions"]:
    """Of the unit cube."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=dimensions)), dtype=torch.float64)


def _means(u: Float[Tensor, "*#batch"], w: Float[Tensor, "*#batch"], relu: bool) -> tuple[Tensor, Tensor]:
    """The means of f and of f² over the segment from u to w."""
    if not relu:
        return (u + w) / 2, (u**2 + u * w + w**2) / 3
    up, wp = torch.relu(u), torch.relu(w)
    total = up + wp
    crossing = (u <= 0) != (w <= 0)  # with 0 below: there the branch for u, w > 0 has lost its slope
    # Of a segment that crosses 0 only a part counts. Its length is at least ``total``, so the quotient is harmless.
    part = torch.where(crossing, total / torch.where(crossing, torch.maximum(u, w) - torch.minimum(u, w), 1.0), 1.0)
    return total * part / 2, (total**2 - up * wp) * part / 3


def pattern_losses(
    model: Model, p: Parameters, importance: Float[Tensor, "*batch n"], twice: bool = False
) -> dict[tuple[int, ...], Float[Tensor, "*batch"]]:
    """The expected loss given which features are on, for each of the 2^n patterns (their indices).

    Exact to rounding for the models with a linear hidden layer; meant for n ≤ 3 (the work grows like 2^(n²/2)). Can be
    differentiated once, or ``twice``. Raises ValueError for a model with a ReLU in the hidden layer.
    """
    if model.relu_hidden:
        raise ValueError(f"no exact loss for the {model.name} model: its hidden layer is not linear")
    gram, n = p["W"].mT @ p["W"], model.n
    losses = {}
    for k in range(n + 1):  # patterns with as many features on, all together
        patterns = list(itertools.combinations(range(n), k))
        errors: dict[tuple[tuple[int, ...], int], Tensor] = {}
        for own in (False, True):
            at = [(on, j) for on in patterns for j in range(n) if (j in on) == own]
            if at:
                outputs = [j for _, j in at]
                # The output's own feature comes last.
                inputs = torch.tensor([sorted(on, key=lambda i, j=j: i == j) for on, j in at], dtype=torch.long)
                weight = gram[..., torch.tensor(outputs)[:, None], inputs]
                found = _kinked(weight, p["b"][..., outputs], own, model.relu_output, twice)
                errors |= zip(at, found.unbind(-1), strict=True)
        for on in patterns:
            losses[on] = (importance * torch.stack([errors[on, j] for j in range(n)], dim=-1)).sum(-1)
    return losses


def pattern_probability(on: tuple[int, ...], density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """P(exactly these features are on), for independent features."""
    probability = torch.ones_like(density[..., 0])
    for j in range(density.shape[-1]):
        probability = probability * (density[..., j] if j in on else 1 - density[..., j])
    return probability


def expected_loss(
    model: Model,
    p: Parameters,
    density: Float[Tensor, "*batch n"],
    importance: Float[Tensor, "*batch n"],
    twice: bool = False,
) -> Float[Tensor, "*batch"]:
    """E[Σ_i I_i (x_i - x'_i)²], by enumeration of the on/off patterns; see :func:`pattern_losses`."""
    losses = pattern_losses(model, p, importance, twice)
    return torch.stack([pattern_probability(on, density) * loss for on, loss in losses.items()]).sum(0)


def single_loss(
    W: Float[Tensor, "*batch m n"], b: Float[Tensor, "*batch n"], importance: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n"]:
    """The ReLU-output model's expected loss given that exactly feature i is on, for every i (any n).

    Σ_j I_j ∫₀¹ (δ_ij x - ReLU(W_j·W_i x + b_j))² dx; its mean over i is the paper's L_1 where densities are equal.
    """
    slope = W.mT @ W  # [on feature, output]: symmetric
    n = W.shape[-1]
    losses = _kinked(slope[..., None], b[..., None, :].expand_as(slope), own=False, relu=True)
    own = _kinked(slope.diagonal(dim1=-2, dim2=-1)[..., None], b, own=True, relu=True)
    losses = torch.where(torch.eye(n, dtype=torch.bool), own[..., None], losses)
    return (importance[..., None, :] * losses).sum(-1)


def only_probability(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """P(feature i is on and no other is), for every i; independent features."""
    n = density.shape[-1]
    off = (1 - density)[..., None, :].expand(*density.shape, n)
    others = torch.where(torch.eye(n, dtype=torch.bool), torch.ones_like(off), off).prod(-1)
    return density * others


def active_count_probability(density: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch count"]:
    """P(k features are on) for k = 0 … n, independent features (Poisson binomial)."""
    out = torch.ones(*density.shape[:-1], 1, dtype=density.dtype)
    for j in range(density.shape[-1]):
        q = density[..., j, None]
        pad = torch.zeros_like(out[..., :1])
        out = torch.cat([out * (1 - q), pad], -1) + torch.cat([pad, out * q], -1)
    return out

"""Kinds of solutions as branches: local minima of a precise loss, followed from one density to the next.

Training finds solutions of several kinds, whose order changes with the density (paper: "Non-uniform superposition",
"Correlated features"). Here each kind is followed by itself, so that the density at which one becomes better than
another is the crossing of two smooth curves. For ReLU-output models of few features, all of importance 1.
"""

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from superposition.core.distribution import Distribution
from superposition.core.models import Model
from superposition.theory import bfgs, exact, optimum

POINTS = 2**11  # of a Sobol sequence, at which the values of the features that are on are taken
TOGETHER = 8  # models of which one pattern's samples are held
NUDGE = 0.01  # the deviation of weights by which a search starts off the last minimum
INDEPENDENT = Distribution()


class _Patterns(NamedTuple):
    """Which features can be on together; gates are the sets, and the features that are in none."""

    on: Bool[Tensor, "pattern n"]
    open: Bool[Tensor, "pattern gate"]
    share: Float64[Tensor, " pattern"]  # of an open gate's probability: one member's of an anticorrelated set
    gate: Int64[Tensor, " gate"]  # the feature whose density is the gate's


@cache
def _patterns(n: int, distribution: Distribution) -> _Patterns:
    free = sorted(set(range(n)) - {i for members in distribution.sets for i in members})
    # Which features an open gate can switch on, one way after the other; all are equally likely.
    ways: list[list[tuple[int, ...]]] = [[members] for members in distribution.correlated]
    ways += [[(i,) for i in members] for members in (*distribution.anticorrelated, *((i,) for i in free))]
    chosen = list(itertools.product(*([(), *way] for way in ways)))
    on = [[any(i in members for members in gates) for i in range(n)] for gates in chosen]
    share = [math.prod(1 / len(way) for way, members in zip(ways, gates, strict=True) if members) for gates in chosen]
    return _Patterns(
        on=torch.tensor(on),
        open=torch.tensor([[bool(members) for members in gates] for gates in chosen]),
        share=torch.tensor(share, dtype=torch.float64),
        gate=torch.tensor([way[0][0] for way in ways]),
    )


@cache
def _inputs(n: int, distribution: Distribution, seed: int) -> Float64[Tensor, "pattern inputs sample"]:
    """Samples of every pattern with several features on, and a 1 for the bias."""
    on = _patterns(n, distribution).on
    values = torch.quasirandom.SobolEngine(n, scramble=True, seed=seed).draw(POINTS, dtype=torch.float64)
    x = on[on.sum(-1) > 1][:, :, None] * values.T
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)


def precise_loss(
    W: Float64[Tensor, "model m n"],
    b: Float64[Tensor, "model n"],
    density: Float64[Tensor, "model n"],
    distribution: Distribution = INDEPENDENT,
    seed: int = 0,
) -> Float64[Tensor, " model"]:
    """Expected loss, features of importance 1 in [0, 1]. Another seed: other points, an independent error.

    Every pattern of features that are on is weighted with its probability. With none or one on its loss is exact; with
    more, it is taken at the points of a scrambled Sobol sequence. The members of a set share one density.
    """
    n, patterns = W.shape[-1], _patterns(W.shape[-1], distribution)
    ones, gates = torch.ones_like(b), density[:, patterns.gate]
    probability = torch.where(patterns.open, gates[:, None], 1 - gates[:, None]).prod(-1) * patterns.share
    count = patterns.on.sum(-1)
    nothing = exact.empty_loss(Model("relu_output", n, W.shape[-2]), {"W": W, "b": b}, ones)
    loss = (probability[:, count == 0] * nothing[:, None]).sum(-1)
    alone = patterns.on[count == 1].long().argmax(-1)
    loss = loss + (probability[:, count == 1] * exact.single_loss(W, b, ones)[:, alone]).sum(-1)
    affine = torch.cat([W.mT @ W, b[..., None]], dim=-1)
    return loss + _Several.apply(affine, probability[:, count > 1], _inputs(n, distribution, seed))


class _Several(torch.autograd.Function):
    """The loss of the patterns with several features on. Its gradients are found on the way: what is made of one
    pattern stays in the cache."""

    @staticmethod
    def forward(
        ctx: Any,
        affine: Float64[Tensor, "model n inputs"],
        probability: Float64[Tensor, "model pattern"],
        inputs: Float64[Tensor, "pattern inputs sample"],
    ) -> Float64[Tensor, " model"]:
        slopes, losses = torch.zeros_like(affine), torch.empty_like(probability)
        weight = 2 / POINTS * probability[..., None, None]
        for models in (slice(first, first + TOGETHER) for first in range(0, len(affine), TOGETHER)):
            for pattern, x in enumerate(inputs):
                output = (affine[models] @ x).relu_()
                error = output - x[:-1]
                losses[models, pattern] = error.square().sum((-2, -1)) / POINTS
                error *= output.sign_()  # an output of 0 has no slope
                slopes[models] += weight[models, pattern] * (error @ x.mT)
        ctx.save_for_backward(slopes, losses)
        return (probability * losses).sum(-1)

    @staticmethod
    def backward(ctx: Any, by: Float64[Tensor, " model"]) -> tuple[Tensor, Tensor, None]:
        slopes, losses = ctx.saved_tensors
        return by[:, None, None] * slopes, by[:, None] * losses, None


Solutions = tuple[Float64[Tensor, "model m n"], Float64[Tensor, "model n"], Float64[Tensor, " model"]]


def follow(
    W: Float64[Tensor, "model m n"],
    b: Float64[Tensor, "model n"],
    density: Float64[Tensor, "model n"],
    distribution: Distribution = INDEPENDENT,
    seed: int = 0,
) -> Solutions:
    """W, b and the loss of the local minima of the precise loss that are nearest: all models at once.

    Outputs that are always 0, and so have no gradient, get their mean as the bias first.
    """
    m, n = W.shape[-2:]
    unit, start = density.sum(-1), torch.cat([W.flatten(1), b], dim=1)
    optimum.revive(Model("relu_output", n, m), start, density)

    def losses(x: Tensor, which: Tensor) -> Tensor:
        W, b = x[:, : m * n].unflatten(1, (m, n)), x[:, m * n :]
        return precise_loss(W, b, density[which], distribution, seed) / unit[which]

    found, loss, _ = bfgs.minimise(losses, start, tolerance=1e-7, evaluations=150)
    return found[:, : m * n].unflatten(1, (m, n)), found[:, m * n :], loss * unit


def trace(
    W: Float64[Tensor, "branch m n"],
    b: Float64[Tensor, "branch n"],
    densities: Float64[Tensor, "step branch n"],
    distribution: Distribution = INDEPENDENT,
) -> tuple[Float64[Tensor, "step branch m n"], Float64[Tensor, "step branch n"], Float64[Tensor, "step branch"]]:
    """The minima along the densities, each found from the one before.

    Every search starts a little off, so that it does not stay on a saddle. Where a branch ceases to be a minimum it
    ends on another one: whether that is still of its kind is for the caller to see.
    """
    steps, generator = [], torch.Generator().manual_seed(0)
    for density in densities:
        off = NUDGE * torch.randn(W.shape, generator=generator, dtype=W.dtype)
        W, b, loss = follow(W + off, b, density, distribution)
        steps.append((W, b, loss))
    W, b, loss = (torch.stack(part) for part in zip(*steps, strict=True))
    return W, b, loss


def crossing(
    W: Float64[Tensor, "problem 2 m n"],
    b: Float64[Tensor, "problem 2 n"],
    start: Float64[Tensor, " problem"],
    densities: Callable[[Float64[Tensor, " problem"]], Float64[Tensor, "problem n"]],
    distribution: Distribution = INDEPENDENT,
    seed: int = 0,
) -> tuple[Float64[Tensor, " problem"], Float64[Tensor, "problem 2 m n"], Float64[Tensor, "problem 2 n"]]:
    """Where two branches cost the same, and both solutions there; ``densities`` is a function of what is varied.

    By Newton's method in the logarithm of what is varied. At a minimum the loss changes with the densities alone (the
    envelope theorem), so the slopes need no more than one derivative. NaN where it does not settle.
    """
    log, step = start.log(), torch.full_like(start, torch.inf)
    for _ in range(30):
        at = densities(log.exp()).repeat_interleave(2, dim=0)
        w, bias, _ = follow(W.flatten(0, 1), b.flatten(0, 1), at, distribution, seed)
        W, b = w.unflatten(0, (-1, 2)), bias.unflatten(0, (-1, 2))
        varied = log.clone().requires_grad_()
        losses = precise_loss(w, bias, densities(varied.exp()).repeat_interleave(2, dim=0), distribution, seed)
        gap = losses[1::2] - losses[::2]
        (slope,) = torch.autograd.grad(gap.sum(), varied)
        step = (-gap.detach() / slope).clamp(-0.3, 0.3)
        log = log + step
        if (step.abs() < 1e-6).all():
            break
    return torch.where(step.abs() < 1e-6, log.exp(), torch.nan), W, b

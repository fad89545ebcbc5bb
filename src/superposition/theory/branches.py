"""Solution branches: local minima of a high-precision loss, followed from one density to the next.

Training finds solutions of several kinds, whose ranking changes with the density (paper: "Non-uniform superposition",
"Correlated features"). Here each kind is followed separately, so the density at which one overtakes another is the
crossing of two smooth curves. This applies to ReLU-output models with a small number of features, all of importance 1.
"""

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from superposition.core.experiment.distribution import Distribution
from superposition.core.models import Model
from superposition.theory import bfgs, exact, optimum

# Number of points of the Sobol sequence at which the values of active features are sampled.
SOBOL_POINTS = 2**11
# Seeds of these points with which a crossing is computed; the range of the results is its error.
SOBOL_SEEDS = (0, 1, 2)
# Numbers of models and of samples, of every pattern and model, that are evaluated at once, so that the intermediate
# results fit into the cache.
MODELS_PER_BATCH, SAMPLES_PER_BATCH = 8, 2**15
# Standard deviation of the noise added to the weights of one minimum before the search for the next.
PERTURBATION = 0.01
INDEPENDENT = Distribution()


class _Patterns(NamedTuple):
    """Sets of features that can be active together.

    A gate is a correlated or anticorrelated set, or a feature that belongs to neither; it opens with its density.
    """

    active: Bool[Tensor, "pattern n"]
    open: Bool[Tensor, "pattern gate"]
    # Probability of the pattern given its open gates: each member of an anticorrelated set is equally likely.
    share: Float64[Tensor, " pattern"]
    # A feature of each gate, from whose density the gate takes its own.
    gate: Int64[Tensor, " gate"]


@cache
def _patterns(n: int, distribution: Distribution) -> _Patterns:
    """Enumerate the patterns of active features that a distribution allows."""
    free = sorted(set(range(n)) - {i for members in distribution.sets for i in members})
    # For each gate, the sets of features that it can activate when open; all are equally likely.
    outcomes: list[list[tuple[int, ...]]] = [[members] for members in distribution.correlated]
    outcomes += [[(i,) for i in members] for members in (*distribution.anticorrelated, *((i,) for i in free))]
    patterns = list(itertools.product(*([(), *outcome] for outcome in outcomes)))
    active = [[any(i in members for members in gates) for i in range(n)] for gates in patterns]
    share = [
        math.prod(1 / len(outcome) for outcome, members in zip(outcomes, gates, strict=True) if members)
        for gates in patterns
    ]
    return _Patterns(
        active=torch.tensor(active),
        open=torch.tensor([[bool(members) for members in gates] for gates in patterns]),
        share=torch.tensor(share, dtype=torch.float64),
        gate=torch.tensor([outcome[0][0] for outcome in outcomes]),
    )


@cache
def sobol_inputs(n: int, distribution: Distribution, seed: int) -> Float64[Tensor, "pattern inputs sample"]:
    """Sample every pattern with several active features; the last input is 1, for the bias."""
    active = _patterns(n, distribution).active
    values = torch.quasirandom.SobolEngine(n, scramble=True, seed=seed).draw(SOBOL_POINTS, dtype=torch.float64)
    x = active[active.sum(-1) > 1][:, :, None] * values.T
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)


def precise_loss(
    W: Float64[Tensor, "model m n"],
    b: Float64[Tensor, "model n"],
    density: Float64[Tensor, "model n"],
    distribution: Distribution = INDEPENDENT,
    seed: int = 0,
) -> Float64[Tensor, " model"]:
    """Expected loss of ReLU-output models, for features of importance 1 in [0, 1].

    Every pattern of active features is weighted with its probability. Its loss is exact with at most one active
    feature; with more, it is averaged over the points of a scrambled Sobol sequence. The loss is differentiable once,
    with respect to weights, biases and densities.

    Args:
        W, b: Weights and biases.
        density: Density of every feature; members of one set share the density of its first member.
        distribution: Sets of correlated and anticorrelated features.
        seed: Seed of the scrambling. Different seeds give independent sampling errors.
    """
    n, patterns = W.shape[-1], _patterns(W.shape[-1], distribution)
    ones, gates = torch.ones_like(b), density[:, patterns.gate]
    probability = torch.where(patterns.open, gates[:, None], 1 - gates[:, None]).prod(-1) * patterns.share
    count = patterns.active.sum(-1)
    all_zero = exact.all_zero_loss(Model("relu_output", n, W.shape[-2]), {"W": W, "b": b}, ones)
    loss = (probability[:, count == 0] * all_zero[:, None]).sum(-1)
    single = patterns.active[count == 1].long().argmax(-1)
    loss = loss + (probability[:, count == 1] * exact.single_active_loss(W, b, ones)[:, single]).sum(-1)
    affine = torch.cat([W.mT @ W, b[..., None]], dim=-1)
    return loss + _SampledLoss.apply(affine, probability[:, count > 1], sobol_inputs(n, distribution, seed))


class _SampledLoss(torch.autograd.Function):
    """Expected loss of the patterns with several active features.

    The forward pass also computes the gradients, while the intermediate results of a pattern are still in the cache.
    """

    @staticmethod
    def forward(
        ctx: Any,
        affine: Float64[Tensor, "model n inputs"],
        probability: Float64[Tensor, "model pattern"],
        inputs: Float64[Tensor, "pattern inputs sample"],
    ) -> Float64[Tensor, " model"]:
        gradient, losses = torch.zeros_like(affine), torch.empty_like(probability)
        for models in (slice(first, first + MODELS_PER_BATCH) for first in range(0, len(affine), MODELS_PER_BATCH)):
            shape = affine[models].shape[:2]
            together = max(1, SAMPLES_PER_BATCH // (SOBOL_POINTS * shape[0]))
            for patterns in (slice(first, first + together) for first in range(0, len(inputs), together)):
                x = inputs[patterns]
                output = (affine[models].flatten(0, 1) @ x).relu_().unflatten(1, shape)  # [pattern, model, n, sample]
                error = output - x[:, None, :-1]
                losses[models, patterns] = error.square().sum((-2, -1)).T / SOBOL_POINTS
                # The ReLU passes no gradient where the output is 0.
                error *= output.sign_()
                slopes = (error.flatten(1, 2) @ x.mT).unflatten(1, shape)
                weight = 2 / SOBOL_POINTS * probability[models, patterns]
                gradient[models] += torch.einsum("mp,pmni->mni", weight, slopes)
        ctx.save_for_backward(gradient, losses)
        return (probability * losses).sum(-1)

    @staticmethod
    def backward(ctx: Any, grad_output: Float64[Tensor, " model"]) -> tuple[Tensor, Tensor, None]:
        gradient, losses = ctx.saved_tensors
        return grad_output[:, None, None] * gradient, grad_output[:, None] * losses, None


Solutions = tuple[Float64[Tensor, "model m n"], Float64[Tensor, "model n"], Float64[Tensor, " model"]]


def follow(
    W: Float64[Tensor, "model m n"],
    b: Float64[Tensor, "model n"],
    density: Float64[Tensor, "model n"],
    distribution: Distribution = INDEPENDENT,
    seed: int = 0,
) -> Solutions:
    """Find the local minimum of the precise loss that a search from each model reaches.

    Outputs that are always 0 have no gradient; before the search their biases are set to the means of their features.

    Returns:
        Weights, biases and losses of the minima.
    """
    m, n = W.shape[-2:]
    unit, start = density.sum(-1), torch.cat([W.flatten(1), b], dim=1)
    optimum.revive_dead_outputs(Model("relu_output", n, m), start, density)

    def losses(x: Tensor, models: Tensor) -> Tensor:
        W, b = x[:, : m * n].unflatten(1, (m, n)), x[:, m * n :]
        return precise_loss(W, b, density[models], distribution, seed) / unit[models]

    found, loss, _ = bfgs.minimise(losses, start, tolerance=1e-7, max_evaluations=150)
    return found[:, : m * n].unflatten(1, (m, n)), found[:, m * n :], loss * unit


def trace(
    W: Float64[Tensor, "branch m n"],
    b: Float64[Tensor, "branch n"],
    densities: Float64[Tensor, "step branch n"],
) -> tuple[Float64[Tensor, "step branch m n"], Float64[Tensor, "step branch n"], Float64[Tensor, "step branch"]]:
    """Trace branches along a sequence of densities, each minimum found from the one before.

    The weights are perturbed before every search, so that it does not remain on a saddle. Where a branch ceases to be a
    minimum, the search reaches a different one; the caller checks whether it is still of the same kind.

    Returns:
        Weights, biases and losses of the minima at every step.
    """
    steps, generator = [], torch.Generator().manual_seed(0)
    for density in densities:
        noise = PERTURBATION * torch.randn(W.shape, generator=generator, dtype=W.dtype)
        W, b, loss = follow(W + noise, b, density)
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
    """Find the parameter value at which two branches have the same loss.

    The search is Newton's method in the logarithm of the parameter. At a minimum the loss depends on the parameter only
    through the densities (the envelope theorem), so the slope takes a single derivative.

    Args:
        W, b: Weights and biases of the two branches of every problem.
        start: Positive parameter values at which the search starts.
        densities: Function from parameter values to the densities of the features.
        distribution, seed: See :func:`precise_loss`.

    Returns:
        The parameter values, NaN where the search does not converge, and the weights and biases of both branches there.
    """
    log, step = start.log(), torch.full_like(start, torch.inf)
    for _ in range(30):
        density = densities(log.exp()).repeat_interleave(2, dim=0)
        w, bias, _ = follow(W.flatten(0, 1), b.flatten(0, 1), density, distribution, seed)
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

"""Losses that come from rare samples: those with at least two active features, of which few may matter.

Where features are sparse, nearly all samples that are not all-zero have a single active feature. Their share of the
loss is an integral over one number. The rest is estimated from samples that are drawn given that at least two features
are active, and costly pairs of features more often than they occur. Weights make up for this.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from superposition.core.experiment.sweep import Sweep
from superposition.core.experiment.values import Values
from superposition.theory import exact
from superposition.training.blocks import Plan
from superposition.training.evaluation import analytic_loss, has_closed_form

# Samples are weighted if, on average, at most so many features are active and if one weighted sample replaces at least
# so many ordinary ones, which a compiled loop evaluates faster. Where more are active, ordinary samples cost less for
# the same error.
MAX_ACTIVE, MIN_REPLACED = 0.5, 8
# The number of values, of either sign, over which the loss of a single active feature is averaged.
SINGLE_VALUES = 64
# The number of feature values that are drawn at once.
CHUNK = 2**18


@cache
def several_share(plan: Plan, point: int) -> float:
    """Return how many of the samples that are not all-zero have several active features."""
    count = exact.active_count_probability(torch.from_numpy(plan.densities[point]))
    return float(count[2:].sum() / count[1:].sum())


@cache
def rarity(plan: Plan, point: int) -> float:
    """Return about how many samples it takes to learn as much as from one in which every feature matters.

    Of the samples that are not all-zero, those with a single active feature tell nothing that is not known. And if few
    features make up most of the loss, most others tell little.
    """
    cost = plan.importances[point] * plan.densities[point]
    return float(len(cost) * (cost**2).sum() / cost.sum() ** 2 / max(several_share(plan, point), 1e-12))


def is_rare(plan: Plan, point: int) -> bool:
    """Return whether losses at a point are estimated from weighted samples."""
    has_sets = any(d.sets for d in plan.sweep.distribution)
    sparse = plan.densities[point].sum() <= MAX_ACTIVE and not plan.attack[point]
    return bool(sparse and not has_sets and rarity(plan, point) >= MIN_REPLACED)


def rare_losses(
    plan: Plan, point: int, parameters: Float32[Tensor, "model size"], samples: int, groups: int, seed: int
) -> Float64[Tensor, "model group"]:
    """Return the expected losses of models at one point, estimated from independent groups of weighted samples.

    Args:
        plan: The plan of a sweep, with a single instance at every point.
        point: Number of the point.
        parameters: The models.
        samples: Number of samples in each group.
        groups: Number of groups.
        seed: Seed of the samples.
    """
    model, sweep = plan.model, plan.sweep
    density, importance = (torch.from_numpy(a[point]) for a in (plan.densities, plan.importances))
    p, l1 = model.unpack(parameters), float(plan.l1[point])

    def sample_losses(x: Float32[Tensor, "sample n"]) -> Float64[Tensor, "model sample"]:
        x = x.expand(len(parameters), -1, -1)
        loss = model.loss(p, x, importance.float().expand(len(parameters), -1))
        return (loss + l1 * model.hidden(p, x).abs().sum(-1) if l1 else loss).double()

    loss = analytic_loss(plan, np.full(len(parameters), point), parameters)
    if not has_closed_form(sweep):
        x, weight = _single_samples(density, sweep.signed, sweep.values)
        loss = loss + sample_losses(x) @ weight
    generator, several = torch.Generator().manual_seed(seed), list[Tensor]()
    # Samples must not depend on the number of models, which see the same ones in every call.
    at_once = max(1, min(groups, CHUNK // (samples * model.n)))
    for _ in range(0, groups, at_once):
        x, weight = _several_samples(density, importance * density, at_once, samples, sweep, generator)
        several.append((sample_losses(x.flatten(0, 1)).unflatten(1, weight.shape) * weight).sum(-1))
    return loss[:, None] + torch.cat(several, dim=1)[:, :groups]


def _single_samples(
    density: Float64[Tensor, " n"], signed: bool, values: Values
) -> tuple[Float32[Tensor, "sample n"], Float64[Tensor, " sample"]]:
    """Return samples with a single active feature, and their weights, which sum to the probability of such samples."""
    share = (torch.arange(SINGLE_VALUES * (1 + signed)) + 0.5) / (SINGLE_VALUES * (1 + signed))
    x = torch.eye(len(density))[:, None] * _value(share, signed, values)[:, None]
    weight = exact.single_active_probability(density) / len(share)
    return x.flatten(0, 1), weight.repeat_interleave(len(share))


def _several_samples(
    density: Float64[Tensor, " n"],
    cost: Float64[Tensor, " n"],
    groups: int,
    samples: int,
    sweep: Sweep,
    generator: torch.Generator,
) -> tuple[Float32[Tensor, "group sample n"], Float64[Tensor, "group sample"]]:
    """Draw independent groups of samples with at least two active features, and their weights.

    The sum over the samples of a group of a weight times a function is an estimate of the function's expectation,
    counted as zero where fewer than two features are active. Each sample starts from a pair of active features, and the
    others are active with their densities; a sample that could have started from any of k pairs counts as a k-th. Pairs
    are drawn at equal steps along the sum of their chances, so that each is drawn nearly as often as expected, and
    successive samples have well-spread values of their pairs.
    """
    first, second = torch.triu_indices(len(density), len(density), 1)
    probability = density[first] * density[second]
    chance = probability * (cost[first] + cost[second] + cost.mean())
    chance /= chance.sum()
    step = (torch.arange(samples) + torch.rand(groups, 1, generator=generator, dtype=torch.float64)) / samples
    pair = torch.searchsorted(chance.cumsum(0), step).clamp_max(len(chance) - 1)
    spread = torch.quasirandom.SobolEngine(2).draw(samples) + torch.rand(groups, 1, 2, generator=generator)
    u, p = torch.rand(groups, samples, len(density), generator=generator), density.float()
    # The features of the pair are active, because their numbers are below the densities.
    members = torch.stack([first[pair], second[pair]], dim=-1)
    u.scatter_(-1, members, p[members] * (spread % 1))
    active = u < p
    x = torch.where(active, _value(u / p, sweep.signed, sweep.values), 0.0)
    count = active.sum(-1)
    return x, probability[pair] / (chance[pair] * samples * (count * (count - 1) / 2))


def _value(share: Float32[Tensor, "*batch"], signed: bool, values: Values) -> Float32[Tensor, "*batch"]:
    """Return the values of active features, uniform in magnitude, from numbers uniform on [0, 1)."""
    t = 2 * share - 1 if signed else share
    return torch.copysign(values.minimum + (1 - values.minimum) * t.abs(), t)

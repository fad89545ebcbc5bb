"""Losses that come from weighted samples, where these tell much more than samples drawn from the distribution.

Samples that are all-zero need no drawing. Those with a single active feature are an integral over one number, which is
known in closed form or summed. The rest is estimated from samples whose weights make up for how they are drawn:

- Samples of a small model are points of a low-discrepancy sequence. Where few features are active, the points go
  through all sets of active features and the values of their members, and pairs have a closed form, too.
- Where a larger model has sparse features, few samples have two active features, and of these few matter. Each sample
  starts from a pair of active features; costly pairs are drawn more often than they occur.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from superposition.core.experiment.sweep import Sweep
from superposition.theory import exact
from superposition.training.blocks import Plan
from superposition.training.evaluation import analytic_loss, has_closed_form

# The numbers of features of a small model, a number larger than that of the groups of samples, and the mean number of
# active features above which the points of the sequence are samples as they are.
SMALL, MAX_GROUPS, MAX_LISTED = range(2, 13), 2**6, 2
# Samples of larger models start from pairs if, on average, at most so many features are active and if one weighted
# sample replaces at least so many ordinary ones, which a compiled loop evaluates faster. Where more are active,
# ordinary samples cost less for the same error.
MAX_ACTIVE, MIN_REPLACED = 0.5, 8
# The number of values, of either sign, over which the loss of a single active feature is averaged.
SINGLE_VALUES = 64
# The number of feature values that are drawn at once, and of those that are evaluated at once, which fit the cache.
CHUNK, EVALUATED = 2**18, 2**17


@cache
def several_share(plan: Plan, point: int) -> float:
    """Return how many of the samples that are not all-zero have several active features."""
    density = torch.from_numpy(plan.densities[point])
    return float(1 - exact.single_active_probability(density).sum() / (1 - (1 - density).prod()))


def spread(plan: Plan, point: int) -> float:
    """Return how unequal the costs of features are: 1 if all are equal, and n if a single one makes up the loss."""
    cost = plan.importances[point] * plan.densities[point]
    return float(len(cost) * (cost**2).sum() / cost.sum() ** 2)


@cache
def rarity(plan: Plan, point: int) -> float:
    """Return about how many samples it takes to learn as much as from one in which every feature matters.

    Of the samples that are not all-zero, those with a single active feature tell nothing that is not known. And if few
    features make up most of the loss, most others tell little.
    """
    return spread(plan, point) / max(several_share(plan, point), 1e-12)


def is_small(plan: Plan, point: int) -> bool:
    """Return whether samples come from a low-discrepancy sequence, because features are few and independent."""
    return plan.sweep.n in SMALL and not plan.attack[point] and not plan.sweep.has_sets


def is_rare(plan: Plan, point: int) -> bool:
    """Return whether features are so sparse that samples had better start from pairs of active features."""
    sparse = plan.densities[point].sum() <= MAX_ACTIVE and not plan.attack[point]
    return bool(sparse and plan.sweep.n > 1 and not plan.sweep.has_sets and rarity(plan, point) >= MIN_REPLACED)


def weighted_losses(
    plan: Plan, point: int, parameters: Float32[Tensor, "model size"], samples: int, groups: int, seed: int
) -> Float64[Tensor, "model group"]:
    """Return the expected losses of models at one point, estimated from independent groups of weighted samples.

    Args:
        plan: The plan of a sweep, with a single instance at every point.
        point: Number of the point.
        parameters: The models.
        samples: Number of samples in each group; a power of 2 for small models.
        groups: Number of groups.
        seed: Seed of the samples.
    """
    model, sweep = plan.model, plan.sweep
    density, importance = (torch.from_numpy(a[point]) for a in (plan.densities, plan.importances))
    p, l1 = model.unpack(parameters), float(plan.l1[point])

    at_once = max(1, EVALUATED // (len(parameters) * model.n))

    def sample_losses(x: Float32[Tensor, "sample n"]) -> Float64[Tensor, "model sample"]:
        found = []
        for part in x.split(at_once):
            same = part.expand(len(parameters), -1, -1)
            loss = model.loss(p, same, importance.float().expand(len(parameters), -1))
            found.append((loss + l1 * model.hidden(p, same).abs().sum(-1) if l1 else loss).double())
        return torch.cat(found, dim=1)

    loss, few, small = torch.zeros(len(parameters), dtype=torch.float64), 0, is_small(plan, point)
    if not small or density.sum() <= MAX_LISTED:
        loss, few = analytic_loss(plan, np.full(len(parameters), point), parameters), 1
        if not has_closed_form(sweep):
            x, weight = _single_samples(density, sweep)
            loss = loss + sample_losses(x) @ weight
        elif small:
            exactly = {name: values.double() for name, values in p.items()}
            loss, few = loss + exact.pair_active_loss(model, exactly, density, importance, sweep.values.minimum), 2
    drawn = (
        [_spread_samples(density, few, samples, groups, sweep, seed)]
        if small
        else _pair_samples(density, importance * density, groups, samples, sweep, seed)
    )
    several = [(sample_losses(x).unflatten(1, weight.shape) * weight).sum(-1) for x, weight in drawn]
    return loss[:, None] + torch.cat(several, dim=1)[:, :groups]


@cache
def _sets(n: int, least: int) -> Bool[Tensor, "set n"]:
    """Return all sets of at least so many features, the smallest sets first."""
    active = (torch.arange(2**n)[:, None] >> torch.arange(n)) % 2 == 1
    size = active.sum(1)
    order = size.argsort(stable=True)
    return active[order][size[order] >= least]


# For models of all small sizes and all comparisons of a search, the points take some 50 MB.
@cache
def _sobol(dimensions: int, samples: int, groups: int, seed: int) -> Float32[Tensor, "sample dimensions"]:
    """Return the first points of independently scrambled Sobol sequences, one after the other."""
    engines = (torch.quasirandom.SobolEngine(dimensions, True, MAX_GROUPS * seed + group) for group in range(groups))
    return torch.cat([engine.draw(samples) for engine in engines])


def _spread_samples(
    density: Float64[Tensor, " n"], few: int, samples: int, groups: int, sweep: Sweep, seed: int
) -> tuple[Float32[Tensor, "draw n"], Float64[Tensor, "group sample"]]:
    """Draw independent groups of samples with more than ``few`` active features, and their weights; all samples if 0.

    Every point of a Sobol sequence is a sample. Either it is one as it is; or its first number chooses the set of
    active features, larger ones more often than they occur, and the next ones are the values of its members, so that
    the values of small sets are spread best.
    """
    n, p = len(density), density.float()
    if not few:
        u = _sobol(n, samples, groups, seed)
        weight = torch.full((groups, samples), 1 / samples, dtype=torch.float64)
        return torch.where(u < p, _value(u / p, sweep), 0.0), weight
    active, u = _sets(n, few + 1), _sobol(1 + n, samples, groups, seed)
    size = active.sum(1)
    edges = (torch.where(active, density, 1 - density).prod(1) * size).cumsum(0)
    which = torch.searchsorted(edges, u[:, 0].double() * edges[-1]).clamp_max(len(edges) - 1)
    share = u[:, 1:].gather(1, (active.cumsum(1) - 1).clamp_min(0)[which])
    weight = edges[-1] / (samples * size[which])
    return torch.where(active[which], _value(share, sweep), 0.0), weight.unflatten(0, (groups, samples))


def _single_samples(
    density: Float64[Tensor, " n"], sweep: Sweep
) -> tuple[Float32[Tensor, "sample n"], Float64[Tensor, " sample"]]:
    """Return samples with a single active feature, and their weights, which sum to the probability of such samples."""
    share = (torch.arange(SINGLE_VALUES * (1 + sweep.signed)) + 0.5) / (SINGLE_VALUES * (1 + sweep.signed))
    x = torch.eye(len(density))[:, None] * _value(share, sweep)[:, None]
    weight = exact.single_active_probability(density) / len(share)
    return x.flatten(0, 1), weight.repeat_interleave(len(share))


def _pair_samples(
    density: Float64[Tensor, " n"],
    cost: Float64[Tensor, " n"],
    groups: int,
    samples: int,
    sweep: Sweep,
    seed: int,
) -> Iterator[tuple[Float32[Tensor, "draw n"], Float64[Tensor, "group sample"]]]:
    """Yield independent groups of samples with at least two active features, a few groups at a time, and their weights.

    The sum over the samples of a group of a weight times a function is an estimate of the function's expectation,
    counted as zero where fewer than two features are active. Each sample starts from a pair of active features, and the
    others are active with their densities; a sample that could have started from any of k pairs counts as a k-th. Pairs
    are drawn at equal steps along the sum of their chances, so that each is drawn nearly as often as expected, and
    successive samples have well-spread values of their pairs.
    """
    first, second = torch.triu_indices(len(density), len(density), 1)
    probability, p = density[first] * density[second], density.float()
    chance = probability * (cost[first] + cost[second] + cost.mean())
    chance /= chance.sum()
    generator = torch.Generator().manual_seed(seed)
    # Samples must not depend on the number of models, which see the same ones in every call.
    some = max(1, min(groups, CHUNK // (samples * len(density))))
    for _ in range(0, groups, some):
        step = (torch.arange(samples) + torch.rand(some, 1, generator=generator, dtype=torch.float64)) / samples
        pair = torch.searchsorted(chance.cumsum(0), step).clamp_max(len(chance) - 1)
        spread = torch.quasirandom.SobolEngine(2).draw(samples) + torch.rand(some, 1, 2, generator=generator)
        u = torch.rand(some, samples, len(density), generator=generator)
        # The features of the pair are active, because their numbers are below the densities.
        members = torch.stack([first[pair], second[pair]], dim=-1)
        u.scatter_(-1, members, p[members] * (spread % 1))
        active = u < p
        x = torch.where(active, _value(u / p, sweep), 0.0)
        count = active.sum(-1)
        yield x.flatten(0, 1), probability[pair] / (chance[pair] * samples * (count * (count - 1) / 2))


def _value(share: Float32[Tensor, "*batch"], sweep: Sweep) -> Float32[Tensor, "*batch"]:
    """Return the values of active features, uniform in magnitude, from numbers uniform on [0, 1)."""
    t, minimum = 2 * share - 1 if sweep.signed else share, sweep.values.minimum
    return torch.copysign(minimum + (1 - minimum) * t.abs(), t)

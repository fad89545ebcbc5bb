"""Models that need no training under the condition they are proposed for: exact ones, and those carried over."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superposition.core.features import samples
from superposition.core.models import Model
from superposition.search.conditions import Condition
from superposition.theory import exact, optimum, tegum
from superposition.theory.polytopes import Polytope

# The source of models that are known to be the best.
EXACT = "exact optimum"
# The number of exact products that are proposed, those with the lowest losses.
PRODUCTS = 4
# The largest number of swaps in a variation, and the largest distance of the features that are swapped.
MAX_SWAPS, MAX_SWAP_DISTANCE = 6, 3
# The number of samples on which the errors of features are compared, and by what share a new order of the features must
# lower the loss on them.
ORDERING_SAMPLES, ORDERING_GAIN = 2**14, 1e-3
# The standard deviation of the input weights of a feature that is learned again, over the neuron's largest one, and by
# how much of |x| the output for a feature that is computed may be wrong where no other is active.
RELEARNED_SCALE, MAX_ERROR = 0.1, 0.5
# The number of starts of the search for an exact optimum.
SOLVER_STARTS = 10
# No polytope of the catalogue has as many corners per dimension.
MAX_CORNERS_PER_DIMENSION = 5


class Candidate(NamedTuple):
    """A model proposed for a condition.

    Attributes:
        condition: Number of the condition in its family.
        source: Where the model comes from.
        parameters: Its parameters.
        built: Whether the model is known without training.
    """

    condition: int
    source: str
    parameters: Float[Tensor, " size"]
    built: bool = False


def carry_over(parameters: Float[Tensor, " size"], source: Condition, target: Condition) -> Tensor | None:
    """Carry a model over to another condition, and to other numbers of features and of hidden dimensions.

    A model with a fraction of the dimensions is put beside itself as often as it fits. Features that the model lacks
    are absent: W_i is 0 and b_i their mean. If it has too many features, the longest are kept.

    Returns:
        The parameters; None if the model does not fit.
    """
    if replace(source.model, n=target.model.n, m=target.model.m) != target.model:
        return None
    p: dict[str, Tensor] = source.model.unpack(parameters)
    copies, rest = divmod(target.model.m, source.model.m)
    if rest or not copies:
        return None
    p = {k: torch.block_diag(*[v] * copies) if k.startswith("W") else v.repeat(copies) for k, v in p.items()}
    missing = target.model.n - len(p["b"])
    if missing < 0:
        if not target.uniform:
            return None
        kept = p["W"].square().sum(0).argsort(descending=True, stable=True)[: target.model.n].sort().values
        p = {k: v if k == "b_hidden" else v[..., kept] for k, v in p.items()}
    elif missing:
        mean = target.mean[-missing:].to(p["b"].dtype)
        p = {k: torch.nn.functional.pad(v, (0, missing)) if k.startswith("W") else v for k, v in p.items()}
        p["b"] = torch.cat([p["b"], mean])
    return target.model.pack(p)


def drop_features(parameters: Float[Tensor, " size"], condition: Condition, kept: int) -> Tensor:
    """Return a model that keeps its longest features; of the others W_i is 0, and b_i the mean of the feature."""
    p = condition.model.unpack(parameters.clone())
    dropped = p["W"].square().sum(0).argsort(descending=True, stable=True)[kept:]
    for name, values in p.items():
        if name.startswith("W"):
            values[:, dropped] = 0
    p["b"][dropped] = condition.mean[dropped].to(parameters.dtype)
    return condition.model.pack(p)


def swap_features(parameters: Float[Tensor, " size"], model: Model, generator: torch.Generator) -> Tensor:
    """Return a model in which a few features have taken the places of others that are about as important."""
    order = torch.arange(model.n)
    for _ in range(int(torch.randint(1, MAX_SWAPS + 1, (), generator=generator))):
        distance = int(torch.randint(1, min(MAX_SWAP_DISTANCE, model.n - 1) + 1, (), generator=generator))
        first = int(torch.randint(model.n - distance, (), generator=generator))
        order[[first, first + distance]] = order[[first + distance, first]]
    return _reorder(parameters, model, order)


def order_features(parameters: Float[Tensor, " size"], condition: Condition) -> Tensor | None:
    """Return the model in which the more important of two features has the smaller error.

    Where all features are active alike, no other order of the features of a model has a lower loss.

    Returns:
        The parameters; None if the model is in this order already.
    """
    model, (gates, x) = condition.model, samples(condition.plan.sweep, condition.point, ORDERING_SAMPLES)
    p = model.unpack(parameters.float())
    active, none = (
        (((x.abs() if model.absolute else x) - model.output(p, x)) ** 2).mean(0) for x in (x, torch.zeros(1, model.n))
    )
    error = gates.any_from[0, 0] * active + gates.all_zero_probability[0] * none
    order = torch.empty(model.n, dtype=torch.int64)
    order[condition.importance.argsort(descending=True, stable=True)] = error.argsort(stable=True)
    now, ordered = (condition.importance @ e.double() for e in (error, error[order]))
    return _reorder(parameters, model, order) if ordered < (1 - ORDERING_GAIN) * now else None


def relearn_features(
    parameters: Float[Tensor, " size"], condition: Condition, limit: int, generator: torch.Generator
) -> Tensor:
    """Return a model of |x| that can learn again the most important features that it lost, at most ``limit`` of them.

    A feature is lost if the model does not compute it for both signs. Its output is often 0 whatever the input, and
    then has no gradient. It gets small random input weights in all neurons, beside the large weight of another feature:
    the paper's asymmetric superposition, up to the output weights, which are 0 and remain to be trained.
    """
    model = condition.model
    p, one = model.unpack(parameters.float().clone()), torch.eye(model.n)
    error = torch.stack([(1 - model.output(p, x).diag()).abs() for x in (one, -one)]).amax(0)
    order = condition.importance.argsort(descending=True, stable=True)
    lost = order[error[order] > MAX_ERROR][:limit]
    largest = p["W"].abs().amax(1, keepdim=True)
    p["W"][:, lost] = RELEARNED_SCALE * largest * torch.randn(model.m, len(lost), generator=generator)
    p["W_out"][:, lost] = 0
    p["b"][lost] = condition.mean[lost].float()
    return model.pack(p)


def _reorder(parameters: Float[Tensor, " size"], model: Model, order: Int64[Tensor, " n"]) -> Tensor:
    """Return a model in which every feature has the place that another had."""
    return model.pack({k: v if k == "b_hidden" else v[..., order] for k, v in model.unpack(parameters).items()})


def known_models(number: int, condition: Condition) -> list[Candidate]:
    """Return every model that is known without training, for a condition and its number."""
    model, found = condition.model, list[tuple[str, Tensor]]()
    if condition.plan.sweep.exactly_solvable:
        density, importance = condition.density[None], condition.importance[None]
        models, loss = optimum.best_models(model, density, importance, SOLVER_STARTS)
        found = [(EXACT, models[0, loss[0].argmin()])]
    elif model.name == "linear" and condition.plain:
        found = [(EXACT, _place([_UNIT_SINGLE] * model.m, condition))]
    elif model.name == "relu_output" and condition.plain:
        found = [*(_products(condition) if condition.has_products else _pairs(condition))]
    elif model.absolute:
        found = [_compute_exactly(condition)]
    return [Candidate(number, source, parameters, built=True) for source, parameters in found]


def _compute_exactly(condition: Condition) -> tuple[str, Tensor]:
    """Return the model that computes |x| of the most important features exactly, with two neurons each."""
    model = condition.model
    members = condition.importance.argsort(descending=True, stable=True)[: model.m // 2]
    p = {name: torch.zeros(shape) for name, shape in model.shapes().items()} | {"b": condition.mean.float()}
    for row, feature in enumerate(members):
        p["W"][2 * row, feature], p["W"][2 * row + 1, feature] = 1, -1
        p["b"][feature] = 0
    return f"{len(members)} features exactly", model.pack(p | {"W_out": p["W"].abs()})


class _Factor(NamedTuple):
    """A polytope with the best length and bias of its features, and what it saves over dropping them."""

    polytope: Polytope
    norm: float
    bias: float
    saved: float


_UNIT_SINGLE, _UNIT_DIGON = (_Factor(p, 1.0, 0.0, 0.0) for p in tegum.CATALOGUE[:2])


@cache
def _factors(density: float) -> tuple[_Factor, ...]:
    """Return every polytope of the catalogue at its best for a density."""
    rows = ((polytope, tegum.factor_optimum(polytope, [density]).iloc[0]) for polytope in tegum.CATALOGUE)
    return tuple(_Factor(p, row["norm"], row["bias"], row["gain"] * p.dimensions) for p, row in rows)


@cache
def _best_product(density: float, n: int, m: int) -> tuple[_Factor, ...]:
    """Return the product that saves most with at most n features in at most m dimensions."""
    return max(
        ((factor, *_rest(density, n, m, factor)) for factor in _fitting(density, n, m)),
        key=lambda product: sum(f.saved for f in product),
        default=(),
    )


def _fitting(density: float, n: int, m: int) -> list[_Factor]:
    """Return the factors with at most n features in at most m dimensions."""
    return [f for f in _factors(density) if f.polytope.features <= n and f.polytope.dimensions <= m]


def _rest(density: float, n: int, m: int, factor: _Factor) -> tuple[_Factor, ...]:
    """Return the best product for what one factor leaves."""
    m -= factor.polytope.dimensions
    # More features than can be used make no difference.
    return _best_product(density, min(n - factor.polytope.features, MAX_CORNERS_PER_DIMENSION * m), m)


def _products(condition: Condition) -> Iterator[tuple[str, Tensor]]:
    """Yield the best exact products of polytopes, one for each polytope that is a factor of it."""
    density, n, m = float(condition.density[0]), condition.model.n, condition.model.m
    found = {
        _count(f.polytope.name for f in product): product
        for factor in _fitting(density, n, m)
        for product in [sorted((factor, *_rest(density, n, m, factor)), key=lambda f: f.polytope.name)]
    }
    best = sorted(found, key=lambda name: -sum(f.saved for f in found[name]))[:PRODUCTS]
    yield from ((name, _place(found[name], condition)) for name in best)


def _count(names: Iterable[str]) -> str:
    """Return the names of factors, each once and with its number."""
    return " + ".join(f"{count} × {name}" for name, count in sorted(Counter(names).items()))


def _pairs(condition: Condition) -> Iterator[tuple[str, Tensor]]:
    """Yield arrangements with dedicated dimensions for the costliest features and digons of the next ones."""
    n, m = condition.model.n, condition.model.m
    for pairs in range(0, min(m, n - m) + 1, -(-m // 8)):
        factors = [_UNIT_SINGLE] * (m - pairs) + [_UNIT_DIGON] * pairs
        yield _count(f.polytope.name for f in factors), _place(factors, condition)


def _place(factors: list[_Factor] | tuple[_Factor, ...], condition: Condition) -> Tensor:
    """Return the model with these factors in orthogonal subspaces, for the features that cost most if dropped."""
    model, row, column = condition.model, 0, 0
    cost = condition.importance * exact.feature_variance(condition.density)
    order = cost.argsort(descending=True, stable=True)
    W, b = torch.zeros(model.m, model.n, dtype=torch.float64), condition.mean
    for factor in factors:
        d, k = factor.polytope.dimensions, factor.polytope.features
        members = order[column : column + k]
        W[row : row + d, members] = factor.norm * torch.from_numpy(factor.polytope.corners)
        b[members] = factor.bias
        row, column = row + d, column + k
    return model.pack({"W": W, "b": b})

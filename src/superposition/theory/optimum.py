"""The best models there are: minima of the exact expected loss over W and b, to rounding (n ≤ 3).

The paper's phase diagrams hold trained models against a few fixed configurations. The true optimum lies between the
two: it needs no training, no samples, and no choice of candidates.
"""

import itertools
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import exact

TOLERANCE = 1e-9  # of the gradient, in units in which an output of nothing costs about 1/3
EVALUATIONS = 400  # of one problem at most
NEAR = 0.05  # deviation of a start's weights from those of an arrangement
TOGETHER = 2048  # problems evaluated at once: when one ends, another takes its place
GAIN = 1e-12  # by what part a loss has to be lower to count as lower: above rounding
TRIAL, MARGIN = 30, 0.03  # evaluations that every start gets; it is followed to the end if by then so near the best

Groups = tuple[tuple[int, ...], ...]
Objective = Callable[[Tensor, Tensor], Tensor]  # (points [k, size], numbers of their problems [k]) to values [k]


def arrangements(n: int, m: int) -> Iterator[Groups]:
    """Every way to give features to groups that fill m dimensions; the other features are dropped.

    A feature alone needs one dimension, and so does a pair (as antipodes); k ≥ 3 features need k - 1, as a simplex.
    For n = 3, m = 2 that is W ⊥ [0,0,1], ⊥ [0,1,1] and the like, and also W ⊥ [1,1,1], which the paper leaves out.
    """
    for kept in range(m, n + 1):
        for features in itertools.combinations(range(n), kept):
            yield from (groups for groups in _partitions(features) if sum(map(_dimensions, groups)) == m)


def _dimensions(group: tuple[int, ...]) -> int:
    return max(1, len(group) - 1)


def _partitions(items: tuple[int, ...]) -> Iterator[Groups]:
    if not items:
        yield ()
    for size in range(len(items)):
        for others in itertools.combinations(items[1:], size):
            for groups in _partitions(tuple(i for i in items[1:] if i not in others)):
                yield ((items[0], *others), *groups)


def arranged(groups: Groups, n: int, m: int) -> Float64[Tensor, "m n"]:
    """W with unit columns: each group the corners of a simplex around 0, in dimensions of its own; the rest is 0."""
    W, first = torch.zeros(m, n, dtype=torch.float64), 0
    for group in groups:
        k, dimensions = len(group), slice(first, first + _dimensions(group))
        if k == 1:
            corners = torch.ones(1, 1, dtype=torch.float64)
        else:  # the projections of the unit vectors on the k - 1 dimensions orthogonal to [1, …, 1]
            values, vectors = torch.linalg.eigh(torch.eye(k, dtype=torch.float64) - 1 / k)
            corners = vectors[:, values > 0.5].T
        W[dimensions, list(group)] = corners / torch.linalg.vector_norm(corners, dim=0)
        first = dimensions.stop
    return W


def starts(model: Model, density: Float64[Tensor, "point n"], count: int) -> Float64[Tensor, "point count size"]:
    """Where to look for the optimum: near every arrangement, then at random; W is the same at every point.

    Near, not at: a search keeps the symmetry of its start, and would end on a saddle where the optimum lacks it.
    A dropped feature starts with its mean as the bias. The random ones are Xavier-normal, with biases of zero.
    """
    generator = torch.Generator().manual_seed(0)
    known = [arranged(groups, model.n, model.m) for groups in arrangements(model.n, model.m)][:count]
    drawn = torch.randn(count, model.m, model.n, generator=generator, dtype=torch.float64)
    W = drawn * (2 / (model.n + model.m)) ** 0.5
    W[: len(known)] = torch.stack(known) + NEAR * drawn[: len(known)]
    dropped = torch.zeros(count, model.n, dtype=torch.bool)
    dropped[: len(known)] = (torch.stack(known) == 0).all(1)
    bias = torch.where(dropped, exact.feature_mean(density)[:, None], 0.0)
    return torch.cat([W.flatten(1).expand(len(density), -1, -1), bias], dim=-1)


def best_models(
    model: Model, density: Float64[Tensor, "point n"], importance: Float64[Tensor, "point n"], restarts: int
) -> tuple[Float64[Tensor, "point restart size"], Float64[Tensor, "point restart"]]:
    """The parameters and losses that a search from so many :func:`starts` ends with; the best ones are polished.

    Every start is followed for a while; of each point's, the lowest are then followed until the gradient vanishes.
    It is a search: in the phase diagrams ten starts find what sixty do, but three features of different densities in
    one dimension want forty (there one may lie beside another, told from it by a negative bias). Losses of a point that
    are the lowest but for rounding are the very same.
    """
    begin = starts(model, density, restarts)
    size, unit = begin.shape[-1], (density * importance).sum(-1)

    def losses(parameters: Tensor, point: Tensor) -> Tensor:
        loss = exact.expected_loss(model, model.unpack(parameters), density[point], importance[point])
        return loss / unit[point]

    point = torch.arange(len(begin)).repeat_interleave(restarts)
    x, loss = begin.reshape(-1, size).clone(), torch.empty(len(point), dtype=torch.float64)

    def follow(which: Tensor, evaluations: int) -> None:
        x[which], loss[which], _ = minimise(lambda x, k: losses(x, point[which[k]]), x[which], evaluations=evaluations)

    def lowest() -> Tensor:
        """For every start, the lowest loss so far at its point."""
        return loss.view(-1, restarts).min(dim=1).values.repeat_interleave(restarts)

    follow(torch.arange(len(point)), TRIAL)
    follow(revive(model, x, density[point]), TRIAL)
    follow(torch.arange(len(point))[loss <= (1 + MARGIN) * lowest()], EVALUATIONS)
    # Where features are alike, so are several minima: the first of them is the best, not the one that rounding favours.
    loss = torch.where(loss <= (1 + GAIN) * lowest(), lowest(), loss)
    return x.view(-1, restarts, size), loss.view(-1, restarts) * unit[:, None]


def revive(model: Model, x: Float64[Tensor, "k size"], density: Float64[Tensor, "k n"]) -> Int64[Tensor, " dead"]:
    """Gives outputs that are always 0, and so have no gradient, their mean as the bias. The numbers of such models."""
    p = model.unpack(x)
    reach = p["b"] + (p["W"].mT @ p["W"]).clamp(min=0).sum(-1)
    dead = (reach <= 0) & model.relu_output
    p["b"][dead] = exact.feature_mean(density)[dead]
    return torch.arange(len(x))[dead.any(-1)]


def minimise(
    objective: Objective,
    start: Float64[Tensor, "problem size"],
    tolerance: float = TOLERANCE,
    evaluations: int = EVALUATIONS,
) -> tuple[Float64[Tensor, "problem size"], Float64[Tensor, " problem"], Float64[Tensor, " problem"]]:
    """Local minima of many small problems at once, by BFGS: where, the value there, the norm of the gradient there.

    A problem ends when its gradient is within ``tolerance``, after so many ``evaluations`` of the objective, or when no
    step lowers its value any more. The objective is taken to be a sum of terms about as large as 1, and known to their
    rounding: a minimum close to 0 is known no better.
    """

    def evaluate(points: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        values = objective(points, which)
        (gradients,) = torch.autograd.grad(values.sum(), points)
        return values.detach(), gradients

    x, eye = start.clone(), torch.eye(start.shape[1], dtype=start.dtype)
    f, g = torch.empty_like(x[:, 0]), torch.empty_like(x)
    for part in torch.arange(len(x)).split(TOGETHER):
        f[part], g[part] = evaluate(x[part], part)
    waiting = torch.arange(len(x))[(g.norm(dim=1) > tolerance) & (evaluations > 1)]

    def take(count: int) -> list[Tensor]:
        """So many of those that wait, as they start: numbers, points, values, gradients, inverses of the Hessian, the
        scales of the next steps, whether the inverses know anything yet, and the evaluations that are left."""
        nonlocal waiting
        which, waiting = waiting[:count], waiting[count:]
        one, no = torch.ones_like(f[which]), torch.zeros_like(which)
        return [which, x[which], f[which], g[which], eye.repeat(len(which), 1, 1), one, no > 0, no + evaluations - 1]

    active = take(TOGETHER)
    while len(active[0]):
        which, point, value, slope, inverse, scale, known, left = active
        step = -(inverse @ slope[:, :, None])[..., 0]
        down = (step * slope).sum(1)
        step *= scale[:, None]
        there = point + step
        value_there, slope_there = evaluate(there, which)
        left -= 1
        rounding = 4 * torch.finfo(f.dtype).eps * value.abs().clamp(min=1)
        fine = value_there <= value + 1e-4 * scale * down + rounding

        # A step that does not lower the value enough is halved; after many, the inverse is forgotten, once.
        scale = torch.where(fine, 1.0, scale / 2)
        if (tired := scale < 2.0**-30).any():
            left[tired & ~known] = 0
            forget = tired & known
            inverse[forget], scale[forget], known[forget] = eye, 1.0, False

        taken = fine[:, None]
        y = torch.where(taken, slope_there - slope, 0.0)
        point, slope = torch.where(taken, there, point), torch.where(taken, slope_there, slope)
        value = torch.where(fine, value_there, value)
        known |= _learn(inverse, step, y)

        active = [which, point, value, slope, inverse, scale, known, left]
        going = (slope.norm(dim=1) > tolerance) & (left > 0)
        if not going.all():  # when one ends, another takes its place
            x[which], f[which], g[which] = point, value, slope
            still = [part[going] for part in active]
            active = [torch.cat(both) for both in zip(still, take(TOGETHER - len(still[0])), strict=True)]
    return x, f, g.norm(dim=1)


def _learn(
    inverse: Float64[Tensor, "problem size size"],
    step: Float64[Tensor, "problem size"],
    y: Float64[Tensor, "problem size"],
) -> Bool[Tensor, " problem"]:
    """The BFGS update of inverse Hessians, in place, by steps and the changes ``y`` of the gradients over them.

    Which there were: none where the function does not bend upwards along the step, or where ``y`` is 0.
    """
    curvature = (step * y).sum(1)
    bent = curvature > 1e-10 * step.norm(dim=1) * y.norm(dim=1)
    r = torch.where(bent, 1 / curvature, 0.0)[:, None]
    Hy = (inverse @ y[:, :, None])[..., 0]
    # (1 - r s yᵀ) H (1 - r y sᵀ) + r s sᵀ, multiplied out: no products of matrices.
    half = r * (step * (1 + r * (y * Hy).sum(1, keepdim=True)) / 2 - Hy)
    turn = half[:, :, None] * step[:, None, :]
    inverse += turn + turn.mT
    return bent

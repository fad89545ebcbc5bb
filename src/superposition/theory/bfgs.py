"""Batched BFGS: find local minima of many small problems at once.

The problems share an objective and the number of variables and are otherwise independent: each has its own step length
and inverse Hessian. Waiting problems replace those that have finished, so the batch stays full.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

# Gradient norm at which a search stops.
GRADIENT_TOLERANCE = 1e-9
# Number of evaluations of the objective after which a search is abandoned.
MAX_EVALUATIONS = 400
# Number of problems evaluated together.
BATCH_SIZE = 2048

# Maps points [k, variable] and the indices of their problems [k] to values [k].
Objective = Callable[[Tensor, Tensor], Tensor]


def minimise(
    objective: Objective,
    start: Float64[Tensor, "problem variable"],
    tolerance: float = GRADIENT_TOLERANCE,
    max_evaluations: int = MAX_EVALUATIONS,
) -> tuple[Float64[Tensor, "problem variable"], Float64[Tensor, " problem"], Float64[Tensor, " problem"]]:
    """Find a local minimum of every problem from its own starting point.

    A search stops when the norm of the gradient is at most ``tolerance``, when ``max_evaluations`` are used up, or when
    no step lowers the value any further. Values are assumed to be sums of terms of order 1: a step is accepted if it
    lowers the value up to the rounding error of such a sum, so minima close to 0 are not resolved any further.

    Returns:
        The minima, their values and the norms of the gradients there.
    """

    x = start.clone()
    f, g = torch.empty_like(x[:, 0]), torch.empty_like(x)
    for batch in torch.arange(len(x)).split(BATCH_SIZE):
        f[batch], g[batch] = _evaluate(objective, x[batch], batch)
    waiting = torch.arange(len(x))[(g.norm(dim=1) > tolerance) & (max_evaluations > 1)]

    def begin(count: int) -> _Searches:
        """Begin the searches of up to ``count`` waiting problems."""
        nonlocal waiting
        problem, waiting = waiting[:count], waiting[count:]
        return _Searches.begin(problem, x[problem], f[problem], g[problem], max_evaluations - 1)

    searches = begin(BATCH_SIZE)
    while len(searches.problem):
        searches = _advance(searches, objective)
        unfinished = (searches.gradient.norm(dim=1) > tolerance) & (searches.remaining > 0)
        if not unfinished.all():
            problem = searches.problem
            x[problem], f[problem], g[problem] = searches.point, searches.value, searches.gradient
            # Waiting problems take the places of those that have finished.
            kept = [part[unfinished] for part in searches]
            added = begin(BATCH_SIZE - len(kept[0]))
            searches = _Searches(*(torch.cat(parts) for parts in zip(kept, added, strict=True)))
    return x, f, g.norm(dim=1)


def minimise_from_all(
    objective: Objective,
    starts: Float64[Tensor, "problem start variable"],
    tolerance: float = GRADIENT_TOLERANCE,
    max_evaluations: int = MAX_EVALUATIONS,
) -> tuple[Float64[Tensor, "problem variable"], Float64[Tensor, " problem"]]:
    """Return the lowest minimum of every problem to which searches from several starting points lead, and its value.

    The arguments are those of :func:`minimise`.
    """
    count = starts.shape[1]
    x, values, _ = minimise(
        lambda x, search: objective(x, search // count), starts.flatten(0, 1), tolerance, max_evaluations
    )
    lowest = values.view(-1, count).min(dim=1)
    return x.view(starts.shape)[torch.arange(len(starts)), lowest.indices], lowest.values


class _Searches(NamedTuple):
    """The state of searches in progress, one problem per row."""

    problem: Int64[Tensor, " problem"]
    point: Float64[Tensor, "problem variable"]
    value: Float64[Tensor, " problem"]
    gradient: Float64[Tensor, "problem variable"]
    inverse: Float64[Tensor, "problem variable variable"]  # approximate inverse Hessian
    scale: Float64[Tensor, " problem"]  # factor of the next step
    updated: Bool[Tensor, " problem"]  # whether the inverse Hessian has been updated since it was last reset
    remaining: Int64[Tensor, " problem"]  # number of evaluations left

    @classmethod
    def begin(cls, problem: Tensor, point: Tensor, value: Tensor, gradient: Tensor, remaining: int) -> "_Searches":
        """Begin searches with the identity as inverse Hessian."""
        ones, zeros = torch.ones_like(value), torch.zeros_like(problem)
        inverse = torch.eye(point.shape[1], dtype=point.dtype).repeat(len(problem), 1, 1)
        return cls(problem, point, value, gradient, inverse, ones, zeros > 0, zeros + remaining)


def _evaluate(objective: Objective, points: Tensor, problems: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values and the gradients of the objective."""
    points = points.detach().requires_grad_()
    values = objective(points, problems)
    (gradients,) = torch.autograd.grad(values.sum(), points)
    return values.detach(), gradients


def _advance(searches: _Searches, objective: Objective) -> _Searches:
    """Try one step of every search; inverse Hessians and counts change in place."""
    problem, point, value, gradient, inverse, scale, updated, remaining = searches
    step = -(inverse @ gradient[:, :, None])[..., 0]
    slope = (step * gradient).sum(1)
    step *= scale[:, None]
    trial = point + step
    trial_value, trial_gradient = _evaluate(objective, trial, problem)
    remaining -= 1
    rounding = 4 * torch.finfo(value.dtype).eps * value.abs().clamp(min=1)
    accepted = trial_value <= value + 1e-4 * scale * slope + rounding

    # A step that lowers the value too little is halved. After many halvings the inverse Hessian is reset; if it has
    # not been updated since the last reset, the search ends.
    scale = torch.where(accepted, 1.0, scale / 2)
    if (stalled := scale < 2.0**-30).any():
        remaining[stalled & ~updated] = 0
        reset = stalled & updated
        inverse[reset], scale[reset], updated[reset] = torch.eye(point.shape[1], dtype=point.dtype), 1.0, False

    moved = accepted[:, None]
    y = torch.where(moved, trial_gradient - gradient, 0.0)
    updated |= _update(inverse, step, y)
    return _Searches(
        problem,
        torch.where(moved, trial, point),
        torch.where(accepted, trial_value, value),
        torch.where(moved, trial_gradient, gradient),
        inverse,
        scale,
        updated,
        remaining,
    )


def _update(
    inverse: Float64[Tensor, "problem variable variable"],
    step: Float64[Tensor, "problem variable"],
    y: Float64[Tensor, "problem variable"],
) -> Bool[Tensor, " problem"]:
    """Apply the BFGS update to the inverse Hessians in place; return a mask of the problems updated.

    ``y`` is the change of the gradient over the step. Problems with non-positive curvature along the step are skipped,
    and so are those with ``y = 0``.
    """
    curvature = (step * y).sum(1)
    updated = curvature > 1e-10 * step.norm(dim=1) * y.norm(dim=1)
    r = torch.where(updated, 1 / curvature, 0.0)[:, None]
    Hy = (inverse @ y[:, :, None])[..., 0]
    # This is (1 - r s yᵀ) H (1 - r y sᵀ) + r s sᵀ, expanded so that it needs no matrix-matrix products.
    half = r * (step * (1 + r * (y * Hy).sum(1, keepdim=True)) / 2 - Hy)
    correction = half[:, :, None] * step[:, None, :]
    inverse += correction + correction.mT
    return updated

"""Batched BFGS: local minima of many small problems at once.

The problems share an objective and a number of variables, and are otherwise independent: each has a step length and an
inverse Hessian of its own. Problems that have ended make room for others, so the batch stays full.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

# Gradient norm at which a search ends.
TOLERANCE = 1e-9
# Evaluations of the objective after which a search ends at the latest.
EVALUATIONS = 400
# Number of problems that are evaluated together.
TOGETHER = 2048

# Maps points [k, variable] and the indices of their problems [k] to values [k].
Objective = Callable[[Tensor, Tensor], Tensor]


def minimise(
    objective: Objective,
    start: Float64[Tensor, "problem variable"],
    tolerance: float = TOLERANCE,
    evaluations: int = EVALUATIONS,
) -> tuple[Float64[Tensor, "problem variable"], Float64[Tensor, " problem"], Float64[Tensor, " problem"]]:
    """Search for a local minimum of every problem, each from a start of its own.

    A search ends when the norm of its gradient is within ``tolerance``, when ``evaluations`` are used up, or when no
    step lowers the value any more. Values are assumed to be sums of terms of about 1: a step counts as lowering the
    value within the rounding errors of such a sum, so a minimum close to 0 is not resolved any further.

    Returns:
        The minima, the values there, and the norms of the gradients there.
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

    def next_problems(count: int) -> list[Tensor]:
        """Start up to ``count`` waiting problems.

        Per problem: index, point, value, gradient, inverse Hessian, scale of the next step, whether the inverse Hessian
        has been updated, number of evaluations left.
        """
        nonlocal waiting
        which, waiting = waiting[:count], waiting[count:]
        one, no = torch.ones_like(f[which]), torch.zeros_like(which)
        return [which, x[which], f[which], g[which], eye.repeat(len(which), 1, 1), one, no > 0, no + evaluations - 1]

    active = next_problems(TOGETHER)
    while len(active[0]):
        which, point, value, slope, inverse, scale, known, left = active
        step = -(inverse @ slope[:, :, None])[..., 0]
        down = (step * slope).sum(1)
        step *= scale[:, None]
        there = point + step
        value_there, slope_there = evaluate(there, which)
        left -= 1
        rounding = 4 * torch.finfo(f.dtype).eps * value.abs().clamp(min=1)
        accepted = value_there <= value + 1e-4 * scale * down + rounding

        # A step that lowers the value too little is halved. After many halvings the inverse Hessian is reset, once.
        scale = torch.where(accepted, 1.0, scale / 2)
        if (tired := scale < 2.0**-30).any():
            left[tired & ~known] = 0
            reset = tired & known
            inverse[reset], scale[reset], known[reset] = eye, 1.0, False

        taken = accepted[:, None]
        y = torch.where(taken, slope_there - slope, 0.0)
        point, slope = torch.where(taken, there, point), torch.where(taken, slope_there, slope)
        value = torch.where(accepted, value_there, value)
        known |= _update(inverse, step, y)

        active = [which, point, value, slope, inverse, scale, known, left]
        going = (slope.norm(dim=1) > tolerance) & (left > 0)
        if not going.all():  # others take the place of the problems that have ended
            x[which], f[which], g[which] = point, value, slope
            still = [part[going] for part in active]
            active = [torch.cat(both) for both in zip(still, next_problems(TOGETHER - len(still[0])), strict=True)]
    return x, f, g.norm(dim=1)


def _update(
    inverse: Float64[Tensor, "problem variable variable"],
    step: Float64[Tensor, "problem variable"],
    y: Float64[Tensor, "problem variable"],
) -> Bool[Tensor, " problem"]:
    """Apply the BFGS update to the inverse Hessians in place; return a mask of the problems updated.

    ``y`` is the change of the gradient over the step. Problems without positive curvature along it are skipped, and so
    are those with ``y = 0``.
    """
    curvature = (step * y).sum(1)
    updated = curvature > 1e-10 * step.norm(dim=1) * y.norm(dim=1)
    r = torch.where(updated, 1 / curvature, 0.0)[:, None]
    Hy = (inverse @ y[:, :, None])[..., 0]
    # (1 - r s yᵀ) H (1 - r y sᵀ) + r s sᵀ, multiplied out: no products of matrices.
    half = r * (step * (1 + r * (y * Hy).sum(1, keepdim=True)) / 2 - Hy)
    turn = half[:, :, None] * step[:, None, :]
    inverse += turn + turn.mT
    return updated

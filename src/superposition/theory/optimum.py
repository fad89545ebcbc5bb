"""The best models there are: minima of the exact expected loss over W and b, to rounding (n ≤ 3).

The paper's phase diagrams hold trained models against a few fixed configurations. The true optimum lies between the
two: it needs no training, no samples, and no choice of candidates.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import exact
from superposition.theory.bfgs import EVALUATIONS, minimise
from superposition.theory.simplices import arranged, arrangements

# Standard deviation of a start's weights around those of an arrangement.
NEAR = 0.05
# Relative difference from which one loss counts as lower than another: above rounding errors.
GAIN = 1e-12
# Evaluations that every start gets; only those within MARGIN of the lowest loss by then are followed to the end.
TRIAL, MARGIN = 30, 0.03


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

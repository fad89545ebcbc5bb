"""Globally best models: minima of the exact expected loss over W and b, found to rounding error (n ≤ 3).

The paper's phase diagrams compare trained models with a small set of fixed configurations. The true optimum is the
reference for both: it needs no training, no samples and no choice of candidates.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import exact
from superposition.theory.bfgs import MAX_EVALUATIONS, minimise
from superposition.theory.simplices import arrange_simplices, arrangements

# Standard deviation of the initial weights around those of an arrangement of simplices.
START_DEVIATION = 0.05
# Smallest relative difference between two losses that is not attributed to rounding.
RELATIVE_ROUNDING = 1e-12
# Number of evaluations granted to every initialisation.
TRIAL_EVALUATIONS = 30
# Relative distance from the lowest loss within which a search is continued after the trial.
TRIAL_MARGIN = 0.03


def initial_parameters(
    model: Model, density: Float64[Tensor, "point n"], count: int, seed: int = 0
) -> Float64[Tensor, "point count size"]:
    """Initialise searches for the optimum: near every arrangement of simplices, then at random.

    The initial weights lie near an arrangement rather than at it, because a search preserves symmetries and would end
    on a saddle where the optimum is less symmetric. The bias of a dropped feature starts at the feature's mean. The
    random initialisations are Xavier-normal with zero biases. W is the same at every point.
    """
    generator = torch.Generator().manual_seed(seed)
    known = [arrange_simplices(groups, model.n, model.m) for groups in arrangements(model.n, model.m)][:count]
    drawn = torch.randn(count, model.m, model.n, generator=generator, dtype=torch.float64)
    W = drawn * (2 / (model.n + model.m)) ** 0.5
    W[: len(known)] = torch.stack(known) + START_DEVIATION * drawn[: len(known)]
    dropped = torch.zeros(count, model.n, dtype=torch.bool)
    dropped[: len(known)] = (torch.stack(known) == 0).all(1)
    bias = torch.where(dropped, exact.feature_mean(density)[:, None], 0.0)
    return torch.cat([W.flatten(1).expand(len(density), -1, -1), bias], dim=-1)


def best_models(
    model: Model,
    density: Float64[Tensor, "point n"],
    importance: Float64[Tensor, "point n"],
    restarts: int,
    seed: int = 0,
) -> tuple[Float64[Tensor, "point restart size"], Float64[Tensor, "point restart"]]:
    """Search for the models with the lowest exact loss at every point.

    Every initialisation is followed for a limited number of evaluations; at each point, those with the lowest losses
    are then followed until the gradient vanishes. Nothing guarantees that the search finds the optimum. In the phase
    diagrams ten restarts find what sixty do, but three features of different densities in one dimension need about
    forty: there, two minima can lie close together and differ only in one negative bias.

    Args:
        model: Architecture; see :func:`exact.expected_loss` for its limits.
        density, importance: Of every feature at every point.
        restarts, seed: Number per point, and seed, of the :func:`initial_parameters`.

    Returns:
        The parameters and losses at the end of every search. Losses at one point that differ from the lowest only by
        rounding are set equal to it.
    """
    begin = initial_parameters(model, density, restarts, seed)
    size, unit = begin.shape[-1], (density * importance).sum(-1)

    def losses(parameters: Tensor, point: Tensor) -> Tensor:
        loss = exact.expected_loss(model, model.unpack(parameters), density[point], importance[point])
        return loss / unit[point]

    point = torch.arange(len(begin)).repeat_interleave(restarts)
    x, loss = begin.reshape(-1, size).clone(), torch.empty(len(point), dtype=torch.float64)

    def search(rows: Tensor, max_evaluations: int) -> None:
        x[rows], loss[rows], _ = minimise(
            lambda x, k: losses(x, point[rows[k]]), x[rows], max_evaluations=max_evaluations
        )

    def lowest() -> Tensor:
        """Return, for every search, the lowest loss found so far at its point."""
        return loss.view(-1, restarts).min(dim=1).values.repeat_interleave(restarts)

    search(torch.arange(len(point)), TRIAL_EVALUATIONS)
    search(revive_dead_outputs(model, x, density[point]), TRIAL_EVALUATIONS)
    search(torch.arange(len(point))[loss <= (1 + TRIAL_MARGIN) * lowest()], MAX_EVALUATIONS)
    # Equivalent features give equivalent minima. Setting their losses equal makes the first of them the best, instead
    # of the one that rounding favours.
    loss = torch.where(loss <= (1 + RELATIVE_ROUNDING) * lowest(), lowest(), loss)
    return x.view(-1, restarts, size), loss.view(-1, restarts) * unit[:, None]


def revive_dead_outputs(
    model: Model, x: Float64[Tensor, "k size"], density: Float64[Tensor, "k n"]
) -> Int64[Tensor, " dead"]:
    """Set the biases of dead outputs to the means of their features, in place.

    A dead output is always 0 and so has no gradient.

    Returns:
        The indices of the models that had dead outputs.
    """
    p = model.unpack(x)
    largest_argument = p["b"] + (p["W"].mT @ p["W"]).clamp(min=0).sum(-1)
    dead = (largest_argument <= 0) & (model.output_function == "relu")
    p["b"][dead] = exact.feature_mean(density)[dead]
    return torch.arange(len(x))[dead.any(-1)]

"""How far trained models are from the best that is known, at every point of a family of sweeps."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from superposition.core.experiment.grid import COORDINATES
from superposition.core.weights import SweepResult
from superposition.search.conditions import Family
from superposition.search.constructions import Candidate
from superposition.search.exchange import search
from superposition.search.polishing import Bench, Draws, standard_error
from superposition.search.tiles import train_tiles
from superposition.training.devices import available_cores, thread_pool
from superposition.training.evaluation import is_exact

# On what models are compared, and the stream of the draws, on which none was chosen.
DRAWS, STREAM = Draws(2**16, 2**24, 2**16), 9


class Best(NamedTuple):
    """The best known models of a sweep, one at every point.

    Attributes:
        models: The models; the sweep has one initialisation.
        table: One row per point: its coordinates; the loss of the trained model and of the best known one (``trained``,
            ``known``) with their standard errors; where the best known one comes from; by what share the trained model
            costs more (``excess``); and by what share the best known one costs more than any construction (``gap``).
    """

    models: SweepResult
    table: pd.DataFrame


def find_best(trained: Mapping[str, SweepResult], threads: int | None = None) -> dict[str, Best]:
    """Search for the best models at all points of sweeps that exchange models, and compare the trained ones with them.

    The search runs on the CPU. On the same machine, the same trained models give the same bytes, whatever the number of
    threads.

    Args:
        trained: The sweeps, by name of the experiment.
        threads: Number of threads; all available cores by default.
    """
    threads, sweeps = threads or available_cores(), {name: models.sweep for name, models in trained.items()}
    tiles = train_tiles(sweeps, threads)
    family = Family(sweeps | {name: models.sweep for name, models in tiles.items()})
    with thread_pool(threads) as pool:
        state, rivals = search(Bench(family, pool), {**trained, **tiles})
        bench, best = state.bench, [state.best[k] for k in range(len(family.conditions))]
        of_point = {name: _of_point(models, family.of_point[name]) for name, models in trained.items()}
        for name, models in trained.items():
            if is_exact(models.sweep):
                bench.remember(of_point[name], models.loss.amin(dim=1).tolist(), DRAWS, STREAM)
        # Models that are evaluated together share the samples of their condition.
        bench.losses([*best, *rivals, *itertools.chain.from_iterable(of_point.values())], DRAWS, STREAM)
        known = bench.losses(best, DRAWS, STREAM)
        gap, gap_error = _gaps(bench, rivals, known)
        found = {}
        for name, models in trained.items():
            numbers, losses = family.of_point[name], bench.losses(of_point[name], DRAWS, STREAM)
            excess, excess_error = bench.gains(of_point[name], losses, known[numbers])
            columns = {
                "trained": losses.mean(axis=1),
                "trained_error": standard_error(losses),
                "known": known[numbers].mean(axis=1),
                "known_error": standard_error(known[numbers]),
                "source": [best[k].source for k in numbers],
                "excess": excess,
                "excess_error": excess_error,
                "gap": gap[numbers],
                "gap_error": gap_error[numbers],
            }
            table = models.sweep.points()[[*COORDINATES]].assign(**columns)
            table.insert(0, "experiment", name)
            found[name] = Best(_result(models, [best[k] for k in numbers], known[numbers]), table)
    return found


def _of_point(models: SweepResult, numbers: Sequence[int]) -> list[Candidate]:
    """Return the best trained model at every point of a sweep, with the number of its condition."""
    return [Candidate(k, "", p) for k, p in zip(numbers, models.model.pack(models.best()), strict=True)]


def _gaps(bench: Bench, rivals: Sequence[Candidate], known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by what share the best model of every condition lies above its rival, at least 0, and the error.

    A condition has at most one rival; both are 0 where it has none.
    """
    numbers = np.array([rival.condition for rival in rivals], dtype=int)
    excess, of_excess = bench.gains(rivals, known[numbers], bench.losses(rivals, DRAWS, STREAM))
    share, error = np.zeros(len(known)), np.zeros(len(known))
    share[numbers], error[numbers] = np.maximum(excess, 0), of_excess
    return share, error


def _result(models: SweepResult, best: Sequence[Candidate], losses: np.ndarray) -> SweepResult:
    """Return models as the result of a sweep."""
    dtype = next(iter(models.parameters.values())).dtype
    return SweepResult(
        sweep=models.sweep.model_copy(update={"restarts": 1, "snapshots": 0}),
        parameters=models.model.unpack(torch.stack([c.parameters.to(dtype) for c in best])[:, None]),
        loss=torch.from_numpy(losses.mean(axis=1))[:, None],
        loss_error=torch.from_numpy(standard_error(losses))[:, None],
        device=models.device,
    )

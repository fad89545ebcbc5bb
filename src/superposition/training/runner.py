"""Train a sweep: its blocks are handed to engines, and its restarts ranked by their losses."""

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from superposition.core.errors import SuperpositionError
from superposition.core.models import Model
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.theory import optimum
from superposition.training.blocks import Plan
from superposition.training.devices import ENGINES, available_cores, for_each, resolve_device, thread_pool
from superposition.training.engine import TrainingConfig
from superposition.training.evaluation import evaluate


def _segments(sweep: Sweep, instances: int) -> Iterator[tuple[int, int]]:
    """Stretches of steps, each a fraction of a second, cut at the snapshots."""
    model = Model.of(sweep)
    length = max(1, int(1e9 / (instances * sweep.batch * (model.n + model.m * model.n / 16))))
    marks = {0, sweep.steps, *range(length, sweep.steps, length), *snapshot_steps(sweep).tolist()}
    return itertools.pairwise(sorted(marks))


def snapshot_steps(sweep: Sweep) -> np.ndarray:
    """After how many steps snapshots are taken: evenly spaced, the last at the end."""
    return np.linspace(0, sweep.steps, sweep.snapshots + 1).round().astype(np.int64)[1:]


def train(
    sweep: Sweep,
    device: str = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    part: tuple[int, int] = (1, 1),
) -> SweepResult:
    """Trains every model of a sweep; with ``solver: exact``, finds the best ones without training.

    The same sweep on the same machine gives the same bytes, with any number of ``threads`` (default: all cores).
    ``progress``: show a bar; by default only where a person looks on (stderr is a terminal).
    ``part``: (i, k) trains the i-th of k parts of the sweep's points alone; :meth:`SweepResult.gather` joins them.
    Raises SuperpositionError if the device is not there or runs out of memory, or if a model diverges (it names which).
    """
    threads = threads or available_cores()
    hidden = None if progress is None else not progress  # None: tqdm looks whether stderr is a terminal
    where = resolve_device(device)
    if sweep.solver == "exact":
        return _solve(sweep, threads, hidden, sweep.part_range(*part))
    torch.backends.cuda.matmul.allow_tf32 = False
    plan, recipe = Plan(sweep, part), TrainingConfig.of(sweep)
    steps = snapshot_steps(sweep)
    final = torch.empty(len(plan), plan.model.size)
    kept = torch.empty(len(steps), len(plan), plan.model.size)
    stop = threading.Event()

    def run(instances: np.ndarray) -> None:
        block = plan.block(instances)
        engine = ENGINES[where.type](block.to(where), recipe, plan.initial(block, instances).to(where))
        for start, end in _segments(sweep, len(block)):
            if stop.is_set():
                return
            engine.advance(start, end)
            finite = torch.isfinite(engine.parameters).all(dim=1).cpu().numpy()
            if not finite.all():
                stop.set()
                name = plan.name(int(instances[~finite][0]))
                raise SuperpositionError(f"training diverged by step {end} at {name}: lower the learning_rate")
            if end in steps:
                kept[steps.tolist().index(end), instances] = engine.parameters.detach().cpu()
            bar.update(len(block) * (end - start))
        final[instances] = engine.parameters.detach().cpu()

    total = len(plan) * sweep.steps
    with (
        tqdm(total=total, unit="step", unit_scale=True, disable=hidden, desc=sweep.model, leave=False) as bar,
        thread_pool(threads) as pool,
    ):
        try:
            for_each(run, plan.blocks(where, threads), where, pool)
            loss, error = evaluate(plan, final, where, threads, pool)
        except BaseException:
            stop.set()
            raise

    shape = (len(plan.points), sweep.restarts)
    return SweepResult(
        sweep=sweep,
        parameters=plan.model.unpack(final.unflatten(0, shape)),
        loss=loss.unflatten(0, shape),
        loss_error=error.unflatten(0, shape),
        snapshot_steps=torch.from_numpy(steps),
        snapshots=plan.model.unpack(kept.unflatten(1, shape)) if len(steps) else {},
        device="cpu" if where.type == "cpu" else torch.cuda.get_device_name(where),
        first=plan.first,
    )


def _solve(sweep: Sweep, threads: int, hidden: bool | None, points: range) -> SweepResult:
    """The exact optimum at every point; each restart is one start of the search. Always on the CPU, in float64."""
    model = Model.of(sweep)
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(points), sweep.importances(points)))

    def solve(first: int) -> tuple[Tensor, Tensor]:
        here = slice(first, first + sweep.group_size)
        return optimum.best_models(model, density[here], importance[here], sweep.restarts)

    units = range(0, len(points), sweep.group_size)
    with thread_pool(threads) as pool:
        found = list(tqdm(pool.map(solve, units), total=len(units), disable=hidden, desc="exact", leave=False))
    parameters, loss = (torch.cat(part) for part in zip(*found, strict=True))
    return SweepResult(
        sweep=sweep,
        parameters=model.unpack(parameters),
        loss=loss,
        loss_error=torch.zeros_like(loss),
        snapshot_steps=torch.zeros(0, dtype=torch.int64),
        first=points.start,
    )

"""Training of a sweep: engines train its blocks, and restarts are ranked by their expected losses."""

import itertools
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from tqdm import tqdm

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.cost import WORK_PER_CORE_HOUR
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.theory import optimum
from superposition.training.blocks import Plan
from superposition.training.devices import available_cores, for_each, is_fast, make_engine, resolve_device, thread_pool
from superposition.training.engine import TrainingConfig
from superposition.training.evaluation import evaluate

LOG = logging.getLogger(__name__)
# How a bar looks: how much of all steps of all models is done, and the time left.
BAR: dict[str, Any] = {
    "bar_format": "{desc} {percentage:3.0f}%|{bar}| {remaining} left, {rate_fmt}",
    "unit_scale": True,
    "leave": False,
    "miniters": 1,
}
# Bars need no thread that watches them: it outlives the interpreter, and a process that is ending can crash in it.
tqdm.monitor_interval = 0


def _segments(sweep: Sweep, instances: int) -> Iterator[tuple[int, int]]:
    """Divide the steps into ranges [start, stop) that take a fraction of a second each and end at the snapshots."""
    model = Model.of(sweep)
    length = max(1, int(1e9 / (instances * sweep.batch * (model.n + model.m * model.n / 16))))
    ends = {0, sweep.steps, *range(length, sweep.steps, length), *snapshot_steps(sweep).tolist()}
    return itertools.pairwise(sorted(ends))


def snapshot_steps(sweep: Sweep) -> np.ndarray:
    """Return the numbers of steps after which snapshots are taken: evenly spaced, the last at the end."""
    return np.linspace(0, sweep.steps, sweep.snapshots + 1).round().astype(np.int64)[1:]


def train(
    sweep: Sweep,
    device: str = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    part: tuple[int, int] = (1, 1),
    label: str | None = None,
) -> SweepResult:
    """Train every model of a sweep or, with ``solver: exact``, search the optima without training.

    On the same machine, the same sweep gives the same bytes, whatever the number of threads.

    Args:
        sweep: What to train.
        device: ``cpu``, ``cuda``, or ``auto`` for the GPU if there is one.
        threads: Number of threads; all available cores by default.
        progress: Whether to show a progress bar; by default only if stderr is a terminal.
        part: (i, k) trains only the i-th of k parts of the points; :meth:`SweepResult.gather` joins the parts.
        label: Label of the progress bar; by default, the name of the model.

    Returns:
        All models, with their losses.

    Raises:
        SuperpositionError: The device is missing or out of memory, or a model diverged (the message names the model).
    """
    threads = threads or available_cores()
    # With None, tqdm hides the bar unless stderr is a terminal.
    hide_bar = None if progress is None else not progress
    torch_device = resolve_device(device)
    if sweep.solver == "exact":
        return _solve(sweep, threads, sweep.part_range(*part), label or sweep.model, hide_bar)
    plan = Plan(sweep, part)
    if not is_fast(sweep, torch_device):
        _warn_of_duration(plan, threads)
    title = f"{label or sweep.model}: {len(plan):,} models × {sweep.steps:,} steps"
    with (
        tqdm(desc=title, total=len(plan) * sweep.steps, unit="step", disable=hide_bar, **BAR) as bar,
        thread_pool(threads) as pool,
    ):
        final, snapshots = _train_blocks(plan, torch_device, threads, pool, bar)
        loss, error = evaluate(plan, final, torch_device, threads, pool)
    shape = (len(plan.points), sweep.restarts)
    return SweepResult(
        sweep=sweep,
        parameters=plan.model.unpack(final.unflatten(0, shape)),
        loss=loss.unflatten(0, shape),
        loss_error=error.unflatten(0, shape),
        snapshot_steps=torch.from_numpy(snapshot_steps(sweep)),
        snapshots=plan.model.unpack(snapshots.unflatten(1, shape)) if len(snapshots) else {},
        device="cpu" if torch_device.type == "cpu" else torch.cuda.get_device_name(torch_device),
        first_point=plan.first_point,
    )


def _warn_of_duration(plan: Plan, threads: int) -> None:
    """Warn that a sweep is trained by plain PyTorch, and about how long that takes."""
    sweep = plan.sweep
    minutes = 60 * sweep.work * len(plan) / sweep.models / WORK_PER_CORE_HOUR / threads
    LOG.warning(
        "%s: the compiled engine does not know this model or these features; plain PyTorch takes about %s",
        sweep.model,
        f"{minutes / 60:.1f} hours" if minutes > 90 else f"{max(1, round(minutes))} min",
    )


def _train_blocks(
    plan: Plan, device: torch.device, threads: int, pool: ThreadPoolExecutor, bar: tqdm
) -> tuple[Float32[Tensor, "instance size"], Float32[Tensor, "snapshot instance size"]]:
    """Train all blocks of a plan; return the final parameters of every instance, and those at its snapshots.

    Raises:
        SuperpositionError: A model diverged.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    sweep, config, steps = plan.sweep, TrainingConfig.of(plan.sweep), snapshot_steps(plan.sweep)
    final = torch.empty(len(plan), plan.model.size)
    snapshots = torch.empty(len(steps), len(plan), plan.model.size)
    stop = threading.Event()

    def train_block(instances: np.ndarray) -> None:
        block = plan.block(instances)
        engine = make_engine(sweep, device, block, config, plan.initial(block, instances))
        for start, end in _segments(sweep, len(block)):
            if stop.is_set():
                return
            engine.advance(start, end)
            finite = torch.isfinite(engine.parameters).all(dim=1).cpu().numpy()
            if not finite.all():
                stop.set()
                model = plan.describe(int(instances[~finite][0]))
                raise SuperpositionError(f"training diverged by step {end} at {model}: lower the learning_rate")
            if end in steps:
                snapshots[steps.tolist().index(end), instances] = engine.parameters.detach().cpu()
            bar.update(len(block) * (end - start))
        final[instances] = engine.parameters.detach().cpu()

    try:
        for_each(train_block, plan.blocks(device, threads), device, pool)
    except BaseException:
        # Blocks that are still being trained end after their present segment.
        stop.set()
        raise
    return final, snapshots


def _solve(sweep: Sweep, threads: int, points: range, label: str, hide_bar: bool | None) -> SweepResult:
    """Search the exact optimum at every point on the CPU, in float64; each restart is one start of the search."""
    model = Model.of(sweep)
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(points), sweep.importances(points)))

    def solve(first: int) -> tuple[Tensor, Tensor]:
        group = slice(first, first + sweep.group_size)
        return optimum.best_models(model, density[group], importance[group], sweep.restarts, sweep.seed)

    groups, title = range(0, len(points), sweep.group_size), f"{label}: optima of {len(points):,} models"
    with thread_pool(threads) as pool:
        solved = pool.map(solve, groups)
        found = list(tqdm(solved, desc=title, total=len(groups), unit="group", disable=hide_bar, **BAR))
    parameters, loss = (torch.cat(results) for results in zip(*found, strict=True))
    return SweepResult(
        sweep=sweep,
        parameters=model.unpack(parameters),
        loss=loss,
        loss_error=torch.zeros_like(loss),
        first_point=points.start,
    )

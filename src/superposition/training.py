"""Trains a sweep: splits it into blocks, hands them to an engine, ranks the restarts."""

import hashlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor
from tqdm import tqdm

from superposition import draws, exact, optimum
from superposition.captured import Captured
from superposition.engine import Block, Engine, Recipe
from superposition.errors import SuperpositionError
from superposition.features import Gates
from superposition.fused import Fused
from superposition.models import Model, Parameters
from superposition.sweep import Sweep
from superposition.weights import Trained

ENGINES: dict[str, type[Engine]] = {"cpu": Fused, "cuda": Captured}
BLOCK_STATE = 2**16  # parameters of one block on a CPU: they stay in the second-level cache
LOSS_CHUNK = 2**18  # pairs of features in the models whose exact losses are computed together
# Models whose exact losses are computed together, at most. Beside a GPU that trains a million models in half a minute,
# a few at a time would take longer than their training.
KNOWN_TOGETHER = {"cpu": 64, "cuda": 512}
BLOCK_DATA = 2**24  # numbers in one batch of a block on a GPU: a gigabyte or two with all that is made of them


def resolve_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one. Raises SuperpositionError if a device was asked for that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise SuperpositionError(f"device: {name!r} is not one of auto, cpu, cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise SuperpositionError("device: cuda was asked for, but there is no usable GPU here; allowed are auto, cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def available_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Plan:
    """The instances at some points of a sweep, in the order (point, restart), and how they are cut into blocks."""

    def __init__(self, sweep: Sweep, part: tuple[int, int] = (1, 1)) -> None:
        here = sweep.part(*part)
        self.sweep, self.model, self.first = sweep, Model.of(sweep), here.start
        self.points = sweep.points(here)
        self.densities, self.importances = sweep.densities(here), sweep.importances(here)
        self.distributions = sweep.distributions(here)
        self.has_sets = any(d.sets for d in sweep.distribution)
        self.attack, self.l1 = (self.points[k].to_numpy() for k in ("attack", "l1"))
        if sweep.attacked:
            self.attack = self.attack * exact.mean_norm(torch.from_numpy(self.densities)).numpy()
        self.count = len(self.points) * sweep.restarts

    def __len__(self) -> int:
        return self.count

    def block(self, instances: np.ndarray) -> Block:
        point, restart = np.divmod(instances, self.sweep.restarts)
        seed = self.points["seed"].to_numpy()[point]
        gates = Gates.of(
            self.densities[point],
            [self.distributions[i] for i in point],
            has_sets=self.has_sets,
            conditional=self.attack[point] == 0,  # an attack changes the empty sample, too
        )
        attack, l1 = (torch.from_numpy(a[point].astype(np.float32)) for a in (self.attack, self.l1))
        return Block(
            self.model,
            gates,
            torch.from_numpy(self.importances[point].astype(np.float32)),
            torch.from_numpy(np.stack([seed, restart], axis=1)),
            attack if self.sweep.attacked else None,
            l1 if self.sweep.penalised else None,
        )

    def identity(self, instances: np.ndarray) -> Int64[Tensor, "instance 2"]:
        """Two words that say which point an instance is at, by its coordinates and not by its place in the grid:
        a point's models do not change when others are added to its sweep. What models are trained against does not
        count: they start from the same weights."""
        points, which = np.unique(instances // self.sweep.restarts, return_inverse=True)
        coordinates = self.points.iloc[points].drop(columns=["attack", "l1", "seed"]).to_dict(orient="split")["data"]
        digests = [hashlib.blake2b(json.dumps(values).encode(), digest_size=8).digest() for values in coordinates]
        words = np.frombuffer(b"".join(digests), dtype="<u4").reshape(-1, 2).astype(np.int64)
        return torch.from_numpy(words[which])

    def initial(self, block: Block, instances: np.ndarray) -> Float32[Tensor, "instance size"]:
        """Xavier-normal weights by the sizes of one instance, and biases of zero, as in the authors' notebook; the
        weights times ``initial_scale``.

        With a centred bias the outputs, but for their ReLU, start with the mean of the features: b = (1 - WᵀW) E[x].
        In large dense models the means would otherwise push outputs so far below 0 that they stay there for good.

        The absolute model's output weights start at their absolute values: hidden units and targets are never below
        0, and an output that starts there for most samples stays there.
        """
        model = self.model
        parameters = torch.zeros(len(block), model.size)
        matrices = [p for k, p in model.unpack(parameters).items() if k.startswith("W")]
        drawn = draws.normals(block.key, self.identity(instances), len(matrices) * model.n * model.m)
        scale = self.sweep.initial_scale * (2 / (model.n + model.m)) ** 0.5
        for matrix, part in zip(matrices, drawn.split(model.n * model.m, dim=1), strict=True):
            matrix.copy_(scale * part.unflatten(1, (model.m, model.n)))
        if model.absolute:
            model.unpack(parameters)["W_out"].abs_()
        if self.sweep.initial_bias == "centred":
            p, density = model.unpack(parameters), self.densities[instances // self.sweep.restarts]
            mean, W = exact.feature_mean(torch.from_numpy(density)), p["W"].double()
            # Sums, not matrix products: those may round by the number of instances that are made together.
            hidden = (W * mean[:, None, :]).sum(-1)
            p["b"].copy_(mean - (W * hidden[:, :, None]).sum(-2))
        return parameters

    def blocks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Numbers of the instances of each block. On a CPU the instances of a block share their stream of data.

        On a GPU all blocks of a sweep, also those of its other parts, are of one size, so that they share a compilation
        and the very same arithmetic: the last one is filled up with instances that are in it already.
        """
        if device.type == "cuda":
            whole = self.sweep.models
            size = -(-whole // -(-whole * self.sweep.batch * self.model.n // BLOCK_DATA))
            return [np.resize(np.arange(i, min(i + size, self.count)), size) for i in range(0, self.count, size)]
        instance = np.arange(self.count)
        point, restart = np.divmod(instance, self.sweep.restarts)
        stream = self.points["seed"].to_numpy()[point] * self.sweep.restarts + restart
        streams = [instance[stream == s] for s in np.unique(stream)] if self.count > 1 else [instance]
        # As few blocks as keep all threads busy to the end (they share their draws), and none larger than the cache.
        count = len(streams)
        parts = next(k for k in itertools.count(1) if count * k % threads == 0 or count * k >= 4 * threads)
        size = max(1, min(BLOCK_STATE // self.model.size, -(-len(streams[0]) // parts)))
        # Cut from the end: the first densities of a sweep are its largest, by custom, and their models take longest.
        return [s[max(0, i - size) : i] for s in streams for i in range(len(s), 0, -size)]

    def chunks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Numbers of the instances that are evaluated together: all see the same draws."""
        if device.type == "cuda":
            return self.blocks(device, threads)
        parts = max(threads, -(-self.count * self.model.size // BLOCK_STATE))
        return np.array_split(np.arange(self.count), min(parts, self.count))

    def name(self, instance: int) -> str:
        point, restart = divmod(int(instance), self.sweep.restarts)
        return ", ".join(f"{k} {v}" for k, v in self.points.iloc[point].items()) + f", restart {restart}"


def _segments(sweep: Sweep, instances: int) -> Iterator[tuple[int, int]]:
    """Stretches of steps, each a fraction of a second, cut at the snapshots."""
    model = Model.of(sweep)
    length = max(1, int(1e9 / (instances * sweep.batch * (model.n + model.m * model.n / 16))))
    marks = {0, sweep.steps, *range(length, sweep.steps, length), *snapshot_steps(sweep).tolist()}
    return itertools.pairwise(sorted(marks))


def snapshot_steps(sweep: Sweep) -> np.ndarray:
    """After how many steps snapshots are taken: evenly spaced, the last at the end."""
    return np.linspace(0, sweep.steps, sweep.snapshots + 1).round().astype(np.int64)[1:]


def _plain(sweep: Sweep) -> bool:
    """Independent features in [0, 1], a linear hidden layer, and nothing but the loss is minimised: then parts of it,
    or all, are known exactly."""
    return sweep.independent and not (Model.of(sweep).relu_hidden or sweep.attacked or sweep.penalised)


def _is_exact(sweep: Sweep) -> bool:
    return _plain(sweep) and (sweep.model == "linear" or sweep.n <= 3)


def _known_loss(plan: _Plan, instances: np.ndarray, parameters: Float32[Tensor, "instance size"]) -> Tensor:
    """The part of the expected loss that needs no draw: all of it where it is exact; else that of the samples with
    nothing on and, in the ReLU-output model, with one feature on."""
    model, point = plan.model, instances // plan.sweep.restarts
    density, importance = (torch.from_numpy(a[point]) for a in (plan.densities, plan.importances))
    p = model.unpack(parameters.double())
    if model.name == "linear" and _plain(plan.sweep):
        return exact.linear_loss(p["W"], p["b"], density, importance)
    if _is_exact(plan.sweep):
        return exact.expected_loss(model, p, density, importance)
    empty = exact.empty_loss(model, p, importance)
    if plan.sweep.penalised:
        nothing = torch.zeros(len(point), 1, model.n, dtype=torch.float64)
        empty = empty + torch.from_numpy(plan.l1[point]) * model.hidden(p, nothing)[:, 0].abs().sum(-1)
    known = plan.block(instances).gates.empty.double() * empty
    if _plain(plan.sweep):
        single = exact.single_loss(p["W"], p["b"], importance)
        known = known + (exact.only_probability(density) * single).sum(-1)
    return known


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each run PyTorch with one thread: those inside others would wait for one another."""
    own_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(own_threads)


def _each(
    work: Callable[[np.ndarray], None], blocks: list[np.ndarray], where: torch.device, pool: ThreadPoolExecutor
) -> None:
    """Side by side on a CPU; one after the other on a GPU, which each fills."""
    try:
        for _ in (pool.map if where.type == "cpu" else map)(work, blocks):
            pass
    except torch.OutOfMemoryError:
        raise SuperpositionError(
            "the GPU is out of memory: let fewer jobs share it (snakemake --resources gpu=1), or use device: cpu"
        ) from None


def train(
    sweep: Sweep,
    device: str = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    part: tuple[int, int] = (1, 1),
) -> Trained:
    """Trains every model of a sweep; with ``solver: exact``, finds the best ones without training.

    The same sweep on the same machine gives the same bytes, with any number of ``threads`` (default: all cores).
    ``progress``: show a bar; by default only where a person looks on (stderr is a terminal).
    ``part``: (i, k) trains the i-th of k parts of the sweep's points alone; :meth:`Trained.gather` joins them.
    Raises SuperpositionError if the device is not there or runs out of memory, or if a model diverges (it names which).
    """
    threads = threads or available_cores()
    hidden = None if progress is None else not progress  # None: tqdm looks whether stderr is a terminal
    where = resolve_device(device)
    if sweep.solver == "exact":
        return _solve(sweep, threads, hidden, sweep.part(*part))
    torch.backends.cuda.matmul.allow_tf32 = False
    plan, recipe = _Plan(sweep, part), Recipe.of(sweep)
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
        _pool(threads) as pool,
    ):
        try:
            _each(run, plan.blocks(where, threads), where, pool)
            loss, error = _evaluate(plan, final, where, threads, pool)
        except BaseException:
            stop.set()
            raise

    shape = (len(plan.points), sweep.restarts)
    return Trained(
        sweep=sweep,
        parameters=plan.model.unpack(final.unflatten(0, shape)),
        loss=loss.unflatten(0, shape),
        loss_error=error.unflatten(0, shape),
        snapshot_steps=torch.from_numpy(steps),
        snapshots=plan.model.unpack(kept.unflatten(1, shape)) if len(steps) else {},
        device="cpu" if where.type == "cpu" else torch.cuda.get_device_name(where),
        first=plan.first,
    )


def losses(
    sweep: Sweep, parameters: Parameters, device: str = "cpu", threads: int = 1
) -> tuple[Float64[Tensor, "point k"], Float64[Tensor, "point k"]]:
    """The expected loss of any models at the points of a sweep, k at each, and its standard error; see ``evaluation``.

    The loss alone, without attacks and penalties, whatever the models were trained against.
    Such as those along training: ``losses(sweep, {p: s[:, 0].swapaxes(0, 1) for p, s in trained.snapshots.items()})``
    (axes: point, snapshot) has the snapshots of restart 0. All are seen the same draws, so that they can be compared.
    """
    count = next(iter(parameters.values())).shape[1]
    where = resolve_device(device)
    alone = {axis: (0.0,) * len(getattr(sweep, axis)) for axis in ("attack", "l1")}
    plan = _Plan(sweep.model_copy(update={"restarts": count, **alone}))
    with _pool(threads) as pool:
        found = _evaluate(plan, plan.model.pack(parameters).flatten(0, 1), where, threads, pool)
    loss, error = (part.unflatten(0, (-1, count)) for part in found)
    return loss, error


def _evaluate(
    plan: _Plan,
    parameters: Float32[Tensor, "instance size"],
    where: torch.device,
    threads: int,
    pool: ThreadPoolExecutor,
) -> tuple[Float64[Tensor, " instance"], Float64[Tensor, " instance"]]:
    """Expected losses and their standard errors: what is known exactly, and the mean over draws of the rest."""
    loss, error = (torch.zeros(len(plan), dtype=torch.float64) for _ in range(2))
    samples = max(1, plan.sweep.evaluation // plan.sweep.n)

    def draw(instances: np.ndarray) -> None:
        block = plan.block(instances)
        engine = ENGINES[where.type](block.to(where), Recipe.of(plan.sweep), parameters[instances].to(where))
        something = block.gates.any_from[:, 0].double()
        drawn = engine.losses(samples, coactive=_plain(plan.sweep))
        loss[instances], error[instances] = (something * torch.from_numpy(part) for part in drawn)

    together = max(1, min(KNOWN_TOGETHER[where.type], LOSS_CHUNK // plan.sweep.n**2))

    def add_known(first: int) -> None:
        # Always as many at once, the last ones again if need be: matrix products may round by the size of a batch.
        instances = np.arange(first, min(first + together, len(plan)))
        filled = np.resize(instances, together)
        loss[instances] += _known_loss(plan, filled, parameters[filled])[: len(instances)]

    if not _is_exact(plan.sweep):
        _each(draw, plan.chunks(where, threads), where, pool)
    for _ in pool.map(add_known, range(0, len(plan), together)):
        pass
    return loss, error


def _solve(sweep: Sweep, threads: int, hidden: bool | None, points: range) -> Trained:
    """The exact optimum at every point; each restart is one start of the search. Always on the CPU, in float64."""
    model = Model.of(sweep)
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(points), sweep.importances(points)))

    def solve(first: int) -> tuple[Tensor, Tensor]:
        here = slice(first, first + sweep.unit)
        return optimum.best_models(model, density[here], importance[here], sweep.restarts)

    units = range(0, len(points), sweep.unit)
    with _pool(threads) as pool:
        found = list(tqdm(pool.map(solve, units), total=len(units), disable=hidden, desc="exact", leave=False))
    parameters, loss = (torch.cat(part) for part in zip(*found, strict=True))
    return Trained(
        sweep=sweep,
        parameters=model.unpack(parameters),
        loss=loss,
        loss_error=torch.zeros_like(loss),
        snapshot_steps=torch.zeros(0, dtype=torch.int64),
        first=points.start,
    )

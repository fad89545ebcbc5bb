"""The expected losses of trained models, by which restarts are ranked: exact where they can be, drawn elsewhere."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from superposition.core.models import Model, Parameters
from superposition.core.sweep import Sweep
from superposition.theory import exact
from superposition.training.blocks import Plan
from superposition.training.devices import ENGINES, for_each, resolve_device, thread_pool
from superposition.training.engine import TrainingConfig

# Pairs of features in the models whose exact losses are computed together.
LOSS_CHUNK = 2**18


def _plain(sweep: Sweep) -> bool:
    """Independent features in [0, 1], a linear hidden layer, and nothing but the loss is minimised: then parts of it,
    or all, are known exactly."""
    return sweep.independent and not (Model.of(sweep).relu_hidden or sweep.attacked or sweep.penalised)


def _is_exact(sweep: Sweep) -> bool:
    return _plain(sweep) and (sweep.model == "linear" or sweep.n <= 3)


def _known_loss(plan: Plan, instances: np.ndarray, parameters: Float32[Tensor, "instance size"]) -> Tensor:
    """The part of the expected loss that needs no draw: all of it where it is exact; else that of the samples with
    nothing on and, in the ReLU-output model, with one feature on."""
    model, point = plan.model, instances // plan.sweep.restarts
    density, importance = (torch.from_numpy(a[point]) for a in (plan.densities, plan.importances))
    p = model.unpack(parameters.double())
    if model.name == "linear" and _plain(plan.sweep):
        return exact.linear_loss(p["W"], p["b"], density, importance)
    if _is_exact(plan.sweep):
        return exact.expected_loss(model, p, density, importance)
    empty = exact.all_zero_loss(model, p, importance)
    if plan.sweep.penalised:
        nothing = torch.zeros(len(point), 1, model.n, dtype=torch.float64)
        empty = empty + torch.from_numpy(plan.l1[point]) * model.hidden(p, nothing)[:, 0].abs().sum(-1)
    known = plan.block(instances).gates.empty.double() * empty
    if _plain(plan.sweep):
        single = exact.single_active_loss(p["W"], p["b"], importance)
        known = known + (exact.single_active_probability(density) * single).sum(-1)
    return known


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
    plan = Plan(sweep.model_copy(update={"restarts": count, **alone}))
    with thread_pool(threads) as pool:
        found = evaluate(plan, plan.model.pack(parameters).flatten(0, 1), where, threads, pool)
    loss, error = (part.unflatten(0, (-1, count)) for part in found)
    return loss, error


def evaluate(
    plan: Plan,
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
        engine = ENGINES[where.type](block.to(where), TrainingConfig.of(plan.sweep), parameters[instances].to(where))
        something = block.gates.any_from[:, 0].double()
        drawn = engine.losses(samples, coactive=_plain(plan.sweep))
        loss[instances], error[instances] = (something * torch.from_numpy(part) for part in drawn)

    together = max(1, min(64, LOSS_CHUNK // plan.sweep.n**2))

    def add_known(first: int) -> None:
        # Always as many at once, the last ones again if need be: matrix products may round by the size of a batch.
        instances = np.arange(first, min(first + together, len(plan)))
        filled = np.resize(instances, together)
        loss[instances] += _known_loss(plan, filled, parameters[filled])[: len(instances)]

    if not _is_exact(plan.sweep):
        for_each(draw, plan.chunks(where, threads), where, pool)
    for _ in pool.map(add_known, range(0, len(plan), together)):
        pass
    return loss, error

"""Expected losses of trained models, by which restarts are ranked: exact where possible, estimated elsewhere."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from superposition.core.experiment.sweep import Sweep
from superposition.core.experiment.values import BINARY
from superposition.core.models import Model, Parameters
from superposition.theory import exact
from superposition.training.blocks import Plan
from superposition.training.devices import for_each, make_engine, resolve_device, thread_pool
from superposition.training.engine import TrainingConfig

# Pairs of features, over all models whose exact losses are computed together.
LOSS_CHUNK = 2**18
# Largest number of samples over which a loss is summed instead of being estimated.
ENUMERATED = 2**12
# Largest number of models whose exact losses are computed together. A GPU trains a million models in half a minute; to
# compute their losses a few at a time would take longer than that.
ANALYTIC_MODELS = {"cpu": 64, "cuda": 512}


def has_closed_form(sweep: Sweep) -> bool:
    """Return whether the loss of samples with one active feature has a closed form.

    It has if features are independent and never negative, the hidden layer is linear, the output is linear or a ReLU,
    and only the loss is minimised.
    """
    return sweep.independent and Model.of(sweep).has_closed_form and sweep.loss_alone


def _is_enumerable(sweep: Sweep) -> bool:
    """Return whether the expected loss is a sum over few samples, as for any model of few binary features."""
    samples = (3 if sweep.signed else 2) ** sweep.n
    return sweep.values == BINARY and not sweep.has_sets and sweep.loss_alone and samples <= ENUMERATED


def is_exact(sweep: Sweep) -> bool:
    """Return whether the whole expected loss is computed in closed form, without sampling."""
    linear, bounded = Model.of(sweep).output_function == "linear", sweep.values.shape == "uniform"
    return _is_enumerable(sweep) or (has_closed_form(sweep) and (linear or (bounded and sweep.n <= 3)))


def analytic_loss(
    plan: Plan, instances: np.ndarray, parameters: Float[Tensor, "instance size"], single: bool = True
) -> Tensor:
    """Return the share of the expected loss that needs no sampling.

    This is the whole loss if it is exact; otherwise the share of the all-zero sample and, where it has a closed form
    and is wanted (``single``), the share of the samples with one active feature.
    """
    model, point = plan.model, instances // plan.sweep.restarts
    density, importance = (torch.from_numpy(a[point]) for a in (plan.densities, plan.importances))
    p, values = model.unpack(parameters.double()), plan.sweep.values
    if _is_enumerable(plan.sweep):
        return exact.enumerated_loss(model, p, density, importance, plan.sweep.signed)
    if model.output_function == "linear" and has_closed_form(plan.sweep):
        return exact.linear_loss(p["W"], p["b"], density, importance, values, p.get("W_out"))
    if is_exact(plan.sweep):
        return exact.expected_loss(model, p, density, importance, minimum=values.minimum)
    all_zero = exact.all_zero_loss(model, p, importance)
    if plan.sweep.penalised:
        x = torch.zeros(len(point), 1, model.n, dtype=torch.float64)
        all_zero = all_zero + torch.from_numpy(plan.l1[point]) * model.hidden(p, x)[:, 0].abs().sum(-1)
    loss = plan.block(instances).gates.all_zero_probability.double() * all_zero
    if single and has_closed_form(plan.sweep):
        of_one = exact.single_active_loss(p["W"], p["b"], importance, values, p.get("W_out"))
        loss = loss + (exact.single_active_probability(density) * of_one).sum(-1)
    return loss


def losses(
    sweep: Sweep, parameters: Parameters, device: str = "cpu", threads: int = 1
) -> tuple[Float64[Tensor, "point k"], Float64[Tensor, "point k"]]:
    """Evaluate the expected losses of any models at the points of a sweep, without what models are trained against.

    For example, ``losses(sweep, {p: s[:, :, 0].swapaxes(0, 1) for p, s in trained.snapshots.items()})`` evaluates the
    snapshots of restart 0. All models see the same draws, so that their losses can be compared.

    Args:
        sweep: The sweep; its own restarts are ignored, and so are attacks, penalties, noise and dropout.
        parameters: Parameters by name, with k models at every point; W is [point, k, m, n].
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: Number of threads on a CPU.

    Returns:
        The losses and their standard errors, which are 0 where a loss is exact.
    """
    count = next(iter(parameters.values())).shape[1]
    torch_device = resolve_device(device)
    alone = {axis: (0.0,) * len(getattr(sweep, axis)) for axis in ("attack", "l1", "noise")}
    plan = Plan(sweep.model_copy(update={"restarts": count, "dropout": 0.0, **alone}))
    with thread_pool(threads) as pool:
        found = evaluate(plan, plan.model.pack(parameters).flatten(0, 1), torch_device, threads, pool)
    loss, error = (values.unflatten(0, (-1, count)) for values in found)
    return loss, error


def evaluate(
    plan: Plan,
    parameters: Float[Tensor, "instance size"],
    device: torch.device,
    threads: int,
    pool: ThreadPoolExecutor,
) -> tuple[Float64[Tensor, " instance"], Float64[Tensor, " instance"]]:
    """Return the expected loss of every instance and its standard error.

    Each loss is the sum of a share that is known exactly and the mean of the rest over samples.
    """
    loss, error = (torch.zeros(len(plan), dtype=torch.float64) for _ in range(2))
    samples = max(1, plan.sweep.evaluation // plan.sweep.n)

    def draw(instances: np.ndarray) -> None:
        block = plan.block(instances)
        config = TrainingConfig.of(plan.sweep)
        engine = make_engine(plan.sweep, device, block, config, parameters[instances].float())
        any_active = block.gates.any_from[:, 0].double()
        drawn = engine.losses(samples, coactive=has_closed_form(plan.sweep))
        loss[instances], error[instances] = (any_active * torch.from_numpy(values) for values in drawn)

    size = max(1, min(ANALYTIC_MODELS[device.type], LOSS_CHUNK // plan.sweep.n**2))

    def add_analytic(first: int) -> None:
        # The rounding of matrix products may depend on the size of a batch, so all batches have one size: the last is
        # padded with repetitions.
        instances = np.arange(first, min(first + size, len(plan)))
        padded = np.resize(instances, size)
        loss[instances] += analytic_loss(plan, padded, parameters[padded])[: len(instances)]

    if not is_exact(plan.sweep):
        for_each(draw, plan.chunks(device, threads), device, pool)
    for _ in pool.map(add_analytic, range(0, len(plan), size)):
        pass
    return loss, error

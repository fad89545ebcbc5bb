"""Test weighted samples against losses that are computed in other ways."""

import itertools

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.search.weighted import is_rare, is_small, rarity, several_share, spread, weighted_losses
from superposition.theory import branches
from superposition.training.blocks import Plan
from superposition.training.engine import TrainingConfig
from superposition.training.fused import Fused

GROUPS, SAMPLES = 16, 2**9


def plan_of(**keys: object) -> Plan:
    return Plan(Sweep.parse({"model": "relu_output", "n": 5, "m": 2, "restarts": 1} | keys))


def models(plan: Plan, count: int = 3) -> torch.Tensor:
    return 0.5 * torch.randn(count, plan.model.size, generator=torch.Generator().manual_seed(0))


def check(found: torch.Tensor, expected: torch.Tensor, error: float | torch.Tensor = 0.0) -> None:
    """Check that losses agree within four standard errors, which are below 1 %."""
    spread = found.std(dim=1) / GROUPS**0.5
    assert (spread < 0.01 * expected).all()
    assert ((found.mean(dim=1) - expected).abs() < 4 * (spread**2 + error**2) ** 0.5 + 1e-6 * expected).all()


def of_ordinary_samples(
    plan: Plan, parameters: torch.Tensor, samples: int = 2**21
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of models on many samples, and their errors."""
    count = len(parameters)
    block = plan.block(np.zeros(count, dtype=int))
    mean, error = Fused(block, TrainingConfig.of(plan.sweep), parameters).losses(samples)
    if block.attack is not None:
        return torch.from_numpy(mean), torch.from_numpy(error)
    x, p = torch.zeros(count, 1, plan.model.n), plan.model.unpack(parameters)
    zero = plan.model.loss(p, x, block.importance)[:, 0]
    assert (plan.model.hidden(p, x) == 0).all()
    any_active = block.gates.any_from[:, 0].double()
    return (1 - any_active) * zero + any_active * torch.from_numpy(mean), any_active * torch.from_numpy(error)


@pytest.mark.parametrize("density", [0.3, 0.05])
def test_the_loss_is_that_of_all_patterns_of_active_features(density: float) -> None:
    """More than two features are active on average, or fewer."""
    plan = plan_of(n=7, density=density, relative_density={"features": [0], "ratio": [3]})
    parameters = models(plan)
    p = plan.model.unpack(parameters.double())
    density = torch.from_numpy(plan.densities).expand(len(parameters), -1)
    check(weighted_losses(plan, 0, parameters, SAMPLES, GROUPS, 0), branches.precise_loss(p["W"], p["b"], density))


@pytest.mark.parametrize(
    "keys",
    [
        {"model": "relu_output", "importance": {"decay": 0.5}, "l1": [0.3]},
        {"model": "relu_output", "values": {"minimum": 0.2}},
        {"model": "relu_hidden", "n": 8, "importance": {"decay": 0.8}, "values": {"minimum": 0.2}},
        {"model": "absolute", "m": 6, "distribution": "signed", "importance": {"decay": 0.7}},
        {"model": "relu_output", "n": 20, "density": 0.01, "importance": {"decay": 0.5}},
        {"model": "absolute", "n": 20, "density": 0.01, "distribution": "signed", "importance": {"decay": 0.7}},
    ],
)
def test_the_loss_is_that_of_ordinary_samples(keys: dict[str, object]) -> None:
    plan = plan_of(**{"density": 0.05, **keys})
    parameters = models(plan)
    check(weighted_losses(plan, 0, parameters, SAMPLES, GROUPS, 0), *of_ordinary_samples(plan, parameters))


@pytest.mark.parametrize("density", [[0.02] * 4, [0.5, 0.1, 0.3, 0.1]])
@pytest.mark.parametrize("importance", [[1.0] * 4, [1.0, 0.5, 0.1, 2.0]])
def test_how_much_samples_tell(density: list[float], importance: list[float]) -> None:
    """The sums over all patterns of active features are those of the closed forms."""
    ratio = {"features": [*range(4)], "ratio": [1]}
    plan = plan_of(n=4, density=0.1, importance=importance, relative_density=ratio)
    plan.densities[0] = density
    chance = np.zeros(5)
    for active in itertools.product((False, True), repeat=4):
        chance[sum(active)] += np.where(active, density, 1 - np.array(density)).prod()
    assert several_share(plan, 0) == pytest.approx(chance[2:].sum() / chance[1:].sum())
    # The effective number of features that share the cost is that of draws whose weights differ.
    cost = np.array(density) * importance / np.dot(density, importance)
    assert spread(plan, 0) == pytest.approx(4 * (cost**2).sum())
    assert rarity(plan, 0) == pytest.approx(spread(plan, 0) * chance[1:].sum() / chance[2:].sum())


def test_weights_are_for_sparse_independent_features() -> None:
    assert is_rare(plan_of(density=0.02), 0)
    assert is_rare(plan_of(n=80, m=20, density=0.002, importance={"decay": 0.9}), 0)
    for keys in (
        {"density": 0.5},
        {"n": 1, "m": 1, "density": 0.02},
        {"n": 400, "m": 30, "density": 0.01},
        {"density": 0.02, "attack": [0.5]},
        {"density": 0.02, "distribution": {"correlated": [[0, 1]]}},
    ):
        assert not is_rare(plan_of(**keys), 0)


def test_small_models_of_independent_features_are_spread() -> None:
    assert is_small(plan_of(density=0.5), 0)
    for keys in ({"n": 20}, {"attack": [0.5]}, {"distribution": {"correlated": [[0, 1]]}}):
        assert not is_small(plan_of(**{"density": 0.5, **keys}), 0)

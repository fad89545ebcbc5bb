"""Test weighted samples against losses that are computed in other ways."""

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.search.weighted import is_rare, is_small, weighted_losses
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
    parameters, block = models(plan), plan.block(np.zeros(3, dtype=int))
    mean, error = Fused(block, TrainingConfig.of(plan.sweep), parameters).losses(2**21)
    zero = plan.model.loss(plan.model.unpack(parameters), torch.zeros(3, 1, plan.model.n), block.importance)[:, 0]
    hidden = plan.model.hidden(plan.model.unpack(parameters), torch.zeros(3, 1, plan.model.n)).abs().sum((1, 2))
    assert (hidden == 0).all()
    any_active = block.gates.any_from[:, 0].double()
    expected = (1 - any_active) * zero + any_active * torch.from_numpy(mean)
    check(weighted_losses(plan, 0, parameters, SAMPLES, GROUPS, 0), expected, any_active * torch.from_numpy(error))


def test_weights_are_for_sparse_independent_features() -> None:
    assert is_rare(plan_of(density=0.02), 0)
    assert is_rare(plan_of(n=80, m=20, density=0.002, importance={"decay": 0.9}), 0)
    for keys in (
        {"density": 0.5},
        {"n": 400, "m": 30, "density": 0.01},
        {"density": 0.02, "attack": [0.5]},
        {"density": 0.02, "distribution": {"correlated": [[0, 1]]}},
    ):
        assert not is_rare(plan_of(**keys), 0)


def test_small_models_of_independent_features_are_spread() -> None:
    assert is_small(plan_of(density=0.5), 0)
    for keys in ({"n": 20}, {"attack": [0.5]}, {"distribution": {"correlated": [[0, 1]]}}):
        assert not is_small(plan_of(**{"density": 0.5, **keys}), 0)

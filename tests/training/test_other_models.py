"""Models and features that the paper does not have: the engines agree, however a sweep is cut, and losses are true."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cases import in_ci
from tests.training.test_runner import content

from superposition.analysis import tables
from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import ACTIVATIONS, Model
from superposition.core.weights import SweepResult
from superposition.paper.custom.plot import plot
from superposition.theory import exact
from superposition.training import evaluation
from superposition.training.autograd import Autograd
from superposition.training.blocks import Plan
from superposition.training.engine import TrainingConfig
from superposition.training.fused import Fused
from superposition.training.runner import train


class Gated(Model, name="gated"):
    """A model with one more parameter: h = Wx, x' = gate · ReLU(Wᵀh + b), and an error that is not squared."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {"gate": (self.n,)}

    def output(self, p: Any, x: torch.Tensor) -> torch.Tensor:
        return super().output(p, x) * (1 + p["gate"][..., None, :])

    def loss(self, p: Any, x: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
        return (importance[..., None, :] * (x - self.output(p, x)).abs()).sum(-1)


SMALL: dict[str, Any] = {
    "model": "relu_output",
    "n": 5,
    "m": 2,
    "density": [1, 0.3, 0.05],
    "restarts": 2,
    "steps": 20,
    "batch": 50,
    "evaluation": 5000,
}
SIGNED = {"model": "absolute", "n": 3, "m": 7, "distribution": "signed"}
SETS = {"distribution": {"correlated": [[0, 1]], "anticorrelated": [[3, 2]]}}
COMPILED: dict[str, dict[str, Any]] = {
    "profile": {"density_profile": {"zipf": 1}, "importance": {"zipf": 0.5}},
    "binary": {"values": "binary"},
    "binary in registers": {"values": "binary", "n": 2, "m": 1},
    "binary sets": {"values": "binary", **SETS},
    "from a half": {"values": {"minimum": 0.5}, "n": 3},
    "from a half, signed": {"values": {"minimum": 0.5}, **SIGNED},
    "untied": {"untied": True},
    "untied and sparse": {"untied": True, "n": 64, "m": 3, "density": [0.1, 0.01]},
    "untied and penalised": {"untied": True, "l1": [0, 0.1]},
    "linear output": {"output_activation": "linear"},
    "leaky": {"output_activation": "leaky_relu"},
    "leaky in registers": {"output_activation": "leaky_relu", "n": 2, "m": 1},
    "absolute value": {"output_activation": "abs", "n": 64, "m": 3, "density": [0.1, 0.01]},
    "linear hidden": {"model": "relu_hidden", "hidden_activation": "linear", "output_activation": "abs"},
}
REFERENCE: dict[str, dict[str, Any]] = {
    "exponential": {"values": "exponential", "snapshots": 2},
    "half-normal": {"values": "half_normal", "n": 3, "seeds": 2},
    "half-normal, signed": {"values": "half_normal", **SIGNED},
    "gelu": {"output_activation": "gelu", "attack": [0, 0.5]},
    "softplus": {"output_activation": "softplus", "untied": True, "l1": [0, 0.1]},
    "gelu inside": {"model": "relu_hidden", "m": 4, "hidden_activation": "gelu", "hidden_bias": True, **SETS},
    "binary gelu": {"values": "binary", "output_activation": "gelu"},
    "noise": {"noise": [0, 0.3], "l1": [0, 0.1]},
    "dropout and noise": {"dropout": 0.3, "noise": 0.1, "attack": [0, 0.5]},
    "custom": {"model": "gated", "l1": [0, 0.1], "snapshots": 2},
}


def sweep(**changes: Any) -> Sweep:
    return Sweep.parse(SMALL | changes)


@pytest.mark.parametrize("changes", COMPILED.values(), ids=COMPILED)
def test_the_compiled_loop_computes_what_autograd_does(changes: dict[str, Any]) -> None:
    plan = Plan(sweep(**changes, seeds=1))
    instances = np.arange(len(plan))[:: plan.sweep.restarts]
    block, config = plan.block(instances), TrainingConfig.of(plan.sweep)
    assert plan.sweep.compiled
    fast, slow = (kind(block, config, plan.initial(block, instances)) for kind in (Fused, Autograd))
    for engine in (fast, slow):
        engine.advance(0, 20)
    torch.testing.assert_close(fast.parameters, slow.parameters.detach(), atol=3e-5, rtol=0)
    for coactive in (False, True):
        np.testing.assert_allclose(fast.losses(300, coactive), slow.losses(300, coactive), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("changes", (COMPILED | REFERENCE).values(), ids=COMPILED | REFERENCE)
def test_losses_are_expectations(changes: dict[str, Any]) -> None:
    """Losses agree with the mean over batches on which no model was trained, whatever share of them is exact."""
    trained = train(sweep(**changes, evaluation=2**17))
    plan, steps = Plan(trained.sweep), trained.sweep.steps
    config = dataclasses.replace(TrainingConfig.of(trained.sweep), batch=501)
    engine = Autograd(plan.block(np.arange(len(plan))), config, trained.model.pack(trained.parameters).flatten(0, 1))
    with torch.no_grad():
        drawn = torch.stack([engine.objective(engine.parameters, steps + k) for k in range(40)]).double()
    error = torch.hypot(drawn.std(0) / 40**0.5, trained.loss_error.flatten())
    assert ((trained.loss.flatten() - drawn.mean(0)).abs() <= 5 * error + 1e-5 * drawn.mean(0)).all()
    exact = {"binary", "binary in registers", "from a half", "linear output", "binary gelu"}
    name = next(name for name, entry in (COMPILED | REFERENCE).items() if entry == changes)
    assert (trained.loss_error == 0).all() == (name in exact)


# Each of these sweeps uses random numbers in another way, or has other parameters.
CUT = {
    name: (COMPILED | REFERENCE)[name]
    for name in ("untied", "exponential", "half-normal", "gelu", "gelu inside", "noise", "dropout and noise", "custom")
}


@pytest.mark.parametrize("changes", in_ci(CUT, "noise"))
def test_the_same_bytes_however_a_sweep_is_cut(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bytes are the same whether a block of the reference engine holds some restarts, one point or all points."""
    plan = sweep(**changes, steps=4, evaluation=500)
    for models in (1, 3, 100):
        monkeypatch.setattr("superposition.core.experiment.sweep.REFERENCE_BLOCK_VALUES", models * plan.n * plan.batch)
        whole = content(train(plan, threads=1), tmp_path / "whole")
        assert content(train(plan, threads=2), tmp_path / "again") == whole
        for parts in {min(2, plan.max_parts), plan.max_parts}:
            cut = [train(plan, part=(part, parts), threads=2) for part in range(1, parts + 1)]
            assert content(SweepResult.gather(cut), tmp_path / "gathered") == whole
    again = SweepResult.load(tmp_path / "whole")
    assert again.sweep == plan
    assert again.parameters.keys() == Model.of(plan).shapes().keys()


@pytest.mark.parametrize(("noise", "dropout"), [(0.3, 0), (0, 0.4), (0.3, 0.4)])
def test_what_noise_and_dropout_cost(noise: float, dropout: float) -> None:
    """In the linear model noise and dropout cost the variance that they add to the hidden units."""
    plan = sweep(model="linear", noise=noise, dropout=dropout, evaluation=2**19, importance={"decay": 0.8})
    trained = train(plan)
    W, b = (trained.parameters[name].double() for name in ("W", "b"))
    density, importance = (torch.from_numpy(a)[:, None].expand_as(b) for a in (plan.densities(), plan.importances()))
    mean, variance = exact.feature_mean(density), exact.feature_variance(density)
    square = (W**2 * variance[:, :, None]).sum(-1) + (W * mean[:, :, None]).sum(-1) ** 2
    extra = noise**2 / (1 - dropout) + square * dropout / (1 - dropout)
    expected = exact.linear_loss(W, b, density, importance) + ((W**2 * importance[:, :, None]).sum(-1) * extra).sum(-1)
    assert ((trained.loss - expected).abs() < 5 * trained.loss_error).all()
    bare, _ = evaluation.losses(plan, trained.parameters)
    torch.testing.assert_close(bare, exact.linear_loss(W, b, density, importance))


def test_every_point_has_its_own_noise() -> None:
    """Beside noisy ones, models train as they would alone, with noise and without, up to rounding."""
    together = train(sweep(noise=[0, 0.3]))
    for noise in (0, 0.3):
        alone, rows = train(sweep(noise=noise)), torch.tensor(together.points["noise"].to_numpy() == noise)
        for name, values in alone.parameters.items():
            torch.testing.assert_close(together.parameters[name][rows], values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    """Every activation agrees with its formula in NumPy."""
    z = np.linspace(-3, 3, 13)
    expected = {
        "linear": z,
        "relu": np.maximum(z, 0),
        "leaky_relu": np.where(z > 0, z, 0.01 * z),
        "abs": np.abs(z),
        "gelu": z * (1 + torch.erf(torch.from_numpy(z) / 2**0.5).numpy()) / 2,
        "softplus": np.log1p(np.exp(z)),
    }[name]
    np.testing.assert_allclose(ACTIVATIONS[name](torch.from_numpy(z)).numpy(), expected, atol=1e-12)


def test_the_log_says_that_a_sweep_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    train(sweep(), device="cpu")
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        train(sweep(output_activation="gelu"), device="cpu")
    (record,) = caplog.records
    assert record.getMessage().endswith("plain PyTorch takes about 1 min")
    assert sweep(output_activation="gelu").work == 100 * sweep().work


def test_a_custom_model(tmp_path: Path) -> None:
    """A model defined in this file has restarts, their ranking, snapshots, a file, tables and figures."""
    plan = sweep(model="gated", steps=200, learning_rate=0.02, snapshots=2, l1=[0, 0.01])
    trained = train(plan)
    assert trained.snapshots["gate"].shape == (2, 6, 2, 5)
    assert trained.parameters["gate"].abs().max() > 0.01, "trained, too"
    start = train(plan.model_copy(update={"steps": 1, "learning_rate": 1e-12, "snapshots": 0}))
    assert (trained.loss.min(1).values < 0.9 * start.loss.min(1).values)[2:].all()
    assert (start.parameters["gate"].abs() < 1e-9).all()
    path = tmp_path / "gated.safetensors"
    assert content(train(plan), path) == content(trained, path)
    loaded = SweepResult.load(path)
    assert isinstance(loaded.model, Gated)
    assert len(tables.features(loaded)) == 6 * 5
    for figure in ("gram", "points", "dimensionality"):
        assert plot(loaded, figure).axes


def test_names_of_models() -> None:
    """An unknown name is refused with those that are known, and a custom model cannot take a built-in name."""
    with pytest.raises(SuperpositionError, match=r"mine\.model: allowed are linear, relu_output, .*, not 'other'"):
        Sweep.parse(SMALL | {"model": "other"}, "mine")
    with pytest.raises(ValueError, match="built in"):

        class Twin(Model, name="linear"):
            pass

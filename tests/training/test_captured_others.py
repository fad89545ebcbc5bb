"""The step for a GPU, traced on any machine: other values, activations, noise and dropout are as in plain PyTorch."""

from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from tests.training.test_other_models import REFERENCE, sweep

from superposition.training.autograd import Autograd
from superposition.training.blocks import Plan
from superposition.training.captured import Captured
from superposition.training.engine import TrainingConfig

# Tracing takes seconds, so each case combines several.
CASES: dict[str, dict[str, Any]] = {
    "half-normal, signed, with dropout and noise": REFERENCE["half-normal, signed"] | {"dropout": 0.3, "noise": 0.1},
    "exponential, with sets, gelu inside and noise": REFERENCE["gelu inside"] | {"values": "exponential", "noise": 0.3},
    "from a half, with softplus, untied": REFERENCE["softplus"] | {"values": {"minimum": 0.5}},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_steps_and_losses_are_those_of_autograd(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda step, **options: plain(step, backend="aot_eager", **options))
    plan = Plan(sweep(**changes))
    instances = np.arange(len(plan))
    block, config = plan.block(instances), TrainingConfig.of(plan.sweep)
    engines = [kind(block, config, plan.initial(block, instances)) for kind in (Captured, Autograd)]
    for engine in engines:
        engine.advance(0, 20)
    captured, reference = engines
    torch.testing.assert_close(captured.parameters, reference.parameters.detach(), atol=1e-5, rtol=0)
    np.testing.assert_allclose(captured.losses(100), reference.losses(100), rtol=1e-3, atol=1e-6)

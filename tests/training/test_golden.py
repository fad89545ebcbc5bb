"""Test the losses and a weight of a tiny sweep to six digits: a change that moves them retrains every model."""

from typing import Any

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.training import devices
from superposition.training.autograd import Autograd
from superposition.training.captured import Captured
from superposition.training.engine import Engine
from superposition.training.fused import Fused
from superposition.training.runner import train

TRAINING: dict[str, Any] = {"density": [0.5, 0.05], "restarts": 2, "steps": 20, "batch": 64, "evaluation": 2000}
# The losses [point, restart] and the weight W[0, 2] of the last model. Another processor changes the seventh digit.
GOLDEN: dict[str, tuple[dict[str, Any], list[list[float]], float]] = {
    "relu_output": (
        {"model": "relu_output", "n": 5, "m": 2, "importance": {"decay": 0.9}},
        [[0.357595, 0.285093], [0.0271387, 0.0102164]],
        0.379352,
    ),
    "absolute": (
        {"model": "absolute", "n": 3, "m": 4, "distribution": "signed"},
        [[0.304899, 0.328070], [0.0298678, 0.0308329]],
        0.194647,
    ),
    "noisy": (
        {"model": "relu_output", "n": 5, "m": 2, "values": "half_normal", "noise": 0.3, "dropout": 0.2},
        [[2.079286, 1.445755], [0.1682477, 0.2119360]],
        0.2838767,
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
@pytest.mark.parametrize(
    ("device", "engine"),
    [
        ("cpu", Fused),
        ("cpu", Autograd),
        pytest.param(
            *("cuda", Captured), marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
        ),
    ],
)
def test_golden_numbers(case: str, device: str, engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers are those of every engine. The compiled loop knows no noise, which the reference engine trains."""
    keys, losses, weight = GOLDEN[case]
    monkeypatch.setitem(devices.ENGINES, device, engine)
    trained = train(Sweep.parse(keys | TRAINING), device=device)
    np.testing.assert_allclose(trained.loss, losses, rtol=2e-6)
    assert trained.parameters["W"][-1, -1, 0, 2].item() == pytest.approx(weight, rel=2e-6)

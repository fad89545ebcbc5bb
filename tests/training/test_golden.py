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
        {"n": 5, "m": 2, "importance": {"decay": 0.9}},
        [[0.357595, 0.285093], [0.0271387, 0.0102164]],
        0.379352,
    ),
    "absolute": (
        {"n": 3, "m": 4, "distribution": "signed"},
        [[0.304899, 0.328070], [0.0298678, 0.0308329]],
        0.194647,
    ),
}


@pytest.mark.parametrize("model", GOLDEN)
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
def test_golden_numbers(model: str, device: str, engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, losses, weight = GOLDEN[model]
    monkeypatch.setitem(devices.ENGINES, device, engine)
    trained = train(Sweep.parse({"model": model} | sizes | TRAINING), device=device)
    np.testing.assert_allclose(trained.loss, losses, rtol=2e-6)
    assert trained.parameters["W"][-1, -1, 0, 2].item() == pytest.approx(weight, rel=2e-6)

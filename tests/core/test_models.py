"""The four models: loops over samples and units, and symmetries."""

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model, Parameters

MODELS = [
    Model("linear", 4, 2),
    Model("relu_output", 5, 3),
    Model("relu_hidden", 5, 2),
    Model("relu_hidden", 4, 3, hidden_bias=True),
    Model("absolute", 3, 6),
    Model("relu_output", 1, 1),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{model.n}-{model.m}")


def drawn(model: Model, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Draw the parameters of two instances, signed samples and importances, in float64."""
    make = torch.Generator().manual_seed(seed)
    p = model.unpack(torch.randn(2, model.size, generator=make, dtype=torch.float64))
    x = torch.randn(2, 7, model.n, generator=make, dtype=torch.float64)
    return p, x, torch.rand(2, model.n, generator=make, dtype=torch.float64)


def by_hand(model: Model, p: Parameters, x: np.ndarray) -> np.ndarray:
    """Return x' for one sample of one instance, unit by unit."""
    n, m = len(x), len(p["W"])
    h = [sum(p["W"][k, i] * x[i] for i in range(n)) for k in range(m)]
    if model.hidden_bias:
        h = [h[k] + p["b_hidden"][k] for k in range(m)]
    if model.name in ("relu_hidden", "absolute"):
        h = [max(a, 0) for a in h]
    back = p["W_out"] if model.name == "absolute" else p["W"]
    out = [sum(back[k, j] * h[k] for k in range(m)) + p["b"][j] for j in range(n)]
    return np.array(out if model.name == "linear" else [max(a, 0) for a in out])


@each_model
def test_output_and_loss_are_those_of_the_formulas(model: Model) -> None:
    """Outputs and losses follow the formulas, and instances do not mix."""
    p, x, importance = drawn(model)
    output, loss = model.output(p, x), model.loss(p, x, importance)
    for k, sample in np.ndindex(2, 7):
        values = x[k, sample].numpy()
        expected = by_hand(model, {name: a[k].numpy() for name, a in p.items()}, values)
        target = np.abs(values) if model.name == "absolute" else values
        np.testing.assert_allclose(output[k, sample], expected, atol=1e-12)
        assert loss[k, sample].item() == pytest.approx(importance[k].numpy() @ (target - expected) ** 2)


@each_model
def test_parameters_lie_one_after_another(model: Model) -> None:
    """The compiled loop reads W [m][n], W_out [m][n], b [n] and b_hidden [m] from one row of memory."""
    flat = torch.arange(2.0 * model.size).reshape(2, model.size)
    p = model.unpack(flat)
    order = [k for k in ("W", "W_out", "b", "b_hidden") if k in p]
    assert list(p) == order
    assert torch.equal(torch.cat([p[k].flatten(1) for k in order], dim=1), flat)
    assert p["W"].shape == (2, model.m, model.n)
    assert p["b"].shape == (2, model.n)
    assert ("W_out" in p) == (model.name == "absolute")
    assert ("b_hidden" in p) == model.hidden_bias
    p["b"][1] = -1  # Parameters are views of the row.
    assert (flat == -1).sum() == model.n


def test_a_model_has_the_sizes_of_its_sweep() -> None:
    sweep = Sweep(model="relu_hidden", n=6, m=4, density=0.1, hidden_bias=True)
    assert Model.of(sweep) == Model("relu_hidden", 6, 4, hidden_bias=True)
    assert Model.of(sweep).size == 6 * 4 + 6 + 4


@each_model
def test_pack_is_the_inverse_of_unpack(model: Model) -> None:
    """Every parameter is in its place, whatever the order of the dictionary, and the result is a copy."""
    flat = torch.randn(3, 2, model.size)
    packed = model.pack(dict(reversed(model.unpack(flat).items())))
    assert torch.equal(packed, flat)
    packed.zero_()
    assert flat.abs().min() > 0

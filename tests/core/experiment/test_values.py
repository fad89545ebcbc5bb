"""Densities and values other than the paper's: what a sweep says, what is drawn, and what losses are in closed form."""

from typing import Any

import numpy as np
import pytest
import torch

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.core.experiment.values import PREDEFINED, Values
from superposition.core.features import samples
from superposition.core.models import Model
from superposition.theory import exact

BASE: dict[str, Any] = {"model": "relu_output", "n": 4, "m": 2, "density": [0.5, 0.1]}
HALF = Values(minimum=0.5)
ALL = {**PREDEFINED, "uniform from 0.5": HALF}
each_value = pytest.mark.parametrize("values", ALL.values(), ids=ALL)


def test_every_way_to_write_numbers_of_features() -> None:
    """Densities are products of the axis, the profile and the ratio."""
    sweep = Sweep.parse(
        BASE
        | {"density_profile": {"zipf": 1}, "importance": {"zipf": 0.5}}
        | {"relative_density": {"features": [1], "ratio": [1, 0.5]}}
    )
    np.testing.assert_allclose(sweep.densities()[:2], [[0.5, 0.25, 0.5 / 3, 0.125], [0.5, 0.125, 0.5 / 3, 0.125]])
    np.testing.assert_allclose(sweep.importances()[0], [1, 2**-0.5, 3**-0.5, 0.5])
    for profile in ({"decay": 0.5}, [1, 0.5, 0.25, 0.125]):
        np.testing.assert_array_equal(
            Sweep.parse(BASE | {"density_profile": profile}).densities()[1], 0.1 * 0.5 ** np.arange(4)
        )
    assert np.array_equal(Sweep.parse(BASE | {"density_profile": [1] * 4}).densities(), Sweep.parse(BASE).densities())


def test_the_lowest_density_is_allowed() -> None:
    assert Sweep.parse(BASE | {"density": 1e-30}).densities().max() == 1e-30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"density_profile": [1, 2, 3]}, "density_profile: a list of 3 numbers for n = 4 features"),
        ({"density_profile": [1, 1, 1, 3]}, "density_profile: density times profile reaches 1.5, allowed is up to 1"),
        ({"density_profile": {"decay": 1e-20}}, "density: reaches 1e-61, allowed is 1e-30 or more"),
        ({"density": 9e-31}, "density: reaches 9e-31, allowed is 1e-30 or more"),
        (
            {"density_profile": {"zipf": 1}, "distribution": {"correlated": [[0, 1]]}},
            "density_profile: the features of a set have one density, but [0, 1] have several",
        ),
        (
            {"values": "normal"},
            "values: unknown values 'normal': allowed are uniform, binary, half_normal, exponential",
        ),
        ({"values": {"minimum": 2}}, "values.minimum: input should be less than or equal to 1, not 2"),
        ({"values": {"shape": "exponential", "minimum": 0.5}}, "minimum: only uniform values have one"),
        ({"values": "binary", "attack": 0.1}, "attack: needs independent features, uniform on [0, 1]"),
        ({"n": 3, "values": "binary", "solver": "exact"}, "solver: exact needs"),
        ({"model": "linear", "untied": True}, "untied: only for relu_output"),
        ({"model": "linear", "output_activation": "gelu"}, "output_activation: only"),
        ({"hidden_activation": "gelu"}, "hidden_activation: only for relu_hidden, absolute"),
        (
            {"output_activation": "tanh"},
            "output_activation: input should be 'linear', 'relu', 'leaky_relu', 'abs', 'gelu'",
        ),
    ],
    ids=str,
)
def test_errors_name_the_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SuperpositionError) as caught:
        Sweep.parse(BASE | changes, "mine")
    assert str(caught.value).startswith("mine")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@each_value
@pytest.mark.parametrize(
    "distribution", ["independent", "signed", {"correlated": [[0, 1]], "anticorrelated": [[2, 3]]}]
)
def test_samples_have_the_moments_of_their_values(values: Values, distribution: Any) -> None:
    """Active features have the moments of their values under every distribution and with either sign."""
    sweep = Sweep.parse(BASE | {"density": 0.3, "values": values, "distribution": distribution})
    _, x = samples(sweep, 0, 200_000)
    active = x[x != 0].double()
    if sweep.signed:
        assert abs(active.sign().mean()) < 0.02
    size = active.abs()
    assert size.mean().item() == pytest.approx(values.mean, rel=0.01)
    assert size.square().mean().item() == pytest.approx(values.mean_square, rel=0.02)
    assert size.min() >= values.minimum
    assert values.shape != "uniform" or size.max() <= 1


def quadrature(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return the midpoints of a million intervals of equal probability, and their weights."""
    u = torch.from_numpy((np.arange(10**6) + 0.5) / 10**6)
    quantile = {
        "uniform": values.minimum + (1 - values.minimum) * u,
        "half_normal": 2**0.5 * torch.erfinv(u),
        "exponential": -torch.log1p(-u),
    }[values.shape]
    return quantile[:, None], np.full(len(u), 1 / len(u))


@each_value
@pytest.mark.parametrize("untied", [False, True])
def test_the_loss_of_a_single_active_feature(values: Values, untied: bool) -> None:
    """The loss agrees with sums over a fine grid, with kinks inside and outside it, and with a weight of zero."""
    torch.manual_seed(0)
    model = Model("relu_output", 4, 2, untied=untied)
    p = {k: torch.randn(shape, dtype=torch.float64) for k, shape in model.shapes().items()}
    p["W"][:, 2] = 0
    importance = torch.tensor([1.0, 0.5, 2, 0.3], dtype=torch.float64)
    found = exact.single_active_loss(p["W"], p["b"], importance, values, p.get("W_out"))
    v, _ = quadrature(values)
    for i in range(4):
        expected = model.loss(p, v * torch.eye(4, dtype=torch.float64)[i], importance).mean()
        assert found[i].item() == pytest.approx(expected.item(), rel=2e-4)


def test_gradients_of_unbounded_values() -> None:
    torch.manual_seed(1)
    W, b = torch.randn(2, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    for shape in ("half_normal", "exponential"):
        values = Values(shape=shape)
        assert torch.autograd.gradcheck(
            lambda W, b, values=values: exact.single_active_loss(W, b, torch.ones_like(b), values),
            (W.requires_grad_(), b.requires_grad_()),
        )


@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_binary_losses_in_two_ways(untied: bool, activation: str) -> None:
    """An integral over cubes of no width is a sum over their only points."""
    torch.manual_seed(2)
    model = Model("relu_output", 3, 2, untied=untied, output_activation=activation)
    p = {k: torch.randn(5, *shape, dtype=torch.float64) for k, shape in model.shapes().items()}
    density, importance = torch.rand(2, 5, 3, dtype=torch.float64)
    enumerated = exact.enumerated_loss(model, p, density, importance)
    torch.testing.assert_close(exact.expected_loss(model, p, density, importance, minimum=1.0), enumerated)
    if activation == "linear":
        closed = exact.linear_loss(p["W"], p["b"], density, importance, PREDEFINED["binary"], p.get("W_out"))
        torch.testing.assert_close(closed, enumerated)


def test_binary_losses_by_hand() -> None:
    """A feature of density p is represented by an output that is b if the feature is inactive, and w² + b otherwise."""
    model, p = Model("relu_output", 1, 1), {"W": torch.tensor([[[0.5]]]), "b": torch.tensor([[0.25]])}
    density, one = torch.tensor([[0.2]]), torch.ones(1, 1)
    assert exact.enumerated_loss(model, p, density, one).item() == pytest.approx(0.8 * 0.25**2 + 0.2 * 0.5**2)
    signed = 0.8 * 0.25**2 + 0.1 * 0.5**2 + 0.1 * 1
    assert exact.enumerated_loss(model, p, density, one, signed=True).item() == pytest.approx(signed)


def test_the_exact_loss_of_values_from_a_half() -> None:
    """The exact loss agrees with two million samples."""
    torch.manual_seed(3)
    sweep = Sweep.parse(BASE | {"n": 3, "density": 0.4, "values": HALF})
    model = Model.of(sweep)
    p = {k: torch.randn(1, *shape, dtype=torch.float64) / 2 for k, shape in model.shapes().items()}
    density, importance = torch.from_numpy(sweep.densities()), torch.ones(1, 3, dtype=torch.float64)
    gates, x = samples(sweep, 0, 2 * 10**6)
    drawn = gates.any_from[0, 0] * model.loss(p, x[None].double(), importance).mean()
    drawn = drawn + gates.all_zero_probability[0] * exact.all_zero_loss(model, p, importance)
    found = exact.expected_loss(model, p, density, importance, minimum=0.5)
    torch.testing.assert_close(found, drawn.double(), rtol=3e-3, atol=0)

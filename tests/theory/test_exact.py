"""Expected losses against quadrature, enumeration, sampling, finite differences and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import integrate
from tests.tensors import tensor

from superposition.core.experiment.values import BINARY
from superposition.core.models import Model
from superposition.theory import exact

RELU, LINEAR = "relu_output", "linear"
seeds = st.integers(0, 10**6)


def loss_of(name: str, W: object, b: object, density: object, importance: object) -> torch.Tensor:
    W = tensor(W)
    model = Model(name, W.shape[-1], W.shape[-2])
    return exact.expected_loss(model, {"W": W, "b": tensor(b)}, tensor(density), tensor(importance))


def squared_error(name: str, W: np.ndarray, b: np.ndarray, importance: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the squared error of every sample x [sample, n], in NumPy."""
    z = x @ W.T @ W + b
    return ((x - (np.maximum(z, 0) if name == RELU else z)) ** 2) @ importance


def cube(name: str, W: np.ndarray, b: np.ndarray, importance: np.ndarray, on: tuple[int, ...]) -> float:
    """Return the mean loss while the features ``on`` are uniform on [0, 1] and the others 0, by adaptive cubature.

    The cube is divided first, because in the whole of it the error estimate may miss a kink near a face.
    """
    embed = np.eye(len(b))[list(on)]
    if not on:
        return squared_error(name, W, b, importance, np.zeros((1, len(b))))[0]
    pieces = {1: 16, 2: 4, 3: 2}[len(on)]
    corners = itertools.product(np.linspace(0, 1, pieces, endpoint=False), repeat=len(on))
    return sum(
        integrate.cubature(
            lambda v: squared_error(name, W, b, importance, v @ embed),
            np.array(corner),
            np.array(corner) + 1 / pieces,
            rule="gk21",
            rtol=3e-6,
            atol=1e-9,
        ).estimate
        for corner in corners
    )


def random_case(seed: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw W, b, density and importance; some weights are 0, so that kinks are parallel to axes or outside the cube."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.8)
    return W, rng.normal(-0.1, 0.3, n) * (rng.random(n) < 0.9), rng.uniform(0.05, 1, n), rng.uniform(0, 1, n)


@pytest.mark.parametrize("name", [RELU, LINEAR])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (2, 2), (3, 2)])
@settings(max_examples=3)
@given(seed=seeds)
@example(seed=903215)
@example(seed=999999)
def test_expected_loss_is_the_sum_over_patterns(name: str, size: tuple[int, int], seed: int) -> None:
    """No piece of the integrand is missed, and every pattern has its probability."""
    n, m = size
    W, b, density, importance = random_case(seed, n, m)
    expected = sum(
        np.prod([density[i] if i in on else 1 - density[i] for i in range(n)]) * cube(name, W, b, importance, on)
        for k in range(n + 1)
        for on in itertools.combinations(range(n), k)
    )
    assert loss_of(name, W, b, density, importance).item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", [RELU, LINEAR])
def test_losses_against_sampling(name: str) -> None:
    """Losses of a batch agree with sampling, which knows nothing of patterns and moments."""
    samples, rng = 2**18, np.random.default_rng(0)
    cases = [random_case(seed, 3, 2) for seed in range(5)]
    W, b, density, importance = (tensor(np.stack(part)) for part in zip(*cases, strict=True))
    losses = [loss_of(name, W, b, density, importance)]
    if name == LINEAR:
        losses.append(exact.linear_loss(W, b, density, importance))
    for k, (*weights, p, weight) in enumerate(cases):
        x = rng.random((samples, 3)) * (rng.random((samples, 3)) < p)
        sampled = squared_error(name, *weights, weight, x)
        for loss in losses:
            assert abs(loss[k].item() - sampled.mean()) < 5 * sampled.std() / samples**0.5


@given(st.floats(0.001, 1), st.floats(0.01, 10), st.floats(0.01, 10))
def test_closed_forms(p: float, a: float, b: float) -> None:
    """The phase diagrams rest on a feature alone, a dropped one, and one that shares a dimension with its antipode."""
    dropped = a * (p / 3 - p**2 / 4)
    for name in (RELU, LINEAR):
        assert loss_of(name, [[0]], [p / 2], [p], [a]).item() == pytest.approx(dropped)
        assert loss_of(name, [[1]], [0], [p], [a]).item() == pytest.approx(0, abs=1e-15)
    assert exact.feature_mean(tensor(p)).item() == p / 2
    assert (a * exact.feature_variance(tensor(p))).item() == pytest.approx(dropped)
    # With x₁ > x₂ > 0 the pair gives x₁ - x₂ and 0: both are wrong by the smaller one, and E[min²] = 1/6.
    assert loss_of(RELU, [[1, -1]], [0, 0], [p, p], [a, b]).item() == pytest.approx((a + b) * p**2 / 6)


@given(seeds, st.integers(1, 7))
def test_single_active_loss_against_quadrature(seed: int, n: int) -> None:
    """The loss of every feature alone is one integral over [0, 1] per output, divided at its kink."""
    W, b, _, importance = random_case(seed, n, 3)
    G = W.T @ W
    losses = exact.single_active_loss(*map(tensor, (W, b, importance)))
    for i in range(n):
        expected = 0.0
        for j in range(n):
            kink = -b[j] / G[i, j] if abs(G[i, j]) > 1e-12 else 0.5
            expected += (
                importance[j]
                * integrate.quad(
                    lambda x, i=i, j=j: ((i == j) * x - max(G[i, j] * x + b[j], 0)) ** 2,
                    0,
                    1,
                    points=[min(max(kink, 0), 1)],
                )[0]
            )
        assert losses[i].item() == pytest.approx(expected, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("minimum", [0.0, 0.3])
def test_pairs_cost_what_the_patterns_with_two_active_features_do(n: int, minimum: float) -> None:
    W, b, density, importance = (tensor(values) for values in random_case(1, n, 2))
    model, p = Model(RELU, n, 2), {"W": W, "b": b}
    patterns = exact.pattern_losses(model, p, importance, minimum=minimum)
    expected = sum(exact.pattern_probability(on, density) * loss for on, loss in patterns.items() if len(on) == 2)
    torch.testing.assert_close(exact.pair_active_loss(model, p, density, importance, minimum), expected)


@given(st.floats(-12, 6), st.floats(-12, 3), st.booleans(), st.booleans())
def test_no_digits_are_lost_at_extreme_weights(log_slope: float, log_bias: float, down: bool, negative: bool) -> None:
    """Tiny and huge weights occur in training, where divisions and differences could lose digits."""
    slope, bias = (-1) ** down * 10.0**log_slope, (-1) ** negative * 10.0**log_bias
    low, high = sorted([np.clip(-bias / slope, 0, 1), float(slope > 0)])  # Where slope x + bias is positive.
    assume(high - low > 1e-9)
    inside = integrate.quad(lambda x: (slope * x + bias) ** 2, low, high, epsrel=1e-12, epsabs=0)[0]
    weight = abs(slope) ** 0.5
    W = tensor([[weight, math.copysign(weight, slope)]])
    losses = exact.single_active_loss(W, tensor([0.0, bias]), tensor([0.0, 1.0]))
    assert losses[0].item() == pytest.approx(inside, rel=1e-8)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_probabilities_against_enumeration(densities: list[float]) -> None:
    """Patterns, numbers of active features, and single active features have the enumerated probabilities."""
    n = len(densities)
    count, alone = np.zeros(n + 1), np.zeros(n)
    for on in itertools.product((False, True), repeat=n):
        probability = math.prod(p if o else 1 - p for p, o in zip(densities, on, strict=True))
        which = tuple(np.flatnonzero(on).tolist())
        assert exact.pattern_probability(which, tensor(densities)).item() == pytest.approx(probability)
        count[len(which)] += probability
        if len(which) == 1:
            alone[which] = probability
    np.testing.assert_allclose(exact.active_count_probability(tensor(densities)), count, atol=1e-14)
    np.testing.assert_allclose(exact.single_active_probability(tensor(densities)), alone, atol=1e-14)


def test_all_zero_loss() -> None:
    """A positive bias costs I b² in the ReLU-output model, and a negative one nothing."""
    p = {"W": torch.ones(2, 3).double(), "b": tensor([0.5, -0.5, 0.2])}
    importance = tensor([1, 10, 0.5])
    assert exact.all_zero_loss(Model(RELU, 3, 2), p, importance).item() == pytest.approx(0.25 + 0.02)
    assert exact.all_zero_loss(Model(LINEAR, 3, 2), p, importance).item() == pytest.approx(0.25 + 2.5 + 0.02)


@pytest.mark.parametrize("name", ["relu_hidden", "absolute"])
def test_a_hidden_relu_is_refused(name: str) -> None:
    """Models with a hidden ReLU are refused, because their loss is not a function of WᵀW."""
    model = Model(name, 2, 2)
    with pytest.raises(ValueError, match=name):
        exact.pattern_losses(model, model.unpack(torch.zeros(model.size).double()), tensor([1, 1]))


NEAR_KINKS: dict[str, tuple[list, list]] = {
    "antipodal": ([[1, -1]], [0, 0]),
    "antipodal, kinks just inside": ([[1, -1]], [-1e-7, -1e-7]),
    "antipodal, kinks just outside": ([[1, -1]], [1e-7, 1e-7]),
    "orthogonal": ([[1, 0], [0, 1]], [-0.1, -1e-7]),
    "kink at the far corner": ([[1, 0.5]], [-1.5, -0.75]),
    "one feature dropped": ([[1, 0]], [0, 0.05]),
    "nothing": ([[0, 0]], [0.1, 0.2]),
    "nothing, off": ([[0, 0]], [-0.1, 0.2]),
    "three": ([[1, -0.5, -0.5], [0, 0.87, -0.87]], [0, -0.01, 0]),
    "three, one dropped": ([[1, -1, 0]], [0, 0, 0.03]),
    "small": ([[1e-9, -1e-9, 1e-9]], [0.1, 0.1, -0.1]),
    **{f"random {n} {seed}": random_case(seed, n, 2)[:2] for n in (2, 3) for seed in range(4)},
}


@pytest.mark.parametrize("where", NEAR_KINKS)
def test_gradient_against_finite_differences(where: str) -> None:
    """Zero weights and kinks at the edge leave the gradient finite and right."""
    W, b = (tensor(a) for a in NEAR_KINKS[where])
    model, n = Model(RELU, W.shape[1], W.shape[0]), W.shape[1]
    density, importance = tensor([0.3, 0.6, 0.5][:n]), tensor([1, 0.7, 0.4][:n])

    def loss(flat: torch.Tensor) -> torch.Tensor:
        shape = flat.shape[:-1]
        return exact.expected_loss(model, model.unpack(flat), density.expand(*shape, n), importance.expand(*shape, n))

    flat = torch.cat([W.flatten(), b]).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(flat), flat)
    step = 1e-6 * torch.eye(model.size, dtype=torch.float64)
    with torch.no_grad():
        difference = (loss(flat + step) - loss(flat - step)) / 2e-6
    torch.testing.assert_close(gradient, difference, atol=2e-6, rtol=0)


@given(seeds, st.integers(1, 5), st.data())
def test_no_linear_model_beats_the_linear_optimum(seed: int, n: int, data: st.DataObject) -> None:
    """No linear model with the best bias has a lower loss, whatever its W."""
    m = data.draw(st.integers(1, n))
    rng = np.random.default_rng(seed)
    density, importance = (tensor(rng.uniform(0.01, 1, n)) for _ in range(2))
    optimum = exact.linear_optimum(m, density, importance)
    kept = torch.argsort(importance * exact.feature_variance(density))[n - m :]
    best = torch.eye(n, dtype=torch.float64)[kept]
    for W in (best, best + 0.1 * tensor(rng.normal(size=(m, n))), tensor(rng.normal(size=(m, n)) / n**0.5)):
        mean = exact.feature_mean(density)
        loss = exact.linear_loss(W, mean - W.mT @ (W @ mean), density, importance)
        assert loss >= optimum - 1e-12
        if W is best:
            torch.testing.assert_close(loss, optimum)


@given(seeds)
def test_no_linear_model_of_signed_features_beats_the_linear_optimum(seed: int) -> None:
    """The losses are sums over all samples of four binary features."""
    rng = np.random.default_rng(seed)
    density, importance = (tensor(rng.uniform(0.01, 1, 4)) for _ in range(2))
    best = torch.eye(4, dtype=torch.float64)[torch.argsort(importance * density)[2:]]
    W = torch.stack([best, best + 0.1 * tensor(rng.normal(size=(2, 4))), tensor(rng.normal(size=(2, 4)) / 2)])
    p, at = {"W": W, "b": torch.zeros(3, 4, dtype=torch.float64)}, (density.expand(3, -1), importance.expand(3, -1))
    loss = exact.enumerated_loss(Model(LINEAR, 4, 2), p, *at, signed=True)
    optimum = exact.linear_optimum(2, density, importance, BINARY, signed=True)
    assert loss[0].item() == pytest.approx(optimum.item())
    assert (loss >= optimum - 1e-12).all()


@pytest.mark.parametrize(("n", "density"), [(1, 0.3), (1, 1.0), (3, 0.05), (100, 1.0), (100, 0.01)])
def test_mean_norm(n: int, density: float) -> None:
    """E‖x‖ is p/2 for one feature, and agrees with sampling for more."""
    found = exact.mean_norm(torch.full((n,), density, dtype=torch.float64)).item()
    if n == 1:
        assert found == pytest.approx(density / 2, abs=1e-10)
    x = np.random.default_rng(0).random((2, 200_000 // n + 20_000, n))
    norms = np.linalg.norm(x[0] * (x[1] < density), axis=1)
    assert abs(found - norms.mean()) < 5 * norms.std() / len(norms) ** 0.5

"""One dimension under an L1 penalty: formulas, quadrature and trained models."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from superposition import Sweep, train
from superposition.paper.remedies import l1

# Gauss-Legendre quadrature from -1 to 1. To compute it takes longer than to use it.
NODES, SHARES = np.polynomial.legendre.leggauss(200)


def minimised(w: float, b: float, count: int, density: float, coefficient: float) -> float:
    """Integrate the loss and the penalty numerically over the active features."""

    def squared(x: float, h: float, sign: int) -> float:
        return (x - max(sign * w * h + b, 0)) ** 2

    def mean(f, own: bool) -> float:
        """Return the mean error of a feature, given whether it or the other one is active."""
        return quad(lambda x: f(x if own else 0, w * x if own else 0.0), 0, 1, points=[0.1, 0.5])[0]

    p, off = density, max(b, 0) ** 2
    one = mean(lambda x, h: squared(x, h, 1), own=True)
    if count == 1:
        return p * one + (1 - p) * off + coefficient * p * abs(w) / 2
    x, y = np.meshgrid((NODES + 1) / 2, (NODES + 1) / 2)
    measure = np.outer(SHARES, SHARES) / 4
    h = w * (x - y)
    both = ((x - np.maximum(w * h + b, 0)) ** 2 * measure).sum()
    other = quad(lambda y: max(-w * w * y + b, 0) ** 2, 0, 1)[0]
    loss = 2 * (p * p * both + p * (1 - p) * (one + other) + (1 - p) ** 2 * off)
    return loss + coefficient * abs(w) * (2 * p * (1 - p) / 2 + p * p / 3)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("density", [0.3])
def test_gains(count: int, density: float) -> None:
    """A search over w and b of the integrated loss finds the same gains."""
    coefficients = np.array([0.0, 0.1, 0.45])
    gains, weights = l1.gain_over_unused(count, density, coefficients)
    for coefficient, gain, w in zip(coefficients, gains, weights, strict=True):
        found = minimize(
            lambda q, c=coefficient: minimised(*q, count, density, c), (0.95, 0.0), method="Nelder-Mead", tol=1e-6
        )
        dropped = count * (density / 3 - density**2 / 4)
        assert gain == pytest.approx(dropped - found.fun, abs=3e-5 * density)
        assert w == pytest.approx(abs(found.x[0]), abs=0.006)


def test_threshold_of_sparse_features() -> None:
    """With b = 0, p [(1 - w²)²/3 + c w/2] is below p/3 up to c = 4w/3 - 2w³/3 at w² = 2/3."""
    w = (2 / 3) ** 0.5
    assert l1.threshold_coefficient(1e-6) == pytest.approx(4 / 3 * w - 2 / 3 * w**3, abs=1e-5)


@pytest.mark.parametrize("density", [0.01, 0.1, 0.3])
def test_nothing_is_gained_above_the_threshold(density: float) -> None:
    threshold = l1.threshold_coefficient(density)
    gains, weights = l1.gain_over_unused(1, density, threshold * np.array([0.98, 1.001, 2]))
    assert gains[0] == pytest.approx(0.02 * threshold * density / 2 * weights[0], rel=0.05)
    assert gains[1:].tolist() == weights[1:].tolist() == [0, 0]
    assert weights[0] > 0.7  # It vanishes by a jump: just below the threshold it is still large.


@pytest.mark.integration
def test_training_does_not_beat_the_optimum() -> None:
    """A trained model with one hidden dimension gains as much and no more."""
    coefficients = [0.1, 0.3]
    for n in (1, 2):
        sweep = Sweep(
            model="relu_output", n=n, m=1, density=0.2, l1=coefficients, restarts=8, steps=1500, evaluation=2**22
        )
        trained = train(sweep)
        gains, weights = l1.gain_over_unused(n, 0.2, np.array(coefficients))
        dropped = n * (0.2 / 3 - 0.2**2 / 4)
        np.testing.assert_allclose(dropped - trained.points["loss"], gains, atol=2e-4)
        np.testing.assert_allclose(trained.best()["W"].abs().amax((1, 2)), weights, atol=0.03)

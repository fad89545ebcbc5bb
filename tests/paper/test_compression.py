"""Two numbers in one: the soft floor, and its exact error."""

import numpy as np
import pytest

from superposition.paper.appendix.compression import BEST_LINEAR_ERROR, mean_squared_error, soft_floor, squared_error

X, Y = np.random.default_rng(0).random((2, 400_000))


def test_without_width_it_is_the_floor() -> None:
    u = np.array([0, 0.3, 0.999, 1, 1.5, 2, 2.999, 3, 3.5])
    np.testing.assert_array_equal(soft_floor(u, 0.0, 3), np.floor(u))
    np.testing.assert_array_equal(soft_floor(u, 0.0, 2), np.minimum(np.floor(u), 2))


@pytest.mark.parametrize("width", [0.1, 0.5, 1.0])
def test_a_jump_is_a_segment_that_ends_where_it_is(width: float) -> None:
    """The soft floor is continuous, never falls, and is the floor outside the segments."""
    u = np.linspace(0, 3, 30_001)
    f = soft_floor(u, width, 3)
    assert (np.diff(f) >= 0).all()
    assert np.diff(f).max() <= 1.001 * 1e-4 / width
    outside = (np.ceil(u) - u >= width) | (u == np.round(u))
    np.testing.assert_allclose(f[outside], np.floor(u)[outside], atol=1e-9)
    assert soft_floor(np.array([2 - width / 4]), width, 3)[0] == pytest.approx(1.75)


def test_true_floors_lose_what_is_within_a_step() -> None:
    """y is recovered exactly, and x as the middle of its step, so the error is the variance of a step of 1/Z."""
    for Z in (1, 2, 7):
        assert mean_squared_error(Z, 0.0) == pytest.approx(1 / (12 * Z**2), rel=1e-12)
        assert squared_error(X, Y, Z, 0.0).max() <= (0.5 / Z) ** 2 + 1e-12


@pytest.mark.parametrize("Z", [2, 3, 10])
@pytest.mark.parametrize("width", [0.02, 0.1, 0.4, 0.7, 1.0])
def test_against_sampling(Z: int, width: float) -> None:
    errors = squared_error(X, Y, Z, width)
    assert abs(errors.mean() - mean_squared_error(Z, width)) < 5 * errors.std() / len(errors) ** 0.5


@pytest.mark.parametrize("width", [0.1, 0.37, 0.81])
def test_against_a_fine_grid(width: float) -> None:
    """A piece of the integrand that is missed would change the error by more than the grid's discretisation."""
    middle = (np.arange(1000) + 0.5) / 1000
    errors = squared_error(*np.meshgrid(middle, middle), 4, width)
    assert errors.mean() == pytest.approx(mean_squared_error(4, width), rel=2e-4)


def test_the_best_linear_maps() -> None:
    """Keeping one value or the mean of both costs 1/12, and no direction is better."""
    kept = ((Y - 0.5) ** 2).mean()
    mean = (X + Y) / 2
    assert kept == pytest.approx(BEST_LINEAR_ERROR, rel=0.01)
    assert ((X - mean) ** 2 + (Y - mean) ** 2).mean() == pytest.approx(BEST_LINEAR_ERROR, rel=0.01)
    np.testing.assert_allclose(np.linalg.eigvalsh(np.cov(X, Y)), BEST_LINEAR_ERROR, rtol=0.01)

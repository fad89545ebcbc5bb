"""Polytopes in the limit of density 0: quadrature, and factors at a low density."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize

from superposition.paper.nonuniform.sparse import sparse_limit, sparse_norm
from superposition.theory import polytopes, tegum
from superposition.theory.polytopes import Polytope


def limit_loss(k: int, s: float, b: float) -> float:
    """Integrate the loss over p of a regular k-gon, feature by feature."""
    total = 0.0
    for j in range(k):
        slope = s * np.cos(2 * np.pi * j / k)
        kink = [-b / slope] if slope != 0 and 0 < -b / slope < 1 else None

        def squared(x: float, slope: float = slope, own: bool = j == 0) -> float:
            return (own * x - max(slope * x + b, 0)) ** 2

        total += integrate.quad(squared, 0, 1, points=kink, epsabs=1e-14, epsrel=1e-12)[0]
    return k * total


def sparse(k: int) -> pd.Series:
    found = sparse_limit(Polytope(f"{k}-gon", polytopes.polygon(k)))
    return pd.Series({**found, "features": k})


@pytest.fixture(scope="module", params=[5, 6, 7, 8])
def limit(request: pytest.FixtureRequest) -> pd.Series:
    return sparse(request.param)


def test_polygon_limit_against_quadrature(limit: pd.Series) -> None:
    """The lowest minimum agrees with a search over the integrated loss."""
    k = int(limit["features"])
    found = optimize.brute(lambda x: limit_loss(k, *x), (slice(0.8, 3, 0.1), slice(-1.8, 0, 0.1)), finish=None)
    low = optimize.minimize(
        lambda x: limit_loss(k, *x), found, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}
    )
    assert limit["norm"] == pytest.approx(low.x[0] ** 0.5, abs=1e-6)
    assert limit["bias"] == pytest.approx(low.x[1], abs=1e-6)
    assert limit["loss"] == pytest.approx(low.fun, abs=1e-6)


def test_polygon_limit_is_stationary(limit: pd.Series) -> None:
    """It is a minimum in the squared norm and in the bias."""
    k, at, h = int(limit["features"]), np.array([limit["norm"] ** 2, limit["bias"]]), 1e-4
    assert limit_loss(k, *at) == pytest.approx(limit["loss"], abs=1e-10)
    for step in h * np.eye(2):
        up, down = limit_loss(k, *(at + step)), limit_loss(k, *(at - step))
        assert abs(up - down) / (2 * h) < 1e-5
        assert min(up, down) > limit["loss"]


def test_polygon_limit_is_the_limit() -> None:
    """A pentagon at density 10⁻⁴ is close to the limit, and its loss is after linear extrapolation."""
    limit, close = sparse(5), tegum.factor_optimum(Polytope("pentagon", polytopes.polygon(5)), [1e-4, 2e-4])
    assert limit["norm"] == pytest.approx(close["norm"][0], abs=1e-3)
    assert limit["bias"] == pytest.approx(close["bias"][0], abs=1e-3)
    once, twice = close["loss"] / close["density"]
    assert limit["loss"] == pytest.approx(2 * once - twice, rel=2e-4)


# ‖W_i‖, b_i and the loss over the density.
LIMITS = {
    5: (1.17045964, -0.28229728, 0.07912814),
    6: (1.32052633, -0.61813513, 0.28915426),
    7: (1.44839375, -0.96690634, 0.58289836),
    8: (1.55044969, -1.29119264, 0.92436748),
}


def test_polygon_limits_to_eight_digits(limit: pd.Series) -> None:
    """Quadrature confirms them above; here they are kept to eight digits."""
    np.testing.assert_allclose(limit[["norm", "bias", "loss"]].astype(float), LIMITS[int(limit["features"])], atol=1e-8)


def test_sparse_norm_at_the_limit(limit: pd.Series) -> None:
    """The optimum obeys the condition on the norm."""
    polygon = Polytope("k-gon", polytopes.polygon(int(limit["features"])))
    assert sparse_norm(polygon, limit["bias"]) == pytest.approx(limit["norm"], abs=1e-7)


@pytest.mark.parametrize("bias", [-0.1, -0.25, -0.6, -1.2])
@pytest.mark.parametrize("k", [5, 6, 8])
def test_sparse_norm_is_the_best_at_its_bias(k: int, bias: float) -> None:
    """No norm of a fine grid has a lower loss, also away from the best bias."""
    s = sparse_norm(Polytope("k-gon", polytopes.polygon(k)), bias) ** 2
    grid = np.arange(max(0.2, s - 0.5), s + 0.5, 0.05)
    assert min(limit_loss(k, other, bias) for other in grid) >= limit_loss(k, s, bias) - 1e-12
    assert limit_loss(k, s + 1e-3, bias) > limit_loss(k, s, bias) < limit_loss(k, s - 1e-3, bias)

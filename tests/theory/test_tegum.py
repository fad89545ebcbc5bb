"""The cost of tegum products against exact losses, sampling, searches and enumeration."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy
import torch
from hypothesis import given
from hypothesis import strategies as st

from superposition.core.models import Model
from superposition.theory import bfgs, exact, polytopes, tegum
from superposition.theory.polytopes import Polytope

KNOWN = {p.name: p for p in reversed(tegum.CATALOGUE)}  # Reversed, so that the antiprism is the one with D = 3/8.
SINGLE, DIGON, TRIANGLE, PENTAGON = (KNOWN[name] for name in ("single", "digon", "triangle", "pentagon"))
DENSITIES = (0.01, 0.05, 0.15, 0.4)


@pytest.fixture(scope="module")
def optima() -> pd.DataFrame:
    return tegum.optima(DENSITIES)


def variance(p: float) -> float:
    return p / 3 - p**2 / 4


def exact_loss(corners: np.ndarray, density: float, norm2: object, bias: object) -> float:
    """Return the loss of all features; squared lengths and biases may differ."""
    (m, n), one = corners.shape, torch.ones(corners.shape[1], dtype=torch.float64)
    W = torch.from_numpy(corners * np.sqrt(norm2))
    b = torch.as_tensor(bias, dtype=torch.float64) * one
    return exact.expected_loss(Model("relu_output", n, m), {"W": W, "b": b}, density * one, one).item()


# The loss of a factor.


@pytest.mark.parametrize("polytope", [SINGLE, DIGON, TRIANGLE], ids=lambda p: p.name)
@pytest.mark.parametrize("density", [0.01, 0.7, 1.0])
@pytest.mark.parametrize(("norm2", "bias"), [(0.8, 0.1), (1.3, -0.2), (0.0, 0.2)])
def test_factor_loss_is_exact(polytope: Polytope, density: float, norm2: float, bias: float) -> None:
    """Every pattern has its probability, and all features count."""
    loss, _ = tegum.factor_loss(polytope, density, norm2, bias)
    expected = exact_loss(polytope.corners, density, norm2, bias)
    assert loss == pytest.approx(expected, rel=1e-4, abs=1e-12)


CASES = [(0.03, 1.15, -0.2), (0.2, 1.0, -0.05), (0.8, 0.7, 0.1)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", ["tetrahedron", "pentagon", "octagon", "square antiprism"])
def test_factor_loss_against_sampling(name: str, case: tuple[float, float, float]) -> None:
    """All features of the factor are sampled, not only the first."""
    density, norm2, bias = case
    corners, rng = KNOWN[name].corners, np.random.default_rng(0)
    x = rng.random((2**17, corners.shape[1])) * (rng.random((2**17, corners.shape[1])) < density)
    losses = ((x - np.maximum(norm2 * x @ corners.T @ corners + bias, 0)) ** 2).sum(1)
    loss, _ = tegum.factor_loss(KNOWN[name], density, norm2, bias)
    assert abs(loss - losses.mean()) < 4 * losses.std() / len(losses) ** 0.5


# The optimum of a factor.


@pytest.mark.parametrize("polytope", [DIGON, TRIANGLE], ids=lambda p: p.name)
def test_factor_optimum_against_the_exact_one(polytope: Polytope) -> None:
    """A search over all of W and b gains nothing by unequal corners, where the polytope is the best."""
    k, m, densities = polytope.features, polytope.dimensions, [0.02, 0.1]
    table, model = tegum.factor_optimum(polytope, densities), Model("relu_output", k, m)
    start = torch.cat([torch.from_numpy(polytope.corners).flatten(), torch.zeros(k, dtype=torch.float64)])
    nudge = 0.01 * torch.randn(2, model.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    density = torch.tensor(densities, dtype=torch.float64)[:, None].expand(-1, k)

    def loss(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        p = density[which]
        return exact.expected_loss(model, model.unpack(x), p, torch.ones_like(p)) / p[:, 0]

    x, value, _ = bfgs.minimise(loss, start + nudge)
    found = model.unpack(x)
    np.testing.assert_allclose(table["loss"], value.numpy() * densities, rtol=1e-4)
    np.testing.assert_allclose(table["norm"], found["W"].norm(dim=1).mean(dim=1), rtol=1e-3)
    np.testing.assert_allclose(table["bias"], found["b"].mean(dim=1), atol=1e-3)


@pytest.mark.parametrize("name", ["digon", "pentagon", "square antiprism"])
def test_factor_optimum_is_a_minimum(name: str) -> None:
    """Norm and bias are optimal, and every row says what it belongs to, sorted by density."""
    polytope = KNOWN[name]
    table = tegum.factor_optimum(polytope, [0.2, 0.02])
    assert table["density"].tolist() == [0.02, 0.2]
    for row in table.itertuples():
        assert (row.polytope, row.features, row.dimensions) == (name, polytope.features, polytope.dimensions)
        gain = (polytope.features - row.loss / variance(row.density)) / polytope.dimensions
        assert row.gain == pytest.approx(gain)
        assert tegum.factor_loss(polytope, row.density, row.norm**2, row.bias)[0] == pytest.approx(row.loss)
        for norm2, bias in ((1.03, 0), (0.97, 0), (1, 0.01), (1, -0.01)):
            other = tegum.factor_loss(polytope, row.density, norm2 * row.norm**2, row.bias + bias)[0]
            assert other > row.loss


@pytest.mark.parametrize("density", [0.02, 0.3, 0.9])
def test_no_search_finds_a_lower_loss(density: float) -> None:
    """A search without derivatives finds no lower loss, up to the error of sampling."""
    for polytope in tegum.CATALOGUE:

        def loss(x: np.ndarray, polytope: Polytope = polytope) -> float:
            return tegum.factor_loss(polytope, density, *x)[0] / density

        found = tegum.factor_optimum(polytope, [density])["loss"].item() / density
        searched = scipy.optimize.minimize(loss, [1.0, 0.0], method="Nelder-Mead").fun
        assert found < searched * (1 + 1e-4) + 1e-9, polytope.name


def test_optima(optima: pd.DataFrame) -> None:
    """There is one row for every name and density, and only the best antiprism counts."""
    assert len(optima) == len(KNOWN) * len(DENSITIES)
    assert not optima.duplicated(["polytope", "density"]).any()
    assert set(optima["polytope"]) == set(KNOWN)
    found = optima[optima["polytope"] == "square antiprism"]["loss"]
    each = [tegum.factor_optimum(p, DENSITIES)["loss"] for p in tegum.CATALOGUE if p.name == "square antiprism"]
    assert len(each) > 1
    np.testing.assert_allclose(found, np.min(each, axis=0))


def test_catalogue() -> None:
    """The catalogue has everything that the paper names."""
    named = {"single", "digon", "triangle", "tetrahedron", "pentagon", "hexagon", "heptagon", "octagon"}
    assert named | {"square antiprism", "icosahedron"} <= set(KNOWN)
    assert all(p.dimensions <= 3 or p.features <= 6 for p in tegum.CATALOGUE)


# Many features.


def test_per_dimension(optima: pd.DataFrame) -> None:
    """At every density the greatest gain wins, and D* = m/‖W‖²."""
    best = tegum.per_dimension(optima)
    assert best["density"].tolist() == sorted(DENSITIES)
    for row in best.itertuples():
        every = optima[optima["density"] == row.density]
        assert row.gain == every["gain"].max()
        assert row.polytope == every["polytope"][every["gain"].idxmax()]
        W = row.norm * KNOWN[row.polytope].corners
        assert row.dimensions_per_feature == pytest.approx(len(W) / np.linalg.norm(W) ** 2)
    assert best["polytope"].tolist()[-1] == "digon"


def test_handovers(optima: pd.DataFrame) -> None:
    """At a handover both gains are equal, and each polytope is better on its own side."""
    found, best = tegum.handovers(optima), tegum.per_dimension(optima)["polytope"].tolist()
    changes = [(dense, sparse) for sparse, dense in itertools.pairwise(best) if sparse != dense]
    assert list(zip(found["dense_side"], found["sparse_side"], strict=True)) == changes[::-1]
    assert (found["density"].diff().dropna() < 0).all()
    assert len(found) > 0

    def gain(name: str, density: float) -> float:
        return max(tegum.factor_optimum(p, [density])["gain"][0] for p in tegum.CATALOGUE if p.name == name)

    for row in found.itertuples():
        names = (row.dense_side, row.sparse_side)
        at, denser, sparser = ([gain(name, row.density * by) for name in names] for by in (1, 1.05, 0.95))
        assert at[0] == pytest.approx(at[1], rel=1e-3)
        assert denser[0] > denser[1]
        assert sparser[0] < sparser[1]


# A few features.


def by_brute_force(n: int, m: int) -> set[tuple[str, ...]]:
    """Return all multisets of factors that fill m dimensions with at most n features."""
    return {
        tuple(sorted(names))
        for count in range(m + 1)
        for names in itertools.combinations_with_replacement(KNOWN, count)
        if sum(KNOWN[f].dimensions for f in names) == m and sum(KNOWN[f].features for f in names) <= n
    }


@given(st.integers(0, 12), st.integers(0, 5))
def test_products_against_brute_force(n: int, m: int) -> None:
    """Each product is found once."""
    found = [tuple(sorted(f.name for f in product)) for product in tegum.products([*KNOWN.values()], n, m)]
    assert len(found) == len(set(found))
    assert set(found) == by_brute_force(n, m)


@pytest.mark.parametrize("size", [(2, 1), (5, 2), (9, 3)], ids=str)
def test_best_products_against_brute_force(size: tuple[int, int], optima: pd.DataFrame) -> None:
    """A dropped feature costs its variance."""
    n, m = size
    found = tegum.best_products(optima, n, m)
    assert found["density"].tolist() == sorted(DENSITIES)
    loss = optima.set_index(["polytope", "density"])["loss"]
    for row in found.itertuples():
        ranked = sorted(
            (
                sum(loss[f, row.density] for f in names)
                + (n - sum(KNOWN[f].features for f in names)) * variance(row.density),
                polytopes.product_name(names),
            )
            for names in by_brute_force(n, m)
        )
        assert (row.best_loss, row.second_loss) == (pytest.approx(ranked[0][0]), pytest.approx(ranked[1][0]))
        assert (row.best, row.second) == (ranked[0][1], ranked[1][1])

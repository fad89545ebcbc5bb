"""Test differences between arrangements and their alignment against every order and SciPy's Procrustes rotation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from tests.analysis.arrangements import NAMED, SMALL, product, turned

from superposition.analysis import alignment, recognition
from superposition.analysis.alignment import difference
from superposition.theory import polytopes
from superposition.theory.catalogue import polytopes_with, simplex
from superposition.theory.polytopes import Polytope

seeds = st.integers(0, 10**6)


def least_difference(W: np.ndarray, corners: np.ndarray) -> float:
    """Return the least difference over all orders."""
    gram, exact = W.T @ W, corners.T @ corners
    gram, exact = gram / np.diag(gram).mean(), exact / np.diag(exact).mean()
    orders = map(list, itertools.permutations(range(len(gram))))
    return min(np.linalg.norm(gram[np.ix_(o, o)] - exact) for o in orders) / np.linalg.norm(exact)


@pytest.mark.parametrize("name", [*NAMED, "digon + single", "octahedron", "hexagonal bipyramid"])
@settings(max_examples=3)
@given(seed=seeds)
def test_copies_do_not_differ(name: str, seed: int) -> None:
    """Rotations, reflections, orders, sizes and further dimensions make no difference."""
    corners, rng = product(name), np.random.default_rng(seed)
    order, scale = rng.permutation(corners.shape[1]), 10.0 ** rng.uniform(-2, 2)
    copy = scale * turned(corners, seed, more=seed % 3)[:, order]
    assert difference(copy, corners) < 1e-10
    assert difference(copy.astype(np.float32), corners) < 1e-5
    assert difference(corners, copy) < 1e-10


@pytest.mark.parametrize("noise", [0.03, 0.3])
@pytest.mark.parametrize("name", ["triangle", "tetrahedron", "pentagon", "hexagon", "triangular bipyramid"])
def test_differences_of_noisy_copies(name: str, noise: float) -> None:
    """The best of all k! orders is found."""
    corners = product(name)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        W = turned(corners, seed)[:, rng.permutation(corners.shape[1])] + noise * rng.normal(size=corners.shape)
        expected = least_difference(W, corners)
        assert difference(2 * W, corners) == pytest.approx(expected, rel=1e-9)
        assert expected > noise / 10


@given(seeds)
def test_no_difference_is_below_the_least(seed: int) -> None:
    """For an arrangement that is no copy, the best order may be missed."""
    W = np.random.default_rng(seed).normal(size=(1 + seed % 3, 5))
    assert difference(W, polytopes.polygon(5)) >= least_difference(W, polytopes.polygon(5)) - 1e-12


@given(st.floats(0, np.pi), st.floats(0.2, 5))
def test_difference_of_a_pair_from_a_digon(angle: float, length: float) -> None:
    """Unequal lengths count, and a common scale does not."""
    W = np.array([[1, np.cos(angle)], [0, np.sin(angle)]]) * [1, length]
    a, b, c = 2 / (1 + length**2), 2 * length**2 / (1 + length**2), 2 * length / (1 + length**2) * np.cos(angle)
    expected = ((a - 1) ** 2 + (b - 1) ** 2 + 2 * (c + 1) ** 2) ** 0.5 / 2
    assert difference(W, simplex(2)) == pytest.approx(expected, abs=1e-12)


def test_polytopes_differ() -> None:
    """Polytopes with equally many corners differ by more than twice the largest residual that has a name."""
    for k in range(1, 13):
        for one, other in itertools.permutations(polytopes_with(k), 2):
            assert difference(one.corners, other.corners) > 2 * recognition.MAX_RESIDUAL
    for height2 in (0.2, 0.4):
        assert difference(polytopes.square_antiprism(height2), polytopes.square_antiprism()) > 0.03


@pytest.mark.parametrize("name", ["pentagon", "square antiprism", "icosahedron"])
def test_alignment(name: str) -> None:
    """Every column lies at its own corner, with its length and its angles."""
    corners, rng = NAMED[name].corners, np.random.default_rng(0)
    order = rng.permutation(corners.shape[1])
    W = turned(corners + 0.02 * rng.normal(size=corners.shape), 1)[:, order]
    found = alignment.align(W, corners)
    placed = [int(np.abs(np.linalg.norm(W, axis=0) - length).argmin()) for length in np.linalg.norm(found, axis=0)]
    assert sorted(placed) == list(range(len(order)))
    np.testing.assert_allclose(found.T @ found, (W.T @ W)[np.ix_(placed, placed)], atol=1e-12)
    cost = np.linalg.norm(found[:, :, None] - corners[:, None, :], axis=0)
    assert (cost.argmin(1) == range(len(order))).all()
    assert cost.min(1).max() < 0.15


@pytest.mark.parametrize("polytope", SMALL, ids=lambda p: p.name)
def test_rounding_does_not_choose_among_symmetric_places(polytope: Polytope) -> None:
    """A polytope fits its corners in as many ways as it has symmetries, but is drawn in one."""
    rng = np.random.default_rng(0)
    W = turned(polytope.corners, 1)
    first = alignment.align(W, polytope.corners)
    for _ in range(4):
        again = alignment.align(W + 1e-14 * rng.normal(size=W.shape), polytope.corners)
        np.testing.assert_allclose(again, first, atol=1e-11)


def family(sets: tuple[tuple[int, ...], ...]) -> set[frozenset[int]]:
    return {frozenset(members) for members in sets}


@pytest.mark.parametrize(
    "sets", [((0,), (1, 2, 3, 4)), ((0, 1), (2, 3), (4, 5)), ((0, 1, 2), (3, 4, 5)), ((0, 3), (1,), (2, 4))], ids=str
)
def test_symmetric_orders(sets: tuple[tuple[int, ...], ...]) -> None:
    """The orders are the permutations that map the family of sets to itself; the identity is the first."""
    k = sum(map(len, sets))
    expected = [
        order
        for order in itertools.permutations(range(k))
        if family(tuple(tuple(order[i] for i in members) for members in sets)) == family(sets)
    ]
    assert alignment.symmetric_orders(*sets).tolist() == [list(order) for order in expected]


# Which features are equivalent, and the arrangement that they are aligned with.
ALLOWED = {
    "pentagon": (((0,), (1, 2, 3, 4)), polytopes.polygon(5)),
    "hexagon": (((0, 1), (2, 3), (4, 5)), polytopes.polygon(6)),
    "octahedron": (((0, 1, 2), (3, 4, 5)), np.concatenate([np.eye(3), -np.eye(3)], axis=1)),
}


def nearest(W: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Rotate W as near to the corners as possible, with SciPy."""
    return orthogonal_procrustes(W.T, corners.T)[0].T @ W


@pytest.mark.parametrize("name", ALLOWED)
def test_canonical_orientation(name: str) -> None:
    """The result depends neither on the orientation of a model nor on which of its equivalent features is which, and no
    allowed order lies nearer to the corners."""
    sets, corners = ALLOWED[name]
    orders, rng = alignment.symmetric_orders(*sets), np.random.default_rng(3)
    for seed in range(4):
        W = rng.normal(size=corners.shape)
        first = alignment.align(W, corners, orders)
        for order in orders[rng.integers(0, len(orders), 4)]:
            again = alignment.align(turned(W, seed)[:, order], corners, orders)
            np.testing.assert_allclose(again, first, atol=1e-9)
        rotation, order = alignment.find_alignment(W, corners, orders)
        np.testing.assert_allclose(rotation @ W[:, order], first)
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(len(W)), atol=1e-12)
        assert order.tolist() in orders.tolist()
        best = min(np.linalg.norm(nearest(W[:, other], corners) - corners) for other in orders)
        assert np.linalg.norm(first - corners) == pytest.approx(best)
    symmetric = turned(corners, 1)
    first = alignment.align(symmetric, corners, orders)
    again = alignment.align(symmetric + 1e-14 * rng.normal(size=symmetric.shape), corners, orders)
    np.testing.assert_allclose(again, first, atol=1e-10)

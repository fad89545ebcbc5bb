"""Polytopes: their angles, and how they are found again behind rotations, new orders, other sizes and noise."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from superposition.analysis import alignment, recognition
from superposition.analysis.alignment import difference
from superposition.analysis.recognition import components, find_factors, recognise
from superposition.core import geometry
from superposition.theory import polytopes
from superposition.theory.catalogue import polytopes_with, simplex
from superposition.theory.polytopes import Polytope, tegum_product

NAMED = {p.name: p for k in range(1, 13) for p in polytopes_with(k)}
SMALL = [p for p in NAMED.values() if p.dimensions <= 3]
seeds = st.integers(0, 10**6)


def product(*names: str) -> np.ndarray:
    return tegum_product(*(NAMED[name] for name in names))


def dimensionality(W: np.ndarray) -> np.ndarray:
    return geometry.dimensionality(torch.from_numpy(np.ascontiguousarray(W))).numpy()


def turned(W: np.ndarray, seed: int, more: int = 0) -> np.ndarray:
    """Rotated or reflected into a space of so many more dimensions."""
    d = len(W)
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d + more, d)))[0] @ W


def least_difference(W: np.ndarray, corners: np.ndarray) -> float:
    """By trying every order."""
    gram, exact = W.T @ W, corners.T @ corners
    gram, exact = gram / np.diag(gram).mean(), exact / np.diag(exact).mean()
    orders = map(list, itertools.permutations(range(len(gram))))
    return min(np.linalg.norm(gram[np.ix_(o, o)] - exact) for o in orders) / np.linalg.norm(exact)


# What they are


@pytest.mark.parametrize("polytope", NAMED.values(), ids=NAMED)
def test_named_polytopes(polytope: Polytope) -> None:
    """Unit vectors around 0, all alike, that fill their dimensions evenly: else D_i would not be d/k."""
    d, k = polytope.corners.shape
    assert (polytope.dimensions, polytope.features) == (d, k)
    assert polytope.dimensionality == d / k
    gram = polytope.corners.T @ polytope.corners
    np.testing.assert_allclose(np.diag(gram), 1)
    if k > 1:
        np.testing.assert_allclose(polytope.corners.sum(1), 0, atol=1e-12)
    seen = np.sort(gram, axis=1)
    np.testing.assert_allclose(seen, np.tile(seen[0], (k, 1)), atol=1e-12)
    np.testing.assert_allclose(polytope.corners @ polytope.corners.T, k / d * np.eye(d), atol=1e-12)
    np.testing.assert_allclose(dimensionality(polytope.corners), d / k)


def test_names() -> None:
    """Each name once, and none for a square, which is two digons."""
    names = [p.name for k in range(1, 13) for p in polytopes_with(k)]
    assert len(set(names)) == len(names)
    for k in range(1, 13):
        assert all(p.features == k for p in polytopes_with(k))
    assert [p.name for p in polytopes_with(4)] == ["tetrahedron"]
    expected = {"single", "digon", "triangle", "tetrahedron", "pentagon", "hexagon", "square antiprism", "icosahedron"}
    assert expected <= set(names)


ANGLES: dict[str, list[float]] = {  # cosines between one corner and the others, in order
    **{
        NAMED[name].name: [-1 / (NAMED[name].features - 1)] * (NAMED[name].features - 1)
        for name in ("digon", "triangle")
    },
    **{polytopes_with(k)[0].name: [-1 / (k - 1)] * (k - 1) for k in range(4, 13)},
    "single": [],
    "pentagon": [np.cos(2 * np.pi * 2 / 5)] * 2 + [np.cos(2 * np.pi / 5)] * 2,
    "hexagon": [-1, -0.5, -0.5, 0.5, 0.5],
    "octagon": [-1, *[-(0.5**0.5)] * 2, 0, 0, *[0.5**0.5] * 2],
    "icosahedron": [-1, *[-(0.2**0.5)] * 5, *[0.2**0.5] * 5],
    "square antiprism": [*[-1 / 3 - 2**0.5 / 3] * 2, -1 / 3, *[-1 / 3 + 2**0.5 / 3] * 2, 1 / 3, 1 / 3],
}


@pytest.mark.parametrize("name", ANGLES)
def test_angles(name: str) -> None:
    """Known from school; a pentagram would have the same corners in another order."""
    gram = NAMED[name].corners.T @ NAMED[name].corners
    np.testing.assert_allclose(np.sort(gram[0, 1:]), ANGLES[name], atol=1e-12)


def test_polygons_go_round() -> None:
    np.testing.assert_allclose(polytopes.polygon(4), [[1, 0, -1, 0], [0, 1, 0, -1]], atol=1e-15)


@pytest.mark.parametrize("height2", [0.1, 0.26, 0.32, 1 / 3, 0.35, 0.5, 0.9])
def test_square_antiprism_of_any_height(height2: float) -> None:
    """Only at 1/3 it fills space evenly; the cosines are those of two squares, turned by 45°."""
    corners = polytopes.square_antiprism(height2)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=0), 1)
    gram, flat = corners.T @ corners, 1 - height2
    same, other = [flat * np.cos(a) + height2 for a in (np.pi / 2, np.pi)], flat * np.cos(np.pi / 4) - height2
    np.testing.assert_allclose(gram[0, [2, 6, 4, 1, 7]], [same[0], same[0], same[1], other, other], atol=1e-12)
    D = dimensionality(corners)
    np.testing.assert_allclose(D, D[0])
    assert D[0] <= 3 / 8 + 1e-12
    assert (D[0] > 3 / 8 - 1e-12) == (height2 == 1 / 3)


TEGUM: dict[str, dict[str, float]] = {
    "square": {"digon": 1 / 2},
    "octahedron": {"digon": 1 / 2},
    "triangular bipyramid": {"digon": 1 / 2, "triangle": 2 / 3},
    "pentagonal bipyramid": {"digon": 1 / 2, "pentagon": 2 / 5},
    "hexagonal bipyramid": {"digon": 1 / 2, "hexagon": 1 / 3},
    "single + square antiprism": {"single": 1, "square antiprism": 3 / 8},
    "pentagon + tetrahedron + triangle": {"pentagon": 2 / 5, "tetrahedron": 3 / 4, "triangle": 2 / 3},
}


@pytest.mark.parametrize("name", TEGUM)
def test_dimensionality_of_tegum_products(name: str) -> None:
    """Every feature has that of its own factor: factors do not interfere."""
    names = polytopes.factors_of(name)
    W = product(*names)
    assert W.shape == (sum(NAMED[f].dimensions for f in names), sum(NAMED[f].features for f in names))
    np.testing.assert_allclose(dimensionality(W), [TEGUM[name][f] for f in names for _ in range(NAMED[f].features)])
    assert dimensionality(W).sum() == pytest.approx(len(W))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "none"),
        (("pentagon",), "pentagon"),
        (("triangle", "digon"), "triangular bipyramid"),
        (("digon",) * 2, "square"),
        (("digon",) * 3, "octahedron"),
        (("digon",) * 4, "digon + digon + digon + digon"),
        (("pentagon", "digon", "digon"), "digon + digon + pentagon"),
        (("simplex of 5", "digon"), "digon + simplex of 5"),
    ],
)
def test_product_name(names: tuple[str, ...], expected: str) -> None:
    assert polytopes.product_name(names) == expected
    assert polytopes.product_name(iter(names)) == expected


@given(st.lists(st.sampled_from([*NAMED, "other"]), min_size=1, max_size=5))
def test_names_of_products_can_be_read(names: list[str]) -> None:
    """No two products share a name, and no factor is lost in one."""
    found = polytopes.factors_of(polytopes.product_name(names))
    assert found == sorted(names)
    found.append("changed")
    assert polytopes.factors_of(polytopes.product_name(names)) == sorted(names)


# Tegum factors


def grouped(parts: Sequence[np.ndarray]) -> set[frozenset[int]]:
    return {frozenset(part.tolist()) for part in parts}


FAINT = [f"simplex of {k}" for k in range(7, 13)]  # simplices with cosines below JOINING_COSINE fall apart
JOINABLE = [name for name in NAMED if name not in FAINT]


@given(st.lists(st.sampled_from(JOINABLE), min_size=1, max_size=4), seeds)
def test_components_of_tegum_products(names: list[str], seed: int) -> None:
    """Behind any rotation into more dimensions, any order and any lengths; by their first members."""
    rng, W = np.random.default_rng(seed), product(*names)
    factor = np.repeat(np.arange(len(names)), [NAMED[name].features for name in names])
    order, lengths = rng.permutation(len(factor)), 10.0 ** rng.uniform(-3, 1, len(factor))
    found = components(turned(W, seed, more=2)[:, order] * lengths)
    assert grouped(found) == {frozenset(np.flatnonzero(factor[order] == f).tolist()) for f in range(len(names))}
    assert [part[0] for part in found] == sorted(part.min() for part in found)
    assert all((np.diff(part) > 0).all() for part in found)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("joined", [0.05, recognition.JOINING_COSINE, 0.7])
def test_the_threshold_of_components(joined: float, sign: int) -> None:
    """Joined beyond it, however the sign; and also through a third feature."""

    def pair(cosine: float) -> np.ndarray:
        return np.array([[2, 3 * sign * cosine], [0, 3 * (1 - cosine**2) ** 0.5]])

    assert grouped(components(pair(joined + 1e-6), joined)) == {frozenset({0, 1})}
    assert grouped(components(pair(joined - 1e-6), joined)) == {frozenset({0}), frozenset({1})}
    half = np.array([0, np.pi / 4, np.pi / 2])
    assert len(components(np.stack([np.cos(half), np.sin(half)]), 0.5)) == 1


def test_default_threshold() -> None:
    turn = np.arccos([1, recognition.JOINING_COSINE + 0.01, -1])
    W = np.stack([np.cos(turn), np.sin(turn)])
    assert len(components(W)) == 1
    turn = np.arccos([1, recognition.JOINING_COSINE - 0.01])
    assert len(components(np.stack([np.cos(turn), np.sin(turn)]))) == 2


def test_no_features_no_components() -> None:
    assert components(np.zeros((3, 0))) == []


# How far apart


@pytest.mark.parametrize("name", [*NAMED, *list(TEGUM)[:5]])
@settings(max_examples=8)
@given(seed=seeds)
def test_copies_do_not_differ(name: str, seed: int) -> None:
    """No rotation, reflection, order, size, or further dimension makes a difference; not even to many corners."""
    corners, rng = product(*polytopes.factors_of(name)), np.random.default_rng(seed)
    order, scale = rng.permutation(corners.shape[1]), 10.0 ** rng.uniform(-2, 2)
    copy = scale * turned(corners, seed, more=seed % 3)[:, order]
    assert difference(copy, corners) < 1e-10
    assert difference(copy.astype(np.float32), corners) < 1e-5
    assert difference(corners, copy) < 1e-10


BRUTE = ["triangle", "square", "pentagon", "hexagon", "triangular bipyramid", "octahedron"]


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("name", [*BRUTE, "tetrahedron", "simplex of 5"])
def test_difference_of_noisy_copies_against_every_order(name: str, noise: float) -> None:
    """The search for the order finds the best of k!; and it is the difference that it is said to be."""
    corners = product(*polytopes.factors_of(name))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        W = turned(corners, seed)[:, rng.permutation(corners.shape[1])] + noise * rng.normal(size=corners.shape)
        expected = least_difference(W, corners)
        assert difference(2 * W, corners) == pytest.approx(expected, rel=1e-9)
        assert expected > noise / 10


@settings(max_examples=15)
@given(seeds)
def test_no_order_is_below_the_least(seed: int) -> None:
    """Of what is no copy at all: the order may be missed, but a difference below the least would be a wrong formula."""
    W = np.random.default_rng(seed).normal(size=(1 + seed % 3, 5))
    assert difference(W, polytopes.polygon(5)) >= least_difference(W, polytopes.polygon(5)) - 1e-12


@given(st.floats(0, np.pi), st.floats(0.2, 5))
def test_difference_of_a_pair_from_a_digon(angle: float, length: float) -> None:
    """[[1, c], [c, 1]] to [[1, -1], [-1, 1]]; unequal lengths count, a common size does not."""
    W = np.array([[1, np.cos(angle)], [0, np.sin(angle)]]) * [1, length]
    a, b, c = 2 / (1 + length**2), 2 * length**2 / (1 + length**2), 2 * length / (1 + length**2) * np.cos(angle)
    expected = ((a - 1) ** 2 + (b - 1) ** 2 + 2 * (c + 1) ** 2) ** 0.5 / 2
    assert difference(W, simplex(2)) == pytest.approx(expected, abs=1e-12)


def test_polytopes_are_not_alike() -> None:
    """Two of as many corners are further apart than what is called by a name; and no other height is an antiprism."""
    for k in range(1, 13):
        for one, other in itertools.permutations(polytopes_with(k), 2):
            assert difference(one.corners, other.corners) > 2 * recognition.MAX_RESIDUAL
    for height2 in (0.2, 0.3, 0.4):
        assert difference(polytopes.square_antiprism(height2), polytopes.square_antiprism()) > 0.03


@pytest.mark.parametrize("name", ["pentagon", "hexagon", "square antiprism", "icosahedron"])
def test_aligned(name: str) -> None:
    """Laid on the corners again, each column on its own; lengths and angles are left as they are."""
    corners, rng = NAMED[name].corners, np.random.default_rng(0)
    noise = 0.02 * rng.normal(size=corners.shape)
    order = rng.permutation(corners.shape[1])
    W = turned(corners + noise, 1)[:, order]
    found = alignment.align(W, corners)
    placed = [int(np.abs(np.linalg.norm(W, axis=0) - length).argmin()) for length in np.linalg.norm(found, axis=0)]
    assert sorted(placed) == list(range(len(order)))
    np.testing.assert_allclose(found.T @ found, (W.T @ W)[np.ix_(placed, placed)], atol=1e-12)
    cost = np.linalg.norm(found[:, :, None] - corners[:, None, :], axis=0)
    assert (cost.argmin(1) == range(len(order))).all()
    assert cost.min(1).max() < 0.15


@pytest.mark.parametrize("polytope", SMALL, ids=lambda p: p.name)
def test_rounding_errors_do_not_choose_among_symmetric_places(polytope: Polytope) -> None:
    """An exact polytope fits its corners in as many ways as it has symmetries: the same picture every time."""
    rng = np.random.default_rng(0)
    W = turned(polytope.corners, 1)
    first = alignment.align(W, polytope.corners)
    for _ in range(10):
        again = alignment.align(W + 1e-14 * rng.normal(size=W.shape), polytope.corners)
        np.testing.assert_allclose(again, first, atol=1e-11)


def family(sets: tuple[tuple[int, ...], ...]) -> set[frozenset[int]]:
    return {frozenset(members) for members in sets}


@pytest.mark.parametrize(
    "sets",
    [((0,), (1, 2, 3, 4)), ((0, 1), (2, 3)), ((0, 1), (2, 3), (4, 5)), ((0, 1, 2), (3, 4, 5)), ((0, 3), (1,), (2, 4))],
    ids=str,
)
def test_symmetric_orders(sets: tuple[tuple[int, ...], ...]) -> None:
    """Of all permutations those that map the family of sets on itself, each once, that which changes nothing first."""
    k = sum(map(len, sets))
    expected = [
        order
        for order in itertools.permutations(range(k))
        if family(tuple(tuple(order[i] for i in members) for members in sets)) == family(sets)
    ]
    assert alignment.symmetric_orders(*sets).tolist() == [list(order) for order in expected]


ALLOWED = {  # which features are alike, and the arrangement that they are laid on
    "pentagon": (((0,), (1, 2, 3, 4)), polytopes.polygon(5)),
    "hexagon": (((0, 1), (2, 3), (4, 5)), polytopes.polygon(6)),
    "octahedron": (((0, 1, 2), (3, 4, 5)), np.concatenate([np.eye(3), -np.eye(3)], axis=1)),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_canonical_orientation(name: str) -> None:
    """However a model is turned or reflected, and whichever of its equal features trade places, the picture is one; and
    of all allowed orders none lies nearer to the corners."""
    sets, corners = ALLOWED[name]
    orders, rng = alignment.symmetric_orders(*sets), np.random.default_rng(3)
    for seed in range(5):
        W = rng.normal(size=corners.shape)
        first = alignment.align(W, corners, orders)
        for order in orders[rng.integers(0, len(orders), 4)]:
            again = alignment.align(turned(W, seed)[: len(W)][:, order], corners, orders)
            np.testing.assert_allclose(again, first, atol=1e-9)
        rotation, order = alignment.find_alignment(W, corners, orders)
        np.testing.assert_allclose(rotation @ W[:, order], first)
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(len(W)), atol=1e-12)
        assert order.tolist() in orders.tolist()
        best = min(np.linalg.norm(nearest(W[:, other], corners) - corners) for other in orders)
        assert np.linalg.norm(first - corners) == pytest.approx(best)


def nearest(W: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Orthogonal Procrustes, as SciPy solves it."""
    return orthogonal_procrustes(W.T, corners.T)[0].T @ W


@pytest.mark.parametrize("name", ALLOWED)
def test_canonical_orientation_of_symmetric_models(name: str) -> None:
    """Rounding errors do not choose among the orders that fit equally well."""
    sets, corners = ALLOWED[name]
    orders, rng = alignment.symmetric_orders(*sets), np.random.default_rng(4)
    first = alignment.align(turned(corners, 1)[: len(corners)], corners, orders)
    for _ in range(10):
        W = turned(corners, 1)[: len(corners)] + 1e-14 * rng.normal(size=corners.shape)
        np.testing.assert_allclose(alignment.align(W, corners, orders), first, atol=1e-10)


# Names


@pytest.mark.parametrize("noise", [0, 0.03])
@pytest.mark.parametrize("polytope", SMALL, ids=lambda p: p.name)
def test_polytopes_are_recognised(polytope: Polytope, noise: float) -> None:
    """As training leaves them: turned, in any order, of any size, and with every coordinate a little off."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        shifted = polytope.corners + noise * rng.normal(size=polytope.corners.shape)
        name, residual = recognise(1.3 * turned(shifted, seed, more=1)[:, rng.permutation(polytope.features)])
        assert name == polytope.name
        assert residual == pytest.approx(0, abs=4 * noise + 1e-10)


def at_angles(*degrees: float) -> np.ndarray:
    return np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])


OTHERS: dict[str, np.ndarray] = {
    "two corners of a triangle": simplex(3)[:, :2],
    "a pair at 120°": at_angles(0, 120),
    "a pair at 90°": at_angles(0, 90),
    "a pair in the same direction": at_angles(0, 0),
    "three in half a plane": at_angles(0, 80, 160),
    "three in a line": np.array([[1.0, -1.0, 1.0]]),
    "a square": product("digon", "digon"),
    "an octahedron": product("digon", "digon", "digon"),
    "a triangular bipyramid": product("digon", "triangle"),
    "four corners of a pentagon": polytopes.polygon(5)[:, :4],
    "five corners of a hexagon": polytopes.polygon(6)[:, :5],
    "a cube": np.array([*itertools.product((-1.0, 1.0), repeat=3)]).T,
    "ten corners of an icosahedron": polytopes.icosahedron()[:, :10],
    "a prism of hexagons": np.concatenate([np.tile(polytopes.polygon(6), 2), [[0.7] * 6 + [-0.7] * 6]]),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_polytope(what: str) -> None:
    """A wrong name would be counted as a find."""
    name, residual = recognise(OTHERS[what])
    assert name == "other"
    assert residual > recognition.MAX_RESIDUAL


@pytest.mark.parametrize("k", [4, 5, 6, 7, 8, 9, 12])
@pytest.mark.parametrize("d", [2, 3])
def test_random_directions_are_no_polytope(d: int, k: int) -> None:
    for seed in range(3):
        W = np.random.default_rng(seed).normal(size=(d, k))
        assert recognise(W / np.linalg.norm(W, axis=0))[0] == "other"


@pytest.mark.parametrize(("residual", "name"), [(-1e-6, "digon"), (1e-6, "other")])
def test_the_edge_of_a_name(residual: float, name: str) -> None:
    """|1 + cos|/√2 is a pair's residual."""
    residual += recognition.MAX_RESIDUAL
    found = recognise(at_angles(0, np.rad2deg(np.arccos(residual * 2**0.5 - 1))))
    assert found == (name, pytest.approx(residual))


def test_the_nearest_name_counts() -> None:
    """And its residual, not that of another polytope with as many corners."""
    for polytope in NAMED.values():
        W = polytope.corners + 0.02 * np.random.default_rng(1).normal(size=polytope.corners.shape)
        expected = min(difference(W, other.corners) for other in polytopes_with(polytope.features))
        assert recognise(W) == (polytope.name, expected)


# Whole models


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(4))
def test_factors_of_a_model(seed: int, dtype: type) -> None:
    """Three factors and two features that are absent, one of them nearly present: the table and the numbers agree."""
    names, rng = ["digon", "pentagon", "single"], np.random.default_rng(seed)
    W = np.concatenate([product(*names), np.zeros((4, 2))], axis=1)
    W = np.array([0.72] * 2 + [1.2] * 5 + [1.0] + [1.0] * 2) * (W + 0.01 * rng.normal(size=W.shape))
    W[:, -1] *= 0.69 / np.linalg.norm(W[:, -1])  # ‖W_i‖² = 0.48, and 0.52 in the digon
    W[:, :2] *= 0.72 / np.linalg.norm(W[:, :2], axis=0)
    whose = np.repeat([0, 1, 2, -1], [2, 5, 1, 2])
    order = rng.permutation(10)
    factor_of, table = find_factors(turned(W, seed, more=1)[:, order].astype(dtype))
    assert table.index.name == "factor"
    assert table.columns.tolist() == ["polytope", "features", "residual"]
    assert factor_of.shape == (10,)
    for column, factor in zip(order, factor_of, strict=True):
        assert (factor == -1) == (whose[column] == -1)
        if factor >= 0:
            assert table["polytope"][factor] == names[whose[column]]
            assert table["features"][factor] == (factor_of == factor).sum()
    assert sorted(table["polytope"]) == names
    assert (table["residual"] < 0.08).all()
    assert (table["residual"][table["polytope"] == "pentagon"] > 1e-3).all()
    assert polytopes.product_name(table["polytope"]) == "digon + pentagon + single"


@pytest.mark.parametrize("name", [*TEGUM, "digon + tetrahedron", "digon + digon + digon + digon + digon"])
def test_noisy_products_are_named(name: str) -> None:
    for seed in range(4):
        W = product(*polytopes.factors_of(name))
        W = turned(W + 0.02 * np.random.default_rng(seed).normal(size=W.shape), seed)
        factor_of, table = find_factors(W)
        assert polytopes.product_name(table["polytope"]) == name
        assert (factor_of >= 0).all()


@pytest.mark.parametrize("k", [5, 6, 8, 12])
def test_features_in_one_direction(k: int) -> None:
    """They are no polytope; every choice of corners is as good as another, and yet a choice ends."""
    W = np.outer([0.3, -0.8, 0.5], np.ones(k))
    assert recognition.recognise(W)[0] == "other"
    assert recognition.find_factors(W)[1]["polytope"].tolist() == ["other"]


def test_larger_simplices_of_a_model() -> None:
    factor_of, table = find_factors(turned(product("simplex of 6", "simplex of 5", "digon"), 0))
    assert sorted(table["polytope"]) == ["digon", "simplex of 5", "simplex of 6"]
    assert (factor_of >= 0).all()


def test_factors_with_another_threshold() -> None:
    """A pentagon's joints at 0.31 are only half of it: those at -cos 36° = -0.81 still hold it at 0.8."""
    assert find_factors(polytopes.polygon(5), 0.8)[1]["polytope"].tolist() == ["pentagon"]
    assert find_factors(polytopes.polygon(5), 0.9)[1]["polytope"].tolist() == ["single"] * 5


@pytest.mark.parametrize("W", [np.zeros((3, 5)), np.full((2, 4), 0.1), np.zeros((3, 0))], ids=["0", "small", "none"])
def test_an_empty_model(W: np.ndarray) -> None:
    """Nothing is represented: no factor, and still a table."""
    factor_of, table = find_factors(W)
    assert factor_of.tolist() == [-1] * W.shape[1]
    assert table.columns.tolist() == ["polytope", "features", "residual"]
    assert len(table) == 0
    assert polytopes.product_name(table["polytope"]) == "none"

"""Recognition of polytopes in models: their tegum factors and their names."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.arrangements import NAMED, SMALL, product, turned

from superposition.analysis import recognition
from superposition.analysis.alignment import difference
from superposition.analysis.recognition import JOINING_COSINE, components, find_factors, recognise
from superposition.theory import polytopes
from superposition.theory.catalogue import polytopes_with, simplex
from superposition.theory.polytopes import Polytope, tegum_product


def grouped(parts: Sequence[np.ndarray]) -> set[frozenset[int]]:
    return {frozenset(part.tolist()) for part in parts}


# Simplices whose cosines are below the threshold fall apart.
CONNECTED = [name for name, p in NAMED.items() if p.name != f"simplex of {p.features}" or p.features <= 6]


@given(st.lists(st.sampled_from(CONNECTED), min_size=1, max_size=4), st.integers(0, 10**6))
def test_components_of_tegum_products(names: list[str], seed: int) -> None:
    """Factors are found behind any rotation, order and lengths, and sorted by their first members."""
    rng, W = np.random.default_rng(seed), tegum_product(*(NAMED[name] for name in names))
    factor = np.repeat(np.arange(len(names)), [NAMED[name].features for name in names])
    order, lengths = rng.permutation(len(factor)), 10.0 ** rng.uniform(-3, 1, len(factor))
    found = components(turned(W, seed, more=2)[:, order] * lengths)
    assert grouped(found) == {frozenset(np.flatnonzero(factor[order] == f).tolist()) for f in range(len(names))}
    assert [part[0] for part in found] == sorted(part.min() for part in found)
    assert all((np.diff(part) > 0).all() for part in found)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("threshold", [JOINING_COSINE, 0.7])
def test_the_threshold_of_components(threshold: float, sign: int) -> None:
    """Features are joined if their cosine exceeds the threshold, whatever its sign, or through a third feature."""

    def pair(cosine: float) -> np.ndarray:
        return np.array([[2, 3 * sign * cosine], [0, 3 * (1 - cosine**2) ** 0.5]])

    options = () if threshold == JOINING_COSINE else (threshold,)  # The first one is the default.
    assert grouped(components(pair(threshold + 1e-6), *options)) == {frozenset({0, 1})}
    assert grouped(components(pair(threshold - 1e-6), *options)) == {frozenset({0}), frozenset({1})}
    half = np.array([0, np.pi / 4, np.pi / 2])
    assert len(components(np.stack([np.cos(half), np.sin(half)]), 0.5)) == 1
    assert components(np.zeros((3, 0))) == []


@pytest.mark.parametrize("noise", [0, 0.03])
@pytest.mark.parametrize("polytope", SMALL, ids=lambda p: p.name)
def test_polytopes_are_recognised(polytope: Polytope, noise: float) -> None:
    """Polytopes are recognised as training leaves them: rotated, in any order, of any size, and a little off."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        shifted = polytope.corners + noise * rng.normal(size=polytope.corners.shape)
        name, residual = recognise(1.3 * turned(shifted, seed, more=1)[:, rng.permutation(polytope.features)])
        assert name == polytope.name
        assert residual == pytest.approx(0, abs=4 * noise + 1e-10)


def at_angles(*degrees: float) -> np.ndarray:
    return np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])


OTHERS: dict[str, np.ndarray] = {
    "two corners of a triangle": simplex(3)[:, :2],
    "a pair at 90°": at_angles(0, 90),
    "a pair in the same direction": at_angles(0, 0),
    "three in half a plane": at_angles(0, 80, 160),
    "three in a line": np.array([[1.0, -1.0, 1.0]]),
    "a square": product("square"),
    "an octahedron": product("octahedron"),
    "a triangular bipyramid": product("triangular bipyramid"),
    "four corners of a pentagon": polytopes.polygon(5)[:, :4],
    "five corners of a hexagon": polytopes.polygon(6)[:, :5],
    "a cube": np.array([*itertools.product((-1.0, 1.0), repeat=3)]).T,
    "ten corners of an icosahedron": polytopes.icosahedron()[:, :10],
    "a prism of hexagons": np.concatenate([np.tile(polytopes.polygon(6), 2), [[0.7] * 6 + [-0.7] * 6]]),
    **{f"{k} in one direction": np.outer([0.3, -0.8, 0.5], np.ones(k)) for k in (5, 8, 12)},
    **{f"{k} random in {d}": np.random.default_rng(k).normal(size=(d, k)) for d in (2, 3) for k in (4, 7, 12)},
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_polytope(what: str) -> None:
    name, residual = recognise(OTHERS[what])
    assert name == "other"
    assert residual > recognition.MAX_RESIDUAL


@pytest.mark.parametrize(("residual", "name"), [(-1e-6, "digon"), (1e-6, "other")])
def test_the_largest_residual_with_a_name(residual: float, name: str) -> None:
    """The residual of a pair is |1 + cos|/√2."""
    residual += recognition.MAX_RESIDUAL
    found = recognise(at_angles(0, np.rad2deg(np.arccos(residual * 2**0.5 - 1))))
    assert found == (name, pytest.approx(residual))


def test_the_nearest_polytope_gives_the_name() -> None:
    for polytope in NAMED.values():
        W = polytope.corners + 0.02 * np.random.default_rng(1).normal(size=polytope.corners.shape)
        expected = min(difference(W, other.corners) for other in polytopes_with(polytope.features))
        assert recognise(W) == (polytope.name, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_factors_of_a_model(dtype: type) -> None:
    """A model of three factors has two more features that are not represented, one of them only just."""
    names, rng = ["digon", "pentagon", "single"], np.random.default_rng(0)
    W = np.concatenate([product("digon + pentagon + single"), np.zeros((4, 2))], axis=1)
    W = np.array([0.72] * 2 + [1.2] * 5 + [1.0] + [1.0] * 2) * (W + 0.01 * rng.normal(size=W.shape))
    W[:, -1] *= 0.69 / np.linalg.norm(W[:, -1])  # ‖W_i‖² is 0.48 here, and 0.52 in the digon.
    W[:, :2] *= 0.72 / np.linalg.norm(W[:, :2], axis=0)
    whose = np.repeat([0, 1, 2, -1], [2, 5, 1, 2])
    order = rng.permutation(10)
    factor_of, table = find_factors(turned(W, 0, more=1)[:, order].astype(dtype))
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


@pytest.mark.parametrize(
    "name", ["octahedron", "hexagonal bipyramid", "digon + tetrahedron", "pentagon + simplex of 6"]
)
def test_noisy_products_are_named(name: str) -> None:
    for seed in range(2):
        W = product(name)
        W = turned(W + 0.02 * np.random.default_rng(seed).normal(size=W.shape), seed)
        factor_of, table = find_factors(W)
        assert polytopes.product_name(table["polytope"]) == name
        assert (factor_of >= 0).all()


def test_factors_with_another_threshold() -> None:
    """Cosines of 0.31 and -0.81 join a pentagon; the latter alone still hold it together."""
    assert find_factors(polytopes.polygon(5), 0.8)[1]["polytope"].tolist() == ["pentagon"]
    assert find_factors(polytopes.polygon(5), 0.9)[1]["polytope"].tolist() == ["single"] * 5


@pytest.mark.parametrize("W", [np.zeros((3, 5)), np.full((2, 4), 0.1), np.zeros((3, 0))], ids=["0", "small", "none"])
def test_a_model_that_represents_nothing(W: np.ndarray) -> None:
    factor_of, table = find_factors(W)
    assert factor_of.tolist() == [-1] * W.shape[1]
    assert table.columns.tolist() == ["polytope", "features", "residual"]
    assert len(table) == 0
    assert polytopes.product_name(table["polytope"]) == "none"

"""The polytopes of the catalogue: their angles, their symmetry, and the names of their products."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superposition.core import geometry
from superposition.theory import polytopes
from superposition.theory.catalogue import polytopes_with
from superposition.theory.polytopes import Polytope, tegum_product

NAMED = {p.name: p for k in range(1, 13) for p in polytopes_with(k)}


def dimensionality(W: np.ndarray) -> np.ndarray:
    return geometry.dimensionality(torch.from_numpy(np.ascontiguousarray(W))).numpy()


@pytest.mark.parametrize("polytope", NAMED.values(), ids=NAMED)
def test_symmetry(polytope: Polytope) -> None:
    """Corners are equivalent unit vectors around 0 that fill space isotropically, so that D_i = d/k."""
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


def test_the_catalogue() -> None:
    """Names are unique; a square has none of its own, because it is two digons."""
    names = [p.name for k in range(1, 13) for p in polytopes_with(k)]
    assert len(set(names)) == len(names)
    assert all(p.features == k for k in range(1, 13) for p in polytopes_with(k))
    assert [p.name for p in polytopes_with(4)] == ["tetrahedron"]
    expected = {"single", "digon", "triangle", "tetrahedron", "pentagon", "hexagon", "square antiprism", "icosahedron"}
    assert expected <= set(names)


# Cosines between one corner and the others, in ascending order.
ANGLES: dict[str, list[float]] = {
    **{polytopes_with(k)[0].name: [-1 / (k - 1)] * (k - 1) for k in range(2, 13)},
    "single": [],
    "pentagon": [np.cos(2 * np.pi * 2 / 5)] * 2 + [np.cos(2 * np.pi / 5)] * 2,
    "hexagon": [-1, -0.5, -0.5, 0.5, 0.5],
    "octagon": [-1, *[-(0.5**0.5)] * 2, 0, 0, *[0.5**0.5] * 2],
    "icosahedron": [-1, *[-(0.2**0.5)] * 5, *[0.2**0.5] * 5],
    "square antiprism": [*[-1 / 3 - 2**0.5 / 3] * 2, -1 / 3, *[-1 / 3 + 2**0.5 / 3] * 2, 1 / 3, 1 / 3],
}


@pytest.mark.parametrize("name", ANGLES)
def test_angles(name: str) -> None:
    gram = NAMED[name].corners.T @ NAMED[name].corners
    np.testing.assert_allclose(np.sort(gram[0, 1:]), ANGLES[name], atol=1e-12)


def test_corners_of_polygons_are_in_order() -> None:
    np.testing.assert_allclose(polytopes.polygon(4), [[1, 0, -1, 0], [0, 1, 0, -1]], atol=1e-15)


@pytest.mark.parametrize("height2", [0.1, 1 / 3, 0.9])
def test_square_antiprism_of_any_height(height2: float) -> None:
    """The square antiprism is isotropic at a squared height of 1/3 alone."""
    corners = polytopes.square_antiprism(height2)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=0), 1)
    gram, flat = corners.T @ corners, 1 - height2
    same, other = [flat * np.cos(a) + height2 for a in (np.pi / 2, np.pi)], flat * np.cos(np.pi / 4) - height2
    np.testing.assert_allclose(gram[0, [2, 6, 4, 1, 7]], [same[0], same[0], same[1], other, other], atol=1e-12)
    D = dimensionality(corners)
    np.testing.assert_allclose(D, D[0])
    assert D[0] <= 3 / 8 + 1e-12
    assert (D[0] > 3 / 8 - 1e-12) == (height2 == 1 / 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("octahedron", {"digon": 1 / 2}),
        ("pentagonal bipyramid", {"digon": 1 / 2, "pentagon": 2 / 5}),
        ("single + square antiprism", {"single": 1, "square antiprism": 3 / 8}),
        ("pentagon + tetrahedron + triangle", {"pentagon": 2 / 5, "tetrahedron": 3 / 4, "triangle": 2 / 3}),
    ],
)
def test_dimensionality_of_tegum_products(name: str, expected: dict[str, float]) -> None:
    """Every feature has the dimensionality of its own factor, because factors do not interfere."""
    names = polytopes.factors_of(name)
    W = tegum_product(*(NAMED[factor] for factor in names))
    assert W.shape == (sum(NAMED[f].dimensions for f in names), sum(NAMED[f].features for f in names))
    np.testing.assert_allclose(dimensionality(W), [expected[f] for f in names for _ in range(NAMED[f].features)])


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
def test_names_of_products(names: tuple[str, ...], expected: str) -> None:
    assert polytopes.product_name(iter(names)) == expected


@given(st.lists(st.sampled_from([*NAMED, "other"]), min_size=1, max_size=5))
def test_names_of_products_can_be_read(names: list[str]) -> None:
    """No two products share a name, and every call returns a new list."""
    found = polytopes.factors_of(polytopes.product_name(names))
    assert found == sorted(names)
    found.append("changed")
    assert polytopes.factors_of(polytopes.product_name(names)) == sorted(names)

"""The polytopes of the paper as exact arrangements of features, and the names of their products.

A *tegum product* has the corners of all its factors, each factor in dimensions of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

FRACTIONS = {  # D_i by polytope: the lines of the paper's figure
    "own dimension": 1.0,
    "tetrahedron": 3 / 4,
    "triangle": 2 / 3,
    "digon": 1 / 2,
    "pentagon": 2 / 5,
    "square antiprism": 3 / 8,
    "absent": 0.0,
}
WRITTEN = {1.0: "1", 3 / 4: "3/4", 2 / 3: "2/3", 1 / 2: "1/2", 2 / 5: "2/5", 3 / 8: "3/8", 0.0: "0"}


@dataclass(frozen=True, eq=False)
class Polytope:
    """Unit vectors around 0 that are all alike: each sees the others under the same angles."""

    name: str
    corners: Float64[np.ndarray, "d k"]

    @property
    def dimensions(self) -> int:
        """Of the space that it spans."""
        return self.corners.shape[0]

    @property
    def features(self) -> int:
        """How many corners it has."""
        return self.corners.shape[1]

    @property
    def dimensionality(self) -> float:
        """D_i of each feature, d/k: 1/2 in a digon, 2/3 in a triangle, …"""
        return self.dimensions / self.features


def polygon(k: int) -> Float64[np.ndarray, "2 k"]:
    """The corners of a regular polygon; the first one points to the right."""
    angle = 2 * np.pi * np.arange(k) / k
    return np.stack([np.cos(angle), np.sin(angle)])


def square_antiprism(height2: float = 1 / 3) -> Float64[np.ndarray, "3 8"]:
    """Two squares, one above the other and turned by 45°; ``height2`` is the square of their distance from the middle.

    At 1/3 the corners fill space evenly, Σ_i W_i W_iᵀ ∝ 1: of all heights, only there D_i is 3/8.
    """
    angle, radius = 2 * np.pi * np.arange(8) / 8, (1 - height2) ** 0.5
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height2**0.5 * (-1.0) ** np.arange(8)])


def icosahedron() -> Float64[np.ndarray, "3 12"]:
    """The cyclic permutations of (0, ±1, ±φ), where φ is the golden ratio."""
    golden = (1 + 5**0.5) / 2
    one = np.array([(0, a, b * golden) for a in (1, -1) for b in (1, -1)]).T
    return np.concatenate([np.roll(one, turn, axis=0) for turn in range(3)], axis=1) / (1 + golden**2) ** 0.5


_PRODUCTS = {  # the names that tegum products have
    ("digon", "digon"): "square",
    ("digon", "digon", "digon"): "octahedron",
    ("digon", "triangle"): "triangular bipyramid",
    ("digon", "pentagon"): "pentagonal bipyramid",
    ("digon", "hexagon"): "hexagonal bipyramid",
}
NONE = "none"
_FACTORS = {name: factors for factors, name in _PRODUCTS.items()}


def product_name(factors: Iterable[str]) -> str:
    """The name of a tegum product: its own, where it has one, or its factors'."""
    factors = tuple(sorted(factors))
    return _PRODUCTS.get(factors) or " + ".join(factors) or NONE


def factors_of(product: str) -> list[str]:
    """The factors of a tegum product by its name, in the order of the alphabet."""
    return [*_FACTORS.get(product, product.split(" + "))] if product != NONE else []


def tegum(*factors: Polytope) -> Float64[np.ndarray, "d k"]:
    """The tegum product: the corners of all factors, each in dimensions of its own."""
    corners = np.zeros((sum(f.dimensions for f in factors), sum(f.features for f in factors)))
    row = column = 0
    for factor in factors:
        corners[row : row + factor.dimensions, column : column + factor.features] = factor.corners
        row, column = row + factor.dimensions, column + factor.features
    return corners

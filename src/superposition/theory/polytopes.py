"""Polytopes of the paper as exact arrangements of features, and names for their products.

A *tegum product* has the corners of all its factors, which lie in mutually orthogonal subspaces.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

# Dimensionality D_i by polytope: the lines in the paper's figure.
FRACTIONS = {
    "dedicated dimension": 1.0,
    "tetrahedron": 3 / 4,
    "triangle": 2 / 3,
    "digon": 1 / 2,
    "pentagon": 2 / 5,
    "square antiprism": 3 / 8,
    "absent": 0.0,
}
# The same fractions as they are written in labels.
FRACTION_LABELS = {1.0: "1", 3 / 4: "3/4", 2 / 3: "2/3", 1 / 2: "1/2", 2 / 5: "2/5", 3 / 8: "3/8", 0.0: "0"}


@dataclass(frozen=True, eq=False)
class Polytope:
    """Equivalent unit vectors around the origin: all corners have the same angles to the others.

    Attributes:
        name: Name of the polytope.
        corners: The corners, as columns.
    """

    name: str
    corners: Float64[np.ndarray, "d k"]

    @property
    def dimensions(self) -> int:
        """Number of dimensions of the space that the polytope spans."""
        return self.corners.shape[0]

    @property
    def features(self) -> int:
        """Number of corners."""
        return self.corners.shape[1]

    @property
    def dimensionality(self) -> float:
        """Dimensionality D_i of each feature, d/k: 1/2 in a digon, 2/3 in a triangle, …"""
        return self.dimensions / self.features


def polygon(k: int) -> Float64[np.ndarray, "2 k"]:
    """Return the corners of a regular polygon; the first one lies on the positive x-axis."""
    angle = 2 * np.pi * np.arange(k) / k
    return np.stack([np.cos(angle), np.sin(angle)])


def square_antiprism(height2: float = 1 / 3) -> Float64[np.ndarray, "3 8"]:
    """Return the corners of a square antiprism: two parallel squares, one rotated by 45° against the other.

    Args:
        height2: Squared distance of the squares from the centre. Only at the default of 1/3 is the arrangement
            isotropic, Σ_i W_i W_iᵀ ∝ 1, so that D_i is 3/8.
    """
    angle, radius = 2 * np.pi * np.arange(8) / 8, (1 - height2) ** 0.5
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height2**0.5 * (-1.0) ** np.arange(8)])


def icosahedron() -> Float64[np.ndarray, "3 12"]:
    """Return the corners of an icosahedron: the cyclic permutations of (0, ±1, ±φ), where φ is the golden ratio."""
    golden = (1 + 5**0.5) / 2
    rectangle = np.array([(0, a, b * golden) for a in (1, -1) for b in (1, -1)]).T
    return np.concatenate([np.roll(rectangle, shift, axis=0) for shift in range(3)], axis=1) / (1 + golden**2) ** 0.5


# Common names of tegum products, by their factors in alphabetical order.
_PRODUCT_NAMES = {
    ("digon", "digon"): "square",
    ("digon", "digon", "digon"): "octahedron",
    ("digon", "triangle"): "triangular bipyramid",
    ("digon", "pentagon"): "pentagonal bipyramid",
    ("digon", "hexagon"): "hexagonal bipyramid",
}
_FACTORS = {name: factors for factors, name in _PRODUCT_NAMES.items()}
# Name of the product without factors.
_EMPTY_PRODUCT = "none"


def product_name(factors: Iterable[str]) -> str:
    """Return the common name of a tegum product or, if there is none, the names of its factors joined by " + "."""
    factors = tuple(sorted(factors))
    return _PRODUCT_NAMES.get(factors) or " + ".join(factors) or _EMPTY_PRODUCT


def factors_of(product: str) -> list[str]:
    """Return the factors of a tegum product, given its name, in alphabetical order."""
    return [*_FACTORS.get(product, product.split(" + "))] if product != _EMPTY_PRODUCT else []


def tegum_product(*factors: Polytope) -> Float64[np.ndarray, "d k"]:
    """Return the corners of a tegum product: those of all factors, in mutually orthogonal subspaces."""
    corners = np.zeros((sum(f.dimensions for f in factors), sum(f.features for f in factors)))
    row = column = 0
    for factor in factors:
        corners[row : row + factor.dimensions, column : column + factor.features] = factor.corners
        row, column = row + factor.dimensions, column + factor.features
    return corners

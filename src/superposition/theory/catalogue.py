"""Catalogue of the polytopes that features may form, by number of corners."""

from functools import cache

import numpy as np
from jaxtyping import Float64

from superposition.theory.polytopes import Polytope, icosahedron, polygon, square_antiprism
from superposition.theory.simplices import arrange_simplices

_SIMPLICES = ("single", "digon", "triangle", "tetrahedron")
_POLYGONS = {5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon", 9: "nonagon"}


def simplex(k: int) -> Float64[np.ndarray, "d k"]:
    """Return k unit vectors with equal angles between them, in k - 1 dimensions (in one dimension for k = 1)."""
    return arrange_simplices((tuple(range(k)),), k, max(1, k - 1)).numpy()


@cache
def polytopes_with(corners: int) -> tuple[Polytope, ...]:
    """Return the polytopes with the given number of corners.

    Tegum products are not included: a square is two digons, and an octahedron three.
    """
    k = corners
    found = [Polytope(_SIMPLICES[k - 1] if k <= 4 else f"simplex of {k}", simplex(k))]
    if k in _POLYGONS:
        found.append(Polytope(_POLYGONS[k], polygon(k)))
    if k == 8:
        found.append(Polytope("square antiprism", square_antiprism()))
    if k == 12:
        found.append(Polytope("icosahedron", icosahedron()))
    return tuple(found)


SINGLE, DIGON, TRIANGLE, TETRAHEDRON, PENTAGON = (polytopes_with(k)[-1] for k in (1, 2, 3, 4, 5))

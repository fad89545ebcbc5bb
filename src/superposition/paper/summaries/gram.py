"""Gram matrices: WᵀW determines W up to rotation, and every positive semidefinite matrix of rank m is a WᵀW."""

import numpy as np
import pandas as pd
from jaxtyping import Float64

from superposition.theory.catalogue import DIGON, PENTAGON, TETRAHEDRON, TRIANGLE
from superposition.theory.polytopes import icosahedron, square_antiprism, tegum_product

ROUND_TRIP_EXAMPLES = {
    "triangle": TRIANGLE.corners,
    "square": tegum_product(DIGON, DIGON),
    "pentagon": PENTAGON.corners,
    "tetrahedron": TETRAHEDRON.corners,
    "pentagonal bipyramid": tegum_product(PENTAGON, DIGON),
    "square antiprism": square_antiprism(),
    "icosahedron": icosahedron(),
    "random, n = 20, m = 5": np.random.default_rng(0).normal(size=(5, 20)),
}


def factor(G: Float64[np.ndarray, "n n"], rank: int) -> Float64[np.ndarray, "rank n"]:
    """Return a W with WᵀW = G, for a positive semidefinite G of the given rank."""
    values, vectors = np.linalg.eigh(G)
    return np.sqrt(values[-rank:].clip(min=0))[:, None] * vectors[:, -rank:].T


def round_trips() -> pd.DataFrame:
    """Follow arrangements from W to WᵀW and back.

    Returns:
        One row per arrangement: ``rank`` of WᵀW, and the largest differences in WᵀW after a ``rotation`` of W, between
        W and the ``recovered`` one after the best rotation, and between WᵀW and the
        Gram matrix of the recovered one (``converse``).
    """
    rng, rows = np.random.default_rng(1), []
    for name, W in ROUND_TRIP_EXAMPLES.items():
        m = len(W)
        G, rotation = W.T @ W, np.linalg.qr(rng.normal(size=(m, m)))[0]
        recovered = factor(G, m)
        left, _, right = np.linalg.svd(W @ recovered.T)
        rows.append(
            {
                "arrangement": name,
                "rank": np.linalg.matrix_rank(G, tol=1e-6),
                "rotation": np.abs((rotation @ W).T @ (rotation @ W) - G).max(),
                "recovered": np.abs(left @ right @ recovered - W).max(),
                "converse": np.abs(recovered.T @ recovered - G).max(),
            }
        )
    return pd.DataFrame(rows)

"""Arrangements of features to be recognised: products of polytopes, behind rotations and other orders."""

import numpy as np

from superposition.theory import polytopes
from superposition.theory.catalogue import polytopes_with
from superposition.theory.polytopes import tegum_product

NAMED = {p.name: p for k in range(1, 13) for p in polytopes_with(k)}
SMALL = [p for p in NAMED.values() if p.dimensions <= 3]


def product(name: str) -> np.ndarray:
    """Return the corners of the product with this name."""
    return tegum_product(*(NAMED[factor] for factor in polytopes.factors_of(name)))


def turned(W: np.ndarray, seed: int, more: int = 0) -> np.ndarray:
    """Rotate or reflect an arrangement into a space with some more dimensions."""
    d = len(W)
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d + more, d)))[0] @ W

"""Two numbers in one, nonlinearly (paper: appendix, "Nonlinear compression").

x and y are independent and uniform on [0, 1). One number holds both, t = (⌊Zx⌋ + y) / Z: x in steps of 1/Z, y between
the steps. Read back, x' = (⌊Zt⌋ + ½) / Z, the middle of the step, and y' = Zt - ⌊Zt⌋. A network of ReLUs has no floor:
every jump is a segment of width ε that ends where the jump is.
"""

import itertools

import numpy as np
from jaxtyping import Float

LINEAR = 1 / 12  # the least E[(x - x')² + (y - y')²] of any linear map to one number: all directions have this variance
_RULE = np.polynomial.legendre.leggauss(5)


def soft_floor(u: Float[np.ndarray, "..."], width: float, jumps: int) -> Float[np.ndarray, "..."]:
    """⌊u⌋ with its jumps at 1 … ``jumps`` as segments of the given width, which lead up to them."""
    at = np.arange(1, jumps + 1)
    above = u[..., None] - at
    return ((above >= 0) if width == 0 else np.clip(above / width + 1, 0, 1)).sum(-1).astype(float)


def squared_error(
    x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], Z: int, width: float
) -> Float[np.ndarray, "..."]:
    """(x - x')² + (y - y')²."""
    packed = soft_floor(Z * x, width, Z - 1) + y  # Z t
    step = soft_floor(packed, width, Z - 1)
    return (x - (step + 0.5) / Z) ** 2 + (y - (packed - step)) ** 2


def mean_squared_error(Z: int, width: float) -> float:
    """E[(x - x')² + (y - y')²], exact but for rounding.

    The error is a polynomial between the ends of segments, in y, and, with y integrated out, in x.
    """
    jumps = np.arange(1, Z)
    # Where Zx enters or leaves a segment; within one, where the segments of Zt enter or leave the range of y.
    inside = jumps[:, None] - width * np.array([1, width, 0])
    total = 0.0
    for low, high in itertools.pairwise(np.unique(np.concatenate([[0, Z], inside.ravel()]))):
        for u, weight in zip(*_gauss(low, high), strict=True):
            stored = soft_floor(np.array([u]), width, Z - 1)[0]
            ends = np.clip(np.concatenate([[0, 1], jumps - stored, jumps - width - stored]), 0, 1)
            for y_low, y_high in itertools.pairwise(np.unique(ends)):
                y, share = _gauss(y_low, y_high)
                total += weight * (share * squared_error(np.full_like(y, u / Z), y, Z, width)).sum()
    return float(total / Z)


def _gauss(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of a rule that is exact for polynomials of degree 9."""
    points, weights = _RULE
    return low + (high - low) * (points + 1) / 2, weights * (high - low) / 2

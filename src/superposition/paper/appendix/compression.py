"""Nonlinear compression of two numbers into one (paper: appendix, "Nonlinear compression").

x and y are independent and uniform on [0, 1). One number encodes both, t = (⌊Zx⌋ + y) / Z: x in steps of 1/Z, y within
a step. It decodes to x' = (⌊Zt⌋ + ½) / Z, the middle of the step, and y' = Zt - ⌊Zt⌋. A network of ReLUs cannot form a
floor: every jump is replaced by a segment of width ε that ends where the jump is.
"""

import numpy as np
from jaxtyping import Float

# The least E[(x - x')² + (y - y')²] of a linear map to one number: the variance in every direction of the unit square.
BEST_LINEAR_ERROR = 1 / 12
_GAUSS_RULE = np.polynomial.legendre.leggauss(5)


def soft_floor(u: Float[np.ndarray, "..."], width: float, jumps: int) -> Float[np.ndarray, "..."]:
    """Return ⌊u⌋ with its jumps at 1 … ``jumps`` replaced by segments of a given width that end at the jumps."""
    at = np.arange(1, jumps + 1)
    above = u[..., None] - at
    return ((above >= 0) if width == 0 else np.clip(above / width + 1, 0, 1)).sum(-1).astype(float)


def squared_error(
    x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], Z: int, width: float
) -> Float[np.ndarray, "..."]:
    """Return (x - x')² + (y - y')² for Z steps and segments of a given width."""
    packed = soft_floor(Z * x, width, Z - 1) + y  # Z t
    step = soft_floor(packed, width, Z - 1)
    return (x - (step + 0.5) / Z) ** 2 + (y - (packed - step)) ** 2


def mean_squared_error(Z: int, width: float) -> float:
    """Return E[(x - x')² + (y - y')²], exact up to rounding.

    Between the ends of the segments the error is a polynomial in y and, integrated over y, in x.
    """
    jumps = np.arange(1.0, Z)
    # Where Zx enters or leaves a segment and, within one, where the segments of Zt enter or leave the range of y.
    inside = jumps[:, None] - width * np.array([1, width, 0])
    u, weight = _gauss_legendre(np.array([0.0, Z, *inside.ravel()]))
    stored = soft_floor(u, width, Z - 1)[:, None]
    all_of_y = np.broadcast_to([0.0, 1.0], (len(u), 2))
    ends = np.concatenate([all_of_y, jumps - stored, jumps - width - stored], axis=1)
    y, share = _gauss_legendre(np.clip(ends, 0, 1))
    error = squared_error(u[:, None] / Z, y, Z, width)
    return float((weight * (share * error).sum(-1)).sum() / Z)


def _gauss_legendre(
    ends: Float[np.ndarray, "... end"],
) -> tuple[Float[np.ndarray, "... k"], Float[np.ndarray, "... k"]]:
    """Return nodes and weights of a quadrature that is exact for polynomials of degree 9 between neighbouring ends."""
    nodes, weights = _GAUSS_RULE
    ends = np.sort(ends)[..., None]
    low, width = ends[..., :-1, :], np.diff(ends, axis=-2)
    nodes, weights = low + width * (nodes + 1) / 2, width * weights / 2
    return nodes.reshape(*nodes.shape[:-2], -1), weights.reshape(*weights.shape[:-2], -1)

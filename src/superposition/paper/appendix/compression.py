"""Two numbers in one, nonlinearly (paper: appendix, "Nonlinear compression").

x and y are independent and uniform on [0, 1). One number holds both, t = (⌊Zx⌋ + y) / Z: x in steps of 1/Z, y between
the steps. Read back, x' = (⌊Zt⌋ + ½) / Z, the middle of the step, and y' = Zt - ⌊Zt⌋. A network of ReLUs has no floor:
every jump is a segment of width ε that ends where the jump is.
"""

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
    jumps = np.arange(1.0, Z)
    # Where Zx enters or leaves a segment; within one, where the segments of Zt enter or leave the range of y.
    inside = jumps[:, None] - width * np.array([1, width, 0])
    u, weight = _gauss(np.array([0.0, Z, *inside.ravel()]))
    stored = soft_floor(u, width, Z - 1)[:, None]
    all_of_y = np.broadcast_to([0.0, 1.0], (len(u), 2))
    ends = np.concatenate([all_of_y, jumps - stored, jumps - width - stored], axis=1)
    y, share = _gauss(np.clip(ends, 0, 1))
    error = squared_error(u[:, None] / Z, y, Z, width)
    return float((weight * (share * error).sum(-1)).sum() / Z)


def _gauss(ends: Float[np.ndarray, "... end"]) -> tuple[Float[np.ndarray, "... k"], Float[np.ndarray, "... k"]]:
    """Points and weights of a rule that is exact for polynomials of degree 9 between neighbouring ends."""
    points, weights = _RULE
    ends = np.sort(ends)[..., None]
    low, width = ends[..., :-1, :], np.diff(ends, axis=-2)
    points, weights = low + width * (points + 1) / 2, width * weights / 2
    return points.reshape(*points.shape[:-2], -1), weights.reshape(*weights.shape[:-2], -1)

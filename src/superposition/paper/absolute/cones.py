"""A construction that computes |x| of any number of features with six neurons, one active feature at a time."""

import numpy as np
from jaxtyping import Float

# The tangent of the angle between the axis of the cone and its rays; all of them are positive up to 0.707.
OPENING = 0.6


def cone_layers(n: int) -> tuple[Float[np.ndarray, "6 n"], Float[np.ndarray, "6 n"]]:
    """Return the layers of a model that computes |x| of the one feature that is active.

    The input weights of every feature are a ray on a cone around (1, 1, 1), in three neurons for positive values, and
    the opposite one in three neurons for negative values. A plane separates each ray from all others, so that no other
    output is above 0, and biases of 0 suffice.

    Args:
        n: The number of features, at least two.

    Returns:
        W_1 [6, n] and W_2ᵀ [6, n].
    """
    axis, across = np.array([1, 1, 1]) / 3**0.5, np.array([1, -1, 0]) / 2**0.5
    basis = np.stack([axis, across, np.cross(axis, across)], axis=1)
    angle = 2 * np.pi * np.arange(n) / n
    cos, sin = np.cos(angle), np.sin(angle)
    halfway = np.cos(np.pi / n)
    rays = basis @ np.stack([np.ones(n), OPENING * cos, OPENING * sin])
    planes = basis @ np.stack([np.full(n, -halfway), cos / OPENING, sin / OPENING]) / (1 - halfway)
    return np.concatenate([rays, -rays]), np.concatenate([planes, planes])


def error_of_single_features(n: int) -> Float[np.ndarray, " n"]:
    """Return the largest error of any output of the construction where only that feature is active, with |x| = 1."""
    W, W_out = cone_layers(n)
    outputs = [np.maximum(np.maximum(sign * W.T, 0) @ W_out, 0) for sign in (1, -1)]
    return np.abs(np.stack(outputs) - np.eye(n)).max(axis=(0, 2))

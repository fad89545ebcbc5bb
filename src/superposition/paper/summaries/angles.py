"""Angles between features in the plane, to their nearest neighbours, and in spherical codes and random directions."""

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import beta

# Largest possible angle between the nearest two of n points on a sphere, in degrees: the solutions of Tammes' problem
# for the numbers of points for which it is proved (Fejes Tóth; Schütte and van der Waerden; Danzer).
CODES = {4: 109.4712, 5: 90.0, 6: 90.0, 7: 77.8695, 8: 74.8585, 9: 70.5288, 10: 66.1468, 11: 63.4349, 12: 63.4349}


def steps_around(W: Float[np.ndarray, "*batch 2 n"]) -> Float64[np.ndarray, "*batch n"]:
    """Return the angles from each feature in the plane to the next one, in degrees; they add up to 360°."""
    angle = np.sort(np.degrees(np.arctan2(W[..., 1, :], W[..., 0, :])), axis=-1)
    return np.diff(angle, axis=-1, append=angle[..., :1] + 360)


def nearest_angles(W: Float[np.ndarray, "m n"]) -> Float64[np.ndarray, " n"]:
    """Return the angle from each feature to its nearest neighbour, in degrees."""
    unit = W / np.linalg.norm(W, axis=0)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, -1)
    return np.degrees(np.arccos(np.clip(cosines.max(axis=1), -1, 1)))


def code_angle(n: int, m: int) -> float:
    """Return the largest possible angle between the nearest two of n directions in two or three dimensions."""
    return 360 / n if m == 2 else CODES[n]


def random_cosine(n: int, m: int, chance: float, absolute: bool) -> float:
    """Return the cosine that the largest of n random directions stays below in a given share of all cases.

    Args:
        n: Number of directions.
        m: Number of dimensions.
        chance: Share of the cases, for which pairs count as independent of each other.
        absolute: Whether the largest absolute value is meant.
    """
    tail = -np.log(chance) / (n * (n - 1) / 2)
    return float(np.sqrt(beta.isf(min(tail if absolute else 2 * tail, 1), 1 / 2, (m - 1) / 2)))

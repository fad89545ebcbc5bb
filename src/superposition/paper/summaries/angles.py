"""Angles between features and their nearest neighbours, in spherical codes, and between random directions."""

import numpy as np
import scipy
from jaxtyping import Float, Float64

# Largest possible angle between the nearest two of n points on a sphere, in degrees: the solutions of Tammes' problem
# for the numbers of points for which it is proved (Fejes Tóth; Schütte and van der Waerden; Danzer).
CODES = {4: 109.4712, 5: 90.0, 6: 90.0, 7: 77.8695, 8: 74.8585, 9: 70.5288, 10: 66.1468, 11: 63.4349, 12: 63.4349}


def nearest_angles(W: Float[np.ndarray, "m n"]) -> Float64[np.ndarray, " n"]:
    """Return the angle from each feature to its nearest neighbour, in degrees."""
    unit = W / np.linalg.norm(W, axis=0)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, -1)
    return np.degrees(np.arccos(np.clip(cosines.max(axis=1), -1, 1)))


def inequivalence(W: Float[np.ndarray, "m n"]) -> float:
    """Return by how many degrees the angles from one feature to the others differ from those of another feature.

    The angles of each feature are compared in ascending order. They are equal in a regular polytope.
    """
    unit = W / np.linalg.norm(W, axis=0)
    around = np.sort(np.degrees(np.arccos(np.clip(unit.T @ unit, -1, 1))), axis=1)
    return float(np.ptp(around, axis=0).max())


def random_count(cosine: float, m: int) -> float:
    """Return the number of random directions of which in half of all cases no pair has a larger |cos|."""
    chance = max(scipy.stats.beta.sf(cosine**2, 1 / 2, (m - 1) / 2), np.finfo(float).tiny)
    return float(np.sqrt(2 * np.log(2) / chance))


def random_cosine(n: int, m: int, chance: float) -> float:
    """Return the cosine below which all |cos| between n random directions are in a given share of all cases.

    Pairs count as independent of each other.
    """
    tail = -np.log(chance) / (n * (n - 1) / 2)
    return float(np.sqrt(scipy.stats.beta.isf(min(tail, 1), 1 / 2, (m - 1) / 2)))

"""How trained models are recognised as polytopes.

The columns of W split into *tegum factors*: groups of features that interfere with each other and with no others, each
in dimensions of its own (paper: "Uniform superposition"). A factor of k features in d dimensions whose corners are all
alike gives each of them the dimensionality d/k.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components

from superposition.analysis.alignment import difference
from superposition.theory.catalogue import polytopes_with

# |cos| between two features from which they are joined in the interference graph. The faintest joints that hold a
# polytope named by the paper together are those of the pentagon (cos 72° = 0.31), the tetrahedron and the square
# antiprism (1/3); simplices of up to six features have 1/5 and more. Features of different factors are at 0, give or
# take the noise of training.
JOINED = 0.19
# Largest residual of a factor that is still called by a polytope's name. Two corners of a triangle differ from a digon
# by 0.35; half of that separates what is nearer to a digon. No two polytopes of the catalogue are as near to each
# other.
ALIKE = 0.18


def components(W: Float[np.ndarray, "m n"], joined: float = JOINED) -> list[Int[np.ndarray, " k"]]:
    """The tegum factors of W: connected components of the graph that joins i and j where |Ŵ_i·Ŵ_j| > ``joined``.

    Features of the same component, in the order of their first members. No column may be 0.
    """
    if not W.shape[1]:
        return []
    unit = W / np.linalg.norm(W, axis=0)
    count, label = connected_components(np.abs(unit.T @ unit) > joined, directed=False)
    return [np.flatnonzero(label == component) for component in range(count)]


def recognise(W: Float[np.ndarray, "d k"]) -> tuple[str, float]:
    """The name of the polytope that the columns of one factor form ("other" beyond ``ALIKE``), and the residual."""
    residuals = {polytope.name: difference(W, polytope.corners) for polytope in polytopes_with(W.shape[1])}
    name = min(residuals, key=lambda name: residuals[name])
    return (name if residuals[name] <= ALIKE else "other"), residuals[name]


def factors(W: Float[np.ndarray, "m n"], joined: float = JOINED) -> tuple[Int[np.ndarray, " n"], pd.DataFrame]:
    """The tegum factors of a model: the number of every feature's, -1 where it is not represented; one row per factor.

    A feature counts as represented where ‖W_i‖² > ½, nearer to 1 than to 0. The columns of the table are ``polytope``,
    ``features`` and ``residual``; its index is the number of the factor.
    """
    represented = np.flatnonzero((W**2).sum(0) > 0.5)
    factor_of, rows = np.full(W.shape[1], -1), []
    for number, part in enumerate(components(W[:, represented], joined)):
        factor_of[represented[part]] = number
        name, residual = recognise(W[:, represented[part]])
        rows.append((name, len(part), residual))
    return factor_of, pd.DataFrame(rows, columns=["polytope", "features", "residual"]).rename_axis("factor")

"""Recognition of polytopes in trained models.

The columns of W split into *tegum factors*: groups of features that interfere with each other and with no others, so
that the groups lie in mutually orthogonal subspaces (paper: "Uniform superposition"). A factor of k features in d
dimensions whose corners are equivalent gives each of them the dimensionality d/k.
"""

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float, Int

from superposition.analysis.alignment import difference
from superposition.analysis.representation import is_represented
from superposition.theory.catalogue import polytopes_with

# |cos| between two features above which they are joined in the interference graph. The polytopes named in the paper are
# held together at the weakest by cosines of 0.31 (pentagon, cos 72°) and 1/3 (tetrahedron and square antiprism);
# simplices of up to six features have 1/5 or more. Between features of different factors the cosine is 0 up to the
# noise of training.
JOINING_COSINE = 0.19
# Largest residual with which a factor is still called by a polytope's name. Two corners of a triangle differ from a
# digon by 0.35, and half of that marks the middle between the two. All pairs of polytopes in the catalogue differ by
# more.
MAX_RESIDUAL = 0.18


def components(W: Float[np.ndarray, "m n"], min_cosine: float = JOINING_COSINE) -> list[Int[np.ndarray, " k"]]:
    """Split the columns of W into tegum factors.

    These are the connected components of the graph that joins features i and j if |Ŵ_i·Ŵ_j| > ``min_cosine``, ordered
    by their first features. No column may be zero.
    """
    if not W.shape[1]:
        return []
    unit = W / np.linalg.norm(W, axis=0)
    count, label = scipy.sparse.csgraph.connected_components(np.abs(unit.T @ unit) > min_cosine, directed=False)
    return [np.flatnonzero(label == component) for component in range(count)]


def recognise(W: Float[np.ndarray, "d k"]) -> tuple[str, float]:
    """Return the name of the polytope that one factor forms, and the residual.

    The name is "other" if the residual exceeds ``MAX_RESIDUAL``.
    """
    residuals = {polytope.name: difference(W, polytope.corners) for polytope in polytopes_with(W.shape[1])}
    name = min(residuals, key=lambda name: residuals[name])
    return (name if residuals[name] <= MAX_RESIDUAL else "other"), residuals[name]


def find_factors(
    W: Float[np.ndarray, "m n"], min_cosine: float = JOINING_COSINE
) -> tuple[Int[np.ndarray, " n"], pd.DataFrame]:
    """Find and name the tegum factors of a model.

    Returns:
        The number of every feature's factor, -1 if the feature is not represented; and one row per factor, with its
        number as the index and the columns ``polytope``, ``features`` and ``residual``.
    """
    represented = np.flatnonzero(is_represented((W**2).sum(0)))
    factor_of, rows = np.full(W.shape[1], -1), []
    for number, part in enumerate(components(W[:, represented], min_cosine)):
        factor_of[represented[part]] = number
        name, residual = recognise(W[:, represented[part]])
        rows.append((name, len(part), residual))
    return factor_of, pd.DataFrame(rows, columns=["polytope", "features", "residual"]).rename_axis("factor")

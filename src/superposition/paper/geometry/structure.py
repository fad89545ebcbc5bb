"""The structure of models: pairs, components, leverage scores, the sharpness of lines, and exact solutions."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64

from superposition.analysis import recognition
from superposition.analysis.representation import is_represented
from superposition.analysis.tables import numbered_points
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.geometry import GALLERY
from superposition.theory import polytopes, tegum
from superposition.theory.polytopes import FRACTIONS, Polytope

# The lines at which D_i of represented features cluster.
LINES = np.array([line for line in FRACTIONS.values() if line > 0])
# The polytopes of factors, by name.
POLYTOPES = {polytope.name: polytope for polytope in tegum.CATALOGUE} | {
    "square antiprism": Polytope("square antiprism", polytopes.square_antiprism())
}


def measure_structure(trained: dict[str, SweepResult]) -> pd.DataFrame:
    """Return pairs, components and leverage scores of the best model at every point, one row each."""
    rows = []
    for experiment, models in trained.items():
        points = numbered_points(models.sweep, "density", "seed").to_dict("records")
        for point, W in zip(points, models.best()["W"].numpy(), strict=True):
            rows.append({"experiment": experiment} | point | _describe(W))
    return pd.DataFrame(rows)


def _describe(W: Float64[np.ndarray, "m n"]) -> dict[str, float | int]:
    """Describe one model.

    Returns:
        ``represented``, the number of features with ‖W_i‖² > ½; ``paired``, how many of these have one other at more
        than 150° and all others between 60° and 120°; ``tilt``, the mean deviation from 180° of the angle to the most
        opposite one; ``largest_rank``, the dimensions of the largest connected component; the sum of the leverage
        scores, and how much D_i exceeds them and falls short of them.
    """
    m, n = W.shape
    D = geometry.dimensionality(torch.from_numpy(W)).numpy()
    leverage = (np.linalg.svd(W, full_matrices=False)[2] ** 2).sum(0)
    represented = W[:, is_represented((W**2).sum(0))]
    cosine = geometry.cosines(torch.from_numpy(represented)).numpy()
    # Each feature has a cosine of 1 with itself.
    paired = ((np.abs(cosine) > 0.5).sum(0) == 2) & (cosine < -(3**0.5) / 2).any(0)
    parts = recognition.components(represented)
    return {
        "n": n,
        "m": m,
        "dimensions_per_feature": m / (W**2).sum(),
        "norm2": (W**2).sum(),
        "represented": represented.shape[1],
        "paired": int(paired.sum()),
        "tilt": float((180 - np.degrees(np.arccos(cosine.min(0).clip(-1, 1)))).mean()) if cosine.size else np.nan,
        "largest_rank": max((int(np.linalg.matrix_rank(represented[:, part], tol=0.1)) for part in parts), default=0),
        "rank": int(np.linalg.matrix_rank(W)),
        "leverage": leverage.sum(),
        "excess": (D - leverage).max(),
        "gap": (leverage - D).max(),
        "mean_gap": (leverage - D).mean(),
    }


def measure_distances(trained: dict[str, SweepResult], lowest: float, highest: float) -> pd.DataFrame:
    """Return D_i of every represented feature and its distance to the nearest line, at some range of densities.

    The models are the best at every point, the rows one for each feature.
    """
    tables = []
    for experiment, models in trained.items():
        W, sweep = models.best()["W"], models.sweep
        points = numbered_points(sweep, "density", "seed")
        inside = torch.from_numpy(points["density"].between(lowest, highest).to_numpy(copy=True))
        represented = is_represented(geometry.norms(W).square()) & inside[:, None]
        D = geometry.dimensionality(W)[represented].numpy()
        rows = points.assign(experiment=experiment, n=sweep.n, m=sweep.m, steps=sweep.steps)
        rows = rows.iloc[represented.nonzero()[:, 0]]
        tables.append(rows.assign(dimensionality=D, distance=np.abs(D[:, None] - LINES).min(axis=1)))
    return pd.concat(tables, ignore_index=True)


def exact_dimensionalities() -> pd.DataFrame:
    """Return D_i in the exact polytopes and in the products of the gallery, beside that of the feature's own factor."""
    products = {(name,) for name in POLYTOPES} | {factors for *_, factors in GALLERY}
    tables = []
    for factors in sorted(products):
        parts = [POLYTOPES[factor] for factor in factors]
        corners = [polytopes.tegum_product(*parts), *(part.corners for part in parts)]
        D_i, *own = (geometry.dimensionality(torch.from_numpy(W)).numpy() for W in corners)
        columns = {
            "product": polytopes.product_name(factors),
            "polytope": np.repeat(factors, [part.features for part in parts]),
            "dimensionality": D_i,
            "expected": np.concatenate(own),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)

"""The aside on polytopes and low-rank matrices: projections of the basis, and which direction is best left out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy
import torch
from jaxtyping import Float64

from superposition.analysis import alignment
from superposition.core import geometry
from superposition.core.models import Model
from superposition.theory import optimum, tegum
from superposition.theory.catalogue import DIGON, polytopes_with, simplex
from superposition.theory.polytopes import tegum_product

# Densities at which the strategies are compared.
ASIDE_DENSITIES = tuple(float(p) for p in np.geomspace(0.01, 1, 25))
# Numbers of features that are put into one dimension less.
ASIDE_NUMBERS = (3, 4, 5)
# The directions that W does not represent in the aside's table of polytopes.
EXAMPLES: dict[str, list[tuple[int, ...]]] = {"triangle": [(1, 1, 1)], "square": [(1, 0, 1, 0), (0, 1, 0, 1)]}
# Number of searches for each optimum.
SEARCHES = 12


def compare_strategies() -> pd.DataFrame:
    """Compare what n features lose in n - 1 dimensions if one direction is left out.

    Returns:
        One row per n and density: the losses with (1, 1, 1, …) left out, a regular simplex; and with (1, 1, 0, …), a
        digon beside features with dedicated dimensions, which lose nothing.
    """
    digon = pd.DataFrame({"density": ASIDE_DENSITIES, "digon_loss": _simplex_losses(2, ASIDE_DENSITIES)})
    parts = [digon.assign(n=n, simplex_loss=_simplex_losses(n, ASIDE_DENSITIES)) for n in ASIDE_NUMBERS]
    return pd.concat(parts, ignore_index=True)


def _simplex_losses(n: int, densities: Sequence[float]) -> pd.Series:
    """Return the losses of the best simplex of n features, which is a digon for n = 2, at densities that rise."""
    return tegum.factor_optimum(polytopes_with(n)[0], densities)["loss"]


def find_optima() -> pd.DataFrame:
    """Search for the optimum of three features in two dimensions over all W and b.

    Returns:
        One row per density: the ``loss``, and ``v0``, ``v1``, ``v2``, the sizes of the components of the unit vector
        that W leaves out, the largest first.
    """
    model = Model("relu_output", 3, 2)
    density = torch.tensor(ASIDE_DENSITIES, dtype=torch.float64)[:, None].expand(-1, 3)
    found, losses = optimum.best_models(model, density, torch.ones_like(density), SEARCHES)
    best = losses.argmin(dim=1)
    left_out = np.linalg.svd(model.unpack(found[torch.arange(len(best)), best])["W"].numpy())[2][:, -1]
    columns = {f"v{k}": sizes for k, sizes in enumerate(-np.sort(-np.abs(left_out), axis=1).T)}
    return pd.DataFrame({"density": ASIDE_DENSITIES, "loss": losses.min(dim=1).values.numpy(), **columns})


def find_changes() -> pd.DataFrame:
    """Find, for every n, the density above which the simplex has a lower loss than the digon."""

    def gap(density: float, n: int) -> float:
        return float(_simplex_losses(n, [density])[0] - _simplex_losses(2, [density])[0])

    changes = [(n, scipy.optimize.brentq(gap, 0.3, 0.7, args=(n,), xtol=1e-6)) for n in ASIDE_NUMBERS]
    return pd.DataFrame(changes, columns=["n", "density"])


def project_basis(orthogonal: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "d n"]:
    """Return the paper's construction of W: basis vectors, projected onto what is orthogonal to these directions."""
    projector = np.eye(len(orthogonal)) - orthogonal @ np.linalg.pinv(orthogonal)
    values, vectors = np.linalg.eigh(projector)
    return vectors[:, values > 0.5].T


def project_examples() -> pd.DataFrame:
    """Return the aside's examples: the unit columns of W, a row per polytope and feature, and what W ``leaves_out``."""
    parts = []
    for name, orthogonal in EXAMPLES.items():
        W = project_basis(np.array(orthogonal, dtype=float).T)
        w0, w1 = W / np.linalg.norm(W, axis=0)
        columns = {"polytope": name, "feature": range(W.shape[1]), "w0": w0, "w1": w1}
        parts.append(pd.DataFrame(columns | {"leaves_out": ", ".join(map(str, orthogonal))}))
    return pd.concat(parts, ignore_index=True)


def measure_projections() -> pd.DataFrame:
    """Return how far projections of the basis are from the polytopes that the paper names."""
    rows = []
    for n in range(3, 9):
        W = project_basis(np.ones((n, 1)))
        D = geometry.dimensionality(torch.from_numpy(W)).numpy()
        off = max(np.abs(D - (n - 1) / n).max(), alignment.difference(W, simplex(n)))
        rows.append(("ones", n, off))
    square = project_basis(np.array(EXAMPLES["square"], dtype=float).T)
    exact = tegum_product(DIGON, DIGON)[:, [0, 2, 1, 3]]
    rows.append(("two pairs", 4, float(np.abs(2 * square.T @ square - exact.T @ exact).max())))
    return pd.DataFrame(rows, columns=["directions", "n", "difference"])

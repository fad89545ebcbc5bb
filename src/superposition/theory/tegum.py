"""What tegum products of polytopes cost: the exact counterpart of the geometry that training finds.

An output sees the features of its own factor alone, so the expected loss of a product is the sum of its factors'
losses. A factor's loss depends on its polytope, the density and, its corners being all alike, on two numbers: their
squared length and their bias. So the best arrangement of n features in m dimensions is a choice of factors that fit,
each at its best length and bias, with the other features dropped (paper: "Uniform superposition").
"""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from scipy.optimize import brentq, minimize
from scipy.stats import qmc

from superposition.theory import exact, polytopes
from superposition.theory.catalogue import polytopes_with
from superposition.theory.polytopes import Polytope

POINTS = 2**14  # at which the values of the features that are on are sampled, for each number of them

# The polytopes whose products are compared. An antiprism may be higher or flatter than the one with D = 3/8.
CATALOGUE = (
    *(p for k in (*range(1, 10), 12) for p in polytopes_with(k) if p.dimensions <= 3 or k <= 6),
    *(Polytope("square antiprism", polytopes.square_antiprism(height2)) for height2 in np.arange(0.25, 0.325, 0.01)),
)


def factor_loss(
    polytope: Polytope, density: float, norm2: float, bias: float
) -> tuple[float, Float64[np.ndarray, "2"]]:
    """Expected loss of all features of a factor, and its gradient by ‖W_i‖² and b; features of importance 1.

    Every pattern of features that are on is weighted with its probability; only the values within one, uniform on
    [0, 1], are sampled, at the points of a scrambled Sobol sequence. The error is some 10⁻⁴ of the loss.
    """
    k, (seen, below) = polytope.features, _samples(polytope)
    on, kink = np.arange(k + 1), -bias / norm2 if norm2 else np.copysign(np.inf, -bias)
    weight = density**on * (1 - density) ** (k - on)
    whole = weight @ [sums[-1] for sums in below]
    under = weight @ [sums[values.searchsorted(kink)] for values, sums in zip(seen, below, strict=True)]
    active, off = (whole - under, under) if norm2 >= 0 else (under, whole - under)
    # The error of an output above 0 is (s - x) + (‖W_i‖² - 1) s + b; that of one at 0 is -x.
    at, moments = np.array([1, norm2 - 1, bias]), active[[[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
    return k * float(at @ moments @ at + off[6]), 2 * k * (moments @ at)[1:]


@cache
def _samples(polytope: Polytope) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Samples of s = Σ_j cos(0, j) x_j, in order, by how many features are on: all patterns of as many together.

    And, below each of them, the sums of (s - x)², (s - x) s, s - x, s², s, 1 and x², where x = x_0. With these a loss
    takes no pass through the samples, but the place from which on outputs are above 0.
    """
    k = polytope.features
    cosines = polytope.corners[:, 0] @ polytope.corners
    values = qmc.Sobol(k, rng=0).random(POINTS)
    seen, below = [], []
    for on in range(k + 1):
        patterns = np.array([[j in chosen for j in range(k)] for chosen in itertools.combinations(range(k), on)])
        points = 2 ** int(np.log2(POINTS / len(patterns)))  # a power of two, as the sequence wants it
        s = ((patterns * cosines) @ values[:points].T).ravel()
        order = np.argsort(s)
        s, x = s[order], (patterns[:, :1] * values[:points, 0]).ravel()[order]
        d = s - x
        sums = np.stack([d**2, d * s, d, s**2, s, np.ones_like(s), x**2], axis=1).cumsum(axis=0) / points
        seen.append(s)
        below.append(np.concatenate([np.zeros((1, 7)), sums]))
    return seen, below


def _dropped(density: float) -> float:
    """What it costs to drop a feature."""
    return float(exact.feature_variance(torch.tensor(density, dtype=torch.float64)))


def factor_optimum(polytope: Polytope, densities: Sequence[float]) -> pd.DataFrame:
    """One row per density: the factor's least ``loss``, and the ``norm`` and ``bias`` of its features there.

    ``gain`` is what each of its dimensions is worth: how many features it saves, at what dropping one costs.
    """
    rows, start = [], np.array([1.0, 0.0])
    for p in sorted(densities):  # from sparse to dense, each from the optimum of the one before
        found = minimize(
            lambda x, p=p: tuple(part / p for part in factor_loss(polytope, p, *x)), start, jac=True, tol=1e-9
        )
        start, loss = found.x, found.fun * p
        gain = (polytope.features - loss / _dropped(p)) / polytope.dimensions
        rows.append((p, loss, max(start[0], 0) ** 0.5, start[1], gain))
    table = pd.DataFrame(rows, columns=["density", "loss", "norm", "bias", "gain"])
    return table.assign(polytope=polytope.name, features=polytope.features, dimensions=polytope.dimensions)


def optima(densities: Sequence[float]) -> pd.DataFrame:
    """Every polytope of the catalogue at its best, by density; of several with the same name, the best of them."""
    every = pd.concat(factor_optimum(polytope, densities) for polytope in CATALOGUE)
    best = every.sort_values("gain", kind="stable").drop_duplicates(["density", "polytope"], keep="last")
    return best.sort_values(["polytope", "density"], ignore_index=True)


def per_dimension(optima: pd.DataFrame) -> pd.DataFrame:
    """With features in plenty: the polytope whose dimensions are worth the most, and the D* of a model made of it."""
    best = optima.sort_values("gain", kind="stable").drop_duplicates("density", keep="last").sort_values("density")
    dimensions_per_feature = best["dimensions"] / (best["features"] * best["norm"] ** 2)
    return best.assign(dimensions_per_feature=dimensions_per_feature).reset_index(drop=True)


def handovers(optima: pd.DataFrame) -> pd.DataFrame:
    """Densities at which one polytope takes over from another as that whose dimensions are worth the most."""

    def gain(name: str, density: float) -> float:
        alike = [polytope for polytope in CATALOGUE if polytope.name == name]
        return max(factor_optimum(polytope, [density])["gain"].iloc[0] for polytope in alike)

    best, rows = per_dimension(optima), []
    for sparse, dense in zip(best.itertuples(), best.iloc[1:].itertuples(), strict=False):
        pair = (sparse.polytope, dense.polytope)
        if pair[0] != pair[1]:
            at = brentq(
                lambda p, pair=pair: gain(pair[0], p) - gain(pair[1], p), sparse.density, dense.density, xtol=1e-6
            )
            rows.append((dense.polytope, sparse.polytope, at))
    return pd.DataFrame(rows[::-1], columns=["dense_side", "sparse_side", "density"])


def products(factors: Sequence[Polytope], n: int, m: int) -> list[tuple[Polytope, ...]]:
    """Every choice of factors, of each as many as one likes, that fill m dimensions with at most n features."""
    if m == 0:
        return [()]
    found = []
    for first, factor in enumerate(factors):
        if factor.dimensions <= m and factor.features <= n:
            rest = products(factors[first:], n - factor.features, m - factor.dimensions)
            found += [(factor, *others) for others in rest]
    return found


def best_products(optima: pd.DataFrame, n: int, m: int) -> pd.DataFrame:
    """By density: of all products that fit n features in m dimensions, the two with the least losses."""
    factors = {polytope.name: polytope for polytope in CATALOGUE}
    choices = {
        polytopes.product_name([f.name for f in product]): product for product in products([*factors.values()], n, m)
    }
    loss = optima.pivot(index="density", columns="polytope", values="loss")
    dropped = np.array([_dropped(p) for p in loss.index])
    every = np.stack(
        [
            loss[[f.name for f in product]].sum(axis=1) + (n - sum(f.features for f in product)) * dropped
            for product in choices.values()
        ]
    )
    ranked, names, point = np.argsort(every, axis=0, kind="stable"), np.array([*choices]), np.arange(len(loss))
    columns = {"density": loss.index}
    for place, kind in enumerate(("best", "second")):
        columns |= {kind: names[ranked[place]], f"{kind}_loss": every[ranked[place], point]}
    return pd.DataFrame(columns)

"""Exact losses of tegum products of polytopes, to compare with the geometry that training finds.

An output depends only on the features of its own factor, so the expected loss of a product is the sum of the losses of
its factors. The corners of a factor are equivalent, so its loss depends on its polytope, the density and two numbers:
their squared length and their bias. The best arrangement of n features in m dimensions is therefore a choice of factors
that fit, each with its best length and bias, with all other features dropped (paper: "Uniform superposition").
"""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import scipy
import torch
from jaxtyping import Float64

from superposition.theory import exact, polytopes
from superposition.theory.catalogue import polytopes_with
from superposition.theory.polytopes import Polytope

# Largest number of points at which the values of active features are sampled, for each number of active features.
FACTOR_SAMPLES = 2**14

# The polytopes whose products are compared. The best antiprism may be taller or flatter than the one with D = 3/8.
CATALOGUE = (
    *(p for k in (*range(1, 10), 12) for p in polytopes_with(k) if p.dimensions <= 3 or k <= 6),
    *(Polytope("square antiprism", polytopes.square_antiprism(height2)) for height2 in np.arange(0.25, 0.325, 0.01)),
)


def factor_loss(
    polytope: Polytope, density: float, norm2: float, bias: float
) -> tuple[float, Float64[np.ndarray, "3 3"]]:
    """Return the expected loss of all features of a factor.

    Every pattern of active features is weighted with its probability. Only the values within a pattern, uniform on
    [0, 1], are sampled, at the points of a scrambled Sobol sequence. The relative error is about 10⁻⁴.

    The features have importance 1, squared length ``norm2`` and the same bias.

    Returns:
        The loss, and the second moments of s - x, s and 1 (see :func:`_samples`) where an output is positive.
    """
    k, (samples, cumulative) = polytope.features, _samples(polytope)
    count, kink = np.arange(k + 1), -bias / norm2 if norm2 else np.copysign(np.inf, -bias)
    weight = density**count * (1 - density) ** (k - count)
    total = weight @ [sums[-1] for sums in cumulative]
    below = weight @ [sums[s.searchsorted(kink)] for s, sums in zip(samples, cumulative, strict=True)]
    positive, zero = (total - below, below) if norm2 >= 0 else (below, total - below)
    # A positive output has the error (s - x) + (‖W_i‖² - 1) s + b; an output of zero has the error -x.
    coefficients, moments = np.array([1, norm2 - 1, bias]), positive[[[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
    return k * float(coefficients @ moments @ coefficients + zero[6]), moments


@cache
def _samples(polytope: Polytope) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Sample s = Σ_j cos(0, j) x_j for each number of active features, over all patterns with that number.

    Cumulative sums over the sorted samples reduce the evaluation of a loss to finding the sample from which on outputs
    are positive.

    Returns:
        For each number of active features, the sorted samples of s; and the sums of (s - x)², (s - x) s, s - x, s², s,
        1 and x² over the samples below each of them, where x = x_0.
    """
    k = polytope.features
    cosines = polytope.corners[:, 0] @ polytope.corners
    values = scipy.stats.qmc.Sobol(k, rng=0).random(FACTOR_SAMPLES)
    samples, cumulative = [], []
    for count in range(k + 1):
        patterns = np.array([[j in active for j in range(k)] for active in itertools.combinations(range(k), count)])
        # A Sobol sequence is balanced only if the number of its points is a power of two.
        points = 2 ** int(np.log2(FACTOR_SAMPLES / len(patterns)))
        s = ((patterns * cosines) @ values[:points].T).ravel()
        order = np.argsort(s)
        s, x = s[order], (patterns[:, :1] * values[:points, 0]).ravel()[order]
        d = s - x
        sums = np.stack([d**2, d * s, d, s**2, s, np.ones_like(s), x**2], axis=1).cumsum(axis=0) / points
        samples.append(s)
        cumulative.append(np.concatenate([np.zeros((1, 7)), sums]))
    return samples, cumulative


def _dropped_loss(density: float) -> float:
    """Return the loss from dropping a feature."""
    return float(exact.feature_variance(torch.tensor(density, dtype=torch.float64)))


def factor_optimum(polytope: Polytope, densities: Sequence[float]) -> pd.DataFrame:
    """Minimise the loss of a factor over the length and bias of its features, at every density.

    While the same outputs are positive, the loss is quadratic in the squared length and the bias. So every step goes to
    the minimum of the present quadratic function, until the loss falls no more.

    Returns:
        One row per density: the lowest ``loss``, and the ``norm`` and ``bias`` at which it is reached. ``gain`` is the
        reduction of the loss per dimension, in units of the loss from dropping one feature.
    """
    rows, norm2, bias = [], 1.0, 0.0
    # From sparse to dense, each search starts at the optimum of the density before.
    for p in sorted(densities):
        loss = np.inf
        while (lower := factor_loss(polytope, p, norm2, bias))[0] < loss:
            (loss, moments), found = lower, (norm2, bias)
            norm2, bias = np.array([1.0, 0.0]) - np.linalg.solve(moments[1:, 1:], moments[1:, 0])
        norm2, bias = found
        gain = (polytope.features - loss / _dropped_loss(p)) / polytope.dimensions
        rows.append((p, loss, max(norm2, 0) ** 0.5, bias, gain))
    table = pd.DataFrame(rows, columns=["density", "loss", "norm", "bias", "gain"])
    return table.assign(polytope=polytope.name, features=polytope.features, dimensions=polytope.dimensions)


def optima(densities: Sequence[float]) -> pd.DataFrame:
    """Return the optimum of every polytope of the catalogue at every density, as in :func:`factor_optimum`.

    Of polytopes with the same name, only the best is kept at each density.
    """
    candidates = pd.concat(factor_optimum(polytope, densities) for polytope in CATALOGUE)
    best = candidates.sort_values("gain", kind="stable").drop_duplicates(["density", "polytope"], keep="last")
    return best.sort_values(["polytope", "density"], ignore_index=True)


def per_dimension(optima: pd.DataFrame) -> pd.DataFrame:
    """Return, for every density, the polytope with the highest gain per dimension.

    It is the best choice if there are more features than can be represented. ``dimensions_per_feature`` is the D* of a
    model that consists of this polytope.
    """
    best = optima.sort_values("gain", kind="stable").drop_duplicates("density", keep="last").sort_values("density")
    dimensions_per_feature = best["dimensions"] / (best["features"] * best["norm"] ** 2)
    return best.assign(dimensions_per_feature=dimensions_per_feature).reset_index(drop=True)


def handovers(optima: pd.DataFrame) -> pd.DataFrame:
    """Find the densities at which the polytope with the highest gain per dimension changes.

    Returns:
        One row per change: ``density``, and the best polytopes at higher (``dense_side``) and lower (``sparse_side``)
        densities.
    """

    def gain(name: str, density: float) -> float:
        variants = [polytope for polytope in CATALOGUE if polytope.name == name]
        return max(factor_optimum(polytope, [density])["gain"].iloc[0] for polytope in variants)

    best, rows = per_dimension(optima), []
    for sparse, dense in zip(best.itertuples(), best.iloc[1:].itertuples(), strict=False):
        pair = (sparse.polytope, dense.polytope)
        if pair[0] != pair[1]:
            density = scipy.optimize.brentq(
                lambda p, pair=pair: gain(pair[0], p) - gain(pair[1], p), sparse.density, dense.density, xtol=1e-6
            )
            rows.append((dense.polytope, sparse.polytope, density))
    return pd.DataFrame(rows[::-1], columns=["dense_side", "sparse_side", "density"])


def products(factors: Sequence[Polytope], n: int, m: int) -> list[tuple[Polytope, ...]]:
    """Return every multiset of factors that fills m dimensions with at most n features."""
    if m == 0:
        return [()]
    found = []
    for first, factor in enumerate(factors):
        if factor.dimensions <= m and factor.features <= n:
            rest = products(factors[first:], n - factor.features, m - factor.dimensions)
            found += [(factor, *others) for others in rest]
    return found


def best_products(optima: pd.DataFrame, n: int, m: int) -> pd.DataFrame:
    """Return, for every density of :func:`optima`, the two products with the lowest losses.

    They fill m dimensions with at most n features. A row has the names of the ``best`` and the ``second`` product, and
    their losses (``best_loss``, ``second_loss``).
    """
    factors = {polytope.name: polytope for polytope in CATALOGUE}
    candidates = {
        polytopes.product_name([f.name for f in product]): product for product in products([*factors.values()], n, m)
    }
    loss = optima.pivot(index="density", columns="polytope", values="loss")
    dropped = np.array([_dropped_loss(p) for p in loss.index])
    losses = np.stack(
        [
            loss[[f.name for f in product]].sum(axis=1) + (n - sum(f.features for f in product)) * dropped
            for product in candidates.values()
        ]
    )
    ranked, names, point = np.argsort(losses, axis=0, kind="stable"), np.array([*candidates]), np.arange(len(loss))
    columns = {"density": loss.index}
    for rank, kind in enumerate(("best", "second")):
        columns |= {kind: names[ranked[rank]], f"{kind}_loss": losses[ranked[rank], point]}
    return pd.DataFrame(columns)

"""The polytopes of the paper as exact arrangements of features, and how trained models are recognised as them.

The columns of W split into *tegum factors*: groups of features that interfere with each other and with no others, each
in dimensions of its own (paper: "Uniform superposition"). A factor of k features in d dimensions whose corners are all
alike gives each of them the dimensionality d/k.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Int
from scipy.linalg import qr
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from superposition import optimum

# |cos| between two features from which they are joined in the interference graph. The faintest joints that hold a
# polytope named by the paper together are those of the pentagon (cos 72° = 0.31), the tetrahedron and the square
# antiprism (1/3); simplices of up to six features have 1/5 and more. Features of different factors are at 0, give or
# take the noise of training.
JOINED = 0.19
# Largest residual of a factor that is still called by a polytope's name. Two corners of a triangle differ from a digon
# by 0.35; half of that separates what is nearer to a digon. No two polytopes below are as near to each other.
ALIKE = 0.18
TRIED = 400  # choices of corners for three columns that are tried: all of them up to eight corners in space


@dataclass(frozen=True, eq=False)
class Polytope:
    """Unit vectors around 0 that are all alike: each sees the others under the same angles."""

    name: str
    corners: Float64[np.ndarray, "d k"]

    @property
    def dimensions(self) -> int:
        return self.corners.shape[0]

    @property
    def features(self) -> int:
        return self.corners.shape[1]

    @property
    def dimensionality(self) -> float:
        """D_i of each feature, d/k: 1/2 in a digon, 2/3 in a triangle, …"""
        return self.dimensions / self.features


def simplex(k: int) -> Float64[np.ndarray, "d k"]:
    """k unit vectors with equal angles between them, in k - 1 dimensions (one, if k = 1)."""
    return optimum.arranged((tuple(range(k)),), k, max(1, k - 1)).numpy()


def polygon(k: int) -> Float64[np.ndarray, "2 k"]:
    angle = 2 * np.pi * np.arange(k) / k
    return np.stack([np.cos(angle), np.sin(angle)])


def square_antiprism(height2: float = 1 / 3) -> Float64[np.ndarray, "3 8"]:
    """Two squares, one above the other and turned by 45°; ``height2`` is the square of their distance from the middle.

    At 1/3 the corners fill space evenly, Σ_i W_i W_iᵀ ∝ 1: of all heights, only there D_i is 3/8.
    """
    angle, radius = 2 * np.pi * np.arange(8) / 8, (1 - height2) ** 0.5
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height2**0.5 * (-1.0) ** np.arange(8)])


def icosahedron() -> Float64[np.ndarray, "3 12"]:
    """The cyclic permutations of (0, ±1, ±φ), where φ is the golden ratio."""
    golden = (1 + 5**0.5) / 2
    one = np.array([(0, a, b * golden) for a in (1, -1) for b in (1, -1)]).T
    return np.concatenate([np.roll(one, turn, axis=0) for turn in range(3)], axis=1) / (1 + golden**2) ** 0.5


_SIMPLICES = ("single", "digon", "triangle", "tetrahedron")
_POLYGONS = {5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon", 9: "nonagon"}


@cache
def named(k: int) -> tuple[Polytope, ...]:
    """The polytopes with k corners; a square is none of them, but two digons, and an octahedron is three."""
    found = [Polytope(_SIMPLICES[k - 1] if k <= 4 else f"simplex of {k}", simplex(k))]
    if k in _POLYGONS:
        found.append(Polytope(_POLYGONS[k], polygon(k)))
    if k == 8:
        found.append(Polytope("square antiprism", square_antiprism()))
    if k == 12:
        found.append(Polytope("icosahedron", icosahedron()))
    return tuple(found)


_PRODUCTS = {  # the names that tegum products have
    ("digon", "digon"): "square",
    ("digon", "digon", "digon"): "octahedron",
    ("digon", "triangle"): "triangular bipyramid",
    ("digon", "pentagon"): "pentagonal bipyramid",
    ("digon", "hexagon"): "hexagonal bipyramid",
}
NONE = "none"
_FACTORS = {name: factors for factors, name in _PRODUCTS.items()}


def product_name(factors: Iterable[str]) -> str:
    """The name of a tegum product: its own, where it has one, or its factors'."""
    factors = tuple(sorted(factors))
    return _PRODUCTS.get(factors) or " + ".join(factors) or NONE


def factors_of(product: str) -> list[str]:
    """The factors of a tegum product by its name, in the order of the alphabet."""
    return [*_FACTORS.get(product, product.split(" + "))] if product != NONE else []


def tegum(*factors: Polytope) -> Float64[np.ndarray, "d k"]:
    """The tegum product: the corners of all factors, each in dimensions of its own."""
    corners = np.zeros((sum(f.dimensions for f in factors), sum(f.features for f in factors)))
    row = column = 0
    for factor in factors:
        corners[row : row + factor.dimensions, column : column + factor.features] = factor.corners
        row, column = row + factor.dimensions, column + factor.features
    return corners


def components(W: Float[np.ndarray, "m n"], joined: float = JOINED) -> list[Int[np.ndarray, " k"]]:
    """The tegum factors of W: connected components of the graph that joins i and j where |Ŵ_i·Ŵ_j| > ``joined``.

    Features of the same component, in the order of their first members. No column may be 0.
    """
    if not W.shape[1]:
        return []
    unit = W / np.linalg.norm(W, axis=0)
    count, label = connected_components(np.abs(unit.T @ unit) > joined, directed=False)
    return [np.flatnonzero(label == component) for component in range(count)]


def difference(W: Float[np.ndarray, "d k"], corners: Float64[np.ndarray, "e k"]) -> float:
    """How far two arrangements are apart, up to rotation, reflection, order and size.

    The Gram matrices WᵀW, both with diagonals of mean 1, are compared in the best order of the features: the Frobenius
    norm of their difference over that of the second. 0: the same; 1: as far off as none at all.
    """
    gram, exact = _unit_gram(W), _unit_gram(corners)
    order = _matching(W, corners, exact)
    return float(np.linalg.norm(gram - exact[np.ix_(order, order)]) / np.linalg.norm(exact))


def aligned(
    W: Float[np.ndarray, "d k"],
    corners: Float64[np.ndarray, "d k"],
    orders: Int[np.ndarray, "order k"] | None = None,
) -> Float64[np.ndarray, "d k"]:
    """The canonical orientation: W rotated or reflected, and its columns in the order in which they lie on the corners.

    The least sum of squared distances. ``orders``: those that are allowed, see :func:`symmetric_orders`; by default
    all. Of the places that fit equally well, the corners having symmetries, the first ones in the order of their
    coordinates are taken: with ``orders``, the result does not depend on how W was turned or its features numbered.
    """
    rotation, order = alignment(W, corners, orders)
    return rotation @ W[:, order]


def alignment(
    W: Float[np.ndarray, "d k"],
    corners: Float64[np.ndarray, "d k"],
    orders: Int[np.ndarray, "order k"] | None = None,
) -> tuple[Float64[np.ndarray, "d d"], Int[np.ndarray, " k"]]:
    """The rotation and the order of :func:`aligned`, to be used on other models as well."""
    W = W.astype(np.float64)
    if orders is None:
        order = np.argsort(_matching(W, corners, _unit_gram(corners)))
        return _rotations(W[:, order], corners[None])[0], order
    overlap = np.linalg.svd(corners @ W[:, orders].transpose(1, 2, 0), compute_uv=False).sum(-1)
    found = [(_rotations(W[:, k], corners[None])[0], k) for k in orders[overlap > overlap.max() - 1e-9]]
    return max(found, key=lambda at: tuple((at[0] @ W[:, at[1]]).round(6).T.ravel()))


def symmetric_orders(*sets: Sequence[int]) -> Int[np.ndarray, "order k"]:
    """Every order of the features in which members of a set trade places, and so do sets of the same size.

    The sets are disjoint and name all features 0 … k - 1.
    """
    size, found = [len(members) for members in sets], []
    for placed in itertools.permutations(range(len(sets))):
        if [size[i] for i in placed] == size:
            for chosen in itertools.product(*(itertools.permutations(sets[i]) for i in placed)):
                order = [0] * sum(size)
                for place, feature in zip(itertools.chain(*sets), itertools.chain(*chosen), strict=True):
                    order[place] = feature
                found.append(order)
    return np.array(sorted(found))


def _unit_gram(W: Float[np.ndarray, "d k"]) -> Float64[np.ndarray, "k k"]:
    gram = (W.T @ W).astype(np.float64)
    return gram / np.trace(gram) * len(gram)


def _matching(
    W: Float[np.ndarray, "d k"], corners: Float64[np.ndarray, "e k"], exact: Float64[np.ndarray, "k k"]
) -> Int[np.ndarray, " k"]:
    """Which corner each column of W is.

    A few columns that span the space are laid on every choice of as many corners in turn (orthogonal Procrustes); the
    other columns go to the nearest corners that are left. The best of these is rotated once more as a whole.
    """
    k = len(exact)
    if k < 3 or np.ptp(exact[~np.eye(k, dtype=bool)]) < 1e-9:
        return np.arange(k)  # a simplex: every order is the same
    rank = int(np.linalg.matrix_rank(corners, tol=1e-6))
    points, places = (_coordinates(part, rank) for part in (W, corners))
    anchors = qr(points, pivoting=True, mode="r")[1][:rank]
    choices = np.array(list(itertools.permutations(range(k), rank)))
    # Only choices under much the same angles as the anchors can be right.
    misfit = np.linalg.norm(
        exact[choices[:, :, None], choices[:, None, :]] - _unit_gram(W)[np.ix_(anchors, anchors)], axis=(1, 2)
    )
    choices = choices[np.argsort(misfit, kind="stable")[:TRIED]]
    turned = _rotations(points[:, anchors], places[:, choices].transpose(1, 0, 2)) @ points
    found = [_assign(turn, places) for turn in turned]
    # A polytope's symmetries fit equally well but for rounding errors: the first in the order of the corners is taken.
    nearest = min(cost for cost, _ in found) + 1e-9
    order = min((order for cost, order in found if cost < nearest), key=tuple)
    return _assign(_rotations(points, places[None, :, order])[0] @ points, places)[1]


def _coordinates(W: Float[np.ndarray, "d k"], rank: int) -> Float64[np.ndarray, "rank k"]:
    """The columns of W in the dimensions that they fill most, at a mean squared length of 1."""
    _, values, directions = np.linalg.svd(W.astype(np.float64), full_matrices=False)
    coordinates = np.zeros((rank, W.shape[1]))
    coordinates[: len(values)] = (values[:, None] * directions)[:rank]
    return coordinates / np.sqrt((coordinates**2).sum() / W.shape[1])


def _rotations(
    points: Float64[np.ndarray, "d k"], places: Float64[np.ndarray, "choice d k"]
) -> Float64[np.ndarray, "choice d d"]:
    """The orthogonal matrices that bring the points nearest to each choice of places (least squares)."""
    left, _, right = np.linalg.svd(places @ points.T)
    return left @ right


def _assign(
    points: Float64[np.ndarray, "d k"], places: Float64[np.ndarray, "d k"]
) -> tuple[float, Int[np.ndarray, " k"]]:
    """The one-to-one choice of places with the least sum of squared distances, and that sum."""
    cost = ((points[:, :, None] - places[:, None, :]) ** 2).sum(0)
    order = linear_sum_assignment(cost)[1]
    return float(cost[np.arange(len(order)), order].sum()), order


def recognise(W: Float[np.ndarray, "d k"]) -> tuple[str, float]:
    """The name of the polytope that the columns of one factor form ("other" beyond ``ALIKE``), and the residual."""
    residuals = {polytope.name: difference(W, polytope.corners) for polytope in named(W.shape[1])}
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

"""How far two arrangements of features are apart, and how one is laid on the other: up to rotation and order."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.linalg import qr
from scipy.optimize import linear_sum_assignment

TRIED = 400  # choices of corners for three columns that are tried: all of them up to eight corners in space


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

"""Distances between arrangements of features, and alignment of one with another, up to rotation and order."""

import itertools
from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float, Float64, Int

# Number of assignments of anchor columns to corners that are tried. In three dimensions, this covers all assignments
# for up to eight corners.
MAX_ASSIGNMENTS = 400


def difference(W: Float[np.ndarray, "d k"], corners: Float64[np.ndarray, "e k"]) -> float:
    """Return the difference between two arrangements, up to rotation, reflection, order and scale.

    The Gram matrices WᵀW, scaled to a mean diagonal of 1, are compared in the best order of the features: the result is
    the Frobenius norm of their difference over the norm of the second. It is 0 for equal arrangements; a Gram matrix of
    zeros would give 1.
    """
    gram, exact = _scaled_gram(W), _scaled_gram(corners)
    order = _match_corners(W, corners, exact)
    return float(np.linalg.norm(gram - exact[np.ix_(order, order)]) / np.linalg.norm(exact))


def align(
    W: Float[np.ndarray, "d k"],
    corners: Float64[np.ndarray, "d k"],
    orders: Int[np.ndarray, "order k"] | None = None,
) -> Float64[np.ndarray, "d k"]:
    """Rotate or reflect W and reorder its columns so that they lie as close as possible to the corners.

    The sum of squared distances is minimised. Because corners have symmetries, several results can fit equally well.
    With ``orders``, which are all that are allowed (see :func:`symmetric_orders`), the lexicographically largest
    coordinates are chosen among them, so that the result depends neither on the orientation of W nor on the numbering
    of its features.
    """
    rotation, order = find_alignment(W, corners, orders)
    return rotation @ W[:, order]


def find_alignment(
    W: Float[np.ndarray, "d k"],
    corners: Float64[np.ndarray, "d k"],
    orders: Int[np.ndarray, "order k"] | None = None,
) -> tuple[Float64[np.ndarray, "d d"], Int[np.ndarray, " k"]]:
    """Return the rotation and the order that :func:`align` applies, for use on other models as well."""
    W = W.astype(np.float64)
    if orders is None:
        order = np.argsort(_match_corners(W, corners, _scaled_gram(corners)))
        return _rotations(W[:, order], corners[None])[0], order
    overlap = np.linalg.svd(corners @ W[:, orders].transpose(1, 2, 0), compute_uv=False).sum(-1)
    found = [(_rotations(W[:, k], corners[None])[0], k) for k in orders[overlap > overlap.max() - 1e-9]]
    return max(found, key=lambda candidate: tuple((candidate[0] @ W[:, candidate[1]]).round(6).T.ravel()))


def symmetric_orders(*sets: Sequence[int]) -> Int[np.ndarray, "order k"]:
    """Return every order that permutes the members of each set, and the sets of equal size among themselves.

    The sets are disjoint and contain all features 0 … k - 1.
    """
    sizes, found = [len(members) for members in sets], []
    for placed in itertools.permutations(range(len(sets))):
        if [sizes[i] for i in placed] == sizes:
            for permuted in itertools.product(*(itertools.permutations(sets[i]) for i in placed)):
                order = [0] * sum(sizes)
                for place, feature in zip(itertools.chain(*sets), itertools.chain(*permuted), strict=True):
                    order[place] = feature
                found.append(order)
    return np.array(sorted(found))


def _scaled_gram(W: Float[np.ndarray, "d k"]) -> Float64[np.ndarray, "k k"]:
    """Return WᵀW, scaled to a mean diagonal of 1."""
    gram = (W.T @ W).astype(np.float64)
    return gram / np.trace(gram) * len(gram)


def _match_corners(
    W: Float[np.ndarray, "d k"], corners: Float64[np.ndarray, "e k"], exact: Float64[np.ndarray, "k k"]
) -> Int[np.ndarray, " k"]:
    """Return the index of the corner that each column of W corresponds to.

    A small set of anchor columns that span the space is mapped onto every choice of as many corners (orthogonal
    Procrustes), and the other columns are assigned to the nearest remaining corners. The best result is refined by
    rotating all columns once more.
    """
    k = len(exact)
    # In a simplex, all orders are equivalent.
    if k < 3 or np.ptp(exact[~np.eye(k, dtype=bool)]) < 1e-9:
        return np.arange(k)
    rank = int(np.linalg.matrix_rank(corners, tol=1e-6))
    points, places = (_coordinates(part, rank) for part in (W, corners))
    anchors = scipy.linalg.qr(points, pivoting=True, mode="r")[1][:rank]
    choices = np.array(list(itertools.permutations(range(k), rank)))
    # Only corners whose mutual angles are close to those of the anchors can be right.
    misfit = np.linalg.norm(
        exact[choices[:, :, None], choices[:, None, :]] - _scaled_gram(W)[np.ix_(anchors, anchors)], axis=(1, 2)
    )
    choices = choices[np.argsort(misfit, kind="stable")[:MAX_ASSIGNMENTS]]
    rotated = _rotations(points[:, anchors], places[:, choices].transpose(1, 0, 2)) @ points
    costs = _costs(rotated, places)
    # No assignment costs less than if every column went to its nearest corner, which leaves few choices to try.
    least = costs.min(-1).sum(-1)
    enough = _assign(costs[least.argmin()])[0] + 1e-9
    found = [_assign(cost) for cost in costs[least < enough]]
    # Symmetric orders fit equally well up to rounding, so the lexicographically first of them is chosen.
    nearest = min(cost for cost, _ in found) + 1e-9
    order = min((order for cost, order in found if cost < nearest), key=tuple)
    return _assign(_costs(_rotations(points, places[None, :, order])[0] @ points, places))[1]


def _coordinates(W: Float[np.ndarray, "d k"], rank: int) -> Float64[np.ndarray, "rank k"]:
    """Return the first ``rank`` principal coordinates of the columns of W, scaled to a mean squared length of 1."""
    _, values, directions = np.linalg.svd(W.astype(np.float64), full_matrices=False)
    coordinates = np.zeros((rank, W.shape[1]))
    coordinates[: len(values)] = (values[:, None] * directions)[:rank]
    return coordinates / np.sqrt((coordinates**2).sum() / W.shape[1])


def _rotations(
    points: Float64[np.ndarray, "d k"], places: Float64[np.ndarray, "choice d k"]
) -> Float64[np.ndarray, "choice d d"]:
    """Return the orthogonal matrices that bring the points nearest to each choice of places (least squares)."""
    left, _, right = np.linalg.svd(places @ points.T)
    return left @ right


def _costs(
    points: Float64[np.ndarray, "*choice d k"], places: Float64[np.ndarray, "d k"]
) -> Float64[np.ndarray, "*choice k k"]:
    """Return the squared distance of every point from every place."""
    return ((points[..., None] - places[:, None]) ** 2).sum(-3)


def _assign(cost: Float64[np.ndarray, "k k"]) -> tuple[float, Int[np.ndarray, " k"]]:
    """Return the lowest cost of all one-to-one assignments of points to places, and that assignment."""
    order = scipy.optimize.linear_sum_assignment(cost)[1]
    return float(cost[np.arange(len(order)), order].sum()), order

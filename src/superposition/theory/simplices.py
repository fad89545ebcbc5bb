"""Arrangements of features in simplices, which are candidates for the optimum of a small model."""

import itertools
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

Groups = tuple[tuple[int, ...], ...]


def arrangements(n: int, m: int) -> Iterator[Groups]:
    """Yield every partition of some of the n features into groups that together fill m dimensions.

    A single feature needs one dimension, and so does an antipodal pair; k ≥ 3 features need k - 1, as a simplex. The
    features outside all groups are dropped. For n = 3 and m = 2 the arrangements are W ⊥ [0,0,1], W ⊥ [0,1,1] and their
    permutations, and also W ⊥ [1,1,1], which the paper does not consider.
    """
    for kept in range(m, n + 1):
        for features in itertools.combinations(range(n), kept):
            yield from (groups for groups in _partitions(features) if sum(map(_dimensions, groups)) == m)


def _dimensions(group: tuple[int, ...]) -> int:
    """Return the number of dimensions that a group needs."""
    return max(1, len(group) - 1)


def _partitions(items: tuple[int, ...]) -> Iterator[Groups]:
    """Yield all set partitions of the items."""
    if not items:
        yield ()
    for size in range(len(items)):
        for others in itertools.combinations(items[1:], size):
            for groups in _partitions(tuple(i for i in items[1:] if i not in others)):
                yield ((items[0], *others), *groups)


def arrange_simplices(groups: Groups, n: int, m: int) -> Float64[Tensor, "m n"]:
    """Return the W whose columns form a regular simplex around the origin for each group.

    The columns have unit length and the simplices lie in mutually orthogonal subspaces. The columns of features outside
    all groups are zero.
    """
    W, first = torch.zeros(m, n, dtype=torch.float64), 0
    for group in groups:
        k, dimensions = len(group), slice(first, first + _dimensions(group))
        if k == 1:
            corners = torch.ones(1, 1, dtype=torch.float64)
        else:
            # The standard basis vectors, projected onto the k - 1 dimensions orthogonal to [1, …, 1], form a simplex.
            values, vectors = torch.linalg.eigh(torch.eye(k, dtype=torch.float64) - 1 / k)
            corners = vectors[:, values > 0.5].T
        W[dimensions, list(group)] = corners / torch.linalg.vector_norm(corners, dim=0)
        first = dimensions.stop
    return W

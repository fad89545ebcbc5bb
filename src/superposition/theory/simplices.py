"""Features arranged in simplices: the candidates for the optimum of a small model."""

import itertools
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

Groups = tuple[tuple[int, ...], ...]


def arrangements(n: int, m: int) -> Iterator[Groups]:
    """Every way to give features to groups that fill m dimensions; the other features are dropped.

    A feature alone needs one dimension, and so does a pair (as antipodes); k ≥ 3 features need k - 1, as a simplex.
    For n = 3, m = 2 that is W ⊥ [0,0,1], ⊥ [0,1,1] and the like, and also W ⊥ [1,1,1], which the paper leaves out.
    """
    for kept in range(m, n + 1):
        for features in itertools.combinations(range(n), kept):
            yield from (groups for groups in _partitions(features) if sum(map(_dimensions, groups)) == m)


def _dimensions(group: tuple[int, ...]) -> int:
    return max(1, len(group) - 1)


def _partitions(items: tuple[int, ...]) -> Iterator[Groups]:
    if not items:
        yield ()
    for size in range(len(items)):
        for others in itertools.combinations(items[1:], size):
            for groups in _partitions(tuple(i for i in items[1:] if i not in others)):
                yield ((items[0], *others), *groups)


def arranged(groups: Groups, n: int, m: int) -> Float64[Tensor, "m n"]:
    """W with unit columns: each group the corners of a simplex around 0, in dimensions of its own; the rest is 0."""
    W, first = torch.zeros(m, n, dtype=torch.float64), 0
    for group in groups:
        k, dimensions = len(group), slice(first, first + _dimensions(group))
        if k == 1:
            corners = torch.ones(1, 1, dtype=torch.float64)
        else:  # the projections of the unit vectors on the k - 1 dimensions orthogonal to [1, …, 1]
            values, vectors = torch.linalg.eigh(torch.eye(k, dtype=torch.float64) - 1 / k)
            corners = vectors[:, values > 0.5].T
        W[dimensions, list(group)] = corners / torch.linalg.vector_norm(corners, dim=0)
        first = dimensions.stop
    return W

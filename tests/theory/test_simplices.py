"""Test the arrangements of features in simplices: each is found once, with the right angles."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
import torch

from superposition.theory.simplices import arrange_simplices, arrangements

ARRANGEMENTS: dict[tuple[int, int], list[list[list[int]]]] = {
    (1, 1): [[[0]]],
    (2, 1): [[[0]], [[1]], [[0, 1]]],
    (2, 2): [[[0], [1]]],
    (3, 1): [[[0]], [[1]], [[2]], [[0, 1]], [[0, 2]], [[1, 2]]],
    (3, 2): [
        *([[0], [1]], [[0], [2]], [[1], [2]]),
        *([[0, 1], [2]], [[0, 2], [1]], [[1, 2], [0]]),
        [[0, 1, 2]],
    ],
    (3, 3): [[[0], [1], [2]]],
}


def as_sets(groups: Iterable[Iterable[int]]) -> frozenset[frozenset[int]]:
    return frozenset(map(frozenset, groups))


@pytest.mark.parametrize("size", ARRANGEMENTS, ids=str)
def test_arrangements_by_hand(size: tuple[int, int]) -> None:
    """No arrangement is left out, and none occurs twice."""
    found = [as_sets(groups) for groups in arrangements(*size)]
    assert len(found) == len(set(found))
    assert set(found) == {as_sets(groups) for groups in ARRANGEMENTS[size]}


@pytest.mark.parametrize("size", [*ARRANGEMENTS, (5, 3)], ids=str)
def test_angles(size: tuple[int, int]) -> None:
    """Directions of one simplex have equal angles, those of different ones are orthogonal, and the rest is 0."""
    n, m = size
    for groups in arrangements(n, m):
        W, gram = arrange_simplices(groups, n, m), np.zeros((n, n))
        for group in groups:
            for i, j in itertools.product(group, group):
                gram[i, j] = 1 if i == j else -1 / (len(group) - 1)
        np.testing.assert_allclose(W.T @ W, gram, atol=1e-12)
        assert W.shape == (m, n)
        assert torch.linalg.matrix_rank(W) == m

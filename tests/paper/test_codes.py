"""Codes of features in neurons with ReLUs, in models made by hand."""

import itertools

import numpy as np
import torch

from superposition.core.models import Model
from superposition.paper.privileged import codes

RNG = np.random.default_rng(0)


def test_response_is_the_slope_of_the_own_output() -> None:
    """The slope is measured in the model with hidden ReLUs, with the feature alone active."""
    model, W = Model("relu_hidden", 6, 4), RNG.normal(size=(4, 6))
    p = {"W": torch.from_numpy(W), "b": torch.full((6,), 50.0, dtype=torch.float64)}  # No output is cut off.
    slopes = model.output(p, torch.eye(6, dtype=torch.float64)).numpy() - 50
    np.testing.assert_allclose(codes.response(W), slopes.diagonal(), atol=1e-9)


CODE = np.array([[0.8, 0.0, 0.9, 0.05], [0.7, 0.9, -3.0, 0.05], [0.3, -0.5, -0.2, 0.05]])


def test_code() -> None:
    """A feature is represented by the neurons that it drives at least half as strongly as its first one."""
    expected = [[True, False, True, False], [True, True, False, False], [False, False, False, False]]
    assert codes.representing_neurons(CODE).tolist() == expected
    assert not codes.representing_neurons(-np.abs(CODE)).any()


def test_kinds_do_not_depend_on_any_order() -> None:
    W = RNG.normal(size=(4, 6)) + 0.5
    turned = [W[list(o)][:, RNG.permutation(6)] for o in itertools.permutations(range(4))]
    assert len(set(codes.canonical_codes(np.stack(turned)))) == 1
    assert codes.canonical_codes(W[None]) == codes.canonical_codes(np.abs(RNG.uniform(0.9, 1.1)) * W[None])


def test_kinds_tell_codes_apart() -> None:
    """Two neurons code for two features in four different ways."""
    different = [[[1, 0], [0, 1]], [[1, 1], [0, 0]], [[1, 1], [1, 1]], [[1, 1], [0, 1]]]
    assert len(set(codes.canonical_codes(np.array(different, dtype=float)))) == 4

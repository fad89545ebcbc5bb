"""Which features a neuron has, in models made by hand."""

import itertools

import numpy as np
import pytest
import torch

from superposition.analysis import neurons
from superposition.core.models import Model

RNG = np.random.default_rng(0)


def test_drive() -> None:
    """A negative weight activates a neuron only if features can be negative."""
    W = np.array([[1.0, -2.0, 0.0]])
    np.testing.assert_array_equal(neurons.drive(W, signed=False), [[1, 0, 0]])
    np.testing.assert_array_equal(neurons.drive(W, signed=True), [[1, 2, 0]])


@pytest.mark.parametrize(
    ("row", "second"), [([3, 0, 0], 0), ([3, 3, 1], 1), ([1, 4, 2], 0.5), ([0, 0, 0], 0), ([1, 0.1, 0.1], 0.1)]
)
def test_second(row: list[float], second: float) -> None:
    """Scale and order do not matter, and a dead neuron has ratio 0."""
    drive = np.array([row], dtype=float)
    for order in itertools.permutations(range(3)):
        assert neurons.second_drive_ratio(7.0 * drive[:, order])[0] == pytest.approx(second)
        assert neurons.monosemantic(drive[:, order], 0.3)[0] == (second < 0.3)


def absolute(W: np.ndarray, W_out: np.ndarray, x: np.ndarray) -> np.ndarray:
    n, m = W.shape[1], W.shape[0]
    p = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.zeros(n, dtype=torch.float64)}
    return Model("absolute", n, m).output(p, torch.from_numpy(x)).numpy()


def test_rescaling_changes_no_output() -> None:
    """Every neuron is rescaled separately, and one without weights stays as it is."""
    W, W_out, x = RNG.normal(size=(7, 4)), RNG.normal(size=(7, 4)), RNG.uniform(-1, 1, (50, 4))
    W[3] = 0
    scaled = neurons.rescaled(W, W_out)
    np.testing.assert_allclose(absolute(*scaled, x), absolute(W, W_out, x), atol=1e-12)
    np.testing.assert_allclose(np.abs(scaled[0]).max(1), [1, 1, 1, 0, 1, 1, 1])
    np.testing.assert_array_equal(scaled[1][3], W_out[3])


def test_order() -> None:
    """Neurons are ordered by feature, then by sign."""
    W = np.array([[0, 0, 2.0], [0.1, -1, 0], [0.1, 0.9, 0], [-1, 0, 0]])
    assert neurons.display_order(W).tolist() == [3, 2, 1, 0]


def test_layers_survive_a_table() -> None:
    """A layer is read from its rows, whatever their order."""
    W, W_out = RNG.normal(size=(2, 5, 12))
    table = neurons.layers_table(weight=W, out=W_out)
    assert table.query("neuron == 3 and feature == 11")[["weight", "out"]].to_numpy().tolist() == [
        [W[3, 11], W_out[3, 11]]
    ]
    shuffled = table.sample(frac=1, random_state=0)
    np.testing.assert_array_equal(neurons.layer(shuffled), W)
    np.testing.assert_array_equal(neurons.layer(shuffled, "out"), W_out)

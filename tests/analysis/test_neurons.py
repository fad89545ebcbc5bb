"""Features of neurons, and the motif of asymmetric superposition, in models made by hand."""

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


def test_response_is_the_slope_of_the_own_output() -> None:
    """The slope is measured in the model with hidden ReLUs, with the feature alone active."""
    model, W = Model("relu_hidden", 6, 4), RNG.normal(size=(4, 6))
    p = {"W": torch.from_numpy(W), "b": torch.full((6,), 50.0, dtype=torch.float64)}  # No output is cut off.
    slopes = model.output(p, torch.eye(6, dtype=torch.float64)).numpy() - 50
    np.testing.assert_allclose(neurons.response(W), slopes.diagonal(), atol=1e-9)


CODE = np.array([[0.8, 0.0, 0.9, 0.05], [0.7, 0.9, -3.0, 0.05], [0.3, -0.5, -0.2, 0.05]])


def test_code() -> None:
    """A feature is represented by the neurons that it drives at least half as strongly as its first one."""
    expected = [[True, False, True, False], [True, True, False, False], [False, False, False, False]]
    assert neurons.representing_neurons(CODE).tolist() == expected
    assert not neurons.representing_neurons(-np.abs(CODE)).any()


def test_kinds_do_not_depend_on_any_order() -> None:
    W = RNG.normal(size=(4, 6)) + 0.5
    turned = [W[list(o)][:, RNG.permutation(6)] for o in itertools.permutations(range(4))]
    assert len(set(neurons.canonical_codes(np.stack(turned)))) == 1
    assert neurons.canonical_codes(W[None]) == neurons.canonical_codes(np.abs(RNG.uniform(0.9, 1.1)) * W[None])


def test_kinds_tell_codes_apart() -> None:
    """Two neurons code for two features in four different ways."""
    codes = [[[1, 0], [0, 1]], [[1, 1], [0, 0]], [[1, 1], [1, 1]], [[1, 1], [0, 1]]]
    assert len(set(neurons.canonical_codes(np.array(codes, dtype=float)))) == 4


# The motif, in circuits made by hand.

FIRST, SECOND, OTHER = 0, 1, 2


def circuit(large: float = 2.0, small: float = -0.5, inhibition: float = -4.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a circuit in which two features share neuron 0 with weights as in the paper, and neuron 1 inhibits.

    The other neurons have one feature each: the "-" of the first, the "+" of the second, and both signs of a third.
    """
    W, W_out = np.zeros((6, 3)), np.zeros((6, 3))
    W[0, [FIRST, SECOND]], W_out[0, [FIRST, SECOND]] = (large, small), (1 / abs(large), 1 / abs(small))
    W[1, FIRST], W_out[1, SECOND] = np.sign(large), inhibition
    W[2, FIRST], W_out[2, FIRST] = -np.sign(large), 1
    W[3, SECOND], W_out[3, SECOND] = -np.sign(small), 1
    W[4, OTHER], W_out[4, OTHER] = 1, 1
    W[5, OTHER], W_out[5, OTHER] = -1, 1
    return W, W_out


@pytest.mark.parametrize("large", [2.0, -2.0, 1.0])
@pytest.mark.parametrize("small", [-0.5, 0.5, 0.25])
def test_the_motif_is_found(large: float, small: float) -> None:
    """x_first raises the second output by |in| out = |large / small|, whatever the signs."""
    slope = abs(large / small)
    (motif,) = neurons.motifs(*circuit(large, small, inhibition=-slope))
    assert (motif.shared, motif.first, motif.second, motif.inhibitor) == (0, FIRST, SECOND, 1)
    assert (motif.interference, motif.inhibition) == pytest.approx((slope, -slope))
    assert motif.remaining == pytest.approx(0)


def test_the_slopes_are_those_of_the_model() -> None:
    """The slopes are those of the second output with the first feature alone active."""
    W, W_out = circuit(inhibition=-3.7)
    (motif,) = neurons.motifs(W, W_out)
    np.testing.assert_allclose(absolute(W, W_out, np.eye(3)[[FIRST]])[0, SECOND], motif.remaining, atol=1e-12)
    W_out[1, SECOND] = 0
    np.testing.assert_allclose(absolute(W, W_out, np.eye(3)[[FIRST]])[0, SECOND], motif.interference, atol=1e-12)


def test_the_motif_does_not_depend_on_scales_and_orders() -> None:
    W, W_out = circuit()
    scale = RNG.uniform(0.1, 10, (6, 1))
    rows, columns = RNG.permutation(6), RNG.permutation(3)
    (plain,) = neurons.motifs(W, W_out)
    (turned,) = neurons.motifs((scale * W)[rows][:, columns], (W_out / scale)[rows][:, columns])
    assert (rows[turned.shared], rows[turned.inhibitor]) == (plain.shared, plain.inhibitor)
    assert (columns[turned.first], columns[turned.second]) == (plain.first, plain.second)
    assert turned.interference == pytest.approx(plain.interference)


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("no inhibitor", {"inhibition": 0.0}),
        ("an inhibitor that excites", {"inhibition": 4.0}),
        ("an inhibitor that cancels too little", {"inhibition": -1.9}),
        ("an inhibitor that leaves the output active", {"inhibition": -3.4}),
        ("nearly equal weights", {"large": 0.9, "inhibition": -1.8}),
    ],
)
def test_what_the_motif_is_not(what: str, changed: dict[str, float]) -> None:
    assert neurons.motifs(*circuit(**changed)) == [], what


def test_many_weak_inhibitors_are_no_inhibitor() -> None:
    """No interference remains, but no single neuron removes half of it."""
    W, W_out = circuit(inhibition=-1.9)
    W[4, FIRST], W_out[4, SECOND] = 1, -1.9
    assert neurons.motifs(W, W_out) == []
    W_out[4, SECOND] = -2.1
    assert len(neurons.motifs(W, W_out)) == 1


def test_an_inactive_inhibitor_does_not_count() -> None:
    """The first feature has to activate the inhibitor and the shared neuron with the same sign."""
    W, W_out = circuit()
    W[1] *= -1
    assert neurons.motifs(W, W_out) == []


def test_a_feature_that_a_neuron_barely_carries_does_not_count() -> None:
    """Less than half of an output is interference, not superposition."""
    W, W_out = circuit()
    W_out[0, SECOND] *= 0.49
    assert neurons.motifs(W, W_out) == []


def test_no_motif_in_the_exact_model() -> None:
    W = np.concatenate([np.eye(3), -np.eye(3)])
    assert neurons.motifs(W, np.abs(W)) == []

"""The motif of asymmetric superposition with inhibition, in circuits made by hand."""

import numpy as np
import pytest
import torch

from superposition.core.models import Model
from superposition.paper.absolute.motifs import find_motifs

RNG = np.random.default_rng(0)
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


def second_output(W: np.ndarray, W_out: np.ndarray) -> float:
    """Return the second output of the model without a bias if the first feature alone is active, and 1."""
    p = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.zeros(3, dtype=torch.float64)}
    return Model("absolute", 3, len(W)).output(p, torch.eye(3, dtype=torch.float64)[[FIRST]])[0, SECOND].item()


@pytest.mark.parametrize("large", [2.0, -2.0, 1.0])
@pytest.mark.parametrize("small", [-0.5, 0.5, 0.25])
def test_the_motif_is_found(large: float, small: float) -> None:
    """x_first raises the second output by |in| out = |large / small|, whatever the signs."""
    (motif,) = find_motifs(*circuit(large, small, inhibition=-abs(large / small)))
    assert (motif.shared, motif.first, motif.second, motif.inhibitor) == (0, FIRST, SECOND, 1)
    assert second_output(*circuit(large, small, inhibition=-abs(large / small))) == pytest.approx(0)


def test_the_motif_does_not_depend_on_scales_and_orders() -> None:
    W, W_out = circuit()
    scale = RNG.uniform(0.1, 10, (6, 1))
    rows, columns = RNG.permutation(6), RNG.permutation(3)
    (plain,) = find_motifs(W, W_out)
    (turned,) = find_motifs((scale * W)[rows][:, columns], (W_out / scale)[rows][:, columns])
    assert (rows[turned.shared], rows[turned.inhibitor]) == (plain.shared, plain.inhibitor)
    assert (columns[turned.first], columns[turned.second]) == (plain.first, plain.second)


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
    assert find_motifs(*circuit(**changed)) == [], what


def test_many_weak_inhibitors_are_no_inhibitor() -> None:
    """No interference remains, but no single neuron removes half of it."""
    W, W_out = circuit(inhibition=-1.9)
    W[4, FIRST], W_out[4, SECOND] = 1, -1.9
    assert find_motifs(W, W_out) == []
    W_out[4, SECOND] = -2.1
    assert len(find_motifs(W, W_out)) == 1


def test_an_inactive_inhibitor_does_not_count() -> None:
    """The first feature has to activate the inhibitor and the shared neuron with the same sign."""
    W, W_out = circuit()
    W[1] *= -1
    assert find_motifs(W, W_out) == []


def test_a_feature_that_a_neuron_barely_carries_does_not_count() -> None:
    """Less than half of an output is interference, not superposition."""
    W, W_out = circuit()
    W_out[0, SECOND] *= 0.49
    assert find_motifs(W, W_out) == []


def test_no_motif_in_the_exact_model() -> None:
    W = np.concatenate([np.eye(3), -np.eye(3)])
    assert find_motifs(W, np.abs(W)) == []

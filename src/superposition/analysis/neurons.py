"""What neurons do (paper: "Superposition in a privileged basis", "Computation in superposition").

A neuron is a row of W […, m, n], of W_1 in the absolute model; its row is its *stack* of weights.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

MONOSEMANTIC = 0.25  # a second feature that drives a neuron by less than this part of the first does not count
CODE = 0.5  # a feature's neurons: those that it switches on at least this much as strongly as its first
CARRIED = 0.5  # a neuron computes a feature where it gives at least half of the output
UNEQUAL = 2.0  # asymmetric: one input weight at least this many times the other


def drive(W: Float[np.ndarray, "*batch m n"], signed: bool) -> Float[np.ndarray, "*batch m n"]:
    """How strongly a feature alone can switch a neuron on: ReLU(W_ki), or |W_ki| where features are signed."""
    return np.abs(W) if signed else np.maximum(W, 0)


def second(drive: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch m"]:
    """The second strongest drive of every neuron over its strongest; 0 for a neuron that nothing switches on."""
    size = np.sort(drive, axis=-1)
    strongest = size[..., -1]
    return np.where(strongest > 0, size[..., -2] / np.where(strongest > 0, strongest, 1), 0.0)


def monosemantic(
    drive: Float[np.ndarray, "*batch m n"], threshold: float = MONOSEMANTIC
) -> Bool[np.ndarray, "*batch m"]:
    """Whether a neuron has one feature: no second drive of ``threshold`` times the strongest.

    The paper judges by eye.
    """
    return second(drive) < threshold


def rescaled(
    W: Float[np.ndarray, "*batch m n"], W_out: Float[np.ndarray, "*batch m n"]
) -> tuple[np.ndarray, np.ndarray]:
    """The same absolute model with the largest |weight| into every neuron at 1, as the paper shows it."""
    scale = np.abs(W).max(-1, keepdims=True)
    scale = np.where(scale > 0, scale, 1)
    return W / scale, W_out * scale


def order(W: Float[np.ndarray, "m n"]) -> Int[np.ndarray, " m"]:
    """The neurons by the feature of their largest weight, the positive ones of a feature first."""
    main = np.abs(W).argmax(1)
    largest = W[np.arange(len(W)), main]
    return np.lexsort((-np.abs(largest), largest < 0, main))


def response(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch n"]:
    """By how much a feature alone raises its own output, W_i·ReLU(W_i); ‖W_i‖² where no weight is negative.

    Above ½ the feature counts as represented.
    """
    return (W * np.maximum(W, 0)).sum(-2)


def code(W: Float[np.ndarray, "*batch m n"]) -> Bool[np.ndarray, "*batch m n"]:
    """Which neurons stand for a feature: those that it switches on, a represented feature's alone."""
    on = np.maximum(W, 0)
    return (on >= CODE * on.max(-2, keepdims=True)) & (response(W) > 0.5)[..., None, :]


def kinds(W: Float[np.ndarray, "model m n"]) -> list[bytes]:
    """The code whatever the order of neurons and features: equal for models that represent features in the same way.

    Compares all orders of the neurons, so it is meant for few of them.
    """
    m = W.shape[-2]
    orders = np.array(list(itertools.permutations(range(m))))
    words = code(W).swapaxes(-1, -2)[:, None, :, :] @ (1 << orders)[:, :, None]  # [model, order, feature, 1]
    words = np.sort(words[..., 0], axis=-1)
    return [min(row.tobytes() for row in model) for model in words.astype(">u4")]


@dataclass(frozen=True)
class Motif:
    """Asymmetric superposition with inhibition, as in the paper's figure.

    Neuron ``shared`` computes |x_first| through a large input and a small output weight, and |x_second| through a small
    input and a large output weight. So x_first makes the second output far too large, and neuron ``inhibitor``, which
    x_first switches on, too, holds it down. What x_second does to the first output is small.
    """

    shared: int
    first: int
    second: int
    inhibitor: int
    interference: float  # slope of the second output that x_first causes through the shared neuron
    inhibition: float  # and through the inhibitor, < 0
    remaining: float  # and through all neurons together, the bias not counted


def motifs(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> list[Motif]:
    """All instances of the motif in one absolute model.

    The shared neuron gives at least half of both outputs (|in| · out ≥ ½, one side of each feature), with input weights
    at least twofold apart; the inhibitor takes back at least half of the interference, and nothing of it is left above
    the slope ½ at which an output would count as switched on.
    """
    found = []
    gives = np.abs(W) * W_out  # slope of a feature's own output through a neuron, on the side that switches it on
    carried = gives >= CARRIED
    for shared, first, second in np.argwhere(carried[:, :, None] & carried[:, None, :]).tolist():
        if np.abs(W[shared, first]) < UNEQUAL * np.abs(W[shared, second]):
            continue
        caused = np.maximum(W[:, first] * np.sign(W[shared, first]), 0) * W_out[:, second]
        inhibitor = int(caused.argmin())
        if caused[inhibitor] <= -CARRIED * caused[shared] and caused.sum() < 0.5:
            slopes = (float(s) for s in (caused[shared], caused[inhibitor], caused.sum()))
            found.append(Motif(shared, first, second, inhibitor, *slopes))
    return found

"""Roles of neurons (paper: "Superposition in a privileged basis", "Computation in superposition").

A neuron is a row of W […, m, n], or of W_1 in the absolute model; the weights in the row are the neuron's *stack*.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# A neuron is monosemantic if its second-strongest drive is less than this share of its strongest.
MONOSEMANTIC = 0.25
# A neuron represents a feature if the feature drives it with at least this share of its strongest drive of any neuron.
REPRESENTING_SHARE = 0.5
# A neuron computes a feature if it contributes at least this share of the ideal output.
COMPUTING_SHARE = 0.5
# Two input weights of a neuron are asymmetric if one is at least this many times the other.
ASYMMETRY = 2.0


def drive(W: Float[np.ndarray, "*batch m n"], signed: bool) -> Float[np.ndarray, "*batch m n"]:
    """Return how strongly each feature alone can activate a neuron.

    It is ReLU(W_ki), or |W_ki| if features are ``signed``.
    """
    return np.abs(W) if signed else np.maximum(W, 0)


def second_drive_ratio(drive: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch m"]:
    """Return the ratio of the second-strongest to the strongest drive of every neuron.

    It is 0 for a neuron that no feature activates.
    """
    size = np.sort(drive, axis=-1)
    strongest = size[..., -1]
    return np.where(strongest > 0, size[..., -2] / np.where(strongest > 0, strongest, 1), 0.0)


def monosemantic(
    drive: Float[np.ndarray, "*batch m n"], threshold: float = MONOSEMANTIC
) -> Bool[np.ndarray, "*batch m"]:
    """Return which neurons are monosemantic: no second drive reaches ``threshold`` times the strongest.

    The paper judges this by eye.
    """
    return second_drive_ratio(drive) < threshold


def rescaled(
    W: Float[np.ndarray, "*batch m n"], W_out: Float[np.ndarray, "*batch m n"]
) -> tuple[np.ndarray, np.ndarray]:
    """Rescale the neurons of an absolute model so that the largest |input weight| of each is 1, as in the paper.

    The output weights are scaled inversely, which leaves the function of the model unchanged.
    """
    scale = np.abs(W).max(-1, keepdims=True)
    scale = np.where(scale > 0, scale, 1)
    return W / scale, W_out * scale


def display_order(W: Float[np.ndarray, "m n"]) -> Int[np.ndarray, " m"]:
    """Return the neurons in the order of the features of their largest weights; for each feature, positive ones first.

    Neurons that agree in both are ordered by decreasing size of that weight.
    """
    main = np.abs(W).argmax(1)
    largest = W[np.arange(len(W)), main]
    return np.lexsort((-np.abs(largest), largest < 0, main))


def response(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch n"]:
    """Return how much each feature alone raises its own output: W_i·ReLU(W_i), or ‖W_i‖² without negative weights.

    A feature counts as represented if its response is above ½.
    """
    return (W * np.maximum(W, 0)).sum(-2)


def representing_neurons(W: Float[np.ndarray, "*batch m n"]) -> Bool[np.ndarray, "*batch m n"]:
    """Return which neurons represent each feature: those that it activates strongly, if it is represented at all."""
    activation = np.maximum(W, 0)
    strong = activation >= REPRESENTING_SHARE * activation.max(-2, keepdims=True)
    return strong & (response(W) > 0.5)[..., None, :]


def canonical_codes(W: Float[np.ndarray, "model m n"]) -> list[bytes]:
    """Return :func:`representing_neurons` in a form that does not depend on the order of neurons and features.

    The result is equal for models that represent features in the same way. All m! orders of the neurons are compared,
    which limits the function to small m.
    """
    m = W.shape[-2]
    orders = np.array(list(itertools.permutations(range(m))))
    # One bit for every neuron: [model, order, feature, 1].
    codes = representing_neurons(W).swapaxes(-1, -2)[:, None, :, :] @ (1 << orders)[:, :, None]
    codes = np.sort(codes[..., 0], axis=-1)
    return [min(row.tobytes() for row in model) for model in codes.astype(">u4")]


@dataclass(frozen=True)
class Motif:
    """Asymmetric superposition with inhibition, as in the paper's figure.

    The neuron ``shared`` computes |x_first| through a large input and a small output weight, and |x_second| through a
    small input and a large output weight. So x_first makes the second output far too large; the neuron ``inhibitor``,
    which x_first also activates, counteracts this. The effect of x_second on the first output is small.

    Attributes:
        shared: Index of the shared neuron.
        first: Index of the feature with the large input weight.
        second: Index of the feature with the small input weight.
        inhibitor: Index of the inhibiting neuron.
        interference: Slope of the second output with respect to x_first through the shared neuron.
        inhibition: The same slope through the inhibitor; negative.
        remaining: The same slope through all neurons together, without the bias.
    """

    shared: int
    first: int
    second: int
    inhibitor: int
    interference: float
    inhibition: float
    remaining: float


def motifs(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> list[Motif]:
    """Find all instances of the motif in one absolute model.

    The shared neuron contributes at least half of both outputs (|in| · out ≥ ½, on one side of each feature), with
    input weights that differ at least by a factor of two. The inhibitor cancels at least half of the interference, and
    the remaining slope is below ½, where an output would count as active.
    """
    found = []
    # Slope of each output with respect to its own feature through a neuron, on the side that activates the neuron.
    contribution = np.abs(W) * W_out
    computes = contribution >= COMPUTING_SHARE
    for shared, first, second in np.argwhere(computes[:, :, None] & computes[:, None, :]).tolist():
        if np.abs(W[shared, first]) < ASYMMETRY * np.abs(W[shared, second]):
            continue
        caused = np.maximum(W[:, first] * np.sign(W[shared, first]), 0) * W_out[:, second]
        inhibitor = int(caused.argmin())
        if caused[inhibitor] <= -COMPUTING_SHARE * caused[shared] and caused.sum() < 0.5:
            slopes = (float(s) for s in (caused[shared], caused[inhibitor], caused.sum()))
            found.append(Motif(shared, first, second, inhibitor, *slopes))
    return found

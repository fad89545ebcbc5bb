"""Asymmetric superposition with inhibition, the motif of the absolute-value model."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from superposition.paper.absolute import PAPER_INPUT_WEIGHT

# A neuron computes a feature if it contributes at least this share of the ideal output.
COMPUTING_SHARE = 0.5
# Two input weights of a neuron are asymmetric if one is at least this many times the other.
ASYMMETRY = 2.0


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
        in_first: Input weight of the first feature, whose size is that in the paper's figure.
        in_second: Input weight of the second feature, on the same scale.
        out_first: Output weight of the first feature, on the inverse scale.
        out_second: Output weight of the second feature, on the inverse scale.
    """

    shared: int
    first: int
    second: int
    inhibitor: int
    in_first: float
    in_second: float
    out_first: float
    out_second: float


def find_motifs(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> list[Motif]:
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
        # Slope of the second output with respect to x_first through every neuron.
        caused = np.maximum(W[:, first] * np.sign(W[shared, first]), 0) * W_out[:, second]
        inhibitor = int(caused.argmin())
        if caused[inhibitor] <= -COMPUTING_SHARE * caused[shared] and caused.sum() < 0.5:
            scale = PAPER_INPUT_WEIGHT / np.abs(W[shared, first])
            weights = *(W[shared, [first, second]] * scale), *(W_out[shared, [first, second]] / scale)
            found.append(Motif(shared, first, second, inhibitor, *map(float, weights)))
    return found

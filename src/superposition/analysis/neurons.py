"""Which features a neuron has (paper: "Superposition in a privileged basis", "Computation in superposition").

A neuron is a row of W […, m, n], or of W_1 in the absolute model; the weights in the row are the neuron's *stack*.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

# A neuron is monosemantic if its second-strongest drive is less than this share of its strongest.
MONOSEMANTIC = 0.25


def layers_table(**layers: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    """Return layers as a table with one row per neuron and feature, and one column per layer."""
    neuron, feature = np.indices(next(iter(layers.values())).shape).reshape(2, -1)
    return pd.DataFrame({"neuron": neuron, "feature": feature, **{name: W.ravel() for name, W in layers.items()}})


def layer(table: pd.DataFrame, name: str = "weight") -> Float[np.ndarray, "m n"]:
    """Return a layer from the rows of one model in such a table."""
    return table.pivot(index="neuron", columns="feature", values=name).to_numpy()


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

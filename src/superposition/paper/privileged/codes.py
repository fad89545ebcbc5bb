"""The codes by which neurons with ReLUs represent features."""

import itertools

import numpy as np
from jaxtyping import Bool, Float

# A neuron represents a feature if the feature drives it with at least this share of its strongest drive of any neuron.
REPRESENTING_SHARE = 0.5


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

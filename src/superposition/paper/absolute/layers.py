"""The two layers of an absolute model, as arrays and as a table."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition import neurons
from superposition.weights import Trained


def layers(models: Trained, point: int, restart: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W_1, W_2 (as [m, n]) and b of one model, every neuron rescaled and in order."""
    W, W_out, b = (models.parameters[k][point, restart].double().numpy() for k in ("W", "W_out", "b"))
    W, W_out = neurons.rescaled(W, W_out)
    order = neurons.order(W)
    return W[order], W_out[order], b


def long(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"], b: Float[np.ndarray, " n"]) -> pd.DataFrame:
    """One row per neuron and feature: the weights in and out, and the bias of the feature's output."""
    neuron, feature = (index.ravel() for index in np.indices(W.shape))
    return pd.DataFrame(
        {"neuron": neuron, "feature": feature, "weight": W.ravel(), "out": W_out.ravel(), "bias": b[feature]}
    )


def matrix(weights: pd.DataFrame, column: str = "weight") -> Float[np.ndarray, "m n"]:
    """The inverse of :func:`long`, for one layer."""
    return weights.pivot(index="neuron", columns="feature", values=column).to_numpy()

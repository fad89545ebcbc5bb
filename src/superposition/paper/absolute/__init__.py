"""Computation in superposition: the absolute value of every feature, with fewer neurons than it takes exactly."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition.analysis import neurons

EXACT = 1e-3  # how near to the ideal the exact model's weights are
PAPER_INPUT = 2.0  # the motif is shown with this first input weight, as in the paper

MAIN = ("absolute_dense", "absolute_sparse")
LENGTHS = {"absolute_shorter": "a tenth of the steps", "absolute_longer": "three times the steps"}
THRESHOLDS = (0.1, 0.15, 0.25, 0.35, 0.5)
ZOOM = (0.01, 0.003)  # with neurons of both kinds, whatever the threshold


def matrix(weights: pd.DataFrame, column: str = "weight") -> Float[np.ndarray, "m n"]:
    """One layer, as [m, n], from the table of its weights."""
    return weights.pivot(index="neuron", columns="feature", values=column).to_numpy()


def is_exact(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> bool:
    """Whether a model with m = 2n has a “+” and a “-” neuron for every feature, and nothing else."""
    W, W_out = neurons.rescaled(W, W_out)
    main = np.abs(W).argmax(1)
    kinds = {(int(i), bool(W[k, i] > 0)) for k, i in enumerate(main)}
    ideal = np.abs(W) > 0.5
    return bool(
        len(kinds) == len(W) == 2 * W.shape[1]
        and np.abs(np.abs(W) - ideal).max() < EXACT
        and np.abs(W_out - ideal).max() < EXACT
    )


def shown_motifs(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The instances in the model that is shown."""
    shown, motifs = data["weights"].iloc[0], data["motifs"]
    return motifs[(motifs["density"] == shown["density"]) & (motifs["restart"] == shown["restart"])]


def alone(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> pd.DataFrame:
    """The neurons with one feature, of the best model of every seed: [density, seed]; the main recipe alone."""
    best = units[units["best"] & units["experiment"].isin(MAIN)]
    counts = (best["second"] < threshold).groupby([best["density"], best["seed"]]).sum().unstack()
    return counts.sort_index(ascending=False)

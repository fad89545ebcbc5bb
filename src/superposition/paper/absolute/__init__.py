"""Computation in superposition: the absolute value of every feature, with fewer neurons than it takes exactly."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition.analysis import neurons

# Largest deviation of the exact model's weights from the ideal ones.
EXACT_TOLERANCE = 1e-3
# The motif is scaled to this weight of its first input, as in the paper.
PAPER_INPUT_WEIGHT = 2.0

MAIN_EXPERIMENTS = ("absolute_dense", "absolute_sparse")
# The experiments that differ from these in the length of training.
TRAINING_LENGTHS = {"absolute_shorter": "a tenth of the steps", "absolute_longer": "three times the steps"}
# Thresholds of the second weight over the first at which the number of monosemantic neurons is compared.
WEIGHT_THRESHOLDS = (0.1, 0.15, 0.25, 0.35, 0.5)
# Densities at which monosemantic and polysemantic neurons coexist, whatever the threshold.
ZOOM_DENSITIES = (0.01, 0.003)


def computes_exactly(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> bool:
    """Return whether a model with m = 2n computes |x| exactly: a “+” and a “-” neuron per feature, and nothing else."""
    W, W_out = neurons.rescaled(W, W_out)
    main = np.abs(W).argmax(1)
    kinds = {(int(i), bool(W[k, i] > 0)) for k, i in enumerate(main)}
    ideal = np.abs(W) > 0.5
    return bool(
        len(kinds) == len(W) == 2 * W.shape[1]
        and np.abs(np.abs(W) - ideal).max() < EXACT_TOLERANCE
        and np.abs(W_out - ideal).max() < EXACT_TOLERANCE
    )


def motifs_of_shown_model(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the instances of the motif in the model that is shown; ``data``: the tables of ``asymmetric_motif``."""
    shown, motifs = data["weights"].iloc[0], data["motifs"]
    return motifs[(motifs["point"] == shown["point"]) & (motifs["restart"] == shown["restart"])]


def best_of_main(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the best model of every density and seed, trained for the usual number of steps."""
    return rows[rows["best"] & rows["experiment"].isin(MAIN_EXPERIMENTS)]


def count_monosemantic(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> pd.DataFrame:
    """Count the monosemantic neurons of the best model of every seed.

    Args:
        units: The table ``neurons`` of the figure ``absolute_neurons``; experiments of other lengths are ignored.
        threshold: A neuron is monosemantic if its second weight over its largest is below this value.

    Returns:
        The counts, with densities as rows, from the highest to the lowest, and seeds as columns.
    """
    best = best_of_main(units)
    counts = (best["second"] < threshold).groupby([best["density"], best["seed"]]).sum().unstack()
    return counts.sort_index(ascending=False)

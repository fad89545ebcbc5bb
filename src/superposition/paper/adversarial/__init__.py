"""Superposition and adversarial robustness: how vulnerable models are to attacks, and what training against them does.

The models of uniform superposition are attacked; other models are trained against attacks.
"""

import numpy as np
import pandas as pd

# The experiment with replicates; the others differ in n and m.
MAIN_EXPERIMENT = "uniform_200_20"
# The lowest density at which the analytic attack is compared with gradient ascent.
MIN_ASCENT_DENSITY = 0.4
# Two readings of the paper's "a tenth of the mean input norm" as the size of attacks.
SIZE_CONVENTIONS = {"scaled": "of the norm at each density", "constant": "of the norm at density 1"}


def size_where_one(values: pd.Series) -> float:
    """Return the size of attacks at which a curve first falls to 1, interpolated in its logarithm; inf if never."""
    above, sizes = values.to_numpy() > 1, values.index.to_numpy()
    if above.all():
        return np.inf
    at = int((~above).argmax())
    if at == 0:
        return float(sizes[0])
    before, after = np.log(values.iloc[[at - 1, at]].clip(lower=1e-12))
    return float(sizes[at - 1] + (sizes[at] - sizes[at - 1]) * before / (before - after))


def removal_sizes(models: pd.DataFrame, measure: str) -> pd.Series:
    """Return the size of the attacks trained against at which a measure falls to 1 in the median replicate.

    Args:
        models: The table ``models`` of the figure ``adversarial_training``.
        measure: The column that is measured, such as ``interference``.

    Returns:
        The sizes, over the mean input norm, by n and density; inf where the measure stays above 1.
    """
    medians = models.groupby(["n", "density", "attack"])[measure].median().unstack("attack")
    return pd.Series({at: size_where_one(row.dropna()) for at, row in medians.iterrows()}, dtype=float)

"""Adversarial robustness: what superposition has to do with how easily a model is misled.

The models that are attacked are those of uniform superposition; others are trained against attacks.
"""

import numpy as np
import pandas as pd

MAIN = "uniform_200_20"  # the one with replicates
DENSE = 0.4  # the lowest density at which gradient ascent checks the analytic attack
READINGS = {  # of "a tenth of the mean input norm"
    "scaled": "of the norm at each density",
    "constant": "of the norm at density 1",
}


def _falls_to_one(values: pd.Series) -> float:
    """Where a curve first falls to 1, between two sizes of attacks (its logarithm interpolated); inf if it does not."""
    above, sizes = values.to_numpy() > 1, values.index.to_numpy()
    if above.all():
        return np.inf
    at = int((~above).argmax())
    if at == 0:
        return float(sizes[0])
    before, after = np.log(values.iloc[[at - 1, at]].clip(lower=1e-12))
    return float(sizes[at - 1] + (sizes[at] - sizes[at - 1]) * before / (before - after))


def sizes_of_removal(models: pd.DataFrame, measure: str) -> pd.Series:
    """By n and density: the size of attacks at which a measure, in the median replicate, has come down to 1."""
    medians = models.groupby(["n", "density", "attack"])[measure].median().unstack("attack")
    return pd.Series({at: _falls_to_one(row.dropna()) for at, row in medians.iterrows()}, dtype=float)

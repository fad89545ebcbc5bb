"""Superposition as a phase change: the last feature is absent, in superposition, or has a dimension of its own.

Each diagram is made three times: from the paper's fixed configurations (closed form), from the true optimum over W and
b, and from trained models. The extra feature, whose relative importance varies, is the last one.
"""

import numpy as np
import pandas as pd

PHASES = ("absent", "superposition", "own")
PANELS = {
    "prototypes": "the paper's fixed configurations",
    "optimum": "true optimum over $W$ and $b$",
    "trained": "trained, best of ten",
    "average": "trained, average of nine",
}


def handover_at(losses: pd.DataFrame) -> float:
    """The density at which the digon takes over from the triangle, by linear interpolation of the logarithm."""
    rows = losses[losses["density"] < 0.95].sort_values("density")
    gap, x = (rows["triangle"] - rows["digon"]).to_numpy(), np.log(rows["density"].to_numpy())
    k = int(np.flatnonzero(gap > 0).max())
    return float(np.exp(x[k] + (x[k + 1] - x[k]) * gap[k] / (gap[k] - gap[k + 1])))

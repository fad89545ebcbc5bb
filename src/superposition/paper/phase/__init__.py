"""Superposition as a phase change: the extra feature is absent, in superposition, or has a dedicated dimension.

Each phase diagram is made three times: from the paper's fixed configurations (closed form), from the true optimum over
W and b, and from trained models. The extra feature, whose relative importance varies, is the last one.
"""

from typing import Any

import numpy as np
import pandas as pd

# The phases of the extra feature; the last is a dedicated dimension.
PHASES = ("absent", "superposition", "dedicated")
# The phase diagrams of a figure, with their titles.
PANELS = {
    "prototypes": "the paper's fixed configurations",
    "optimum": "true optimum over $W$ and $b$",
    "trained": "trained, best of ten",
    "average": "trained, average of nine",
}


def phase_areas(diagrams: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the share of every phase in each diagram, one row per value of the column that tells them apart."""
    areas = pd.crosstab(diagrams[by], diagrams["phase"], normalize="index")
    return areas.reindex(index=diagrams[by].unique(), columns=list(PHASES), fill_value=0.0)


def prototype_boundary(r: Any) -> Any:
    """Return the density at which the paper's fixed configurations change from absent to superposition, for r ≤ 1.

    There a dropped feature, which costs r (p/3 - p²/4), and an antipodal pair, which costs (1 + r) p²/6, are equal.

    Args:
        r: Relative importance: a number, an array or a tensor.
    """
    return 4 * r / (2 + 5 * r)


def triangle_digon_crossover(losses: pd.DataFrame) -> float:
    """Return the density at which the losses of triangle and digon cross, interpolated in its logarithm."""
    # At density 1 the two losses are equal, and rounding would decide the sign of their difference.
    rows = losses[losses["density"] < 0.95].sort_values("density")
    gap, x = (rows["triangle"] - rows["digon"]).to_numpy(), np.log(rows["density"].to_numpy())
    k = int(np.flatnonzero(gap > 0).max())
    return float(np.exp(x[k] + (x[k + 1] - x[k]) * gap[k] / (gap[k] - gap[k + 1])))

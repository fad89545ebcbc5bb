"""How far the features of a pentagon are from the unit circle, beside the positive interference that they receive."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import weights_of


def measure_interference(solutions: pd.DataFrame) -> pd.DataFrame:
    """Return norm, positive interference and bias of every feature of the pentagons among the best solutions.

    Returns:
        One row per feature: ``interference``, Σ_j ReLU(Ŵ_i·W_j) over the other features;
        ``expected_interference``, the same weighted with their relative densities; and ``negative_bias``, -b_i.
    """
    rows = []
    for ratio, model in solutions[solutions["kind"] == "pentagon"].groupby("relative_density"):
        W = weights_of(model)
        norm = np.linalg.norm(W, axis=0)
        received = np.maximum(W.T @ W / norm[:, None], 0) * (1 - np.eye(5))
        # The corners of the pentagon are in order: 1 and 4 are next to the varied feature.
        biases = model.iloc[0][[f"bias_{which}" for which in ("varied", "near", "far", "far", "near")]]
        columns = {
            "relative_density": ratio,
            "feature": range(5),
            "norm": norm,
            "interference": received.sum(1),
            "expected_interference": received @ [ratio, 1, 1, 1, 1],
            "negative_bias": -biases.to_numpy(float),
        }
        rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["norm", "interference"])

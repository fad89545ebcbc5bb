"""Models without superposition: an L1 penalty on the hidden units (paper: "The strategic picture").

Trained models with equal and with falling importances, beside what is exactly the best for a dimension.
"""

import pandas as pd

EQUAL, FALLING = "l1_equal", "l1_falling"


def falling(features: pd.DataFrame) -> str:
    """The importances of the sweep in which they fall, in words."""
    return f"{features.loc[features['feature'] == 1, 'importance'].iloc[0]:g}^i"


def freed_models(models: pd.DataFrame) -> pd.DataFrame:
    """Of a sweep: models without superposition (less interference than one antipodal pair makes) that still use half of
    their dimensions."""
    m = models["m"].iloc[0]
    return models[(models["interference"] < 2 / (m + 1)) & (models["represented_features"] >= m / 2)]

"""Measure the features of the five-feature models, and the angles between them."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of the sweep: models, features and pairs of features.

    Args:
        figure: Name of the figure.
        trained: Trained sweeps of the figure, by experiment.

    Returns:
        Tables by name.
    """
    models = trained["introduction"]
    return {"models": tables.models(models), "features": tables.features(models), "pairs": tables.pairs(models)}

"""Measure the features of the five-feature models, and the angles between them."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def introduction(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of the sweep: models, features and pairs of features."""
    models = trained["introduction"]
    return {"models": tables.models(models), "features": tables.features(models), "pairs": tables.pairs(models)}

"""Weights to tables: the features of every model."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The standard tables."""
    models = trained["introduction"]
    return {"models": tables.models(models), "features": tables.features(models), "pairs": tables.pairs(models)}

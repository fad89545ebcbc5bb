"""Weights to tables: the standard ones."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The standard tables of all experiments of the figure, one below the other."""
    return {
        table.__name__: pd.concat(
            [table(models).assign(experiment=name) for name, models in trained.items()], ignore_index=True
        )
        for table in (tables.models, tables.features, tables.pairs)
    }

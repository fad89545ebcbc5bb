"""Measure models from dense to sparse with the standard tables."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def basic_small(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of all experiments; the column ``experiment`` says which one a row comes from."""
    return {
        table.__name__: pd.concat(
            [table(models).assign(experiment=name) for name, models in trained.items()], ignore_index=True
        )
        for table in (tables.models, tables.features, tables.pairs)
    }


basic_large = basic_small

"""Measure models from dense to sparse with the standard tables."""

import pandas as pd

from superposition.analysis import tables
from superposition.core.weights import SweepResult
from superposition.paper.basic import noise


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables, concatenated over all experiments of the figure, and the loss of single features.

    Args:
        figure: Name of the figure.
        trained: Trained sweeps of the figure, by experiment.

    Returns:
        Tables by name; the column ``experiment`` says which experiment a row comes from.
    """
    return {
        table.__name__: pd.concat(
            [table(models).assign(experiment=name) for name, models in trained.items()], ignore_index=True
        )
        for table in (tables.models, tables.features, tables.pairs)
    } | {"one_active": noise.one_active_losses(trained[figure])}

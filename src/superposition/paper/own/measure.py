"""A sweep to the standard tables."""

import pandas as pd

from superposition.core.weights import Trained
from superposition.paper.own import kind
from superposition.standard.measure import measure as standard_tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """``figure``: ``<experiment>_<standard figure>``."""
    (models,) = trained.values()
    return standard_tables(kind(figure), models)

"""The standard tables to figures."""

import pandas as pd
from matplotlib.figure import Figure

from superposition.paper.own import kind
from superposition.standard.draw import draw as standard_figure


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """A standard figure of a sweep."""
    return standard_figure(kind(figure), data)

"""Own sweeps: what the standard tables and figures say of a sweep that no other figure names. Nothing is claimed."""

import pandas as pd
from matplotlib.figure import Figure

from superposition import standard
from superposition.claims import Claims
from superposition.weights import Trained

claims = Claims("own")


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """``figure``: ``<experiment>_<standard figure>``."""
    (models,) = trained.values()
    return standard.measure(_kind(figure), models)


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return standard.draw(_kind(figure), data)


def _kind(figure: str) -> str:
    return figure.rsplit("_", 1)[1]

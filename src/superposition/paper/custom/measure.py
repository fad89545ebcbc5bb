"""Measure the standard tables of a custom sweep."""

import dataclasses

import pandas as pd
import torch

from superposition.analysis import neurons, tables
from superposition.core.weights import SweepResult
from superposition.paper.custom import MAX_MODELS, MAX_PANELS, kind_of, select_points

# Number of features above which a model needs a larger panel.
LARGE_MODEL = 100


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of one sweep, with pairs and weights only of the models that the figure shows.

    The neurons of an absolute model are rescaled as in the paper: the largest |input weight| of each is 1.

    Args:
        figure: Identifier ``<experiment>_<kind>``, or the kind alone.
        trained: The result of the sweep, under any name.
    """
    (result,) = trained.values()
    if result.model.absolute:
        W, W_out = neurons.rescaled(*(result.parameters[k].double().numpy() for k in ("W", "W_out")))
        layers = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out)}
        result = dataclasses.replace(result, parameters={**result.parameters, **layers})
    found = {"models": tables.models(result), "features": tables.features(result)}
    if kind_of(figure) == "gram":
        limit = MAX_PANELS if result.sweep.n > LARGE_MODEL else MAX_MODELS - 2 * result.model.relu_hidden
        rows = select_points(result.sweep.points(), limit)
        if not result.model.absolute:
            found["pairs"] = tables.pairs(result, rows)
        if result.model.relu_hidden:
            found["weights"] = tables.weights(result, rows)
    return found

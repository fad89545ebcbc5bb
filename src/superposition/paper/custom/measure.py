"""Measure the standard tables of a custom sweep."""

import dataclasses

import pandas as pd
import torch

from superposition.analysis import neurons, tables
from superposition.core.weights import SweepResult
from superposition.paper.custom import MAX_PANELS, MAX_SHOWN_MODELS, select_points

# Number of features above which a model needs a larger panel.
LARGE_MODEL = 100


def dimensionality(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the losses and the features of the models of a sweep."""
    result = _rescaled(trained)
    return {"models": tables.models(result), "features": tables.features(result)}


points = dimensionality


def gram(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the losses and features of all models, and the pairs and weights of the models that are shown."""
    result = _rescaled(trained)
    found = dimensionality(trained)
    limit = MAX_PANELS if result.sweep.n > LARGE_MODEL else MAX_SHOWN_MODELS - 2 * result.model.relu_hidden
    rows = select_points(result.sweep.points(), limit)
    if not result.model.absolute:
        found["pairs"] = tables.pairs(result, rows)
    if result.model.relu_hidden:
        found["weights"] = tables.weights(result, rows)
    return found


def _rescaled(trained: dict[str, SweepResult]) -> SweepResult:
    """Return the only result; neurons of an absolute model are rescaled so that the largest |input weight| is 1."""
    (result,) = trained.values()
    if not result.model.absolute:
        return result
    W, W_out = neurons.rescaled(*(result.parameters[k].double().numpy() for k in ("W", "W_out")))
    layers = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out)}
    return dataclasses.replace(result, parameters={**result.parameters, **layers})

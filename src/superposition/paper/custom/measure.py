"""A sweep to the standard tables."""

import dataclasses

import pandas as pd
import torch

from superposition.analysis import neurons, tables
from superposition.core.weights import SweepResult
from superposition.paper.custom import MODELS, PANELS, chosen, kind_of

LARGE = 100  # features: with more, a model needs twice the room


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of one sweep; of pairs and weights, those that the figure shows.

    The neurons of an absolute model are rescaled as in the paper: the largest |weight| into each is 1.
    """
    (models,) = trained.values()
    if models.model.absolute:
        W, W_out = neurons.rescaled(*(models.parameters[k].double().numpy() for k in ("W", "W_out")))
        layers = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out)}
        models = dataclasses.replace(models, parameters={**models.parameters, **layers})
    found = {"models": tables.models(models), "features": tables.features(models)}
    if kind_of(figure) == "gram":
        most = PANELS if models.sweep.n > LARGE else MODELS - 2 * models.model.relu_hidden
        at = chosen(models.sweep.points(), most)
        if not models.model.absolute:
            found["pairs"] = tables.pairs(models, at)
        if models.model.relu_hidden:
            found["weights"] = tables.weights(models, at)
    return found

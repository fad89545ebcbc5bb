"""A sweep to the standard tables."""

import dataclasses

import pandas as pd
import torch

from superposition.analysis import neurons, tables
from superposition.core.weights import Trained
from superposition.standard import MODELS, PANELS, chosen

LARGE = 100  # features: with more, a model needs twice the room


def measure(figure: str, trained: Trained) -> dict[str, pd.DataFrame]:
    """The standard tables; of pairs and weights, those that are drawn.

    The neurons of an absolute model are rescaled as in the paper: the largest |weight| into each is 1.
    """
    if trained.model.absolute:
        W, W_out = neurons.rescaled(*(trained.parameters[k].double().numpy() for k in ("W", "W_out")))
        layers = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out)}
        trained = dataclasses.replace(trained, parameters={**trained.parameters, **layers})
    found = {"models": tables.models(trained), "features": tables.features(trained)}
    if figure == "gram":
        most = PANELS if trained.sweep.n > LARGE else MODELS - 2 * trained.model.relu_hidden
        at = chosen(trained.sweep.points(), most)
        if not trained.model.absolute:
            found["pairs"] = tables.pairs(trained, at)
        if trained.model.relu_hidden:
            found["weights"] = tables.weights(trained, at)
    return found

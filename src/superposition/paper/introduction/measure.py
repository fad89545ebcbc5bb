"""Measure the features of the five-feature models, the angles between them, and their interference."""

import pandas as pd
import torch

from superposition.analysis import tables
from superposition.core.weights import SweepResult


def introduction(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the standard tables of the sweep: models, features and pairs of features."""
    models = trained["introduction"]
    return {"models": tables.models(models), "features": tables.features(models), "pairs": tables.pairs(models)}


def interference(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return h and the output of the sparsest model for inputs with one, two and three active features, which are 1.

    The active features are the most important one and those most opposite to it.

    Returns:
        The table ``responses``, one row per input and feature: x_i, W_i, h, the projection W_i·h, and the output x'_i.
    """
    models = trained["introduction"]
    best = {k: v[models.points["density"].argmin()] for k, v in models.best().items()}
    W = best["W"]
    order = [0, *(int(i) for i in (W.mT @ W[:, 0]).argsort() if i)]
    parts = []
    for count in (1, 2, 3):
        x = torch.zeros(1, models.sweep.n, dtype=W.dtype)
        x[0, order[:count]] = 1
        h, output = models.model.hidden(best, x)[0], models.model.output(best, x)[0]
        columns = {"x": x[0], "w0": W[0], "w1": W[1], "projection": W.mT @ h, "output": output}
        table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
        parts.append(table.assign(active=count, feature=table.index, h0=float(h[0]), h1=float(h[1])))
    return {"responses": pd.concat(parts, ignore_index=True)}

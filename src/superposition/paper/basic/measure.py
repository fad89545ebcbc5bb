"""Measure models from dense to sparse with the standard tables."""

import pandas as pd
import torch

from superposition.analysis import tables
from superposition.analysis.rows import rows_at
from superposition.core.weights import SweepResult
from superposition.theory import exact


def reading_models(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the features and pairs of a model with dedicated, shared and dropped features: the densest sparse one."""
    models = trained["basic_small"]
    density = sorted(models.sweep.density)[-2]
    return {table.__name__: rows_at(table(models), density=density) for table in (tables.features, tables.pairs)}


def basic_small(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the tables of the models with 20 features."""
    return _measure(trained, trained["basic_small"], best["basic_small"])


def basic_large(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the tables of the models with 80 features."""
    return _measure(trained, trained["basic_large"], best["basic_large"])


def _measure(trained: dict[str, SweepResult], relu_output: SweepResult, best: SweepResult) -> dict[str, pd.DataFrame]:
    """Return the standard tables of all experiments, and more about the ReLU-output models.

    That is the loss of single features, and the features of the best known models (``best_features``) with the losses
    of these (``known_loss``). The column ``experiment`` says which experiment a row of a standard table comes from.
    """
    standard = {
        table.__name__: pd.concat(
            [table(models).assign(experiment=name) for name, models in trained.items()], ignore_index=True
        )
        for table in (tables.models, tables.features, tables.pairs)
    }
    known = tables.features(best)
    known["known_loss"] = best.loss[:, 0].numpy()[known["point"]]
    return standard | {"one_active": one_active_losses(relu_output), "best_features": known}


def one_active_losses(models: SweepResult) -> pd.DataFrame:
    """Return the exact loss on inputs with one active feature, with the trained bias and without its negative part.

    The rows are the points of the sweep, the columns ``loss`` and ``loss_without``.
    """
    best, importance = models.best(), torch.from_numpy(models.sweep.importances())
    biases = {"loss": best["b"], "loss_without": best["b"].clamp(min=0)}
    losses = {name: exact.single_active_loss(best["W"], b, importance).mean(-1) for name, b in biases.items()}
    return models.sweep.points().assign(**{name: loss.numpy() for name, loss in losses.items()})

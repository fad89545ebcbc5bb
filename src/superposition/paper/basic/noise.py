"""What negative biases do to the noise from a single active feature."""

import pandas as pd
import torch

from superposition.core.weights import SweepResult
from superposition.theory import exact


def one_active_losses(models: SweepResult) -> pd.DataFrame:
    """Return the exact loss on inputs with one active feature, with the trained bias and without its negative part.

    The rows are the points of the sweep, the columns ``loss`` and ``loss_without``.
    """
    best, importance = models.best(), torch.from_numpy(models.sweep.importances())
    biases = {"loss": best["b"], "loss_without": best["b"].clamp(min=0)}
    losses = {name: exact.single_active_loss(best["W"], b, importance).mean(-1) for name, b in biases.items()}
    return models.sweep.points().assign(**{name: loss.numpy() for name, loss in losses.items()})

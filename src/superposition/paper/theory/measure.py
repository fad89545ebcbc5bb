"""Weights to tables: losses by the number of active features, and the two terms of the linear model's."""

import numpy as np
import pandas as pd
import torch

from superposition.analysis import tables
from superposition.core.weights import SweepResult
from superposition.theory import exact

SAMPLES = 20_000  # per number of active features, for L_k


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The loss by the number of active features, and what the linear model's consists of."""
    return {
        "active_counts": _active_counts(trained["basic_small"]),
        "linear": _linear(trained["basic_small_linear"]),
    }


def _active_counts(trained: SweepResult) -> pd.DataFrame:
    """P(k active) and L_k for every k and point: L_k from random sets of k features, L_0 and L_1 in closed form too."""
    model, best = trained.model, trained.best()
    density, importance = (torch.from_numpy(a) for a in (trained.sweep.densities(), trained.sweep.importances()))
    probability = exact.active_count_probability(density)
    closed = torch.full_like(probability, torch.nan)
    closed[:, 0] = exact.all_zero_loss(model, best, importance)
    closed[:, 1] = exact.single_active_loss(best["W"], best["b"], importance).mean(-1)
    random = torch.Generator().manual_seed(0)
    parts = []
    for k in range(model.n + 1):
        order = torch.rand(SAMPLES, model.n, generator=random, dtype=torch.float64).argsort(dim=1)
        x = torch.rand(SAMPLES, model.n, generator=random, dtype=torch.float64) * (order < k)
        loss = model.loss(best, x.expand(len(importance), -1, -1), importance)
        parts.append(
            trained.sweep.points().assign(
                active=k,
                probability=probability[:, k].numpy(),
                loss=loss.mean(-1).numpy(),
                loss_error=(loss.std(-1) / SAMPLES**0.5).numpy(),
                closed_form=closed[:, k].numpy(),
                total=trained.loss.min(dim=1).values.numpy(),
                total_error=tables.models(trained)["loss_error"],
            )
        )
    return pd.concat(parts, ignore_index=True)


def _linear(trained: SweepResult) -> pd.DataFrame:
    """The linear models' loss, split into what the paper calls feature benefit and interference; all restarts.

    With the best bias, L = Σ_i I_i v_i (1 - ‖W_i‖²)² + Σ_{i≠j} I_j v_i (W_j·W_i)², where v_i is the variance of x_i.
    """
    sweep = trained.sweep
    density, importance = (torch.from_numpy(a)[:, None] for a in (sweep.densities(), sweep.importances()))
    W, variance = trained.parameters["W"].double(), exact.feature_variance(density)
    gram = W.mT @ W
    norm2 = gram.diagonal(dim1=-2, dim2=-1)
    benefit = (importance * variance * (1 - norm2) ** 2).sum(-1)
    crossed = importance[..., :, None] * variance[..., None, :] * gram**2
    interference = crossed.sum((-2, -1)) - (importance * variance * norm2**2).sum(-1)
    points = sweep.points()
    return points.loc[points.index.repeat(sweep.restarts)].assign(
        restart=np.tile(np.arange(sweep.restarts), len(points)),
        m=sweep.m,
        represented=(norm2 > 0.5).sum(-1).flatten().numpy(),
        benefit_term=benefit.flatten().numpy(),
        interference_term=interference.flatten().numpy(),
        loss=trained.loss.flatten().numpy(),
        optimum=tables.models(trained)["linear_optimum"].repeat(sweep.restarts).to_numpy(),
    )

"""Measure the loss by number of active features, and the two terms of the paper's loss formulas."""

import numpy as np
import pandas as pd
import torch

from superposition.analysis import tables
from superposition.analysis.representation import is_represented
from superposition.analysis.tables import numbered_points, repeat_rows
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.theory import interference
from superposition.theory import exact

# Samples from which L_k is estimated, for each number k of active features.
SAMPLES_PER_COUNT = 20_000


def theory(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the loss by number of active features, the terms of the linear model's loss, and interference."""
    return {
        "active_counts": _measure_active_counts(trained["basic_small"]),
        "linear": _measure_linear_terms(trained["basic_small_linear"]),
        "terms": _measure_single_active_terms(trained["basic_small"]),
        "pair": interference.pair_losses(),
        "relu": interference.relu_effects(trained["basic_small"]),
        "signs": interference.signs(trained["basic_small"]),
        "graphs": interference.graphs(trained["uniform_400_30"]),
    }


def _measure_active_counts(models: SweepResult) -> pd.DataFrame:
    """Return P(k active) and L_k for every point and k; L_k is sampled, L_0 and L_1 are given in closed form too."""
    model, best = models.model, models.best()
    density, importance = (torch.from_numpy(a) for a in (models.sweep.densities(), models.sweep.importances()))
    probability = exact.active_count_probability(density)
    closed = torch.full_like(probability, torch.nan)
    closed[:, 0] = exact.all_zero_loss(model, best, importance)
    closed[:, 1] = exact.single_active_loss(best["W"], best["b"], importance).mean(-1)
    losses, random = tables.models(models), torch.Generator().manual_seed(models.sweep.seed)
    parts = []
    for k in range(model.n + 1):
        order = torch.rand(SAMPLES_PER_COUNT, model.n, generator=random, dtype=torch.float64).argsort(dim=1)
        x = torch.rand(SAMPLES_PER_COUNT, model.n, generator=random, dtype=torch.float64) * (order < k)
        loss = model.loss(best, x.expand(len(importance), -1, -1), importance)
        parts.append(
            numbered_points(models.sweep).assign(
                active=k,
                probability=probability[:, k].numpy(),
                loss=loss.mean(-1).numpy(),
                loss_error=(loss.std(-1) / SAMPLES_PER_COUNT**0.5).numpy(),
                closed_form=closed[:, k].numpy(),
                total=losses["loss"],
                total_error=losses["loss_error"],
            )
        )
    return pd.concat(parts, ignore_index=True)


def _measure_linear_terms(models: SweepResult) -> pd.DataFrame:
    """Split the loss of every linear model into what the paper calls feature benefit and interference.

    With the best bias, L = Σ_i I_i v_i (1 - ‖W_i‖²)² + Σ_{i≠j} I_j v_i (W_j·W_i)², where v_i is the variance of x_i.
    """
    sweep = models.sweep
    density, importance = (
        torch.from_numpy(a)[:, None].expand(-1, sweep.restarts, -1) for a in (sweep.densities(), sweep.importances())
    )
    W, variance = models.parameters["W"].double(), exact.feature_variance(density)
    gram = W.mT @ W
    norm2, mean = gram.diagonal(dim1=-2, dim2=-1), exact.feature_mean(density)
    best_bias = mean - (W.mT @ (W @ mean[..., None]))[..., 0]
    benefit = (importance * variance * (1 - norm2) ** 2).sum(-1)
    crossed = importance[..., :, None] * variance[..., None, :] * gram**2
    interference = crossed.sum((-2, -1)) - (importance * variance * norm2**2).sum(-1)
    return repeat_rows(numbered_points(sweep), sweep.restarts).assign(
        restart=np.tile(np.arange(sweep.restarts), sweep.size),
        m=sweep.m,
        represented=is_represented(norm2).sum(-1).flatten().numpy(),
        benefit_term=benefit.flatten().numpy(),
        interference_term=interference.flatten().numpy(),
        loss=models.loss.flatten().numpy(),
        best_bias_loss=exact.linear_loss(W, best_bias, density, importance).flatten().numpy(),
        optimum=tables.models(models)["linear_optimum"].repeat(sweep.restarts).to_numpy(),
    )


def _measure_single_active_terms(models: SweepResult) -> pd.DataFrame:
    """Split L_1 of the best ReLU models into feature benefit and interference, relative to an output of 0.

    If feature i alone is active, output i misses part of x_i, and all other outputs should be 0 (paper: "Mathematical
    understanding").
    """
    best, importance = models.best(), torch.from_numpy(models.sweep.importances())
    every = exact.single_active_loss(best["W"], best["b"], importance).mean(-1)
    # Output i alone is a model of one feature, whose only weight is ‖W_i‖.
    norm, bias, alone = geometry.norms(best["W"])[..., None, None], best["b"][..., None], importance[..., None]
    missed = exact.single_active_loss(norm, bias, alone)[..., 0].mean(-1)
    of_zero = importance.mean(-1) / 3
    return numbered_points(models.sweep, "density").assign(
        benefit_term=(missed / of_zero).numpy(), interference_term=((every - missed) / of_zero).numpy()
    )

"""The standard tables of an experiment: what most figures and claims start from.

One row per model, per feature of a model, or per pair of features; the coordinates of the sweep come first. At every
point the restart with the lowest loss is meant, unless a column says otherwise.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.theory import exact


def models(trained: SweepResult) -> pd.DataFrame:
    """One row per point: losses, and the closed form of the best linear model beside them (independent features)."""
    sweep = trained.sweep
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    loss, point = trained.loss, np.arange(len(trained.loss))
    table = trained.points.rename(columns={"restart": "best_restart"})
    return table.assign(
        model=sweep.model,
        n=sweep.n,
        m=sweep.m,
        loss_error=trained.loss_error[point, loss.argmin(dim=1)].numpy(),
        loss_median=loss.median(dim=1).values.numpy(),
        loss_worst=loss.max(dim=1).values.numpy(),
        restarts=sweep.restarts,
        linear_optimum=exact.linear_optimum(min(sweep.m, sweep.n), density, importance).numpy(),
    )


def features(trained: SweepResult) -> pd.DataFrame:
    """One row per point and feature: importance, density, ‖W_i‖, b_i, superposition, D_i, and W_i itself for m ≤ 3."""
    sweep, best = trained.sweep, trained.best()
    W, points = best["W"], sweep.points()
    columns = {
        "feature": np.tile(np.arange(sweep.n), len(points)),
        "feature_density": sweep.densities().ravel(),
        "importance": sweep.importances().ravel(),
        "norm": geometry.norms(W).flatten().numpy(),
        "bias": best["b"].flatten().numpy(),
        "superposition": geometry.superposition(W).flatten().numpy(),
        "dimensionality": geometry.dimensionality(W).flatten().numpy(),
    }
    if sweep.m <= 3:
        columns |= {f"w{k}": W[:, k].flatten().numpy() for k in range(sweep.m)}
    return _repeated(points, sweep.n).assign(model=sweep.model, **columns)


def pairs(trained: SweepResult, at: Sequence[int] | None = None) -> pd.DataFrame:
    """One row per point and ordered pair of features i, j: (WᵀW)_ij and the cosine of the angle between them.

    ``at``: the points that are meant, as rows of ``sweep.points()``; all by default.
    """
    W, n = trained.best()["W"], trained.sweep.n
    points = trained.sweep.points().iloc[slice(None) if at is None else list(at)]
    W = W[points.index.tolist()]
    i, j = np.divmod(np.tile(np.arange(n * n), len(points)), n)
    return _repeated(points, n * n).assign(
        model=trained.sweep.model,
        i=i,
        j=j,
        dot=geometry.gram(W).flatten().numpy(),
        cosine=geometry.cosines(W).flatten().numpy(),
    )


def weights(trained: SweepResult, at: Sequence[int] | None = None) -> pd.DataFrame:
    """One row per point, hidden unit and feature: W, and W_out of the absolute model; ``at`` as in :func:`pairs`."""
    sweep, best = trained.sweep, trained.best()
    points = sweep.points().iloc[slice(None) if at is None else list(at)]
    unit, feature = np.divmod(np.tile(np.arange(sweep.m * sweep.n), len(points)), sweep.n)
    values = {k: best[k][points.index.tolist()].flatten().numpy() for k in ("W", "W_out") if k in best}
    return _repeated(points, sweep.m * sweep.n).assign(model=sweep.model, hidden=unit, feature=feature, **values)


def _repeated(points: pd.DataFrame, times: int) -> pd.DataFrame:
    return points.loc[points.index.repeat(times)].reset_index(drop=True)

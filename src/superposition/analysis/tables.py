"""Standard tables of an experiment, on which most figures and claims are based.

A table has one row per model, per feature of a model, or per pair of features; its first columns are the coordinates of
the sweep. Unless a column says otherwise, the values at a point are those of the restart with the lowest loss.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.theory import exact


def models(result: SweepResult) -> pd.DataFrame:
    """Return one row per point: the losses, and the exact loss of the best linear model on independent features."""
    sweep = result.sweep
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    loss, point = result.loss, np.arange(len(result.loss))
    table = result.points.rename(columns={"restart": "best_restart"})
    return table.assign(
        model=sweep.model,
        n=sweep.n,
        m=sweep.m,
        loss_error=result.loss_error[point, loss.argmin(dim=1)].numpy(),
        loss_median=loss.median(dim=1).values.numpy(),
        loss_worst=loss.max(dim=1).values.numpy(),
        restarts=sweep.restarts,
        linear_optimum=exact.linear_optimum(min(sweep.m, sweep.n), density, importance, sweep.values).numpy(),
    )


def features(result: SweepResult) -> pd.DataFrame:
    """Return one row per point and feature.

    The columns are importance, density, ‖W_i‖, b_i, superposition and D_i, and for m ≤ 3 the components of W_i.
    """
    sweep, best = result.sweep, result.best()
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
    return _repeat(points, sweep.n).assign(model=sweep.model, **columns)


def pairs(result: SweepResult, rows: Sequence[int] | None = None) -> pd.DataFrame:
    """Return one row per point and ordered pair of features i, j: (WᵀW)_ij and the cosine of the angle between them.

    Args:
        result: Result of a sweep.
        rows: Rows of ``sweep.points()`` to include; by default, all.
    """
    W, n = result.best()["W"], result.sweep.n
    points = result.sweep.points().iloc[slice(None) if rows is None else list(rows)]
    W = W[points.index.tolist()]
    i, j = np.divmod(np.tile(np.arange(n * n), len(points)), n)
    return _repeat(points, n * n).assign(
        model=result.sweep.model,
        i=i,
        j=j,
        dot=geometry.gram(W).flatten().numpy(),
        cosine=geometry.cosines(W).flatten().numpy(),
    )


def weights(result: SweepResult, rows: Sequence[int] | None = None) -> pd.DataFrame:
    """Return one row per point, hidden unit and feature: W, and in the absolute model W_out.

    Args:
        result: Result of a sweep.
        rows: Rows of ``sweep.points()`` to include; by default, all.
    """
    sweep, best = result.sweep, result.best()
    points = sweep.points().iloc[slice(None) if rows is None else list(rows)]
    unit, feature = np.divmod(np.tile(np.arange(sweep.m * sweep.n), len(points)), sweep.n)
    values = {k: best[k][points.index.tolist()].flatten().numpy() for k in ("W", "W_out") if k in best}
    return _repeat(points, sweep.m * sweep.n).assign(model=sweep.model, hidden=unit, feature=feature, **values)


def _repeat(points: pd.DataFrame, times: int) -> pd.DataFrame:
    """Repeat every row, and number the rows anew."""
    return points.loc[points.index.repeat(times)].reset_index(drop=True)

"""Standard tables of an experiment, on which most figures and claims are based.

A table has one row per model, per feature of a model, or per pair of features; its first columns are the number of the
point and its coordinates. Unless a column says otherwise, the values at a point are those of the restart with the
lowest loss.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from superposition.core import geometry
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.theory import exact


def numbered_points(sweep: Sweep, *coordinates: str) -> pd.DataFrame:
    """Return the number of every point of a sweep, by which tables are joined, and its coordinates; by default all."""
    return sweep.points()[[*(coordinates or sweep.coordinates)]].reset_index(names="point")


def repeat_rows(table: pd.DataFrame, times: int) -> pd.DataFrame:
    """Repeat every row, for tables with a row per restart or feature, and number the rows anew."""
    return table.loc[table.index.repeat(times)].reset_index(drop=True)


def stack(parts: Iterable[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Stack the tables of several models by name; a model may lack some."""
    stacked: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for part in parts:
        for name, table in part.items():
            stacked[name].append(table)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in stacked.items()}


def models(result: SweepResult) -> pd.DataFrame:
    """Return one row per point: the losses, and the exact loss of the best linear model on independent features."""
    sweep = result.sweep
    density, importance = (torch.from_numpy(a) for a in (sweep.densities(), sweep.importances()))
    loss, point = result.loss, np.arange(sweep.size)
    optimum = exact.linear_optimum(min(sweep.m, sweep.n), density, importance, sweep.values, sweep.signed)
    table = result.points.reset_index(names="point").rename(columns={"restart": "best_restart"})
    return table.assign(
        model=sweep.model,
        n=sweep.n,
        m=sweep.m,
        loss_error=result.loss_error[point, loss.argmin(dim=1)].numpy(),
        loss_median=loss.median(dim=1).values.numpy(),
        loss_worst=loss.max(dim=1).values.numpy(),
        restarts=sweep.restarts,
        linear_optimum=optimum.numpy(),
    )


def features(result: SweepResult) -> pd.DataFrame:
    """Return one row per point and feature.

    The columns are importance, density, ‖W_i‖, b_i, superposition and D_i, and for m ≤ 3 the components of W_i.
    """
    sweep, best = result.sweep, result.best()
    W = best["W"]
    columns = {
        "feature": np.tile(np.arange(sweep.n), sweep.size),
        "feature_density": sweep.densities().ravel(),
        "importance": sweep.importances().ravel(),
        "norm": geometry.norms(W).flatten().numpy(),
        "bias": best["b"].flatten().numpy(),
        "superposition": geometry.superposition(W).flatten().numpy(),
        "dimensionality": geometry.dimensionality(W).flatten().numpy(),
    }
    if sweep.m <= 3:
        columns |= {f"w{k}": W[:, k].flatten().numpy() for k in range(sweep.m)}
    return repeat_rows(numbered_points(sweep), sweep.n).assign(model=sweep.model, **columns)


def pairs(result: SweepResult, rows: Sequence[int] | None = None) -> pd.DataFrame:
    """Return one row per point and ordered pair of features i, j: (WᵀW)_ij and the cosine of the angle between them.

    With ``rows``, only these points are included.
    """
    n, shown = result.sweep.n, numbered_points(result.sweep).iloc[slice(None) if rows is None else list(rows)]
    W = result.best()["W"][shown["point"].tolist()]
    i, j = np.divmod(np.tile(np.arange(n * n), len(shown)), n)
    return repeat_rows(shown, n * n).assign(
        model=result.sweep.model,
        i=i,
        j=j,
        dot=geometry.gram(W).flatten().numpy(),
        cosine=geometry.cosines(W).flatten().numpy(),
    )


def weights(result: SweepResult, rows: Sequence[int] | None = None) -> pd.DataFrame:
    """Return one row per point, hidden unit and feature: W, and in the absolute model W_out.

    With ``rows``, only these points are included.
    """
    sweep, best = result.sweep, result.best()
    shown = numbered_points(sweep).iloc[slice(None) if rows is None else list(rows)]
    unit, feature = np.divmod(np.tile(np.arange(sweep.m * sweep.n), len(shown)), sweep.n)
    values = {k: best[k][shown["point"].tolist()].flatten().numpy() for k in ("W", "W_out") if k in best}
    return repeat_rows(shown, sweep.m * sweep.n).assign(model=sweep.model, hidden=unit, feature=feature, **values)

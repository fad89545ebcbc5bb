"""Measure what an L1 penalty does to trained models, the exact optimum of a dimension, and sparse autoencoders."""

import numpy as np
import pandas as pd

from superposition.analysis.representation import is_represented
from superposition.analysis.rows import rows_at
from superposition.analysis.tables import numbered_points, repeat_rows
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.remedies import (
    EQUAL_IMPORTANCES,
    FALLING_IMPORTANCES,
    autoencoder,
    falling_importances_label,
    frequency,
    has_superposition,
    l1,
    models_without_superposition,
)
from superposition.training.evaluation import losses

# Coefficients of the penalty at which the exact gains are computed.
COEFFICIENTS = np.linspace(0, 0.8, 161)


def l1_penalty(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the trained models, the features that remain, and the exact optimum of a dimension."""
    tables = {
        "models": pd.concat([_models_table(name, models) for name, models in trained.items()]),
        "features": _features_table(trained[FALLING_IMPORTANCES]),
        "exact": pd.concat([_exact_gains(density) for density in trained[EQUAL_IMPORTANCES].sweep.density]),
    }
    return tables | {"frequency": frequency.reduction_per_activation(), "numbers": summarise(tables)}


def _models_table(name: str, trained: SweepResult) -> pd.DataFrame:
    """Return one row per point, for the model with the lowest objective."""
    sweep, W = trained.sweep, trained.best()["W"]
    clean, error = (part.numpy() for part in losses(sweep, {k: v[:, None] for k, v in trained.best().items()}))
    largest = W.abs().max(dim=1).values.square().sum(-1)
    return numbered_points(sweep, "density", "l1").assign(
        experiment=name,
        n=sweep.n,
        m=sweep.m,
        clean_loss=clean[:, 0],
        clean_loss_error=error[:, 0],
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        represented_features=is_represented(geometry.norms(W) ** 2).sum(1).numpy(),
        interference=geometry.relative_interference(W).numpy(),
        # Share of the squared weight that lies on the main hidden unit of each feature.
        aligned=(largest / W.square().sum((1, 2))).numpy(),
    )


def _features_table(trained: SweepResult) -> pd.DataFrame:
    """Return one row per point and feature, with the coefficient above which a dedicated dimension does not pay."""
    sweep = trained.sweep
    table = repeat_rows(numbered_points(sweep, "density", "l1"), sweep.n)
    thresholds = {density: l1.threshold_coefficient(density) for density in sweep.density}
    importance = sweep.importances().ravel()
    return table.assign(
        feature=np.tile(np.arange(sweep.n), sweep.size),
        importance=importance,
        threshold=importance * table["density"].map(thresholds),
        norm=geometry.norms(trained.best()["W"]).flatten().numpy(),
    )


def _exact_gains(density: float) -> pd.DataFrame:
    """Compute the gains of one feature of importance 1 and of an antipodal pair of such features, and its ‖W_i‖."""
    one, _ = l1.gain_over_unused(1, density, COEFFICIENTS)
    pair, norm = l1.gain_over_unused(2, density, COEFFICIENTS)
    return pd.DataFrame({"density": density, "l1": COEFFICIENTS, "one": one, "pair": pair, "norm": norm})


def summarise(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by importances and density where superposition is gone and what that costs."""
    rows = []
    for (name, density), models in tables["models"].groupby(["experiment", "density"], sort=False):
        start = rows_at(models, l1=0).iloc[0]
        superposed = models[has_superposition(models) & (models["represented_features"] > 0)]
        row = {
            "importances": "equal" if name == EQUAL_IMPORTANCES else falling_importances_label(tables["features"]),
            "1-S": f"{density:g}",
            "features per dimension without": f"{start['features_per_dimension']:.2f}",
            "basis-aligned (99 % of the weight) from": _smallest_coefficient(models[models["aligned"] > 0.99]),
            "antipodal pairs, at most, from": _smallest_coefficient(models[models["interference"] < 1.05]),
            "superposition, up to": f"{superposed['l1'].max():g}" if len(superposed) else "–",
        }
        freed = models_without_superposition(models[models["l1"] > 0])
        row["without superposition"] = ", ".join(f"{c:g}" for c in freed["l1"]) or "–"
        price = freed["clean_loss"].min() / start["clean_loss"]
        row["clean loss there, at least"] = f"{price:.2f} times" if len(freed) else "–"
        row["a feature of importance 1 goes at (exact)"] = f"{l1.threshold_coefficient(density):.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _smallest_coefficient(models: pd.DataFrame) -> str:
    """Format the smallest coefficient of the given models, or a dash if there are none."""
    return f"{models['l1'].min():g}" if len(models) else "–"


def sparse_autoencoder(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return what sparse autoencoders recover from the models without a penalty."""
    models = trained[EQUAL_IMPORTANCES]
    points = models.sweep.points()
    return {"autoencoders": autoencoder.measure_recovery(models, rows_at(points, l1=0).index.tolist())}

"""Weights to tables: what a penalty leaves, and what is exactly the best."""

import numpy as np
import pandas as pd

from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.remedies import EQUAL, FALLING, falling, freed_models, l1
from superposition.training.evaluation import losses

COEFFICIENTS = np.linspace(0, 0.8, 161)  # of the exact curves


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    tables = {
        "models": pd.concat([_models(name, models) for name, models in trained.items()], ignore_index=True),
        "features": _features(trained[FALLING]),
        "exact": pd.concat([_exact(density) for density in trained[EQUAL].sweep.density], ignore_index=True),
    }
    return tables | {"numbers": _shown(tables)}


def _models(name: str, trained: SweepResult) -> pd.DataFrame:
    """One row per point: the model with the least of what was minimised."""
    sweep, W = trained.sweep, trained.best()["W"]
    clean, error = (part.numpy() for part in losses(sweep, {k: v[:, None].float() for k, v in trained.best().items()}))
    largest = W.abs().max(dim=1).values.square().sum(-1)
    return sweep.points()[["density", "l1"]].assign(
        experiment=name,
        m=sweep.m,
        minimised=trained.points["loss"],
        clean_loss=clean[:, 0],
        clean_loss_error=error[:, 0],
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        represented_features=(geometry.norms(W) ** 2 > 0.5).sum(1).numpy(),
        interference=geometry.relative_interference(W).numpy(),
        # Of all weight, what lies on the hidden unit that a feature has most of.
        aligned=(largest / W.square().sum((1, 2))).numpy(),
    )


def _features(trained: SweepResult) -> pd.DataFrame:
    """One row per point and feature, with the coefficient above which a dimension of its own does not pay."""
    sweep = trained.sweep
    points = sweep.points()
    table = points.loc[points.index.repeat(sweep.n), ["density", "l1"]].reset_index(drop=True)
    alone = {density: l1.threshold(1, density) for density in sweep.density}
    importance = sweep.importances().ravel()
    return table.assign(
        feature=np.tile(np.arange(sweep.n), len(points)),
        importance=importance,
        threshold=importance * table["density"].map(alone),
        norm=geometry.norms(trained.best()["W"]).flatten().numpy(),
    )


def _exact(density: float) -> pd.DataFrame:
    """What one feature of importance 1 gains in a dimension, and what an antipodal pair; the pair's ‖W_i‖."""
    one, _ = l1.gains(1, density, COEFFICIENTS)
    pair, norm = l1.gains(2, density, COEFFICIENTS)
    return pd.DataFrame({"density": density, "l1": COEFFICIENTS, "one": one, "pair": pair, "norm": norm})


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By importances and density: where superposition is gone, and what that costs."""
    rows = []
    for (name, density), models in tables["models"].groupby(["experiment", "density"], sort=False):
        start = models[models["l1"] == 0].iloc[0]
        shared = models[models["interference"] >= 2 / (models["m"] + 1)]
        row = {
            "importances": "equal" if name == EQUAL else falling(tables["features"]),
            "1-S": f"{density:g}",
            "features per dimension without": f"{start['features_per_dimension']:.2f}",
            "basis-aligned (99 % of the weight) from": _least(models[models["aligned"] > 0.99]),
            "antipodal pairs, at most, from": _least(models[models["interference"] < 1.05]),
            "superposition, up to": f"{shared['l1'].max():g}" if len(shared) else "–",
        }
        freed = freed_models(models[models["l1"] > 0])
        row["without superposition, half of the dimensions used"] = ", ".join(f"{c:g}" for c in freed["l1"]) or "–"
        price = freed["clean_loss"].min() / start["clean_loss"]
        row["clean loss there, at least"] = f"{price:.2f} times" if len(freed) else "–"
        row["a feature of importance 1 goes at (exact)"] = f"{l1.threshold(1, density):.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _least(models: pd.DataFrame) -> str:
    return f"{models['l1'].min():g}" if len(models) else "–"

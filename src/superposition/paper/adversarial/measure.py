"""Weights to tables: how far attacks raise the loss, and what training against them leaves."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.adversarial import DENSE, MAIN, READINGS, attacks, sizes_of_removal
from superposition.training.evaluation import losses

SIZE = 0.1  # of the mean input norm
SAMPLES = 2**12
DENSITIES, OTHERS = 25, 7  # of the main sweep, and of the others: evenly out of those there are
STARTS, STEPS = 16, 60  # of gradient ascent, half of the starts analytic attacks
CONTROLS = {
    "represented": "represented features alone",
    "single": "one represented feature",
}


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return {"adversarial": _attacked, "adversarial_training": _trained_against}[figure](trained)


def _trained_against(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    models = pd.concat([_resistance(name, models) for name, models in trained.items()], ignore_index=True)
    return {"models": models, "numbers": _removal(models)}


def _attacked(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    rows, checks = [], []
    for experiment, models in trained.items():
        sweep = models.sweep
        kept = sweep.density[:: max(1, (len(sweep.density) - 1) // ((DENSITIES if experiment == MAIN else OTHERS) - 1))]
        for point, at in sweep.points().iterrows():
            if at["density"] not in kept:
                continue
            here = {"experiment": experiment, "n": sweep.n, "m": sweep.m, "density": at["density"], "seed": at["seed"]}
            rows.append(here | _vulnerability(models, point))
            if experiment == MAIN and at["seed"] == 0 and at["density"] >= DENSE:
                checks.append(here | _ascents(models, point))
    tables = {"models": pd.DataFrame(rows), "ascents": pd.DataFrame(checks)}
    return tables | {"numbers": _shown(tables)}


def _vulnerability(models: SweepResult, point: int) -> dict[str, float]:
    """Rises of the loss under the worst attack, over that of a model without superposition under one of the same size.

    That model gives a dimension each to m features and drops the others. Its attacks are along its features, and each
    changes one output by the size of the attack, so its loss rises by the square of that, whatever the density.
    """
    target = attacks.target(models, point, SAMPLES)
    represented = geometry.norms(target.W) ** 2 > 0.5
    some = bool(represented.any())
    # What answers the objection that a model without superposition cannot be misled about what it does not represent:
    # attacks on represented features alone, and errors there alone; and of these the attacks on one feature each.
    own = replace(target, counted=represented)
    single = torch.eye(models.sweep.n)[represented]
    scaled, constant = SIZE * target.norm, SIZE * float(np.sqrt(models.sweep.n / 3))
    return {
        "features_per_dimension": 1 / float(geometry.dimensions_per_feature(target.W)),
        "represented_features": int(represented.sum()),
        "size": scaled,
        "scaled": target.worst(scaled * target.directions()) / scaled**2,
        "constant": target.worst(constant * target.directions()) / constant**2,
        "represented": own.worst(scaled * own.directions()) / scaled**2 if some else np.nan,
        "single": own.worst(scaled * single) / scaled**2 if some else np.nan,
    }


def _ascents(models: SweepResult, point: int) -> dict[str, float]:
    """The worst analytic attack beside what gradient ascent finds: for all samples at once, and for each its own."""
    target = attacks.target(models, point, SAMPLES)
    size = SIZE * target.norm
    analytic = target.directions()
    random = torch.randn(STARTS // 2, models.sweep.n, generator=torch.Generator().manual_seed(1))
    starts = torch.cat([target.ranked(size * analytic)[: STARTS // 2], random])
    return {
        "analytic": target.worst(size * analytic) / size**2,
        "all_samples": attacks.ascend(target, starts, size, STEPS) / size**2,
        "each_sample": attacks.ascend(target, starts, size, STEPS, per_sample=True) / size**2,
    }


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By size: how far vulnerability rises, where, and how it goes with features per dimension."""
    rows = []
    for (n, m), models in tables["models"].groupby(["n", "m"]):
        means = models.groupby("density").mean(numeric_only=True)
        row = {"n, m": f"{n}, {m}", "features per dimension, largest": f"{means['features_per_dimension'].max():.2f}"}
        for name, words in READINGS.items():
            row[f"λ a tenth {words}: largest vulnerability"] = (
                f"{means[name].max():.2f} at 1-S = {means[name].idxmax():.3g}"
            )
            rank = spearmanr(means[name], means["features_per_dimension"]).statistic
            row[f"rank correlation with it, {name}"] = f"{rank:.2f}"
        for name, words in CONTROLS.items():
            row[f"{words}, largest"] = f"{means[name].max():.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _resistance(name: str, trained: SweepResult) -> pd.DataFrame:
    """One row per model that was trained against attacks.

    ``interference`` is that between the features of at least half the largest norm, over what one antipodal pair makes
    if every dimension is used: below 1, nothing that would be called superposition is left. Attacks shrink W as a
    whole, so norms are relative here.
    """
    sweep, W = trained.sweep, trained.best()["W"]
    norms = geometry.norms(W)
    kept = norms >= norms.max(dim=1, keepdim=True).values / 2
    clean = losses(sweep, {k: v[:, None].float() for k, v in trained.best().items()})[0]
    table = sweep.points()[["density", "attack", "seed"]].assign(
        experiment=name,
        n=sweep.n,
        m=sweep.m,
        minimised=trained.points["loss"],
        clean_loss=clean[:, 0].numpy(),
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        kept_features=kept.sum(1).numpy(),
        interference=geometry.relative_interference(W * kept[:, None]).numpy() * (sweep.m + 1) / 2,
    )
    free = table[table["attack"] == 0].set_index(["density", "seed"])["clean_loss"]
    return table.assign(
        price=table["clean_loss"] / free.loc[pd.MultiIndex.from_frame(table[["density", "seed"]])].to_numpy()
    )


def _removal(models: pd.DataFrame) -> pd.DataFrame:
    """By n and density: what attacks of growing size do."""
    rows = []
    one, gone = (sizes_of_removal(models, measure) for measure in ("features_per_dimension", "interference"))
    for (n, density), group in models.groupby(["n", "density"]):
        means = group.groupby("attack").mean(numeric_only=True)
        peak, last = means["features_per_dimension"].idxmax(), gone[n, density]
        at = means[means.index >= last]
        rows.append(
            {
                "n, m": f"{n}, {group['m'].iloc[0]}",
                "1-S": f"{density:g}",
                "features per dimension without attacks": f"{means['features_per_dimension'].iloc[0]:.2f}",
                "most": f"{means['features_per_dimension'].max():.2f} at {peak:g}",
                "one per dimension at": _shown_size(one[n, density], means),
                "superposition gone at": _shown_size(last, means),
                "clean loss there": f"{at['price'].iloc[0]:.1f} times" if len(at) else "–",
                "features kept there": f"{at['kept_features'].iloc[0]:.0f}" if len(at) else "–",
            }
        )
    return pd.DataFrame(rows)


def _shown_size(size: float, means: pd.DataFrame) -> str:
    return f"{size:.2f}" if np.isfinite(size) else f"above {means.index.max():g}"

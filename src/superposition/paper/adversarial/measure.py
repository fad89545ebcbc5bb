"""Measure how much attacks raise the loss, and what training against attacks does to models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import scipy
import torch

from superposition.analysis.representation import is_represented
from superposition.analysis.tables import numbered_points
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.adversarial import (
    MAIN_EXPERIMENT,
    MIN_ASCENT_DENSITY,
    SIZE_CONVENTIONS,
    attacks,
    removal_sizes,
)
from superposition.training.evaluation import losses

# Size of attacks, over the mean norm of the input.
RELATIVE_SIZE = 0.1
ATTACK_SAMPLES = 2**12
# Numbers of densities at which the main experiment and the others are measured, evenly spaced among all of theirs.
MAIN_DENSITIES, OTHER_DENSITIES = 25, 7
# Starts and steps of gradient ascent; half of the starts are the best analytic attacks.
ASCENT_STARTS, ASCENT_STEPS = 16, 60
# Variants of the attack that leave out features that are not represented.
CONTROLS = {"represented": "represented features alone", "single": "one represented feature"}


def adversarial_training(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure superposition and clean loss of models that were trained against attacks."""
    models = pd.concat([_attacked_models(name, models) for name, models in trained.items()], ignore_index=True)
    return {"models": models, "numbers": summarise_removal(models)}


def adversarial(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the vulnerability of models by density, and compare analytic attacks with gradient ascent."""
    rows, checks, masking = [], [], []
    for experiment, models in trained.items():
        sweep = models.sweep
        wanted = MAIN_DENSITIES if experiment == MAIN_EXPERIMENT else OTHER_DENSITIES
        measured = sweep.density[:: max(1, (len(sweep.density) - 1) // (wanted - 1))]
        for point, at in sweep.points().iterrows():
            if at["density"] not in measured:
                continue
            here = {"experiment": experiment, "n": sweep.n, "m": sweep.m, "point": point}
            here |= {"density": at["density"], "seed": at["seed"]}
            target = attacks.make_target(models, point, ATTACK_SAMPLES)
            rows.append(here | _measure_vulnerability(target))
            if at["seed"] == 0:
                masking.append(here | _measure_masking(target))
            if experiment == MAIN_EXPERIMENT and at["seed"] == 0 and at["density"] >= MIN_ASCENT_DENSITY:
                checks.append(here | _compare_with_ascent(target, 1 + sweep.seed))
    tables = {"models": pd.DataFrame(rows), "ascents": pd.DataFrame(checks), "masking": pd.DataFrame(masking)}
    return tables | {"numbers": _summarise_vulnerability(tables)}


def _measure_vulnerability(target: attacks.Target) -> dict[str, float]:
    """Measure the rise of the loss under the worst attack, relative to that of a model without superposition.

    A model without superposition represents m features in dedicated dimensions. Its analytic attacks point along these
    features, and each changes one output by the size of the attack. Its loss therefore rises by the square of the size,
    at any density.
    """
    n, represented = target.W.shape[1], is_represented(geometry.norms(target.W) ** 2)
    # A model without superposition cannot be misled about features that it does not represent. For a comparison that
    # does not depend on these, attack represented features only and count only their errors; and attack one at a time.
    represented_only = replace(target, counted=represented)
    single = torch.eye(n)[represented]
    scaled, constant = RELATIVE_SIZE * target.mean_norm, RELATIVE_SIZE * float(np.sqrt(n / 3))

    def vulnerability(attacked: attacks.Target, size: float, directions: torch.Tensor) -> float:
        """Return the rise under the worst of some attacks over the square of their size; NaN if there are none."""
        return attacked.worst_rise(size * directions) / size**2 if len(directions) else np.nan

    return {
        "features_per_dimension": 1 / float(geometry.dimensions_per_feature(target.W)),
        "size": scaled,
        "scaled": vulnerability(target, scaled, target.analytic_attacks()),
        "constant": vulnerability(target, constant, target.analytic_attacks()),
        "represented": vulnerability(represented_only, scaled, represented_only.analytic_attacks()),
        "single": vulnerability(represented_only, scaled, single),
    }


def _compare_with_ascent(target: attacks.Target, seed: int) -> dict[str, float]:
    """Compare the worst analytic attack with gradient ascent, for one attack on all samples and for one on each."""
    size, half = RELATIVE_SIZE * target.mean_norm, ASCENT_STARTS // 2
    analytic = target.analytic_attacks()
    random = torch.randn(half, target.W.shape[1], generator=torch.Generator().manual_seed(seed))
    starts = torch.cat([target.rank(size * analytic)[:half], random])
    return {
        "analytic": target.worst_rise(size * analytic) / size**2,
        "all_samples": attacks.gradient_ascent(target, starts, size, ASCENT_STEPS) / size**2,
        "each_sample": attacks.gradient_ascent(target, starts, size, ASCENT_STEPS, per_sample=True) / size**2,
    }


def _measure_masking(target: attacks.Target) -> dict[str, float]:
    """Measure how many outputs are off, how many samples have no gradient, and how well attacks along gradients work.

    Gradients are those of the clean samples by which attacks are ranked. The rise of the loss is relative to that under
    the best analytic attack on each sample.
    """
    target = target.ranking_subset
    size = RELATIVE_SIZE * target.mean_norm
    gradient = target.rise_and_gradient_per_sample(torch.zeros_like(target.x))[1]
    along_gradient = target.rise_and_gradient_per_sample(size * torch.nn.functional.normalize(gradient, dim=1))[0]
    analytic = target.best_rise_per_sample(size * target.analytic_attacks())
    off = target.share @ (target.preactivation <= 0).float().mean(dim=1)
    masked = target.share @ (gradient == 0).all(dim=1).float()
    return {"off": float(off), "masked": float(masked), "relative_rise": float(along_gradient) / analytic}


def _summarise_vulnerability(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise by n and m how vulnerable models become and how this follows the number of features per dimension."""
    rows = []
    for (n, m), models in tables["models"].groupby(["n", "m"]):
        means = models.groupby("density").mean(numeric_only=True)
        row = {"n, m": f"{n}, {m}", "features per dimension, largest": f"{means['features_per_dimension'].max():.2f}"}
        for name, words in SIZE_CONVENTIONS.items():
            largest = f"{means[name].max():.2f} at 1-S = {means[name].idxmax():.3g}"
            row[f"λ a tenth {words}: largest vulnerability"] = largest
            rank = scipy.stats.spearmanr(means[name], means["features_per_dimension"]).statistic
            row[f"rank correlation with it, {name}"] = f"{rank:.2f}"
        for name, words in CONTROLS.items():
            row[f"{words}, largest"] = f"{means[name].max():.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _attacked_models(name: str, trained: SweepResult) -> pd.DataFrame:
    """Return one row per point of a sweep over attacks, for its best model.

    ``interference`` is that between the features with at least half the largest norm, relative to that of a single
    antipodal pair in a model that uses every dimension: below 1, no superposition is left. Norms are relative since
    training against attacks shrinks W as a whole.
    """
    sweep, W = trained.sweep, trained.best()["W"]
    norms = geometry.norms(W)
    kept = norms >= norms.max(dim=1, keepdim=True).values / 2
    clean, error = losses(sweep, {k: v[:, None] for k, v in trained.best().items()})
    table = numbered_points(sweep, "density", "attack", "seed").assign(
        experiment=name,
        n=sweep.n,
        m=sweep.m,
        clean_loss=clean[:, 0].numpy(),
        clean_loss_error=error[:, 0].numpy(),
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        kept_features=kept.sum(1).numpy(),
        interference=geometry.relative_interference(W * kept[:, None]).numpy() * (sweep.m + 1) / 2,
    )
    clean_loss = table["clean_loss"]
    without = clean_loss.where(table["attack"] == 0).groupby([table["density"], table["seed"]]).transform("first")
    return table.assign(price=clean_loss / without)


def summarise_removal(models: pd.DataFrame) -> pd.DataFrame:
    """Summarise by n and density what training against attacks of growing size does."""
    rows = []
    one, gone = (removal_sizes(models, measure) for measure in ("features_per_dimension", "interference"))
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
                "one per dimension at": _format_size(one[n, density], means),
                "superposition gone at": _format_size(last, means),
                "clean loss there": f"{at['price'].iloc[0]:.1f} times" if len(at) else "–",
                "features kept there": f"{at['kept_features'].iloc[0]:.0f}" if len(at) else "–",
            }
        )
    return pd.DataFrame(rows)


def _format_size(size: float, means: pd.DataFrame) -> str:
    """Format the size of attacks; if it is infinite, as above the largest one trained against."""
    return f"{size:.2f}" if np.isfinite(size) else f"above {means.index.max():g}"

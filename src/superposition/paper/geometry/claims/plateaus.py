"""Judge the levels near which D* = m/‖W‖_F², the dimensions per feature, stays as sparsity changes."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed
from superposition.paper.geometry import LARGE_SWEEP, NOTEBOOK_SWEEP, REPLICATED_SWEEP, beside_best
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, below, improbable

claims = Claims("geometry")

# Relative deviation from a level within which D* counts as staying there.
PLATEAU_TOLERANCE = 0.05


def longer_than_an_even_fall(statistic: str) -> Criterion:
    """Return the criterion that D* is sticky at a level."""
    why = "if D* fell evenly, in log-log, from 1 to its value at 1-S = 0.01, it would stay near each level as long"
    return Criterion(statistic, above(1, "null model", why))


def longest_plateau(curve: pd.Series, level: float) -> tuple[float, float]:
    """Find the longest range of densities over which D* stays within 5 % of a level.

    Between the points, D* is interpolated in the logarithm of the density.

    Args:
        curve: D* by density, in ascending order.
        level: The level.

    Returns:
        The lowest and the highest density of the plateau; (1, 1) if there is none.
    """
    points = np.log(curve.index)
    grid = np.linspace(points[0], points[-1], 20_001)
    near = np.abs(np.interp(grid, points, curve) / level - 1) <= PLATEAU_TOLERANCE
    ends = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(int), [0]])))
    if not len(ends):
        return 1.0, 1.0
    first, last = max(ends.reshape(-1, 2), key=np.ptp)
    return float(np.exp(grid[first])), float(np.exp(grid[last - 1]))


def _curves(models: pd.DataFrame) -> list[pd.Series]:
    """Return D* by density of every run of n = 200 and n = 400."""
    runs = models[models["experiment"].isin([LARGE_SWEEP, REPLICATED_SWEEP])].groupby(["experiment", "seed"])
    return [run.set_index("density")["dimensions_per_feature"].sort_index() for _, run in runs]


def _stay(curve: pd.Series, level: float, end: float) -> float:
    """Return how much longer D* stays near a level than if it fell evenly from 1 to ``end`` at 1-S = 0.01."""
    low, high = longest_plateau(curve, level)
    # D* cannot be above 1.
    band = np.log((1.0 if level == 1 else 1 + PLATEAU_TOLERANCE) / (1 - PLATEAU_TOLERANCE))
    return float(np.log(high / low) / np.log(curve.index[-1] / curve.index[0]) * np.log(1 / end) / band)


def _plateaus(data: Tables, level: float) -> tuple[pd.DataFrame, list[float], list[float], str]:
    """Return D* of n = 400 by density, how long trained and best known models stay near a level, and both as text."""
    tables = data["dimensions_per_feature"]
    large = beside_best(tables).set_index("density")
    end, stays, texts = large["dimensions_per_feature"].iloc[0], [], []
    for kind, table, suffix in (("trained", "curves", ""), ("best known", "best", "_known")):
        low, high = longest_plateau(large[f"dimensions_per_feature{suffix}"], level)
        stays.append([_stay(curve, level, end) for curve in _curves(tables[table])])
        # The best known models of replicates are the same.
        shown = ", ".join(dict.fromkeys(f"{stay:.1f}" for stay in stays[-1]))
        texts.append(f"{kind} from 1-S = {high:.3g} to {low:.3g}, in units of an even fall {shown}")
    return large, *stays, f"n = 400 (stays: n = 200, too): {'; '.join(texts)}"


@claims.add(
    figure="dimensions_per_feature",
    paper="As sparsity changes, the dimensions per feature D* of trained models are sticky at 1",
    phrase="we find that this graph is",
    criteria=[
        longer_than_an_even_fall("shortest stay of D* within 5 % of 1, over that in an even fall"),
        longer_than_an_even_fall("the same for the best known models"),
        improbable(
            "share of the levels, spread evenly in log D* and apart from those within 5 % of 1/2, near which D* of n = "
            "400 stays as long",
            "a level drawn at random passes once in a hundred times",
        ),
    ],
    at_quick=False,
)
def sticky_one(data: Tables) -> Finding:
    large, trained, known, text = _plateaus(data, 1.0)
    there = large[large["dimensions_per_feature"] > 1 - PLATEAU_TOLERANCE]
    return Finding(
        [min(trained), min(known), _share_as_sticky(large["dimensions_per_feature"])],
        text=text + listed(there.nlargest(1, "excess"), "; the trained models cost up to {excess:.2%} more"),
        note="Trained models stay longer than the best known ones because training leaves the dense solution slowly. "
        + listed(
            there.head(1),
            "At 1-S = {density:.3g} their D* is {dimensions_per_feature:.3f}, and that of the best known model "
            "{dimensions_per_feature_known:.3f}. ",
        )
        + _describe_authors_models(data),
    )


def _levels(curve: pd.Series) -> np.ndarray:
    """Return levels of D*, spread evenly in the logarithm, that are not within 5 % of 1."""
    return np.geomspace(curve.min(), (1 - PLATEAU_TOLERANCE) / (1 + PLATEAU_TOLERANCE), 200)


def _share_as_sticky(curve: pd.Series) -> float:
    """Return the share of the levels, those near 1 and 1/2 aside, near which D* stays as long as near 1."""
    end = curve.iloc[0]
    stays = [_stay(curve, level, end) for level in _levels(curve) if abs(level / 0.5 - 1) > PLATEAU_TOLERANCE]
    return float((np.array(stays) >= _stay(curve, 1.0, end)).mean())


def _stickiest_level(curve: pd.Series) -> float:
    """Return the level, apart from 1, near which D* stays longest in log density."""
    levels = _levels(curve)
    low, high = np.array([longest_plateau(curve, level) for level in levels]).T
    stays = np.log(high / low)
    return float(np.mean(levels[stays > 0.999 * stays.max()]))


@claims.add(
    figure="dimensions_per_feature",
    paper="The dimensions per feature are sticky at 1/2, too; antipodal pairs appear to be so effective that models "
    "use them over a wide range of sparsity",
    phrase="wide range of the sparsity regime",
    criteria=[
        longer_than_an_even_fall("shortest stay of D* within 5 % of 1/2, over that in an even fall"),
        longer_than_an_even_fall("the same for the best known models"),
        Criterion(
            "relative distance from 1/2 of the level, apart from 1, near which D* of n = 400 stays longest",
            below(
                PLATEAU_TOLERANCE,
                "null model",
                "a level drawn evenly in log D* between 0.05 and 1 is as near to 1/2 in 3 % of cases",
            ),
            ".1%",
        ),
    ],
    at_quick=False,
)
def sticky_half(data: Tables) -> Finding:
    large, trained, known, text = _plateaus(data, 0.5)
    handovers = data["polytopes"]["handovers"]
    dense, sparse = (handovers.query(f"{side} == 'digon'")["density"].sum() for side in ("sparse_side", "dense_side"))
    pairs = data["dimensions_per_feature"]["optimum"].query("polytope == 'digon'")
    return Finding(
        [min(trained), min(known), abs(_stickiest_level(large["dimensions_per_feature"]) / 0.5 - 1)],
        text=f"{text}. Antipodal pairs are the best product from 1-S = {dense:.3f} to {sparse:.3f}, with D* from "
        f"{pairs['dimensions_per_feature'].max():.3f} to {pairs['dimensions_per_feature'].min():.3f}",
    )


@claims.add(
    figure="feature_dimensionality",
    paper="On inspection, the sticky point at 1/2 seems to be a precise arrangement in antipodal pairs, each feature "
    "the negative of another",
    phrase="correspond to a precise geometric arrangement",
    criteria=[
        above_half(
            "share of represented features with one other at more than 150° and all others at 60° to 120°",
            "half way between pairs alone and none, as in triangles and pentagons whose D* is also 1/2",
            ".1%",
        ),
        Criterion(
            "mean deviation from 180° of the angle to the most opposite feature",
            below(30, "midpoint", "half way to the 120° of a triangle"),
            ".2f",
        ),
    ],
    at_quick=False,
)
def half_is_antipodal(data: Tables) -> Finding:
    (there, paired, tilt), (_, known_paired, known_tilt) = (
        _pairs_at_half(data["feature_dimensionality"][kind]) for kind in ("models", "best_models")
    )
    return Finding(
        [paired, tilt],
        text=f"{len(there)} models of n = 200 and 400 with D* within 5 % of 1/2, 1-S from {there['density'].max():.3g} "
        f"to {there['density'].min():.3g}; of the best known ones {known_paired:.1%} and {known_tilt:.2f}",
    )


def _pairs_at_half(models: pd.DataFrame) -> tuple[pd.DataFrame, float, float]:
    """Return the models with D* near 1/2, the share of their features that are paired, and the mean tilt of these."""
    there = models[(models["dimensions_per_feature"] / 0.5 - 1).abs() <= PLATEAU_TOLERANCE]
    represented = there["represented"].sum() or np.nan
    return there, there["paired"].sum() / represented, (there["tilt"] * there["represented"]).sum() / represented


def _describe_authors_models(data: Tables) -> str:
    """Return D* of the models trained as in the authors' notebook, and by what share the best known ones cost less."""
    tables = data["dimensions_per_feature"]
    theirs, known = (tables[kind].set_index(["experiment", "position"]) for kind in ("curves", "best"))
    rows = theirs.loc[NOTEBOOK_SWEEP].join(known.loc[LARGE_SWEEP].add_suffix("_known")).sort_index()
    return "D* of models trained as in the authors' notebook, and what they cost more than the best known: " + listed(
        rows.assign(excess=rows["loss"] / rows["loss_known"] - 1),
        "{dimensions_per_feature:.3f} and {excess:.1%} at 1-S = {density:.3g}",
    )

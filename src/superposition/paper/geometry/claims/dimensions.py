"""Judge what D* = m/‖W‖_F², the dimensions per feature, depends on, and what ‖W‖_F² counts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from superposition.analysis.representation import is_represented
from superposition.analysis.rows import listed, rows_at
from superposition.paper.geometry import LARGE_SWEEP, SWEEPS_BY_M, SWEEPS_BY_N
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, below, below_half

claims = Claims("geometry")


def size_exponent(kind: str) -> Criterion:
    """Return the criterion that D* of a kind of models does not depend on their size."""
    return below_half(
        f"largest exponent a of the {kind} models, where D* is the a-th power of the size or of its inverse",
        "half way between no dependence and D* proportional to the size",
        ".2f",
    )


def _exponents(models: pd.DataFrame, size: str) -> pd.Series:
    """Return, by density, the exponent a of D* over the size, n or m.

    The largest D* is (largest size / smallest size)^a times the smallest. Densities at which some model represents more
    than half of its features are left out.
    """
    exponents = {}
    for _, here in models.groupby("position"):
        if (here["represented"] <= here["n"] / 2).all():
            sizes = here.groupby(size)["dimensions_per_feature"].mean()
            exponents[here["density"].iloc[0]] = np.ptp(np.log(sizes)) / np.ptp(np.log(sizes.index))
    return pd.Series(exponents, dtype=float).sort_index(ascending=False)


def _at_shared_densities(models: pd.DataFrame, experiments: Sequence[str]) -> pd.DataFrame:
    """Return the models of some experiments at the densities that all of these have."""
    models = models[models["experiment"].isin(experiments)]
    return models[models.groupby("position")["experiment"].transform("nunique") == len(experiments)]


def _judge_exponents(data: Tables, experiments: Sequence[str], size: str, note: str) -> Finding:
    tables = data["dimensions_per_feature"]
    trained, known = (_exponents(_at_shared_densities(tables[kind], experiments), size) for kind in ("curves", "best"))
    shown = pd.DataFrame({"trained": trained, "known": known}).sort_index(ascending=False)
    return Finding(
        [trained.max(), known.max()],
        text="a of the best known models, and in brackets of the trained ones, by 1-S: "
        # Where a model of one kind represents more than half of its features, this kind has no exponent.
        + listed(shown, "{known:.2f} ({trained:.2f}) at {index:.3g}").replace("nan", "–"),
        note=note,
    )


@claims.add(
    figure="dimensions_per_feature",
    paper="The number of features n does not matter very much for D*, as long as it is much larger than m",
    phrase="larger than the number of hidden",
    criteria=[size_exponent("trained"), size_exponent("best known")],
    at_quick=False,
)
def n_is_irrelevant(data: Tables) -> Finding:
    sparsest = _at_shared_densities(data["dimensions_per_feature"]["best"], SWEEPS_BY_N)
    sparsest = sparsest[sparsest["position"] == sparsest["position"].max()]
    a = np.ptp(np.log(sparsest["dimensions_per_feature"])) / np.ptp(np.log(sparsest["n"]))
    return _judge_exponents(
        data,
        SWEEPS_BY_N,
        "n",
        "n = 100, 200 and 400 with m = 20, where all represent at most half of their features. Where these run out, D* "
        f"depends on n: a = {a:.2f} at 1-S = {sparsest['density'].iloc[0]:g}. So the n that is large enough grows with "
        "sparsity",
    )


@claims.add(
    figure="dimensions_per_feature",
    paper="The number of hidden dimensions does not really matter for the ratio of features to dimensions: twice the "
    "dimensions represent twice the features",
    phrase="Doubling the number of hidden dimensions",
    criteria=[size_exponent("trained"), size_exponent("best known")],
    at_quick=False,
)
def m_scales(data: Tables) -> Finding:
    return _judge_exponents(
        data,
        SWEEPS_BY_M,
        "m",
        "m = 20, 30 and 40 with n = 400, where all represent at most half of their features. Two models side by side "
        "are a solution of twice the size, so that the best gain of that is at least twice theirs",
    )


@claims.add(
    figure="dimensions_per_feature",
    paper="As ‖W_i‖² is about 1 if a feature is represented and about 0 if not, ‖W‖_F² is roughly the number of "
    "features that the model represents; it behaves nicely in the dense regime, too, as it does not depend on the "
    "basis",
    phrase="roughly the number of features the",
    at_quick=False,
)
def norm_counts_features(data: Tables) -> Finding:
    kinds = pd.concat({kind: data["feature_dimensionality"][kind] for kind in ("models", "best_models")})
    models = kinds.assign(count=kinds["norm2"] / kinds["represented"])
    optimum = data["dimensions_per_feature"]["optimum"].sort_values("density")
    pairs = optimum[optimum["polytope"] == "digon"]["density"]
    sparse = models[models["density"] <= pairs.max()]
    counted = sparse[sparse["density"] >= pairs.min()]["count"]
    large = models[models["experiment"] == LARGE_SWEEP].sort_values("density")
    trained, known = (
        listed(large.loc[kind].iloc[::8], "{norm2:.1f}/{represented} at {density:.3g}")
        for kind in ("models", "best_models")
    )
    return Finding(
        text=f"n = 400, ‖W‖_F² / #(‖W_i‖² > ½): trained {trained}; best known {known}. Where antipodal pairs are "
        f"the best product, they differ by at most {(counted - 1).abs().max():.0%}; where features are sparser, ‖W‖_F² "
        f"is up to {sparse['count'].max():.2f} times the number",
        note="No verdict, because no bound follows from the word roughly. Where features are sparser, negative biases "
        f"go with norms above 1: ‖W_i‖² is {optimum['norm'].iloc[0] ** 2:.2f} in the best product at 1-S = 0.01. At "
        "S = 0, ‖W‖_F² is m, although no ‖W_i‖² is near 1",
    )


@claims.add(
    figure="dimensions_per_feature",
    paper="In the dense regime, S = 0, nothing privileges the basis of features, and the model represents arbitrary "
    "directions instead",
    phrase="represents features with arbitrary directions",
    criteria=[
        below_half(
            "number of features with ‖W_i‖² > ½ at S = 0, relative to m, largest of the models",
            "half way between arbitrary directions (0) and a basis of features (1)",
        ),
        Criterion(
            "largest difference from the loss of the best linear model, of any m orthonormal directions, in standard "
            "errors",
            below(
                4.5,
                "null model",
                "at S = 0 all features have the same variance, so that all projections have the same loss; one of "
                "seven normal deviates exceeds it once in 20 000 times",
            ),
            ".2f",
        ),
    ],
    at_quick=False,
)
def dense_basis_is_arbitrary(data: Tables) -> Finding:
    features = rows_at(data["feature_dimensionality"]["features"], density=1)
    dense = rows_at(data["dimensions_per_feature"]["curves"], density=1)
    dense = dense[dense["experiment"].isin([*SWEEPS_BY_N, *SWEEPS_BY_M])]
    off = (dense["loss"] - (dense["n"] - dense["m"]) / 12) / dense["loss_error"]
    features = features.assign(square=features["norm"] ** 2, represented=is_represented(features["norm"] ** 2))
    near_one = features.groupby(["experiment", "point"])["represented"].sum()
    m = dense.groupby("experiment")["m"].first()
    return Finding(
        [near_one.div(m, level="experiment").max(), off.abs().max()],
        text=f"‖W_i‖² has the mean {features['square'].mean():.3f} and is at most {features['square'].max():.2f}",
        note="Here the initial bias is centred",
    )

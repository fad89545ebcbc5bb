"""Judge what linear models represent, and where the ReLU-output model does the same or better."""

import itertools

import numpy as np
import pandas as pd

from superposition.analysis.rows import gram_of, rows_at
from superposition.paper.basic.counts import (
    FIGURES,
    by_density,
    counts_of,
    model_size,
    onset,
    represented_mask,
    rows_of,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, at_most_zero, below_half

claims = Claims("basic")

LOSS_OF_PCA = below_half(
    "largest deviation of the loss from Σ_{i>m} I_i Var[x], relative to the cost of representing feature m + 1 in "
    "place of feature m",
    "half way from principal component analysis to the next best choice of features",
)


@claims.add(
    figure="basic_small",
    paper="By definition, a linear representation, in which each feature has a direction W_i, exhibits superposition "
    "if WᵀW is not invertible, and does not if it is",
    about="any model",
    phrase="A linear representation exhibits superposition if",
    criteria=[
        at_most_zero(
            "models, linear or not, in which WᵀW of the represented features is singular although each has a dedicated "
            "dimension, or invertible although some share one",
            "exact calculation",
            "one counterexample refutes a definition",
        )
    ],
)
def not_invertible(data: Tables) -> Finding:
    singular, exceptions, models = 0, 0, 0
    for figure, suffix in itertools.product(FIGURES, ("_linear", "")):
        features = dict(list(rows_of(data, figure, "features", suffix).groupby("point")))
        for point, pairs in rows_of(data, figure, "pairs", suffix).groupby("point"):
            gram, kept = gram_of(pairs), represented_mask(features[point]).to_numpy()
            models += 1
            singular += suffix == "_linear" and _is_singular(gram)
            shared = (features[point]["superposition"].to_numpy()[kept] > 0.5).any()
            exceptions += shared != _is_singular(gram[np.ix_(kept, kept)])
    return Finding(
        [exceptions],
        text=f"{models} models in all",
        note="The features are those that the representation has, ‖W_i‖² > ½. Of all features of the input, WᵀW has "
        "rank m at most, so that it is singular in every model with fewer dimensions than features: also in all "
        f"{singular} linear models, which the paper calls free of superposition",
    )


def _is_singular(gram: np.ndarray) -> bool:
    # Entries are about 1, and the weights are rounded to about 1e-7.
    return bool(np.linalg.matrix_rank(gram, tol=1e-3, hermitian=True) < len(gram))


@claims.add(
    figure="basic_small",
    paper="The linear model always learns the m most important features, like principal components; if it is optimised "
    "well enough, its solution does not depend on sparsity",
    phrase="linear model solution does not depend",
    criteria=[
        LOSS_OF_PCA,
        below_half(
            "largest deviation of an entry of WᵀW from 1 for the first m features and 0 elsewhere, at any density",
            "½ lies between a feature that is represented and one that is not",
        ),
    ],
)
def linear_is_pca(data: Tables) -> Finding:
    losses, entries = [], []
    for figure in FIGURES:
        pairs = rows_of(data, figure, "pairs", "_linear")
        ideal = (pairs["i"] == pairs["j"]) & (pairs["i"] < model_size(data, figure)[1])
        entries.append((pairs["dot"] - ideal).abs().max())
        losses.append(_loss_from_pca(data, figure, rows_of(data, figure, "models", "_linear")))
    return Finding([max(losses), max(entries)])


def _loss_from_pca(data: Tables, figure: str, models: pd.DataFrame) -> float:
    """Return the largest |L - Σ_{i>m} I_i v| of some models, relative to the cost of the next best choice of features.

    That cost is (I_m - I_{m+1}) v.
    """
    importance = rows_of(data, figure, "features").groupby("feature")["importance"].first().to_numpy()
    m = model_size(data, figure)[1]
    exchange = models["linear_optimum"] / importance[m:].sum() * (importance[m - 1] - importance[m])
    return float(((models["loss"] - models["linear_optimum"]).abs() / exchange).max())


@claims.add(
    figure="basic_small",
    paper="With sparse features superposition compresses beyond what a linear model can, at the cost of interference "
    "that needs a nonlinear filter",
    phrase="superposition allows compression beyond what",
    criteria=[
        Criterion(
            f"smallest distance of the loss below {what}, in standard errors, all densities below 1 and both sizes",
            above(3, "measurement error", "three standard errors of the loss"),
        )
        for what in ("that of the best linear model", "that of the same W without the ReLU, with the best bias")
    ],
)
def beats_linear(data: Tables) -> Finding:
    gains, texts = [], []
    for figure in FIGURES:
        models = rows_of(data, figure, "models").query("density < 1").sort_values("density", ascending=False)
        models = models.set_index("point")
        others = pd.DataFrame({"linear": models["linear_optimum"]}).assign(filtered=_without_relu(data, figure))
        relative = (models["loss"] / others["linear"]).set_axis(models["density"])
        gains.append(others.sub(models["loss"], axis=0).div(models["loss_error"], axis=0).min())
        texts.append(f"n = {models['n'].iloc[0]}: loss over the best linear one, by 1-S: {by_density(relative, '.2f')}")
    smallest = pd.concat(gains, axis=1).min(axis=1)
    return Finding([smallest["linear"], smallest["filtered"]], text="; ".join(texts))


def _without_relu(data: Tables, figure: str) -> pd.Series:
    """Return Σ_ij I_i v (WᵀW - 1)_ij² by point: the loss of the ReLU-output model's W in a linear model."""
    features, pairs = (rows_of(data, figure, table) for table in ("features", "pairs"))
    importance = pairs["i"].map(features.groupby("feature")["importance"].first())
    p = pairs["density"]
    cost = importance * (p / 3 - p**2 / 4) * (pairs["dot"] - (pairs["i"] == pairs["j"])) ** 2
    return cost.groupby(pairs["point"]).sum()


@claims.add(
    figure="basic_small",
    paper="In a model that behaves as a linear one, the bias is 0 for features that pass through, and the expected "
    "value, which is positive, for the others",
    phrase="represent to their expected value",
    criteria=[
        below_half(
            f"deviation of b_i from {ideal} in units of E[x_i], for {which} features: root of the mean square weighted "
            "by importance, largest of the linear models and of the dense ReLU-output models",
            "half way between 0 and E[x_i]",
        )
        for which, ideal in (("represented", "0"), ("other", "E[x_i]"))
    ],
)
def bias(data: Tables) -> Finding:
    linear_like = [rows_of(data, figure, "features", "_linear") for figure in FIGURES]
    linear_like += [rows_at(rows_of(data, figure, "features"), density=1) for figure in FIGURES]
    features = pd.concat(linear_like).assign(represented=represented_mask)
    mean = features["feature_density"] / 2
    off = features["bias"] / mean - ~features["represented"]
    features = features.assign(cost=features["importance"] * off**2)
    sums = features.groupby(["represented", "experiment", "point"])[["cost", "importance"]].sum()
    worst = (sums["cost"] / sums["importance"]).pow(0.5).groupby("represented").max().reindex([True, False])
    return Finding(list(worst))


@claims.add(
    figure="basic_small",
    paper="On dense features the ReLU-output model does the same as the linear one; as sparsity sets in, the most "
    "important features are at first untouched",
    phrase="behaves the same on dense features",
    criteria=[
        LOSS_OF_PCA,
        below_half(
            "largest difference between the entries of WᵀW of the ReLU-output model and of the linear one",
            "½ lies between a feature that is represented and one that is not",
        ),
        below_half(
            "superposition of the most important feature where superposition sets in, larger of both sizes",
            "½ lies between a dedicated dimension (0) and a shared one (1)",
        ),
    ],
    # Short training of n = 80 in small batches can end further above the least loss than the first bound allows.
    at_quick=False,
)
def dense_relu_is_linear(data: Tables) -> Finding:
    losses, entries, first = [], [], []
    for figure in FIGURES:
        dense, linear = (gram_of(rows_at(rows_of(data, figure, "pairs", s), density=1)) for s in ("", "_linear"))
        entries.append(np.abs(dense - linear).max())
        losses.append(_loss_from_pca(data, figure, rows_at(rows_of(data, figure, "models"), density=1)))
        features, begins = rows_of(data, figure, "features"), onset(counts_of(data, figure))["point"]
        first.append(features[features["point"].isin(begins) & (features["feature"] == 0)]["superposition"])
    return Finding([max(losses), max(entries), pd.concat(first).max()])

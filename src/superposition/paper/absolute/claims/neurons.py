"""Judge which neurons have one feature and which have several, by density, and how they respond."""

import numpy as np
import pandas as pd
from scipy.stats import combine_pvalues, mannwhitneyu, page_trend_test, spearmanr

from superposition.analysis.neurons import MONOSEMANTIC
from superposition.analysis.rows import listed, rows_at
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    TRAINING_LENGTHS,
    WEIGHT_THRESHOLDS,
    best_of_main,
    count_monosemantic,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, above_half, below, below_half, improbable

claims = Claims("absolute")

# The lowest density, and those at which the paper finds only monosemantic neurons, and both kinds.
SPARSEST, DENSE, INTERMEDIATE = 0.001, (1.0, 0.3), (0.1, 0.03, 0.01, 0.003)
THRESHOLDS = f"{WEIGHT_THRESHOLDS[0]:g} to {WEIGHT_THRESHOLDS[-1]:g}"


def _polysemantic_counts(data: Tables, threshold: float) -> pd.DataFrame:
    """Return the number of neurons with several features, by density (from dense to sparse) and seed."""
    units = data["absolute_neurons"]["neurons"]
    return units["neuron"].max() + 1 - count_monosemantic(units, threshold)


@claims.add(
    figure="absolute_neurons",
    paper="At 1-S = 1 and 0.3 every neuron represents one feature",
    phrase="end up with each neuron representing",
    criteria=[
        below_half(
            "largest second weight of a neuron over its first, in the best models of all seeds",
            "between one feature and two of the same size",
            ".3f",
        )
    ],
    at_quick=False,
)
def monosemantic_when_dense(data: Tables) -> Finding:
    tables = data["absolute_neurons"]
    tables = {name: table[table["density"].isin(DENSE)] for name, table in tables.items() if "density" in table}
    units, models = (best_of_main(tables[name]) for name in ("neurons", "models"))
    relative = models["loss"] / models["yardstick"]
    known = tables["best_computed"].groupby("density")["known_loss"].first()
    excess = models.groupby("density")["loss"].min() / known - 1
    return Finding(
        [units["second"].max()],
        text=f"the loss is {relative.min():.3f} to {relative.max():.3f} times that of 20 exact features; in the best "
        f"known models the largest second weight is {tables['best_neurons']['second'].max():.3f}",
        note=f"The best trained models cost at most {excess.max():.2%} more than the best known",
    )


@claims.add(
    figure="absolute_neurons",
    paper="As density falls, first a few neurons become slightly polysemantic, then their number grows and they become "
    "more polysemantic",
    phrase="end up with each neuron representing",
    criteria=[
        improbable(
            "probability of such a rise of the number of neurons with several features as density falls, in the best "
            "models of the seeds",
            "Page's trend test: all orders of the densities are equally likely; a false-positive rate of 1 %",
        ),
        Criterion(
            "largest fall of the mean of this number over the seeds from one density to the next lower one",
            below(None, "measurement error", "three standard errors of the mean change from one density to the next"),
            ".2f",
        ),
        improbable(
            "probability of such a rise of the mean number of features in a neuron with several weights of at least "
            "5 % of the largest",
            "Page's trend test, over the densities at which all seeds have such neurons",
        ),
    ],
    at_quick=False,
)
def progression(data: Tables) -> Finding:
    number = np.mean([_polysemantic_counts(data, t) for t in WEIGHT_THRESHOLDS], axis=0)
    change = np.diff(number, axis=0)
    error = np.sqrt(np.mean(change.var(axis=1, ddof=1)) / change.shape[1])
    units = best_of_main(data["absolute_neurons"]["neurons"])
    several = 1 + units[units["small"] > 0].groupby(["density", "seed"])["small"].mean().unstack()[::-1].dropna()
    return Finding(
        [
            page_trend_test(number.T).pvalue,
            Number(max(0, -change.mean(axis=1).min()), bound=3 * error),
            page_trend_test(several.T).pvalue,
        ],
        text="mean number of neurons with several features, over "
        f"{number.shape[1]} seeds and the thresholds from {THRESHOLDS}, from dense to sparse: "
        f"{', '.join(f'{count:.1f}' for count in number.mean(axis=1))}; mean number of features in a neuron "
        "with several weights of at least 5 % of the largest: "
        + ", ".join(f"{count:.1f} at {density:g}" for density, count in several.mean(axis=1).items()),
    )


@claims.add(
    figure="absolute_neurons",
    paper="At 1-S = 0.001 all neurons are highly polysemantic",
    phrase="subset of them will be highly",
    criteria=[
        Criterion(
            "mean number of neurons with one feature, over the best models of the seeds, with the threshold "
            f"{WEIGHT_THRESHOLDS[0]:g}",
            below(1, "the paper", "all are polysemantic"),
            ".1f",
        )
    ],
    correction=[
        above_half("mean share of neurons with several features", "the majority", ".0%"),
        improbable(
            "probability that neurons with one feature have such important ones by chance",
            "Mann–Whitney against the main features of the other neurons, combined over the seeds by Fisher's method",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def polysemantic_when_sparse(data: Tables) -> Finding:
    tables, threshold = data["absolute_neurons"], WEIGHT_THRESHOLDS[0]
    here, models = (rows_at(tables[name], density=SPARSEST).query("best") for name in ("neurons", "models"))
    several = (here["second"] >= threshold).groupby(here["experiment"]).sum()
    lowest = models.groupby("experiment")["loss"].min()
    lengths = [
        f"{several[name]} after {words}, at {lowest[name] / lowest[list(MAIN_EXPERIMENTS[1:])].min():.2f} times the "
        "lowest loss"
        for name, words in TRAINING_LENGTHS.items()
    ]
    main = best_of_main(here).assign(several=lambda units: units["second"] >= threshold)
    sparse, m = main.groupby("seed")["several"].sum(), main["neuron"].max() + 1
    known = (rows_at(tables["best_neurons"], density=SPARSEST)["second"] >= threshold).sum()
    tests = [
        mannwhitneyu(model.loc[~model["several"], "main"], model.loc[model["several"], "main"], alternative="less")
        for _, model in main.groupby("seed")
        if model["several"].nunique() > 1
    ]
    return Finding(
        [Number(m - sparse.mean(), sparse.sem())],
        [
            Number(sparse.mean() / m, sparse.sem() / m),
            combine_pvalues([test.pvalue for test in tests]).pvalue if tests else np.nan,
        ],
        text=f"{', '.join(map(str, sparse))} of {m} neurons have several features, by seed; in the best known model "
        f"{known} have",
        correction="Most neurons have several features, but the most important features keep dedicated neurons (the "
        f"median number of these features is {main.loc[~main['several'], 'main'].median() + 1:.0f})",
        note=f"With other lengths of training it is {' and '.join(lengths)}: the statement fits models that are not "
        "trained to the end",
    )


@claims.add(
    figure="absolute_neurons",
    paper="In some regimes many neurons are pure, and a subset of them is highly polysemantic",
    phrase="subset of them will be highly",
    criteria=[
        Criterion(
            f"least number of neurons of either kind at 1-S = 0.01, for any seed and any threshold from {THRESHOLDS}",
            above(0, "the paper", "both kinds exist"),
            ".0f",
        )
    ],
    at_quick=False,
)
def both_in_one_model(data: Tables) -> Finding:
    m = data["absolute_neurons"]["neurons"]["neuron"].max() + 1
    several = np.array([_polysemantic_counts(data, t).loc[0.01] for t in WEIGHT_THRESHOLDS])
    return Finding(
        [np.minimum(several, m - several).min()],
        text=f"{several.min()} to {several.max()} of {m} have several features",
    )


@claims.add(
    figure="absolute_neurons",
    paper="Neurons that represent the most important features tend to be monosemantic",
    phrase="neurons representing the most important features",
    criteria=[
        improbable(
            "largest probability, at any density from 1-S = 0.03 to 0.003, that second weights and importances are "
            "unrelated in the best models of all seeds",
            "Spearman's test, combined over seeds (Stouffer): one in a hundred by chance",
        )
    ],
    at_quick=False,
)
def important_stay_monosemantic(data: Tables) -> Finding:
    units = best_of_main(data["absolute_neurons"]["neurons"])
    models = units[units["density"].isin(INTERMEDIATE[1:])].groupby(["density", "seed"])
    tests = models[["main", "second"]].apply(
        lambda model: pd.Series(spearmanr(model["main"], model["second"], alternative="greater"), ["rank", "chance"])
    )
    combined = tests["chance"].groupby("density").agg(lambda chances: combine_pvalues(chances, "stouffer").pvalue)
    return Finding(
        [combined.max(skipna=False)],
        text=f"rank correlations from {tests['rank'].min():.2f} to {tests['rank'].max():.2f} in {len(tests)} models",
    )


def _ratio_by_chance() -> float:
    """Return the 1 % quantile of the second over the first of the sizes of a hundred Gaussian weights."""
    size = np.sort(np.abs(np.random.default_rng(0).normal(size=(10_000, 100))), axis=1)
    return float(np.quantile(size[:, -2] / size[:, -1], 0.01))


@claims.add(
    figure="absolute_zoom",
    paper="Many neurons appear to have a primary feature with a relatively large weight and one or more secondary ones "
    "with smaller weights",
    phrase="encoded by a relatively large weight",
    criteria=[
        Criterion(
            "largest median, at any intermediate density, of the second weight over the first, in neurons with several "
            "weights of at least 5 % of the largest",
            below(None, "null model", "less than one in a hundred neurons with random weights"),
            ".2f",
        )
    ],
    at_quick=False,
)
def primary_and_secondary(data: Tables) -> Finding:
    units = best_of_main(data["absolute_neurons"]["neurons"])
    several = units[(units["small"] > 0) & units["density"].isin(INTERMEDIATE)]
    medians = several.groupby("density")["second"].median()[::-1]
    polysemantic = several[several["second"] >= MONOSEMANTIC].groupby("density")["second"].median()
    return Finding(
        [Number(medians.max(), bound=_ratio_by_chance())],
        text=listed(medians, "{second:.2f} at 1-S = {density:g}"),
        note=f"In neurons whose second weight is at least {MONOSEMANTIC:g} of the largest, the largest median is "
        f"{polysemantic.max():.2f}",
    )


@claims.add(
    figure="absolute_zoom",
    paper="The largest activations of a neuron with a primary feature come all or nearly all from that feature, while "
    "small activations are much more polysemantic",
    phrase="largest activations of that neuron",
    criteria=[
        above_half(
            "least share, at any intermediate density, of the activations above half of the largest weight at which "
            "the primary feature is active, in the median neuron",
            "between none and all",
            ".0%",
        ),
        below_half(
            "largest ratio of the same share among smaller activations to it", "between none and as many", ".2f"
        ),
    ],
    at_quick=False,
)
def largest_activations(data: Tables) -> Finding:
    activity = data["absolute_neurons"]["activity"].query("visible > 1 and second < 0.5")
    intermediate = activity[activity["density"].isin(INTERMEDIATE)]
    medians, shares = (
        rows.groupby("density")[["large", "small"]].median().sort_index(ascending=False)
        for rows in (activity, intermediate)
    )
    return Finding(
        [shares["large"].min(), (shares["small"] / shares["large"]).max()],
        text=listed(medians, "1-S = {density:g}: {large:.0%} of large, {small:.0%} of small activations", "; "),
        note="Neurons with several features, whose second weight is below half of the first. Most of the large "
        f"activations are of the primary feature in {(intermediate['large'] > 0.5).mean():.0%} of them, and all in "
        f"{(intermediate['large'] == 1).mean():.0%}, at intermediate densities",
    )

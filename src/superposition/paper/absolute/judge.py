"""Measure exact neurons, mono- and polysemantic neurons, and the motif, for the claims about computation."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    MONOSEMANTIC_THRESHOLDS,
    TRAINING_LENGTHS,
    count_monosemantic,
    is_exact,
    layer_matrix,
    motifs_of_shown_model,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number

claims = Claims("absolute")

# The lowest density, and those at which the paper finds only monosemantic neurons, and both kinds.
SPARSEST, DENSE, INTERMEDIATE = 0.001, (1.0, 0.3), (0.1, 0.03, 0.01, 0.003)
THRESHOLDS = f"{MONOSEMANTIC_THRESHOLDS[0]:g} to {MONOSEMANTIC_THRESHOLDS[-1]:g}"


def _best(data: Tables, table: str = "neurons") -> pd.DataFrame:
    """Return the rows of the best model of every density and seed, trained for the usual number of steps."""
    rows = data["absolute_neurons"][table]
    return rows[rows["best"] & rows["experiment"].isin(MAIN_EXPERIMENTS)]


def _polysemantic_counts(data: Tables, threshold: float) -> pd.DataFrame:
    """Return the number of neurons with several features, by density (from dense to sparse) and seed."""
    units = data["absolute_neurons"]["neurons"]
    return units["neuron"].max() + 1 - count_monosemantic(units, threshold)


@claims.add(
    "exact",
    figure="absolute_small",
    paper="With three features and six neurons the model performs absolute value exactly as expected: a “+” and a “-” "
    "neuron for each feature, whose activations are added, up to a rescaling of each neuron",
    about="trained models",
    phrase="performs absolute value exactly as",
    criteria=[
        Criterion(
            "root mean squared error of the best model",
            "<",
            float(np.finfo(np.float32).eps),
            "exact calculation",
            "rounding in single precision; only the exact solution gets there",
            ".1e",
        ),
        Criterion("weights that are not those of the exact solution", "<", 1, "exact calculation", "none is", ".0f"),
    ],
)
def exact_small(data: Tables) -> Finding:
    models, weights = data["absolute_small"]["models"], data["absolute_small"]["weights"]
    found = is_exact(layer_matrix(weights), layer_matrix(weights, "out"))
    return Finding(
        [Number(np.sqrt(models["loss"].min())), Number(0 if found else np.nan)],
        text=f"{models['exact'].mean():.0%} of {len(models)} models are exact",
    )


@claims.add(
    "two_neurons_each",
    figure="absolute_small",
    paper="Without superposition it takes two hidden neurons to compute the absolute value of one feature",
    about="any model",
    phrase="needs two hidden layer neurons",
    criteria=[
        Criterion(
            "share of the variance of |x| that one neuron and a bias leave",
            ">",
            0,
            "exact calculation",
            "least squares",
        ),
        Criterion(
            "the same share with two neurons", "<", 1e-12, "exact calculation", "rounding in double precision", ".1g"
        ),
    ],
)
def two_neurons_each(data: Tables) -> Finding:
    one, two = data["absolute_small"]["residuals"].sort_values("neurons")["share"]
    return Finding([Number(one), Number(two)])


@claims.add(
    "more_features_than_neurons",
    figure="absolute_neurons",
    paper="Once features are sufficiently sparse, the model represents, and computes the absolute value of, more "
    "features than it has neurons",
    about="trained models",
    phrase="once the features become sufficiently sparse",
    criteria=[
        Criterion(
            "largest number of features, at any density, whose output explains more than half of the variance of |x|, "
            "trained and best known",
            ">",
            40,
            "the paper",
            "more than the 40 neurons",
            ".0f",
        )
    ],
    correction=[
        Criterion(
            "the same number",
            ">",
            20,
            "exact calculation",
            "without superposition every feature takes two of the 40 neurons",
            ".0f",
        )
    ],
    expected="corrected",
    at_quick=False,
)
def more_features_than_neurons(data: Tables) -> Finding:
    computed = data["absolute_neurons"]["computed"]
    half, beyond_error = (
        mask.groupby([computed["experiment"], computed["density"], computed["seed"]]).sum()
        for mask in (computed["explained"] > 0.5, computed["explained"] > 3 * computed["explained_error"])
    )
    by_density = half.groupby("density").max().sort_index(ascending=False)
    best = data["absolute_neurons"]["best_computed"]
    of_best = (best["explained"] > 0.5).groupby(best["density"]).sum().sort_index(ascending=False)
    losses = _best(data, "models").groupby("density")["loss"].min()
    excess = losses / best.groupby("density")["known_loss"].first() - 1
    most = max(half.max(), of_best.max())
    return Finding(
        [Number(most)],
        [Number(most)],
        text="; ".join(
            f"{kind} {', '.join(f'{count} at 1-S = {density:g}' for density, count in counts.items())}"
            for kind, counts in (("trained", by_density), ("best known", of_best))
        ),
        correction="The models compute more features than the 20 for which 40 neurons suffice without superposition, "
        "but not more than they have neurons",
        note=f"Up to {beyond_error.max()} features have an output that explains anything of them, beyond three "
        "standard errors in trained models. The best trained ones cost up to "
        f"{excess.max():.0%} more than the best known (1-S = {excess.idxmax():g})",
    )


@claims.add(
    "monosemantic_when_dense",
    figure="absolute_neurons",
    paper="At 1-S = 1 and 0.3 every neuron represents one feature",
    about="trained models",
    phrase="end up with each neuron representing",
    criteria=[
        Criterion(
            "largest second weight of a neuron over its first, in the best models of all seeds",
            "<",
            0.5,
            "midpoint",
            "between one feature and two of the same size",
            ".3f",
        )
    ],
    at_quick=False,
)
def monosemantic_when_dense(data: Tables) -> Finding:
    units, models = (table[table["density"].isin(DENSE)] for table in (_best(data), _best(data, "models")))
    relative = models["loss"] / models["yardstick"]
    return Finding(
        [Number(units["second"].max())],
        text=f"the loss is {relative.min():.3f} to {relative.max():.3f} times that of 20 exact features",
    )


@claims.add(
    "progression",
    figure="absolute_neurons",
    paper="As density falls, first a few neurons become slightly polysemantic, then their number grows and they become "
    "more polysemantic",
    about="trained models",
    phrase="end up with each neuron representing",
    criteria=[
        Criterion(
            "largest fall of the number of neurons with several features from one density to the next lower one, for "
            f"any seed and any threshold from {THRESHOLDS}",
            "<",
            1,
            "the paper",
            "the number never falls",
            ".0f",
        ),
        Criterion(
            "rise of the median number of features in a neuron with several from 1-S = 0.01 to 0.001",
            ">",
            0,
            "the paper",
            "they become more polysemantic",
            ".1f",
        ),
    ],
    at_quick=False,
)
def progression(data: Tables) -> Finding:
    falls = [(-_polysemantic_counts(data, t).diff()).max(axis=None) for t in MONOSEMANTIC_THRESHOLDS]
    units = _best(data)
    small = units[units["small"] > 0].groupby("density")["small"].median() + 1
    return Finding(
        [Number(max(0, *falls)), Number(small.get(SPARSEST, np.nan) - small.get(0.01, np.nan))],
        text="median number of features in neurons with several: "
        + ", ".join(f"{count:g} at {density:g}" for density, count in small[::-1].items()),
    )


@claims.add(
    "polysemantic_when_sparse",
    figure="absolute_neurons",
    paper="At 1-S = 0.001 all neurons are highly polysemantic",
    about="trained models",
    phrase="subset of them will be highly",
    criteria=[
        Criterion(
            "largest number of neurons with one feature in the best model of a seed, with the threshold "
            f"{MONOSEMANTIC_THRESHOLDS[0]:g}",
            "<",
            1,
            "the paper",
            "all are polysemantic",
            ".0f",
        )
    ],
    correction=[
        Criterion("least share of neurons with several features", ">", 0.5, "midpoint", "the majority", ".0%"),
        Criterion(
            "least excess of their number over that at any higher density", ">", 0, "the paper", "the most", ".0f"
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def polysemantic_when_sparse(data: Tables) -> Finding:
    units, models = data["absolute_neurons"]["neurons"], data["absolute_neurons"]["models"]
    counts, m = _polysemantic_counts(data, MONOSEMANTIC_THRESHOLDS[0]), units["neuron"].max() + 1
    sparse, denser = counts.loc[SPARSEST], counts.drop(SPARSEST)
    here = units[(units["density"] == SPARSEST) & units["best"]]
    several = (here["second"] >= MONOSEMANTIC_THRESHOLDS[0]).groupby(here["experiment"]).sum()
    lowest = models[models["density"] == SPARSEST].groupby("experiment")["loss"].min()
    lengths = [
        f"{several[name]} after {words}, at {lowest[name] / lowest[list(MAIN_EXPERIMENTS[1:])].min():.2f} times the "
        "lowest loss"
        for name, words in TRAINING_LENGTHS.items()
    ]
    main = _best(data)
    alone = main[(main["density"] == SPARSEST) & (main["second"] < MONOSEMANTIC_THRESHOLDS[0])]["main"]
    return Finding(
        [Number(m - sparse.min())],
        [Number(sparse.min() / m), Number((sparse - denser.max()).min())],
        text=f"{', '.join(map(str, sparse))} of {m} neurons have several features, by seed",
        correction="Most neurons have several features, but the most important features keep dedicated neurons (the "
        f"median number of these features is {alone.median() + 1:.0f})",
        note=f"With other lengths of training it is {' and '.join(lengths)}: the statement fits models that are not "
        "trained to the end",
    )


@claims.add(
    "both_in_one_model",
    figure="absolute_neurons",
    paper="In some regimes many neurons are pure, and a subset of them is highly polysemantic",
    about="trained models",
    phrase="subset of them will be highly",
    criteria=[
        Criterion(
            "least number of neurons of either kind at 1-S = 0.01, for any seed and any threshold from "
            f"{MONOSEMANTIC_THRESHOLDS[0]:g} to {MONOSEMANTIC_THRESHOLDS[-1]:g}",
            ">",
            0,
            "the paper",
            "both kinds exist",
            ".0f",
        )
    ],
    at_quick=False,
)
def both_in_one_model(data: Tables) -> Finding:
    m = data["absolute_neurons"]["neurons"]["neuron"].max() + 1
    several = np.array([_polysemantic_counts(data, t).loc[0.01] for t in MONOSEMANTIC_THRESHOLDS])
    return Finding(
        [Number(np.minimum(several, m - several).min())],
        text=f"{several.min()} to {several.max()} of {m} have several features",
    )


@claims.add(
    "important_stay_monosemantic",
    figure="absolute_neurons",
    paper="Neurons that represent the most important features tend to be monosemantic",
    about="trained models",
    phrase="neurons representing the most important features",
    criteria=[
        Criterion(
            "largest probability, in the best model of any seed at 1-S = 0.03 to 0.003, that second weights and "
            "importances are unrelated",
            "<",
            0.01,
            "null model",
            "permutations (Spearman): one in a hundred by chance",
            ".1g",
        )
    ],
    at_quick=False,
)
def important_stay_monosemantic(data: Tables) -> Finding:
    units = _best(data)
    units = units[units["density"].isin(INTERMEDIATE[1:])]
    tests = [
        spearmanr(model["main"], model["second"], alternative="greater")
        for _, model in units.groupby(["density", "seed"])
    ]
    ranks = [test.statistic for test in tests]
    return Finding(
        [Number(np.max([test.pvalue for test in tests]))],
        text=f"rank correlations from {np.min(ranks):.2f} to {np.max(ranks):.2f} in {len(tests)} models",
    )


def _ratio_by_chance(count: int = 100, draws: int = 10_000) -> float:
    """Return the 1 % quantile of the second over the first of the sizes of so many Gaussian weights."""
    size = np.sort(np.abs(np.random.default_rng(0).normal(size=(draws, count))), axis=1)
    return float(np.quantile(size[:, -2] / size[:, -1], 0.01))


@claims.add(
    "primary_and_secondary",
    figure="absolute_zoom",
    paper="Many neurons appear to have a primary feature with a relatively large weight and one or more secondary ones "
    "with smaller weights",
    about="trained models",
    phrase="encoded by a relatively large weight",
    criteria=[
        Criterion(
            "largest median, at any intermediate density, of the second weight over the first, in neurons with several "
            "features",
            "<",
            None,
            "null model",
            "less than one in a hundred neurons with random weights",
            ".2f",
        )
    ],
    at_quick=False,
)
def primary_and_secondary(data: Tables) -> Finding:
    units = _best(data)
    several = units[(units["small"] > 0) & units["density"].isin(INTERMEDIATE)]
    medians = several.groupby("density")["second"].median()[::-1]
    return Finding(
        [Number(medians.max(), bound=_ratio_by_chance())],
        text=", ".join(f"{ratio:.2f} at 1-S = {density:g}" for density, ratio in medians.items()),
    )


@claims.add(
    "largest_activations",
    figure="absolute_zoom",
    paper="The largest activations of a neuron with a primary feature come all or nearly all from that feature, while "
    "small activations are much more polysemantic",
    about="trained models",
    phrase="largest activations of that neuron",
    criteria=[
        Criterion(
            "least share, at any intermediate density, of the activations above half of the largest weight at which "
            "the primary feature is active, in the median neuron",
            ">",
            0.5,
            "midpoint",
            "between none and all",
            ".0%",
        ),
        Criterion(
            "largest ratio of the same share among smaller activations to it",
            "<",
            0.5,
            "midpoint",
            "between none and as many",
            ".2f",
        ),
    ],
    at_quick=False,
)
def largest_activations(data: Tables) -> Finding:
    active = data["absolute_neurons"]["activity"].query("visible > 1 and second < 0.5")
    medians = active.groupby("density")[["large", "small"]].median().sort_index(ascending=False)
    shares = medians[medians.index.isin(INTERMEDIATE)]
    return Finding(
        [Number(shares["large"].min()), Number((shares["small"] / shares["large"]).max())],
        text="; ".join(
            f"1-S = {density:g}: {row['large']:.0%} of large, {row['small']:.0%} of small activations"
            for density, row in medians.iterrows()
        ),
        note="Neurons with several features, whose second weight is below half of the first",
    )


@claims.add(
    "motif",
    figure="asymmetric_motif",
    paper="In a model with limited superposition, a neuron represents two features with unequal weights, such as "
    "[2, -½] in and [½, 2] out, so that one interferes heavily; another neuron inhibits where this would be positive. "
    "The motif occurs twice",
    about="trained models",
    phrase="another neuron heavily inhibit the feature",
    criteria=[
        Criterion("instances in the model shown", ">", 1.5, "midpoint", "between one and the paper's two", ".0f"),
        Criterion(
            "least loss without an inhibiting weight, over the loss with it", ">", 1, "the paper", "it inhibits", ".1f"
        ),
        Criterion(
            "least share of the rise of the loss, without the first feature's input to the inhibitor, that is in "
            "samples in which this feature activates the shared neuron",
            ">",
            0.5,
            "midpoint",
            "half of the samples with the feature",
            ".1%",
        ),
    ],
)
def motif(data: Tables) -> Finding:
    tables = data["asymmetric_motif"]
    motifs, ablations, models = motifs_of_shown_model(tables), tables["ablations"], tables["models"]
    before = ablations.query("without == 'nothing'")["loss"].iloc[0]
    without = ablations.set_index("without")
    names = [name for name in ("inhibition", "inhibitor's input") if name in without.index]
    weights = [
        f"[{row.in_first:.2g}, {row.in_second:.2g}] in, [{row.out_first:.2g}, {row.out_second:.2g}] out"
        for row in motifs.itertuples()
    ]
    found = models[models["best"] & (models["instances"] >= 2)]
    return Finding(
        [
            Number(len(motifs)),
            Number((without.loc[names, "loss"] / before).min()),
            Number(without.loc[names[1:], "share"].min()),
        ],
        text=f"weights {'; '.join(weights)}",
        note="An instance is found by rule: both features are computed at least to a half, with input weights that "
        f"differ at least twofold. Two instances are in the best model at {len(found)} of "
        f"{models['density'].nunique()} densities, one or more in {(models['instances'] > 0).mean():.0%} of all models",
    )


claims.leave_out(
    "other_weights",
    paper="A few other weights in the model with the motif are, they believe, effectively small conditional biases",
    phrase="effectively small conditional biases",
    why="The paper's weights are shown as a picture only; which weights of another model are meant is not defined.",
)
claims.leave_out(
    "more_neurons_easier",
    paper="The model learns more easily when there are more neurons",
    phrase="learns more easily when there",
    why="It would need the same sweep with 80 and 160 neurons, which costs several times the training of this section.",
)

"""Judge how many features are represented, and which of them share dimensions, as sparsity grows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from superposition.analysis.rows import rows_at
from superposition.paper.basic.counts import (
    FIGURES,
    all_shared,
    by_density,
    counts_of,
    counts_of_all,
    model_size,
    represented_mask,
    rows_of,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, at_most_zero, improbable

claims = Claims("basic")


@claims.add(
    figure="basic_small",
    paper="The number of extra features grows as sparsity grows",
    phrase="number of extra features increases",
    criteria=[
        at_most_zero(
            "largest fall of the number of features with ‖W_i‖² > ½ from one density to the next lower one, trained "
            "and best known, both sizes",
            "the paper",
            "the number grows with sparsity; where all fit, or none more, it may stay",
        ),
        Criterion(
            "the number at the lowest density relative to that at the highest, smallest of the same",
            above(1, "the paper", "the number grows with sparsity"),
        ),
    ],
    at_quick=False,
)
def more_features_with_sparsity(data: Tables) -> Finding:
    counts = {name: count["represented"] for name, count in counts_of_all(data).items()}
    known = rows_at(data["basic_small"]["best_features"], density=0.001)["known_loss"].iloc[0]
    notebook = rows_of(data, "basic_small", "models", "_notebook").iloc[0]
    of_notebook = counts_of(data, "basic_small", "_notebook")["represented"].iloc[0]
    ours = rows_at(rows_of(data, "basic_small", "models"), density=0.001).iloc[0]
    return Finding(
        [
            max(count.diff(-1).max() for count in counts.values()),
            min(count.iloc[-1] / count.iloc[0] for count in counts.values()),
        ],
        text="; ".join(f"{name}: {by_density(count)}" for name, count in counts.items()),
        note="The number stays below n: the paper does not say that it reaches n. No better model with more features "
        f"is known: with n = 20 at 1-S = 0.001, where our loss is {ours['loss'] / known - 1:.1%} above the best known, "
        f"that model represents {counts['n = 20, best known'].iloc[-1]}. Models trained as in the authors' "
        f"notebook represent {of_notebook} of {notebook['n']} at 1-S = 0.001 (the best of {notebook['restarts']}); "
        f"their loss differs from ours by {notebook['loss'] / ours['loss'] - 1:+.1%}",
    )


@claims.add(
    figure="basic_small",
    paper="At high sparsity models put all features in superposition and continue to pack more",
    phrase="number of extra features increases",
    criteria=[
        at_most_zero(
            "represented features with a dedicated dimension (superposition < ½) at the lowest density, trained and "
            "best known, both sizes",
            "the paper",
            "all features are in superposition; ½ lies between a dedicated dimension and an antipodal pair",
        ),
        Criterion(
            "growth of the number of represented features once all of them share dimensions, smallest of the same",
            above(0, "the paper", "models continue to pack more"),
            ".0f",
        ),
    ],
    at_quick=False,
)
def all_in_superposition(data: Tables) -> Finding:
    counts = counts_of_all(data)
    packed = {n: all_shared(table)["represented"] for n, table in counts.items()}
    notebook = counts_of(data, "basic_small", "_notebook").iloc[0]
    return Finding(
        [
            sum(table["dedicated"].iloc[-1] for table in counts.values()),
            min(values.iloc[-1] - values.iloc[0] if len(values) else np.nan for values in packed.values()),
        ],
        text="; ".join(
            f"{name}: represented, all in superposition, by 1-S: {by_density(of)}" for name, of in packed.items()
        ),
        note="Not every feature is represented, and those that are not are in superposition in no sense. Of the "
        f"{notebook['represented']:.0f} that the best model trained as in the authors' notebook represents at 1-S = "
        f"0.001, {notebook['dedicated']:.0f} have a dedicated dimension",
    )


@claims.add(
    figure="basic_small",
    paper="Superposition starts with the less important features and gradually reaches the most important ones",
    phrase="gradually affects the most important ones",
    criteria=[
        Criterion(
            "share of the pairs of a feature with a dedicated dimension and one in superposition in which the first is "
            "the more important, smallest over the densities and sizes at which there are both",
            above(0.5, "null model", "features in random order, on average"),
            ".1%",
        ),
        improbable(
            "probability that a random order gives such shares (Mann–Whitney, combined by Fisher's method over the "
            "same densities and sizes)",
            "a random order passes once in a hundred times",
        ),
        at_most_zero(
            "largest rise of the number of features with a dedicated dimension from one density to the next lower one",
            "the paper",
            "superposition gradually reaches all features",
        ),
    ],
    # The best of three models of n = 80 can have one feature with a dedicated dimension at 1-S = 0.03 and two at 0.01.
    at_quick=False,
)
def least_important_first(data: Tables) -> Finding:
    orders = [order for figure in FIGURES for order in _orders(rows_of(data, figure, "features"))]
    dedicated = {model_size(data, figure)[0]: counts_of(data, figure)["dedicated"] for figure in FIGURES}
    return Finding(
        [
            min((share for share, _ in orders), default=np.nan),
            stats.combine_pvalues([chance for _, chance in orders]).pvalue if orders else np.nan,
            max(count.diff().max() for count in dedicated.values()),
        ],
        text="; ".join(
            f"n = {n}: features with a dedicated dimension, by 1-S: {by_density(c)}" for n, c in dedicated.items()
        ),
    )


def _orders(features: pd.DataFrame) -> Iterator[tuple[float, float]]:
    """Yield the share of pairs in order, and its chance in a random order, at densities with features of both kinds."""
    for _, rows in features[represented_mask(features)].groupby("point"):
        shared = rows["superposition"] > 0.5
        if shared.any() and not shared.all():
            ranks = rows["feature"][shared], rows["feature"][~shared]
            test = stats.mannwhitneyu(*ranks, alternative="greater")
            yield test.statistic / (len(ranks[0]) * len(ranks[1])), test.pvalue

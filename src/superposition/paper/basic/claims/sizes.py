"""Judge what larger models have in common with smaller ones, and which features wider models give a dimension."""

import pandas as pd

from superposition.paper.basic.counts import (
    FIGURES,
    all_shared,
    by_density,
    counts_of,
    model_size,
    onset,
    represented_mask,
    rows_of,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, at_most_zero

claims = Claims("basic")

# Wider models of 20 features, beside the one with m = 5.
WIDER = ("", "_m10", "_m15", "_m20")


@claims.add(
    figure="basic_large",
    paper="Results are qualitatively similar for more features and dimensions: n = 80 and m = 20 give essentially a "
    "rescaled version of the picture",
    phrase="essentially a rescaled version",
)
def scale_free(data: Tables) -> Finding:
    counts = {model_size(data, figure): counts_of(data, figure) for figure in FIGURES}
    texts = []
    for (n, m), table in counts.items():
        texts.append(
            f"n = {n}, m = {m}: share represented, by 1-S: {by_density(table['represented'] / n, '.2f')}; "
            f"superposition from 1-S = {onset(table).index.max():g}, no dedicated dimension left from "
            f"{all_shared(table).index.max():g}"
        )
    # Welch's bound: of n unit vectors in m dimensions, some two have a cosine of at least this size.
    welch = [((n - m) / (m * (n - 1))) ** 0.5 for n, m in counts]
    return Finding(
        text="; ".join(texts),
        note="The order of events is the same, as the claims above say for both sizes. A strict rescaling is not "
        "claimed and is not possible: the last importance is 0.9^80 against 0.7^20, and more dimensions hold the same "
        "number of features per dimension with less interference (Welch's bound on the largest |cosine| "
        f"falls from {welch[0]:.2f} to {welch[1]:.2f})",
    )


@claims.add(
    figure="basic_small",
    paper="Models of any size may hold many features in superposition, but unless all are equally important, any given "
    "feature should eventually get a dedicated neuron as the model grows",
    about="a belief",
    phrase="eventually be given a dedicated neuron",
    criteria=[
        Criterion(
            "smallest rise of the number of features with a dedicated dimension from one m to the next (5, 10, 15, "
            "20), over the densities",
            above(0, "the paper", "more and more features get a dimension of their own"),
            ".0f",
        ),
        at_most_zero(
            "features with a dedicated dimension that have none in a larger model",
            "the paper",
            "a feature that has been given a dimension keeps it",
        ),
    ],
    at_quick=False,
)
def eventually_dedicated(data: Tables) -> Finding:
    dedicated = {}
    for suffix in WIDER:
        features = rows_of(data, "basic_small", "features", suffix).set_index(["density", "feature"])
        m = int(rows_of(data, "basic_small", "models", suffix)["m"].iloc[0])
        dedicated[m] = represented_mask(features) & (features["superposition"] < 0.5)
    # The wider models have fewer densities.
    table = pd.DataFrame(dedicated).dropna().astype(int)
    counts = table.groupby("density").sum()
    return Finding(
        [counts.diff(axis=1).min(axis=None), (table.diff(axis=1) < 0).sum(axis=None)],
        text="; ".join(
            f"m = {m}: features with a dedicated dimension, by 1-S: {by_density(count[::-1])}"
            for m, count in counts.items()
        ),
        note="n = 20 and I_i = 0.7^i throughout. With norms of 1 and no bias, sharing the dimension of feature i with "
        "feature j, which would otherwise be dropped, pays if I_j > I_i p / (2 - 5p/2), and with the best ones "
        "somewhat earlier; as m grows, the features left over become less important",
    )

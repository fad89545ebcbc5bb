"""Judge D_i: the lines at which they cluster, and what they add up to."""

from superposition.analysis.rows import listed, rows_at
from superposition.paper.geometry import (
    LARGE_SWEEP,
    LINE_HALF_WIDTH,
    NOTEBOOK_SWEEP,
    REPLICATED_SWEEP,
    SIGNIFICANCE,
    beside_best,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import below_half, identity
from superposition.theory.polytopes import FRACTION_LABELS

claims = Claims("geometry")


@claims.add(
    figure="feature_dimensionality",
    paper="The D_i of trained models cluster at certain fractions; there are distinct lines at 3/4, 2/3, 1/2, 2/5, 3/8 "
    "and 0",
    phrase="dimensionalities cluster at certain fractions",
    at_quick=False,
)
def clusters(data: Tables) -> Finding:
    tables = data["feature_dimensionality"]
    table = tables["clusters"].assign(known=tables["best_clusters"]["chance"])
    named = table["polytope"].fillna("") != ""
    lines, others = table[named & (table["line"] < 1)], table[~named]
    lines = lines.assign(label=lines["line"].map(FRACTION_LABELS))
    recognised = tables["factors"].groupby("polytope")["features"].sum()
    counts = lines["polytope"].map(recognised).fillna(0).astype(int)
    both = beside_best(data["dimensions_per_feature"])
    beaten = both[both["deviation"] > 3]
    return Finding(
        text="probability that a smooth distribution has as many models with more D_i within "
        f"{LINE_HALF_WIDTH:.5f} of a line than beside it: {listed(lines, '{label}: {chance:.1g}')}; of the best known "
        f"models: {listed(lines, '{label}: {known:.1g}')}. Of {len(others)} other lines, "
        f"{(others['chance'] < SIGNIFICANCE).sum()} have less than {SIGNIFICANCE:.0%}. Features recognised: "
        + listed(lines.assign(count=counts).query("polytope != 'absent'"), "{polytope} {count}"),
        note="No verdict: training has not reached the best models where some of the polytopes are best, and the "
        "search for these starts from polytopes, among others, so that their lines say little. The model of n = 400 "
        f"costs more than the best known one, beyond three standard errors, at {len(beaten)} of {len(both)} densities"
        + listed(beaten.nlargest(1, "excess"), ", by up to {excess:.2%} (1-S = {density:.3g})"),
    )


@claims.add(
    figure="feature_dimensionality",
    paper="The authors believe that there would be a line at 1, were it not that features of the basis cannot be told "
    "from other directions in the dense regime",
    about="a belief",
    phrase="basis features are indistinguishable from other",
)
def line_at_one(data: Tables) -> Finding:
    features = data["feature_dimensionality"]["features"]
    dense = rows_at(features[features["experiment"] == LARGE_SWEEP], density=1)["dimensionality"]
    return Finding(
        text=f"n = 400, S = 0: D_i from {dense.min():.3f} to {dense.max():.3f}, on average {dense.mean():.3f}",
        note="The belief follows from the loss of linear models: if importances are slightly unequal, the unique "
        "optimum gives each of the m most important features a dimension, D_i = 1",
    )


@claims.add(
    figure="feature_dimensionality",
    paper="Empirically it seems that the D_i add up to the number of dimensions m when features are, in some sense, "
    "packed efficiently",
    phrase="learned will have a dimensionality of",
    criteria=[
        below_half(
            "largest deficit 1 - Σ_i D_i / m, trained and best known, relative to that of random directions",
            "half way between none and that of a Gaussian W, where it is (m-1)/(n+m-1) on average: 7 % for n = 400, "
            "m = 30",
        )
    ],
)
def budget(data: Tables) -> Finding:
    tables, deficits, texts = data["dimensions_per_feature"], [], []
    for kind, table in (("trained", "curves"), ("best known", "best")):
        models = tables[table][tables[table]["experiment"].isin([LARGE_SWEEP, REPLICATED_SWEEP])]
        budget, n, m = models["budget"], models["n"], models["m"]
        deficits.append(((1 - budget) * (n + m - 1) / (m - 1)).max())
        texts.append(f"from {budget.min():.4f} to {budget.max():.4f} ({kind})")
    notebook = tables["curves"].query(f"experiment == '{NOTEBOOK_SWEEP}'")["budget"]
    return Finding(
        [max(deficits)],
        text=f"n = 200 and 400, Σ_i D_i / m at all densities: {', '.join(texts)}",
        note=f"Of models trained as in the authors' notebook: from {notebook.min():.4f} to {notebook.max():.4f}",
    )


@claims.add(
    figure="feature_dimensionality",
    paper="A reader's comment (Zhang): D_i is like the leverage score of a feature; as leverage scores add up to the "
    "rank of W, it is natural that the D_i do so, too",
    about="any model",
    phrase="another nice fact about leverage score",
    criteria=[
        identity(
            "largest excess of D_i over the leverage score W_iᵀ(WWᵀ)⁺W_i",
            "it is never more, by the inequality of Cauchy and Schwarz; allows for rounding",
        ),
        identity(
            "largest difference between the sum of the leverage scores and the rank of W",
            "the trace of a projection is its rank; allows for rounding",
        ),
    ],
)
def leverage(data: Tables) -> Finding:
    models = data["feature_dimensionality"]["models"]
    return Finding(
        [models["excess"].max(), (models["leverage"] - models["rank"]).abs().max()],
        text=f"the leverage score is larger than D_i by at most {models['gap'].max():.3f}, and by "
        f"{models['mean_gap'].median():.1e} on average over the features of half of the models",
        note="They are equal if and only if W_i is an eigenvector of WWᵀ, as in polytopes",
    )

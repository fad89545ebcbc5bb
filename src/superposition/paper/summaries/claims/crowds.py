"""Judge models of many features: which are represented, how long they are, and how nearly orthogonal."""

from dataclasses import replace

import pandas as pd

from superposition.analysis.rows import SAME, rows_at
from superposition.paper.summaries import SPARSE
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import (
    Criterion,
    Number,
    above,
    above_half,
    at_most_zero,
    below_half,
)

claims = Claims("summaries")


def _sparse(data: Tables) -> pd.DataFrame:
    """Return the models of equally important features at 90 % sparsity and more, and those of n = 20, m = 5."""
    models = rows_at(data["many_features"]["models"], relative_importance=1)
    return models[models["density"] <= SPARSE * (1 + SAME)]


@claims.add(
    figure="many_features",
    paper="At 90 % sparsity and more, all features are represented",
    criteria=[
        at_most_zero("features that are not represented, at most, n = 5, m = 2", "the summary", "all are represented"),
        at_most_zero("features that are not represented, at most, n = 20, m = 5", "the summary", "all are represented"),
    ],
    correction=[
        at_most_zero("features that are not represented, at most, n = 5, m = 2", "the summary", "all are represented"),
        above_half(
            "features that are not represented, at least, n = 20, m = 5", "half way between none and one", ".0f"
        ),
    ],
    expected="corrected",
)
def all_represented(data: Tables) -> Finding:
    models = _sparse(data)
    models = models.assign(absent=models["n"] - models["represented"])
    small, large = models.query("n == 5"), models.query("experiment == 'basic_small'")
    others = models.query("n > 20").groupby(["n", "m"])["represented"].agg(["min", "max"])
    return Finding(
        [Number(small["absent"].max()), Number(large["absent"].max())],
        [Number(small["absent"].max()), Number(large["absent"].min())],
        text="n = 20, m = 5, represented by 1-S: "
        + ", ".join(f"{row.represented} at {row.density:g}" for row in large.sort_values("density").itertuples())
        + "; equally important features, at 1-S ≤ 0.1: "
        + ", ".join(f"{row['min']} to {row['max']} of {n} in {m}" for (n, m), row in others.iterrows()),
        correction="All are represented if there are few of them: five in two dimensions, but not twenty in five, "
        "however sparse",
    )


_OFF_ONE = below_half(
    "largest |‖W_i‖² - 1|, in models of any size and density, of features whose output rises by more than ½ if they "
    "alone become active, at 1",
    "half way from 1 to an absent feature, and as far above 1",
    ".2f",
)


@claims.add(
    figure="many_features",
    paper="The diagonal of WᵀW is 1 for features that are represented",
    criteria=[_OFF_ONE],
    correction=[
        replace(_OFF_ONE, statistic=f"{_OFF_ONE.statistic}, at 1-S = 1 only"),
        Criterion(
            "least mean ‖W_i‖² of these features at the lowest density, of any size of models",
            above(1, "the summary", "1; sparse features are longer"),
            ".2f",
        ),
    ],
    expected="corrected",
    # The extreme one of many features of hardly trained models comes near the bound.
    at_quick=False,
)
def diagonal(data: Tables) -> Finding:
    models = rows_at(data["many_features"]["models"], relative_importance=1).query("experiment != 'five_binary'")
    dense = rows_at(models, density=1)
    sparsest = models[models["density"] == models.groupby("experiment")["density"].transform("min")]
    by_size = sparsest.groupby(["n", "m"])["norm2"].mean()
    small = models.query("experiment == 'basic_small'").sort_values("density")
    return Finding(
        [Number(models["off_one"].max())],
        [Number(dense["off_one"].max()), Number(by_size.min())],
        text="mean ‖W_i‖² at the lowest density by n, m: "
        + ", ".join(f"{mean:.2f} ({n}, {m})" for (n, m), mean in by_size.items())
        + "; n = 20, m = 5 with falling importances, by 1-S: "
        + ", ".join(f"{row.norm2:.2f} at {row.density:g}" for row in small.itertuples()),
        correction="It is about 1 where features are dense. Where they are sparse, negative biases, which filter "
        "interference, go with values above 1, most of all if many features are equally important",
    )


@claims.add(
    figure="many_features",
    paper="Exponentially many directions can be almost orthogonal, and models make use of them",
    expected="described",
)
def almost_orthogonal(data: Tables) -> Finding:
    models = data["many_features"]["models"].query("n > 20")
    crowded = models[models["represented"] > models["m"]].assign(
        above=lambda rows: rows[["highest", "lowest"]].abs().max(axis=1) >= rows["random"]
    )
    sparsest = crowded[crowded["density"] == crowded["density"].min()]
    denser = crowded[crowded["above"]]["density"]
    return Finding(
        text=f"features, their cosines at 1-S = {sparsest['density'].min():.2g}, and the number of random directions "
        "that are as nearly orthogonal in half of all cases: "
        + ", ".join(
            f"{row.represented} of {row.n} in {row.m} dimensions, {row.lowest:.2f} to {row.highest:.2f}, "
            f"{row.random_count:.0f}"
            for row in sparsest.drop_duplicates(["n", "m"]).itertuples()
        )
        + f"; random directions are nearer to orthogonal than {len(denser)} of {len(crowded)} models, at 1-S of "
        f"{denser.min():.2g} and more, where features form antipodal pairs",
        note="That exponentially many directions can be almost orthogonal is a theorem, by which random ones are "
        "(Johnson and Lindenstrauss). Whether models represent exponentially many cannot be seen with n up to 400",
    )

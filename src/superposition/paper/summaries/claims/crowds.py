"""Judge models of many features: which are represented, how long they are, and how nearly orthogonal."""

from dataclasses import replace

from superposition.analysis.rows import SAME, listed, rows_at
from superposition.paper.summaries import SPARSE
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, at_most_zero, below_half

claims = Claims("summaries")


def _none_absent(size: str) -> Criterion:
    """Return the criterion that all features are represented in models of some size."""
    return at_most_zero(f"features that are not represented, at most, {size}", "the summary", "all are represented")


@claims.add(
    figure="many_features",
    paper="At 90 % sparsity and more, all features are represented",
    criteria=[_none_absent("n = 5, m = 2"), _none_absent("n = 20, m = 5, falling importances")],
    correction=[
        _none_absent("n = 5, m = 2"),
        above_half(
            "features that are not represented, at least, n = 20, m = 5, falling importances",
            "half way between none and one",
            ".0f",
        ),
    ],
    expected="corrected",
)
def all_represented(data: Tables) -> Finding:
    models = rows_at(data["many_features"]["models"], relative_importance=1)
    models = models[models["density"] <= SPARSE * (1 + SAME)]
    models = models.assign(absent=models["n"] - models["represented"])
    small, large = models.query("n == 5"), models.query("experiment == 'basic_small'")
    others = models.query("n > 20").groupby(["n", "m"])["represented"].agg(["min", "max"])
    by_density = listed(large.sort_values("density"), "{represented} at {density:g}")
    return Finding(
        [small["absent"].max(), large["absent"].max()],
        [small["absent"].max(), large["absent"].min()],
        text=f"n = 20, m = 5, I_i = 0.7^i, represented by 1-S: {by_density}; equally important features, at "
        "1-S ≤ 0.1: " + listed(others, "{min} to {max} of {n} in {m}"),
        correction="Equally important features are all represented if they are few or sparse enough, five in two "
        f"dimensions throughout; of twenty in five, with falling importances, at least {large['absent'].min()} are "
        f"absent at every density down to 1-S = {large['density'].min():g}",
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
        [models["off_one"].max()],
        [dense["off_one"].max(), by_size.min()],
        text=f"mean ‖W_i‖² at the lowest density by n, m: {listed(by_size, '{norm2:.2f} ({n}, {m})')}; n = 20, m = 5 "
        f"with falling importances, by 1-S: {listed(small, '{norm2:.2f} at {density:g}')}",
        correction="It is about 1 where features are dense. Where they are sparse, negative biases, which filter "
        "interference, go with values above 1, most of all if many features are equally important",
    )


@claims.add(
    figure="many_features",
    paper="Exponentially many directions can be almost orthogonal, and models make use of them",
)
def almost_orthogonal(data: Tables) -> Finding:
    models = data["many_features"]["models"].query("n > 20")
    models = models.assign(cosine=models[["highest", "lowest"]].abs().max(axis=1))
    crowded = models[models["represented"] > models["m"]]
    sparsest = crowded[crowded["density"] == crowded["density"].min()].drop_duplicates(["n", "m"])
    denser = crowded[crowded["cosine"] >= crowded["random"]]["density"]
    return Finding(
        text=f"features, their cosines at 1-S = {sparsest['density'].min():.2g}, and the number of random directions "
        "that are as nearly orthogonal in half of all cases: "
        + listed(sparsest, "{represented} of {n} in {m} dimensions, {lowest:.2f} to {highest:.2f}, {random_count:.0f}")
        + f"; the most nearly orthogonal hundredth of random draws is more so than {len(denser)} of {len(crowded)} "
        f"models, at 1-S of {denser.min():.2g} and more, mostly where features form antipodal pairs",
        note="That exponentially many directions can be almost orthogonal is a theorem, by which random ones are "
        "(Johnson and Lindenstrauss). Whether models represent exponentially many cannot be seen with n up to 400",
    )

"""Judge statements of common summaries of the paper."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import binom

from superposition.paper.summaries import APART, DRAWN_THRESHOLD, OFTEN_ACTIVE, SPARSE
from superposition.pipeline.claims import Claims, Finding, Tables
from superposition.pipeline.criteria import Criterion, Number, Source

claims = Claims("summaries")

# Share of cases in which chance alone meets a criterion.
SIGNIFICANCE = 0.01
# Half of the 18° by which the angles to nearest neighbours differ in a pentagonal bipyramid.
EQUIDISTANT = 9


def none(statistic: str, source: Source, why: str) -> Criterion:
    """Return the criterion that something occurs nowhere."""
    return Criterion(statistic, "<", 1, source, why, ".0f")


def identity(statistic: str) -> Criterion:
    """Return the criterion of an identity."""
    return Criterion(statistic, "<", 1e-9, "exact calculation", "an identity; allows for rounding", ".1e")


def exponent(statistic: str, relation: Literal["<", ">"]) -> Criterion:
    """Return the criterion that an exponent is nearer to 2 than to 1, or the reverse."""
    return Criterion(statistic, relation, 1.5, "midpoint", "half way between proportional and quadratic", ".2f")


# Five features in the plane


def _equal(data: Tables, values: str) -> pd.DataFrame:
    """Return the best trained models of equally important features, from dense to sparse."""
    models = data["five_features"]["models"].query("relative_importance == 1")
    return models[models["values"] == values].sort_values("density", ascending=False)


def _best_arrangements(data: Tables, values: str) -> pd.DataFrame:
    """Return the arrangement of equally important features with the lowest loss at every density, sparsest first."""
    table = data["five_features"]["arrangements"]
    table = table[table["values"] == values].sort_values("loss", kind="stable")
    return table.drop_duplicates("density").sort_values("density", ignore_index=True)


def _steps(data: Tables, values: str) -> pd.DataFrame:
    """Return where the number of features in the best arrangement changes: the geometric mean of neighbours."""
    best = _best_arrangements(data, values)
    last = best["represented"].ne(best["represented"].shift(-1))[:-1]
    here, above = best[:-1][last], best[1:][last.to_numpy()]
    between = np.sqrt(here["density"].to_numpy() * above["density"].to_numpy())
    return pd.DataFrame(
        {"density": between, "sparser": here["represented"].to_numpy(), "denser": [*above["represented"]]}
    )


@claims.add(
    "binary",
    figure="five_features",
    paper="The phenomena are the same if features are binary, 1 when active: rarely active, five of them form a "
    "pentagon in the plane",
    about="trained models",
    criteria=[
        none("binary features that are not represented at the lowest density", "the summary", "all five are"),
        Criterion(
            "largest deviation of a step between neighbours from 72° at the lowest density",
            "<",
            6,
            "midpoint",
            "half way to the 60° of a hexagon, which is nearer than the 90° of two digons",
            ".1f",
        ),
        none(
            "numbers of represented features that are best at some density for one kind of values only",
            "exact calculation",
            "the best arrangement of each number of features is known; the same phenomena have the same numbers",
        ),
    ],
)
def binary(data: Tables) -> Finding:
    sparsest = _equal(data, "binary").iloc[-1]
    numbers = [set(_best_arrangements(data, values)["represented"]) for values in ("binary", "uniform")]
    optimum = data["five_features"]["optima"].query("relative_importance == 1").sort_values("density").iloc[0]
    arrangements = data["five_features"]["arrangements"].query("values == 'binary' and arrangement == 'pentagon'")
    pentagon = arrangements.sort_values("density").iloc[0]
    return Finding(
        [Number(5 - sparsest["represented"]), Number(sparsest["off_pentagon"]), Number(len(numbers[0] ^ numbers[1]))],
        text=f"the regular pentagon's loss exceeds that of the best known model at 1-S = {optimum['density']:.3g} by "
        f"{pentagon['loss'] / optimum['loss'] - 1:.2%}, whose steps differ from 72° by {optimum['off_pentagon']:.1f}° "
        "at most",
        note="With binary values a bias of 1 - ‖W_i‖² makes every regular polygon of long enough vectors exact on "
        "samples with one active feature; uniform values do not allow this",
    )


@claims.add(
    "dedicated",
    figure="five_features",
    paper=f"If features are often active (p = {OFTEN_ACTIVE}), the two most important ones get dimensions of their "
    "own, and the rest is ignored",
    about="trained models",
    criteria=[
        none(
            "importances of the rest below 1, and kinds of values, with which others than the two most important "
            "features, or not both, are represented",
            "the summary",
            "the two most important ones and no others",
        ),
        Criterion(
            "largest number of equally important features that are represented",
            "<",
            3,
            "the summary",
            "two, whichever they are",
            ".0f",
        ),
    ],
    correction=[
        none(
            "kinds of values with which the least importances do not give the two most important features dedicated "
            "dimensions",
            "the summary",
            "the statement, for the rest at the lowest importance",
        ),
        Criterion(
            "highest density at which more than two equally important features are represented, the lower one of both "
            "kinds of values",
            ">",
            OFTEN_ACTIVE,
            "the summary",
            "the density of which it speaks",
        ),
    ],
    expected="corrected",
)
def dedicated(data: Tables) -> Finding:
    models = data["five_features"]["models"]
    at = models[np.isclose(models["density"], OFTEN_ACTIVE)]
    falling, equal = at[at["relative_importance"] < 1], at[at["relative_importance"] == 1]
    lowest = falling[falling["relative_importance"] == falling["relative_importance"].min()]
    crowded = models[(models["relative_importance"] == 1) & (models["represented"] > 2)]
    reach = crowded.groupby("values")["density"].max().reindex(["binary", "uniform"])
    counts = ", ".join(f"{row.represented} ({row.values}, {row.relative_importance:g})" for row in at.itertuples())
    return Finding(
        [
            Number((~falling["dedicated"]).sum() if len(falling) else np.nan),
            Number(equal["represented"].max() if len(equal) else np.nan),
        ],
        [Number((~lowest["dedicated"]).sum() if len(lowest) else np.nan), Number(reach.min(skipna=False))],
        text=f"represented at p = {OFTEN_ACTIVE}, by values and importance of the last three: {counts}",
        correction="How many features are represented at this density depends on their importances: equally important "
        "ones form antipodal pairs; the two most important ones have dedicated dimensions if the others matter much "
        "less",
    )


@claims.add(
    "sharp",
    figure="five_features",
    paper="Between the two regimes there is a sharp threshold, drawn at a density of about "
    f"{DRAWN_THRESHOLD} as a step from five represented features to two",
    about="the optimum",
    criteria=[
        none(
            "numbers between two and five that are best at some density, equally important features, the larger one of "
            "both kinds of values",
            "the summary",
            "one step from five to two",
        ),
        none(
            "optima of binary features that have a ‖W_i‖² between ¼ and ¾, over densities and importances",
            "midpoint",
            "a quarter from absent and from represented; where the threshold is sharp, nothing is in between",
        ),
    ],
    correction=[
        Criterion(
            "steps of the number of features of the best arrangement, the fewer of both kinds of values",
            ">",
            1.5,
            "midpoint",
            "half way between one and two",
            ".0f",
        ),
        none(
            "optima of binary features that have a ‖W_i‖² between ¼ and ¾, equally important features",
            "midpoint",
            "a quarter from absent and from represented",
        ),
    ],
    expected="corrected",
)
def sharp(data: Tables) -> Finding:
    optima = data["five_features"]["optima"]
    undecided = optima[(optima["undecided"] - 0.5).abs() < 0.25]
    steps = {values: _steps(data, values) for values in ("binary", "uniform")}
    between = [len(set(_best_arrangements(data, values)["represented"]) - {2, 5}) for values in ("binary", "uniform")]
    found = "; ".join(
        f"{values}: " + ", ".join(f"{row.sparser} to {row.denser} at {row.density:.3f}" for row in table.itertuples())
        for values, table in steps.items()
    )
    return Finding(
        [Number(max(between)), Number(len(undecided))],
        [Number(min(map(len, steps.values()))), Number((undecided["relative_importance"] == 1).sum())],
        text=f"represented features of the best arrangement by 1-S; {found}",
        correction="There are two sharp thresholds: from a pentagon to two antipodal pairs, and from these to two "
        "features with dedicated dimensions",
    )


# Polygons and solids


def _at_lowest_density(data: Tables, n: int, m: int) -> pd.Series:
    """Return what the best model of this size is like at the lowest density."""
    models = data["polygons_and_solids"]["models"].query(f"n == {n} and m == {m}")
    return models.loc[models["density"].idxmin()]


def _range(data: Tables, n: int, m: int, arrangement: str) -> str:
    """Describe the densities at which the best model of a size has this arrangement."""
    models = data["polygons_and_solids"]["models"].query(f"n == {n} and m == {m}")
    here = models[models["arrangement"] == arrangement]["density"]
    where = f"1-S = {here.min():.2g} to {here.max():.2g} ({len(here)} of {len(models)})" if len(here) else "no density"
    return f"{arrangement} of {n} at {where}"


def _recognised(arrangement: str, n: int) -> Criterion:
    """Return the criterion that the best sparse model has an arrangement."""
    return Criterion(
        f"difference of WᵀW from the {arrangement}'s at the lowest density, best model of n = {n}",
        "<",
        0.18,
        "midpoint",
        "half of the 0.35 between the two polytopes that differ least",
        ".3f",
    )


def _difference(data: Tables, n: int, m: int, arrangement: str) -> Number:
    """Return how far the best sparse model is from an arrangement; NaN if it has another one."""
    model = _at_lowest_density(data, n, m)
    return Number(model["residual"] if model["arrangement"] == arrangement else np.nan)


@claims.add(
    "polygons",
    figure="polygons_and_solids",
    paper="Sparse features in the plane form a regular polygon: four a square, six a hexagon",
    about="trained models",
    criteria=[_recognised("square", 4), _recognised("hexagon", 6)],
)
def polygons(data: Tables) -> Finding:
    others = [_at_lowest_density(data, n, 2) for n in (5, 7, 8, 9)]
    return Finding(
        [_difference(data, 4, 2, "square"), _difference(data, 6, 2, "hexagon")],
        text=f"{_range(data, 4, 2, 'square')}; {_range(data, 6, 2, 'hexagon')}; at the lowest density "
        + ", ".join(f"{model['n']} form: {model['arrangement']}" for model in others),
        note="A square is two antipodal pairs. It is rigid: if the pairs are not orthogonal, each feature interferes "
        "positively with one of the other pair, which costs ReLU(cos)² already where one feature is active",
    )


@claims.add(
    "solids",
    figure="polygons_and_solids",
    paper="Sparse features in space form a regular polytope: four a tetrahedron, six an octahedron",
    about="trained models",
    criteria=[_recognised("tetrahedron", 4), _recognised("octahedron", 6)],
    correction=[
        _recognised("octahedron", 6),
        Criterion(
            "relative excess of the loss of a tetrahedron over that of an antipodal pair and two dedicated dimensions, "
            "at the lowest density",
            ">",
            1e-3,
            "measurement error",
            "ten times the relative error of these losses, 10⁻⁴",
            ".2%",
        ),
    ],
    expected="corrected",
)
def solids(data: Tables) -> Finding:
    table = data["polygons_and_solids"]["solids"].sort_values("density")
    sparsest = table.iloc[0]
    better = table[table["tetrahedron"] < table["digon"]]["density"]
    return Finding(
        [_difference(data, 4, 3, "tetrahedron"), _difference(data, 6, 3, "octahedron")],
        [_difference(data, 6, 3, "octahedron"), Number(sparsest["tetrahedron"] / sparsest["digon"] - 1)],
        text=f"{_range(data, 4, 3, 'tetrahedron')}; {_range(data, 6, 3, 'octahedron')}; at the lowest density four "
        f"form: {_at_lowest_density(data, 4, 3)['arrangement']}",
        correction="Four sparse features are an antipodal pair and two features with dedicated dimensions"
        + (f"; a tetrahedron is better only above 1-S = {better.min():.2f}" if len(better) else ""),
    )


def _spread(sparsest: pd.DataFrame) -> pd.Series:
    """Return the range of the angles to nearest neighbours in degrees; infinite if a feature is not represented."""
    complete = sparsest["represented"] == sparsest["n"]
    return (sparsest["largest"] - sparsest["smallest"]).where(complete, np.inf)


@claims.add(
    "equidistant",
    figure="polygons_and_solids",
    paper="In the best arrangement all features are equidistant in angle, at the corners of a regular polytope",
    about="the optimum",
    criteria=[
        none(
            f"sizes n, m at which features are absent, or angles to nearest neighbours differ by {EQUIDISTANT}° or "
            "more, at the lowest density",
            "midpoint",
            "half of the 18° of a pentagonal bipyramid, whose features are not equidistant",
        )
    ],
    correction=[
        none(
            f"sizes n, m = 2, up to n = 6, at which features are absent or angles differ by {EQUIDISTANT}° or more",
            "midpoint",
            "as above, in the plane",
        ),
        Criterion(
            f"sizes n, m = 3, at which features are absent or angles differ by {EQUIDISTANT}° or more",
            ">",
            0.5,
            "midpoint",
            "half way between none and one",
            ".0f",
        ),
    ],
    expected="corrected",
)
def equidistant(data: Tables) -> Finding:
    sparsest = data["polygons_and_solids"]["sparsest"]
    uneven = sparsest[_spread(sparsest) >= EQUIDISTANT]
    incomplete = uneven[uneven["represented"] < uneven["n"]]
    return Finding(
        [Number(len(uneven))],
        [Number(len(uneven.query("m == 2 and n <= 6"))), Number(len(uneven.query("m == 3")))],
        text="range of the angles, m = 3: "
        + ", ".join(f"n = {row.n}: {row.largest - row.smallest:.1f}°" for row in sparsest.query("m == 3").itertuples())
        + "; absent features: "
        + (
            ", ".join(f"{row.n - row.represented} of {row.n}, m = {row.m}" for row in incomplete.itertuples()) or "none"
        ),
        correction="Features are equidistant in polygons and in some solids, but not where they form products: "
        + ", ".join(f"{row.n} in {row.m} dimensions" for row in uneven.itertuples()),
        note="Regular polytopes in space have 4, 6, 8, 12 or 20 corners, so that other numbers of features cannot form "
        "one",
    )


@claims.add(
    "min_max",
    figure="polygons_and_solids",
    paper="The arrangement minimises the largest cosine between two features, as in Tammes' problem",
    about="the optimum",
    criteria=[
        none(
            "sizes n, m = 3, at which the smallest angle is nearer to that of least interference Σ ReLU(cos)² than to "
            "the best code's, at the lowest density",
            "midpoint",
            "half way between the two angles, at the sizes at which they differ by more than 0.1°",
        )
    ],
    correction=[
        Criterion(
            "share of these sizes at which it is nearer to that of least interference",
            ">",
            0.5,
            "midpoint",
            "half way between none and all",
            ".0%",
        )
    ],
    expected="corrected",
)
def min_max(data: Tables) -> Finding:
    sparsest = data["polygons_and_solids"]["sparsest"].query("m == 3")
    differ = sparsest[(sparsest["code"] - sparsest["least_interference"]).abs() > 0.1]
    missed = (differ["code"] - differ["smallest"]) / (differ["code"] - differ["least_interference"])
    nearer = differ[missed > 0.5]
    return Finding(
        [Number(len(nearer) if len(differ) else np.nan)],
        [Number(len(nearer) / len(differ) if len(differ) else np.nan)],
        text="smallest angle of the model, of the best code and with least interference: "
        + ", ".join(
            f"n = {row.n}: {row.smallest:.1f}°, {row.code:.1f}°, {row.least_interference:.1f}°"
            for row in differ.itertuples()
        ),
        correction="What is minimised is the interference of all pairs, to which angles of 90° or more do not "
        "contribute: a few closer pairs are accepted",
        note="In the plane regular polygons solve both problems",
    )


# Pairs


def _exponent(costs: pd.DataFrame, by: str) -> float:
    """Return the exponent of the cost between the two lowest values of a column in absolute terms."""
    rows = costs.assign(size=costs[by].abs()).sort_values("size").iloc[:2]
    return float(np.diff(np.log(rows["cost"]))[0] / np.diff(np.log(rows["size"]))[0])


@claims.add(
    "interference",
    figure="cost_of_a_pair",
    paper="The cost of a pair of features is proportional to p² and to the square of the cosine between them",
    about="any model",
    criteria=[
        exponent("exponent of p at low densities, positive cosine", ">"),
        exponent("exponent of p at low densities, negative cosine", ">"),
        exponent("exponent of the cosine where it is small, the lower one of both signs", ">"),
    ],
    correction=[
        exponent("exponent of p at low densities, positive cosine", "<"),
        exponent("exponent of p at low densities, negative cosine", ">"),
        exponent("exponent of the cosine where it is small, the lower one of both signs", ">"),
    ],
    expected="corrected",
)
def interference(data: Tables) -> Finding:
    costs = data["cost_of_a_pair"]["costs"]
    half = costs.iloc[(costs["cosine"].abs() - 0.5).abs().argmin()]["cosine"]
    relu = costs[costs["output"] == "ReLU"]
    middle = relu["density"].unique()[relu["density"].nunique() // 2]

    def of_density(table: pd.DataFrame, sign: int, column: str = "cost") -> float:
        here = table[np.isclose(table["cosine"], sign * abs(half))]
        return _exponent(here.assign(cost=here[column]), "density")

    of_cosine = [
        _exponent(relu[(relu["density"] == middle) & (relu["cosine"] * sign > 0)], "cosine") for sign in (1, -1)
    ]
    numbers = [Number(of_density(relu, 1)), Number(of_density(relu, -1)), Number(min(of_cosine))]
    linear = costs[costs["output"] == "linear"]
    return Finding(
        numbers,
        numbers,
        text=f"exponent of p at cos = {abs(half):.2f} with the best bias {of_density(relu, 1, 'best_bias'):.2f}, with "
        f"a linear output {of_density(linear, 1):.2f}",
        correction="A pair with a positive cosine costs in proportion to p, because it interferes whenever one of its "
        "features is active; only one with a negative cosine, which a ReLU filters then, costs in proportion to p²",
    )


@claims.add(
    "triangle",
    figure="cost_of_a_pair",
    paper="Of three directions at 120°, activating one makes another read -0.5; two at 0.9 read 0.45 each and the "
    "third -0.9",
    about="any model",
    criteria=[
        identity("largest difference of a linear read-out from these numbers"),
    ],
)
def triangle(data: Tables) -> Finding:
    table = data["cost_of_a_pair"]["triangle"]
    stated = {"one active": [1, -0.5, -0.5], "two active": [0.45, 0.45, -0.9]}
    read = {case: rows.sort_values("feature") for case, rows in table.groupby("case")}
    off = max(np.abs(read[case]["linear"] - numbers).max() for case, numbers in stated.items())
    best = {case: ", ".join(f"{value:.2f}" for value in rows["best"]) for case, rows in read.items()}
    return Finding(
        [Number(off)],
        text=f"a ReLU makes the negative ones 0; the best triangle at 1-S = 0.05 reads {best['one active']} and "
        f"{best['two active']}",
    )


@claims.add(
    "polytope_gram",
    figure="cost_of_a_pair",
    paper="Arrangements of features up to rotation are the same as positive semidefinite matrices WᵀW of rank m",
    about="any model",
    criteria=[
        identity("largest change of WᵀW as W is rotated"),
        identity("largest difference between W and what is recovered from WᵀW, up to rotation"),
        identity("largest difference between a matrix of rank m and WᵀW of the W that is recovered from it"),
    ],
)
def polytope_gram(data: Tables) -> Finding:
    table = data["cost_of_a_pair"]["round_trips"]
    return Finding(
        [Number(table[column].max()) for column in ("rotation", "recovered", "converse")],
        text=f"{len(table)} arrangements, with WᵀW of rank {', '.join(map(str, table['rank']))}",
        note="A theorem, if rotations include reflections and W has rank m; in general the rank is at most m",
    )


# Training


@claims.add(
    "dynamics",
    figure="pentagon_forms",
    paper="Training first pushes directions apart and then rotates them into the polytope",
    about="trained models",
    criteria=[
        Criterion(
            f"share of pentagons whose directions are apart, by {APART:g}° or more, when norms have settled",
            ">",
            0.5,
            "midpoint",
            "half way between none and all; the angle is half way between no distance and the 72° of a pentagon",
            ".0%",
        ),
        Criterion(
            "share of pentagons whose angles settle after their norms",
            ">",
            None,
            "null model",
            "with 99 % probability fewer do so if both orders are equally likely",
            ".0%",
        ),
    ],
    correction=[
        Criterion(
            "share of pentagons whose angles settle before their norms",
            ">",
            None,
            "null model",
            "with 99 % probability fewer do so if both orders are equally likely",
            ".0%",
        ),
    ],
)
def dynamics(data: Tables) -> Finding:
    runs = data["pentagon_forms"]["runs"]
    formed = runs[runs["pentagon"]]
    if formed.empty:
        return Finding([Number(np.nan), Number(np.nan, bound=1)], [Number(np.nan, bound=1)])
    bound = binom.ppf(1 - SIGNIFICANCE, len(formed), 0.5) / len(formed)
    later, earlier = (((formed["angles_settled"] - formed["norms_settled"]) * sign > 0).mean() for sign in (1, -1))
    times = ", ".join(
        f"{label} {formed[name].median():.0f}"
        for label, name in (
            ("directions apart", "apart"),
            ("angles settled", "angles_settled"),
            ("norms settled within 20 %", "norms_settled_wider"),
            ("10 %", "norms_settled"),
            ("5 %", "norms_settled_closer"),
        )
    )
    return Finding(
        [Number((formed["apart"] <= formed["norms_settled"]).mean()), Number(later, bound=bound)],
        [Number(earlier, bound=bound)],
        text=f"{len(formed)} of {len(runs)} models end as pentagons; median steps: {times}",
        correction="Directions find their places first, while norms still change",
    )


# Many features


def _sparse(data: Tables) -> pd.DataFrame:
    """Return the models of equally important features at 90 % sparsity and more, and those of n = 20, m = 5."""
    models = data["many_features"]["models"]
    return models[(models["density"] <= SPARSE + 1e-9) & (models["relative_importance"] == 1)]


@claims.add(
    "all_represented",
    figure="many_features",
    paper="At 90 % sparsity and more, all features are represented",
    about="trained models",
    criteria=[
        none("features that are not represented, at most, n = 5, m = 2", "the summary", "all are represented"),
        none("features that are not represented, at most, n = 20, m = 5", "the summary", "all are represented"),
    ],
    correction=[
        none("features that are not represented, at most, n = 5, m = 2", "the summary", "all are represented"),
        Criterion(
            "features that are not represented, at least, n = 20, m = 5",
            ">",
            0.5,
            "midpoint",
            "half way between none and one",
            ".0f",
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


@claims.add(
    "diagonal",
    figure="many_features",
    paper="The diagonal of WᵀW is 1 for features that are represented",
    about="trained models",
    criteria=[
        Criterion(
            "largest |‖W_i‖² - 1| of features whose output is above ½ if they alone are active, at 1",
            "<",
            0.5,
            "midpoint",
            "half way from 1 to an absent feature, and as far above 1",
            ".2f",
        )
    ],
    correction=[
        Criterion(
            "the same at density 1",
            "<",
            0.5,
            "midpoint",
            "half way from 1 to an absent feature, and as far above 1",
            ".2f",
        ),
        Criterion(
            "mean ‖W_i‖² - 1 of these features at the lowest density",
            ">",
            None,
            "measurement error",
            "three times its standard error",
            ".2f",
        ),
    ],
)
def diagonal(data: Tables) -> Finding:
    features = data["many_features"]["features"]
    features = features.assign(above=features["norm"] ** 2 - 1)
    read = features[features["above"] + 1 + features["bias"] > 0.5]
    dense, sparse = (read[read["density"] == p]["above"] for p in (features["density"].max(), read["density"].min()))
    mean = read.groupby("density")[["above", "bias"]].mean()
    return Finding(
        [Number(read["above"].abs().max())],
        [Number(dense.abs().max()), Number(sparse.mean(), bound=3 * sparse.sem())],
        text="mean ‖W_i‖² and b_i by 1-S: "
        + ", ".join(f"{row.Index:g}: {1 + row.above:.2f}, {row.bias:.2f}" for row in mean.itertuples()),
        correction="It is 1 where features have no bias; where they are sparser, negative biases, which filter "
        "interference, go with values above 1",
    )


@claims.add(
    "almost_orthogonal",
    figure="many_features",
    paper="Exponentially many directions can be almost orthogonal, and models make use of them",
    about="trained models",
    criteria=[
        none(
            "models with more features than dimensions whose largest |cos| is not below that of random directions",
            "null model",
            "as many random directions stay below in 1 % of all cases",
        )
    ],
    correction=[
        Criterion(
            "share of these models in which the largest cosine, with its sign, is below that of random directions",
            ">",
            0.5,
            "null model",
            "as many random directions stay below in 1 % of all cases, and one half is far more",
            ".0%",
        ),
        Criterion(
            "share of these models in which the lowest cosine is below -½",
            ">",
            0.5,
            "midpoint",
            "half way between none and all; -½ is half way between orthogonal and opposite directions",
            ".0%",
        ),
    ],
    expected="corrected",
)
def almost_orthogonal(data: Tables) -> Finding:
    models = data["many_features"]["models"].query("n > 20")
    crowded = models[models["represented"] > models["m"]]
    largest = crowded[["highest", "lowest"]].abs().max(axis=1)
    sparsest = crowded[crowded["density"] == crowded["density"].min()]
    return Finding(
        [Number((largest >= crowded["random"]).sum() if len(crowded) else np.nan)],
        [Number((crowded["highest"] < crowded["random_highest"]).mean()), Number((crowded["lowest"] < -0.5).mean())],
        text=f"cosines at 1-S = {sparsest['density'].min():.2g}: "
        + ", ".join(
            f"{row.lowest:.2f} to {row.highest:.2f} (n = {row.n}, m = {row.m}, {row.represented} represented)"
            for row in sparsest.drop_duplicates(["n", "m"]).itertuples()
        ),
        correction="Models keep the largest positive cosine below that of random directions, but have opposite "
        "directions too, which a ReLU filters",
        note="That exponentially many directions can be almost orthogonal is a theorem, by which random ones are "
        "(Johnson and Lindenstrauss)",
    )

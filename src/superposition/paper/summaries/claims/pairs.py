"""Judge pairs and triangles of features, and arrangements as Gram matrices."""

from typing import Literal

import numpy as np
import pandas as pd

from superposition.analysis.rows import rows_at
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Bound, Criterion, identity

claims = Claims("summaries")


def exponent(statistic: str, relation: Literal["<", ">"]) -> Criterion:
    """Return the criterion that an exponent is nearer to 2 than to 1, or the reverse."""
    return Criterion(statistic, Bound(relation, 1.5, "midpoint", "half way between proportional and quadratic"), ".2f")


def _exponent(costs: pd.DataFrame, by: str, kind: str = "cost") -> float:
    """Return the exponent of a kind of cost between the two values of a column that are the smallest in size."""
    rows = costs.assign(size=costs[by].abs()).nsmallest(2, "size")
    return float(np.diff(np.log(rows[kind]))[0] / np.diff(np.log(rows["size"]))[0])


_POSITIVE = "exponent of p at low densities, positive cosine"
_QUADRATIC = (
    exponent("exponent of p at low densities, negative cosine", ">"),
    exponent("exponent of the cosine where it is small, the lower one of both signs", ">"),
)


@claims.add(
    figure="cost_of_a_pair",
    paper="The cost of a pair of features is proportional to p² and to the square of the cosine between them",
    about="any model",
    criteria=[exponent(_POSITIVE, ">"), *_QUADRATIC],
    correction=[exponent(_POSITIVE, "<"), *_QUADRATIC],
    expected="corrected",
)
def interference(data: Tables) -> Finding:
    costs = data["cost_of_a_pair"]["costs"]
    relu, linear = (costs[costs["output"] == output] for output in ("ReLU", "linear"))
    middle = relu["density"].unique()[relu["density"].nunique() // 2]
    by_cosine = rows_at(relu, density=middle)
    positive, negative = (rows_at(relu, cosine=cosine) for cosine in (0.5, -0.5))
    numbers = [
        _exponent(positive, "density"),
        _exponent(negative, "density"),
        min(_exponent(by_cosine.query(f"cosine {sign} 0"), "cosine") for sign in "><"),
    ]
    return Finding(
        numbers,
        numbers,
        text=f"exponent of p at cos = ½ with the best bias {_exponent(positive, 'density', 'best_bias'):.2f}, with a "
        f"linear output {_exponent(rows_at(linear, cosine=0.5), 'density'):.2f}",
        correction="A pair with a positive cosine costs in proportion to p, because it interferes whenever one of its "
        "features is active; only one with a negative cosine, which a ReLU filters then, costs in proportion to p²",
    )


@claims.add(
    figure="cost_of_a_pair",
    paper="Of three directions at 120°, activating one makes another read -0.5; two at 0.9 read 0.45 each and the "
    "third -0.9",
    about="any model",
    criteria=[identity("largest difference of a linear read-out from these numbers")],
)
def triangle(data: Tables) -> Finding:
    table = data["cost_of_a_pair"]["triangle"]
    stated = {"one active": [1, -0.5, -0.5], "two active": [0.45, 0.45, -0.9]}
    read = {case: rows.sort_values("feature") for case, rows in table.groupby("case")}
    off = max(np.abs(read[case]["linear"] - numbers).max() for case, numbers in stated.items())
    best = {case: ", ".join(f"{value:.2f}" for value in rows["best"]) for case, rows in read.items()}
    return Finding(
        [off],
        text=f"a ReLU makes the negative ones 0; the best triangle at 1-S = 0.05 reads {best['one active']} and "
        f"{best['two active']}",
    )


@claims.add(
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
        [table[column].max() for column in ("rotation", "recovered", "converse")],
        text=f"{len(table)} arrangements, with WᵀW of rank {', '.join(map(str, table['rank']))}",
        note="A theorem, if rotations include reflections and W has rank m; in general the rank is at most m",
    )

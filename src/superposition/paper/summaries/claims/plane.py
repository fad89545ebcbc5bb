"""Judge five features in the plane: their values, how many are represented, and where their number changes."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed, rows_at
from superposition.paper.summaries import DRAWN_THRESHOLD, OFTEN_ACTIVE
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, at_most_zero, below

claims = Claims("summaries")

VALUES = ("binary", "uniform")


def _equal(data: Tables, values: str) -> pd.DataFrame:
    """Return the best trained models of equally important features, from dense to sparse."""
    models = data["five_features"]["models"].query("relative_importance == 1")
    return models[models["values"] == values].sort_values("density", ascending=False)


def _equal_optima(data: Tables) -> pd.DataFrame:
    """Return the optima of equally important binary features, from dense to sparse."""
    return data["five_features"]["optima"].query("relative_importance == 1").sort_values("density", ascending=False)


def _exceptions(models: pd.DataFrame) -> float:
    """Return how many models have others than two dedicated dimensions; NaN if there are no models."""
    return float((1 - models["dedicated"]).sum(min_count=1))


def _in_superposition(data: Tables, values: str) -> set[int]:
    """Return the numbers of features, more than two, that the best models represent at some density."""
    return {int(k) for k in _equal(data, values)["represented"] if k > 2}


@claims.add(
    figure="five_features",
    paper="The phenomena are the same if features are binary, 1 when active: rarely active, five of them form a "
    "pentagon in the plane",
    criteria=[
        at_most_zero("binary features that are not represented at the lowest density", "the summary", "all five are"),
        Criterion(
            "largest deviation of a step between neighbours from 72° at the lowest density",
            below(6, "midpoint", "half way to the 60° of a hexagon, which is nearer than the 90° of two digons"),
            ".1f",
        ),
        at_most_zero(
            "numbers of features in superposition, 3, 4 or 5, that are best at some density for one kind of values "
            "only",
            "the summary",
            "the same phenomena have the same numbers",
        ),
    ],
    at_quick=False,
)
def binary(data: Tables) -> Finding:
    sparsest = _equal(data, "binary").iloc[-1]
    numbers = [_in_superposition(data, values) for values in VALUES]
    optima = _equal_optima(data)
    regular = optima[optima["off_pentagon"] < 0.1]["density"]
    full = optima[optima["represented"] == 5]["density"]
    return Finding(
        [5 - sparsest["represented"], sparsest["off_pentagon"], len(numbers[0] ^ numbers[1])],
        text=f"the optimum of binary features is a regular pentagon up to 1-S = {regular.max():.3f} and has five "
        f"features up to {full.max():.3f}, which are at other angles in between",
        note="With binary values and a bias of 1 - ‖W_i‖², every polygon of long enough vectors is exact on samples "
        "with one active feature; uniform values do not allow this",
    )


@claims.add(
    figure="five_features",
    paper=f"If features are often active (p = {OFTEN_ACTIVE}), the two most important ones get dimensions of their "
    "own, and the rest is ignored",
    criteria=[
        at_most_zero(
            "importances of the rest below 1, and kinds of values, with which others than the two most important "
            "features, or not both, are represented",
            "the summary",
            "the two most important ones and no others",
        ),
        Criterion(
            "largest number of equally important features that are represented",
            below(3, "the summary", "two, whichever they are"),
            ".0f",
        ),
    ],
    correction=[
        at_most_zero(
            "kinds of values with which the least importances do not give the two most important features dedicated "
            "dimensions",
            "the summary",
            "the statement, for the rest at the lowest importance",
        ),
        Criterion(
            "smallest number of equally important features that are represented, of both kinds of values",
            above(2, "the summary", "two, whichever they are"),
            ".0f",
        ),
    ],
    expected="corrected",
)
def dedicated(data: Tables) -> Finding:
    at = rows_at(data["five_features"]["models"], density=OFTEN_ACTIVE)
    falling, equal = at[at["relative_importance"] < 1], at[at["relative_importance"] == 1]
    lowest = falling[falling["relative_importance"] == falling["relative_importance"].min()]
    each = equal.set_index("values")["represented"].reindex([*VALUES])
    counts = listed(at, "{represented} ({values}, {relative_importance:g})")
    return Finding(
        [_exceptions(falling), equal["represented"].max()],
        [_exceptions(lowest), each.min(skipna=False)],
        text=f"represented at p = {OFTEN_ACTIVE}, by values and importance of the last three: {counts}",
        correction="How many features are represented at this density depends on their importances: equally important "
        "ones form antipodal pairs; the two most important ones have dedicated dimensions if the others matter much "
        "less",
    )


def _steps(optima: pd.DataFrame) -> pd.DataFrame:
    """Return where the number of represented features changes, and the jump of the ‖W_i‖² that decides it.

    With the ‖W_i‖² of every optimum in descending order, it is the largest jump among the places that are gained.
    """
    norms = optima[[f"norm2_{k}" for k in range(1, 6)]].to_numpy()
    density, represented = optima["density"].to_numpy(), optima["represented"].to_numpy()
    rows = []
    for place in np.flatnonzero(np.diff(represented)):
        dense, sparse = represented[place : place + 2]
        gained = slice(min(dense, sparse), max(dense, sparse))
        jump = np.abs(norms[place + 1] - norms[place])[gained].max()
        rows.append((np.sqrt(density[place] * density[place + 1]), dense, sparse, jump))
    return pd.DataFrame(rows, columns=["density", "dense_side", "sparse_side", "jump"])


DECISIVE_JUMP = above_half(
    "smallest jump of a ‖W_i‖² at a step of the optimum of equally important binary features",
    "half way between a continuous change and one from absent to represented",
    ".2f",
)


@claims.add(
    figure="five_features",
    paper="Between the two regimes there is a sharp threshold, drawn at a density of about "
    f"{DRAWN_THRESHOLD} as a step from five represented features to two",
    about="the optimum",
    criteria=[
        at_most_zero(
            "numbers between two and five that the best models of equally important features represent at some "
            "density, the fewer of both kinds of values",
            "the summary",
            "one step from five to two",
        ),
        DECISIVE_JUMP,
    ],
    correction=[
        Criterion(
            "steps of the optimum of equally important binary features",
            above(1.5, "midpoint", "half way between one and two"),
            ".0f",
        ),
        DECISIVE_JUMP,
    ],
    expected="corrected",
)
def sharp(data: Tables) -> Finding:
    steps = _steps(_equal_optima(data))
    jump = steps["jump"].min()
    between = min(len(_in_superposition(data, values) - {5}) for values in VALUES)
    uniform = _equal(data, "uniform")
    ranges = uniform.groupby("represented")["density"].agg(["min", "max"]).sort_index(ascending=False)
    return Finding(
        [between, jump],
        [len(steps), jump],
        text="steps of the optimum of binary features: "
        + listed(steps[::-1], "{sparse_side} to {dense_side} at 1-S = {density:.2f}")
        + f"; trained models of uniform ones represent {listed(ranges, '{represented} at {min:g} to {max:g}')}",
        correction="There are several thresholds: four features form two antipodal pairs, and three share the plane",
        note="At each threshold the optimum jumps, so that a drawing of the number of features has steps",
    )

"""Judge where the losses of the pentagon and of two digons cross, and whether anything but kinds of solutions jumps."""

import itertools

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed, rows_at, weights_of
from superposition.paper.nonuniform import PAPER_CROSSOVER
from superposition.paper.nonuniform.claims.solutions import out_of_place
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, above_half, below, below_half

claims = Claims("nonuniform")


def above_its_error(statistic: str) -> Criterion:
    """Return the criterion that a phase change is of first order."""
    why = "three times its error; it is 0 if the change is not of first order"
    return Criterion(statistic, above(None, "measurement error", why), ".3f")


def smooth(statistic: str) -> Criterion:
    """Return the criterion that solutions deform smoothly until they snap."""
    why = "half way between a smooth deformation, whose steps vanish as the grid gets finer, and no snap at all"
    return below_half(statistic, why, ".2f")


@claims.add(
    figure="pentagon_loss",
    paper="The phase change, where the loss curves of the two geometries cross, is where the varied feature is about "
    "2.5 times sparser than the others",
    phrase="two different geometries crossing over",
    criteria=[
        Criterion(
            "distance of the crossing of the exact branches from 2.5 times sparser",
            below(0.25, "the paper", "about 2.5: nearer to it than to 2 or to 3"),
            ".3f",
        )
    ],
    correction=[
        Criterion(
            "distance from 2.5 times sparser",
            above(
                None,
                "measurement error",
                "three times the range of the results for different samples of the exact loss",
            ),
            ".3f",
        ),
        out_of_place("best fits that are not of the kind with the lower exact loss"),
    ],
    expected="corrected",
)
def crossover(data: Tables) -> Finding:
    fits, crossovers = (data["pentagon_loss"][name] for name in ("fits", "crossovers"))
    exact, error = rows_at(crossovers, density=fits["density"].iloc[0]).iloc[0][["crossover", "error"]]
    best = fits.loc[fits.groupby("relative_density")["loss"].idxmin()]
    wrong = (best["kind"] != np.where(best["relative_density"] < exact, "two digons", "pentagon")).sum()
    distance, spread = abs(1 / exact - 1 / PAPER_CROSSOVER), error / exact**2
    density_of_paper = np.exp(
        np.interp(np.log(PAPER_CROSSOVER), np.log(crossovers["crossover"]), np.log(crossovers["density"]))
    )
    return Finding(
        [Number(distance, spread)],
        [Number(distance, spread, bound=3 * spread), wrong],
        text=f"they cross where the varied feature is {1 / exact:.3f} times sparser",
        correction=f"The losses cross where it is {1 / exact:.2f} times sparser. Where they cross depends on how dense "
        "the others are",
        note="By the density of the others: "
        + listed(crossovers.assign(sparser=1 / crossovers["crossover"]), "{sparser:.2f} at {density:g}")
        + f"; it would be 2.5 at about {density_of_paper:.2g}",
    )


@claims.add(
    figure="pentagon_loss",
    paper="That the loss curves of the two geometries cross directly confirms that the phase change is genuinely one "
    "of first order",
    phrase="genuinely a first order phase change",
    criteria=[
        above_its_error("smallest difference of the branches' slopes d ln L / d ln r where they cross"),
        above_its_error("smallest jump of the varied feature's norm there"),
    ],
)
def first_order(data: Tables) -> Finding:
    crossovers, branches = (data["pentagon_loss"][name] for name in ("crossovers", "branches"))
    numbers = []
    for name in ("slope", "norm"):
        sizes = crossovers.assign(size=(crossovers[f"{name}_pentagon"] - crossovers[f"{name}_digons"]).abs())
        size, error = sizes.sort_values("size", na_position="first")[["size", f"{name}_error"]].iloc[0]
        numbers.append(Number(size, error, bound=3 * error))
    overlap = branches.groupby("kind")["relative_density"].agg(["min", "max"])
    densities = listed(crossovers["density"], "{density:g}")
    return Finding(
        numbers,
        text=f"others' densities {densities}; both kinds are local minima from relative density "
        f"{overlap['min'].max():.3g} to {overlap['max'].min():.3g}",
    )


@claims.add(
    figure="pentagon_loss",
    paper="Gradient descent has trouble moving between solutions of different geometries, so that fitting the model "
    "will often produce non-optimal solutions; each geometry creates a different loss curve",
    phrase="to see the loss curves for different geometries",
    criteria=[
        above_half(
            "share of the relative densities at which both kinds are local minima at which there are fits of both",
            "half way between none and all",
        ),
        above_half(
            "share of the fits of the kind with the higher loss whose loss is nearer to the exact branch of their kind "
            "than to the other, at the same densities",
            "as many are nearer to the other",
        ),
    ],
    at_quick=False,
)
def different_geometries(data: Tables) -> Finding:
    tables = data["pentagon_loss"]
    branches = tables["branches"].pivot(index="point", columns="kind", values="loss").dropna()
    fits = tables["fits"][tables["fits"]["point"].isin(branches.index)].join(branches, on="point")
    counts = fits.groupby(["point", "kind"]).size().unstack(fill_value=0)
    both = counts.reindex(columns=[*branches]).gt(0).all(axis=1)
    worse = fits[fits["kind"] == branches.idxmax(axis=1).reindex(fits["point"]).to_numpy()]
    distance = {kind: (worse["loss"] - worse[kind]).abs() for kind in branches}
    own, other = (
        pd.concat([distance[k][(worse["kind"] == k) == is_own] for k in branches]) for is_own in (True, False)
    )
    return Finding(
        [both.mean(), (own < other.reindex(own.index)).mean()],
        text=f"{len(both)} relative densities, {len(fits)} fits, of which {len(worse)} are of the kind with the higher "
        "loss",
    )


def _steps(solutions: pd.DataFrame, axis: str) -> tuple[float, str]:
    """Compare the steps of WᵀW between neighbouring solutions of one kind with those at changes of kind.

    Returns:
        The largest of the first over the smallest of the others, and where the kind changes.
    """
    same, change, where = [], [], []
    for (low, before), (high, after) in itertools.pairwise(solutions.groupby(axis)):
        gram, next_gram = (weights_of(model).T @ weights_of(model) for model in (before, after))
        size = float(np.linalg.norm(next_gram - gram) / np.linalg.norm(gram))
        kinds = [model["kind"].iloc[0] for model in (before, after)]
        if kinds[0] == kinds[1]:
            same.append(size)
        else:
            change.append(size)
            where.append(f"the change from {kinds[0]} to {kinds[1]} is between {low:.3g} and {high:.3g}")
    return (max(same) / min(change) if same and change else np.nan), "; ".join(where)


@claims.add(
    figure="pentagon_solutions",
    paper="As features vary in importance or sparsity, polytopes deform smoothly while the imbalance builds, up to a "
    "critical breaking point at which they snap to another polytope",
    phrase="smooth deformation of polytopes",
    criteria=[
        smooth(f"largest step of WᵀW within one kind, over the smallest at a change of kind, by {axis}")
        for axis in ("sparsity", "importance")
    ],
)
def importance_deforms(data: Tables) -> Finding:
    by_density, density_text = _steps(data["pentagon_solutions"]["solutions"], "relative_density")
    by_importance, importance_text = _steps(data["pentagon_solutions"]["importance"], "relative_importance")
    return Finding([by_density, by_importance], text=f"by sparsity, {density_text}; by importance, {importance_text}")

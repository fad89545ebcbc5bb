"""Judge the pentagon of equal features, how it deforms, where it snaps, and what the distance from the circle is."""

import itertools
from typing import Literal

import numpy as np
import pandas as pd

from superposition.analysis import alignment
from superposition.analysis.rows import rows_at
from superposition.paper.nonuniform import PAPER_CROSSOVER, PENTAGON, TWO_DIGONS
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number

claims = Claims("nonuniform")


def out_of_place(statistic: str) -> Criterion:
    """Return the criterion that kinds of solutions are in order."""
    why = "the branch with the lowest loss changes once; not one may be of another kind"
    return Criterion(statistic, "<", 1, "exact calculation", why, ".0f")


def excess(statistic: str, relation: Literal["<", ">"]) -> Criterion:
    """Return the criterion that one precise loss exceeds another, or that it does not."""
    why = "ten times the relative error of a precise loss, 10⁻⁴"
    return Criterion(statistic, relation, 1e-3, "measurement error", why, ".2%")


def above_its_error(statistic: str) -> Criterion:
    """Return the criterion that a phase change is of first order."""
    why = "three times its error; it is 0 if the change is not of first order"
    return Criterion(statistic, ">", None, "measurement error", why, ".3f")


def smooth(statistic: str) -> Criterion:
    """Return the criterion that solutions deform smoothly until they snap."""
    why = "half way between a smooth deformation, whose steps vanish as the grid gets finer, and no snap at all"
    return Criterion(statistic, "<", 0.5, "midpoint", why, ".2f")


def _best_fits(data: Tables) -> pd.DataFrame:
    """Return the best fit at every relative density, one row each."""
    solutions = data["pentagon_solutions"]["solutions"]
    return solutions[solutions["feature"] == 0].sort_values("relative_density", ignore_index=True)


def _weights(model: pd.DataFrame) -> np.ndarray:
    """Return W from the rows of its features, [hidden, feature]."""
    return model.sort_values("feature")[["w0", "w1"]].to_numpy().T


@claims.add(
    "pentagon_when_equal",
    figure="pentagon_solutions",
    paper="If all five features are equally dense, they form a regular pentagon",
    about="trained models",
    phrase="we get a regular pentagon",
    criteria=[
        Criterion(
            "relative difference of WᵀW from a regular pentagon's",
            "<",
            alignment.difference(TWO_DIGONS, PENTAGON.corners) / 2,
            "midpoint",
            "half of that of two digons with the fifth feature at zero",
            ".2%",
        ),
        excess("relative excess of the pentagon's loss over that of the best fit", "<"),
        excess("relative excess of the loss of two digons over the pentagon's", ">"),
    ],
)
def pentagon_when_equal(data: Tables) -> Finding:
    solutions, equal = (data["pentagon_solutions"][name] for name in ("solutions", "equal"))
    model = rows_at(solutions, relative_density=1)
    W, fit = _weights(model), model.iloc[0]
    exact = equal.iloc[(equal["density"] - 0.05).abs().argmin()]
    return Finding(
        [
            Number(alignment.difference(W, PENTAGON.corners)),
            Number(exact["loss"] / fit["precise_loss"] - 1),
            Number(exact["digons_loss"] / exact["loss"] - 1),
        ],
        text=f"norms from {np.linalg.norm(W, axis=0).min():.3f} to {np.linalg.norm(W, axis=0).max():.3f}",
    )


@claims.add(
    "stretch",
    figure="pentagon_solutions",
    paper="A denser feature is given more space, as the others repel from it; a sparser one takes less, as other "
    "points "
    "push towards it",
    about="trained models",
    phrase="the other features repel from it",
    criteria=[
        Criterion(
            f"smallest change in the stated direction of the angle to the neighbours, {which}",
            ">",
            0,
            "exact calculation",
            "at equal densities the angle is 72° by symmetry",
            ".2f",
        )
        for which in ("exact branch of the pentagon", "best fits that are pentagons")
    ],
)
def stretch(data: Tables) -> Finding:
    exact = data["pentagon_loss"]["branches"].query("kind == 'pentagon'")
    fits = _best_fits(data).query("kind == 'pentagon'")

    def smallest(table: pd.DataFrame) -> float:
        change = (table["angle"] - 72) * np.sign(np.log(table["relative_density"]).round(9))
        both_sides = (table["relative_density"] > 1.001).any() and (table["relative_density"] < 0.999).any()
        return float(change[change.index[(table["relative_density"] - 1).abs() > 1e-3]].min()) if both_sides else np.nan

    return Finding(
        [Number(smallest(exact)), Number(smallest(fits))],
        text="exact branch, by relative density: "
        + ", ".join(f"{row.angle:.1f}° at {row.relative_density:.2g}" for row in exact.iloc[::5].itertuples()),
    )


@claims.add(
    "snap",
    figure="pentagon_solutions",
    paper="If the varied feature is sufficiently sparse, the pentagon collapses to a pair of digons with the sparser "
    "feature at zero",
    about="trained models",
    phrase="pair of digons with the sparser",
    criteria=[
        out_of_place("best fits, from equal densities down, that are not pentagons first and two digons after"),
        Criterion(
            "largest norm of the varied feature in two digons",
            "<",
            0.5,
            "midpoint",
            "half way between zero and a represented feature",
            ".4f",
        ),
    ],
)
def snap(data: Tables) -> Finding:
    models = _best_fits(data).query("relative_density < 1.001")
    digons = models["kind"] == "two digons"
    first = models.loc[models["kind"] == "pentagon", "relative_density"].min()
    expected = np.where(models["relative_density"] < first, "two digons", "pentagon")
    wrong = (models["kind"] != expected).sum() if digons.any() and first <= 1 else np.nan
    return Finding(
        [Number(wrong), Number(models.loc[digons, "norm_varied"].max())],
        text=f"two digons up to relative density {models.loc[digons, 'relative_density'].max():.3g}, a pentagon from "
        f"{first:.3g}",
    )


def _crossover(data: Tables) -> pd.Series:
    """Return the crossing of the exact branches at the density of the other features in the trained models."""
    fits, crossovers = (data["pentagon_loss"][name] for name in ("fits", "crossovers"))
    return rows_at(crossovers, density=fits["density"].iloc[0]).iloc[0]


@claims.add(
    "crossover",
    figure="pentagon_loss",
    paper="The phase change, where the loss curves of the two geometries cross, is where the varied feature is about "
    "2.5 "
    "times sparser than the others",
    about="trained models",
    phrase="two different geometries crossing over",
    criteria=[
        Criterion(
            "distance of the crossing of the exact branches from 2.5 times sparser",
            "<",
            0.05,
            "the paper",
            "2.5, to the precision with which it is written",
            ".3f",
        ),
    ],
    correction=[
        Criterion(
            "distance from 2.5 times sparser",
            ">",
            None,
            "measurement error",
            "three times the range of the results for different samples of the exact loss",
            ".3f",
        ),
        out_of_place("best fits that are not of the kind with the lower exact loss"),
    ],
    expected="corrected",
)
def crossover(data: Tables) -> Finding:
    fits, crossovers = (data["pentagon_loss"][name] for name in ("fits", "crossovers"))
    exact, error = _crossover(data)[["crossover", "error"]]
    best = fits.loc[fits.groupby("relative_density")["loss"].idxmin()]
    wrong = (best["kind"] != np.where(best["relative_density"] < exact, "two digons", "pentagon")).sum()
    distance, spread = abs(1 / exact - 1 / PAPER_CROSSOVER), error / exact**2
    density_of_paper = np.exp(
        np.interp(np.log(PAPER_CROSSOVER), np.log(crossovers["crossover"]), np.log(crossovers["density"]))
    )
    return Finding(
        [Number(distance, spread)],
        [Number(distance, spread, bound=3 * spread), Number(wrong)],
        text=f"they cross where the varied feature is {1 / exact:.3f} times sparser",
        correction=f"The losses cross where it is {1 / exact:.2f} times sparser. Where they cross depends on how dense "
        "the "
        "others are",
        note="By the density of the others: "
        + ", ".join(f"{1 / row.crossover:.2f} at {row.density:g}" for row in crossovers.itertuples())
        + f"; it would be 2.5 at about {density_of_paper:.2g}",
    )


@claims.add(
    "first_order",
    figure="pentagon_loss",
    paper="That the loss curves of the two geometries cross directly confirms that the phase change is genuinely one "
    "of "
    "first order",
    about="trained models",
    phrase="genuinely a first order phase change",
    criteria=[
        above_its_error("smallest difference of the branches' slopes d ln L / d ln r where they cross"),
        above_its_error("smallest jump of the varied feature's norm there"),
    ],
)
def first_order(data: Tables) -> Finding:
    crossovers, branches = (data["pentagon_loss"][name] for name in ("crossovers", "branches"))
    kinks, jumps = (
        crossovers.assign(size=(crossovers[f"{name}_pentagon"] - crossovers[f"{name}_digons"]).abs())
        .sort_values("size", na_position="first")
        .iloc[0]
        for name in ("slope", "norm")
    )
    overlap = branches.groupby("kind")["relative_density"].agg(["min", "max"])
    return Finding(
        [
            Number(row["size"], row[f"{name}_error"], bound=3 * row[f"{name}_error"])
            for name, row in (("slope", kinks), ("norm", jumps))
        ],
        text=f"others' densities {', '.join(f'{p:g}' for p in crossovers['density'])}; both kinds are local minima "
        "from "
        f"relative density {overlap['min'].max():.3g} to {overlap['max'].min():.3g}",
    )


def _steps(solutions: pd.DataFrame, axis: str) -> tuple[float, str]:
    """Compare the steps of WᵀW between neighbouring solutions of one kind with those at changes of kind.

    Returns:
        The largest of the first over the smallest of the others, and where the kind changes.
    """
    models = [
        (value, rows["kind"].iloc[0], _weights(rows).T @ _weights(rows))
        for value, rows in solutions.groupby(axis, sort=True)
    ]
    same, change, where = [], [], []
    for (low, before, gram), (high, after, next_gram) in itertools.pairwise(models):
        size = float(np.linalg.norm(next_gram - gram) / np.linalg.norm(gram))
        if before == after:
            same.append(size)
        else:
            change.append(size)
            where.append(f"the change from {before} to {after} is between {low:.3g} and {high:.3g}")
    return (max(same) / min(change) if same and change else np.nan), "; ".join(where)


@claims.add(
    "importance_deforms",
    figure="pentagon_loss",
    paper="As features vary in importance or sparsity, polytopes deform smoothly while the imbalance builds, up to a "
    "critical breaking point at which they snap to another polytope",
    about="trained models",
    phrase="smooth deformation of polytopes",
    criteria=[
        smooth(f"largest step of WᵀW within one kind, over the smallest at a change of kind, by {axis}")
        for axis in ("sparsity", "importance")
    ],
)
def importance_deforms(data: Tables) -> Finding:
    by_density, density_text = _steps(data["pentagon_solutions"]["solutions"], "relative_density")
    by_importance, importance_text = _steps(data["pentagon_loss"]["importance"], "relative_importance")
    return Finding(
        [Number(by_density), Number(by_importance)],
        text=f"by sparsity, {density_text}; by importance, {importance_text}",
    )


@claims.add(
    "norm_bias",
    figure="pentagon_solutions",
    paper="The pentagon's points are off the unit circle, because models set a slight negative bias to cut off noise "
    "and "
    "compensate with ‖W_i‖ = 1/(1-b_i)",
    about="trained models",
    phrase="setting a slight negative bias",
    criteria=[
        Criterion(
            "relative deviation of ‖W_i‖ from 1/(1-b_i), for the sign of b with which it is smaller",
            "<",
            None,
            "measurement error",
            "three times the spread of the norms of the five equal features",
            ".1%",
        ),
    ],
    correction=[
        Criterion("largest bias", "<", 0, "the paper", "a negative bias"),
        Criterion(
            "smallest ‖W_i‖ - 1",
            ">",
            None,
            "measurement error",
            "off the unit circle by more than three times the spread of the norms",
        ),
        Criterion(
            "relative deviation from the condition of the optimum as 1-S → 0, at 1-S = 0.001",
            "<",
            0.004,
            "exact calculation",
            "the condition leaves out the samples in which one of the four other features is active, a share of 4(1-S)",
            ".3%",
        ),
    ],
    expected="corrected",
)
def norm_bias(data: Tables) -> Finding:
    solutions, equal, limits = (data["pentagon_solutions"][name] for name in ("solutions", "equal", "limits"))
    model = rows_at(solutions, relative_density=1)
    norms = np.linalg.norm(_weights(model), axis=0)
    biases = model[[f"bias_{which}" for which in ("varied", "near", "far")]].iloc[0]
    norm, bias = norms.mean(), biases.mean()
    sparse, limit = equal.sort_values("density").iloc[0], limits.query("features == 5").iloc[0]
    spread = 3 * np.ptp(norms) / norm
    deviation = min(abs(norm * (1 - sign * bias) - 1) for sign in (1, -1))
    return Finding(
        [Number(deviation, bound=spread)],
        [
            Number(biases.max()),
            Number(norms.min() - 1, bound=spread),
            Number(abs(sparse["norm"] / sparse["limit"] - 1)),
        ],
        text=f"‖W_i‖ = {norm:.3f} at b_i = {bias:.3f}, where the formula gives {1 / (1 - bias):.3f}, or "
        f"{1 / (1 + bias):.3f} if biases are subtracted, as in the paper's section on phase changes",
        correction="Biases are negative and norms above 1, but not by the formula. At the optimum, the gradient at a "
        "feature's own output balances those at its neighbours' outputs (1-S → 0, s = ‖W_i‖², x_c = -b/(sc)): "
        "(1-s)(1-x_1³)/3 - b(1-x_1²)/2 = Σ_c c [sc(1-x_c³)/3 + b(1-x_c²)/2] over the neighbours with x_c < 1",
        note=f"The limit for 1-S → 0 is ‖W_i‖ = {limit['norm']:.6f}, b_i = {limit['bias']:.6f}, loss "
        f"{limit['loss']:.6f} "
        f"(1-S). With the square of the norm in place of the norm, the formula for subtracted biases is near: "
        f"{norm**2:.3f} and {1 / (1 + bias):.3f}",
    )


@claims.add(
    "distance_is_interference",
    figure="pentagon_solutions",
    paper="The distance of a feature from the unit circle can be interpreted as driven primarily by the amount of "
    "positive interference",
    about="trained models",
    phrase="Distance from the unit circle",
    expected="described",
)
def distance_is_interference(data: Tables) -> Finding:
    features = data["pentagon_solutions"]["interference"]
    explained = {}
    for measure in ("interference", "expected_interference", "negative_bias"):
        rank = features["norm"].corr(features[measure], method="spearman")
        explained[measure] = np.sign(rank) * rank**2
    names = ("Σ_j ReLU(Ŵ_i·W_j)", "the same weighted with the densities", "-b_i")
    return Finding(
        text=f"share of the variance of the ranks of ‖W_i‖ that is explained, {len(features)} features of pentagons: "
        + ", ".join(f"{value:.2f} by {name}" for name, value in zip(names, explained.values(), strict=True)),
        note="No verdict, because the share depends on the range and the number of relative densities. A negative one "
        "stands for a correlation of the opposite sign",
    )


@claims.add(
    "two_dimensions_harder",
    figure="pentagon_loss",
    paper="With two hidden dimensions optimisation by gradient descent is really challenging, a lot harder than with "
    "even "
    "just three; clean results take several fits of each model",
    about="trained models",
    phrase="even just having three dimensions",
    criteria=[
        Criterion(
            "share of the fits that miss the best loss by more than 1 %, m = 2 less m = 3, mean over n = 4 to 9",
            ">",
            0,
            "null model",
            "two dimensions are as hard as three",
            ".3f",
        ),
    ],
    at_quick=False,
)
def two_dimensions_harder(data: Tables) -> Finding:
    restarts = data["pentagon_loss"]["restarts"].query("density < 0.5")
    missed = restarts.groupby(["n", "m"])["missed"].mean().unstack("m").dropna()
    difference = missed[2] - missed[3]
    return Finding(
        [Number(difference.mean(), difference.sem())],
        text="missed with m = 2 / 3, 1-S < 0.5: "
        + ", ".join(f"{row[2]:.2f} / {row[3]:.2f} for n = {n}" for n, row in missed.iterrows()),
        note=f"It holds for {(difference > 0).sum()} of {len(difference)} n",
    )

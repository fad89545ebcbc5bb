"""Judge what the norms and biases of the pentagon say about interference, and how often training misses it."""

import numpy as np

from superposition.analysis.rows import rows_at, weights_of
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, below

claims = Claims("nonuniform")


@claims.add(
    figure="pentagon_solutions",
    paper="The pentagon's points are off the unit circle, because models set a slight negative bias to cut off noise "
    "and compensate with ‖W_i‖ = 1/(1-b_i)",
    phrase="setting a slight negative bias",
    criteria=[
        Criterion(
            "relative deviation of ‖W_i‖ from 1/(1-b_i), for the sign of b with which it is smaller",
            below(None, "measurement error", "three times the spread of the norms of the five equal features"),
            ".1%",
        )
    ],
    correction=[
        Criterion("largest bias", below(0, "the paper", "a negative bias")),
        Criterion(
            "smallest ‖W_i‖ - 1",
            above(None, "measurement error", "off the unit circle by more than three times the spread of the norms"),
        ),
        Criterion(
            "relative deviation from the condition of the optimum as 1-S → 0, at 1-S = 0.001",
            below(
                0.004,
                "exact calculation",
                "the condition leaves out the samples in which one of the four other features is active, a share "
                "of 4(1-S)",
            ),
            ".3%",
        ),
    ],
    expected="corrected",
)
def norm_bias(data: Tables) -> Finding:
    solutions, equal, limits = (data["pentagon_solutions"][name] for name in ("solutions", "equal", "limits"))
    model = rows_at(solutions, relative_density=1)
    norms = np.linalg.norm(weights_of(model), axis=0)
    biases = model[[f"bias_{which}" for which in ("varied", "near", "far")]].iloc[0]
    norm, bias = norms.mean(), biases.mean()
    sparse, limit = equal.sort_values("density").iloc[0], limits.query("features == 5").iloc[0]
    spread = 3 * np.ptp(norms) / norm
    deviation = min(abs(norm * (1 - sign * bias) - 1) for sign in (1, -1))
    return Finding(
        [Number(deviation, bound=spread)],
        [biases.max(), Number(norms.min() - 1, bound=spread), abs(sparse["norm"] / sparse["limit"] - 1)],
        text=f"‖W_i‖ = {norm:.3f} at b_i = {bias:.3f}, where the formula gives {1 / (1 - bias):.3f}, or "
        f"{1 / (1 + bias):.3f} if biases are subtracted, as in the paper's section on phase changes",
        correction="Biases are negative and norms above 1, but not by the formula. At the optimum, the gradient at a "
        "feature's own output balances those at its neighbours' outputs (1-S → 0, s = ‖W_i‖², x_c = -b/(sc)): "
        "(1-s)(1-x_1³)/3 - b(1-x_1²)/2 = Σ_c c [sc(1-x_c³)/3 + b(1-x_c²)/2] over the neighbours with x_c < 1",
        note=f"The limit for 1-S → 0 is ‖W_i‖ = {limit['norm']:.6f}, b_i = {limit['bias']:.6f}, loss "
        f"{limit['loss']:.6f} (1-S). With the square of the norm in place of the norm, the formula for subtracted "
        f"biases is near: {norm**2:.3f} and {1 / (1 + bias):.3f}",
    )


@claims.add(
    figure="pentagon_solutions",
    paper="The distance of a feature from the unit circle can be interpreted as driven primarily by the amount of "
    "positive interference",
    phrase="Distance from the unit circle",
)
def distance_is_interference(data: Tables) -> Finding:
    features = data["pentagon_solutions"]["interference"]
    names = {
        "interference": "Σ_j ReLU(Ŵ_i·W_j)",
        "expected_interference": "the same weighted with the densities",
        "negative_bias": "-b_i",
    }
    rank = features[[*names]].corrwith(features["norm"], method="spearman")
    explained = np.sign(rank) * rank**2
    return Finding(
        text=f"share of the variance of the ranks of ‖W_i‖ that is explained, {len(features)} features of pentagons: "
        + ", ".join(f"{value:.2f} by {names[measure]}" for measure, value in explained.items()),
        note="No verdict, because the share depends on the range and the number of relative densities. A negative one "
        "stands for a correlation of the opposite sign",
    )


@claims.add(
    figure="pentagon_loss",
    paper="With two hidden dimensions optimisation by gradient descent is really challenging, a lot harder than with "
    "even just three; clean results take several fits of each model",
    phrase="even just having three dimensions",
    at_quick=False,
)
def two_dimensions_harder(data: Tables) -> Finding:
    restarts = data["pentagon_loss"]["restarts"].query("density < 0.5")
    missed = restarts.groupby(["n", "m"])["missed"].mean().unstack("m").dropna()
    difference = missed[2] - missed[3]
    return Finding(
        text="fits that miss the best loss by more than 1 % with m = 2 / 3, 1-S < 0.5: "
        + ", ".join(f"{row[2]:.2f} / {row[3]:.2f} for n = {n}" for n, row in missed.iterrows())
        + f"; on average {difference.mean():.2f} ± {difference.sem():.2f} more with m = 2",
        note=f"No verdict, because it depends on n, for which the paper has only 5: m = 2 is harder for "
        f"{(difference > 0).sum()} of {len(difference)} n",
    )


claims.leave_out(
    "uniform_polyhedra",
    paper="Because all features are the same, solutions that correspond to uniform polyhedra get especially low losses",
    phrase="solutions corresponding to uniform polyhedra get especially",
    why="It does not say with what their loss is compared. Which arrangement is the best for a number of features at "
    "each density is shown by the figure polytopes.",
)

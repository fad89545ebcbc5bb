"""Judge how many absolute values are computed, and with how many neurons."""

import numpy as np

from superposition.analysis import neurons
from superposition.analysis.rows import listed
from superposition.paper.absolute import best_of_main, computes_exactly
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, at_most_zero, below

claims = Claims("absolute")

# The construction's weights differ by factors of up to (n/π)² ≈ 1000, and so do its outputs from rounding.
ROUNDING = 1e-9


@claims.add(
    figure="absolute_small",
    paper="With three features and six neurons the model performs absolute value exactly as expected: a “+” and a “-” "
    "neuron for each feature, whose activations are added, up to a rescaling of each neuron",
    phrase="performs absolute value exactly as",
    criteria=[
        Criterion(
            "root mean squared error of the best model",
            below(
                float(np.finfo(np.float32).eps),
                "exact calculation",
                "rounding in single precision; only the exact solution gets there",
            ),
            ".1e",
        ),
        at_most_zero("weights that are not those of the exact solution", "exact calculation", "none is"),
    ],
)
def exact(data: Tables) -> Finding:
    models, weights = data["absolute_small"]["models"], data["absolute_small"]["weights"]
    found = computes_exactly(neurons.layer(weights), neurons.layer(weights, "out"))
    return Finding(
        [np.sqrt(models["loss"].min()), 0 if found else np.nan],
        text=f"{models['exact'].mean():.0%} of {len(models)} models are exact",
    )


@claims.add(
    figure="absolute_small",
    paper="Without superposition it takes two hidden neurons to compute the absolute value of one feature",
    about="any model",
    phrase="needs two hidden layer neurons",
    criteria=[
        Criterion(
            "share of the variance of |x| that one neuron and a bias leave",
            above(0, "exact calculation", "least squares"),
        ),
        Criterion(
            "the same share with two neurons", below(1e-12, "exact calculation", "rounding in double precision"), ".1g"
        ),
    ],
)
def two_neurons_each(data: Tables) -> Finding:
    one, two = data["absolute_small"]["residuals"].sort_values("neurons")["share"]
    return Finding([one, two])


@claims.add(
    figure="absolute_neurons",
    paper="Once features are sufficiently sparse, the model represents, and computes the absolute value of, more "
    "features than it has neurons",
    phrase="once the features become sufficiently sparse",
    criteria=[
        Criterion(
            "largest number of features, at any density, whose output explains more than half of the variance of |x|, "
            "in a trained model",
            above(40, "the paper", "more than the 40 neurons"),
            ".0f",
        )
    ],
    correction=[
        Criterion(
            "the same number",
            above(20, "exact calculation", "without superposition every feature takes two of the 40 neurons"),
            ".0f",
        ),
        Criterion(
            "features of which a construction with six neurons computes |x| without error, where one is active",
            above(40, "the paper", "more than even 40 neurons"),
            ".0f",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def more_features_than_neurons(data: Tables) -> Finding:
    tables = data["absolute_neurons"]
    computed = tables["computed"]
    half, beyond_error = (
        mask.groupby([computed["experiment"], computed["density"], computed["seed"]]).sum()
        for mask in (computed["explained"] > 0.5, computed["explained"] > 3 * computed["explained_error"])
    )
    by_density = half.groupby("density").max()[::-1]
    best = tables["best_computed"]
    of_best = (best["explained"] > 0.5).groupby(best["density"]).sum()[::-1]
    known = best.groupby("density")["known_loss"].first()
    excess = best_of_main(tables["models"]).groupby("density")["loss"].min() / known - 1
    constructed = (tables["constructed"]["error"] < ROUNDING).sum()
    return Finding(
        [half.max()],
        [half.max(), constructed],
        text="; ".join(
            f"{kind} {listed(counts.rename('count'), '{count} at 1-S = {density:g}')}"
            for kind, counts in (("trained", by_density), ("best known", of_best))
        ),
        correction="Trained models compute more features than the 20 for which 40 neurons suffice without "
        "superposition, but not more than they have neurons, at any density down to 0.001. More are possible once "
        "features are sparse: where no two are active at once, six neurons compute |x| of any number of features",
        note="The search for better models is not settled, so that the best known ones give lower bounds. Up to "
        f"{beyond_error.max()} features have an output that explains anything of them, beyond three "
        "standard errors in trained models. The best trained ones cost up to "
        f"{excess.max():.0%} more than the best known (1-S = {excess.idxmax():g})",
    )


claims.leave_out(
    "more_neurons_easier",
    paper="The model learns more easily when there are more neurons",
    phrase="learns more easily when there",
    why="It would need the same sweep with 80 and 160 neurons, which costs several times the training of this section.",
)

"""Measure vulnerability, what it follows, and the effect of training against attacks, for the adversarial claims."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed, rows_at
from superposition.paper.adversarial import MAIN_EXPERIMENT, MIN_ASCENT_DENSITY, SIZE_CONVENTIONS, removal_sizes
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, above_half, improbable

claims = Claims("adversarial")

# Random exchanges of models with which the agreement of vulnerability and features per dimension is compared.
EXCHANGES = 9999


def _means_over_replicates(data: Tables) -> pd.DataFrame:
    """Return the means over replicates by n, m and density."""
    return data["adversarial"]["models"].groupby(["n", "m", "density"]).mean(numeric_only=True)


@claims.add(
    figure="adversarial",
    paper="Vulnerability to adversarial examples rises sharply as superposition forms, by more than three times",
    phrase="sharply increases as superposition forms",
    criteria=[
        Criterion(
            f"largest vulnerability over that without superposition, for attacks of a tenth {words}",
            above(3, "the paper", "more than three times"),
            ".2f",
        )
        for words in SIZE_CONVENTIONS.values()
    ],
)
def threefold(data: Tables) -> Finding:
    models, ascents = data["adversarial"]["models"], data["adversarial"]["ascents"]
    main = models[models["experiment"] == MAIN_EXPERIMENT].groupby("density")
    peaks = {name: main[name].mean().fillna(-np.inf).idxmax() for name in SIZE_CONVENTIONS}
    largest = _means_over_replicates(data).groupby(["n", "m"])[["scaled", "constant"]].max()
    sizes = listed(largest, "{n}, {m}: {scaled:.1f} and {constant:.1f}", "; ")
    all_samples, each_sample = (ascents[name] / ascents["analytic"] for name in ("all_samples", "each_sample"))
    return Finding(
        [Number(main[name].mean()[at], main[name].sem()[at]) for name, at in peaks.items()],
        text="reached at 1-S = " + " and ".join(f"{at:.3g}" for at in peaks.values()),
        note="n = 200, m = 20; the paper does not say whether the size of attacks follows the density. Models never "
        "see a sample twice, so that more data would not make them less vulnerable. Largest by "
        f"n, m, in the same two readings: {sizes}. With only represented features attacked and counted it "
        f"is {main['represented'].mean().max():.1f}. Where features are dense (1-S ≥ {MIN_ASCENT_DENSITY:g}) gradient "
        f"ascent raises the loss at most {all_samples.max():.2f} times as much with one attack on all samples, and "
        f"up to {each_sample.max():.2f} times as much with a separate attack on each sample",
    )


@claims.add(
    figure="adversarial",
    paper="The level of vulnerability closely tracks the number of features per dimension; the two curves are highly "
    "correlated",
    phrase="level of vulnerability closely tracks",
    criteria=[
        above_half(
            "least share of the variance of vulnerability over the densities that the number of features per dimension "
            "explains (r²), of any size of model, one size of attacks for all densities",
            "between none and all",
            ".2f",
        ),
        improbable(
            "largest probability, of both readings of the size of attacks, that vulnerability goes so well with the "
            "number of features per dimension among models of equal density",
            "models of every density exchanged at random, 9999 times: so both would go if they only followed sparsity",
        ),
    ],
    at_quick=False,
)
def tracks_features_per_dimension(data: Tables) -> Finding:
    means = _means_over_replicates(data)
    sizes = [rows for _, rows in means.groupby(["n", "m"])]
    pearson = {
        name: np.array([np.corrcoef(rows[name], rows["features_per_dimension"])[0, 1] for rows in sizes])
        for name in SIZE_CONVENTIONS
    }
    chance = [probability_at_equal_density(means, name) for name in pearson]
    ratio = means["constant"] / means["features_per_dimension"]
    return Finding(
        [(pearson["constant"].clip(0) ** 2).min(), max(chance)],
        text=f"correlations (Pearson) from {pearson['constant'].min():.2f} to {pearson['constant'].max():.2f}",
        note=f"Vulnerability is {ratio.min():.2f} to {ratio.max():.2f} times the number of features per dimension. The "
        "paper does not say whether the size of attacks follows the norm of the input, which falls with the density; "
        f"if it does, correlations are {', '.join(f'{r:.2f}' for r in np.sort(pearson['scaled']))} for the "
        f"{len(sizes)} sizes, since biases then filter out the small attacks on sparse models",
    )


def probability_at_equal_density(means: pd.DataFrame, vulnerability: str) -> float:
    """Return the probability that models of equal density agree so well with the number of features per dimension.

    The agreement is the covariance of the logarithms, less their means at every density. Under the null model it is
    that with the models of every density in random order.

    Args:
        means: Vulnerability by n, m and density.
        vulnerability: The column in which it is.
    """
    rng, observed, by_chance = np.random.default_rng(0), 0.0, np.zeros(EXCHANGES)
    for _, rows in means.groupby("density"):
        features, values = np.log(rows[["features_per_dimension", vulnerability]].to_numpy()).T
        features = features - features.mean()
        observed += features @ values
        by_chance += rng.permuted(np.tile(values, (EXCHANGES, 1)), axis=1) @ features
    return float((1 + (by_chance >= observed - 1e-12).sum()) / (1 + EXCHANGES))


@claims.add(
    figure="adversarial",
    paper="Gradient-based attacks were difficult for extremely sparse examples, whose ReLUs are off 99 % of the time: "
    "effectively gradient masking; the best of the analytic attacks worked better",
    phrase="effectively due to gradient masking",
)
def gradient_masking(data: Tables) -> Finding:
    masking = data["adversarial"]["masking"]
    sparsest = masking[masking["density"] == masking["density"].min()]
    densest = masking[masking["density"] == masking["density"].max()]

    # Of examples with an active feature; the others have no gradient either.
    inactive = (1 - sparsest["density"]) ** sparsest["n"]
    masked = (sparsest["masked"] - inactive) / (1 - inactive)

    def sizes(rows: pd.DataFrame, column: str) -> str:
        return f"{rows[column].min():.2f} to {rows[column].max():.2f}"

    return Finding(
        text=f"by size of the models, at 1-S = {sparsest['density'].min():g}: share of outputs that are off, "
        f"{sizes(sparsest, 'off')}; of examples without a gradient, {sizes(sparsest, 'masked')}; rise of the loss with "
        "an attack along the gradient of every example, over that with the analytic attack that is worst for it, "
        f"{sizes(sparsest, 'relative_rise')} ({sizes(densest, 'relative_rise')} at 1-S = {densest['density'].max():g})",
        note="The paper does not state how its gradient-based attacks started, nor whether one attack was for one "
        "example or for all. Examples whose outputs are all off have no gradient: those without an active feature, and "
        f"{masked.min():.0%} to {masked.max():.0%} of the others",
    )


@claims.add(
    figure="adversarial_training",
    paper="Training against the analytic attack on a random feature reduces superposition",
    phrase="found that this did reduce superposition",
    criteria=[
        Criterion(
            "least fall, in any setting, of the number of features per dimension by attacks of 0.8 of the mean input "
            "norm: the largest replicate with them against the smallest without",
            above(0, "the paper", "superposition is reduced"),
            ".0%",
        )
    ],
    at_quick=False,
)
def training_reduces_superposition(data: Tables) -> Finding:
    models = data["adversarial_training"]["models"]
    by_size = models.set_index("attack").groupby(["n", "density"])["features_per_dimension"]
    ratios = by_size.apply(lambda rows: rows.loc[[0.8]].max() / rows.loc[[0.0]].min())
    means = models.groupby(["n", "density", "attack"])["features_per_dimension"].mean().unstack("attack")
    higher = [f"1-S = {at[1]:g} (n = {at[0]})" for at, row in means.iterrows() if row.max() > 1.02 * row.iloc[0]]
    interference = models.groupby(["n", "density", "attack"])["interference"].median().unstack("attack")
    left = (interference[0.8] / interference[0.0]).rename("left").reset_index()
    return Finding(
        [1 - ratios.max()],
        text="by setting: " + ", ".join(f"{1 - r:.0%} at n = {n}, 1-S = {p:g}" for (n, p), r in ratios.items()),
        note="Part of this is that W shrinks as a whole. Interference among the features that are left, which does not "
        "depend on their lengths, changes to this share (it means nothing where almost no weight is left): "
        + listed(left, "{left:.0%} at n = {n}, 1-S = {density:g}")
        + (f". Weaker attacks first add weight at {', '.join(higher)}" if higher else ""),
    )


@claims.add(
    figure="adversarial_training",
    paper="To eliminate superposition fully, attacks had to be unreasonably large, 80 % of the input norm, in a "
    "setting that is not stated",
    phrase="attacks had to be made unreasonably",
    at_quick=False,
)
def eighty_percent(data: Tables) -> Finding:
    models = data["adversarial_training"]["models"]
    gone, one = (removal_sizes(models, measure) for measure in ("interference", "features_per_dimension"))
    sizes = "; ".join(
        f"n = {n}: " + ", ".join(f"{size:.2f} at 1-S = {at[1]:g}" for at, size in rows[::-1].items())
        for n, rows in gone.groupby(level=0)
    )
    return Finding(
        text=f"superposition is first gone at these sizes, over the mean input norm: {sizes}",
        note="The size that it takes grows with sparsity, so that 0.8 is met at some density. At larger sizes so "
        "little weight is left that its arrangement means nothing. The number of features per dimension falls to 1 at "
        f"sizes of {one.min():.2f} to {one.max():.2f}",
    )


@claims.add(
    figure="adversarial_training",
    paper="Superposition predicts that adversarially robust models perform worse, since they have to give up "
    "superposition and represent fewer features",
    about="a belief",
    phrase="adversarially robust models would have worse",
    criteria=[
        Criterion(
            "smallest rise of the clean loss by training against attacks of 0.8, in standard errors",
            above(3, "measurement error", "three standard errors"),
            ".1f",
        )
    ],
    at_quick=False,
)
def robust_models_perform_worse(data: Tables) -> Finding:
    models = data["adversarial_training"]["models"].set_index(["n", "density", "seed"])
    without, against = (rows_at(models, attack=size) for size in (0.0, 0.8))
    rise = against["clean_loss"] - without["clean_loss"]
    error = np.hypot(against["clean_loss_error"], without["clean_loss_error"])
    return Finding(
        [(rise / error).min()],
        text=f"the clean loss is {against['price'].min():.2f} to {against['price'].max():.2f} times as high",
    )


claims.leave_out(
    "more_interpretable",
    paper="Superposition predicts that more adversarially robust models might be more interpretable",
    phrase="robust models might be more interpretable",
    why="No number says how interpretable a model is. That training against attacks reduces superposition is judged.",
)
claims.leave_out(
    "transfer",
    paper="It could arguably predict that adversarial examples transfer, if the correlations of features decide how "
    "they are arranged",
    phrase="arguably predict that adversarial examples",
    why="The belief is about models whose arrangement is decided by correlations between features. It needs sweeps of "
    "large models with correlated sets and several seeds, attacked with each other's attacks; independent features, as "
    "in the models here, are arranged at random.",
)

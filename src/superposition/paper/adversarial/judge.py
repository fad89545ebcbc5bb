"""Measure vulnerability, what it follows, and the effect of training against attacks, for the adversarial claims."""

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, spearmanr

from superposition.analysis.rows import rows_at
from superposition.paper.adversarial import MAIN_EXPERIMENT, MIN_ASCENT_DENSITY, SIZE_CONVENTIONS, removal_sizes
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number

claims = Claims("adversarial")


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
            ">",
            3,
            "the paper",
            "more than three times",
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
    sizes = [f"{n}, {m}: {row['scaled']:.1f} and {row['constant']:.1f}" for (n, m), row in largest.iterrows()]
    all_samples, each_sample = (ascents[name] / ascents["analytic"] for name in ("all_samples", "each_sample"))
    return Finding(
        [Number(main[name].mean()[at], main[name].sem()[at]) for name, at in peaks.items()],
        text="reached at 1-S = " + " and ".join(f"{at:.3g}" for at in peaks.values()),
        note="n = 200, m = 20; the paper does not say whether the size of attacks follows the density. Largest by "
        f"n, m, in the same two readings: {'; '.join(sizes)}. With only represented features attacked and counted it "
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
        Criterion(
            "largest probability, over the sizes, that unrelated curves agree as well in their order",
            "<",
            0.01,
            "null model",
            "Kendall's rank correlation of curves in random order, one size of attacks for all densities",
            ".2g",
        )
    ],
    at_quick=False,
)
def tracks_features_per_dimension(data: Tables) -> Finding:
    means = _means_over_replicates(data)
    sizes = [rows for _, rows in means.groupby(["n", "m"])]
    chance = [kendalltau(rows["constant"], rows["features_per_dimension"], alternative="greater") for rows in sizes]
    pearson = [np.corrcoef(rows["constant"], rows["features_per_dimension"])[0, 1] for rows in sizes]
    ranks = [spearmanr(rows["scaled"], rows["features_per_dimension"]).statistic for rows in sizes]
    ratio = means["constant"] / means["features_per_dimension"]
    return Finding(
        [Number(np.max([result.pvalue for result in chance]))],
        text=f"Pearson correlations from {min(pearson):.2f} to {max(pearson):.2f}",
        note=f"Vulnerability is {ratio.min():.2f} to {ratio.max():.2f} times the number of features per dimension. "
        "If the size of attacks shrinks with the norm of the input, which the paper does not say, the rank correlation "
        f"is {min(ranks):.2f} to {max(ranks):.2f}, since biases then filter out the small attacks on sparse models",
    )


@claims.add(
    figure="adversarial",
    paper="Gradient-based attacks do not work for extremely sparse features, whose ReLUs are off 99 % of the time: "
    "effectively gradient masking",
    phrase="effectively due to gradient masking",
    criteria=[
        Criterion(
            "rise of the loss under an attack along the gradient, over that under the best analytic attack on each "
            "sample, at the lowest density relative to density 1",
            "<",
            1,
            "the paper",
            "gradient-based attacks work less well on sparse features",
        )
    ],
    correction=[
        Criterion(
            "rise of the loss under an attack along the gradient, over that under the best analytic attack on each "
            "sample, at the lowest density",
            ">",
            1,
            "the paper",
            "a masked gradient would be the weaker attack",
        )
    ],
    expected="corrected",
)
def gradient_masking(data: Tables) -> Finding:
    masking = data["adversarial"]["masking"].sort_values("density")
    sparse, dense = masking.iloc[0], masking.iloc[-1]
    return Finding(
        [Number(sparse["relative_rise"] / dense["relative_rise"])],
        [Number(sparse["relative_rise"])],
        correction=f"Down to 1-S = {sparse['density']:g}, attacks along the gradient work better than the analytic "
        "attacks: a sample with active features has outputs that are on and wrong, and their gradient is not masked",
        text=f"of the outputs {dense['off']:.0%} are off at 1-S = {dense['density']:g} and {sparse['off']:.1%} at "
        f"{sparse['density']:g}; of the rise under the analytic attack, an attack along the gradient reaches "
        f"{dense['relative_rise']:.2f} and {sparse['relative_rise']:.2f}",
    )


@claims.add(
    figure="adversarial_training",
    paper="Training against the analytic attack on a random feature reduces superposition",
    phrase="found that this did reduce superposition",
    criteria=[
        Criterion(
            "least fall, in any setting, of the number of features per dimension by attacks of 0.8 of the mean input "
            "norm: the largest replicate with them against the smallest without",
            ">",
            0,
            "the paper",
            "superposition is reduced",
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
    return Finding(
        [Number(1 - ratios.max())],
        text="by setting: " + ", ".join(f"{1 - r:.0%} at n = {n}, 1-S = {p:g}" for (n, p), r in ratios.items()),
        note=f"Weaker attacks first add weight at {', '.join(higher)}" if higher else "",
    )


@claims.add(
    figure="adversarial_training",
    paper="To eliminate superposition fully, attacks had to be unreasonably large, 80 % of the input norm, in a "
    "setting that is not stated",
    phrase="attacks had to be made unreasonably",
    expected="described",
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
        text=f"no superposition is left from these sizes on, over the mean input norm: {sizes}",
        note="The size that it takes grows with sparsity, so that 0.8 is met at some density. The number of features "
        f"per dimension falls to 1 at sizes of {one.min():.2f} to {one.max():.2f}",
    )


@claims.add(
    figure="adversarial_training",
    paper="Adversarially robust models should perform worse, since they have less superposition and fewer features",
    phrase="adversarially robust models would have worse",
    criteria=[
        Criterion(
            "smallest rise of the clean loss by training against attacks of 0.8, in standard errors",
            ">",
            3,
            "measurement error",
            "three standard errors",
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
        [Number((rise / error).min())],
        text=f"the clean loss is {against['price'].min():.2f} to {against['price'].max():.2f} times as high",
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

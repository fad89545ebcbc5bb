"""Judge whether the parts of the loss add up, and what they say about superposition."""

import numpy as np
import pandas as pd
from scipy import stats

from superposition.analysis.rows import listed
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above_half, at_most_zero, below, below_half, identity

claims = Claims("theory")

A_THEOREM = "a theorem; allows for rounding"


def standard_errors(what: str) -> Criterion:
    """Return the criterion that deviations are what sampling makes of them."""
    why = "one of seven normal deviates exceeds it once in 20 000 times"
    return Criterion(f"largest deviation of {what}, in standard errors", below(4.5, "null model", why))


@claims.add(
    figure="theory",
    paper="In the linear model (after Saxe et al.) the loss is, up to a factor, feature benefit Σ I_i (1 - ‖W_i‖²)² "
    "plus interference Σ I_j (W_j·W_i)², so that it never pays to represent more features than there are dimensions",
    about="any model",
    phrase="never worthwhile for the linear model",
    criteria=[
        identity(
            "largest relative difference between Var[x] times the two terms and the exact loss with the best bias, "
            "over all trained models"
        ),
        identity("largest relative distance of a loss below Σ_{i>m} I_i Var[x]", A_THEOREM),
        at_most_zero(
            "largest difference between m and the number of features that the best model represents, at any density",
            "the paper",
            "no more features than dimensions; with fewer, the loss is higher",
        ),
    ],
)
def linear_loss(data: Tables) -> Finding:
    runs = data["theory"]["linear"]
    terms = (runs["benefit_term"] + runs["interference_term"]) / runs["best_bias_loss"]
    best = runs.sort_values("loss").groupby("density").first()
    return Finding(
        [
            (terms - 1).abs().max(),
            (1 - runs["best_bias_loss"] / runs["optimum"]).max(),
            (best["represented"] - best["m"]).abs().max(),
        ],
        note="A theorem; the trained models illustrate it. The factor is Var[x] for features with a mean and the best "
        "bias, and the mean square for centred ones without a bias, as in the paper",
    )


@claims.add(
    figure="theory",
    paper="L = Σ_k (1-S)^k S^(n-k) L_k, with L_k summed over the patterns of k active features; L_0 = Σ ReLU(b_i)², "
    "and L_1 has a closed form",
    about="any model",
    phrase="term for each sparsity pattern",
    criteria=[
        identity("largest relative deviation of L_0 from its closed form"),
        standard_errors("sampled L_1 from its closed form"),
        standard_errors("Σ_k (1-S)^k S^(n-k) L_k from the expected loss"),
    ],
)
def loss_by_active_count(data: Tables) -> Finding:
    counts = data["theory"]["active_counts"]
    zero, single = counts[counts["active"] == 0], counts[counts["active"] == 1]
    # L_0 is 0 if no bias is positive: its error is then measured relative to the whole loss.
    unit = zero["closed_form"].where(zero["closed_form"] > 0, zero["total"])
    sums = counts.assign(
        part=counts["probability"] * counts["loss"], variance=(counts["probability"] * counts["loss_error"]) ** 2
    ).groupby("density")
    error = np.sqrt(sums["variance"].sum() + sums["total_error"].first() ** 2)
    return Finding(
        [
            ((zero["loss"] - zero["closed_form"]).abs() / unit).max(),
            ((single["loss"] - single["closed_form"]) / single["loss_error"]).abs().max(),
            ((sums["part"].sum() - sums["total"].first()) / error).abs().max(),
        ],
        note="A theorem, compared with samples. The sum over patterns is taken as their number times their mean. With "
        "importances, L_0 is Σ I_i ReLU(b_i)²: the paper's formula lacks I_i",
    )


@claims.add(
    figure="theory",
    paper="As S → 1, L_1 and L_0 dominate the loss; L_0 only penalises positive biases",
    about="any model",
    phrase="penalty on positive biases",
    criteria=[
        above_half(
            "exponent with which the share of samples with two or more active features in the loss of a fixed model "
            "falls with 1-S, between 10⁻⁶ and 10⁻⁵, smallest of the trained models",
            "half way between 0 (the share remains) and 1 (the ratio of the probabilities of two and of one)",
        ),
        above_half(
            "share of L_0 and L_1 in the loss of the trained model at the lowest density",
            "what dominates is the larger part",
            ".1%",
        ),
    ],
)
def one_active_dominates(data: Tables) -> Finding:
    counts = data["theory"]["active_counts"]
    losses = counts.pivot(index="density", columns="active", values="loss")
    low, high = (_compounding_share(losses, density) for density in (1e-6, 1e-5))
    trained = pd.Series({p: 1 - _compounding_share(losses.loc[[p]], p)[p] for p in losses.index[::-1]})
    return Finding(
        [np.log10(high / low).min(), trained.iloc[-1]],
        text="shares of L_0 and L_1 in trained models, by 1-S: "
        + listed(trained.rename("share"), "{share:.0%} at {index:g}"),
        note="It needs L_1 or L_0 to be positive: exact antipodal pairs without any other feature have neither, and "
        "all of their loss comes from two active features, however sparse they are",
    )


def _compounding_share(losses: pd.DataFrame, density: float) -> pd.Series:
    """Return the share of samples with two or more active features in the losses of fixed models."""
    n = losses.columns.max()
    parts = losses * stats.binom.pmf(losses.columns, n, density)
    return parts.loc[:, 2:].sum(axis=1) / parts.sum(axis=1)


@claims.add(
    figure="theory",
    paper="The ReLU never makes things worse, and the bias can help where a feature is not represented, by taking on "
    "the expected value",
    about="any model",
    phrase="vaguely similar to the famous",
    criteria=[
        identity(
            "largest increase of a squared error by the ReLU, over the outputs and samples of all trained models",
            A_THEOREM,
        )
    ],
)
def relu_never_hurts(data: Tables) -> Finding:
    effects = data["theory"]["relu"].set_index("density").sort_index(ascending=False)
    reduced = effects["loss"] / effects["loss_without"]
    return Finding(
        [effects["increase"].max()],
        text="loss with the ReLU relative to that without, at the same W and b, by 1-S: "
        + listed(reduced.rename("share"), "{share:.2f} at {density:g}"),
        note="A theorem: where the argument is negative, 0 is nearer to any x ≥ 0. The bias E[x] = p/2 saves p²/4 of "
        "the p/3 that a feature costs which is not represented; whether trained models make use of it, basic.bias says",
    )


@claims.add(
    figure="theory",
    paper="With one active feature, negative interference costs nothing; this explains why solutions prefer to have "
    "only negative interference where that is possible",
    phrase="prefer to only have negative interference",
    criteria=[
        identity("largest loss of two unit vectors with a negative cosine, without a bias and with one active feature"),
        Criterion(
            "positive share of the interference Σ (W_i·W_j)², relative to the share that random directions remain "
            "below once in a hundred draws, largest over the densities at which all of it could be negative",
            below(
                1,
                "null model",
                "random directions have less once in a hundred times; it is possible for up to 2m features",
            ),
        ),
    ],
)
def negative_interference_is_free(data: Tables) -> Finding:
    pair, signs = data["theory"]["pair"], data["theory"]["signs"].sort_values("density", ascending=False)
    crowded = signs[signs["represented"] > signs["m"]]
    possible = crowded[crowded["represented"] <= 2 * crowded["m"]]
    return Finding(
        [pair.loc[pair["cosine"] < 0, "loss"].max(), (possible["positive"] / possible["random"]).max()],
        text="positive share of the interference "
        + listed(crowded, "{positive:.1%} of that of {represented} features at {density:g} (random {random:.0%})"),
    )


@claims.add(
    figure="theory",
    paper="A negative bias can turn small positive interference into what is essentially negative interference",
    about="any model",
    phrase="convert small positive interferences into",
    criteria=[
        below_half(
            "positive interference with one active feature, relative to that without the biases, largest over the "
            "densities at which more than 2m features are represented",
            "half way between all of it (1) and none (0)",
        )
    ],
)
def bias_turns_positive_into_negative(data: Tables) -> Finding:
    signs = data["theory"]["signs"].set_index("density").sort_index(ascending=False)
    left = (signs["left"] / signs["unfiltered"])[signs["represented"] > 2 * signs["m"]]
    return Finding(
        [left.max()],
        text="with more than 2m features, some interference is positive; the share of it that is left, by 1-S: "
        + listed(left.rename("share"), "{share:.2f} at {density:g}"),
    )


@claims.add(
    figure="theory",
    paper="Features often form sparse interference graphs, in which few features interfere with another; this makes "
    "compounding interference rarer and the loss on one active feature more important",
    phrase="small number of features interfere",
)
def sparse_graphs(data: Tables) -> Finding:
    graphs = data["theory"]["graphs"].query("represented > 1").sort_values("density", ascending=False)
    few = graphs["density"][graphs["partners"] < graphs["random"] / 2]
    shown = graphs.iloc[:: max(1, len(graphs) // 8)]
    return Finding(
        text="n = 400, m = 30: effective number of features that one interferes with (random directions), and "
        "connected parts "
        + listed(shown, "{density:.2g}: {partners:.1f} ({random:.0f}), {components}")
        + f"; less than half as many as random directions from 1-S = {few.max():.2g} to {few.min():.2g}",
        note="No bound follows from the word often. At lower densities all features form one graph, and each of them "
        "interferes with as many others as random directions do: interference is then small but not sparse",
    )

"""Judge the claims about the privileged basis: alignment with the neurons, the hidden bias, and codes by density."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, kstest

from superposition.analysis import neurons
from superposition.paper.privileged import MODEL_LABELS, MONOSEMANTIC_THRESHOLDS, SHOWN_DENSITY, regimes_by_density
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("privileged")


@claims.add(
    "aligned",
    figure="privileged_vs_not",
    paper="Without a hidden activation function W has no preferred basis; with a ReLU its weights are aligned with the "
    "neurons",
    criterion="at 1-S = 0.5, in 100 models each, Σ W_ki⁴ compared with that of 999 random rotations: with the ReLU it "
    "is above 99 % of them in at least 95 % of the models; without the ReLU in no more models than by chance (one in a "
    "hundred, binomial, p > 0.01), and no rotation changes the loss by 0.1 %",
)
def aligned(data: Tables) -> Finding:
    tables = data["privileged_vs_not"]
    ranks = tables["alignment"].query(f"density == {SHOWN_DENSITY}").groupby("model")["alignment"]
    linear, relu = (ranks.get_group(MODEL_LABELS[e]).to_numpy() for e in ("privileged_linear", "privileged"))
    p_value = binomtest(int((linear > 0.99).sum()), len(linear), 0.01, "greater").pvalue
    rotated = tables["rotated"].groupby("model")["loss"]
    linear_loss = rotated.get_group(MODEL_LABELS["privileged_linear"]).to_numpy()
    change = np.abs(linear_loss / linear_loss[0] - 1).max()
    median = rotated.agg(lambda loss: loss.iloc[1:].median() / loss.iloc[0] - 1)[MODEL_LABELS["privileged"]]
    return Finding(
        f"above 99 % of the rotations in {(relu > 0.99).mean():.0%} of the models with the ReLU and in "
        f"{(linear > 0.99).mean():.0%} of those without (p = {p_value:.2g}); a rotation raises the loss by "
        f"{median:.0%} in the median with the ReLU, and changes it by at most {change:.1g} without",
        holds=len(relu) > 0 and (relu > 0.99).mean() >= 0.95 and p_value > 0.01 and change < 1e-3,
        note="Without the ReLU the weights are spread over the hidden units more evenly than after a random rotation: "
        f"median rank {np.median(linear):.2f} (Kolmogorov–Smirnov test against uniform ranks, p = "
        f"{kstest(linear, 'uniform').pvalue:.1g}). The loss is invariant under rotations of the hidden space, but Adam "
        "scales the step of every weight separately",
    )


@claims.add(
    "bias_escape",
    figure="privileged_vs_not",
    paper="Given a bias in the hidden layer, the model makes it positive and behaves linearly again",
    criterion="at every density all hidden biases of the best model are above 0; and wherever the ReLU raises the loss "
    "by more than 1 %, the hidden bias undoes at least 95 % of the rise above the loss with a linear hidden layer",
)
def bias_escape(data: Tables) -> Finding:
    models = data["privileged_vs_not"]["models"]
    loss = models.pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODEL_LABELS.values())
    relu_costs = relu > 1.01 * linear
    undone = ((relu - bias) / (relu - linear))[relu_costs]
    biased = models[models["model"] == MODEL_LABELS["privileged_bias"]]
    least = np.min(biased["least_bias"].to_numpy(), initial=np.inf)
    return Finding(
        f"smallest hidden bias {least:.2f}; it undoes at least {undone.min():.1%} of the rise, at {len(undone)} of "
        f"{len(loss)} densities (without the bias the loss is up to {(relu / linear).max():.1f} times that with a "
        f"linear hidden layer, with it {(bias / linear).max():.3f} times); hidden units are active at least "
        f"{biased['on'].min():.1%} of the time",
        holds=bool(least > 0 and len(undone) > 0 and np.min(undone.to_numpy()) >= 0.95),
        note=_beyond_linear(loss, biased),
    )


def _beyond_linear(loss: pd.DataFrame, biased: pd.DataFrame) -> str:
    """Describe at which densities the model with a hidden bias beats a linear hidden layer, and so is not linear."""
    better = loss[loss[MODEL_LABELS["privileged_bias"]] < 0.999 * loss[MODEL_LABELS["privileged_linear"]]]
    active = biased.set_index("density")["on"]
    parts = [
        f"{1 - row[MODEL_LABELS['privileged_bias']] / row[MODEL_LABELS['privileged_linear']]:.1%} at 1-S = "
        f"{density:g}, where units are active {active[density]:.0%} of the time"
        for density, row in better.iterrows()
    ]
    return (
        "The model with a hidden bias is better than that with a linear hidden layer by " + "; ".join(parts)
        if parts
        else ""
    )


@claims.add(
    "regimes",
    figure="privileged_neurons",
    paper="1-S ≥ 0.5: every neuron has one feature; 0.2 to 0.5: three do, and three features are a binary code of the "
    "other two; 0.15: two do, with five features in the other three; 0.12: one does, with six in four; 0.05 to 0.08: "
    "eight features in five neurons; ≤ 0.04: each feature is a pair of neurons",
    criterion="at every density the paper's number of neurons with one feature (no second feature drives them a "
    "quarter as much as the first) and of features in the others, with codes of the paper's kind; corrected if so at "
    "three of four densities at least, and if the number of neurons with one feature never rises as density falls",
    expected="corrected",
    at_quick=False,
)
def neuron_regimes(data: Tables) -> Finding:
    tables = data["privileged_neurons"]
    found, basins = regimes_by_density(tables), tables["basins"].set_index("density")
    disagreeing = found[~found["agrees"]]
    details = [
        f"at 1-S = {row.density:g} the best model has {row.one} neurons with one feature and {row.others} features in "
        "the others"
        + (
            f"; the loss of the paper's kind is {basins.loc[row.density, 'as_stated']:.1%} higher"
            if np.isfinite(basins.loc[row.density, "as_stated"])
            else "; no model is of the paper's kind"
        )
        for row in disagreeing.itertuples()
    ]
    monotone = (found.sort_values("density", ascending=False)["one"].diff().fillna(0) <= 0).all()
    steady = tables["thresholds"].groupby("density")["one"].nunique()
    return Finding(
        f"as in the paper at {int(found['agrees'].sum())} of {len(found)} densities",
        holds=len(found) > 0 and bool(found["agrees"].all()),
        correction=". ".join(detail[0].upper() + detail[1:] for detail in details)
        if len(found) and found["agrees"].mean() >= 0.75 and monotone
        else "",
        note=f"With thresholds from {MONOSEMANTIC_THRESHOLDS[0]:g} to {MONOSEMANTIC_THRESHOLDS[-1]:g} instead of "
        f"{neurons.MONOSEMANTIC:g} the number of neurons with one feature is the same at {int((steady == 1).sum())} of "
        f"{len(steady)} densities",
    )

"""Tables to verdicts: alignment with the neurons, what a hidden bias undoes, codes by density."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, kstest

from superposition.analysis import neurons
from superposition.paper.privileged import MODELS, SHOWN, THRESHOLDS, regimes
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("privileged")


@claims.add(
    "aligned",
    figure="privileged_vs_not",
    paper="Without a hidden activation function W has no preferred basis; with a ReLU its weights are aligned with the "
    "neurons",
    criterion="1-S = 0.5, 100 models each, Σ W_ki⁴ beside that of 999 random rotations: with the ReLU it is above 99 % "
    "of them in at least 95 % of the models; without it in no more than by chance (one in a hundred, binomial, p > "
    "0.01), and no rotation changes the loss by 0.1 %",
)
def aligned(data: Tables) -> Finding:
    tables = data["privileged_vs_not"]
    ranks = tables["alignment"].query(f"density == {SHOWN}").groupby("model")["alignment"]
    linear, relu = (ranks.get_group(MODELS[e]).to_numpy() for e in ("privileged_linear", "privileged"))
    chance = binomtest(int((linear > 0.99).sum()), len(linear), 0.01, "greater").pvalue
    rotated = tables["rotated"].groupby("model")["loss"]
    linear_loss = rotated.get_group(MODELS["privileged_linear"]).to_numpy()
    change = np.abs(linear_loss / linear_loss[0] - 1).max()
    median = rotated.agg(lambda loss: loss.iloc[1:].median() / loss.iloc[0] - 1)[MODELS["privileged"]]
    return Finding(
        f"above 99 % of the rotations in {(relu > 0.99).mean():.0%} of the models with the ReLU and in "
        f"{(linear > 0.99).mean():.0%} of those without (p = {chance:.2g}); a rotation raises the loss by {median:.0%} "
        f"in the median with the ReLU, and changes it by at most {change:.1g} without",
        holds=len(relu) > 0 and (relu > 0.99).mean() >= 0.95 and chance > 0.01 and change < 1e-3,
        note="Without the ReLU the weights are spread over the hidden units more evenly than a random rotation would: "
        f"median rank {np.median(linear):.2f} (Kolmogorov–Smirnov against ½ on average, p = "
        f"{kstest(linear, 'uniform').pvalue:.1g}). The loss knows no hidden unit, but Adam scales the step of every "
        "weight",
    )


@claims.add(
    "bias_escape",
    figure="privileged_vs_not",
    paper="Given a bias in the hidden layer, the model makes it positive and behaves linearly again",
    criterion="at every density all hidden biases of the best model are above 0, and its loss, where the ReLU costs "
    "more than 1 %, makes up at least 95 % of the way from the model without a hidden bias to the one with a linear "
    "hidden layer",
)
def bias_escape(data: Tables) -> Finding:
    models = data["privileged_vs_not"]["models"]
    loss = models.pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODELS.values())
    matters = relu > 1.01 * linear
    way = ((relu - bias) / (relu - linear))[matters]
    biased = models[models["model"] == MODELS["privileged_bias"]]
    least = np.min(biased["least_bias"].to_numpy(), initial=np.inf)
    return Finding(
        f"smallest hidden bias {least:.2f}; {way.min():.1%} of the way at least, at {len(way)} of {len(loss)} "
        f"densities (without the bias up to {(relu / linear).max():.1f} times the linear one's loss, with it "
        f"{(bias / linear).max():.3f}); hidden units are on {biased['on'].min():.1%} of the time or more",
        holds=bool(least > 0 and len(way) > 0 and np.min(way.to_numpy()) >= 0.95),
        note=_beyond_linear(loss, biased),
    )


def _beyond_linear(loss: pd.DataFrame, biased: pd.DataFrame) -> str:
    """Where the model with a hidden bias is better than a linear hidden layer: it is not linear there."""
    better = loss[loss[MODELS["privileged_bias"]] < 0.999 * loss[MODELS["privileged_linear"]]]
    on = biased.set_index("density")["on"]
    parts = [
        f"{1 - row[MODELS['privileged_bias']] / row[MODELS['privileged_linear']]:.1%} at 1-S = {density:g}, where "
        f"units are on {on[density]:.0%} of the time"
        for density, row in better.iterrows()
    ]
    return "It is better than a linear hidden layer by " + "; ".join(parts) if parts else ""


@claims.add(
    "regimes",
    figure="privileged_neurons",
    paper="1-S ≥ 0.5: every neuron has one feature; 0.2 to 0.5: three do, three features are a binary code of the "
    "other two; 0.15: two, and five features in three; 0.12: one, and six in four; 0.05 to 0.08: eight features in "
    "five neurons; ≤ 0.04: each feature is a pair of neurons",
    criterion="a neuron has one feature if no second one drives it by a quarter as much as the first: so many neurons "
    "with one feature, and so many features in the others, with codes of the stated kind, at every density; corrected "
    "if it is so at three of four densities at least, and neurons with one feature never become more as density falls",
    expected="corrected",
    at_quick=False,
)
def neuron_regimes(data: Tables) -> Finding:
    tables = data["privileged_neurons"]
    found, basins = regimes(tables), tables["basins"].set_index("density")
    off = found[~found["agrees"]]
    details = [
        f"at 1-S = {row.density:g} the best model has {row.one} alone and {row.others} features in the others"
        + (
            f", the paper's kind a loss {basins.loc[row.density, 'as_stated']:.1%} higher"
            if np.isfinite(basins.loc[row.density, "as_stated"])
            else ", and no model is of the paper's kind"
        )
        for row in off.itertuples()
    ]
    monotone = (found.sort_values("density", ascending=False)["one"].diff().fillna(0) <= 0).all()
    steady = tables["thresholds"].groupby("density")["one"].nunique()
    return Finding(
        f"{int(found['agrees'].sum())} of {len(found)} densities as stated",
        holds=len(found) > 0 and bool(found["agrees"].all()),
        correction="; ".join(details) if len(found) and found["agrees"].mean() >= 0.75 and monotone else "",
        note=f"With thresholds from {THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g} instead of {neurons.MONOSEMANTIC:g} the "
        f"number of neurons with one feature is the same at {int((steady == 1).sum())} of {len(steady)} densities",
    )

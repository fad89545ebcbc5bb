"""Judge whether the parts of the loss add up, and what they say about superposition."""

import numpy as np

from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("theory")


@claims.add(
    "linear_loss",
    figure="theory",
    paper="In the linear model feature benefit competes with interference, and representing more features than there "
    "are dimensions never pays",
    criterion="every restart at every density: the two terms add up to the loss within 1 %, and no loss is below the "
    "closed-form optimum; the best at each density represents exactly m features, and its interference is below 1 % "
    "of its loss",
)
def linear_loss(data: Tables) -> Finding:
    runs = data["theory"]["linear"]
    gap = ((runs["benefit_term"] + runs["interference_term"]) / runs["loss"] - 1).abs().max()
    below = (1 - runs["loss"] / runs["optimum"]).max()
    best = runs.sort_values("loss").groupby("density").first()
    interference = (best["interference_term"] / best["loss"]).max()
    return Finding(
        f"terms and loss differ by at most {gap:.3%}; lowest loss / optimum {1 - below:.6f}; represented "
        f"{', '.join(map(str, sorted(set(best['represented']))))} in m = {best['m'].iloc[0]}; interference "
        f"{interference:.3%}",
        holds=bool(gap < 0.01 and below < 1e-6 and (best["represented"] == best["m"]).all() and interference < 0.01),
    )


@claims.add(
    "loss_by_active_count",
    figure="theory",
    paper="L = Σ_k P(k active) L_k, with closed forms for L_0 and L_1",
    criterion="at every density: sampled L_0 and L_1 agree with their closed forms, and Σ_k P(k) L_k with the expected "
    "loss of the model, within 4.5 standard errors (exceeded by chance once in 10⁵)",
)
def loss_by_active_count(data: Tables) -> Finding:
    counts = data["theory"]["active_counts"]
    zero = counts[counts["active"] == 0]
    # L_0 is 0 if no bias is positive: its error is then measured relative to the whole loss.
    unit = zero["closed_form"].where(zero["closed_form"] > 0, zero["total"])
    off_zero = ((zero["loss"] - zero["closed_form"]).abs() / unit).max()
    single = counts[counts["active"] == 1]
    off_single = ((single["loss"] - single["closed_form"]) / single["loss_error"]).abs().max()
    total = counts.assign(
        part=counts["probability"] * counts["loss"], error=(counts["probability"] * counts["loss_error"]) ** 2
    )
    total = total.groupby("density").agg(
        part=("part", "sum"), error=("error", "sum"), loss=("total", "first"), spread=("total_error", "first")
    )
    off_total = ((total["part"] - total["loss"]) / np.sqrt(total["error"] + total["spread"] ** 2)).abs().max()
    sparse = counts.query("density == density.min() and active <= 1")
    share = (sparse["probability"] * sparse["loss"]).sum() / total["part"].loc[sparse["density"].iloc[0]]
    return Finding(
        f"L_0 deviates by at most {off_zero:.1e} of itself, L_1 by at most {off_single:.1f} and the sum by at most "
        f"{off_total:.1f} standard errors",
        holds=bool(off_zero < 1e-9 and off_single < 4.5 and off_total < 4.5),
        note=f"At 1-S = {sparse['density'].iloc[0]:g}, L_0 and L_1 make up {share:.0%} of the loss",
    )

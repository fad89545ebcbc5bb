"""Mathematical understanding: the linear model's loss, and the loss by the number of active features."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from superposition import exact, plotting, tables
from superposition.claims import Claims, Finding, Tables
from superposition.weights import Trained

claims = Claims("theory")

SAMPLES = 20_000  # per number of active features, for L_k


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    relu = next(t for t in trained.values() if t.sweep.model == "relu_output")
    linear = next(t for t in trained.values() if t.sweep.model == "linear")
    return {"active_counts": _active_counts(relu), "linear": _linear(linear)}


def _active_counts(trained: Trained) -> pd.DataFrame:
    """P(k active) and L_k for every k and point: L_k from random sets of k features, L_0 and L_1 in closed form too."""
    model, best = trained.model, trained.best()
    density, importance = (torch.from_numpy(a) for a in (trained.sweep.densities(), trained.sweep.importances()))
    probability = exact.active_count_probability(density)
    closed = torch.full_like(probability, torch.nan)
    closed[:, 0] = exact.empty_loss(model, best, importance)
    closed[:, 1] = exact.single_loss(best["W"], best["b"], importance).mean(-1)
    random = torch.Generator().manual_seed(0)
    parts = []
    for k in range(model.n + 1):
        order = torch.rand(SAMPLES, model.n, generator=random, dtype=torch.float64).argsort(dim=1)
        x = torch.rand(SAMPLES, model.n, generator=random, dtype=torch.float64) * (order < k)
        loss = model.loss(best, x.expand(len(importance), -1, -1), importance)
        parts.append(
            trained.sweep.points().assign(
                active=k,
                probability=probability[:, k].numpy(),
                loss=loss.mean(-1).numpy(),
                loss_error=(loss.std(-1) / SAMPLES**0.5).numpy(),
                closed_form=closed[:, k].numpy(),
                total=trained.loss.min(dim=1).values.numpy(),
                total_error=tables.models(trained)["loss_error"],
            )
        )
    return pd.concat(parts, ignore_index=True)


def _linear(trained: Trained) -> pd.DataFrame:
    """The linear models' loss, split into what the paper calls feature benefit and interference; all restarts.

    With the best bias, L = Σ_i I_i v_i (1 - ‖W_i‖²)² + Σ_{i≠j} I_j v_i (W_j·W_i)², where v_i is the variance of x_i.
    """
    sweep = trained.sweep
    density, importance = (torch.from_numpy(a)[:, None] for a in (sweep.densities(), sweep.importances()))
    W, variance = trained.parameters["W"].double(), exact.feature_variance(density)
    gram = W.mT @ W
    norm2 = gram.diagonal(dim1=-2, dim2=-1)
    benefit = (importance * variance * (1 - norm2) ** 2).sum(-1)
    crossed = importance[..., :, None] * variance[..., None, :] * gram**2
    interference = crossed.sum((-2, -1)) - (importance * variance * norm2**2).sum(-1)
    points = sweep.points()
    return points.loc[points.index.repeat(sweep.restarts)].assign(
        restart=np.tile(np.arange(sweep.restarts), len(points)),
        m=sweep.m,
        represented=(norm2 > 0.5).sum(-1).flatten().numpy(),
        benefit_term=benefit.flatten().numpy(),
        interference_term=interference.flatten().numpy(),
        loss=trained.loss.flatten().numpy(),
        optimum=tables.models(trained)["linear_optimum"].repeat(sweep.restarts).to_numpy(),
    )


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Which numbers of active features the loss comes from (left), and the linear model's loss split in two (right)."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(plotting.PAGE, 2.5), gridspec_kw={"width_ratios": [1.5, 1]})
    counts = data["active_counts"].assign(part=lambda t: t["probability"] * t["loss"])
    counts["share"] = counts["part"] / counts.groupby("density")["part"].transform("sum")
    top = 4
    counts["group"] = counts["active"].clip(upper=top)
    share = counts.pivot_table(index="density", columns="group", values="share", aggfunc="sum")
    names = [*(f"$k = {k}$" for k in range(top)), f"$k \\geq {top}$"]
    colours = plt.cm.viridis(np.linspace(0.05, 0.95, top + 1))
    left.stackplot(share.index, share.T, labels=names, colors=colours, edgecolor="white", linewidth=0.3)
    left.set(xscale="log", xlabel="feature density $1-S$", ylabel="share of the loss, $P(k)\\,L_k / L$", ylim=(0, 1))
    left.set_xlim(share.index.max(), share.index.min())
    left.set_title("loss by number of active features")
    left.legend(*(part[::-1] for part in left.get_legend_handles_labels()), loc="center left", bbox_to_anchor=(1, 0.5))

    best = data["linear"].sort_values("loss").groupby("density").first()
    right.plot(best.index, best["benefit_term"] / best["optimum"], "o-", ms=3.5, label="features not represented")
    right.plot(best.index, best["interference_term"] / best["optimum"], "s--", ms=3.5, label="interference")
    right.set(xscale="log", xlabel="feature density $1-S$", ylabel="term / closed-form optimum", ylim=(-0.05, 1.15))
    right.invert_xaxis()
    right.set_title("linear model")
    right.legend(loc="center right")
    return fig


@claims.add(
    "linear_loss",
    figure="theory",
    paper="In the linear model feature benefit stands against interference, and to represent more features than there "
    "are dimensions never pays",
    criterion="every restart at every density: the two terms add up to the loss within 1 %, no loss is below the "
    "closed-form optimum, and of the best at each density exactly m features are represented, its interference below "
    "1 % of the loss",
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
    criterion="at every density: L_0 and L_1 drawn at random agree with their closed forms, and Σ_k P(k) L_k with the "
    "expected loss of the model, within 4.5 standard errors (one in 10⁵ by chance)",
)
def loss_by_active_count(data: Tables) -> Finding:
    counts = data["theory"]["active_counts"]
    zero = counts[counts["active"] == 0]
    # L_0 is zero where no bias is positive: then it is held against the whole loss.
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
        f"L_0 off by {off_zero:.1e} of itself, L_1 by {off_single:.1f} and the sum by {off_total:.1f} standard errors "
        "at most",
        holds=bool(off_zero < 1e-9 and off_single < 4.5 and off_total < 4.5),
        note=f"At 1-S = {sparse['density'].iloc[0]:g}, L_0 and L_1 make up {share:.0%} of the loss",
    )

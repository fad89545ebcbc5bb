"""Judge whether correlated features form local bases, and where pairs collapse to principal components."""

import numpy as np
import pandas as pd

from superposition.paper.correlated import PAPER_CROSSINGS, PAPER_PCA_ONSET, pca_onset
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import (
    Criterion,
    above,
    above_half,
    at_most_zero,
    below,
    below_half,
    improbable,
)

claims = Claims("correlated")


@claims.add(
    figure="local_bases",
    paper="In larger models, sets of correlated features seem to get a kind of local almost-orthogonal basis: "
    "considered in isolation they are (nearly) orthogonal, although the model as a whole is in superposition; this is "
    "quite a strong phenomenon",
    phrase="feature sets considered in isolation",
    criteria=[
        improbable(
            "largest probability that a random division of the features has as little interference within its halves "
            "as the two sets, over the densities at which the best model represents more features than dimensions",
            "random divisions of the 20 features",
        ),
        below_half(
            "largest mean (W_i·W_j)² within the sets over that between them, at the same densities",
            "between orthogonal sets and no difference",
        ),
    ],
)
def local_basis(data: Tables) -> Finding:
    models = data["local_bases"]["models"]
    best = models[models["best"].astype(bool)].assign(ratio=models["within"] / models["between"])
    ours, control = (best[best["distribution"] == name].set_index("density") for name in ("correlated", "independent"))
    densities, ours = len(ours), ours[ours["represented"] > ours["m"]]
    return Finding(
        [ours["chance"].max(), ours["ratio"].max()],
        text=f"the ratio is at least {ours['ratio'].min():.3f}; more features than dimensions at {len(ours)} of "
        f"{densities} densities",
        note=f"For independent features, divided in the same way, the ratio is {control['ratio'].min():.2f} to "
        f"{control['ratio'].max():.2f}",
    )


@claims.add(
    figure="collapse",
    paper="With room for only one of two correlated features a and b, the model represents (a + b)/√2 and ignores "
    "(a - b)/√2",
    phrase="ignore the second principal component",
    criteria=[
        below_half(f"largest share of (a - b)/√2 in the squared weights{of}", "as much of it as of (a + b)/√2", ".1%")
        for of in (
            " of one pair in one dimension, exact optimum, at all densities below 1",
            " of three pairs in two dimensions, best trained models above the exact crossing to three collapsed pairs",
        )
    ],
    at_quick=False,
)
def collapse_to_component(data: Tables) -> Finding:
    tables = data["collapse"]
    exact = tables["pair"].query("correlation == 1")["difference"]
    all_collapse = tables["crossings"].set_index("fewer")["density"].get(2, np.nan)
    best = tables["best"].query("density < 1").sort_values(["density", "feature"])
    W = best.loc[best["density"] > all_collapse, ["w0", "w1"]].to_numpy()
    # The members of a pair follow each other.
    plus, minus = (((W[::2] + sign * W[1::2]) ** 2).sum(1) for sign in (1, -1))
    shares = minus / (plus + minus)
    return Finding(
        [exact.max(), max(shares, default=np.nan)],
        text=f"{len(exact)} densities, and {len(shares)} pairs of trained models",
    )


@claims.add(
    figure="collapse",
    paper="As density grows, pairs collapse one after the other; approximately, none up to 0.05, one from 0.05 to "
    "0.15, two from 0.15 to 0.2, all from 0.25 on, and most like principal components from 0.5 on",
    phrase="As we decrease sparsity",
    criteria=[
        at_most_zero(
            "largest fall of the number of collapsed pairs of the best models from one density to the next higher one",
            "the paper",
            "one after the other",
        ),
        below_half(
            "exact crossings that are nearer, in log density, to another of the paper's boundaries than to their own",
            "between the paper's boundaries, 0.05, 0.15, 0.2 to 0.25, and 0.5",
            ".0f",
        ),
    ],
    correction=[
        at_most_zero(
            "largest fall of the number of collapsed pairs from one density to the next higher one",
            "the paper",
            "one after the other",
        ),
        Criterion(
            "smallest distance of such a crossing from the paper's boundary, in errors of the crossing",
            above(
                3, "measurement error", "the error is the range of the results for different samples of the exact loss"
            ),
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def collapse_regimes(data: Tables) -> Finding:
    tables = data["collapse"]
    best = tables["best"].query("feature == 0 and density < 1").sort_values("density")
    fall = max(0, (-best["collapsed"].diff()).max())
    crossings = tables["crossings"].set_index("fewer").reindex(PAPER_CROSSINGS)
    bounds = np.log([*(np.sqrt(low * high) for low, high in PAPER_CROSSINGS.values()), PAPER_PCA_ONSET])
    nearest = [np.abs(np.log(found) - bounds).argmin() for found in crossings["density"]]
    off = [k for k, own in zip(PAPER_CROSSINGS, nearest, strict=True) if own != k]
    distance = [
        max(low - crossings["density"][k], crossings["density"][k] - high) / crossings["error"][k]
        for k, (low, high) in PAPER_CROSSINGS.items()
        if k in off
    ]
    return Finding(
        [fall, len(off) if crossings["density"].notna().all() else np.nan],
        [fall, min(distance, default=np.nan)],
        text="; ".join(f"{k} to {k + 1} at {row.density:.3f} ± {row.error:.0e}" for k, row in crossings.iterrows()),
        correction="The order is the paper's, but the number of collapsed pairs rises from "
        + " and ".join(f"{k} to {k + 1} at 1-S = {crossings['density'][k]:.3f}" for k in off),
        note="With two collapsed pairs, two directions and two features share the plane; when all three have "
        "collapsed, two of them are first opposite to each other, then they form a triangle. "
        + _cost_of_three(tables["branches"]),
    )


def _cost_of_three(branches: pd.DataFrame) -> str:
    """Say how much more three collapsed pairs cost than two where the paper begins to have three."""
    loss = branches.pivot(index="density", columns="collapsed", values="loss").reindex(columns=[2, 3]).dropna()
    if loss.empty:
        return ""
    start = PAPER_CROSSINGS[2][1]
    excess = np.interp(start, loss.index, loss[3] / loss[2] - 1)
    return f"At 1-S = {start:g} three collapsed pairs cost {excess:.1%} more than two"


@claims.add(
    figure="collapse",
    paper="In very dense regimes, roughly from 0.5 on, the solution becomes equivalent to principal component analysis",
    phrase="the solution becomes equivalent to PCA",
    criteria=[
        below_half(
            "excess of the best linear loss over the best loss, relative to what two principal components save over "
            "two single features, largest at the densities of 0.5 and more",
            "half way between principal components (0) and an advantage as large as theirs (1)",
            ".2f",
        ),
        Criterion(
            "largest rise of the relative excess of the best linear loss from one density to the next higher one",
            below(0, "the paper", "the denser the features, the more like principal components"),
            ".1%",
        ),
    ],
    # With few restarts, the best branch can be missing at a density.
    at_quick=False,
)
def pca_when_dense(data: Tables) -> Finding:
    tables = data["collapse"]
    least = tables["branches"].groupby("density")["loss"].min()
    linear = tables["pca"].set_index("density")["loss"].reindex(least.index)
    density = least.index.to_numpy()
    # Two components have the covariance of the members of a pair more in variance than two features.
    saved = 2 * pd.Series(density / 4 - density**2 / 4, least.index)
    onsets = {share: pca_onset(tables, share) for share in (0.1, 0.05, 0.01)}
    return Finding(
        [((linear - least) / saved)[density >= PAPER_PCA_ONSET].max(), (linear / least).sort_index().diff().max()],
        text="; ".join(f"at most {share:.0%} above from 1-S = {onset:.2f} on" for share, onset in onsets.items()),
    )


def in_one_direction(statistic: str) -> Criterion:
    """Return the criterion that a share changes in one direction only."""
    return Criterion(statistic, below(1e-3, "exact calculation", "never; allows for the error of the search"), ".1e")


@claims.add(
    figure="collapse",
    paper="The results seem to hint that principal components become the better strategy as features become more "
    "correlated, and superposition as they become sparser; features that are both sparse and correlated seem to have "
    "mixtures",
    about="the optimum",
    phrase="As features become more correlated",
    criteria=[
        in_one_direction(
            "one pair in one dimension: largest rise of the share of (a - b)/√2 in the squared weights with the "
            "correlation, at any density"
        ),
        in_one_direction("largest fall of this share with sparsity, at any correlation"),
        above_half(
            "smaller one of its fall from independent features to such as are always active together, at the lowest "
            "density, and of its rise from the highest to the lowest density, at the correlation at which this is most",
            "half way between no change (0) and that from (a + b)/√2 to antipodal features (1)",
        ),
        Criterion(
            "densities at which some but not all of three pairs are collapsed in the best trained model",
            above(0, "the paper", "mixtures"),
            ".0f",
        ),
    ],
    at_quick=False,
)
def tradeoff(data: Tables) -> Finding:
    tables = data["collapse"]
    share = tables["pair"].pivot(index="density", columns="correlation", values="difference").sort_index()
    rows = "; ".join(
        f"c = {c:g}: " + ", ".join(f"{value:.2f} at {p:g}" for p, value in column.iloc[::3].items())
        for c, column in share.iloc[:, ::2].items()
    )
    collapsed = tables["best"].query("density < 1").groupby("density")["collapsed"].first()
    return Finding(
        [
            share.diff(axis=1).max(axis=None),
            share.diff().max(axis=None),
            min(share.iloc[0, 0] - share.iloc[0, -1], (share.iloc[0] - share.iloc[-1]).max()),
            collapsed.between(1, 2).sum(),
        ],
        text=f"share of (a - b)/√2 by correlation c and 1-S: {rows}",
        note="If one feature of the pair is active, so is the other with probability c + (1-c)(1-S). The paper varies "
        "the sparsity only. A first form of the third criterion took the rise with sparsity of independent features, "
        "which have no principal component to give way to; it was 0.14",
    )

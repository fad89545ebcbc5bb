"""Judge whether correlated features form local bases, and where pairs collapse to principal components."""

import numpy as np

from superposition.paper.correlated import PAPER_CROSSINGS, PAPER_PCA_ONSET, pca_onset
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, at_most_zero, below_half, improbable

claims = Claims("correlated")


@claims.add(
    figure="local_bases",
    paper="In larger models with sets of correlated features, a set considered in isolation is (nearly) orthogonal, "
    "although the model as a whole is in superposition; quite a strong phenomenon",
    phrase="feature sets considered in isolation",
    criteria=[
        improbable(
            "largest probability, over the densities, that a random division of the features has as little "
            "interference within its halves as the two sets, in the best model",
            "random divisions of the 20 features",
        ),
        Criterion(
            "largest mean (W_i·W_j)² within the sets over that between them, at any density",
            "<",
            0.5,
            "midpoint",
            "between orthogonal sets and no difference",
        ),
    ],
)
def local_basis(data: Tables) -> Finding:
    models = data["local_bases"]["models"]
    best = models[models["best"].astype(bool)].assign(ratio=models["within"] / models["between"])
    ours, control = (best[best["distribution"] == name].set_index("density") for name in ("correlated", "independent"))
    return Finding(
        [Number(ours["chance"].max()), Number(ours["ratio"].max())],
        text=f"from {ours['ratio'].min():.3f} at 1-S = {ours['ratio'].idxmin():g} on",
        note=f"For independent features, divided in the same way, the ratio is {control['ratio'].min():.2f} to "
        f"{control['ratio'].max():.2f}",
    )


@claims.add(
    figure="collapse",
    paper="With room for only one of two correlated features a and b, the model represents (a + b)/√2 and ignores "
    "(a - b)/√2",
    phrase="ignore the second principal component",
    criteria=[
        Criterion(
            "largest share of (a - b)/√2 in the squared weights of a collapsed pair, in the best models",
            "<",
            0.5,
            "midpoint",
            "as much of it as of (a + b)/√2",
            ".1%",
        )
    ],
    at_quick=False,
)
def collapse_to_component(data: Tables) -> Finding:
    shares: list[float] = []
    for _, model in data["collapse"]["best"].query("collapsed > 0 and density < 1").groupby("density"):
        W = model.sort_values("feature")[["w0", "w1"]].to_numpy()
        plus, minus = (((W[::2] + sign * W[1::2]) ** 2).sum(1) for sign in (1, -1))
        # As many of the pairs as are collapsed: those whose members differ least.
        order = np.argsort(minus)[: model["collapsed"].iloc[0]]
        shares += list((minus / (plus + minus))[order])
    return Finding([Number(max(shares, default=np.nan))], text=f"in {len(shares)} collapsed pairs")


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
            ">",
            3,
            "measurement error",
            "the error is the range of the results for different samples of the exact loss",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def collapse_regimes(data: Tables) -> Finding:
    tables = data["collapse"]
    best = tables["best"].query("feature == 0 and density < 1").sort_values("density")
    fall = Number(max(0, (-best["collapsed"].diff()).max()))
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
        [fall, Number(len(off) if crossings["density"].notna().all() else np.nan)],
        [fall, Number(min(distance, default=np.nan))],
        text="; ".join(f"{k} to {k + 1} at {row.density:.3f} ± {row.error:.0e}" for k, row in crossings.iterrows()),
        correction="The order is the paper's, but the number of collapsed pairs rises from "
        + " and ".join(f"{k} to {k + 1} at 1-S = {crossings['density'][k]:.3f}" for k in off),
        note="With two collapsed pairs, two directions and two features share the plane; when all three have "
        "collapsed, two of them are first opposite to each other, then they form a triangle",
    )


@claims.add(
    figure="collapse",
    paper="In very dense regimes, roughly from 0.5 on, the solution becomes equivalent to principal component analysis",
    phrase="the solution becomes equivalent to PCA",
    criteria=[
        Criterion(
            "largest excess of the best linear loss over the best loss at the densities of 0.5 and more, relative to "
            "the largest excess at any density",
            "<",
            0.5,
            "midpoint",
            "between superposition and principal components",
            ".1%",
        )
    ],
)
def pca_when_dense(data: Tables) -> Finding:
    tables = data["collapse"]
    least = tables["branches"].groupby("density")["loss"].min()
    excess = (tables["pca"].set_index("density")["loss"].reindex(least.index) / least - 1).sort_index()
    dense = excess[excess.index >= PAPER_PCA_ONSET]
    onsets = {share: pca_onset(tables, share) for share in (0.1, 0.05, 0.01)}
    return Finding(
        [Number(dense.max() / excess.max())],
        text="; ".join(f"at most {share:.0%} above from 1-S = {onset:.2f} on" for share, onset in onsets.items()),
    )


claims.leave_out(
    "tradeoff",
    paper="The more correlated features are, the better principal components, and the sparser, the better "
    "superposition; in between there are mixtures",
    phrase="As features become more correlated",
    why="The half about sparsity is collapse_regimes. The half about correlation needs a distribution whose sets are "
    "active together only sometimes, which sweeps do not have.",
)

"""Tables to verdicts: arrangements as stated, local bases, the collapse of pairs."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from superposition.paper.correlated import BASES, PAPER, PAPER_PCA, ROWS, SHOWN_BASES, nearest, pca_onset
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("correlated")


def _as_stated(data: Tables, name: str) -> Finding:
    """Whether the best model is as stated, and models are more often than their features would be by chance."""
    shares = data["correlated_organization"]["shares"]
    shares = shares[(shares["arrangement"] == name) & shares["shown"]].set_index("distribution")
    (row,) = (row for row in ROWS if row.name == name)
    ours, control = shares.loc[row.distribution], shares.loc["independent"]

    def chance(of: pd.Series) -> float:
        """Of at least so many, if every pairing of the corners were as likely."""
        if not of["represented"]:
            return 1.0
        return float(binomtest(int(of["stated"]), int(of["represented"]), row.chance, alternative="greater").pvalue)

    return Finding(
        f"the best model at 1-S = {ours['density']:.2g} is {'' if ours['best'] else 'not '}so; of those with all "
        f"features {ours['stated']} of {ours['represented']} are, by chance it would be {row.chance:.0%}",
        holds=bool(ours["best"]) and chance(ours) < 0.001 and chance(control) > 0.001,
        note=f"All features are in {ours['represented']} of {ours['restarts']} models, {ours['collapsed']} have a "
        f"collapsed pair. Independent features, paired at random: {control['stated']} of {control['represented']}",
    )


STATED = (
    "the best model is so, at the density shown; of the models with all features represented more are so than if every "
    "pairing of the same corners were as likely (p < 0.001), which is not the case for independent features"
)


@claims.add(
    "orthogonal",
    figure="correlated_organization",
    paper="The members of a correlated pair are orthogonal",
    criterion=f"partners at 75° to 105°: {STATED}",
    at_quick=False,
)
def orthogonal(data: Tables) -> Finding:
    return _as_stated(data, "orthogonal")


@claims.add(
    "antipodal",
    figure="correlated_organization",
    paper="The members of an anticorrelated pair are opposite to each other",
    criterion=f"partners at 165° or more: {STATED}",
    at_quick=False,
)
def antipodal(data: Tables) -> Finding:
    return _as_stated(data, "antipodal")


@claims.add(
    "side_by_side",
    figure="correlated_organization",
    paper="With three correlated pairs in two dimensions partners lie side by side; six independent features do not "
    "make this hexagon",
    criterion=f"going around 0 every feature's partner is next to it and no pair is collapsed: {STATED}",
    at_quick=False,
)
def side_by_side(data: Tables) -> Finding:
    return _as_stated(data, "side by side")


@claims.add(
    "local_basis",
    figure="local_bases",
    paper="Within a set of correlated features, features are nearly orthogonal",
    criterion="every model at the density shown: the mean (W_i·W_j)² within a set is at most a tenth of that between "
    "the sets, and of independent features, parted in the same way, at least a third of it",
)
def local_basis(data: Tables) -> Finding:
    models = data["local_bases"]["models"]
    shown = nearest(models["density"], SHOWN_BASES)
    ratio = models.assign(ratio=models["within"] / models["between"]).set_index("distribution")["ratio"]
    here = ratio[(models["density"] == shown).to_numpy()]
    mean = models[models["density"] == shown].groupby("distribution")[["within", "between"]].mean()
    highest = models[models["distribution"] == "correlated"].assign(ratio=ratio["correlated"].to_numpy())
    below = highest.groupby("density")["ratio"].max()
    return Finding(
        "; ".join(f"{name}: {row['within']:.4f} within, {row['between']:.4f} between" for name, row in mean.iterrows()),
        holds=set(here.index) == set(BASES)
        and np.max(here[["correlated"]].to_numpy()) <= 0.1
        and np.mean(here[["independent"]].to_numpy()) >= 1 / 3,
        note=f"At 1-S = {shown:.2g}. The ratio is at most {below.max():.2f} at any density up to {below.index.max():g}",
    )


@claims.add(
    "collapse_regimes",
    figure="collapse",
    paper="As density grows, no pair is collapsed up to about 0.05, one up to 0.15, two up to 0.2 or 0.25, then all",
    criterion="the best models have 0, 1, 2, 3 collapsed pairs in this order, and the branches cross within a factor "
    "of 1.5 of these densities; corrected if the order is this one and the crossings are known to 2 %, but not all are "
    "so near",
    expected="corrected",
    at_quick=False,
)
def collapse_regimes(data: Tables) -> Finding:
    tables = data["collapse"]
    best = tables["best"].query("feature == 0 and density < 1").sort_values("density")
    crossings = tables["crossings"].set_index("fewer").reindex(PAPER)
    found = crossings["density"]
    ordered = best["collapsed"].is_monotonic_increasing and set(best["collapsed"]) == {0, 1, 2, 3}
    known = (crossings["error"] <= 0.02 * found).all() and found.is_monotonic_increasing
    near = {k: low / 1.5 <= found[k] <= high * 1.5 for k, (low, high) in PAPER.items()}
    least = tables["branches"].groupby("density")["loss"].min()
    return Finding(
        "; ".join(
            f"{k} to {k + 1} at {row.density:.3f} ± {row.error:.0e}"
            for k, row in zip(PAPER, crossings.itertuples(), strict=True)
        ),
        holds=ordered and known and all(near.values()),
        correction="The regimes come in the order of the paper, but with "
        + " and ".join(
            f"{k} to {k + 1} at {found[k] / high:.1f} times the density"
            for k, (_, high) in PAPER.items()
            if not near[k]
        )
        if ordered and known and not all(near.values())
        else "",
        note=f"At {len(least)} densities. With two collapsed pairs, two directions and two features share the plane; "
        "all three collapse first with two of them opposite to each other, then as a triangle",
    )


@claims.add(
    "pca_when_dense",
    figure="collapse",
    paper="From a density of about 0.5 the model does what principal components do",
    criterion="the density from which on principal components lose at most 5 % against the best model is within a "
    "factor of 1.5 of 0.5, and beyond it (1-S < 1) the best models have all three pairs collapsed",
)
def pca_when_dense(data: Tables) -> Finding:
    onset, best = pca_onset(data["collapse"]), data["collapse"]["best"].query("feature == 0")
    dense = best[(best["density"] >= onset) & (best["density"] < 1)]
    return Finding(
        f"from 1-S = {onset:.2f} on",
        holds=PAPER_PCA / 1.5 <= onset <= PAPER_PCA * 1.5 and len(dense) > 0 and (dense["collapsed"] == 3).all(),
        note="For 10 % it is "
        + f"{pca_onset(data['collapse'], 0.1):.2f}, for 1 % {pca_onset(data['collapse'], 0.01):.2f}",
    )

"""Judge how the members of correlated pairs and anticorrelated sets lie to each other."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact

from superposition.analysis.rows import listed
from superposition.paper.correlated import ARRANGEMENTS, PAPER_CROSSINGS
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above_half, at_most_zero, below, improbable

claims = Claims("correlated")


def _shares(data: Tables, name: str, independent: bool = False) -> pd.DataFrame:
    """Return the shares of the models with an arrangement, one row per density."""
    (arrangement,) = (known for known in ARRANGEMENTS if known.name == name)
    shares = data["correlated_organization"]["shares"]
    wanted = "independent" if independent else arrangement.distribution
    return shares[(shares["arrangement"] == name) & (shares["distribution"] == wanted)].assign(
        chance=arrangement.chance
    )


def _chance(shares: pd.DataFrame) -> float:
    """Return the probability of so many models with the arrangement if all pairings of its corners were as likely."""
    if not (represented := int(shares["represented"].sum())):
        return 1.0
    return binomtest(int(shares["stated"].sum()), represented, shares["chance"].iloc[0], alternative="greater").pvalue


def _first_collapse(data: Tables) -> float:
    """Return the density from which on a collapsed pair is better than none, with three pairs in two dimensions."""
    crossings = data["collapse"]["crossings"].set_index("fewer")["density"]
    return float(crossings.get(0, np.nan))


IDEAL = at_most_zero(
    "densities at which the best model, trained or best known, represents all features, collapses no pair, and does "
    "not show it",
    "the paper",
    "it is ideal",
)
BY_CHANCE = improbable(
    "probability of so many models with it, among those that represent all features",
    "all pairings of the same corners are equally likely",
)


def _shown(shares: pd.DataFrame) -> str:
    """Say how many models show an arrangement."""
    densities = shares["density"]
    return (
        f"at 1-S from {densities.min():.2g} to {densities.max():.2g}, {shares['stated'].sum()} of "
        f"{shares['represented'].sum()} models that represent all features show it; by chance "
        f"{shares['chance'].iloc[0]:.0%} would"
    )


def _ideal(shares: pd.DataFrame) -> Finding:
    """Return the numbers for an arrangement that is ideal, over all densities at which a model could have it."""
    kinds = {kind: shares[shares[f"{kind}_apart"].astype(bool)] for kind in ("best", "known")}
    missing = [(~here[kind].astype(bool)).sum() for kind, here in kinds.items()]
    trained, known = (len(here) for here in kinds.values())
    able = shares[shares["represented"] > 0].sort_values("density")
    ends = able.iloc[[0, -1]].assign(share=lambda rows: rows["stated"] / rows["represented"]) if len(able) else able
    return Finding(
        [max(missing) if min(trained, known) else np.nan, _chance(shares)],
        text=f"the best trained model represents all features and collapses no pair at {trained} of {len(shares)} "
        f"densities, the best known one at {known}; {_shown(shares)}; their share is "
        + listed(ends, "{share:.0%} at 1-S = {density:.2g}"),
    )


@claims.add(
    figure="correlated_organization",
    paper="Models ideally represent correlated features as orthogonal, in separate tegum factors",
    phrase="ideally represents correlated features",
    criteria=[IDEAL, BY_CHANCE],
    at_quick=False,
)
def orthogonal(data: Tables) -> Finding:
    return _ideal(_shares(data, "orthogonal"))


@claims.add(
    figure="correlated_organization",
    paper="Models prefer to have anticorrelated features interfere, ideally as antipodal pairs in one tegum factor",
    phrase="models prefer to have them interfere",
    criteria=[IDEAL, BY_CHANCE],
    at_quick=False,
)
def antipodal(data: Tables) -> Finding:
    return _ideal(_shares(data, "antipodal"))


@claims.add(
    figure="correlated_organization",
    paper="Where they cannot be orthogonal, models prefer correlated features as close together as possible, with "
    "positive rather than negative interference: three pairs form a hexagon of neighbours",
    phrase="as close together as possible",
    criteria=[
        above_half(
            "share of the densities below the first collapse at which the best model shows it",
            "the majority; no density is stated",
            ".0%",
        ),
        BY_CHANCE,
    ],
    at_quick=False,
)
def side_by_side(data: Tables) -> Finding:
    shares = _shares(data, "side by side")
    below = shares[shares["density"] < _first_collapse(data)]
    return Finding(
        [below["best"].astype(bool).mean(), _chance(below)],
        text=_shown(below),
        note=f"By exact calculation no pair is collapsed below 1-S = {_first_collapse(data):.3f}",
    )


@claims.add(
    figure="correlated_organization",
    paper="Six independent features will not be embedded as a hexagon like this",
    phrase="features arranged in a hexagon",
    criteria=[
        at_most_zero(
            "densities at which the best model of six independent features is a regular hexagon", "the paper", "at none"
        )
    ],
    correction=[
        Criterion(
            "largest deviation of an angle between neighbours from 60° at the densities up to 0.05, where by the paper "
            "correlated pairs form a hexagon",
            below(6, "midpoint", "half way to the 72° of a pentagon"),
            ".1f",
        )
    ],
    expected="corrected",
    at_quick=False,
)
def no_independent_hexagon(data: Tables) -> Finding:
    tables = data["correlated_organization"]
    trained, known = (tables[name].sort_values("density") for name in ("independent", "best_independent"))
    first_collapse, _ = PAPER_CROSSINGS[0]
    regular, regular_trained = (table[table["deviation"] < 6] for table in (known, trained))
    restarts = _shares(data, "side by side", independent=True)["restarts"].iloc[0]
    excess = trained.set_index("point")["loss"] / known.set_index("point")["loss"] - 1
    return Finding(
        [len(regular)],
        [known["deviation"][known["density"] <= first_collapse].fillna(180).max()],
        text=f"this counts the best known models; of the best trained ones {len(regular_trained)} are",
        correction="Sparse independent features do form a hexagon: the best known model does at every density up to "
        f"{regular['density'].max():.2g}",
        note=f"The best trained models cost at most {excess.max():.2%} more than the best known. At 1-S = "
        f"{trained['density'].iloc[0]:g}, {trained['represented'].iloc[0]} of {restarts} restarts represent all six",
    )


@claims.add(
    figure="collapse",
    paper="Sometimes a pair collapses among these models; here that is an optimisation failure",
    phrase="features arranged in a hexagon",
    criteria=[
        above_half(
            "share of the models with a collapsed pair, below the first collapse, whose loss is above that of the "
            "exact branch without one by three standard errors",
            "the majority; next to the collapse the losses are the same within their errors",
            ".0%",
        )
    ],
    at_quick=False,
)
def failed_collapse(data: Tables) -> Finding:
    tables = data["collapse"]
    exact = tables["branches"].query("collapsed == 0").set_index("density")["loss"]
    fits = tables["fits"][tables["fits"]["density"] < _first_collapse(data)]
    collapsed = fits[fits["collapsed"] > 0]
    excess = collapsed["loss"] - collapsed["density"].map(exact)
    return Finding(
        [(excess > 3 * collapsed["loss_error"]).mean()],
        text=f"{len(collapsed)} of {len(fits)} models have a collapsed pair; in the median their loss is "
        f"{(excess / collapsed['density'].map(exact)).median():.0%} higher",
    )


@claims.add(
    figure="collapse",
    paper="There seems to be an order of preference for correlated features: orthogonal, else close together with "
    "positive interference, else collapsed to the principal component",
    phrase="prefers positive interference between correlated",
)
def preference_order(data: Tables) -> Finding:
    two, three = (_shares(data, name) for name in ("orthogonal", "side by side"))
    kinds = ("known", "best")
    largest = {
        words: [shares.loc[shares[kind].astype(bool), "density"].max() for kind in kinds]
        for words, shares in (("orthogonal with two pairs", two), ("side by side with three", three))
    }
    return Finding(
        text="the best known models are "
        + ", ".join(
            f"{words} up to 1-S = {known:.2g} (trained: {trained:.2g})" for words, (known, trained) in largest.items()
        )
        + f"; beyond, pairs collapse (three pairs: from {_first_collapse(data):.3f} on, exactly)",
        note="What the order consists of is judged: see orthogonal, side_by_side, collapse_to_component and, for "
        "anticorrelated features, antipodal. No verdict on the order, because the paper does not say where it changes",
    )


@claims.add(
    figure="correlated_organization",
    paper="Correlation strongly influences which features are grouped together in superposition",
    phrase="influences which features are grouped together",
    criteria=[
        improbable(
            "probability of so many more models with partners in separate factors than with independent features",
            "Fisher's exact test over the models of all densities that represent all features",
        )
    ],
    at_quick=False,
)
def grouping(data: Tables) -> Finding:
    counts = []
    for independent in (False, True):
        shares = _shares(data, "orthogonal", independent)
        counts.append([shares["stated"].sum(), (shares["represented"] - shares["stated"]).sum()])
    shown = [f"{stated} of {stated + other}" for stated, other in counts]
    return Finding(
        [fisher_exact(counts, alternative="greater").pvalue],
        text=f"{shown[0]} models of correlated pairs, {shown[1]} of independent features",
    )

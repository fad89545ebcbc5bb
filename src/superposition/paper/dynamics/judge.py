"""Measure jumps of D_i, drops of the loss, and regimes of learning, for the claims about learning dynamics."""

import itertools

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from superposition.analysis.rows import listed
from superposition.paper.dynamics import (
    DIMENSIONALITY_LEVELS,
    LEVEL_TOLERANCE,
    SMALL_INIT,
    XAVIER_INIT,
    loss_fall_at_jumps,
    swaps_at_jumps,
)
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, improbable

claims = Claims("dynamics")

# On a plateau the loss falls at most half as fast as at the slower of the two drops around it.
MAX_FLATNESS = 0.5
# Perfect matchings of six features in which every pair joins the two sets of three, of all matchings.
PAIRS_ACROSS_BY_CHANCE = 6 / 15
INITIALISATION_LABELS = {SMALL_INIT: "from small weights", XAVIER_INIT: "from Xavier-normal ones"}


@claims.add(
    figure="energy_levels",
    paper="With many features, features jump between different dimensionalities as they are learned; shown for a "
    "model in which all features end as digons",
    phrase="jump between different feature dimensionalities",
    criteria=[
        Criterion("jumps, in models whose features all end as digons", above(0, "the paper", "features jump"), ".0f"),
        above_half(
            "median share of a feature's change that falls within 4 % of training, of the features of these models "
            "whose D_i changes by more than a quarter after the model has settled",
            "between a change that is spread evenly, of which about 4 % would, and a sudden one; a quarter is half "
            "way between the levels",
            ".0%",
        ),
    ],
    # In the smaller batches of scale quick, D_i change less suddenly.
    at_quick=False,
)
def jumps(data: Tables) -> Finding:
    tables = data["energy_levels"]
    models = tables["models"].query("digons")
    jumps, moved = (tables[name].merge(models[["restart"]], on="restart") for name in ("jumps", "moved"))
    by_least = tables["sensitivity"].groupby("least")["jumps"].sum()
    distance = np.abs(np.subtract.outer(jumps[["before", "after"]].to_numpy(), DIMENSIONALITY_LEVELS)).min(axis=-1)
    begin, end = (distance <= LEVEL_TOLERANCE).sum(axis=0)
    return Finding(
        [len(jumps), moved["steepest"].median()],
        text=f"in {jumps['restart'].nunique()} of {len(models)} models; {(moved['steepest'] > 0.5).sum()} of "
        f"{len(moved)} features change mostly at once",
        note=f"Once models have settled, {models['at_levels'].mean():.1%} of all D_i are within {LEVEL_TOLERANCE:g} of "
        f"0, 1/2 or 1, and most of them stay there; {begin} of {len(jumps)} jumps begin there, and {end} end there. "
        "Number of jumps by the least change that counts as one: " + listed(by_least, "{jumps} for {least:.2g}"),
    )


@claims.add(
    figure="energy_levels",
    paper="Some features jump between different values and swap places",
    phrase="different values and swap places",
    criteria=[
        improbable(
            "probability of so many jumps together with a jump of another feature in the other direction",
            "moments of the jumps drawn at random, 10 000 times",
        )
    ],
    at_quick=False,
)
def swap_places(data: Tables) -> Finding:
    observed, at_random = swaps_at_jumps(data["energy_levels"])
    return Finding(
        [(1 + (at_random >= observed).sum()) / (1 + len(at_random)) if observed else np.nan],
        text=f"{observed} jumps, {at_random.mean():.1f} at random moments",
    )


@claims.add(
    figure="energy_levels",
    paper="Learning appears to be dominated by these jumps: as features jump, the loss undergoes a sudden drop, very "
    "little at the first jump, more at the second",
    phrase="loss curve also undergoes a sudden",
    criteria=[
        above_half(
            "share of the loss's fall, once models have settled, within 2 % of training of a jump",
            "what dominates is the larger part",
            ".0%",
        ),
        *(
            improbable(f"probability of so large a share {words}", "10 000 shuffles")
            for words in ("at moments drawn at random", "at the jumps of models drawn at random")
        ),
    ],
    at_quick=False,
)
def loss_drops(data: Tables) -> Finding:
    test = loss_fall_at_jumps(data["energy_levels"])
    chances = [test.p_value(null) for null in (test.at_random, test.of_others)]
    return Finding(
        [test.share, *(chances if np.isfinite(test.share) else [np.nan, np.nan])],
        text=f"{test.at_random.mean():.0%} of the fall is at random moments, {test.of_others.mean():.0%} at the jumps "
        "of models drawn at random",
        note="That the second of two drops is the larger one is seen in the paper's run, and not judged",
    )


def _main_runs(data: Tables) -> pd.DataFrame:
    """Return the runs at the density that is drawn, of both initialisations."""
    runs = data["geometric_learning"]["runs"]
    return runs[runs["experiment"].isin([*INITIALISATION_LABELS])]


@claims.add(
    figure="geometric_learning",
    paper="In this example the last solution, an octahedron whose antipodal pairs join features of the two correlated "
    "sets, seems to be a strong attractor",
    phrase="seems to be a strong attractor",
    criteria=[
        above_half("least share of the runs that end so, over the two initialisations", "the majority", ".0%"),
        improbable(
            "largest probability of so many octahedra with all pairs across the sets",
            "pairs at random: 6 of 15 matchings",
        ),
    ],
)
def octahedron(data: Tables) -> Finding:
    runs = _main_runs(data)
    ended = (runs["octahedron"] & runs["across"]).groupby(runs["experiment"]).mean().reindex([*INITIALISATION_LABELS])
    octahedra = runs[runs["octahedron"]].groupby("experiment")["across"].agg(["sum", "size"])
    chance = [
        binomtest(int(row["sum"]), int(row["size"]), PAIRS_ACROSS_BY_CHANCE, "greater").pvalue
        for _, row in octahedra.iterrows()
    ]
    others, every = runs[~runs["octahedron"]], data["geometric_learning"]["runs"]
    ends = every[every["experiment"] != XAVIER_INIT].groupby("density")
    by_density = [
        f"{(group['octahedron'] & group['across']).mean():.0%} at {density:g}, where most runs end with "
        f"{group['path'].str.split(' → ').str[-1].mode().iloc[0].replace(' in ', ' features in ')} dimensions"
        for density, group in ends
    ]
    return Finding(
        [ended.min(skipna=False), max(chance, default=np.nan)],
        text="; ".join(f"{share:.0%} {INITIALISATION_LABELS[name]}" for name, share in ended.items()),
        note=f"Of the {len(others)} other runs {int((others['represented'] < 6).sum())} represent fewer than six. The "
        "paper states no density; from small weights, by 1-S: " + "; ".join(by_density),
    )


@claims.add(
    figure="geometric_learning",
    paper="In an example, learning proceeds in distinct regimes, which are visible in the loss curve, each a distinct "
    "geometric transformation of the weights",
    phrase="proceeds in distinct regimes",
    criteria=[
        above_half(
            "share of the runs whose loss has a plateau between two drops, mean of both initialisations",
            "the majority; on a plateau the loss falls at most half as fast as at the slower drop, in log-log",
            ".0%",
        ),
        above_half(
            "share of these runs in which more features are represented, or in more dimensions, on every plateau than "
            "on the one before, and at the end than on the last, mean of both initialisations",
            "the majority: each regime changes the arrangement",
            ".0%",
        ),
    ],
)
def regimes(data: Tables) -> Finding:
    runs = _main_runs(data)
    experiments = [*INITIALISATION_LABELS]
    flat = runs["flattest"] <= MAX_FLATNESS
    share = flat.groupby(runs["experiment"]).mean().reindex(experiments)
    grows = runs.loc[flat, "path"].map(_grows).astype(float)
    growing = grows.groupby(runs["experiment"]).mean().reindex(experiments)
    plateaus = runs.groupby("experiment")["plateaus"].mean()
    small = runs[runs["experiment"] == SMALL_INIT]["path"].value_counts(normalize=True)
    return Finding(
        [share.mean(skipna=False), growing.mean(skipna=False)],
        text="with a plateau: " + ", ".join(f"{v:.0%} {INITIALISATION_LABELS[e]}" for e, v in share.items()),
        note=f"Plateaus per run: {', '.join(f'{n:.1f} {INITIALISATION_LABELS[e]}' for e, n in plateaus.items())}. "
        f"The most frequent path, in {small.iloc[0]:.0%} of the runs from small weights, is {small.index[0]} (features "
        "represented in dimensions, on each plateau and at the end); judged at 1-S = 0.1, as the paper states no "
        "density"
        if len(small)
        else "",
    )


def _grows(path: str) -> bool:
    """Return whether every stage of a path, such as ``0 in 2 → 6 in 3``, has more features or dimensions."""
    stages = [tuple(int(number) for number in stage.split(" in ")) for stage in path.split(" → ")]
    return all(one != other and one[0] <= other[0] and one[1] <= other[1] for one, other in itertools.pairwise(stages))


@claims.add(
    figure="geometric_learning",
    paper="The trajectory shown is one of a few; others go directly to the antiprism or form antipodal pairs",
    phrase="few different learning trajectories",
)
def several_trajectories(data: Tables) -> Finding:
    runs = _main_runs(data)
    counts = {
        words: int((paths.value_counts(normalize=True).cumsum() < 0.95).sum() + 1)
        for name, words in INITIALISATION_LABELS.items()
        if len(paths := runs.loc[runs["experiment"] == name, "path"])
    }
    return Finding(text="paths that 95 % of the runs take: " + ", ".join(f"{k} {words}" for words, k in counts.items()))


@claims.add(
    figure="geometric_learning",
    paper="In this example the network learns a linear PCA solution before it finds a better nonlinear one",
    phrase="learns a linear PCA solution before",
    criteria=[
        above_half(
            "share of the runs from small weights whose WᵀW on the first plateau differs by less than 1/6 from the "
            "projector on the first two principal components",
            "the majority; 1/6 is half of an entry of the projector on the sums of the two sets",
            ".0%",
        )
    ],
)
def pca_first(data: Tables) -> Finding:
    runs = _main_runs(data)
    far = runs["from_components"].groupby(runs["experiment"])
    near = far.apply(lambda differences: (differences < 1 / 6).mean()).reindex([*INITIALISATION_LABELS])
    return Finding(
        [near[SMALL_INIT]],
        text=f"the largest difference of an entry is {far.median()[SMALL_INIT]:.3f} in the median run; "
        f"{near[XAVIER_INIT]:.0%} of the runs from Xavier-normal weights have such a plateau",
        note="How the weights start decides, and the paper does not say how they do in its example. The finding that "
        "it refers to is about early training from small weights; Xavier-normal weights start beyond this stage",
    )


claims.leave_out(
    "smooth_is_many_jumps",
    paper="They suspect that the smooth loss curves of larger models are composed of many small jumps",
    phrase="composed of many small jumps",
    why="It would need snapshots along the training of models with several hundred features; those of the large models "
    "here are not kept.",
)

"""Judge the claims about learning dynamics: jumps between levels of D_i, drops of the loss, and regimes of learning."""

import numpy as np
from scipy.stats import binomtest

from superposition.paper.dynamics import LEVEL_TOLERANCE, LEVELS, SMALL_INIT, XAVIER_INIT, loss_fall_at_jumps
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("dynamics")

# On a plateau the loss falls at most half as fast as at the slower of the two drops around it.
MAX_FLATNESS = 0.5


@claims.add(
    "jumps",
    figure="energy_levels",
    paper="During training features jump between discrete levels of D_i",
    criterion="in models whose represented features all end as digons, once settled (from then on no more than a tenth "
    "of the features change at a time): a jump takes, in the median, at most a tenth of the time for which the model "
    "is settled; and more jumps begin, and more end, within 0.05 of 0, 1/2 or 1 than if D_i were uniformly distributed "
    "(p < 0.001 each); corrected if they end so but do not begin so",
    expected="corrected",
)
def feature_jumps(data: Tables) -> Finding:
    tables = data["energy_levels"]
    models = tables["models"].query("digons")
    jumps = tables["jumps"].merge(models[["restart"]], on="restart")
    spacing = tables["levels"]["step"].diff().mean()
    settled_for = (len(tables["levels"]) - models["settled"]).median() * spacing
    takes = jumps["steps"].median()
    # The outer levels can be approached from one side only.
    chance = 2 * LEVEL_TOLERANCE * (len(LEVELS) - 1)
    counts, at_levels = {}, {}
    for moment in ("before", "after"):
        near = np.abs(jumps[moment].to_numpy()[:, None] - np.array(LEVELS)).min(1, initial=np.inf) <= LEVEL_TOLERANCE
        counts[moment] = int(near.sum())
        at_levels[moment] = len(jumps) > 0 and binomtest(counts[moment], len(jumps), chance, "greater").pvalue < 0.001
    brief = takes <= 0.1 * settled_for
    jumps_by_least = tables["sensitivity"].groupby("least")["jumps"].sum()
    return Finding(
        f"{len(jumps)} jumps in {jumps['restart'].nunique()} of {len(models)} models, in the median within "
        f"{takes:.0f} steps of {settled_for:.0f}; {counts['before']} begin at a level, {counts['after']} end at one",
        holds=brief and all(at_levels.values()),
        correction="Features jump to a level, 1/2 or 0, but not from one: they start from slowly changing values "
        "between the levels, or from a partly dedicated dimension"
        if brief and at_levels["after"] and not at_levels["before"]
        else "",
        note=f"{len(models)} of {len(tables['models'])} models end as digons. Once models have settled, "
        f"{models['at_levels'].mean():.1%} of all D_i are at the levels, and most of them stay there. Number of jumps "
        "by the least change that counts as one: "
        + ", ".join(f"{count} for {least:.2g}" for least, count in jumps_by_least.items()),
    )


@claims.add(
    "loss_drops",
    figure="energy_levels",
    paper="The loss drops when features jump",
    criterion="in models that end as digons, once settled: more of the fall of the loss lies within 2 % of training of "
    "a jump than if the moments of the jumps are drawn at random, and than if every model is given those of another "
    "(10 000 shuffles each, p < 0.01)",
    at_quick=False,
)
def loss_drops(data: Tables) -> Finding:
    test = loss_fall_at_jumps(data["energy_levels"])
    p_values = [test.p_value(null) for null in (test.at_random, test.of_others)]
    return Finding(
        f"{test.share:.0%} of the fall at the jumps; {test.at_random.mean():.0%} at random moments (p = "
        f"{p_values[0]:.1g}), {test.of_others.mean():.0%} at another model's (p = {p_values[1]:.1g})",
        holds=bool(np.isfinite(test.share)) and max(p_values) < 0.01,
    )


@claims.add(
    "octahedron",
    figure="geometric_learning",
    paper="Two correlated sets of three features in three dimensions end as an octahedron whose antipodal pairs join "
    "features of different sets; the regimes of learning show as plateaus in the loss",
    criterion="more than half of the runs end so, both from small and from Xavier-normal weights; and the loss of more "
    "than half of the runs from small weights has a plateau between two drops on which it falls at most half as fast "
    "as at the slower drop (in log-log)",
)
def octahedron(data: Tables) -> Finding:
    runs = data["geometric_learning"]["runs"]
    ended = (runs["octahedron"] & runs["across"]).groupby(runs["experiment"]).mean().reindex([SMALL_INIT, XAVIER_INIT])
    flat = (runs["flattest"] <= MAX_FLATNESS).groupby(runs["experiment"]).mean().reindex([SMALL_INIT, XAVIER_INIT])
    others = runs[~runs["octahedron"]]
    within = int((runs["octahedron"] & ~runs["across"]).sum())
    return Finding(
        f"{ended[SMALL_INIT]:.0%} of the runs from small weights and {ended[XAVIER_INIT]:.0%} of those from "
        f"Xavier-normal ones end so; a plateau in {flat[SMALL_INIT]:.0%} and {flat[XAVIER_INIT]:.0%}",
        holds=bool((ended > 0.5).all() and flat[SMALL_INIT] > 0.5),
        note=f"{within} octahedra have a pair within a set. Of the {len(others)} other runs "
        f"{int((others['represented'] < 6).sum())} represent fewer than six features. Plateaus per run: "
        + ", ".join(
            f"{name} {runs.loc[runs['experiment'] == e, 'plateaus'].mean():.1f}"
            for e, name in {SMALL_INIT: "from small weights", XAVIER_INIT: "from Xavier-normal ones"}.items()
        ),
    )

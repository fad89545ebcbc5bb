"""Tables to verdicts: jumps between levels, drops of the loss, the geometry of every step."""

import numpy as np
from scipy.stats import binomtest

from superposition.paper.dynamics import LEVELS, NEAR, SMALL, XAVIER, fall_at_jumps
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("dynamics")

FLAT = 0.5  # a plateau descends at most half as fast as the slower of the drops around it


@claims.add(
    "jumps",
    figure="energy_levels",
    paper="During training features jump between discrete levels of D_i",
    criterion="models whose represented features all end as digons, once settled (never again more than a tenth of "
    "the features on the move at a time): a jump takes, in the median, at most a tenth of the time for which the model "
    "is settled, and more jumps begin, and end, within 0.05 of 0, 1/2 or 1 than if D_i were spread evenly (p < 0.001 "
    "each); corrected if they end so but do not begin so",
    expected="corrected",
)
def feature_jumps(data: Tables) -> Finding:
    tables = data["energy_levels"]
    models = tables["models"].query("digons")
    jumps = tables["jumps"].merge(models[["restart"]], on="restart")
    spacing = tables["levels"]["step"].diff().mean()
    settled_for = (len(tables["levels"]) - models["settled"]).median() * spacing
    takes = jumps["steps"].median()
    chance = 2 * NEAR * (len(LEVELS) - 1)  # the outer levels have one side each
    counts, on_levels = {}, {}
    for moment in ("before", "after"):
        near = np.abs(jumps[moment].to_numpy()[:, None] - np.array(LEVELS)).min(1, initial=np.inf) <= NEAR
        counts[moment] = int(near.sum())
        on_levels[moment] = len(jumps) > 0 and binomtest(counts[moment], len(jumps), chance, "greater").pvalue < 0.001
    quick = takes <= 0.1 * settled_for
    by_least = tables["sensitivity"].groupby("least")["jumps"].sum()
    return Finding(
        f"{len(jumps)} jumps in {jumps['restart'].nunique()} of {len(models)} models, in the median within "
        f"{takes:.0f} steps of {settled_for:.0f}; {counts['before']} begin at a level, {counts['after']} end at one",
        holds=quick and all(on_levels.values()),
        correction="Features jump to a level, 1/2 or 0, but not from one: they come from slowly changing values in "
        "between, or from a dimension of their own in part"
        if quick and on_levels["after"] and not on_levels["before"]
        else "",
        note=f"{len(models)} of {len(tables['models'])} models end as digons. Of all D_i once settled "
        f"{models['at_levels'].mean():.1%} are at the levels, most of them never to leave. By the least change that is "
        "a jump: " + ", ".join(f"{count} of {least:.2g}" for least, count in by_least.items()),
    )


@claims.add(
    "loss_drops",
    figure="energy_levels",
    paper="The loss drops when features jump",
    criterion="models that end as digons, once settled: more of the fall of the loss is within 2 % of training of a "
    "jump than if the moments of jumping are put at random, and than if every model is given those of another (10 000 "
    "shuffles each, p < 0.01)",
    at_quick=False,
)
def loss_drops(data: Tables) -> Finding:
    test = fall_at_jumps(data["energy_levels"])
    chances = [test.p(null) for null in (test.at_random, test.of_others)]
    return Finding(
        f"{test.share:.0%} of the fall at the jumps; {test.at_random.mean():.0%} at random moments (p = "
        f"{chances[0]:.1g}), {test.of_others.mean():.0%} at another model's (p = {chances[1]:.1g})",
        holds=bool(np.isfinite(test.share)) and max(chances) < 0.01,
    )


@claims.add(
    "octahedron",
    figure="geometric_learning",
    paper="Two correlated sets of three features in three dimensions end as an octahedron whose antipodal pairs join "
    "features of different sets; the regimes of learning show as plateaus in the loss",
    criterion="more than half of the runs, from small and from Xavier-normal weights each, end so; the loss of more "
    "than half of the runs from small weights has a plateau between two drops where it falls at most half as fast as "
    "at the slower of them (in log-log)",
)
def octahedron(data: Tables) -> Finding:
    runs = data["geometric_learning"]["runs"]
    ended = (runs["octahedron"] & runs["across"]).groupby(runs["experiment"]).mean().reindex([SMALL, XAVIER])
    flat = (runs["flattest"] <= FLAT).groupby(runs["experiment"]).mean().reindex([SMALL, XAVIER])
    others = runs[~runs["octahedron"]]
    within = int((runs["octahedron"] & ~runs["across"]).sum())
    return Finding(
        f"{ended[SMALL]:.0%} of the runs from small weights and {ended[XAVIER]:.0%} of those from Xavier-normal ones "
        f"end so; a plateau in {flat[SMALL]:.0%} and {flat[XAVIER]:.0%}",
        holds=bool((ended > 0.5).all() and flat[SMALL] > 0.5),
        note=f"{within} octahedra have a pair within a set. Of the {len(others)} other runs "
        f"{int((others['represented'] < 6).sum())} represent fewer than six features. Plateaus per run: "
        + ", ".join(
            f"{name} {runs.loc[runs['experiment'] == e, 'plateaus'].mean():.1f}"
            for e, name in {SMALL: "from small weights", XAVIER: "from Xavier-normal ones"}.items()
        ),
    )

"""Tables to verdicts: exact neurons, neurons with one feature and with several, the motif."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from superposition.analysis import neurons
from superposition.paper.absolute import LENGTHS, MAIN, THRESHOLDS, ZOOM, alone, is_exact, matrix, shown_motifs
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("absolute")

DENSE = (1.0, 0.3)  # where the paper finds no neuron with several features
SPARSE = 0.001  # and where none with one


@claims.add(
    "exact",
    figure="absolute_small",
    paper="Three features, six neurons: a “+” and a “-” neuron for each feature, ReLU(x) + ReLU(-x), loss near 0",
    criterion="the best model has these neurons and no other weight above a thousandth, and its root mean squared "
    "error is no more than the rounding error of a number in float32 (1.2·10⁻⁷)",
)
def exact_small(data: Tables) -> Finding:
    models, weights = data["absolute_small"]["models"], data["absolute_small"]["weights"]
    error = float(np.sqrt(models["loss"].min()))
    found = is_exact(matrix(weights), matrix(weights, "out"))
    return Finding(
        f"{'such neurons' if found else 'other neurons'}; root mean squared error {error:.1e}; "
        f"{models['exact'].mean():.0%} of {len(models)} models end so",
        holds=found and error <= np.finfo(np.float32).eps,
    )


@claims.add(
    "monosemantic_when_dense",
    figure="absolute_neurons",
    paper="1-S = 1 and 0.3: every neuron has one feature",
    criterion="no neuron of the best model of any seed has a second weight of a quarter of its largest, and the loss "
    "is at most 10 % above that of m/2 exact features",
    at_quick=False,
)
def monosemantic_when_dense(data: Tables) -> Finding:
    models, units = data["absolute_neurons"]["models"], data["absolute_neurons"]["neurons"]
    here = units["best"] & units["density"].isin(DENSE) & units["experiment"].isin(MAIN)
    seconds = units[here]["second"].to_numpy()
    best = models[models["best"] & models["density"].isin(DENSE) & models["experiment"].isin(MAIN)]
    relative = best["loss"] / best["yardstick"]
    return Finding(
        f"largest second weight {np.max(seconds, initial=0):.3f} of the first, in {len(best)} models; losses at most "
        f"{relative.max():.3f} of that of exact features",
        holds=set(best["density"]) == set(DENSE)
        and bool((seconds < neurons.MONOSEMANTIC).all() and (relative.to_numpy() <= 1.1).all()),
    )


@claims.add(
    "polysemantic_when_sparse",
    figure="absolute_neurons",
    paper="1-S = 0.001: every neuron has several features",
    criterion="every neuron of the best model of every seed has a second weight of a quarter of its largest; corrected "
    "if most neurons do, and in every seed more than at any higher density",
    expected="corrected",
    at_quick=False,
)
def polysemantic_when_sparse(data: Tables) -> Finding:
    models, units = data["absolute_neurons"]["models"], data["absolute_neurons"]["neurons"]
    m = count(units)
    kept, strict = alone(units), alone(units, min(THRESHOLDS)).loc[SPARSE]
    sparse, denser = kept.loc[SPARSE], kept.drop(SPARSE)
    here = units[(units["density"] == SPARSE) & units["best"] & (units["second"] < neurons.MONOSEMANTIC)]
    mains = here[here["experiment"].isin(MAIN)]["main"]
    lowest = models[models["density"] == SPARSE].groupby("experiment")["loss"].min()
    others = [
        f"after {name}, at {lowest[experiment] / lowest[lowest.index.isin(MAIN)].min():.2f} times the lowest loss, "
        f"{m - (here['experiment'] == experiment).sum()}"
        for experiment, name in LENGTHS.items()
    ]
    return Finding(
        f"{', '.join(str(m - k) for k in sparse)} of {m} neurons, by seed (threshold {min(THRESHOLDS):g}: "
        f"{', '.join(str(m - k) for k in strict)})",
        holds=len(sparse) > 0 and bool((sparse == 0).all()),
        correction="Most neurons have several features, not all: the most important features keep neurons of their own "
        f"(the median of their numbers is {mains.median() + 1:.0f})"
        if bool((sparse <= m / 2).all() and (sparse < denser.min()).all())
        else "",
        note=f"Of {m} neurons so many have several features " + "; ".join(others),
    )


@claims.add(
    "both_in_one_model",
    figure="absolute_neurons",
    paper="In between, neurons with one feature and neurons with several exist in one model",
    criterion="at some density at least a tenth of the neurons are of either kind in the best model of every seed, and "
    "that with any threshold from 0.1 to 0.35",
    at_quick=False,
)
def both_in_one_model(data: Tables) -> Finding:
    units = data["absolute_neurons"]["neurons"]
    m = count(units)
    always = sorted(set.intersection(*(mixed(units, t) for t in THRESHOLDS[:-1])), reverse=True)
    kept = alone(units)
    return Finding(
        "; ".join(f"1-S = {d:g}: {', '.join(map(str, kept.loc[d]))} of {m} neurons have one feature" for d in always)
        or "at no density",
        holds=bool(always),
    )


@claims.add(
    "important_stay_monosemantic",
    figure="absolute_neurons",
    paper="The important features keep neurons for themselves",
    criterion="wherever both kinds exist: the less important a neuron's largest feature, the larger its second weight "
    "(Spearman, p < 0.01 in the best model of every seed), and neurons with one feature have the more important ones "
    "in the median",
    at_quick=False,
)
def important_stay_monosemantic(data: Tables) -> Finding:
    units = data["absolute_neurons"]["neurons"]
    densities = mixed(units)
    best = units[units["best"] & units["experiment"].isin(MAIN) & units["density"].isin(densities)]
    rows = []
    for _, model in best.groupby(["density", "seed"]):
        test = spearmanr(model["main"], model["second"], alternative="greater")
        one = model["second"] < neurons.MONOSEMANTIC
        rows.append((test.statistic, test.pvalue, model["main"][one].median(), model["main"][~one].median()))
    table = pd.DataFrame(rows, columns=["rank", "p", "alone", "others"])
    return Finding(
        f"{len(table)} models: rank correlation {table['rank'].min():.2f} to {table['rank'].max():.2f} (p < "
        f"{table['p'].max():.1g}); median main feature {table['alone'].median() + 1:.0f} of neurons with one feature, "
        f"{table['others'].median() + 1:.0f} of the others",
        holds=len(table) > 0 and bool((table["p"] < 0.01).all() and (table["alone"] < table["others"]).all()),
    )


@claims.add(
    "primary_and_secondary",
    figure="absolute_zoom",
    paper="Neurons with several features have one large weight and several small ones",
    criterion="of the neurons with another weight of a twentieth of their largest, most have none of half of it, and "
    "half of these have two small ones or more; at both densities, over the best models of all seeds",
    at_quick=False,
)
def primary_and_secondary(data: Tables) -> Finding:
    units = data["absolute_zoom"]["neurons"]
    several = units[units["small"] > 0]
    shares, counts = {}, {}
    for density, rows in several.groupby("density"):
        primary = rows[rows["second"] <= 0.5]
        shares[density], counts[density] = len(primary) / len(rows), primary["small"].median()
    return Finding(
        "; ".join(
            f"1-S = {d:g}: {shares[d]:.0%} of {int((several['density'] == d).sum())} neurons, with {counts[d]:.0f} "
            "small weights in the median"
            for d in ZOOM
            if d in shares
        ),
        holds=set(shares) == set(ZOOM) and min(shares.values()) > 0.5 and min(counts.values()) >= 2,
    )


@claims.add(
    "motif",
    figure="asymmetric_motif",
    paper="Asymmetric superposition: a neuron stores two features unequally, with weights like [2, -1/2] in and "
    "[1/2, 2] out, and a second neuron inhibits where its interference would be positive",
    criterion="found by rule in the best model of at least one density, twice: input and output weights at least "
    "twofold apart; taking away the inhibiting weight at least doubles the loss; so does taking away the first "
    "feature's input to the inhibitor, and at least 90 % of that rise is where this feature switches the shared neuron "
    "on",
)
def motif(data: Tables) -> Finding:
    tables = data["asymmetric_motif"]
    motifs, ablations, models = shown_motifs(tables), tables["ablations"], tables["models"]
    loss = ablations.query("without == 'nothing'")["loss"].to_numpy()
    inhibition, path = (ablations[ablations["without"] == name] for name in ("inhibition", "inhibitor's input"))
    ratios, paths = (rows["loss"].to_numpy() / loss for rows in (inhibition, path))
    shares = path["share"].to_numpy()
    apart = np.minimum(
        np.abs(motifs["in_first"] / motifs["in_second"]), np.abs(motifs["out_second"] / motifs["out_first"])
    )
    found = models[models["best"] & (models["instances"] >= 2)]
    weights = [
        f"[{row.in_first:.2g}, {row.in_second:.2g}] in, [{row.out_first:.2g}, {row.out_second:.2g}] out"
        for row in motifs.itertuples()
    ]
    return Finding(
        f"at {len(found)} of {models['density'].nunique()} densities; shown: {'; '.join(weights)}; without the "
        f"inhibition the loss is {', '.join(f'{ratio:.0f}' for ratio in ratios)} times as high, without the first "
        f"feature's input to the inhibitor {', '.join(f'{ratio:.0f}' for ratio in paths)} times, "
        f"{np.min(shares, initial=1):.1%} of that where the feature switches the shared neuron on",
        holds=len(motifs) >= 2
        and bool(
            (apart.to_numpy() >= neurons.ASYMMETRY).all() and np.min([*ratios, *paths]) >= 2 and np.min(shares) >= 0.9
        ),
        note="Shown is, of the best models of all densities, the one with most instances, and of these the densest. "
        "Without the interfering weight, which also carries half of the second feature, the loss is "
        + ", ".join(f"{value:.1f}" for value in ablations.query("without == 'interference'")["loss"].to_numpy() / loss)
        + " times as high. Of all models "
        f"{(models['instances'] > 0).mean():.0%} have an instance",
    )


BOTH = 0.1  # of the neurons, at least: of such a kind there are some


def count(units: pd.DataFrame) -> int:
    """How many neurons a model has."""
    return int(units["neuron"].max()) + 1


def mixed(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> set[float]:
    """The densities at which there are neurons of both kinds in every seed."""
    kept, m = alone(units, threshold), count(units)
    return set(kept.index[((kept >= BOTH * m) & (kept <= (1 - BOTH) * m)).all(axis=1)])

"""Judge the claims about the absolute-value model: exact neurons, mono- and polysemantic neurons, and the motif."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from superposition.analysis import neurons
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    MONOSEMANTIC_THRESHOLDS,
    TRAINING_LENGTHS,
    ZOOM_DENSITIES,
    count_monosemantic,
    is_exact,
    layer_matrix,
    motifs_of_shown_model,
)
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("absolute")

# Densities at which the paper finds only monosemantic neurons.
PAPER_MONOSEMANTIC_DENSITIES = (1.0, 0.3)
# Density at which the paper finds only polysemantic neurons.
PAPER_POLYSEMANTIC_DENSITY = 0.001
# A model has both kinds of neurons if each makes up at least this share.
MIN_MIXED_SHARE = 0.1


@claims.add(
    "exact",
    figure="absolute_small",
    paper="Three features, six neurons: a “+” and a “-” neuron for each feature, ReLU(x) + ReLU(-x), loss near 0",
    criterion="the best model has these neurons and no other weight above a thousandth, and its root mean squared "
    "error is at most the rounding error of float32 (1.2·10⁻⁷)",
)
def exact_small(data: Tables) -> Finding:
    models, weights = data["absolute_small"]["models"], data["absolute_small"]["weights"]
    error = float(np.sqrt(models["loss"].min()))
    found = is_exact(layer_matrix(weights), layer_matrix(weights, "out"))
    return Finding(
        f"{'exactly these neurons' if found else 'other neurons'}; root mean squared error {error:.1e}; "
        f"{models['exact'].mean():.0%} of {len(models)} models are exact",
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

    def best_when_dense(table: pd.DataFrame) -> pd.DataFrame:
        dense = table["density"].isin(PAPER_MONOSEMANTIC_DENSITIES)
        return table[table["best"] & dense & table["experiment"].isin(MAIN_EXPERIMENTS)]

    seconds, best = best_when_dense(units)["second"].to_numpy(), best_when_dense(models)
    relative = best["loss"] / best["yardstick"]
    return Finding(
        f"largest second weight {np.max(seconds, initial=0):.3f} of the first, in {len(best)} models; losses at most "
        f"{relative.max():.3f} times that of exact features",
        holds=set(best["density"]) == set(PAPER_MONOSEMANTIC_DENSITIES)
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
    m = neurons_per_model(units)
    density, threshold = PAPER_POLYSEMANTIC_DENSITY, min(MONOSEMANTIC_THRESHOLDS)
    counts, strict = count_monosemantic(units), count_monosemantic(units, threshold).loc[density]
    sparse, denser = counts.loc[density], counts.drop(density)
    monosemantic = units[(units["density"] == density) & units["best"] & (units["second"] < neurons.MONOSEMANTIC)]
    mains = monosemantic[monosemantic["experiment"].isin(MAIN_EXPERIMENTS)]["main"]
    lowest = models[models["density"] == density].groupby("experiment")["loss"].min()
    others = [
        f"{m - (monosemantic['experiment'] == experiment).sum()} after {name}, at "
        f"{lowest[experiment] / lowest[lowest.index.isin(MAIN_EXPERIMENTS)].min():.2f} times the lowest loss"
        for experiment, name in TRAINING_LENGTHS.items()
    ]
    return Finding(
        f"{', '.join(str(m - k) for k in sparse)} of {m} neurons, by seed (threshold {threshold:g}: "
        f"{', '.join(str(m - k) for k in strict)})",
        holds=len(sparse) > 0 and bool((sparse == 0).all()),
        correction="Most neurons have several features, but not all: the most important features keep dedicated "
        f"neurons (the median number of these features is {mains.median() + 1:.0f})"
        if bool((sparse <= m / 2).all() and (sparse < denser.min()).all())
        else "",
        note="With other lengths of training, the number of neurons with several features is " + "; ".join(others),
    )


@claims.add(
    "both_in_one_model",
    figure="absolute_neurons",
    paper="In between, neurons with one feature and neurons with several exist in one model",
    criterion="at some density, each kind makes up at least a tenth of the neurons in the best model of every seed, "
    "with any threshold from 0.1 to 0.35",
    at_quick=False,
)
def both_in_one_model(data: Tables) -> Finding:
    units = data["absolute_neurons"]["neurons"]
    m = neurons_per_model(units)
    robust = sorted(set.intersection(*(mixed_densities(units, t) for t in MONOSEMANTIC_THRESHOLDS[:-1])), reverse=True)
    counts = count_monosemantic(units)
    return Finding(
        "; ".join(f"1-S = {d:g}: {', '.join(map(str, counts.loc[d]))} of {m} neurons have one feature" for d in robust)
        or "at no density",
        holds=bool(robust),
    )


@claims.add(
    "important_stay_monosemantic",
    figure="absolute_neurons",
    paper="The important features keep neurons for themselves",
    criterion="wherever both kinds exist, the less important a neuron's largest feature, the larger its second weight "
    "(Spearman, p < 0.01 in the best model of every seed), and the median main feature of neurons with one feature is "
    "more important than that of the others",
    at_quick=False,
)
def important_stay_monosemantic(data: Tables) -> Finding:
    units = data["absolute_neurons"]["neurons"]
    densities = mixed_densities(units)
    best = units[units["best"] & units["experiment"].isin(MAIN_EXPERIMENTS) & units["density"].isin(densities)]
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
    criterion="of the neurons with another weight of at least a twentieth of their largest, most have none above half "
    "of it, and the median number of small weights of these is at least two; at both densities, over the best models "
    "of all seeds",
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
            for d in ZOOM_DENSITIES
            if d in shares
        ),
        holds=set(shares) == set(ZOOM_DENSITIES) and min(shares.values()) > 0.5 and min(counts.values()) >= 2,
    )


@claims.add(
    "motif",
    figure="asymmetric_motif",
    paper="Asymmetric superposition: a neuron stores two features unequally, with weights like [2, -1/2] in and "
    "[1/2, 2] out, and a second neuron inhibits where its interference would be positive",
    criterion="found by rule at least twice in the best model of at least one density: input and output weights differ "
    "at least twofold; removing the inhibiting weight at least doubles the loss; so does removing the first feature's "
    "input to the inhibitor, and at least 90 % of that rise is in samples in which this feature activates the shared "
    "neuron",
)
def motif(data: Tables) -> Finding:
    tables = data["asymmetric_motif"]
    motifs, ablations, models = motifs_of_shown_model(tables), tables["ablations"], tables["models"]
    loss = ablations.query("without == 'nothing'")["loss"].to_numpy()
    inhibition, inhibitor_input = (
        ablations[ablations["without"] == name] for name in ("inhibition", "inhibitor's input")
    )
    inhibition_ratios, input_ratios = (rows["loss"].to_numpy() / loss for rows in (inhibition, inhibitor_input))
    shares = inhibitor_input["share"].to_numpy()
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
        f"inhibition the loss is {', '.join(f'{ratio:.0f}' for ratio in inhibition_ratios)} times as high, without the "
        f"first feature's input to the inhibitor {', '.join(f'{ratio:.0f}' for ratio in input_ratios)} times, "
        f"{np.min(shares, initial=1):.1%} of that in samples in which the feature activates the shared neuron",
        holds=len(motifs) >= 2
        and bool(
            (apart.to_numpy() >= neurons.ASYMMETRY).all()
            and np.min([*inhibition_ratios, *input_ratios]) >= 2
            and np.min(shares) >= 0.9
        ),
        note="The model shown is that with the most instances among the best models of all densities, and of these the "
        "densest. Without the interfering weight, which also carries half of the second feature, the loss is "
        + ", ".join(f"{value:.1f}" for value in ablations.query("without == 'interference'")["loss"].to_numpy() / loss)
        + " times as high. Of all models "
        f"{(models['instances'] > 0).mean():.0%} have an instance",
    )


def neurons_per_model(units: pd.DataFrame) -> int:
    """Return the number of neurons of a model."""
    return int(units["neuron"].max()) + 1


def mixed_densities(units: pd.DataFrame, threshold: float = neurons.MONOSEMANTIC) -> set[float]:
    """Return the densities at which the best model of every seed has both mono- and polysemantic neurons."""
    counts, m = count_monosemantic(units, threshold), neurons_per_model(units)
    both = ((counts >= MIN_MIXED_SHARE * m) & (counts <= (1 - MIN_MIXED_SHARE) * m)).all(axis=1)
    return set(counts.index[both])

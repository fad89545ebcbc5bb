"""Adversarial robustness: what superposition has to do with how easily a model is misled.

The models are those of uniform superposition; nothing is trained here.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from superposition import attacks, geometry, plotting
from superposition.claims import Claims, Finding, Tables
from superposition.weights import Trained

claims = Claims("adversarial")

SIZE = 0.1  # of the mean input norm
MAIN = "uniform_200_20"  # the one with replicates
SAMPLES = 2**12
DENSITIES, OTHERS = 25, 7  # of the main sweep, and of the others: evenly out of those there are
DENSE = 0.4  # the lowest density at which gradient ascent checks the analytic attack
STARTS, STEPS = 16, 60  # of gradient ascent, half of the starts analytic attacks
READINGS = {  # of "a tenth of the mean input norm"
    "scaled": "of the norm at each density",
    "constant": "of the norm at density 1",
}
CONTROLS = {
    "represented": "represented features alone",
    "single": "one represented feature",
}


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    rows, checks = [], []
    for experiment, models in trained.items():
        sweep = models.sweep
        kept = sweep.density[:: max(1, (len(sweep.density) - 1) // ((DENSITIES if experiment == MAIN else OTHERS) - 1))]
        for point, at in sweep.points().iterrows():
            if at["density"] not in kept:
                continue
            here = {"experiment": experiment, "n": sweep.n, "m": sweep.m, "density": at["density"], "seed": at["seed"]}
            rows.append(here | _vulnerability(models, point))
            if experiment == MAIN and at["seed"] == 0 and at["density"] >= DENSE:
                checks.append(here | _ascents(models, point))
    tables = {"models": pd.DataFrame(rows), "ascents": pd.DataFrame(checks)}
    return tables | {"numbers": _shown(tables)}


def _vulnerability(models: Trained, point: int) -> dict[str, float]:
    """Rises of the loss under the worst attack, over that of a model without superposition under one of the same size.

    That model gives a dimension each to m features and drops the others. Its attacks are along its features, and each
    changes one output by the size of the attack, so its loss rises by the square of that, whatever the density.
    """
    target = attacks.target(models, point, SAMPLES)
    represented = geometry.norms(target.W) ** 2 > 0.5
    some = bool(represented.any())
    # What answers the objection that a model without superposition cannot be misled about what it does not represent:
    # attacks on represented features alone, and errors there alone; and of these the attacks on one feature each.
    own = replace(target, counted=represented)
    single = torch.eye(models.sweep.n)[represented]
    scaled, constant = SIZE * target.norm, SIZE * float(np.sqrt(models.sweep.n / 3))
    return {
        "features_per_dimension": float((target.W**2).sum()) / models.sweep.m,
        "represented_features": int(represented.sum()),
        "size": scaled,
        "scaled": target.worst(scaled * target.directions()) / scaled**2,
        "constant": target.worst(constant * target.directions()) / constant**2,
        "represented": own.worst(scaled * own.directions()) / scaled**2 if some else np.nan,
        "single": own.worst(scaled * single) / scaled**2 if some else np.nan,
    }


def _ascents(models: Trained, point: int) -> dict[str, float]:
    """The worst analytic attack beside what gradient ascent finds: for all samples at once, and for each its own."""
    target = attacks.target(models, point, SAMPLES)
    size = SIZE * target.norm
    analytic = target.directions()
    ranked = analytic[target.of_few().rises(size * analytic).argsort(descending=True)]
    random = torch.randn(STARTS // 2, models.sweep.n, generator=torch.Generator().manual_seed(1))
    starts = torch.cat([ranked[: STARTS // 2], random])
    return {
        "analytic": target.worst(size * analytic) / size**2,
        "all_samples": attacks.ascend(target, starts, size, STEPS) / size**2,
        "each_sample": attacks.ascend(target, starts, size, STEPS, per_sample=True) / size**2,
    }


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By size: how far vulnerability rises, where, and how it goes with features per dimension."""
    rows = []
    for (n, m), models in tables["models"].groupby(["n", "m"]):
        means = models.groupby("density").mean(numeric_only=True)
        row = {"n, m": f"{n}, {m}", "features per dimension, largest": f"{means['features_per_dimension'].max():.2f}"}
        for name, words in READINGS.items():
            row[f"λ a tenth {words}: largest vulnerability"] = (
                f"{means[name].max():.2f} at 1-S = {means[name].idxmax():.3g}"
            )
            rank = spearmanr(means[name], means["features_per_dimension"]).statistic
            row[f"rank correlation with it, {name}"] = f"{rank:.2f}"
        for name, words in CONTROLS.items():
            row[f"{words}, largest"] = f"{means[name].max():.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Vulnerability and features per dimension against sparsity, and one against the other."""
    models = data["models"]
    fig, (sparse, features, both) = plt.subplots(1, 3, figsize=(plotting.PAGE, 2.7))
    main = models[models["experiment"] == MAIN].groupby("density")
    means, spread = main.mean(numeric_only=True), main.std(numeric_only=True)
    inverse = 1 / means.index
    styles = {
        "constant": ("λ fixed", plotting.CATEGORIES[3], "-"),
        "scaled": ("λ ∝ norm", plotting.CATEGORIES[0], "-"),
        "represented": ("on represented", plotting.CATEGORIES[2], "--"),
        "single": ("on one feature", plotting.CATEGORIES[7], ":"),
    }
    for name, (label, colour, line) in styles.items():
        sparse.plot(inverse, means[name], color=colour, ls=line, label=label)
        sparse.fill_between(
            inverse, means[name] - spread[name], means[name] + spread[name], color=colour, alpha=0.2, lw=0
        )
    features.plot(inverse, means["features_per_dimension"], color="k")
    for place, ((n, m), others) in enumerate(models[models["experiment"] != MAIN].groupby(["n", "m"])):
        at = others.sort_values("density")
        marker = "ov^sD"[place % 5]
        features.plot(1 / at["density"], at["features_per_dimension"], marker, ms=2.5, color="0.5", label=f"{n}, {m}")
        for name in READINGS:
            both.plot(at["features_per_dimension"], at[name], marker, ms=2.5, color=styles[name][1], alpha=0.5)
    for name in READINGS:
        both.plot(means["features_per_dimension"], means[name], color=styles[name][1])
    limit = 1.05 * models["features_per_dimension"].max()
    both.plot([1, limit], [1, limit], color="0.6", lw=0.6, ls=":", zorder=0)
    for ax in (sparse, features):
        ax.set(xscale="log", xlabel="$1/(1-S)$")
    sparse.axhline(1, color="0.7", lw=0.6, zorder=0)
    sparse.set_ylabel("relative vulnerability")
    for ax in (sparse, both):
        ax.set_yscale("log")
        ax.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        ax.tick_params(axis="y", which="minor", labelleft=False)
    both.set_xscale("log")
    both.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    both.tick_params(axis="x", which="minor", labelbottom=False)
    sparse.legend(loc="upper left", fontsize=6)
    features.set_ylabel("features per dimension, $\\|W\\|_F^2/m$")
    features.legend(title="$n$, $m$ (line: 200, 20)", title_fontsize=6, fontsize=6, loc="upper left")
    both.set(xlabel="features per dimension", ylabel="relative vulnerability")
    return fig


# Claims


def _means(data: Tables) -> pd.DataFrame:
    """By size and density, over the replicates."""
    return data["adversarial"]["models"].groupby(["n", "m", "density"]).mean(numeric_only=True)


@claims.add(
    "threefold",
    figure="adversarial",
    paper="With superposition a model becomes more than three times as vulnerable to adversarial attacks",
    criterion="at some density the worst analytic attack, a tenth of the mean input norm there, raises the loss more "
    "than three times as much as that of a model without superposition, in the mean over replicates less two standard "
    "errors; and also with attacks on represented features and errors there alone",
)
def threefold(data: Tables) -> Finding:
    models = data["adversarial"]["models"]
    main = models[models["experiment"] == MAIN].groupby("density")
    least = main["scaled"].mean() - 2 * main["scaled"].sem()
    at = main["scaled"].mean().fillna(-np.inf).idxmax()
    own = main["represented"].mean()
    largest = _means(data).groupby(["n", "m"])[["scaled", "constant"]].max()
    sizes = [
        f"{n}, {m}: {row['scaled']:.1f} ({row['constant']:.1f} with λ fixed)" for (n, m), row in largest.iterrows()
    ]
    ascents = data["adversarial"]["ascents"]
    common, own_each = (ascents[name] / ascents["analytic"] for name in ("all_samples", "each_sample"))
    return Finding(
        f"{main['scaled'].mean()[at]:.2f} ± {main['scaled'].sem()[at]:.2f} times at 1-S = {at:.3g}; on represented "
        f"features alone {own.max():.2f} times",
        holds=bool(least[at] > 3 and own.max() > 3),
        note=f"Largest by n, m: {'; '.join(sizes)}. Where features are dense (1-S ≥ {DENSE:g}) gradient ascent finds "
        f"no attack common to all samples that raises the loss {common.max():.2f} times as much; with an attack for "
        f"each sample it is up to {own_each.max():.2f} times",
    )


@claims.add(
    "tracks_features_per_dimension",
    figure="adversarial",
    paper="Vulnerability follows the number of features per dimension",
    criterion="Spearman correlation over densities at least 0.95 for every n and m, with attacks of a tenth of the "
    "mean input norm at each density; corrected if only with attacks of one size for all densities",
    expected="corrected",
    at_quick=False,
)
def tracks_features_per_dimension(data: Tables) -> Finding:
    means = _means(data)
    ranks = {
        name: [spearmanr(rows[name], rows["features_per_dimension"]).statistic for _, rows in means.groupby(["n", "m"])]
        for name in READINGS
    }
    least = {name: np.min(values) for name, values in ranks.items()}
    ratio = means["constant"] / means["features_per_dimension"]
    models = data["adversarial"]["models"]
    peak = models[models["experiment"] == MAIN].groupby("density")["scaled"].mean().fillna(-np.inf).idxmax()
    return Finding(
        f"least correlation {least['scaled']:.2f} with λ a tenth of the norm at each density, {least['constant']:.2f} "
        "with one λ for all",
        holds=bool(least["scaled"] >= 0.95),
        correction=f"It does for attacks of one size: vulnerability is {ratio.min():.2f} to {ratio.max():.2f} times "
        f"the number of features per dimension. If the attack shrinks with the input's norm, vulnerability falls again "
        f"below 1-S = {peak:.2g}, since the biases filter small attacks out"
        if least["constant"] >= 0.95
        else "",
    )

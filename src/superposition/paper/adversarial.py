"""Adversarial robustness: what superposition has to do with how easily a model is misled.

The models that are attacked are those of uniform superposition; others are trained against attacks.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from scipy.stats import spearmanr

from superposition import attacks, geometry, plotting
from superposition.claims import Claims, Finding, Tables
from superposition.training import losses
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
    if figure == "adversarial_training":
        models = pd.concat([_resistance(name, models) for name, models in trained.items()], ignore_index=True)
        return {"models": models, "numbers": _removal(models)}
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
        "features_per_dimension": 1 / float(geometry.dimensions_per_feature(target.W)),
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
    random = torch.randn(STARTS // 2, models.sweep.n, generator=torch.Generator().manual_seed(1))
    starts = torch.cat([target.ranked(size * analytic)[: STARTS // 2], random])
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


def _resistance(name: str, trained: Trained) -> pd.DataFrame:
    """One row per model that was trained against attacks.

    ``interference`` is that between the features of at least half the largest norm, over what one antipodal pair makes
    if every dimension is used: below 1, nothing that would be called superposition is left. Attacks shrink W as a
    whole, so norms are relative here.
    """
    sweep, W = trained.sweep, trained.best()["W"]
    norms = geometry.norms(W)
    kept = norms >= norms.max(dim=1, keepdim=True).values / 2
    clean = losses(sweep, {k: v[:, None].float() for k, v in trained.best().items()})[0]
    table = sweep.points()[["density", "attack", "seed"]].assign(
        experiment=name,
        n=sweep.n,
        m=sweep.m,
        minimised=trained.points["loss"],
        clean_loss=clean[:, 0].numpy(),
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        kept_features=kept.sum(1).numpy(),
        interference=geometry.interference(W * kept[:, None]).numpy() * (sweep.m + 1) / 2,
    )
    free = table[table["attack"] == 0].set_index(["density", "seed"])["clean_loss"]
    return table.assign(
        price=table["clean_loss"] / free.loc[pd.MultiIndex.from_frame(table[["density", "seed"]])].to_numpy()
    )


def _falls_to_one(values: pd.Series) -> float:
    """Where a curve first falls to 1, between two sizes of attacks (its logarithm interpolated); inf if it does not."""
    above, sizes = values.to_numpy() > 1, values.index.to_numpy()
    if above.all():
        return np.inf
    at = int((~above).argmax())
    if at == 0:
        return float(sizes[0])
    before, after = np.log(values.iloc[[at - 1, at]].clip(lower=1e-12))
    return float(sizes[at - 1] + (sizes[at] - sizes[at - 1]) * before / (before - after))


def _sizes_of_removal(models: pd.DataFrame, measure: str) -> pd.Series:
    """By n and density: the size of attacks at which a measure, in the median replicate, has come down to 1."""
    medians = models.groupby(["n", "density", "attack"])[measure].median().unstack("attack")
    return pd.Series({at: _falls_to_one(row.dropna()) for at, row in medians.iterrows()}, dtype=float)


def _removal(models: pd.DataFrame) -> pd.DataFrame:
    """By n and density: what attacks of growing size do."""
    rows = []
    one, gone = (_sizes_of_removal(models, measure) for measure in ("features_per_dimension", "interference"))
    for (n, density), group in models.groupby(["n", "density"]):
        means = group.groupby("attack").mean(numeric_only=True)
        peak, last = means["features_per_dimension"].idxmax(), gone[n, density]
        at = means[means.index >= last]
        rows.append(
            {
                "n, m": f"{n}, {group['m'].iloc[0]}",
                "1-S": f"{density:g}",
                "features per dimension without attacks": f"{means['features_per_dimension'].iloc[0]:.2f}",
                "most": f"{means['features_per_dimension'].max():.2f} at {peak:g}",
                "one per dimension at": _shown_size(one[n, density], means),
                "superposition gone at": _shown_size(last, means),
                "clean loss there": f"{at['price'].iloc[0]:.1f} times" if len(at) else "–",
                "features kept there": f"{at['kept_features'].iloc[0]:.0f}" if len(at) else "–",
            }
        )
    return pd.DataFrame(rows)


def _shown_size(size: float, means: pd.DataFrame) -> str:
    return f"{size:.2f}" if np.isfinite(size) else f"above {means.index.max():g}"


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return {"adversarial": _draw_vulnerability, "adversarial_training": _draw_training}[figure](data)


def _draw_training(data: dict[str, pd.DataFrame]) -> Figure:
    """Features per dimension, interference and clean loss against the size of the attacks trained against."""
    models = data["models"]
    fig, axes = plt.subplots(1, 3, figsize=(plotting.PAGE, 2.5))
    panels = {
        "features_per_dimension": "features per dimension, $\\|W\\|_F^2/m$",
        "interference": "interference, in antipodal pairs",
        "price": "clean loss over that without attacks",
    }
    main = models["n"].min()
    colours = dict(zip(models["density"].unique(), plotting.CATEGORIES, strict=False))
    for ax, (measure, label) in zip(axes, panels.items(), strict=True):
        for (n, density), rows in models.groupby(["n", "density"], sort=False):
            by_size = rows.groupby("attack")[measure]
            median, low, high = by_size.median(), by_size.min(), by_size.max()
            style = {"marker": ".", "ms": 4} if n == main else {"marker": "s", "ms": 2, "ls": ":", "lw": 0.8}
            style |= {"color": colours[density]}
            # Beyond where superposition is gone, so little weight is left that its arrangement means nothing.
            ends = measure == "interference" and bool((median <= 1).any())
            known = int((median <= 1).to_numpy().argmax()) + 1 if ends else len(median)
            ax.plot(median.iloc[:known], label=f"{density:g}" if n == main else None, **style)
            if n == main:
                ax.fill_between(
                    median.index[:known], low[:known], high[:known], color=colours[density], alpha=0.2, lw=0
                )
        ax.axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
        ax.axvline(0.8, color="0.8", lw=0.6, zorder=0)
        ax.set(yscale="log", xlabel="size of attacks over mean $\\|x\\|$", ylabel=label)
        plain = ScalarFormatter()
        plain.set_scientific(False)
        ax.yaxis.set_major_formatter(plain)
        ax.yaxis.set_minor_formatter(NullFormatter())
    axes[0].set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    axes[1].set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes[2].set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes[2].legend(title=f"$1-S$, $n={main}$\n(dotted: {models['n'].max()})", fontsize=6, title_fontsize=6)
    return fig


def _draw_vulnerability(data: dict[str, pd.DataFrame]) -> Figure:
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


@claims.add(
    "training_reduces_superposition",
    figure="adversarial_training",
    paper="Training against the analytic attack on a random feature lowers superposition; to remove all of it takes "
    "attacks of about 80 % of the input norm",
    criterion="at every density features per dimension are lower with attacks of 0.8 of the mean input norm than "
    "without attacks, in all replicates, and the features that are kept (of half the largest norm or more) interfere "
    "as little as one antipodal pair from a size between 0.7 and 0.9 on; corrected if the first holds, and "
    "superposition goes at some size at every density but one that depends on it",
    expected="corrected",
    at_quick=False,
)
def training_reduces_superposition(data: Tables) -> Finding:
    models = data["adversarial_training"]["models"]
    by_size = models.set_index("attack").groupby(["n", "density"])["features_per_dimension"]
    lower = [bool(rows.loc[[0.8]].max() < rows.loc[[0.0]].min()) for _, rows in by_size]
    rises = models.groupby(["n", "density", "attack"])["features_per_dimension"].mean().unstack("attack")
    higher = [f"1-S = {at[1]:g} (n = {at[0]})" for at, row in rises.iterrows() if row.max() > 1.02 * row.iloc[0]]
    gone, one = (_sizes_of_removal(models, measure) for measure in ("interference", "features_per_dimension"))
    sizes = "; ".join(
        f"n = {n}: " + ", ".join(f"{size:.2f} at 1-S = {at[1]:g}" for at, size in rows[::-1].items())
        for n, rows in gone.groupby(level=0)
    )
    prices = models[models["attack"] == 0.8].groupby(["n", "density"])["price"].mean()
    fallen = bool(lower) and all(lower)
    return Finding(
        f"fewer features per dimension at 0.8 in {sum(lower)} of {len(lower)} settings; superposition gone from "
        f"{sizes}",
        holds=fallen and bool(gone.between(0.7, 0.9).all()) and len(gone) > 0,
        correction="The size that it takes depends on how sparse features are, and grows as they become sparser: 80 % "
        "is not special"
        if fallen and bool(np.isfinite(gone).all()) and not bool(gone.between(0.7, 0.9).all())
        else "",
        note=f"Features per dimension come down to 1 at {one.min():.2f} to {one.max():.2f}. Attacks of 0.8 cost "
        f"{prices.min():.1f} to {prices.max():.1f} times the clean loss"
        + (f". Weaker attacks first add weight at {', '.join(higher)}" if higher else ""),
    )

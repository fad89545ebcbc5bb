"""Models without superposition: an L1 penalty on the hidden units (paper: "The strategic picture").

Trained models with equal and with falling importances, beside what is exactly the best for a dimension.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from superposition import geometry, l1, plotting
from superposition.claims import Claims, Finding, Tables
from superposition.training import losses
from superposition.weights import Trained

claims = Claims("remedies")

EQUAL, FALLING = "l1_equal", "l1_falling"
COEFFICIENTS = np.linspace(0, 0.8, 161)  # of the exact curves


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    tables = {
        "models": pd.concat([_models(name, models) for name, models in trained.items()], ignore_index=True),
        "features": _features(trained[FALLING]),
        "exact": pd.concat([_exact(density) for density in trained[EQUAL].sweep.density], ignore_index=True),
    }
    return tables | {"numbers": _shown(tables)}


def _models(name: str, trained: Trained) -> pd.DataFrame:
    """One row per point: the model with the least of what was minimised."""
    sweep, W = trained.sweep, trained.best()["W"]
    clean, error = (part.numpy() for part in losses(sweep, {k: v[:, None].float() for k, v in trained.best().items()}))
    largest = W.abs().max(dim=1).values.square().sum(-1)
    return sweep.points()[["density", "l1"]].assign(
        experiment=name,
        m=sweep.m,
        minimised=trained.points["loss"],
        clean_loss=clean[:, 0],
        clean_loss_error=error[:, 0],
        features_per_dimension=1 / geometry.dimensions_per_feature(W).numpy(),
        represented_features=(geometry.norms(W) ** 2 > 0.5).sum(1).numpy(),
        interference=geometry.interference(W).numpy(),
        # Of all weight, what lies on the hidden unit that a feature has most of.
        aligned=(largest / W.square().sum((1, 2))).numpy(),
    )


def _features(trained: Trained) -> pd.DataFrame:
    """One row per point and feature, with the coefficient above which a dimension of its own does not pay."""
    sweep = trained.sweep
    points = sweep.points()
    table = points.loc[points.index.repeat(sweep.n), ["density", "l1"]].reset_index(drop=True)
    alone = {density: l1.threshold(1, density) for density in sweep.density}
    importance = sweep.importances().ravel()
    return table.assign(
        feature=np.tile(np.arange(sweep.n), len(points)),
        importance=importance,
        threshold=importance * table["density"].map(alone),
        norm=geometry.norms(trained.best()["W"]).flatten().numpy(),
    )


def _exact(density: float) -> pd.DataFrame:
    """What one feature of importance 1 gains in a dimension, and what an antipodal pair; the pair's ‖W_i‖."""
    one, _ = l1.gains(1, density, COEFFICIENTS)
    pair, norm = l1.gains(2, density, COEFFICIENTS)
    return pd.DataFrame({"density": density, "l1": COEFFICIENTS, "one": one, "pair": pair, "norm": norm})


def _freed(models: pd.DataFrame) -> pd.DataFrame:
    """Of a sweep: models without superposition (less interference than one antipodal pair makes) that still use half of
    their dimensions."""
    m = models["m"].iloc[0]
    return models[(models["interference"] < 2 / (m + 1)) & (models["represented_features"] >= m / 2)]


def _shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By importances and density: where superposition is gone, and what that costs."""
    rows = []
    for (name, density), models in tables["models"].groupby(["experiment", "density"], sort=False):
        start = models[models["l1"] == 0].iloc[0]
        shared = models[models["interference"] >= 2 / (models["m"] + 1)]
        row = {
            "importances": "equal" if name == EQUAL else "0.7^i",
            "1-S": f"{density:g}",
            "features per dimension without": f"{start['features_per_dimension']:.2f}",
            "basis-aligned (99 % of the weight) from": _least(models[models["aligned"] > 0.99]),
            "antipodal pairs, at most, from": _least(models[models["interference"] < 1.05]),
            "superposition, up to": f"{shared['l1'].max():g}" if len(shared) else "–",
        }
        freed = _freed(models[models["l1"] > 0])
        row["without superposition, half of the dimensions used"] = ", ".join(f"{c:g}" for c in freed["l1"]) or "–"
        price = freed["clean_loss"].min() / start["clean_loss"]
        row["clean loss there, at least"] = f"{price:.2f} times" if len(freed) else "–"
        row["a feature of importance 1 goes at (exact)"] = f"{l1.threshold(1, density):.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _least(models: pd.DataFrame) -> str:
    return f"{models['l1'].min():g}" if len(models) else "–"


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Top: features per dimension, interference, price for equal importances. Below: the features that are left."""
    fig = plt.figure(figsize=(plotting.PAGE, 4.6))
    top, below = fig.subfigures(2, 1, height_ratios=(1.0, 1.05))
    _draw_equal(top.subplots(1, 3), data)
    features = data["features"]
    densities = sorted(features["density"].unique(), reverse=True)
    axes = below.subplots(1, len(densities), sharey=True, squeeze=False)[0]
    for ax, density in zip(axes, densities, strict=True):
        image = _draw_left(ax, features[features["density"] == density])
        ax.set_title(plotting.density_title(density))
    axes[0].set_ylabel("feature $i$, $I_i = 0.7^i$")
    axes[0].text(len(features["l1"].unique()) - 0.7, 4.4, "$m = 5$", ha="right", fontsize=6, color="0.4")
    below.colorbar(image, ax=axes, label="$\\|W_i\\|$", shrink=0.9)
    return fig


def _draw_equal(axes: np.ndarray, data: dict[str, pd.DataFrame]) -> None:
    models, exact = (data[k] for k in ("models", "exact"))
    models = models[models["experiment"] == EQUAL]
    for colour, (density, rows) in zip(plotting.CATEGORIES, models.groupby("density", sort=False), strict=False):
        best = exact[(exact["density"] == density) & (exact["pair"] > 0)]
        axes[0].plot(best["l1"], 2 * best["norm"] ** 2, color=colour, lw=1, ls=(0, (1, 1)), alpha=0.6)
        axes[0].plot(rows["l1"], rows["features_per_dimension"], ".-", color=colour, ms=4, label=f"{density:g}")
        some = rows[rows["represented_features"] > 0]
        axes[1].plot(some["l1"], some["interference"], ".-", color=colour, ms=4)
        start = rows.loc[rows["l1"] == 0, "clean_loss"].iloc[0]
        axes[2].plot(rows["l1"], rows["clean_loss"] / start, ".-", color=colour, ms=4)
    axes[0].set_ylabel("features per dimension, $\\|W\\|_F^2/m$")
    axes[0].text(0.8, 1.75, "pairs, exactly", ha="right", va="bottom", fontsize=6, color="0.4")
    axes[0].legend(title="$1-S$", fontsize=6, title_fontsize=6)
    axes[1].set_ylabel("$\\sum_{i\\neq j}(W_i\\cdot W_j)^2\\,/\\,\\sum_i\\|W_i\\|^4$")
    axes[1].axhline(1, color="0.6", lw=0.6, ls=":", zorder=0)
    axes[1].text(0.8, 1.05, "antipodal pairs", ha="right", va="bottom", fontsize=6, color="0.4")
    axes[2].set(ylabel="clean loss over that without", yscale="log")
    axes[2].set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes[2].yaxis.set_minor_formatter(NullFormatter())
    for ax in axes:
        ax.set_xlabel("coefficient of the penalty")


def _draw_left(ax: Axes, features: pd.DataFrame) -> AxesImage:
    """Norms by coefficient and feature; a step where a feature's own dimension ceases to pay, exactly."""
    norms = features.pivot(index="feature", columns="l1", values="norm")
    image = ax.imshow(norms, cmap="Blues", vmin=0, vmax=1.2, aspect="auto", interpolation="nearest")
    thresholds = features.groupby("feature")["threshold"].first()
    coefficients = norms.columns.to_numpy()
    edge = (thresholds.to_numpy()[:, None] > coefficients).sum(0) - 0.5
    ax.step(np.arange(len(edge) + 1) - 0.5, [*edge, edge[-1]], where="post", color="k", lw=0.9)
    ax.axhline(4.5, color="0.5", lw=0.6, ls=":")
    ax.set(xlabel="coefficient", ylim=(14.5, -0.5))
    every = np.arange(0, len(coefficients), 3)
    ax.set_xticks(every, [f"{coefficients[i]:g}" for i in every])
    return image


# Claims


@claims.add(
    "l1",
    figure="l1_penalty",
    paper="An L1 penalty on the hidden activations removes superposition, at the price of loss",
    criterion="at every density some coefficient leaves a model in which at least half of the dimensions are used and "
    "WᵀW has less beside its diagonal than one antipodal pair makes, 2/(m+1), and its clean loss is higher than "
    "without the penalty by more than two standard errors; with equal and with falling importances; corrected if so "
    "with falling ones only, and if exactly, with equal ones, a dimension gains more by an antipodal pair than by one "
    "feature at every coefficient at which it is not better left empty",
    expected="corrected",
    at_quick=False,
)
def l1_penalty(data: Tables) -> Finding:
    models, exact, features = (data["l1_penalty"][k] for k in ("models", "exact", "features"))
    freed, prices = {}, []
    for (name, density), rows in models.groupby(["experiment", "density"]):
        start = rows[rows["l1"] == 0].iloc[0]
        without = _freed(rows[rows["l1"] > 0])
        error = np.hypot(without["clean_loss_error"], start["clean_loss_error"])
        dearer = without[without["clean_loss"] - start["clean_loss"] > 2 * error]
        freed[name, density] = len(dearer) > 0
        if name == FALLING:
            prices.append(float(dearer["clean_loss"].min() / start["clean_loss"]))
    falling, equal = ([v for (name, _), v in freed.items() if name == wanted] for wanted in (FALLING, EQUAL))
    some = exact[exact["pair"] > 0]
    ratio = some["pair"] / some["one"].clip(lower=1e-12)
    kept = features.assign(kept=features["norm"] ** 2 > 0.5, pays=features["threshold"] > features["l1"])
    counts = kept[kept["l1"] >= 0.1].groupby(["density", "l1"])[["kept", "pays"]].sum()
    first = kept[kept["kept"]].groupby(["density", "l1"])["feature"].agg(lambda i: i.max() + 1 == len(i))
    off = counts["kept"] - counts["pays"]
    limit = (features["threshold"] / features["importance"]).max()
    return Finding(
        f"falling importances: superposition removed at {sum(falling)} of {len(falling)} densities, for "
        f"{np.min(prices, initial=np.inf):.1f} to {np.max(prices, initial=-np.inf):.1f} times the loss; equal: at "
        f"{sum(equal)} of {len(equal)}",
        holds=all(falling) and all(equal) and bool(falling) and bool(equal),
        correction=f"It removes features below a threshold of importance, and superposition with them once no more are "
        f"left than dimensions. Among features of one importance it puts all weight on the axes and leaves antipodal "
        f"pairs, which gain {ratio.min():.2f} times or more what one feature does, up to where all features go"
        if all(falling) and bool(falling) and bool((ratio > 1).all()) and len(ratio)
        else "",
        note="From a coefficient of 0.1 the features that are left are those for which a dimension of their own pays "
        f"exactly (up to {limit:.2f} times the importance) in {(off == 0).sum()} of {len(counts)} models, one more or "
        f"less in {(off.abs() == 1).sum()}; the most important ones in {first.sum()} of {len(first)}",
    )

"""Small models, in two and three dimensions: the polytopes they form, the best products there are, and packings."""

from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from superposition import geometry, packing, plotting, polytopes, tegum
from superposition.weights import Trained

# From weights to tables


def measured(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The best trained model and the best product of polytopes at every size and density; the packings."""
    optima = tegum.optima(sorted({p for models in trained.values() for p in models.sweep.density}))
    arranged = [_arranged(models, optima) for models in trained.values()]
    models, features = (pd.concat(part, ignore_index=True) for part in zip(*arranged, strict=True))
    thomson = _thomson(trained)
    return {
        "models": models,
        "features": features,
        "optima": optima,
        "handovers": tegum.handovers(optima),
        "thomson": thomson,
        "numbers": _thomson_shown(thomson),
    }


def _arranged(models: Trained, optima: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the best restart at every density is a tegum product of, beside the best product there; its features."""
    rows, features = [], []
    n, m = models.sweep.n, models.sweep.m
    for point, W in zip(models.points.itertuples(), models.best()["W"], strict=True):
        factor_of, found = polytopes.factors(W.numpy())
        at = {"n": n, "m": m, "density": point.density}
        trained = {
            "trained": polytopes.product_name(found["polytope"]),
            "represented": int((factor_of >= 0).sum()),
            "residual": found["residual"].max(),
            "trained_loss": point.loss,
            "trained_error": float(models.loss_error[point.Index, point.restart]),
        }
        rows.append(at | trained)
        columns = {
            "feature": np.arange(n),
            "factor": factor_of,
            "polytope": found["polytope"].reindex(factor_of).fillna("absent").to_numpy(),
            "dimensionality": geometry.dimensionality(W).numpy(),
        }
        columns |= {f"w{k}": w for k, w in enumerate(W.numpy())}
        features.append(pd.DataFrame(columns).assign(**at))
    best = tegum.best_products(optima, n, m)
    return pd.DataFrame(rows).merge(best, on="density"), pd.concat(features, ignore_index=True)


def _thomson(trained: dict[str, Trained]) -> pd.DataFrame:
    """The arrangements of least interference and of least Coulomb energy, and the sparsest trained models."""
    models = {
        (one.sweep.n, one.sweep.m): one.best()["W"][np.argmin(one.sweep.density)].numpy() for one in trained.values()
    }
    rows = []
    for m in (2, 3):
        for n in range(m + 1, 13):
            packed, least = packing.minimum(packing.interference, n, m)
            thomson, energy = packing.minimum(packing.coulomb, n, m)
            row = {
                "m": m,
                "n": n,
                "least_interference": max(least, 0.0),
                "coulomb": energy,
                "thomson_interference": max(float(packing.interference(thomson)), 0.0),
                "apart": polytopes.difference(packed.numpy(), thomson.numpy()),
                "trained_from_packing": np.nan,
                "trained_from_thomson": np.nan,
            }
            W = models.get((n, m))
            if W is not None and ((W**2).sum(0) > 0.5).all():
                row["trained_from_packing"] = polytopes.difference(W, packed.numpy())
                row["trained_from_thomson"] = polytopes.difference(W, thomson.numpy())
            rows.append(row)
    return pd.DataFrame(rows)


def _thomson_shown(thomson: pd.DataFrame) -> pd.DataFrame:
    def number(column: str, digits: int) -> pd.Series:
        return thomson[column].map(f"{{:.{digits}f}}".format).where(thomson[column].notna(), "")

    return pd.DataFrame(
        {
            "m": thomson["m"],
            "n": thomson["n"],
            "least interference Σ ReLU(Ŵ_i·Ŵ_j)²": number("least_interference", 4),
            "that of Thomson's solution": number("thomson_interference", 4),
            "the two arrangements differ by": number("apart", 3),
            "the trained model from the first": number("trained_from_packing", 3),
            "from the second": number("trained_from_thomson", 3),
        }
    )


# From tables to figures


GALLERY = (  # n, m and the arrangement whose exact form stands beside a trained one
    (4, 2, ("digon", "digon")),
    (5, 2, ("pentagon",)),
    (6, 2, ("hexagon",)),
    (4, 3, ("tetrahedron",)),
    (5, 3, ("triangle", "digon")),
    (6, 3, ("digon", "digon", "digon")),
    (7, 3, ("pentagon", "digon")),
    (8, 3, ("square antiprism",)),
    (12, 3, ("icosahedron",)),
)


def draw(data: dict[str, pd.DataFrame]) -> Figure:
    """Exact polytopes over trained ones; which polytope's dimensions are worth the most; the best product by size."""
    fig = plt.figure(figsize=(plotting.PAGE, 7.1))
    gallery, middle, bottom = fig.subfigures(3, 1, height_ratios=[2.3, 2.1, 2.7])
    exact = {polytope.name: polytope for polytope in reversed(tegum.CATALOGUE)}
    for column, (n, m, factors) in enumerate(GALLERY):
        parts, name = [exact[factor] for factor in factors], polytopes.product_name(factors)
        corners = polytopes.tegum(*parts)
        fractions = sorted({str(Fraction(p.dimensions, p.features)) for p in parts})
        upper, lower = (
            gallery.add_subplot(2, len(GALLERY), place, **({"projection": "3d"} if m == 3 else {}))
            for place in (column + 1, len(GALLERY) + column + 1)
        )
        plotting.arrangement(upper, corners, colour="0.3")
        upper.set_title(f"{name.replace(' ', chr(10), 1)}\n$D$ = {', '.join(fractions)}", fontsize=6.5, pad=2)
        models = data["models"].query(f"n == {n} and m == {m} and trained == '{name}'")
        if models.empty:
            lower.set_axis_off()
            lower.set_title("none trained", fontsize=6.5, pad=2)
            continue
        best = models.loc[models["residual"].idxmin()]
        rows = data["features"].query(f"n == {n} and m == {m} and density == {best['density']}")
        W = rows[[f"w{k}" for k in range(m)]].to_numpy(copy=True).T
        plotting.arrangement(lower, polytopes.aligned(W, corners), colour=plotting.CATEGORIES[0])
        lower.set_title(f"$1-S={best['density']:.2g}$", fontsize=6.5, pad=2)
    _draw_gains(middle, data)
    _draw_products(bottom, data["models"])
    return fig


def _draw_gains(fig: SubFigure, data: dict[str, pd.DataFrame]) -> None:
    """What a dimension is worth in each polytope."""
    ax = fig.subplots()
    optima = data["optima"]
    for name in (name for name in plotting.POLYTOPES if (optima["polytope"] == name).any()):
        here = optima["polytope"] == name
        ax.plot(1 / optima["density"][here], optima["gain"][here], color=plotting.POLYTOPES[name], lw=1.0, label=name)
    for handover in data["handovers"].itertuples():
        ax.axvline(1 / handover.density, color="0.75", lw=0.5, zorder=0)
    ax.set(xscale="log", xlim=(1, 100), ylim=(0.95, None), xlabel="$1/(1-S)$", ylabel="features saved\nper dimension")
    legend = ax.legend(ncols=2, title="lines: where the best polytope changes", title_fontsize=7, loc="upper left")
    legend.set_frame_on(True)
    legend.get_frame().set(fc="white", ec="none", alpha=1)


def _draw_products(fig: SubFigure, models: pd.DataFrame) -> None:
    """The best product of polytopes by n and density, and where the best trained model is better than that."""
    axes = fig.subplots(1, 2, sharey=True)
    size = {polytope.name: polytope.features for polytope in tegum.CATALOGUE}
    for ax, (m, rows) in zip(axes, models[models["n"] < 10].groupby("m"), strict=True):
        sparsity = np.sort(1 / rows["density"].unique())
        step = (sparsity[1] / sparsity[0]) ** 0.5
        for n, line in rows.assign(sparsity=1 / rows["density"]).sort_values("sparsity").groupby("n"):
            change = line["best"].ne(line["best"].shift()).cumsum()
            for _, run in line.groupby(change):
                name, first, last = run["best"].iloc[0], run["sparsity"].iloc[0] / step, run["sparsity"].iloc[-1] * step
                parts = sorted(polytopes.factors_of(name), key=lambda part: -size[part])
                ax.barh(
                    n,
                    last - first,
                    left=first,
                    height=0.8,
                    color=plotting.POLYTOPES.get(parts[0], plotting.POLYTOPES["other"]),
                    alpha=0.45,
                    ec="white",
                    lw=0.8,
                )
                if last / first > 1.45:
                    text = " + ".join(str(size[part]) for part in parts)
                    ax.text((first * last) ** 0.5, n, text, ha="center", va="center", fontsize=6.5)
            # A small difference may be the noise of the trained models' losses.
            better = line["trained_loss"] + 3 * line["trained_error"] < line["best_loss"]
            points = ax.plot(line["sparsity"][better], line["n"][better] + 0.28, "k.", ms=2.2)
        ax.set(
            xscale="log",
            xlim=(1 / step, 100 * step),
            xlabel="$1/(1-S)$",
            title=f"$m={m}$: features per factor of the best product",
        )
    axes[0].set(ylabel="features $n$", yticks=range(4, 10), ylim=(3.5, 9.5))
    fig.legend(points, ["a trained model is better than every product of these polytopes"], loc="outside lower center")

"""Weights to tables: D* and D_i, tegum factors, the best products of polytopes, packings."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from superposition.analysis import alignment, recognition
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.geometry import CHANCE, GALLERY, LARGE, SMALL, WINDOW, packing
from superposition.theory import polytopes, tegum
from superposition.theory.polytopes import FRACTION_LABELS, FRACTIONS

LONGER, NOTEBOOK = "uniform_longer", "uniform_notebook"
THRESHOLDS = (0.1, 0.15, recognition.JOINING_COSINE, 0.25, 0.3)


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](trained)


# Large models


def dimensions_per_feature(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """D* of every model, what the best products of polytopes have, and whether training has converged."""
    rows = []
    for name, models in trained.items():
        W = models.best()["W"]
        rows.append(
            models.sweep.points()[["density", "seed"]].assign(
                experiment=name,
                n=models.sweep.n,
                m=models.sweep.m,
                dimensions_per_feature=geometry.dimensions_per_feature(W).numpy(),
                represented=W.square().sum((-2, -1)).numpy(),
                budget=geometry.dimensionality(W).sum(-1).numpy() / models.sweep.m,
                loss=models.loss.min(dim=1).values.numpy(),
                loss_error=models.loss_error[:, 0].numpy(),
            )
        )
    curves = pd.concat(rows, ignore_index=True)
    convergence = _convergence(curves)
    return {
        "curves": curves,
        "optimum": tegum.per_dimension(tegum.optima(trained[LARGE].sweep.density[::2])),  # it takes a while
        "convergence": convergence,
        "numbers": _convergence_shown(convergence, curves),
    }


def _convergence(curves: pd.DataFrame) -> pd.DataFrame:
    """Losses with twice the steps and by the authors' recipe, beside ours, wherever they were trained."""
    by_density = {
        name: rows.set_index(rows["density"].round(9))[["loss", "loss_error", "dimensions_per_feature"]]
        for name, rows in curves.groupby("experiment")
    }
    ours = by_density[LARGE].add_suffix("_ours")
    others = {"longer": by_density[LONGER], "notebook": by_density[NOTEBOOK]}
    table = pd.concat(
        [ours.join(other, how="inner").assign(compared=name) for name, other in others.items()]
    ).reset_index()
    return table.assign(relative=table["loss"] / table["loss_ours"] - 1)


def _convergence_shown(convergence: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The comparison, and beside it how far replicates are apart: what a difference between single runs may mean."""
    shown = {"longer": "twice the steps", "notebook": "the authors' recipe, 10 000 steps"}
    table = convergence.pivot(index="density", columns="compared", values="relative")[[*shown]]
    table = table.map(lambda part: "" if np.isnan(part) else f"{part:+.2%}").rename(columns=shown)
    replicates = curves[curves["experiment"] == SMALL]
    loss = replicates.groupby(replicates["density"].round(9))["loss"]
    apart = ((loss.max() - loss.min()) / loss.mean()).reindex(table.index)
    ours = convergence.groupby("density")["loss_ours"].first()
    table.insert(0, "1-S", table.index.map("{:.4g}".format))
    table.insert(1, "our loss", ours.map("{:.4f}".format))
    return table.assign(**{"replicates of n = 200 are apart by": apart.map("{:.2%}".format)})[::-1]


def feature_dimensionality(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """D_i and the tegum factor of every feature; how the factors depend on the threshold; clusters; some graphs."""
    curve, features, factors, thresholds = [], [], [], []
    for experiment, models in trained.items():
        best = models.best()["W"]
        every = geometry.dimensionality(best).numpy(), geometry.norms(best).numpy()
        points = models.sweep.points()[["density", "seed"]].assign(experiment=experiment)
        curve.append(points.assign(dimensions_per_feature=geometry.dimensions_per_feature(best).numpy()))
        for point, W in zip(models.sweep.points().itertuples(), best.numpy(), strict=True):
            where = {"experiment": experiment, "density": point.density, "seed": point.seed}
            for joined in THRESHOLDS:
                factor_of, found = recognition.find_factors(W, joined)
                counts = found.groupby("polytope")["features"].agg(factors="size", features="sum").reset_index()
                thresholds.append(counts.assign(joined=joined, **where))
                if joined == recognition.JOINING_COSINE:
                    factors.append(found.assign(**where))
                    dimensionality, norm = (part[point.Index] for part in every)
                    columns = {
                        "feature": np.arange(W.shape[1]),
                        "dimensionality": dimensionality,
                        "norm": norm,
                        "factor": factor_of,
                        "polytope": found["polytope"].reindex(factor_of).fillna("absent").to_numpy(),
                    }
                    features.append(pd.DataFrame(columns).assign(**where))
    tables = {
        "curve": pd.concat(curve, ignore_index=True),
        "features": pd.concat(features, ignore_index=True),
        "factors": pd.concat(factors, ignore_index=True),
        "thresholds": pd.concat(thresholds, ignore_index=True),
    }
    clusters = _clusters(tables["features"])
    edges = _edges(trained[LARGE], tables["features"])
    return tables | {"clusters": clusters, "edges": edges, "numbers": _clusters_shown(clusters, tables["factors"])}


def _clusters(features: pd.DataFrame) -> pd.DataFrame:
    """Whether more D_i lie near a line than a smooth distribution would have there: at the named lines, and elsewhere.

    Inside is what is within ``WINDOW`` of the line, beside it the same width again, half on either side (at 0 and 1,
    all on one). Were the distribution smooth, a model would have as often less inside than beside as more. So this is a
    sign test over models, which are independent of each other as the features of one are not.
    """
    models = [group.to_numpy() for _, group in features.groupby(["experiment", "density", "seed"])["dimensionality"]]
    named = {fraction: name for name, fraction in FRACTIONS.items()}
    between = np.arange(0.1, 1 - 2 * WINDOW, 2 * WINDOW)
    clear = np.abs(between[:, None] - [*named]).min(axis=1) > 4 * WINDOW
    rows = []
    for line in (*named, *between[clear]):
        distance = [np.abs(values - line) for values in models]
        inside = np.array([(far <= WINDOW).sum() for far in distance])
        beside = np.array([((far > WINDOW) & (far <= 2 * WINDOW)).sum() for far in distance])
        more, less = int((inside > beside).sum()), int((inside < beside).sum())
        chance = binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
        rows.append((named.get(line, ""), line, inside.sum(), beside.sum(), more, less, chance))
    return pd.DataFrame(rows, columns=["polytope", "line", "inside", "beside", "models_more", "models_less", "chance"])


def _clusters_shown(clusters: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """The test of every named line, and how many features were recognised as its polytope, with which residuals."""
    lines = clusters[clusters["polytope"] != ""]
    recognised = factors.groupby("polytope").agg(features=("features", "sum"), residual=("residual", "median"))
    recognised = recognised.rename(index={"single": "own dimension"}).reindex(lines["polytope"])
    return pd.DataFrame(
        {
            "line": [f"{FRACTION_LABELS[row.line]} ({row.polytope})" for row in lines.itertuples()],
            f"D_i within {WINDOW:.5f} of it": lines["inside"],
            "in a band as wide beside it": lines["beside"],
            "models with more inside, with less": [f"{r.models_more}, {r.models_less}" for r in lines.itertuples()],
            "chance under a smooth distribution": lines["chance"].map("{:.2g}".format),
            "stands out": np.where(lines["chance"] < CHANCE, "yes", "no"),
            "features recognised as such": [f"{k:.0f}" if k == k else "" for k in recognised["features"]],
            "median residual": [f"{r:.3f}" if r == r else "" for r in recognised["residual"]],
        }
    )


def _edges(models: SweepResult, features: pd.DataFrame) -> pd.DataFrame:
    """Pairs of represented features with |W_i·W_j| > 0.05, in the models that are drawn as graphs.

    Those are, of each polytope, the one with the most features in it, and the first in which all are one component.
    """
    features = features[(features["experiment"] == LARGE) & (features["factor"] >= 0)]
    count = features.groupby(["density", "polytope"]).size().unstack(fill_value=0)
    shown = {count[name].idxmax() for name in ("triangle", "digon", "pentagon", "square antiprism") if name in count}
    if len(whole := count.index[features.groupby("density")["factor"].nunique() == 1]):
        shown.add(whole.max())
    rows = [pd.DataFrame({"density": [], "i": [], "j": [], "dot": []}).astype({"i": int, "j": int})]
    for density, W in zip(models.sweep.density, models.best()["W"], strict=True):
        if density in shown:
            represented = features.loc[features["density"] == density, "feature"].to_numpy(copy=True)
            gram = geometry.gram(W[:, represented]).numpy()
            i, j = np.nonzero(np.triu(np.abs(gram) > 0.05, k=1))
            edges = {"density": density, "i": represented[i], "j": represented[j], "dot": gram[i, j]}
            rows.append(pd.DataFrame(edges))
    return pd.concat(rows, ignore_index=True)


# Small models, in two and three dimensions


def measure_polytopes(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The best trained model and the best product of polytopes at every size and density; the packings."""
    optima = tegum.optima(sorted({p for models in trained.values() for p in models.sweep.density}))
    arranged = [_arranged(models, optima) for models in trained.values()]
    models, features = (pd.concat(part, ignore_index=True) for part in zip(*arranged, strict=True))
    thomson = _thomson(trained)
    return {
        "models": models,
        "features": features,
        "optima": optima,
        "corners": _corners(),
        "handovers": tegum.handovers(optima),
        "thomson": thomson,
        "numbers": _thomson_shown(thomson),
    }


def _arranged(models: SweepResult, optima: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the best restart at every density is a tegum product of, beside the best product there; its features."""
    rows, features = [], []
    n, m = models.sweep.n, models.sweep.m
    for point, W in zip(models.points.itertuples(), models.best()["W"], strict=True):
        factor_of, found = recognition.find_factors(W.numpy())
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


def _corners() -> pd.DataFrame:
    """The exact arrangements of the gallery: one row per feature."""
    exact = {polytope.name: polytope for polytope in reversed(tegum.CATALOGUE)}
    arrangements = [
        pd.DataFrame(
            polytopes.tegum_product(*(exact[factor] for factor in factors)).T, columns=[f"w{k}" for k in range(m)]
        ).assign(n=n, m=m)
        for n, m, factors in GALLERY
    ]
    return pd.concat(arrangements, ignore_index=True)[["n", "m", "w0", "w1", "w2"]]


def _thomson(trained: dict[str, SweepResult]) -> pd.DataFrame:
    """The arrangements of least interference and of least Coulomb energy, and the sparsest trained models.

    Fewer than 2m features do not interfere at all, in many arrangements: which of them was found says nothing.
    """
    models = {
        (one.sweep.n, one.sweep.m): one.best()["W"][np.argmin(one.sweep.density)].numpy() for one in trained.values()
    }
    sizes = [(n, m) for m in (2, 3) for n in range(m + 1, 13)]
    both = (packing.minima(energy, sizes) for energy in (packing.interference, packing.coulomb))
    rows = []
    for (n, m), (packed, least), (thomson, energy) in zip(sizes, *both, strict=True):
        row = {
            "m": m,
            "n": n,
            "least_interference": max(least, 0.0),
            "coulomb": energy,
            "thomson_interference": max(float(packing.interference(thomson)), 0.0),
            **dict.fromkeys(("apart", "trained_from_packing", "trained_from_thomson"), np.nan),
        }
        if n >= 2 * m:
            row["apart"] = alignment.difference(packed.numpy(), thomson.numpy())
            W = models.get((n, m))
            if W is not None and ((W**2).sum(0) > 0.5).all():
                row["trained_from_packing"] = alignment.difference(W, packed.numpy())
                row["trained_from_thomson"] = alignment.difference(W, thomson.numpy())
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


MEASURED = {
    "dimensions_per_feature": dimensions_per_feature,
    "feature_dimensionality": feature_dimensionality,
    "polytopes": measure_polytopes,
}

"""Measure D* and D_i, tegum factors, the best products of polytopes, and packings."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from superposition.analysis import recognition
from superposition.analysis.rows import rows_at
from superposition.analysis.tables import numbered_points, stack
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.geometry import (
    GALLERY,
    LARGE_SWEEP,
    NOTEBOOK_SWEEP,
    REPLICATED_SWEEP,
    clusters,
    directions,
    packings,
    structure,
)
from superposition.theory import tegum
from superposition.theory.polytopes import FRACTIONS, product_name, tegum_product
from superposition.training.evaluation import losses

# The sweep trained with twice the steps.
LONGER_SWEEP = "uniform_longer"
# Thresholds of |cos| above which features are joined; the one that is used, and others for comparison.
COSINE_THRESHOLDS = (0.1, 0.15, recognition.JOINING_COSINE, 0.25, 0.3)


# Large models


def dimensions_per_feature(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return D* of trained models, of the best known ones and of the best products, and how far training has come."""
    grid = trained[LARGE_SWEEP].sweep.density
    curves, known = (measure_curves(models, grid) for models in (trained, best))
    convergence = compare_convergence(trained, best)
    # Every other density is enough for a smooth curve, and takes half the time.
    optima = tegum.optima(grid[::2])
    return {
        "curves": curves,
        "best": known,
        "optimum": tegum.per_dimension(optima),
        "convergence": convergence,
        "numbers": _format_convergence(convergence, curves),
    }


def measure_curves(models: dict[str, SweepResult], grid: Sequence[float]) -> pd.DataFrame:
    """Return D*, ‖W‖_F², Σ_i D_i / m and the loss of every model.

    Args:
        models: The models of every experiment.
        grid: All densities that experiments share; ``position`` is that of the model's density among them.
    """
    rows = []
    for name, found in models.items():
        W, points = found.best()["W"], numbered_points(found.sweep, "density", "seed")
        rows.append(
            points.assign(
                experiment=name,
                position=nearest_positions(points["density"].to_numpy(), grid),
                n=found.sweep.n,
                m=found.sweep.m,
                dimensions_per_feature=geometry.dimensions_per_feature(W).numpy(),
                represented=W.square().sum((-2, -1)).numpy(),
                budget=geometry.dimensionality(W).sum(-1).numpy() / found.sweep.m,
                loss=found.loss.min(dim=1).values.numpy(),
                loss_error=found.loss_error[:, 0].numpy(),
            )
        )
    return pd.concat(rows, ignore_index=True)


def compare_convergence(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> pd.DataFrame:
    """Compare our losses with others of the same size and density, both evaluated on the same draws.

    These are the losses after twice the steps, with the authors' training configuration, and of the best known models.
    """
    ours, rows = trained[LARGE_SWEEP], []
    others = {"longer": trained[LONGER_SWEEP], "notebook": trained[NOTEBOOK_SWEEP], "known": best[LARGE_SWEEP]}
    for compared, models in others.items():
        position = nearest_positions(models.sweep.density, ours.sweep.density)
        pairs = {k: torch.stack([ours.best()[k][position], best], dim=1).float() for k, best in models.best().items()}
        loss = losses(models.sweep, pairs)[0].numpy()
        columns = {"position": position, "density": models.sweep.density, "loss_ours": loss[:, 0], "loss": loss[:, 1]}
        rows.append(pd.DataFrame(columns).assign(compared=compared, relative=loss[:, 1] / loss[:, 0] - 1))
    return pd.concat(rows, ignore_index=True)


def nearest_positions(density: Sequence[float] | np.ndarray, grid: Sequence[float]) -> np.ndarray:
    """Return the positions in a grid of the densities nearest to the given ones."""
    return np.abs(np.log(np.divide.outer(np.asarray(density), grid))).argmin(axis=1)


def _format_convergence(convergence: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Format the comparison beside the range of replicates, a yardstick for differences between single runs."""
    shown = {
        "longer": "twice the steps",
        "notebook": "the authors' training configuration, 10 000 steps",
        "known": "the best known model",
    }
    table = convergence.pivot(index="position", columns="compared", values="relative")[[*shown]].dropna(thresh=2)
    table = table.map(lambda part: "" if np.isnan(part) else f"{part:+.2%}").rename(columns=shown)
    loss = curves[curves["experiment"] == REPLICATED_SWEEP].groupby("position")["loss"]
    apart = ((loss.max() - loss.min()) / loss.mean()).reindex(table.index)
    ours = convergence.groupby("position")[["density", "loss_ours"]].first().loc[table.index]
    table.insert(0, "1-S", ours["density"].map("{:.4g}".format))
    table.insert(1, "our loss", ours["loss_ours"].map("{:.4f}".format))
    return table.assign(**{"replicates of n = 200 are apart by": apart.map("{:.2%}".format)})


def feature_dimensionality(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return D_i and the tegum factor of every feature, the clusters of D_i, and the graphs of some models.

    The tables of the best known models have names that begin with ``best_``.
    """
    tables = _measure_features(trained, COSINE_THRESHOLDS)
    # The best known models of replicates are the same.
    known = _measure_features({name: first_replicate(models) for name, models in best.items()})
    tables |= {f"best_{name}": known[name] for name in ("curve", "features", "models")}
    counts = clusters.count_around_lines(tables["features"])
    return tables | {
        "clusters": counts,
        "best_clusters": clusters.count_around_lines(known["features"]),
        "edges": _find_edges(trained[LARGE_SWEEP], tables["features"]),
        "optimum": tegum.per_dimension(tegum.optima(trained[LARGE_SWEEP].sweep.density[::2])),
        "numbers": clusters.format_clusters(counts, tables["factors"]),
    }


def first_replicate(models: SweepResult) -> SweepResult:
    """Return the models of the first seed."""
    sweep, every = models.sweep, slice(None, None, models.sweep.seeds)
    return dataclasses.replace(
        models,
        sweep=sweep.model_copy(update={"seeds": 1}),
        parameters={name: values[every] for name, values in models.parameters.items()},
        loss=models.loss[every],
        loss_error=models.loss_error[every],
    )


def _measure_features(
    models_of: dict[str, SweepResult], joining_cosines: Sequence[float] = (recognition.JOINING_COSINE,)
) -> dict[str, pd.DataFrame]:
    """Return D_i and the factor of every feature, and how many are recognised if others of |cos| are joined."""

    def measure_models() -> Iterator[dict[str, pd.DataFrame]]:
        for experiment, models in models_of.items():
            best, points = models.best()["W"], numbered_points(models.sweep, "density", "seed")
            D_star = geometry.dimensions_per_feature(best).numpy()
            yield {"curve": points.assign(experiment=experiment, dimensions_per_feature=D_star)}
            for point, W in zip(points.to_dict("records"), best, strict=True):
                here = {"experiment": experiment} | point
                for joined in joining_cosines:
                    factor_of, factors = recognition.find_factors(W.numpy(), joined)
                    counts = factors.groupby("polytope")["features"].agg(factors="size", features="sum").reset_index()
                    yield {"thresholds": counts.assign(joined=joined, **here)}
                    if joined == recognition.JOINING_COSINE:
                        columns = {
                            "feature": np.arange(W.shape[1]),
                            "dimensionality": geometry.dimensionality(W).numpy(),
                            "norm": geometry.norms(W).numpy(),
                            "factor": factor_of,
                            "polytope": _polytopes_of(factor_of, factors),
                        }
                        yield {"factors": factors.assign(**here), "features": pd.DataFrame(columns).assign(**here)}

    return stack(measure_models()) | {"models": structure.measure_structure(models_of)}


def _polytopes_of(factor_of: np.ndarray, factors: pd.DataFrame) -> np.ndarray:
    """Return the polytope of every feature, given the number of its factor."""
    return factors["polytope"].reindex(factor_of).fillna("absent").to_numpy()


def _find_edges(models: SweepResult, features: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of represented features with |W_i·W_j| > 0.05 in the models that are drawn as graphs.

    These are, for each polytope, the model with the most features in it, and the densest model whose features form a
    single component.
    """
    features = features[(features["experiment"] == LARGE_SWEEP) & (features["factor"] >= 0)]
    count = features.groupby(["density", "point", "polytope"]).size().unstack(fill_value=0)
    shown = {count[name].idxmax() for name in ("triangle", "digon", "pentagon", "square antiprism") if name in count}
    if len(whole := count.index[features.groupby(["density", "point"])["factor"].nunique() == 1]):
        shown.add(whole.max())
    columns = {"point": int, "density": float, "i": int, "j": int, "dot": float}
    rows = [pd.DataFrame(columns=[*columns]).astype(columns)]
    for density, point in sorted(shown, key=lambda at: at[1]):
        W = models.best()["W"][point]
        represented = features.loc[features["point"] == point, "feature"].to_numpy(copy=True)
        gram = geometry.gram(W[:, represented]).numpy()
        i, j = np.nonzero(np.triu(np.abs(gram) > 0.05, k=1))
        edges = {"point": point, "density": density, "i": represented[i], "j": represented[j], "dot": gram[i, j]}
        rows.append(pd.DataFrame(edges))
    return pd.concat(rows, ignore_index=True)


# Small models, in two and three dimensions


def polytopes(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the trained and the best known models, the best products of polytopes, and packings, for every size."""
    optima = tegum.optima(sorted({p for models in trained.values() for p in models.sweep.density}))
    models, features = _compare_with_products(trained, optima, "trained")
    known_models, known_features = _compare_with_products(best, optima, "known")
    thomson = packings.compare_with_trained(trained)
    return {
        "models": models,
        "features": features,
        "best_models": known_models,
        "best_features": known_features,
        "optima": optima,
        "corners": _gallery_corners(),
        "exact": structure.exact_dimensionalities(),
        "handovers": tegum.handovers(optima),
        "thomson": thomson,
        "numbers": packings.format_comparison(thomson),
    }


def _compare_with_products(
    models_of: dict[str, SweepResult], optima: pd.DataFrame, kind: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the best of some models at every size and density with the best product of polytopes.

    Returns:
        One row per model with the tegum product that it forms and its loss (``kind``, ``<kind>_loss``,
        ``<kind>_error``) and the best product, and one row per feature.
    """
    compared, features = [], []
    for models in models_of.values():
        n, m = models.sweep.n, models.sweep.m
        products = tegum.best_products(optima, n, m)
        for point, W in zip(models.points.itertuples(), models.best()["W"], strict=True):
            factor_of, found = recognition.find_factors(W.numpy())
            coordinates = {"n": n, "m": m, "point": point.Index, "density": point.density}
            formed = {
                kind: product_name(found["polytope"]),
                "represented": int((factor_of >= 0).sum()),
                "residual": found["residual"].max(),
                f"{kind}_loss": point.loss,
                f"{kind}_error": float(models.loss_error[point.Index, point.restart]),
            }
            (product,) = rows_at(products, density=point.density).drop(columns="density").to_dict("records")
            compared.append(coordinates | formed | product)
            columns = {
                "feature": np.arange(n),
                "factor": factor_of,
                "polytope": _polytopes_of(factor_of, found),
                "dimensionality": geometry.dimensionality(W).numpy(),
                **{f"w{k}": w for k, w in enumerate(W.numpy())},
            }
            features.append(pd.DataFrame(columns).assign(**coordinates))
    return pd.DataFrame(compared), pd.concat(features, ignore_index=True)


def _gallery_corners() -> pd.DataFrame:
    """Return the exact arrangements of the gallery, one row per feature."""
    arrangements = []
    for n, m, factors in GALLERY:
        corners = tegum_product(*(structure.POLYTOPES[factor] for factor in factors))
        arrangements.append(pd.DataFrame({"n": n, "m": m} | {f"w{k}": w for k, w in enumerate(corners)}))
    return pd.concat(arrangements, ignore_index=True)


# The aside


def direction_left_out(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return what is lost by leaving out one direction or another, and the polytopes that this gives."""
    return {
        "strategies": directions.compare_strategies(),
        "changes": directions.find_changes(),
        "optima": directions.find_optima(),
        "projections": directions.measure_projections(),
        "examples": directions.project_examples(),
    }


# How sharp the lines of D_i are


def line_sharpness(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return how far D_i are from the lines, at the densities at which a polytope with a line is the best one."""
    handovers = tegum.handovers(tegum.optima(trained[REPLICATED_SWEEP].sweep.density[::2]))
    lowest = handovers.loc[handovers["dense_side"].isin(FRACTIONS), "density"].min()
    highest = handovers.loc[handovers["sparse_side"].isin(FRACTIONS), "density"].max()
    return {"features": structure.measure_distances(trained, lowest, highest)}

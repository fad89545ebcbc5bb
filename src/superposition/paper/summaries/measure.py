"""Measure arrangements of few features, angles, pairs, the forming of a pentagon, and models of many features."""

import numpy as np
import pandas as pd
import torch

from superposition.analysis import recognition, tables
from superposition.analysis.plane import steps_around
from superposition.analysis.representation import is_represented
from superposition.analysis.rows import formatted
from superposition.analysis.tables import numbered_points
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.summaries import angles, gram, optima, pairs, training
from superposition.theory import packing, tegum
from superposition.theory.catalogue import DIGON, SINGLE, TETRAHEDRON
from superposition.theory.polytopes import product_name

# Densities at which the arrangements of five features are compared, and those at which the best model is searched for.
FINE_GRID, SEARCH_GRID = np.geomspace(0.01, 0.7, 60), np.geomspace(0.01, 0.7, 30)
# Share of random directions that are as nearly orthogonal as features have to be.
CHANCE = 0.01


# Five features in the plane


def five_features(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return trained models of binary and of uniform features, the loss of each arrangement, and exact optima."""
    parts = []
    for name, result in trained.items():
        points = result.points.reset_index(names="point")[["point", "density", "relative_importance", "loss"]]
        described = points.assign(values=name.removeprefix("five_"), **_describe(result.best()["W"]))
        columns = ["point", "density", "feature", "importance", "norm", "bias", "w0", "w1"]
        features = tables.features(result)[columns].assign(values=name.removeprefix("five_"))
        parts.append({"models": described, "features": features})
    return tables.stack(parts) | {
        "arrangements": optima.arrangement_losses([*FINE_GRID]),
        "optima": _search_optima(trained["five_binary"]),
    }


def _search_optima(result: SweepResult) -> pd.DataFrame:
    """Search for the best models of binary features at every importance of the last three."""
    best, ratios = result.model.pack(result.best()), result.points["relative_importance"]
    parts = []
    for ratio in sorted(ratios.unique()):
        here = torch.tensor((ratios == ratio).to_numpy())
        W, _, loss = optima.best_binary_models(torch.from_numpy(SEARCH_GRID), ratio, best[here])
        columns = {"relative_importance": ratio, "density": SEARCH_GRID, "loss": loss.numpy()}
        norms = geometry.norms(W).square().sort(dim=-1, descending=True).values.numpy()
        columns |= {f"norm2_{k}": norm for k, norm in enumerate(norms.T, start=1)}
        parts.append(pd.DataFrame(columns | _describe(W)))
    return pd.concat(parts, ignore_index=True)


def _describe(W: torch.Tensor) -> dict[str, np.ndarray]:
    """Return the columns that describe models of five features in the plane.

    They are the number of features ``represented``, whether only the first two are (``dedicated``), and by how many
    degrees the steps between neighbours differ from 72° at most (``off_pentagon``).
    """
    norm2 = geometry.norms(W).square().numpy()
    return {
        "represented": is_represented(norm2).sum(-1),
        "dedicated": (is_represented(norm2) == (np.arange(5) < 2)).all(-1),
        "off_pentagon": np.abs(steps_around(W.numpy()) - 72).max(-1),
    }


# Polygons and solids


def polygons_and_solids(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return what the best trained models form, by size and density, and the angles in the sparsest best known ones."""
    models = pd.concat([_arrangements(result) for result in trained.values()], ignore_index=True)
    sparsest = pd.DataFrame([_sparsest(result) for result in best.values()])
    space = sparsest.query("m == 3 and n > 6")
    packed = packing.minimise_energy(packing.interference_energy, [(n, 3) for n in space["n"]]) if len(space) else []
    sparsest.loc[space.index, "least_interference"] = [angles.nearest_angles(W.numpy()).min() for W, _ in packed]
    densities = sorted(models["density"].unique())
    single, digon, tetrahedron = (
        tegum.factor_optimum(polytope, densities).set_index("density")["loss"]
        for polytope in (SINGLE, DIGON, TETRAHEDRON)
    )
    solids = pd.DataFrame({"tetrahedron": tetrahedron, "digon": digon + 2 * single}).reset_index()
    return {"models": models, "sparsest": sparsest, "solids": solids, "numbers": _format_angles(sparsest)}


def _arrangements(result: SweepResult) -> pd.DataFrame:
    """Return the tegum product that the best model forms at every density, and the largest residual of its factors."""
    rows = []
    for density, W in zip(result.points["density"], result.best()["W"].numpy(), strict=True):
        _, factors = recognition.find_factors(W)
        rows.append((density, product_name(factors["polytope"]), factors["residual"].max()))
    table = pd.DataFrame(rows, columns=["density", "arrangement", "residual"])
    return table.assign(n=result.sweep.n, m=result.sweep.m)


def _sparsest(result: SweepResult) -> dict[str, object]:
    """Measure the angles between represented features in the model at the lowest density."""
    n, m, at = result.sweep.n, result.sweep.m, int(np.argmin(result.sweep.density))
    W = result.best()["W"][at].numpy()
    W = W[:, is_represented((W**2).sum(0))]
    nearest, count = angles.nearest_angles(W), W.shape[1]
    return {
        "n": n,
        "m": m,
        "represented": count,
        "smallest": nearest.min(),
        "largest": nearest.max(),
        "inequivalent": angles.inequivalence(W),
        "code": 360 / count if m == 2 else angles.CODES[n],
        # Up to 2m features at 90° or more do not interfere.
        "least_interference": 360 / count if m == 2 else 90.0,
    }


def _format_angles(sparsest: pd.DataFrame) -> pd.DataFrame:
    """Format the angles between nearest neighbours beside those of codes and of least interference."""
    columns = {
        "m": "{m}",
        "n": "{n}",
        "represented": "{represented}",
        "angles to nearest neighbours": "{smallest:.1f}° to {largest:.1f}°",
        "smallest in the best code": "{code:.1f}°",
        "with least interference": "{least_interference:.1f}°",
    }
    return formatted(sparsest, columns)


# Pairs, the forming of a pentagon


def cost_of_a_pair(_: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return what a pair of features costs, what a triangle reads, and W recovered from WᵀW; nothing is trained."""
    return {"costs": pairs.pair_costs(), "triangle": pairs.triangle_outputs(), "round_trips": gram.round_trips()}


def pentagon_forms(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return when the lengths and the angles of five features settle."""
    return training.settling(trained["pentagon_forms"])


# Many features


def many_features(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return how many features models represent, how long they are, and how nearly orthogonal."""
    models = pd.concat(
        [_describe_crowd(result).assign(experiment=name) for name, result in trained.items()], ignore_index=True
    )
    columns = ["density", "importance", "norm"]
    return {"models": models, "features": tables.features(trained["basic_small"])[columns]}


def _describe_crowd(result: SweepResult) -> pd.DataFrame:
    """Return the extreme cosines between represented features at every point, and the lengths of those that are read.

    The cosines are beside those of random directions. A feature is read if its output rises by more than ½ when it
    alone becomes active, at 1: ``norm2`` is the mean ‖W_i‖² of these features, ``off_one`` the largest |‖W_i‖² - 1|.
    """
    rows, sweep, best = [], result.sweep, result.best()
    for W, b in zip(best["W"], best["b"], strict=True):
        norm2 = geometry.norms(W).square()
        read = norm2[(norm2 + b).relu() - b.relu() > 0.5]
        kept = W[:, is_represented(norm2)]
        count = kept.shape[1]
        row = {
            "n": sweep.n,
            "m": sweep.m,
            "represented": count,
            "norm2": float(read.mean()),
            "off_one": float((read - 1).abs().max()) if len(read) else np.nan,
            **dict.fromkeys(("highest", "lowest", "random_count", "random"), np.nan),
        }
        if count > 1:
            i, j = torch.triu_indices(count, count, offset=1)
            cosines = geometry.cosines(kept)[i, j].numpy()
            row |= {"highest": cosines.max(), "lowest": cosines.min()}
            row["random_count"] = angles.random_count(float(np.abs(cosines).max()), sweep.m)
            row["random"] = angles.random_cosine(count, sweep.m, CHANCE)
        rows.append(row)
    return pd.concat([numbered_points(sweep, "density", "relative_importance", "seed"), pd.DataFrame(rows)], axis=1)

"""Uniform superposition: tables from weights, the claims about them, and the figures. The models are made by hand."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from scipy.optimize import minimize
from tests.paper.synthetic import animated_twice, changed, drawn, judged, through_files
from tests.real import CONFIGS

from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.geometry import (
    GALLERY,
    LARGE_SWEEP,
    LINE_HALF_WIDTH,
    REPLICATED_SWEEP,
    SIGNIFICANCE,
    SWEEPS_BY_M,
    SWEEPS_BY_N,
    beside_best,
    clusters,
    directions,
    draw,
    graphs,
    judge,
    measure,
    structure,
)
from superposition.paper.geometry.claims.plateaus import longest_plateau
from superposition.pipeline.judging.claims import Tables
from superposition.plotting import vectors
from superposition.theory import exact, polytopes, tegum
from superposition.theory.catalogue import simplex
from superposition.theory.polytopes import FRACTION_LABELS, FRACTIONS

FIGURES = ("dimensions_per_feature", "feature_dimensionality", "polytopes", "direction_left_out", "line_sharpness")
DENSITIES = CONFIGS["quick"].sweeps[LARGE_SWEEP].density
EXACT = {polytope.name: polytope for polytope in reversed(tegum.CATALOGUE)}
Factors = Mapping[str, int]  # how many of each polytope

# Of m / 10, at the densities of scale quick: features with a dimension of their own, digons, and more and more.
LARGE_MODELS: list[dict[str, int]] = [
    {"single": 10},
    {"single": 10},
    {"digon": 10},
    {"digon": 10},
    {"square antiprism": 3, "digon": 1},
    {"tetrahedron": 1, "triangle": 1, "pentagon": 2, "digon": 1},
    {"octagon": 5},
]
SMALL_MODELS: dict[tuple[int, int], tuple[dict[str, int], str]] = {  # by n and m
    (4, 2): ({"digon": 2}, "square"),
    (5, 2): ({"pentagon": 1}, "pentagon"),
    (6, 2): ({"hexagon": 1}, "hexagon"),
    (7, 2): ({"heptagon": 1}, "heptagon"),
    (8, 2): ({"octagon": 1}, "octagon"),
    (9, 2): ({"nonagon": 1}, "nonagon"),
    (4, 3): ({"tetrahedron": 1}, "tetrahedron"),
    (5, 3): ({"triangle": 1, "digon": 1}, "triangular bipyramid"),
    (6, 3): ({"digon": 3}, "octahedron"),
    (7, 3): ({"pentagon": 1, "digon": 1}, "pentagonal bipyramid"),
    (8, 3): ({"square antiprism": 1}, "square antiprism"),
    (9, 3): ({"hexagon": 1, "digon": 1}, "hexagonal bipyramid"),  # and one feature is absent
    (10, 3): ({"square antiprism": 1}, "square antiprism"),  # and two are absent
    (11, 3): ({"octagon": 1, "digon": 1}, "digon + octagon"),  # and one is absent
    (12, 3): ({"icosahedron": 1}, "icosahedron"),
}


def embedded(factors: Factors, n: int, m: int, seed: int, norm: float = 1.0) -> np.ndarray:
    """Return the tegum product of factors, turned at random, with the features in random order.

    Features that are left over have tiny columns.
    """
    rng = np.random.default_rng(seed)
    W = polytopes.tegum_product(*(EXACT[name] for name, count in factors.items() for _ in range(count)))
    turn = np.linalg.qr(rng.normal(size=(m, m)))[0][:, : len(W)]
    rest = rng.normal(size=(m, n - W.shape[1])) * 1e-4
    return np.concatenate([norm * turn @ W, rest], axis=1)[:, rng.permutation(n)]


def made(
    sweep: Sweep, weights: Callable[[int], np.ndarray], loss: Callable[[float], float] = lambda p: p / 10
) -> SweepResult:
    """Return models with these weights in the best restart, another one at every point; the others are noise."""
    rng, points, restarts = np.random.default_rng(0), sweep.points(), sweep.restarts
    W = rng.normal(size=(len(points), restarts, sweep.m, sweep.n))
    losses, error = np.full((len(points), restarts), 9.0), np.full((len(points), restarts), 7.0)
    for point, p in enumerate(points["density"]):
        best = (1 + point) % restarts
        W[point, best], losses[point, best], error[point, best] = weights(point), loss(p), p / 1e4
    parameters = {"W": torch.from_numpy(W).float(), "b": torch.zeros(len(points), restarts, sweep.n)}
    return SweepResult(sweep, parameters, torch.from_numpy(losses), torch.from_numpy(error))


def products(
    sweep: Sweep, factors: Sequence[Factors], loss: Callable[[float], float] = lambda p: p / 10, norm: float = 1.0
) -> SweepResult:
    """Return models that are products of the given factors, one choice per density."""

    def weights(point: int) -> np.ndarray:
        return embedded(factors[point // sweep.seeds], sweep.n, sweep.m, point, norm)

    return made(sweep, weights, loss)


@functools.cache
def large_models() -> dict[str, SweepResult]:
    models = {}
    figures = CONFIGS["quick"].figures
    for name in {*figures["dimensions_per_feature"].experiments, *figures["line_sharpness"].experiments}:
        sweep = CONFIGS["quick"].sweeps[name]
        every = [{part: count * sweep.m // 10 for part, count in model.items()} for model in LARGE_MODELS]
        chosen = [every[DENSITIES.index(p)] for p in np.take(DENSITIES, nearest(sweep.density))]
        models[name] = products(sweep, chosen)
    return models


def nearest(densities: Sequence[float]) -> np.ndarray:
    return np.abs(np.log(DENSITIES)[:, None] - np.log(densities)).argmin(axis=0)


@functools.cache
def small_models() -> dict[str, SweepResult]:
    """Return models that are polytopes, but at density 1 dedicate their m dimensions to single features."""
    models = {}
    for name in CONFIGS["quick"].figures["polytopes"].experiments:
        sweep = CONFIGS["quick"].sweeps[name]
        factors = SMALL_MODELS[sweep.n, sweep.m][0]
        models[name] = products(sweep, [{"single": sweep.m}] + [factors] * (len(DENSITIES) - 1), norm=1.1)
    return models


def of_large(figure: str) -> dict[str, SweepResult]:
    return {name: large_models()[name] for name in CONFIGS["quick"].figures[figure].experiments}


@functools.cache
def table_of(figure: str) -> dict[str, pd.DataFrame]:
    models = small_models() if figure == "polytopes" else of_large(figure)
    best = best_of(figure, models)
    return getattr(measure, figure)(*([models, best] if best else [models]))


def best_of(figure: str, models: Mapping[str, SweepResult]) -> dict[str, SweepResult]:
    """Return the best known models of a figure: the trained ones, at a tenth of their loss."""
    return {
        name: dataclasses.replace(models[name], loss=models[name].loss / 10)
        for name in CONFIGS["quick"].figures[figure].best
    }


def ideal() -> Tables:
    return {figure: table_of(figure) for figure in FIGURES}


def unique(row: pd.DataFrame) -> Any:
    (one,) = row.itertuples()
    return one


def all_are(name: str) -> Callable[[pd.DataFrame], list[str]]:
    """Return a function that fills a column with one text."""
    return lambda rows: [name] * len(rows)


# Large models, from weights to tables.


@pytest.mark.parametrize(
    "experiment", [LARGE_SWEEP, REPLICATED_SWEEP, "uniform_100_20", "uniform_400_20", "uniform_400_40"]
)
def test_curves(experiment: str) -> None:
    """D*, ‖W‖_F² and Σ D_i are those of products of known polytopes, at every density and seed."""
    sweep = CONFIGS["quick"].sweeps[experiment]
    curves = table_of("dimensions_per_feature")["curves"]
    rows = curves[curves["experiment"] == experiment].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[["density", "seed"]], sweep.points()[["density", "seed"]])
    assert (rows["n"] == sweep.n).all()
    assert (rows["m"] == sweep.m).all()
    counts = [sum(EXACT[k].features * count for k, count in model.items()) / 10 for model in LARGE_MODELS]
    np.testing.assert_allclose(rows["dimensions_per_feature"], 1 / np.repeat(counts, sweep.seeds), rtol=1e-4)
    np.testing.assert_allclose(rows["represented"], sweep.m * np.repeat(counts, sweep.seeds), rtol=1e-4)
    np.testing.assert_allclose(rows["budget"], 1, rtol=1e-4)
    np.testing.assert_allclose(rows["loss_error"], rows["density"] / 1e4)


def test_lengths_count_in_d_star_but_not_in_the_budget() -> None:
    """A product in fewer dimensions than there are leaves the rest of the budget unused."""
    one = products(CONFIGS["quick"].sweeps[LARGE_SWEEP], [{"pentagon": 6}] * 7, norm=1.2)
    rows = measure.measure_curves({LARGE_SWEEP: one}, DENSITIES)
    np.testing.assert_allclose(rows["dimensions_per_feature"], 30 / (30 * 1.44), rtol=1e-4)
    np.testing.assert_allclose(rows["budget"], 12 / 30, rtol=1e-4)


def test_trained_models_beside_the_best_known() -> None:
    """The difference is counted in the standard error of both losses, at each density and seed for itself."""

    def models(losses: list[float], error: float) -> pd.DataFrame:
        columns = {"position": [1, 0, 0], "seed": [0, 0, 1], "density": [0.1, 1.0, 1.0], "loss": losses}
        table = pd.DataFrame(columns).assign(experiment=LARGE_SWEEP, loss_error=error)
        return pd.concat([table, table.assign(experiment=REPLICATED_SWEEP, loss=9.0)])

    both = beside_best({"curves": models([1.1, 2.2, 2.6], 0.03), "best": models([1.0, 2.0, 2.0], 0.04)})
    assert both["density"].tolist() == [0.1, 1.0, 1.0]
    assert both["excess"].tolist() == pytest.approx([0.1, 0.1, 0.3])
    assert both["deviation"].tolist() == pytest.approx([2, 4, 12])


def test_the_optimum_is_that_of_products() -> None:
    """At every second density D* is that of the best polytope: near 1 if dense, below that of digons if sparse."""
    best = table_of("dimensions_per_feature")["optimum"].set_index("density")
    np.testing.assert_allclose(best.index, sorted(DENSITIES)[::2])
    assert best.loc[1.0, "dimensions_per_feature"] > 0.95
    assert best["dimensions_per_feature"].iloc[0] < 0.25
    assert best["dimensions_per_feature"].is_monotonic_increasing
    for row in best.itertuples():
        assert row.dimensions_per_feature == pytest.approx(EXACT[row.polytope].dimensionality / row.norm**2)


def test_convergence() -> None:
    """The table beside the figure has one row per density; the same models have the same loss, to the last bit."""
    table = table_of("dimensions_per_feature")["convergence"]
    assert table["compared"].value_counts().to_dict() == {"longer": 7, "known": 7, "notebook": 4}
    assert (table.loc[table["compared"] == "known", "relative"] == 0).all()
    shown = table_of("dimensions_per_feature")["numbers"]
    assert shown["1-S"].tolist() == ["1", "0.4642", "0.2154", "0.1", "0.04642", "0.02154", "0.01"]
    assert set(shown["the best known model"]) == {"+0.00%"}
    assert (shown["the authors' training configuration, 10 000 steps"] == "").tolist() == [False, True] * 3 + [False]


@pytest.mark.parametrize(("scale", "longer", "notebook", "sizes"), [("paper", 7, 4, 13), ("quick", 7, 4, 7)])
def test_densities_of_the_experiments_meet(scale: str, longer: int, notebook: int, sizes: int) -> None:
    """Every density of the coarser sweeps is one of the finer, at which the models' losses are compared.

    An output of 0 costs p/3 per feature, and the mean of the feature p/3 - p²/4.
    """
    parts = {}
    for name in CONFIGS[scale].figures["dimensions_per_feature"].experiments:
        small = {"n": 4, "m": 2, "restarts": 1, "evaluation": 2**16}
        sweep = CONFIGS[scale].sweeps[name].model_copy(update=small)
        parts[name] = made(sweep, lambda point, sweep=sweep: np.zeros((sweep.m, sweep.n)))
        if name == measure.LONGER_SWEEP:
            parts[name].parameters["b"][:, 0] = torch.tensor(sweep.density)[:, None] / 2
    grid = CONFIGS[scale].sweeps[LARGE_SWEEP].density
    curves = measure.measure_curves(parts, grid)
    np.testing.assert_allclose(curves["density"], np.take(grid, curves["position"]))
    compared = measure.compare_convergence(parts, parts).set_index("compared")
    assert compared.index.value_counts().to_dict() == {"known": len(grid), "longer": longer, "notebook": notebook}
    np.testing.assert_allclose(compared["density"], np.take(grid, compared["position"]))
    assert (compared.loc[["known", "notebook"], "relative"] == 0).all()
    np.testing.assert_allclose(compared["loss_ours"], 4 * compared["density"] / 3, rtol=0.02)
    better = compared.loc["longer"]
    np.testing.assert_allclose(better["relative"], -0.75 * better["density"], rtol=0.02)
    shared = curves[curves["experiment"].isin([*SWEEPS_BY_N, *SWEEPS_BY_M])].groupby("position")["experiment"].nunique()
    assert (shared == 5).sum() == sizes


def test_features_of_large_models() -> None:
    """Every feature has its D_i, its norm and its polytope; tiny ones are absent and belong to no factor."""
    features = table_of("feature_dimensionality")["features"]
    for (experiment, density, seed), rows in features.groupby(["experiment", "density", "seed"]):
        sweep = CONFIGS["quick"].sweeps[experiment]
        model = LARGE_MODELS[DENSITIES.index(density)]
        assert rows["feature"].tolist() == list(range(sweep.n)), (density, seed)
        there = rows["polytope"] != "absent"
        counts = {name: count * sweep.m // 10 * EXACT[name].features for name, count in model.items()}
        assert rows["polytope"][there].value_counts().to_dict() == counts
        assert (rows["factor"][~there] == -1).all()
        assert (rows["factor"][there] >= 0).all()
        np.testing.assert_allclose(rows["norm"], there, atol=2e-3)
        exact = rows["polytope"].map({name: p.dimensionality for name, p in EXACT.items()}).fillna(0)
        np.testing.assert_allclose(rows["dimensionality"], exact, atol=1e-4)
        W = large_models()[experiment].best()["W"][DENSITIES.index(density) * sweep.seeds + seed].numpy()
        np.testing.assert_allclose(rows["norm"], np.linalg.norm(W, axis=0))


def test_factors_of_large_models() -> None:
    tables = table_of("feature_dimensionality")
    for (experiment, density, _), rows in tables["factors"].groupby(["experiment", "density", "seed"]):
        m = CONFIGS["quick"].sweeps[experiment].m
        model = LARGE_MODELS[DENSITIES.index(density)]
        assert rows["polytope"].value_counts().to_dict() == {name: count * m // 10 for name, count in model.items()}
        assert (rows["features"] == rows["polytope"].map({name: p.features for name, p in EXACT.items()})).all()
        assert (rows["residual"] < 1e-4).all()
    at = tables["thresholds"].query(f"experiment == '{LARGE_SWEEP}' and polytope == 'pentagon'")
    assert at[["joined", "factors", "features"]].to_numpy().tolist() == [[t, 6, 30] for t in measure.COSINE_THRESHOLDS]


def tiny(weights: list[np.ndarray], densities: Sequence[float] | None = None) -> dict[str, SweepResult]:
    """Return models of any size, one per density, in place of those with n = 400."""
    m, n = weights[0].shape
    densities = densities or [0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02][: len(weights)]
    sweep = Sweep.parse({"model": "relu_output", "n": n, "m": m, "density": list(densities)})
    return {LARGE_SWEEP: made(sweep, lambda point: weights[point])}


def described(weights: list[np.ndarray]) -> dict[str, pd.DataFrame]:
    """Return the tables of models of any size, which are also the best known ones."""
    return measure.feature_dimensionality(tiny(weights), tiny(weights))


def test_thresholds_decide_what_is_joined() -> None:
    """Two digons under |cos| = 0.22 are one factor up to 0.19, and two from 0.25 on; the factors' table is of 0.19."""
    a = np.array([1.0, 0, 0])
    b = np.array([0.22, math.sqrt(1 - 0.22**2), 0])
    tables = described([np.stack([a, -a, b, -b, [0, 0, 1.0]], axis=1)] * 2)
    found = tables["thresholds"].query("polytope != 'single' and density == 0.5").set_index("joined")
    assert found["factors"].to_dict() == {0.1: 1, 0.15: 1, 0.19: 1, 0.25: 2, 0.3: 2}
    assert found["features"].tolist() == [4] * 5
    assert (found["polytope"] == "digon").tolist() == [False, False, False, True, True]
    assert (tables["factors"]["features"] == 4).sum() == 2


# Clusters.


def scattered(models: Sequence[np.ndarray]) -> pd.DataFrame:
    """Return a table of features with these D_i, one array per model."""
    parts = [
        pd.DataFrame({"experiment": LARGE_SWEEP, "point": k, "dimensionality": values})
        for k, values in enumerate(models)
    ]
    return pd.concat(parts, ignore_index=True)


def at_line(table: pd.DataFrame, line: float) -> Any:
    return unique(table[np.isclose(table["line"], line)])


def test_lines_are_the_papers_and_others_clear_of_them() -> None:
    table = clusters.count_around_lines(scattered([np.array([0.5])]))
    named = table[table["polytope"] != ""]
    assert dict(zip(named["polytope"], named["line"], strict=True)) == FRACTIONS
    assert sorted(FRACTIONS.values()) == [0, 3 / 8, 2 / 5, 1 / 2, 2 / 3, 3 / 4, 1]
    others = table.loc[table["polytope"] == "", "line"].to_numpy()
    assert len(others) > 20
    assert np.abs(others[:, None] - [*FRACTIONS.values()]).min() > 4 * LINE_HALF_WIDTH


def test_clusters_stand_out() -> None:
    """Lines stand out if ten models have two features near each of them, and no other line does."""
    rng = np.random.default_rng(0)
    models = [np.repeat([*FRACTIONS.values()], 2) + rng.uniform(-0.9, 0.9, 14) * LINE_HALF_WIDTH for _ in range(10)]
    table = clusters.count_around_lines(scattered(models))
    named = table["polytope"] != ""
    assert (table.loc[named, ["inside", "models_more", "models_less"]] == [20, 10, 0]).all(axis=None)
    assert table.loc[named, "chance"].to_numpy() == pytest.approx(0.5**10)
    assert (table.loc[~named, "chance"] > SIGNIFICANCE).all()
    found = pd.DataFrame({"polytope": ["single", "digon", "digon", "other"], "features": [1, 2, 2, 5]})
    shown = clusters.format_clusters(table, found.assign(residual=[0, 0.1, 0.3, 0.9])).set_index("line")
    assert (shown["stands out"] == "yes").all()
    assert shown["features recognised as such"].to_list() == ["1", "", "", "4", "", "", ""]
    assert shown.loc["1/2 (digon)", "median residual"] == "0.200"


def test_smooth_distributions_have_no_clusters() -> None:
    """Among many lines in many sets of models, no more stand out than the stated share."""
    rng = np.random.default_rng(0)
    chances = np.concatenate(
        [clusters.count_around_lines(scattered(rng.uniform(size=(24, 200))))["chance"] for _ in range(60)]
    )
    assert len(chances) > 1500
    assert 0.001 < (chances < SIGNIFICANCE).mean() < SIGNIFICANCE + 2 * (SIGNIFICANCE / len(chances)) ** 0.5
    assert 0.03 < (chances < 0.1).mean() < 0.11


def test_one_model_makes_no_cluster() -> None:
    """The features of one model are not independent, so that no number of them makes a cluster."""
    crowd = np.full(300, 0.5)
    table = clusters.count_around_lines(scattered([crowd] + [np.array([0.2])] * 9))
    line = at_line(table, 0.5)
    assert (line.inside, line.models_more, line.models_less, line.chance) == (300, 1, 0, 0.5)
    assert at_line(table, 0.75).chance == 1
    for count, stands in ((6, False), (7, True)):
        table = clusters.count_around_lines(scattered([crowd] * count))
        assert (at_line(table, 0.5).chance < SIGNIFICANCE) == stands
        assert (table.loc[table["polytope"] != "", "chance"] < SIGNIFICANCE).sum() == stands


def test_models_with_less_inside_count_against() -> None:
    inside, beside = np.array([0.5]), np.array([0.5 + 1.5 * LINE_HALF_WIDTH])
    table = clusters.count_around_lines(scattered([inside] * 9 + [beside] * 3 + [np.concatenate([inside, beside])] * 2))
    line = at_line(table, 0.5)
    assert (line.inside, line.beside, line.models_more, line.models_less) == (11, 5, 9, 3)
    assert line.chance == pytest.approx(sum(math.comb(12, k) for k in range(9, 13)) / 2**12)


@pytest.mark.parametrize("line", FRACTIONS.values())
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("far", "inside", "beside"), [(0, 1, 0), (0.99, 1, 0), (1.01, 0, 1), (1.99, 0, 1), (2.01, 0, 0)]
)
def test_window(line: float, side: int, far: float, inside: int, beside: int) -> None:
    """The bands are alike on both sides of a line; at 0 and 1 there is one side only."""
    value = line + side * far * LINE_HALF_WIDTH
    if 0 <= value <= 1:
        found = at_line(clusters.count_around_lines(scattered([np.array([value])])), line)
        assert (found.inside, found.beside) == (inside, beside)


def test_bands_of_the_nearest_lines_do_not_overlap() -> None:
    values = np.linspace(3 / 8, 2 / 5, 100)
    table = clusters.count_around_lines(scattered([values]))
    assert sum(at_line(table, line).inside + at_line(table, line).beside for line in (2 / 5, 3 / 8)) == 100


# Graphs.


def padded(W: np.ndarray, m: int, n: int) -> np.ndarray:
    out = np.zeros((m, n))
    out[: len(W), : W.shape[1]] = W
    return out


def product(**factors: int) -> np.ndarray:
    return polytopes.tegum_product(*(EXACT[name.replace("_", " ")] for name, k in factors.items() for _ in range(k)))


def test_edges_are_of_the_models_with_the_most() -> None:
    """Edges show models with the most triangles, digons, pentagons and antiprisms, and the densest of one component."""
    models = [
        product(triangle=1, single=3),  # fewer triangles
        product(triangle=2, digon=1),
        product(digon=3),
        product(pentagon=2),
        product(square_antiprism=1),  # the most antiprisms, and one component
        product(icosahedron=1),  # one component, but sparser
        product(tetrahedron=1),
    ]
    edges = described([padded(W, 6, 13) for W in models])["edges"]
    assert sorted(edges["density"].unique(), reverse=True) == [0.4, 0.3, 0.2, 0.1]


def test_one_component_is_drawn() -> None:
    models = [product(digon=3), product(icosahedron=1), product(hexagon=1)]
    edges = described([padded(W, 6, 13) for W in models])["edges"]
    assert edges["density"].unique().tolist() == [0.5, 0.4]


def test_edges_are_pairs_of_represented_features() -> None:
    """Each pair of represented features with |W_i·W_j| > 0.05 is listed once."""
    W = np.zeros((4, 9))
    W[:, [7, 1]] = np.array([[1.0, 0, 0, 0], [-0.95, 0.2, 0, 0]]).T
    W[:, [4, 2]] = np.array([[0, 0, 1.1, 0], [0, 0.049, -1, 0]]).T  # W_1·W_2 is 0.0098, W_4·W_2 is -1.1
    W[:, 5] = 0, 0, 0.06, 0.9  # W_4·W_5 is 0.066, W_2·W_5 is -0.06
    W[:, 8] = 0.5, 0, 0, 0  # not represented
    edges = described([W])["edges"]
    found = {(row.i, row.j): row.dot for row in edges.itertuples()}
    assert found == pytest.approx({(1, 7): -0.95, (2, 4): -1.1, (4, 5): 0.066, (2, 5): -0.06}, rel=1e-5)
    assert (edges["i"] < edges["j"]).all()


def test_edges_of_the_ideal_models() -> None:
    edges = table_of("feature_dimensionality")["edges"]
    assert sorted(edges["density"].unique(), reverse=True) == [DENSITIES[k] for k in (3, 4, 5)]
    digons = edges[edges["density"] == DENSITIES[3]]
    assert len(digons) == 30
    np.testing.assert_allclose(digons["dot"], -1, atol=1e-5)


@pytest.mark.parametrize("k", [3, 5, 8, 9])
def test_ring_has_the_order_of_the_polygon(k: int) -> None:
    """Neighbours on the page are neighbours in the model."""
    members = np.random.default_rng(k).permutation(50)[:k]
    gram = EXACT["triangle"].corners.T @ EXACT["triangle"].corners if k == 3 else None
    gram = polytopes.polygon(k).T @ polytopes.polygon(k) if gram is None else gram
    i, j = np.triu_indices(k, 1)
    edges = pd.DataFrame({"i": members[i], "j": members[j], "dot": gram[i, j]})
    places, radius = graphs.place_on_ring(members, edges)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)
    assert radius >= 0.5
    near = np.sort(places @ places.T, axis=1)[:, -2] - 1e-9
    for a in range(k):
        for b in np.flatnonzero(places[a] @ places.T >= near[a]):
            assert a == b or gram[a, b] == pytest.approx(np.cos(2 * np.pi / k))


# Small models, from weights to tables.


@pytest.mark.parametrize("size", SMALL_MODELS, ids=str)
def test_small_models_are_named(size: tuple[int, int]) -> None:
    """The product is that of the best restart, with its loss and error beside those of the best products."""
    factors, name = SMALL_MODELS[size]
    n, m = size
    rows = table_of("polytopes")["models"].query(f"n == {n} and m == {m}").set_index("density")
    assert sorted(rows.index) == sorted(DENSITIES)
    assert rows.loc[1.0, "trained"] == " + ".join(["single"] * m)
    assert rows.loc[1.0, "represented"] == m
    sparse = rows[rows.index < 1]
    assert set(sparse["trained"]) == {name}
    assert set(sparse["represented"]) == {sum(EXACT[part].features * count for part, count in factors.items())}
    assert (sparse["residual"] < 1e-3).all()
    np.testing.assert_allclose(rows["trained_loss"], rows.index / 10)
    np.testing.assert_allclose(rows["trained_error"], rows.index / 1e4)
    assert (rows["best_loss"] <= rows["second_loss"]).all()
    assert (rows["best"] != rows["second"]).all()


@pytest.mark.parametrize(
    ("size", "name"),
    [((5, 2), "pentagon"), ((6, 2), "hexagon"), ((6, 3), "octahedron"), ((4, 3), "digon + single + single")],
)
def test_best_products(size: tuple[int, int], name: str) -> None:
    """The best product of the sparsest features has the loss of its factors."""
    rows = table_of("polytopes")["models"].query(f"n == {size[0]} and m == {size[1]}").set_index("density")
    sparsest = min(DENSITIES)
    assert rows.loc[sparsest, "best"] == name
    parts = [tegum.factor_optimum(EXACT[part], [sparsest])["loss"].item() for part in polytopes.factors_of(name)]
    assert rows.loc[sparsest, "best_loss"] == pytest.approx(sum(parts), rel=1e-5)
    for density, row in rows.iterrows():
        every = tegum.best_products(table_of("polytopes")["optima"], *size).set_index("density")
        assert row[["best", "second"]].tolist() == every.loc[density, ["best", "second"]].tolist()


def test_features_of_small_models() -> None:
    """Features have the corners, factor and exact D_i of their product; of nine in space one is absent."""
    features = table_of("polytopes")["features"]
    for (n, m), (factors, _) in SMALL_MODELS.items():
        rows = features.query(f"n == {n} and m == {m} and density < 1 and polytope != 'absent'")
        counts = {name: EXACT[name].features * count * 6 for name, count in factors.items()}
        assert rows["polytope"].value_counts().to_dict() == counts
        exact = rows["polytope"].map({name: p.dimensionality for name, p in EXACT.items()})
        np.testing.assert_allclose(rows["dimensionality"], exact, atol=1e-4)
        squares = rows[[f"w{k}" for k in range(m)]].pow(2).sum(axis=1)
        np.testing.assert_allclose(squares, 1.21, rtol=1e-4)
        assert rows["w2"].isna().all() == (m == 2)
    absent = features.query("n == 9 and m == 3 and density < 1 and polytope == 'absent'")
    assert len(absent) == 6
    assert (absent["factor"] == -1).all()


def test_packings() -> None:
    """Packings agree with arrangements of known interference."""
    table = table_of("polytopes")["thomson"].set_index(["m", "n"])
    assert [*table.index] == [(m, n) for m in (2, 3) for n in range(m + 1, 13)]
    for n in range(3, 13):  # on the circle, charges are a regular polygon
        cos = np.cos(2 * np.pi * np.arange(1, n) / n)
        assert table.loc[(2, n), "thomson_interference"] == pytest.approx(n * (cos.clip(0) ** 2).sum(), abs=1e-5)
    pentagon = 10 * np.cos(2 * np.pi / 5) ** 2
    for (m, n), least in {(2, 5): pentagon, (3, 7): pentagon, (2, 6): 3.0}.items():
        assert table.loc[(m, n), "least_interference"] == pytest.approx(least, abs=1e-6)
    assert (table.query("n <= 2 * m")["least_interference"] < 1e-9).all()
    assert (table["least_interference"] <= table["thomson_interference"] + 1e-7).all()
    assert table.loc[(3, 12), "thomson_interference"] == pytest.approx(12 * 5 / 5, rel=1e-5)  # icosahedron, cos² = 1/5
    assert table.loc[(3, 12), "least_interference"] < 11.2


def test_trained_models_beside_packings() -> None:
    """The sparsest models are compared where all features are represented and the least arrangement is unique."""
    table = table_of("polytopes")["thomson"].set_index(["m", "n"])
    there = table.index[table["trained_from_packing"].notna()]
    assert set(there) == {(m, n) for n, m in SMALL_MODELS if n >= 2 * m and (n, m) not in ((9, 3), (10, 3), (11, 3))}
    assert set(table.index[table["apart"].isna()]) == {(2, 3), (3, 4), (3, 5)}
    assert table.loc[(3, 12), "trained_from_thomson"] < 1e-3
    assert table.loc[(3, 12), "trained_from_packing"] > 0.05
    assert table.loc[(2, 5), ["trained_from_thomson", "trained_from_packing", "apart"]].max() < 1e-3


# Structure, the aside.


def test_structure_of_products() -> None:
    """Exactly the digons are pairs; D_i never exceeds the leverage score, and equals it in isotropic factors."""
    tables = table_of("feature_dimensionality")
    for row in tables["models"].itertuples():
        model = LARGE_MODELS[DENSITIES.index(row.density)]
        counts = {name: count * row.m // 10 * EXACT[name].features for name, count in model.items()}
        assert row.represented == sum(counts.values())
        assert row.paired == counts.get("digon", 0)
        assert row.largest_rank == max(EXACT[name].dimensions for name in model)
        assert row.leverage == pytest.approx(row.rank) == row.m
        assert row.excess < 1e-9
    digons = tables["models"][tables["models"]["density"] == DENSITIES[2]]
    assert digons["tilt"].max() < 0.1
    np.testing.assert_allclose(digons["norm2"], digons["represented"], rtol=1e-5)
    np.testing.assert_allclose(digons["dimensions_per_feature"], 0.5, rtol=1e-5)


def test_leverage_of_any_model() -> None:
    """Leverage scores agree with their definition, W_iᵀ(WWᵀ)⁺W_i."""
    W = np.random.default_rng(0).normal(size=(6, 13))
    found = unique(structure.measure_structure(tiny([W])))
    score = np.diag(W.T @ np.linalg.inv(W @ W.T) @ W)
    D = (W**2).sum(0) ** 2 / ((W.T @ W) ** 2).sum(0)
    assert (found.excess, found.gap) == pytest.approx(((D - score).max(), (score - D).max()), abs=1e-5)


def test_distances_to_the_lines() -> None:
    """A tetrahedron has no distance from its line; two features at 60°, with D_i = 4/5, are 1/20 from 3/4."""
    pair = np.array([[1, 0.5], [0, 3**0.5 / 2]])
    models = tiny([padded(W, 3, 8) for W in (product(tetrahedron=1), pair)], densities=[0.5, 0.4])
    by_model = structure.measure_distances(models, 0.4, 0.5).groupby("point")["distance"]
    assert by_model.size().tolist() == [4, 2]
    np.testing.assert_allclose(by_model.mean(), [0, 0.05], atol=1e-3)
    assert set(structure.measure_distances(models, 0.45, 1.0)["density"]) == {0.5}


def exact_loss(k: int, density: float) -> float:
    """Return the least exact loss of a simplex of k features with equal norms and biases."""
    model, corners = Model("relu_output", k, max(1, k - 1)), torch.from_numpy(simplex(k))

    def loss(at: np.ndarray) -> float:
        p = {"W": corners * abs(at[0]), "b": torch.full((k,), at[1], dtype=torch.float64)}
        return float(exact.expected_loss(model, p, torch.full((k,), density), torch.ones(k)))

    return float(minimize(loss, [1, 0.1], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}).fun)


def test_the_best_direction_to_leave_out() -> None:
    """Losses are exact for n = 3; as 1-S → 0, the simplex costs n/(n-1) (1 - 1/(2(n-1))) times the digon."""
    tables = table_of("direction_left_out")
    change = tables["changes"].set_index("n")["density"][3]
    assert exact_loss(3, change) == pytest.approx(exact_loss(2, change), rel=3e-4)
    sparsest = tables["strategies"].query("density < 0.0101").set_index("n")
    optima = tables["optima"].set_index("density")[["v0", "v1", "v2"]]
    np.testing.assert_allclose(optima.iloc[0], [0.5**0.5, 0.5**0.5, 0], atol=1e-3)
    np.testing.assert_allclose(optima.loc[0.68:0.9], 3**-0.5, atol=1e-3)
    limits = [n / (n - 1) * (1 - 1 / (2 * (n - 1))) for n in (3, 4)]
    np.testing.assert_allclose((sparsest["simplex_loss"] / sparsest["digon_loss"])[[3, 4]], limits, rtol=0.01)


def test_projections_are_the_polytopes_of_the_aside() -> None:
    assert table_of("direction_left_out")["projections"]["difference"].max() < 1e-9
    W = directions.project_basis(np.ones((4, 1)))
    np.testing.assert_allclose(W.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(W.T @ W, np.eye(4) - 1 / 4, atol=1e-12)


@pytest.mark.parametrize(
    ("level", "sparse", "dense"), [(0.5, 3 + 0.025 / 0.3, 2 - 0.025 / 0.5), (1.0, 1.1, 0), (0.2, 4, 4 - 0.01 / 0.3)]
)
def test_plateau(level: float, sparse: float, dense: float) -> None:
    """The plateau ends where the curve leaves 5 % of the level, between points."""
    low, high = longest_plateau(pd.Series([0.2, 0.5, 0.5, 1, 1], index=np.exp(-np.arange(4.0, -1, -1))), level)
    assert (-np.log(low), -np.log(high)) == pytest.approx((sparse, dense), abs=4.1e-4)


def test_differences_count_beyond_three_standard_errors() -> None:
    """The number of densities at which training is beaten is that of differences above three standard errors."""
    best = table_of("dimensions_per_feature")["best"].query(f"experiment == '{LARGE_SWEEP}'")
    # The trained models have the same standard errors.
    trained = best["loss"] + [0, 2.9, 3.1, -5, 4, 1, 3.5] * best["loss_error"] * 2**0.5
    data = changed(
        ideal(), "dimensions_per_feature", "curves", f"experiment == '{LARGE_SWEEP}'", loss=trained.to_numpy()
    )
    assert "at 3 of 7 densities" in judged(judge.claims, "clusters", data)["note"]


def test_claims_survive_the_way_through_files(tmp_path: Path) -> None:
    claims = judge.claims.judge(ideal(), "paper")[0]
    assert "error" not in {*claims["verdict"]}
    assert judge.claims.judge(through_files(ideal(), tmp_path), "paper")[0].equals(claims)


# The figures.


def texts(figure: Figure) -> list[str]:
    return [text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel()) if text]


@pytest.mark.integration
def test_the_animation_is_the_same_every_time(tmp_path: Path) -> None:
    assert animated_twice(draw, "polytopes", {"polytopes": table_of("polytopes")}, tmp_path) == 30


def test_curves_are_drawn() -> None:
    """The figure shows D* over 1/(1-S), that of other sizes, and other losses beside ours in percent."""
    drawn = draw.dimensions_per_feature(table_of("dimensions_per_feature"))
    curve_ax, sizes, loss = drawn.axes
    assert "D^*" in curve_ax.get_ylabel()
    assert "D^*" in sizes.get_ylabel()
    assert all("1/(1-S)" in ax.get_xlabel() for ax in drawn.axes)
    expected = (
        table_of("dimensions_per_feature")["curves"].query(f"experiment == '{LARGE_SWEEP}'").sort_values("density")
    )
    x, y = 1 / expected["density"].to_numpy()[::-1], expected["dimensions_per_feature"].to_numpy()[::-1]
    assert any(
        len(line.get_xdata()) == 7 and np.allclose(line.get_xdata(), x) and np.allclose(line.get_ydata(), y)
        for line in curve_ax.lines
    )
    assert len(sizes.lines) == 10
    shown = {(line.get_color(), line.get_linewidth()) for line in curve_ax.lines}
    handles = [handle for handle in curve_ax.get_legend().legend_handles if isinstance(handle, plt.Line2D)]
    assert len(handles) == 3
    assert {(line.get_color(), line.get_linewidth()) for line in handles} <= shown
    percent = [np.asarray(line.get_ydata(), dtype=float) for line in loss.lines]
    relative = 100 * table_of("dimensions_per_feature")["convergence"]["relative"]
    np.testing.assert_allclose(np.concatenate(percent[1:]), relative)
    plt.close(drawn)


def points_of(ax: Axes) -> np.ndarray:
    return np.concatenate([np.ma.getdata(dots.get_offsets()) for dots in ax.collections])


def test_dimensionalities_are_drawn() -> None:
    """The figure shows every D_i, lines at the paper's fractions, D*, and the graphs of some models."""
    data = table_of("feature_dimensionality")
    drawn = draw.feature_dimensionality(data)
    scatter, side, of_best, _, *graphs = drawn.axes
    np.testing.assert_allclose(points_of(of_best), points_of(scatter))
    assert "1/(1-S)" in of_best.get_xlabel()
    assert "D_i" in scatter.get_ylabel()
    shown = data["features"].query(f"experiment == '{LARGE_SWEEP}'")
    expected = np.stack([1 / shown["density"], shown["dimensionality"]], axis=1)
    np.testing.assert_allclose(*(a[np.lexsort(a.T)] for a in (points_of(scatter), expected)))
    for ax in (scatter, side):
        assert {*FRACTIONS.values()} <= {float(line.get_ydata()[0]) for line in ax.lines if len(line.get_ydata()) == 2}
    assert {text.get_text().split()[0] for text in side.texts} >= {*FRACTION_LABELS.values()}
    d_star = next(line for line in scatter.lines if line.get_label() == "$D^*$").get_xydata()[::-1]
    curves = table_of("dimensions_per_feature")["curves"].query(f"experiment == '{LARGE_SWEEP}'").sort_values("density")
    np.testing.assert_allclose(
        d_star, np.stack([1 / curves["density"], curves["dimensions_per_feature"]], 1), rtol=1e-3
    )
    for ax, density in zip(graphs, sorted(data["edges"]["density"].unique(), reverse=True), strict=True):
        lines, points = ax.collections
        assert len(lines.get_paths()) == (data["edges"]["density"] == density).sum()
        places, nodes = points.get_offsets(), (shown["density"] == density) & (shown["factor"] >= 0)
        assert len(places) == len(np.unique(places, axis=0)) == nodes.sum()
        assert f"{1 / density:.3g}" in ax.get_title()
    plt.close(drawn)


def test_polytopes_are_drawn() -> None:
    """Exact polytopes are above trained ones in the same orientation, with D in their titles."""
    drawn = draw.polytopes(table_of("polytopes"))
    count = len(GALLERY)
    gallery = drawn.axes[: 2 * count]
    titles = [ax.get_title().replace("\n", " ") for ax in gallery[::2]]
    assert titles[0] == "square $D$ = 1/2"
    assert "triangular bipyramid $D$ = 1/2, 2/3" in titles
    assert "pentagonal bipyramid $D$ = 1/2, 2/5" in titles
    assert titles[-1] == "icosahedron $D$ = 1/4"
    assert all(ax.get_title().startswith("$1-S=") for ax in gallery[1::2])
    for above, below in zip(gallery[::2], gallery[1::2], strict=True):
        corners = [
            np.hstack([line.get_data_3d() if hasattr(line, "get_data_3d") else line.get_data() for line in ax.lines])
            for ax in (above, below)
        ]
        nearest_ones = np.linalg.norm(corners[0][:, :, None] * 1.1 - corners[1][:, None], axis=0).min(axis=0)
        assert (nearest_ones < 1e-3).all()
    assert sum("1/(1-S)" in text for text in texts(drawn)) == 3
    plt.close(drawn)


def test_products_are_taken_apart() -> None:
    """Every factor is drawn with the distances between its corners."""
    drawn = draw.polytopes(table_of("polytopes"))
    products = [(n, m, factors) for n, m, factors in GALLERY if len(factors) > 1]
    for ax, (_, _, factors) in zip(drawn.subfigs[1].axes, products, strict=True):
        corners = [np.asarray(dots.get_offsets()) for dots in ax.collections if isinstance(dots, PathCollection)]
        assert len(corners) == len(factors)
        for places, name in zip(corners, factors, strict=True):
            expected, found = (
                np.sort(np.linalg.norm(W[:, :, None] - W[:, None], axis=0), axis=None)
                for W in (1.1 * EXACT[name].corners, places.T)
            )
            np.testing.assert_allclose(found, expected, atol=1e-3)
    plt.close(drawn)


def test_the_table_of_the_aside() -> None:
    """The triangle's columns are at 120°, the square is two digons, and W is orthogonal to what it leaves out."""
    found = directions.project_examples().groupby("polytope")
    dots = {name: (W := rows[["w0", "w1"]].to_numpy()) @ W.T for name, rows in found}
    np.testing.assert_allclose(dots["triangle"], 1.5 * np.eye(3) - 0.5, atol=1e-12)
    np.testing.assert_allclose(dots["square"], np.eye(4) - np.roll(np.eye(4), 2, axis=0), atol=1e-12)
    for name, rows in found:
        W = rows[["w0", "w1"]].to_numpy().T
        np.testing.assert_allclose(W @ np.array(directions.EXAMPLES[name]).T, 0, atol=1e-12)
        assert set(rows["leaves_out"]) == {str(directions.EXAMPLES[name])[1:-1]}


def test_none_trained() -> None:
    """The figure says where no model forms an arrangement of the gallery."""
    data = changed(ideal(), "polytopes", "models", "n > 0", trained=all_are("other + single"), residual=np.nan)
    drawn = draw.polytopes(data["polytopes"])
    assert sum(ax.get_title() == "none trained" for ax in drawn.axes) == len(GALLERY)
    assert all([text.get_text() for text in ax.texts] == ["none trained"] for ax in drawn.subfigs[1].axes)
    plt.close(drawn)


def test_nothing_recognised(tmp_path: Path) -> None:
    """The figure is drawn without graphs if no feature is recognised."""
    data = changed(ideal(), "feature_dimensionality", "features", "factor >= 0", polytope=all_are("other"))
    tables = data["feature_dimensionality"] | {"edges": table_of("feature_dimensionality")["edges"][:0]}
    assert "</svg>" in drawn(draw, "feature_dimensionality", data | {FIGURES[1]: tables}, tmp_path)


@pytest.mark.parametrize(
    ("corners", "edges"),
    [
        (np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8), 12),
        (product(digon=3), 12),
        (polytopes.square_antiprism(), 16),
        (product(tetrahedron=1), 6),
        (product(triangle=1, digon=1), 9),
        (product(pentagon=1, digon=1), 15),
        (product(icosahedron=1), 30),
        *((polytopes.polygon(k), k) for k in range(3, 10)),
        (product(digon=2), 4),
    ],
    ids=lambda value: value if isinstance(value, int) else "x".join(map(str, value.shape)),
)
def test_edges_of_hulls(corners: np.ndarray, edges: int) -> None:
    """Edges are found without the diagonals of faces, also if faces are slightly bent, in any orientation."""
    rng = np.random.default_rng(0)
    m, n = corners.shape
    for noise in (0, 0, 1e-3):
        turn = np.linalg.qr(rng.normal(size=(m, m)))[0]
        found = vectors.hull_edges((turn @ corners + noise * rng.normal(size=corners.shape)).T)
        assert len(set(found)) == len(found) == edges
        assert all(0 <= i < j < n for i, j in found)
        lengths = [np.linalg.norm(corners[:, i] - corners[:, j]) for i, j in found]
        if n == 8 and m == 3:
            every = np.linalg.norm(corners[:, :, None] - corners[:, None], axis=0)
            assert max(lengths) < np.sort(np.unique(every.round(6)))[3]

"""The phase change: panels from weights, the claims about them, and the figures. The models are made by hand."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from tests.cases import in_ci
from tests.paper.synthetic import assert_on_the_page, changed, judged, through_files
from tests.real import CONFIG, CONFIGS
from tests.tensors import tensor

from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.phase import (
    PANELS,
    PHASES,
    activations,
    derivatives,
    draw,
    judge,
    landscape,
    measure,
    triangle_digon_crossover,
    two_in_one,
)
from superposition.pipeline.judging.claims import Tables
from superposition.theory import exact, optimum

FIGURES = ("phase_2in1", "phase_3in2")
KEYS = ["density", "relative_importance"]

both_figures = pytest.mark.parametrize("figure", FIGURES)
by_scale = pytest.mark.parametrize("scale", in_ci([*CONFIGS], "paper"))


class Fixed(NamedTuple):
    """A configuration of the paper: W, the last feature's phase, and its closed-form loss by p, v = Var[x] and r."""

    W: list[list[float]]
    phase: str
    loss: Any


FIXED = {
    "phase_2in1": [
        Fixed([[1, 0]], "absent", lambda p, v, r: r * v),
        Fixed([[0, 1]], "dedicated", lambda p, v, r: v),
        Fixed([[1, -1]], "superposition", lambda p, v, r: (1 + r) * p**2 / 6),
    ],
    "phase_3in2": [
        Fixed([[1, 0, 0], [0, 1, 0]], "absent", lambda p, v, r: r * v),
        Fixed([[1, 0, 0], [0, 0, 1]], "dedicated", lambda p, v, r: v),
        Fixed([[1, 0, 0], [0, 1, -1]], "superposition", lambda p, v, r: (1 + r) * p**2 / 6),
        Fixed([[1, -1, 0], [0, 0, 1]], "dedicated", lambda p, v, r: 2 * p**2 / 6),
    ],
}
TRIANGLE = [[1, -0.5, -0.5], [0, 0.75**0.5, -(0.75**0.5)]]


def fixed_losses(figure: str, p: Any, r: Any) -> np.ndarray:
    """Return the losses of every configuration, [configuration, point]."""
    return np.stack([kind.loss(p, p / 3 - p**2 / 4, r) for kind in FIXED[figure]])


def best_fixed(figure: str, sweep: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the best configuration at every point of a sweep, and its loss."""
    points = sweep.points()
    losses = fixed_losses(figure, points["density"].to_numpy(), points["relative_importance"].to_numpy())
    return losses.argmin(axis=0), losses.min(axis=0)


def turned(W: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate or reflect models at random."""
    return np.linalg.qr(rng.normal(size=(*W.shape[:-1], W.shape[-2])))[0] @ W


def with_triangles(p: float, r: float) -> bool:
    return 0.5 < r < 2 and 0.2 < p < 0.45


def made(sweep: Sweep, W: torch.Tensor, loss: torch.Tensor) -> SweepResult:
    return SweepResult(sweep, {"W": W, "b": 0 * W[..., 0, :]}, loss, 0 * loss)


@functools.cache
def models(figure: str, kind: str = "", scale: str = "paper") -> SweepResult:
    """Return models whose restarts are the best fixed configuration, turned; that of the highest loss is noise.

    Losses lie up to 1.8 % above the lowest, which is at another restart for every point. Optima of three features
    of nearly equal importance are triangles.
    """
    sweep = CONFIGS[scale].sweeps[figure + kind]
    rng, (best, lowest), points = np.random.default_rng(0), best_fixed(figure, sweep), sweep.points()
    W = np.array([FIXED[figure][k].W for k in best], dtype=float)
    if sweep.n == 3 and kind == "_optimum":
        W[[with_triangles(p, r) for p, r in points[KEYS].itertuples(index=False)]] = TRIANGLE
    W = turned(np.repeat(W[:, None], sweep.restarts, axis=1), rng)
    place = (np.arange(sweep.restarts) - 3 - 2 * np.arange(len(points))[:, None]) % sweep.restarts
    loss = lowest[:, None] * (1 + 0.002 * place) * (1 if kind else 1 + 1e-4)
    worst = place == sweep.restarts - 1
    W[worst], loss[worst] = rng.normal(size=W[worst].shape) * 3, 9.0
    weights = torch.from_numpy(W) if kind == "_optimum" else torch.from_numpy(W).float()
    return made(sweep, weights, torch.from_numpy(loss))


def boundary(ratios: tuple[float, ...]) -> pd.DataFrame:
    """Return what the search for the boundary finds, without its time."""
    table = pd.DataFrame(
        {
            "relative_importance": [0.1, 0.2, 0.3, 0.5, 0.7, 0.9],
            "p_prototypes": [0.16, 0.266667, 0.342857, 0.444444, 0.509091, 0.553846],
            "p_optimum": [0.181247, 0.295627, 0.375686, 0.484588, 0.631221, 0.841898],
            "jump": [True, True, True, True, False, True],
            "norm_onset": [0.63736, 0.689793, 0.724219, 0.755509, 0, 0.003213],
            "p_strong": [0.181247, 0.295627, 0.375686, 0.484588, 0.562155, 0.637396],
            "norm_above": [0, 0, 0, 0, 0.278006, 0.431294],
            "norm_below": [0.63736, 0.689793, 0.724219, 0.755509, 0.739944, 0.675151],
            "slope_above": [0.024271, 0.037104, 0.043647, 0.04552, 0.045822, 0.032171],
            "slope_below": [0.044734, 0.081113, 0.111294, 0.152155, 0.150233, 0.08086],
        }
    )
    return table.set_index("relative_importance").loc[list(ratios)].reset_index()


def jumps(ratios: tuple[float, ...]) -> pd.DataFrame:
    """Return jumps in place of those that a search finds."""
    return pd.DataFrame({"relative_importance": ratios, "density": 0.5, "near": 0.5, "far": 0.5})


@functools.cache
def two_features() -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_in_one, "boundary", boundary)
        patch.setattr(two_in_one, "largest_jumps", jumps)
        return real_two_features()


real_two_features, equal_importance = measure.measure_transition, functools.cache(measure.equal_importance_losses)


def measured(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "measure_transition", two_features)
        patch.setattr(measure, "equal_importance_losses", equal_importance)
        return getattr(measure, figure)(trained)


@functools.cache
def diagrams(scale: str = "paper") -> Tables:
    kinds = ("_notebook", "", "_optimum")  # not in the order of the configuration
    return {f: measured(f, {f + kind: models(f, kind, scale) for kind in kinds}) for f in FIGURES}


def panel(data: Tables, figure: str, name: str) -> pd.DataFrame:
    grid = data[figure]["grid"]
    return grid[grid["panel"] == name].reset_index(drop=True)


# Shares and phases.


@pytest.mark.parametrize(
    ("W", "expected", "name"),
    [
        ([[1, 0]], (1, 0, 0), "absent"),
        ([[0, 1]], (0, 0, 1), "dedicated"),
        ([[0, 0]], (1, 0, 0), "absent"),
        ([[1, -1]], (0, 1, 0), "superposition"),
        ([[0.5, 1]], (0, 0.25, 0.75), "superposition"),
        ([[0.4, 1]], (0, 0.16, 0.84), "dedicated"),
        ([[1, 0.8]], (0.36, 0.64, 0), "superposition"),
        ([[1, 0.7]], (0.51, 0.49, 0), "absent"),
        ([[0.1, 2]], (0, 0.01, 0.99), "dedicated"),  # longer than 1 is not more than there
        ([[3, -2]], (0, 1, 0), "superposition"),
        ([[1, 0, 0], [0, 1, 0]], (1, 0, 0), "absent"),
        ([[1, 0, 0], [0, 0, 1]], (0, 0, 1), "dedicated"),
        ([[1, -1, 0], [0, 0, 1]], (0, 0, 1), "dedicated"),  # the others' superposition is not its own
        ([[1, 0, 0], [0, 1, -1]], (0, 1, 0), "superposition"),
        (TRIANGLE, (0, 0.5, 0.5), "superposition"),
        ([[1, 0, 0.6], [0, 1, 0.8]], (0, 1, 0), "superposition"),
    ],
)
def test_shares(W: list[list[float]], expected: tuple[float, ...], name: str) -> None:
    """Shares describe the last feature; several models at once are not mixed up."""
    other = [[1.0] + [0.0] * (len(W[0]) - 1)] * len(W)
    found = measure.phase_shares(tensor([W, other]))
    np.testing.assert_allclose(found, [expected, (1, 0, 0)], atol=1e-12)
    assert measure.name_phases(found).tolist() == [name, "absent"]


@given(st.integers(0, 10**6))
def test_shares_add_up_however_the_model_is_turned(seed: int) -> None:
    """Shares are between 0 and 1 and add up to 1, whatever the orientation and the order of the other features."""
    rng = np.random.default_rng(seed)
    for m, n in ((1, 2), (2, 3)):
        W = rng.normal(size=(m, n)) * rng.choice([0, 0.5, 1, 2], n)
        share = measure.phase_shares(torch.from_numpy(W))
        assert share.sum() == pytest.approx(1)
        assert (share >= -1e-12).all()
        for same in (turned(W, rng), W[:, [*rng.permutation(n - 1), n - 1]]):
            np.testing.assert_allclose(measure.phase_shares(torch.from_numpy(same)), share, atol=1e-9)


@pytest.mark.parametrize(
    ("share", "name"),
    [
        ((0.499, 0.501, 0), "superposition"),
        ((0.501, 0.499, 0), "absent"),
        ((0.501, 0, 0.499), "absent"),
        ((0.499, 0, 0.501), "dedicated"),
        ((0, 0.251, 0.749), "superposition"),
        ((0, 0.249, 0.751), "dedicated"),
        ((0.4, 0.151, 0.449), "superposition"),  # a quarter of what is left
        ((0.4, 0.149, 0.451), "dedicated"),
        ((1, 0, 0), "absent"),
    ],
)
def test_phases(share: tuple[float, ...], name: str) -> None:
    assert measure.name_phases(np.array([share], dtype=float)).tolist() == [name]


# The panels.


@both_figures
@by_scale
def test_prototypes(figure: str, scale: str) -> None:
    """The diagram shows the best of the paper's configurations at every point; at r = 1 two may be equally good."""
    rows, sweep = panel(diagrams(scale), figure, "prototypes"), CONFIGS[scale].sweeps[figure]
    pd.testing.assert_frame_equal(rows[KEYS], sweep.points()[KEYS])
    best, lowest = best_fixed(figure, sweep)
    np.testing.assert_allclose(rows["loss"], lowest)
    clear = (rows["relative_importance"] - 1).abs() > 1e-9
    assert rows["phase"][clear].tolist() == [FIXED[figure][k].phase for k in best[clear]]
    assert set(rows["phase"]) == {"absent", "superposition", "dedicated"}
    for name in PHASES:
        np.testing.assert_allclose(rows[name], rows["phase"] == name, atol=1e-12)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (2, {(0, 1): "absent", (1, 1): "superposition", (1, 0): "dedicated"}),
        (3, {(0, 0, 1): "absent", (0, 1, 1): "superposition", (1, 1, 0): "dedicated", (0, 1, 0): "dedicated"}),
    ],
)
def test_the_papers_solutions(n: int, expected: dict[tuple[int, ...], str]) -> None:
    """Configurations are named by the direction that they leave out, and W is orthogonal to it."""
    found = {}
    for _, rows in measure.list_configurations(n).groupby("configuration"):
        W = rows[[f"w{k}" for k in range(n - 1)]].to_numpy().T
        np.testing.assert_allclose(W @ rows["left_out"], 0, atol=1e-12)
        assert np.linalg.matrix_rank(W) == n - 1
        found[tuple(rows["left_out"].round(12))] = rows["phase"].iloc[0]
    assert found == expected


@both_figures
def test_lines_between_the_fixed_configurations(figure: str) -> None:
    """The best configuration differs between the two sides of each line."""
    for x, y in draw.prototype_boundaries(figure == "phase_2in1"):
        for where in np.linspace(0.02, 0.98, 30):
            at = np.array([np.interp(where, np.linspace(0, 1, len(line)), line) for line in (x, y)])
            slope = np.array([x[-1] - x[0], y[-1] - y[0]])
            across = 1e-3 * np.array([-slope[1], slope[0]]) / np.linalg.norm(slope)
            if at[1] > -1e-2:
                continue  # beyond p = 1
            sides = [FIXED[figure][fixed_losses(figure, *point[::-1]).argmin()].phase
                     for point in (10 ** (at + across), 10 ** (at - across))]  # fmt: skip
            assert sides[0] != sides[1]


def trained_by_hand(loss: list[list[float]], W: list[list[list[list[float]]]]) -> SweepResult:
    """Return models at one density, with a relative importance for every row."""
    relative = {"features": [1], "ratio": [0.5, 2.0][: len(loss)]}
    sweep = Sweep(model="relu_output", n=2, m=1, density=0.5, relative_importance=relative, restarts=len(loss[0]))
    return made(sweep, tensor(W).float(), tensor(loss))


def test_the_papers_rule() -> None:
    """The model of the highest loss is left out, wherever it is, and the others' shares are averaged."""
    absent, pair, own = [[1, 0]], [[1, -1]], [[0, 1]]
    loss = [[0.3, 0.1, 0.9, 0.2], [0.9, 0.101, 0.1, 0.1011]]
    rows = measure.trained_panels(
        trained_by_hand(loss, [[absent, pair, own, pair], [own, absent, pair, absent]]), tensor([0.1, 0.1])
    )
    lead, average = (rows[rows["panel"] == name] for name in ("trained", "average"))
    assert lead["phase"].tolist() == ["superposition", "superposition"]
    assert lead["loss"].tolist() == [0.1, 0.1]
    assert lead["arrangement"].tolist() == ["1-2", "1-2"]
    np.testing.assert_allclose(lead[list(PHASES)], [[0, 1, 0], [0, 1, 0]], atol=1e-6)
    assert average["phase"].tolist() == ["superposition", "absent"]
    np.testing.assert_allclose(average[list(PHASES)], [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]], atol=1e-6)
    np.testing.assert_allclose(average["loss"], [0.2, 0.1007], atol=1e-4)
    assert rows["relative_importance"].tolist() == [0.5, 2, 0.5, 2]
    assert (rows["density"] == 0.5).all()


def test_best_basin() -> None:
    """The share counts all restarts within 1 % of the loss of the optimum, not of the best trained model."""
    loss = [[0.1009, 0.1011, 0.5, 0.1], [0.203, 0.21, 0.22, 0.23]]
    rows = measure.trained_panels(trained_by_hand(loss, [[[[1, 0]]] * 4] * 2), tensor([0.1, 0.2]))
    assert rows.loc[rows["panel"] == "trained", "best_basin"].tolist() == [0.5, 0]
    assert rows.loc[rows["panel"] == "average", "best_basin"].isna().all()


@pytest.mark.parametrize(
    ("W", "name"),
    [
        ([[1, 0]], "1"),
        ([[0, 1]], "2"),
        ([[0, 0]], "none"),
        ([[1, -1]], "1-2"),
        ([[1, 1]], "1-2"),
        ([[1, 0, 0], [0, 1, 0]], "1|2"),
        ([[1, 0, 0], [0, 0, 1]], "1|3"),
        ([[0, 1, 0], [0, 0, 1]], "2|3"),
        ([[1, 0, 0], [0, 1, -1]], "1|2-3"),
        ([[1, -1, 0], [0, 0, 1]], "1-2|3"),
        ([[1, 0, -1], [0, 1, 0]], "1-3|2"),
        ([[1, 0, 0], [0, 0.09, 1]], "1|3"),
        ([[1, 0, 0], [0, 0.11, 1]], "1|2-3"),
        ([[1, 0.24, 0], [0, 0.97, 0]], "1|2"),
        ([[1, 0.26, 0], [0, 0.97, 0]], "1-2"),
        (TRIANGLE, "triangle"),
        ([[1, 0, 0.7], [0, 1, 0.7]], "other"),
        ([[0, 0, 0], [0, 0, 0]], "none"),
    ],
)
def test_arrangement(W: list[list[float]], name: str) -> None:
    """The description of an arrangement does not depend on its orientation."""
    models = [np.array(W), *(turned(np.array(W), np.random.default_rng(seed)) for seed in range(4))]
    assert measure.describe_arrangements(torch.from_numpy(np.stack(models)).double()) == [name] * 5


# Measure.


@both_figures
@by_scale
def test_every_panel_covers_the_grid(figure: str, scale: str) -> None:
    """Every panel has all points of the grid, and the models of the experiment that it names."""
    data, points = diagrams(scale), CONFIGS[scale].sweeps[figure].points()[KEYS]
    assert set(data[figure]["grid"]["panel"]) == set(PANELS)
    assert data[figure]["grid"].index.is_unique
    _, lowest = best_fixed(figure, CONFIGS[scale].sweeps[figure])
    for name, factor in (("optimum", 1), ("trained", 1 + 1e-4)):
        rows = panel(data, figure, name)
        pd.testing.assert_frame_equal(rows[KEYS], points)
        np.testing.assert_allclose(rows["loss"], lowest * factor)
    average = panel(data, figure, "average")
    pd.testing.assert_frame_equal(average[KEYS], points)
    np.testing.assert_allclose(average["loss"], lowest * (1 + 1e-4) * (1 + 0.002 * 4))
    trained = panel(data, figure, "trained")
    for name in PHASES:
        np.testing.assert_allclose(trained[name], panel(data, figure, "prototypes")[name], atol=1e-5)
        np.testing.assert_allclose(average[name], trained[name], atol=1e-5)
    np.testing.assert_allclose(trained["best_basin"], 0.5)  # 0, 0.2, 0.4, 0.6 and 0.8 % above


def test_arrangements_of_the_optimum() -> None:
    rows = panel(diagrams(), "phase_3in2", "optimum")
    inside = [with_triangles(p, r) for p, r in rows[KEYS].itertuples(index=False)]
    assert ((rows["arrangement"] == "triangle") == inside).all()
    assert {"1|2", "1|2-3", "1-2|3"} <= set(rows["arrangement"])
    assert (rows["phase"][inside] == "superposition").all()
    assert set(panel(diagrams(), "phase_2in1", "optimum")["arrangement"]) == {"1", "2", "1-2"}


# Training as in the authors' notebook.


@both_figures
@by_scale
def test_the_points_of_the_notebook_are_every_fifth_of_the_grid(figure: str, scale: str) -> None:
    grid, few = (CONFIGS[scale].sweeps[name].points() for name in (figure, f"{figure}_notebook"))
    for key in KEYS:
        np.testing.assert_allclose(few[key].unique(), grid[key].unique()[::5], rtol=1e-12)
    every = [set(points[KEYS].round(9).itertuples(index=False, name=None)) for points in (few, grid)]
    assert every[0] < every[1]
    best = CONFIGS[scale].sweeps[f"{figure}_optimum"].points()
    pd.testing.assert_frame_equal(best, grid, check_exact=True)


@both_figures
@by_scale
def test_notebook_beside_ours(figure: str, scale: str) -> None:
    """The authors' models are compared with ours at the same point: every point of the grid has another number."""
    grid, notebook = diagrams(scale)[figure]["grid"].copy(), models(figure, "_notebook", scale)
    number = np.arange(len(grid), dtype=float)
    grid["phase"], grid["best_basin"] = [f"p{k:g}" for k in number], number
    shuffled = grid.sample(frac=1, random_state=0)
    rows = measure.compare_with_notebook(notebook, shuffled)
    assert len(rows) == len(notebook.loss)
    pd.testing.assert_frame_equal(rows[KEYS], notebook.sweep.points()[KEYS])
    for name, column, value in (
        ("optimum", "phase_optimum", "phase"),
        ("average", "phase_ours", "phase"),
        ("trained", "best_basin_ours", "best_basin"),
    ):
        theirs = grid[grid["panel"] == name]
        for row in rows.itertuples():
            distance = (np.log(theirs[KEYS]) - np.log([row.density, row.relative_importance])).abs().max(axis=1)
            assert getattr(row, column) == theirs[value][distance.idxmin()]


@both_figures
def test_notebook(figure: str) -> None:
    """The average and the share that reach the optimum are those of the authors' models, not of ours."""
    notebook, data = models(figure, "_notebook"), diagrams()
    loss = notebook.loss.clone()
    loss[1, loss[1] < 9] *= 1.5
    ours = changed(data, figure, "grid", "panel == 'trained'", loss=9.0)[figure]["grid"]
    rows = measure.compare_with_notebook(replace(notebook, loss=loss), ours)
    best, _ = best_fixed(figure, notebook.sweep)
    clear = (rows["relative_importance"] - 1).abs() > 1e-9
    assert rows["phase"][clear].tolist() == [FIXED[figure][k].phase for k in best[clear]]
    assert (rows["panel"] == "average").all()
    assert rows["best_basin"].tolist() == pytest.approx([0.6, 0] + [0.6] * (len(rows) - 2))
    assert rows["best_basin_ours"].to_numpy() == pytest.approx(0.5)


# Three equal features.


def test_equal_importance() -> None:
    """Each kind is a local optimum, and one of them is the best model there is."""
    table, model = equal_importance(), Model("relu_output", 3, 2)
    p = torch.tensor(table["density"].to_numpy())
    np.testing.assert_allclose(table["dropped"], p / 3 - p**2 / 4, rtol=1e-9)
    assert (table["digon"] <= p.numpy() ** 2 / 3).all(), "that of unit norms without a bias"
    unit = torch.cat([tensor(TRIANGLE).flatten(), torch.zeros(3)]).double().expand(len(p), -1)
    density, ones = p[:, None].expand(-1, 3), torch.ones(len(p), 3, dtype=torch.float64)
    assert (table["triangle"] <= exact.expected_loss(model, model.unpack(unit), density, ones).numpy()).all()
    few = [12, 20, 40, 90]
    _, losses = optimum.best_models(model, density[few], ones[few], 10)
    kinds = table[["triangle", "digon", "dropped"]].loc[few]
    np.testing.assert_allclose(kinds.min(axis=1), losses.min(dim=1).values, rtol=1e-7)
    assert kinds.idxmin(axis=1).tolist() == ["triangle", "digon", "digon", "digon"]


def test_handover() -> None:
    """The crossover lies between the points of the table; densities near 1 do not count."""
    p = np.geomspace(1, 0.01, 33)
    for cross in (0.1, 0.52, 0.7):
        gap = np.where(p > 0.95, 1.0, np.log(cross) - np.log(p))
        table = pd.DataFrame({"density": p, "triangle": 2 + gap, "digon": 2.0})
        assert triangle_digon_crossover(table) == pytest.approx(cross)
        assert triangle_digon_crossover(table.sample(frac=1, random_state=0)) == pytest.approx(cross)
    found = triangle_digon_crossover(equal_importance())
    near = equal_importance().query("0.45 < density < 0.6")
    assert ((near["triangle"] > near["digon"]) == (near["density"] < found)).all()
    assert 0.45 < found < 0.6


def test_numbers_of_three_features() -> None:
    """The numbers say how many points are triangles, and where."""
    grid = panel(diagrams(), "phase_3in2", "optimum")
    inside = grid[[with_triangles(p, r) for p, r in grid[KEYS].itertuples(index=False)]]
    text = " ".join(diagrams()["phase_3in2"]["numbers"]["found"])
    assert f"{len(inside)} of 1681" in text
    for key in KEYS:
        assert f"{inside[key].min():.3g} to {inside[key].max():.3g}" in text
    none = diagrams()["phase_3in2"]["grid"].replace("triangle", "1|2-3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "equal_importance_losses", equal_importance)
        words = " ".join(measure.measure_triangle(none)["numbers"]["found"])
    assert "0 of 1681" in words
    assert "nan" not in words


def test_numbers_of_two_features() -> None:
    """One line per relative importance, with its boundary and whether there is a jump."""
    data = diagrams()["phase_2in1"]
    pd.testing.assert_frame_equal(data["boundary"], boundary(measure.RATIOS))
    for (_, shown), row in zip(data["numbers"].astype(str).iterrows(), data["boundary"].itertuples(), strict=True):
        assert f"{row.relative_importance:g}" in shown.tolist()
        for value in (row.p_prototypes, row.p_optimum, row.p_strong):
            assert f"{value:.4f}" in shown.tolist()
        assert ("continuous" in shown.tolist()) == (not row.jump)
    assert data["transitions"]["relative_importance"].tolist() == pytest.approx(np.arange(0.1, 0.995, 0.01))
    assert set(data["norms"]["relative_importance"]) == set(measure.RATIOS)
    assert not data["norms"].isna().any(axis=None)


# The surfaces.


SETTINGS = [(0.5, 0.3), (0.5, 1.0), (1.0, 0.3), (1.0, 1.0)]


def two_minima(settings: Sequence[tuple[float, float]], bias: bool) -> pd.DataFrame:
    """Return two minima in place of real ones, or one where r is low; their places tell the setting."""
    tables = []
    for point, (p, r) in enumerate(settings):
        x = np.array([[0.9 + 0.1 * p, -1 + 0.2 * r], [0.6 + 0.1 * bias, 0.5 + 0.1 * p]])
        table = pd.DataFrame({"w0": x[:, 0], "w1": x[:, 1], "b0": 0.0, "b1": 0.0, "loss": [p / 10, p / 9]})
        tables.append(table.assign(density=p, relative_importance=r, bias=bias, point=point)[: 2 if r == 1 else 1])
    return pd.concat(tables)


def coarse(p: float, r: float) -> pd.DataFrame:
    """Return coarse loss surfaces, of which that with the best bias is made up."""
    W = torch.cartesian_prod(*[torch.linspace(-1.4, 1.4, 9, dtype=torch.float64)] * 2)
    loss = two_in_one.loss(W, *(torch.full_like(W[:, 0], value) for value in (p, r))).numpy()
    columns = {"w0": W[:, 0], "w1": W[:, 1], "no_bias": loss, "best_bias": loss * (0.9 - 0.1 * W[:, 1].numpy())}
    return pd.DataFrame({"density": p, "relative_importance": r, **columns})


@functools.cache
def surfaces() -> Tables:
    """Return the tables of loss surfaces with random ends of training."""
    sweep = CONFIGS["quick"].sweeps["loss_surfaces"]
    generator = torch.Generator().manual_seed(0)
    shape = (len(sweep.points()), sweep.restarts)
    W = torch.rand(*shape, 1, 2, generator=generator) * 2 - 1
    loss = torch.rand(*shape, generator=generator, dtype=torch.float64)
    ends = made(sweep, W, loss)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_in_one, "loss_surface", coarse)
        patch.setattr(two_in_one, "distinct_minima", two_minima)
        patch.setattr(measure, "BASIN_RATIOS", (0.2, 1.0))
        patch.setattr(landscape, "DESCENT_STARTS", 64)
        tables = measure.loss_surfaces({"loss_surfaces": ends})
    for row, k in zip(tables["trained"].itertuples(), np.ndindex(shape), strict=True):
        assert (row.w0, row.w1) == tuple(W[k][0].tolist())
    return {"loss_surfaces": tables}


def test_surfaces_of_every_setting() -> None:
    """Each table has the four settings, and the minima are those with and without a bias."""
    data = surfaces()["loss_surfaces"]
    for name in ("surface", "trained"):
        assert [key for key, _ in data[name].groupby(KEYS)] == SETTINGS
        assert data[name].groupby(KEYS).size().nunique() == 1
    expected = pd.concat([two_minima([setting], bias) for setting in SETTINGS for bias in (False, True)])
    pd.testing.assert_frame_equal(data["minima"].drop(columns="point"), expected.drop(columns="point"))
    assert data["minima"]["point"].tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3]
    assert not any(table.isna().any(axis=None) for table in data.values())


@pytest.mark.parametrize(
    ("density", "ratio"), [([1, 0.8, 0.6, 0.4, 0.2], 1 / 2), ([1, 0.9, 0.3, 0.2], 0.6 / 0.7)], ids=["even", "jump"]
)
def test_how_smoothly_a_minimum_moves(density: list[float], ratio: float) -> None:
    """On an even path a step is half of a double one. The path ends at the first signs that are opposite."""
    path = pd.DataFrame({"density": density}).assign(
        w0=lambda t: 1 - 0.3 * t["density"], w1=lambda t: 0.4 * t["density"]
    )
    opposite = pd.DataFrame({"density": [0.1, 0.05], "w0": [0.7, 0.5], "w1": [-0.7, 0.5]})
    here = pd.concat([opposite, path]).assign(relative_importance=0.3)
    elsewhere = pd.concat([path, opposite]).assign(relative_importance=1.0, w0=lambda table: table["w0"] ** 2)
    (claim,) = judge.claims.find(["phase.smooth_movement"])
    judgement = claim.judge({"loss_surfaces": {"paths": pd.concat([here, elsewhere])}})
    # Between two densities it moves by half of their difference, and its distance from [1, 0] is half of its density.
    assert [about.value for about in judgement.statement] == pytest.approx([ratio, 0.2])
    assert judgement.finding.text == "from (0.70, 0.40) at 1-S = 1.00 to (0.94, 0.08) at 1-S = 0.20"


def test_what_becomes_of_the_same_sign() -> None:
    """With a trained bias the minimum of equal signs remains, in a valley, at p = 1, and vanishes in sparser models."""
    words = measure.format_same_sign(two_in_one.same_sign_minima([1.0, 0.5, 0.1])).astype(str)
    kinds = words["with a trained bias"].tolist()
    assert kinds[1] == kinds[2] != kinds[0]
    assert words.iloc[0].str.contains("valley").any()
    assert words.iloc[1:].apply(lambda row: row.str.contains("no minimum").any(), axis=1).all()
    stays = two_in_one.same_sign_minima([1.0]).assign(curvature=1.0)
    assert measure.format_same_sign(stays)["with a trained bias"].item() not in kinds


# The claims.


@functools.cache
def theoretical() -> Tables:
    """Return the tables of the figures that need no training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activations, "POINTS", 7)
        return {figure: getattr(measure, figure)({}) for figure in ("phase_kinks", "phase_activations")}


@functools.cache
def numbers() -> dict[str, list[float]]:
    """Return the numbers of every claim for the ideal models."""
    criteria = judge.claims.judge(diagrams() | theoretical() | surfaces(), "paper")[1].query("part == 'statement'")
    return {name.removeprefix("phase."): rows["value"].tolist() for name, rows in criteria.groupby("claim")}


@by_scale
def test_claims_hold_for_the_ideal_models(scale: str, tmp_path: Path) -> None:
    """Verdicts survive the way through files."""
    data = diagrams(scale) | theoretical() | surfaces()
    claims = judge.claims.judge(data, scale)[0]
    assert claims["verdict"].tolist() == claims["expected"].tolist()
    assert not claims[["measured", "note"]].stack().str.contains(r"\bnan\b").any()
    assert judge.claims.judge(through_files(data, tmp_path), scale)[0].equals(claims)


def test_known_numbers() -> None:
    """The trained models are the fixed configurations, in which a pair is best below 4r / (2 + 5r), if r < 1."""
    density = CONFIG.sweeps["phase_2in1"].points()["density"]
    ends = [density[density < 4 * r / (2 + 5 * r)].max() for r in (10**-0.05, 0.1)]
    assert numbers()["theory_predicts"] == pytest.approx([0, 1], abs=1e-4)
    assert numbers()["sparsity_necessary"] == pytest.approx([ends[0], ends[0] / ends[1]])
    assert numbers()["crossover_kink"] == pytest.approx([1], rel=1e-3)


def test_disagreement_is_relative_to_chance() -> None:
    """A shuffled trained diagram disagrees with the theoretical one as much as chance does."""
    data = diagrams()
    for figure in FIGURES:
        grid = data[figure]["grid"].copy()
        trained = grid["panel"] == "trained"
        grid.loc[trained, "phase"] = grid.loc[trained, "phase"].sample(frac=1, random_state=0).to_numpy()
        data = data | {figure: data[figure] | {"grid": grid}}
    criteria = judge.claims.judge(data, "paper")[1].query("claim == 'phase.theory_predicts'")
    assert criteria["value"].iloc[0] == pytest.approx(1, abs=0.05)


def test_the_note_says_where_it_jumps() -> None:
    """The note names the ranges in which the transition jumps, 0.1 to 0.56 and near 1, and where it is continuous."""
    note = judged(judge.claims, "first_order", diagrams())["note"]
    assert "0.1 to 0.56 and 0.9 to 0.99" in note
    assert "0.57 to 0.89" in note


def test_largest_jumps() -> None:
    """The largest jumps are those at which ‖W_2‖ passes ½ on the boundary."""
    found = two_in_one.largest_jumps([0.3, 0.7]).set_index("relative_importance")
    known = boundary((0.3, 0.7)).set_index("relative_importance")
    np.testing.assert_allclose(found["density"], known["p_strong"], atol=2e-6)
    for column in ("near", "far"):
        np.testing.assert_allclose(found[column], known["norm_below"] - known["norm_above"], atol=2e-3)


@pytest.mark.parametrize("n", [2, 3])
def test_optimal_loss_of_the_fixed_configurations(n: int) -> None:
    p, r = (axis.flatten() for axis in torch.meshgrid(tensor([0.05, 0.3, 0.6, 1]), tensor([0.1, 1, 7]), indexing="ij"))
    expected = fixed_losses("phase_2in1" if n == 2 else "phase_3in2", p.numpy(), r.numpy()).min(axis=0)
    np.testing.assert_allclose(derivatives.optimal_loss(n, p, r), expected, rtol=1e-12)


def test_global_minima_without_a_bias() -> None:
    """No point of a fine grid is lower."""
    W = torch.cartesian_prod(*[torch.linspace(-1.3, 1.3, 131, dtype=torch.float64)] * 2)
    for row in landscape.global_minima([0.3, 1.0], [1.0, 0.4, 0.1]).itertuples():
        p, r = (torch.full((len(W),), value, dtype=torch.float64) for value in (row.density, row.relative_importance))
        losses = two_in_one.loss(W, p, r)
        nearest = W[losses.argmin()]
        nearest *= 1 if nearest[0] > 0 else -1
        if row.relative_importance < 1:  # equal features may change places
            np.testing.assert_allclose((row.w0, row.w1), nearest, atol=0.02)
        assert two_in_one.loss(tensor([[row.w0, row.w1]]), p[:1], r[:1]) <= losses.min()


@pytest.mark.parametrize(("model", "tolerance"), [((0.9, 0.4, 0.1, 0.2), 1e-9), ((1, -0.8, -0.1, 0.05), 0.02)])
def test_expected_loss_by_quadrature(model: tuple[float, ...], tolerance: float) -> None:
    """It is exact where the ReLU does nothing, and close to the exact loss elsewhere."""
    x, p, r = tensor([model] * 3), tensor([0.1, 0.5, 1]), tensor([0.3, 1, 4])
    found = activations.expected_loss(torch.relu, x, p, r)
    np.testing.assert_allclose(found, two_in_one.loss(x, p, r), rtol=tolerance)


def test_phases_of_other_activations() -> None:
    """The phases of the ReLU are the exact ones; an odd function has no use for opposite features."""
    grid = theoretical()["phase_activations"]["grid"].round(dict.fromkeys(KEYS, 9))
    relu = grid[grid["activation"] == "ReLU"].set_index(KEYS)["phase"]
    p, r = (tensor(relu.index.get_level_values(key).tolist()) for key in KEYS)
    losses = optimum.best_models(
        Model("relu_output", 2, 1), p[:, None].expand(-1, 2), torch.stack([0 * r + 1, r], 1), 7
    )
    shares = measure.phase_shares(losses[0][torch.arange(len(p)), losses[1].argmin(1), None, :2])
    clear = (r != 1).numpy()
    assert (measure.name_phases(shares) == relu)[clear].mean() > 0.98
    odd = grid[(grid["activation"] == "tanh") & (grid["relative_importance"] != 1)]
    assert not (odd["phase"] == "superposition").any()


def test_basins() -> None:
    """Confused and antipodal features share the starts; the basins change places where the global minimum does."""
    rows = surfaces()["loss_surfaces"]["basins"].query("relative_importance == 1").sort_values("density")
    assert rows["reached"].between(0.4, 0.6).all()
    confused = rows["density"] > 0.59
    assert (rows["reached"][confused] > 0.5).all()
    assert (rows["reached"][~confused] <= 0.5).all()
    assert {0.1, 1.0} <= {*rows["density"].round(9)}
    assert (rows["minima"] == 2).all()


# The figures.


def centre(ax: Axes, p: float, r: float) -> np.ndarray:
    """Return the colour or value of the image's pixel at a point."""
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    data = np.asarray(image.get_array())
    assert image.origin == "lower"
    x, y = (np.log10(r) - left) / (right - left) * data.shape[1], (np.log10(p) - bottom) / (top - bottom) * len(data)
    assert (x % 1, y % 1) == pytest.approx((0.5, 0.5), abs=1e-6), "not in the middle of its pixel"
    return data[int(y), int(x)]


@both_figures
@by_scale
def test_the_diagrams(figure: str, scale: str) -> None:
    """Every point of the grid has its colour in each of the four panels, and its share of restarts."""
    grid = diagrams(scale)[figure]["grid"]
    colours = np.array([to_rgb(draw.PHASE_COLOURS[name]) for name in PHASES])
    shuffled = diagrams(scale)[figure] | {"grid": grid.sample(frac=1, random_state=1)}
    drawn = getattr(draw, figure)(shuffled)
    panels = {ax.get_title(): ax for ax in drawn.axes}
    for name, title in PANELS.items():
        some = grid[grid["panel"] == name]
        for row in some.iloc[:: max(1, len(some) // 90)].itertuples():
            expected = np.array([getattr(row, column) for column in PHASES]) @ colours
            np.testing.assert_allclose(centre(panels[title], row.density, row.relative_importance), expected)
        assert len(panels[title].lines) == (3 if figure == "phase_2in1" else 2)
    (basin,) = (ax for title, ax in panels.items() if ax.images and title not in PANELS.values() and title)
    for k, row in enumerate(grid[grid["panel"] == "trained"].iloc[::17].itertuples()):
        assert centre(basin, row.density, row.relative_importance) == row.best_basin, k
    assert basin.images[0].get_clim() == (0, 1)
    assert len(set(draw.PHASE_COLOURS.values())) == 3
    (curves,) = (ax for ax in drawn.axes if not ax.images and ax.get_title())
    assert len(curves.lines) >= (len(measure.RATIOS) if figure == "phase_2in1" else 2)
    legend = " ".join(text.get_text().replace("\n", " ") for ax in drawn.subfigs[1].axes for text in ax.texts)
    assert all(label in legend for label in draw.LABELS.values())
    assert_on_the_page(drawn)
    plt.close(drawn)


def test_best_basin_is_drawn_where_it_is() -> None:
    """The share of restarts is drawn at its own point: every point has another value."""
    data = diagrams("quick")["phase_2in1"]
    grid = data["grid"].copy()
    here = grid["panel"] == "trained"
    grid.loc[here, "best_basin"] = np.arange(here.sum()) / here.sum()
    drawn = draw.phase_2in1(data | {"grid": grid})
    titles = set(PANELS.values())
    (basin,) = (ax for ax in drawn.axes if ax.images and ax.get_title() and ax.get_title() not in titles)
    for row in grid[here].itertuples():
        assert centre(basin, row.density, row.relative_importance) == row.best_basin
    plt.close(drawn)


def test_triangles_are_outlined() -> None:
    """The panel of the optimum outlines the points that are triangles, if there are any."""
    data = diagrams()["phase_3in2"]
    drawn = draw.phase_3in2(data)
    (ax,) = (ax for ax in drawn.axes if ax.get_title() == PANELS["optimum"])
    (outline,) = ax.collections
    corners = 10 ** np.concatenate([path.vertices for path in outline.get_paths()])
    rows = data["grid"].query("panel == 'optimum' and arrangement == 'triangle'")
    for corner, key in zip(corners.T, ("relative_importance", "density"), strict=True):
        assert rows[key].min() / 1.13 < corner.min() < rows[key].min()
        assert rows[key].max() < corner.max() < rows[key].max() * 1.13
    plt.close(drawn)
    for scale in CONFIGS:
        data = diagrams(scale)["phase_3in2"]
        drawn = draw.phase_3in2(data | {"grid": data["grid"].replace("triangle", "1|2-3")})
        assert not any(ax.collections for ax in drawn.axes if ax.get_title() in PANELS.values())
        plt.close(drawn)


def test_norms_and_losses_are_drawn() -> None:
    """One figure has ‖W_2‖ over the density, the other the losses of three equal features over that of dropping one."""
    drawn = draw.phase_2in1(diagrams()["phase_2in1"])
    (ax,) = (ax for ax in drawn.axes if not ax.images and ax.get_title())
    norms = diagrams()["phase_2in1"]["norms"]
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) > 2]
    for (_, rows), line in zip(norms.groupby("relative_importance"), lines, strict=True):
        np.testing.assert_allclose(line, rows[["density", "norm"]])
    plt.close(drawn)
    drawn = draw.phase_3in2(diagrams()["phase_3in2"])
    (ax,) = (ax for ax in drawn.axes if not ax.images and ax.get_title())
    losses = diagrams()["phase_3in2"]["equal_importance"]
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) > 2]
    for kind, line in zip(("triangle", "digon"), lines, strict=True):
        np.testing.assert_allclose(line[:, 1], losses[kind] / losses["dropped"])
    assert any(np.allclose(line.get_xdata(), triangle_digon_crossover(losses)) for line in ax.lines)
    plt.close(drawn)


def places(dots: Any) -> set[tuple[float, ...]]:
    return {tuple(np.round(point, 6) + 0.0) for point in np.ma.getdata(dots.get_offsets())}


def test_the_surfaces() -> None:
    """Minima and their mirror images are marked, without a bias on top and with one below.

    The ends of training are marked below only, and the lowest minimum has a mark of its own.
    """
    data = surfaces()["loss_surfaces"]
    drawn = draw.loss_surfaces(data)
    *panels, _ = drawn.axes
    columns = sorted(SETTINGS, key=lambda setting: (setting[1], -setting[0]))
    for ax, (bias, (p, r)) in zip(panels, itertools.product((False, True), columns), strict=True):
        marks: dict[int, set[tuple[float, ...]]] = {}  # by the number of corners
        for dots in ax.collections:
            if len(dots.get_offsets()) and len(places(dots) - {(0.0, 0.0)}):
                marks.setdefault(len(dots.get_paths()[0].vertices), set()).update(places(dots))
        here = f"density == {p} and relative_importance == {r}"
        minima, ends = data["minima"].query(f"{here} and bias == {bias}"), data["trained"].query(here)
        expected = [
            {tuple(np.round(sign * w, 6) + 0.0) for w in rows[["w0", "w1"]].to_numpy() for sign in (1, -1)}
            for rows in (minima[:1], minima[1:], ends if bias else ends[:0])
        ]
        assert sorted(map(sorted, marks.values())) == sorted(sorted(part) for part in expected if part)
        for part in expected:
            assert all(np.abs(point).max() <= ax.get_xlim()[1] == -ax.get_xlim()[0] for point in part)
    assert_on_the_page(drawn)
    plt.close(drawn)


def test_contours_are_of_the_right_loss() -> None:
    """Another loss without a bias changes the upper row only, and one with the best bias the lower row."""

    def contours(surface: pd.DataFrame) -> list[np.ndarray]:
        drawn = draw.loss_surfaces(data | {"surface": surface})
        paths = [[path.vertices for dots in ax.collections for path in dots.get_paths()] for ax in drawn.axes[:8]]
        plt.close(drawn)
        return [np.concatenate(part) for part in paths]

    data = surfaces()["loss_surfaces"]
    surface = data["surface"].sample(frac=1, random_state=0)
    before = contours(surface)
    for column, row in (("no_bias", range(4)), ("best_bias", range(4, 8))):
        after = contours(surface.assign(**{column: surface[column] * (1 + 0.3 * surface["w0"] ** 2)}))
        assert [k for k in range(8) if not np.array_equal(before[k], after[k])] == list(row)


def test_the_phases_of_activations() -> None:
    grid = theoretical()["phase_activations"]["grid"]
    drawn = draw.phase_activations({"grid": grid.sample(frac=1, random_state=0).sort_values("activation")})
    colours = np.array([to_rgb(draw.PHASE_COLOURS[name]) for name in PHASES])
    panels = {ax.get_title(): ax for ax in drawn.axes}
    for row in grid.iloc[::7].itertuples():
        expected = np.array([getattr(row, column) for column in PHASES]) @ colours
        np.testing.assert_allclose(centre(panels[row.activation], row.density, row.relative_importance), expected)
    assert_on_the_page(drawn)
    plt.close(drawn)


def test_the_derivatives() -> None:
    """Along the line r = 2 of three features, the slope jumps by a third at 4/7."""
    drawn = draw.phase_kinks(theoretical()["phase_kinks"])
    _, _, ax, _ = drawn.axes
    x, y = ax.lines[2].get_xydata().T
    jump = np.diff(y).argmin()
    assert x[jump] <= 4 / 7 <= x[jump + 1]
    assert y[jump] - y[jump + 1] == pytest.approx(1 / 3, abs=0.01)
    assert_on_the_page(drawn)
    plt.close(drawn)

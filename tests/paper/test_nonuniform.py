"""Non-uniform superposition: kinds of solution, tables from weights, the claims about them, and the figures.

The models are made by hand.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import in_ci
from tests.paper import synthetic
from tests.paper.synthetic import animated_twice, at, changed, drawn, through_files
from tests.real import QUICK

from superposition.core.weights import SweepResult
from superposition.paper.nonuniform import TWO_DIGONS, draw, judge, measure
from superposition.pipeline.judging.claims import Tables

FIGURES = ("pentagon_solutions", "pentagon_loss")
SWEEP = QUICK.sweeps["pentagon"].model_copy(update={"restarts": 4})
RATIOS = SWEEP.points()["relative_density"].tolist()  # a tenth to ten, nine of them
SNAP = 0.25  # below it, the best models made here are two digons
NORM, BIAS = 1.1345, -0.2462  # of the pentagon at the density of the sweep, 0.05
turns = st.tuples(st.floats(0, 2 * math.pi), st.sampled_from([1.0, -1.0]), st.permutations([1, 2, 3, 4]))


def pentagon(angle: float = 72.0, norm: float | Sequence[float] = 1.0) -> np.ndarray:
    """Return a pentagon whose neighbours of the varied feature are at an angle to it; the far features stay."""
    return at(0, angle, 144, -144, -angle, norm=norm)


def digons(varied: float = 0.0, direction: float = 0.0) -> np.ndarray:
    return np.concatenate([varied * at(direction), at(0, 90, 180, 270)], axis=1)


def turned(W: np.ndarray, turn: float, mirror: float, order: Sequence[int] = (1, 2, 3, 4)) -> np.ndarray:
    """Rotate and reflect W, and reorder the features other than the varied one."""
    return synthetic.turned(W, turn, mirror, [0, *order])


def residual(W: np.ndarray, exact: np.ndarray) -> float:
    """Return the difference of Gram matrices, for arrangements so near that the features have the same order."""
    gram, expected = (W.T @ W * W.shape[1] / (W**2).sum(), exact.T @ exact * W.shape[1] / (exact**2).sum())
    return float(np.linalg.norm(gram - expected) / np.linalg.norm(expected))


def angle_at(ratio: float) -> float:
    return 72 + 6 * math.log10(ratio)


def models(kinds: Callable[[float], str] = lambda ratio: "two digons" if ratio < SNAP else "pentagon") -> SweepResult:
    """Return models of which the best one, at another restart for every point, is of the given kind.

    The others are of the other kind, and noise.
    """
    rng, shape = np.random.default_rng(0), (len(RATIOS), SWEEP.restarts)
    W, b, loss = rng.normal(size=(*shape, 2, 5)) * 0.1, np.zeros((*shape, 5)), np.full(shape, 0.9)
    for point, ratio in enumerate(RATIOS):
        solutions = {"pentagon": (pentagon(angle_at(ratio), NORM), BIAS), "two digons": (digons(), 0.0)}
        first = kinds(ratio)
        chosen = [first] if first not in solutions else [first, *(solutions.keys() - {first})]
        for place, name in enumerate(chosen):
            k = (1 + point + place) % SWEEP.restarts
            order = [1, *(2 + rng.permutation(3))] if name == "pentagon" else 1 + rng.permutation(4)
            if name in solutions:
                W[point, k] = turned(solutions[name][0], rng.uniform(0, 6), (-1) ** point, order)
                b[point, k] = solutions[name][1]
            loss[point, k] = 0.003 + 0.002 * ratio + 0.01 * place
    parameters = {"W": torch.from_numpy(W).float(), "b": torch.from_numpy(b).float()}
    losses = torch.from_numpy(loss)
    return SweepResult(SWEEP, parameters, losses, losses / 100)


def by_importance() -> SweepResult:
    """Return the same models, as if importance varied."""
    sweep = QUICK.sweeps["pentagon_importance"].model_copy(update={"restarts": SWEEP.restarts})
    return dataclasses.replace(models(), sweep=sweep)


def restarts() -> dict[str, SweepResult]:
    """Return fits of which half miss the best loss in two dimensions, and none in three."""
    found = {}
    for name, factor in (("polytopes_2_5", 1.02), ("polytopes_3_5", 1.005)):
        sweep = QUICK.sweeps[name]
        loss = torch.ones(sweep.size, sweep.restarts, dtype=torch.float64)
        loss[:, ::2] = factor
        found[name] = SweepResult(sweep, {}, loss, loss)
    return found


@functools.cache
def table_of(figure: str) -> dict[str, pd.DataFrame]:
    """Measure a figure with a precise loss that is taken at few points."""
    trained = {"pentagon": models(), "pentagon_importance": by_importance(), **restarts()}
    with synthetic.few_samples(2**8, seeds=2), mock.patch.object(measure, "CROSSOVER_DENSITIES", (0.05, 0.1)):
        return getattr(measure, figure)(trained)


def ideal() -> Tables:
    return {figure: table_of(figure) for figure in FIGURES}


# Kinds.


@given(turns, st.floats(37, 107), st.floats(0.75, 1.5))
def test_pentagons(how: tuple, angle: float, norm: float) -> None:
    """A stretched pentagon is a pentagon in any orientation."""
    assert measure.classify_solution(turned(pentagon(angle, norm), *how)) == "pentagon"


@given(turns, st.floats(0, 0.7), st.floats(0, 360))
def test_two_digons(how: tuple, varied: float, direction: float) -> None:
    """A square of the other features is two digons, even if the varied feature has a short column."""
    assert measure.classify_solution(turned(digons(varied, direction), *how)) == "two digons"


@given(turns, st.integers(1, 4))
def test_digons_without_another_feature(how: tuple, dropped: int) -> None:
    """A square that includes the varied feature is not two digons."""
    W = np.insert(at(0, 90, 180, 270), dropped, 0.0, axis=1)
    assert measure.classify_solution(turned(W, *how)) == "other"


@pytest.mark.parametrize(
    ("angle", "expected"), [(35.9, "other"), (36.1, "pentagon"), (107.9, "pentagon"), (108.1, "other")]
)
def test_gaps_of_a_pentagon(angle: float, expected: str) -> None:
    """The widest and the narrowest gap may differ from 72° by half of it."""
    assert measure.classify_solution(turned(pentagon(angle), 2.0, -1)) == expected


def test_the_gap_across_the_branch_cut_counts() -> None:
    """The gap between the last angle and the first counts like the others."""
    W = at(0, 72, 30, 102, 50)  # five in a fan
    assert measure.classify_solution(W) == "other"
    for gap, expected in ((107, "pentagon"), (109, "other")):
        side = (360 - gap) / 4
        for turn in np.arange(0, 360, 30):
            assert measure.classify_solution(at(*(turn + side * np.arange(5)))) == expected


@pytest.mark.parametrize("feature", range(5))
def test_what_is_represented_in_a_pentagon(feature: int) -> None:
    """Without a feature, whose ‖W_i‖² is below 1/2, a pentagon is neither a pentagon nor two digons."""
    for norm, expected in ((0.71, "pentagon"), (0.70, "other")):
        assert measure.classify_solution(pentagon(norm=np.where(np.arange(5) == feature, norm, 1.0))) == expected


@pytest.mark.parametrize(("norm", "expected"), [(0.70, "two digons"), (0.71, "other")])
def test_what_is_represented_beside_two_digons(norm: float, expected: str) -> None:
    """A varied feature that shares a corner of the square is represented from ‖W_1‖² = 1/2 on."""
    assert measure.classify_solution(digons(norm)) == expected


@pytest.mark.parametrize("corner", range(1, 5))
def test_how_square_digons_are(corner: int) -> None:
    """Two digons are recognised up to the same residual as any polytope."""
    found = set()
    for degrees in np.linspace(0, 40, 81):
        W = digons()
        W[:, corner] = at(90 * (corner - 1) + degrees)[:, 0]
        alike = residual(W[:, 1:], at(0, 90, 180, 270)) <= 0.18
        assert (measure.classify_solution(turned(W, 1.0, -1, (3, 1, 4, 2))) == "two digons") == alike
        found.add(alike)
    assert found == {True, False}


@pytest.mark.parametrize(
    "W", [np.zeros((2, 5)), np.full((2, 5), np.nan), at(*[0] * 5), at(0, 0, 90, 180, 270), 0.1 * pentagon()]
)
def test_others(W: np.ndarray) -> None:
    """Zeros, NaN, a single direction and a square with a double corner are no solutions."""
    assert measure.classify_solution(W) == "other"


# The shape.


@given(turns, st.floats(50, 90))
def test_shape(how: tuple, angle: float) -> None:
    """Norms, biases and angles are those of the right features, in any orientation and order."""
    W = turned(pentagon(angle, [1.3, 1.1, 0.9, 0.8, 1.0]), *how)
    b = np.array([-0.1, -0.2, -0.3, -0.5, -0.4])[[0, *how[2]]]
    expected = {"norm_varied": 1.3, "norm_near": 1.05, "norm_far": 0.85, "angle": angle}
    expected |= {"bias_varied": -0.1, "bias_near": -0.3, "bias_far": -0.4}
    assert measure.describe_shape(W, b) == pytest.approx(expected)


@given(turns, st.floats(-10, 10))
def test_the_angle_is_the_mean_of_both_sides(how: tuple, skew: float) -> None:
    """The angle to the neighbours does not change if the varied feature leans to one side."""
    W = turned(at(skew, 72, 144, -144, -72), *how)
    assert measure.describe_shape(W, np.zeros(5))["angle"] == pytest.approx(72)


def test_shape_of_a_dropped_feature() -> None:
    """A column of zeros has a norm of 0 and a finite angle."""
    shape = measure.describe_shape(digons(), np.zeros(5))
    assert np.isfinite([*shape.values()]).all()
    assert (shape["norm_varied"], shape["norm_near"], shape["norm_far"]) == pytest.approx((0, 1, 1))


# Tables.


def test_solutions() -> None:
    """The best fit is in canonical orientation: the varied feature points up, or is at 0 within a square."""
    table, trained = table_of("pentagon_solutions")["solutions"], models()
    assert table.groupby("relative_density")["feature"].apply(list).tolist() == [[0, 1, 2, 3, 4]] * len(RATIOS)
    for point, (ratio, rows) in enumerate(table.groupby("relative_density")):
        name = "two digons" if ratio < SNAP else "pentagon"
        assert (rows["kind"] == name).all()
        assert (rows["loss"] == trained.loss[point].min().item()).all()
        assert rows["loss"].iloc[0] == pytest.approx(0.003 + 0.002 * ratio)
        W = rows[["w0", "w1"]].to_numpy().T
        if name == "two digons":
            np.testing.assert_allclose(W, TWO_DIGONS, atol=1e-6)
            assert rows["norm_varied"].iloc[0] == pytest.approx(0, abs=1e-6)
        else:
            # Both neighbours are as far off, so nothing turns the varied feature away from the top.
            step = angle_at(ratio)
            angle = np.degrees(np.unwrap(np.arctan2(W[1], W[0])))
            np.testing.assert_allclose(np.abs(angle - 90), [0, step, 144, 216, 360 - step], atol=1e-3)
            np.testing.assert_allclose(np.linalg.norm(W, axis=0), NORM, rtol=1e-6)
            assert rows["angle"].iloc[0] == pytest.approx(step, abs=1e-3)
            assert rows["bias_far"].iloc[0] == pytest.approx(BIAS)


def test_fits() -> None:
    """Every restart of every point has its own loss and kind."""
    table, trained = table_of("pentagon_loss")["fits"], models()
    assert table["relative_density"].tolist() == list(np.repeat(RATIOS, SWEEP.restarts))
    np.testing.assert_array_equal(table["loss"], trained.loss.numpy().ravel())
    counts = table.groupby("relative_density")["kind"].value_counts().unstack()
    assert (counts[["other", "pentagon", "two digons"]] == [2, 1, 1]).all().all()
    best = table.loc[table.groupby("relative_density")["loss"].idxmin()].set_index("relative_density")["kind"]
    assert best.tolist() == ["two digons" if ratio < SNAP else "pentagon" for ratio in RATIOS]


def test_branches() -> None:
    """Both branches have the losses and shapes that are known for two digons and for the pentagon."""
    table = table_of("pentagon_loss")["branches"]
    assert not table.duplicated(["kind", "relative_density"]).any()
    branch = {name: rows.set_index("relative_density") for name, rows in table.groupby("kind")}
    assert {*branch} == {"pentagon", "two digons"}
    assert branch["pentagon"].index.is_monotonic_increasing
    assert {1.0, 10.0} <= {*branch["pentagon"].index}, "in both directions"
    assert 0.1 in branch["two digons"].index
    # Of two features opposite to each other with b = 0, both lose the smaller value when both are on: 2 E[min²] = 1/3.
    off = 0.05 * branch["two digons"].index.to_numpy()
    expected = 2 * 0.05**2 / 3 + off / 3 - off**2 / 4
    np.testing.assert_allclose(branch["two digons"]["loss"], expected, rtol=0.01)
    equal = table_of("pentagon_solutions")["equal"].set_index("density").loc[0.05]
    shape = branch["pentagon"].loc[1.0]
    assert [shape["norm_varied"], shape["norm_near"], shape["norm_far"]] == pytest.approx([equal["norm"]] * 3, rel=0.02)
    assert [shape["bias_varied"], shape["bias_near"], shape["bias_far"]] == pytest.approx([equal["bias"]] * 3, rel=0.05)
    assert shape["angle"] == pytest.approx(72, abs=0.5)


@pytest.mark.integration
@pytest.mark.parametrize("kept", ["two digons", "pentagon", "nothing"])
def test_branches_without_a_kind(kept: str) -> None:
    """A kind that no fit is of has no branch, unless the search finds a minimum of that kind."""
    trained, solution = models(), {"two digons": digons(), "pentagon": NORM * pentagon(), "nothing": np.zeros((2, 5))}
    W = torch.from_numpy(solution[kept]).float().expand_as(trained.parameters["W"])
    with synthetic.few_samples(2**6):
        table = measure.trace_branches(dataclasses.replace(trained, parameters=trained.parameters | {"W": W}))
    assert {*table["kind"]} <= {"pentagon", "two digons"}
    if kept == "two digons":
        assert {*table["kind"]} == {kept}, "at equal densities, two digons are a minimum of their own"
    rows = table.merge(table_of("pentagon_loss")["branches"], on=["kind", "relative_density"], suffixes=("", "_known"))
    np.testing.assert_allclose(rows["loss"], rows["loss_known"], rtol=0.02)


def test_crossovers() -> None:
    """The crossover is where both branches have the same loss."""
    table = table_of("pentagon_loss")["crossovers"].set_index("density")
    assert table.index.tolist() == [0.05, 0.1]
    loss = table_of("pentagon_loss")["branches"].pivot(index="relative_density", columns="kind", values="loss").dropna()
    gap = loss["two digons"] - loss["pentagon"]
    assert table["crossover"].loc[0.05] == pytest.approx(np.interp(0, gap, gap.index), rel=0.05)
    assert table["crossover"].is_monotonic_increasing
    assert ((table["error"] > 0) & (table["error"] < 0.01)).all(), "two seeds are not the same points"


def test_a_crossing_of_other_kinds_is_no_crossover() -> None:
    """If a search leaves the pentagon or two digons, there is no crossover at its density."""
    kinds = {0.05: (pentagon(), digons()), 0.1: (pentagon(), pentagon()), 0.2: (digons(), digons())}
    W, b = torch.from_numpy(np.array([*kinds.values()])), torch.zeros(len(kinds), 2, 5, dtype=torch.float64)
    found = torch.full((len(kinds),), 0.3, dtype=torch.float64), W, b
    with (
        synthetic.few_samples(2**6, seeds=1),
        mock.patch.object(measure, "CROSSOVER_DENSITIES", tuple(kinds)),
        mock.patch.object(measure.branches, "crossing", return_value=found),
        mock.patch.object(measure, "trace_branches"),
    ):
        table = measure.pentagon_loss({"pentagon": models()} | restarts())["crossovers"]
    np.testing.assert_array_equal(table["crossover"], [0.3, np.nan, np.nan])


def sparse_loss(k: int, norm: float, bias: float) -> float:
    """Return the loss over 1-S of a k-gon with one active feature, by the midpoint rule."""
    x = (np.arange(20_000) + 0.5) / 20_000
    seen = norm**2 * np.cos(2 * np.pi * np.arange(k) / k)[:, None] * x
    wanted = (np.arange(k) == 0)[:, None] * x
    return k * float(((wanted - np.maximum(seen + bias, 0)) ** 2).sum(0).mean())


def test_limits() -> None:
    """The limits that the report shows are optima of the loss as 1-S → 0."""
    table = table_of("pentagon_solutions")["limits"]
    assert table["features"].tolist() == [5, 6, 7, 8]
    for row in table.itertuples():
        k = int(row.features)
        assert row.loss == pytest.approx(sparse_loss(k, row.norm, row.bias), rel=1e-6)
        for step in (1e-3, -1e-3):
            assert sparse_loss(k, row.norm + step, row.bias) > row.loss
            assert sparse_loss(k, row.norm, row.bias + step) > row.loss
    shown = table_of("pentagon_solutions")["numbers"]
    assert shown.iloc[0].tolist() == ["5", "1.17045964", "-0.28229728", "0.07912814", "0.7799"]


def test_equal() -> None:
    """The pentagon of equal features approaches its limit; beside it is the norm by the limit's condition."""
    data = table_of("pentagon_solutions")
    table, limit = data["equal"], data["limits"].iloc[0]
    assert table["density"].tolist() == sorted(measure.EQUAL_DENSITIES)
    assert (np.diff(np.abs(table["norm"] - limit["norm"])) > 0).all()
    assert table["norm"].iloc[0] == pytest.approx(limit["norm"], rel=1e-3)
    # The norm of the limit's condition is the best one at that bias.
    for row in table.itertuples():
        at_bias = [sparse_loss(5, row.limit + step, row.bias) for step in (-1e-3, 0, 1e-3)]
        assert at_bias[1] == min(at_bias)


# Other tables.


def test_slopes() -> None:
    """Slopes agree with differences of the branches' losses near the crossing, and norms are those of both kinds."""
    crossing = table_of("pentagon_loss")["crossovers"].set_index("density").loc[0.05]
    for name, short in (("pentagon", "pentagon"), ("two digons", "digons")):
        branch = table_of("pentagon_loss")["branches"].query(f"kind == '{name}'")
        log = np.log(branch[["relative_density", "loss"]].to_numpy()).T
        slope = np.interp(
            np.log(crossing["crossover"]), (log[0][1:] + log[0][:-1]) / 2, np.diff(log[1]) / np.diff(log[0])
        )
        assert crossing[f"slope_{short}"] == pytest.approx(slope, rel=0.05)
    assert crossing["norm_pentagon"] == pytest.approx(1.1, abs=0.1)
    assert crossing["norm_digons"] == pytest.approx(0, abs=1e-3)


def test_interference() -> None:
    """Each corner of a regular pentagon receives 2 cos 72°; expected interference is weighted by relative densities."""
    rows = table_of("pentagon_solutions")["interference"]
    equal = rows[rows["relative_density"] == 1].set_index("feature")
    np.testing.assert_allclose(
        equal[["interference", "expected_interference"]], 2 * NORM * np.cos(0.4 * np.pi), rtol=1e-4
    )
    np.testing.assert_allclose(equal["negative_bias"], -BIAS, rtol=1e-5)
    dense = rows[rows["relative_density"] > 9].set_index("feature")
    near = np.radians([angle_at(10), 144 - angle_at(10)])
    expected = NORM * np.cos(near) @ [10, 1]
    np.testing.assert_allclose(dense["expected_interference"][[1, 4]], expected, rtol=1e-4)


def test_missed_fits() -> None:
    """The share of missed fits counts those more than 1 % above the best."""
    restarts = table_of("pentagon_loss")["restarts"]
    assert restarts.groupby("m")["missed"].unique().map(list).to_dict() == {2: [0.5], 3: [0.0]}


def test_models_by_importance() -> None:
    by_importance = (
        table_of("pentagon_solutions")["importance"].query("feature == 0").set_index("relative_importance")["kind"]
    )
    assert by_importance.tolist() == ["two digons" if ratio < SNAP else "pentagon" for ratio in RATIOS]


def test_equal_losses() -> None:
    """The pentagon's loss is the branch's at equal densities; two digons drop a feature."""
    equal = table_of("pentagon_solutions")["equal"].set_index("density").loc[0.05]
    branches_at_one = table_of("pentagon_loss")["branches"].query("relative_density == 1").set_index("kind")["loss"]
    assert equal["loss"] == pytest.approx(branches_at_one["pentagon"], rel=0.01)
    assert equal["digons_loss"] == pytest.approx(branches_at_one["two digons"], rel=0.01)


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_claims_survive_the_way_through_files(scale: str, tmp_path: Path) -> None:
    claims = judge.claims.judge(ideal(), scale)[0]
    assert "error" not in {*claims["verdict"]}
    assert judge.claims.judge(through_files(ideal(), tmp_path), scale)[0].equals(claims)


def test_where_the_pentagon_snaps() -> None:
    """No fit of models that snap once is out of place; between a pentagon below the snap and it, all digons are."""
    (claim,) = judge.claims.find(["nonuniform.snap"])
    digons = [ratio for ratio in RATIOS if ratio < SNAP]
    found = claim.judge(ideal())
    assert [about.value for about in found.statement] == [0, pytest.approx(0, abs=1e-6)]
    assert found.finding.text == (
        f"two digons up to relative density {digons[-1]:.3g}, a pentagon from {RATIOS[len(digons)]:.3g}"
    )
    tables = ideal()["pentagon_solutions"]
    kind = tables["solutions"]["kind"].mask(tables["solutions"]["relative_density"] == digons[0], "pentagon")
    twice = {"pentagon_solutions": tables | {"solutions": tables["solutions"].assign(kind=kind)}}
    assert claim.judge(twice).statement[0].value == len(digons) - 1


def test_steps_of_solutions() -> None:
    """The largest step of WᵀW between two pentagons is compared with that from two digons to the first pentagon."""
    shapes = [TWO_DIGONS if ratio < SNAP else pentagon(angle_at(ratio), NORM) for ratio in RATIOS]
    grams = np.stack([W.T @ W for W in shapes])
    steps = np.linalg.norm(np.diff(grams, axis=0), axis=(1, 2)) / np.linalg.norm(grams[:-1], axis=(1, 2))
    snap = sum(ratio < SNAP for ratio in RATIOS) - 1
    (claim,) = judge.claims.find(["nonuniform.importance_deforms"])
    values = [about.value for about in claim.judge(ideal()).statement]
    np.testing.assert_allclose(values, np.delete(steps, snap).max() / steps[snap], rtol=1e-4)


# The figures.


@pytest.mark.integration
def test_the_animation_is_the_same_every_time(tmp_path: Path) -> None:
    assert animated_twice(draw, "pentagon_solutions", ideal(), tmp_path) == len(RATIOS)


def test_solutions_are_drawn() -> None:
    """Features, outlines, the ring around the varied feature and the angles are those of the table."""
    drawn = draw.pentagon_solutions(table_of("pentagon_solutions"))
    rows = table_of("pentagon_solutions")["solutions"]
    for ax, name, corners in zip(drawn.axes, ("pentagon", "two digons"), (5, 4), strict=False):
        here = rows[rows["kind"] == name]
        np.testing.assert_allclose(ax.collections[0].get_offsets(), here[["w0", "w1"]])
        varied = here.query("feature == 0")[["w0", "w1"]].mean()
        np.testing.assert_allclose(ax.collections[1].get_offsets()[0], varied)
        assert len(ax.lines) == here["relative_density"].nunique()
        assert all(len(line.get_xdata()) == corners + 1 for line in ax.lines)
    angle = drawn.axes[2].lines[0]
    np.testing.assert_allclose(angle.get_xdata(), [ratio for ratio in RATIOS if ratio > SNAP])
    np.testing.assert_allclose(angle.get_ydata(), [angle_at(ratio) for ratio in RATIOS if ratio > SNAP], atol=1e-3)
    plt.close(drawn)


def test_losses_are_drawn() -> None:
    """Fits and branches are divided by Σ_i (1-S_i), and lines mark the crossover and that of the paper."""
    data = table_of("pentagon_loss")
    drawn = draw.pentagon_loss(data)
    fits, crossing, by_density = drawn.axes
    shown = np.concatenate([dots.get_offsets() for dots in fits.collections])
    assert len(shown) == len(data["fits"])
    ratio = data["fits"]["relative_density"]
    expected = np.stack([ratio, data["fits"]["loss"] / (0.05 * (4 + ratio))], axis=1)
    np.testing.assert_allclose(shown[np.lexsort(shown.T)], expected[np.lexsort(expected.T)])
    exact = data["crossovers"].set_index("density")["crossover"].loc[0.05]
    for ax in (fits, crossing):
        assert {line.get_xdata()[0] for line in ax.lines if len({*line.get_xdata()}) == 1} == {exact, 0.4}
    np.testing.assert_allclose(by_density.lines[0].get_xydata(), data["crossovers"][["density", "crossover"]])
    plt.close(drawn)


KINDS = ("other", "two digons", "pentagon", "pentagon and two digons")


@pytest.mark.parametrize("kind", in_ci(KINDS, "pentagon and two digons"))
def test_drawn_without_a_kind(kind: str, tmp_path: Path) -> None:
    """The figures are drawn even if no fit is of some kind."""
    gone = kind.split(" and ")
    data = table_of("pentagon_loss")
    without = {"fits": data["fits"][~data["fits"]["kind"].isin(gone)], "crossovers": data["crossovers"]}
    rows = data["branches"][~data["branches"]["kind"].isin(gone)]
    without["branches"] = rows if len(rows) else data["branches"]
    assert "</svg>" in drawn(draw, "pentagon_loss", {"pentagon_loss": without}, tmp_path)
    solutions = table_of("pentagon_solutions")["solutions"]
    solutions = solutions.assign(kind=solutions["kind"].where(~solutions["kind"].isin(gone), "other"))
    data = {"pentagon_solutions": table_of("pentagon_solutions") | {"solutions": solutions}}
    assert "</svg>" in drawn(draw, "pentagon_solutions", data, tmp_path)


def test_drawn_without_a_crossover(tmp_path: Path) -> None:
    data = changed(ideal(), "pentagon_loss", "crossovers", "density > 0", crossover=np.nan, error=np.nan)
    assert "</svg>" in drawn(draw, "pentagon_loss", data, tmp_path)

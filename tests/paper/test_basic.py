"""From the linear model to superposition: every clause of every criterion can be met, and can fail."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from tests.paper.synthetic import changed, drawn_twice, judged, packed, through_files, verdict
from tests.real import CONFIG

from superposition.paper.basic import draw, judge, measure
from superposition.pipeline.claims import Tables
from superposition.plotting import style

FIGURES = ("basic_small", "basic_large")
DENSITIES = CONFIG.sweeps["basic_small"].density
RISING = [5, 6, 10, 20, 20, 20, 20]  # as the paper has it, of 20 features in 5 dimensions

both_sizes = pytest.mark.parametrize("figure", FIGURES)


@functools.cache
def tables(small: tuple[int, ...], large: tuple[int, ...], recipe: int = 20) -> Tables:
    """Of models that represent so many features, from dense to sparse; ``recipe``: those of the notebook's model."""
    counts: Mapping[str, Mapping[float, int] | int] = {
        "basic_small_linear": 5,
        "basic_small": dict(zip(DENSITIES, small, strict=True)),
        "basic_small_notebook": recipe,
        "basic_large_linear": 20,
        "basic_large": dict(zip(DENSITIES, large, strict=True)),
    }
    models = {name: packed(name, represented) for name, represented in counts.items()}
    return {f: getattr(measure, f)({k: models[k] for k in CONFIG.figures[f].experiments}) for f in FIGURES}


def counted(small: list[int], large: list[int] | None = None, recipe: int = 20) -> Tables:
    return tables(tuple(small), tuple(large or (4 * k for k in small)), recipe)


def ideal() -> Tables:
    return counted(RISING)


def holds(name: str, data: Tables) -> bool:
    """For a claim that is either reproduced or not."""
    found = verdict(judge.claims, name, data)
    assert found in ("reproduced", "not reproduced")
    return found == "reproduced"


def here(figure: str, density: float, kind: str = "", rows: str = "") -> str:
    return f"experiment == '{figure}{kind}' and density == {density}" + (f" and {rows}" if rows else "")


def test_all_claims_hold_for_the_ideal_models(tmp_path: Path) -> None:
    """And survive the way through files, where densities are compared for equality."""
    claims = judge.claims.table(ideal(), "paper")
    assert claims["verdict"].tolist() == ["reproduced"] * len(judge.claims.items)
    assert not claims["measured"].str.contains("nan").any()
    assert judge.claims.table(through_files(ideal(), tmp_path), "paper").equals(claims)


def test_the_tables_hold_all_experiments_of_the_figure() -> None:
    sizes = {"basic_small_linear": 7, "basic_small": 7, "basic_small_notebook": 1}
    for table, per_model in {"models": 1, "features": 20, "pairs": 400}.items():
        rows = ideal()["basic_small"][table]
        assert rows["experiment"].value_counts().to_dict() == {k: v * per_model for k, v in sizes.items()}
        assert rows.index.is_unique


# linear_is_pca


@both_sizes
@pytest.mark.parametrize("density", [1, 0.03, 0.001])
@pytest.mark.parametrize("entry", ["i == j and i == 0", "i == 1 and j == 0", "i == j and j == {n} - 1"])
def test_linear_is_pca_in_every_entry(figure: str, density: float, entry: str) -> None:
    """On the diagonal of what is represented, of what is not, and beside it; at every density."""
    where = here(figure, density, "_linear", entry.format(n=CONFIG.sweeps[figure].n))
    for step, fine in ((0.099, True), (0.101, False), (-0.099, True), (-0.101, False)):
        moved = changed(ideal(), figure, "pairs", where, dot=lambda rows, step=step: rows["dot"] + step)
        assert holds("linear_is_pca", moved) == fine


@both_sizes
@pytest.mark.parametrize(("factor", "fine"), [(1.009, True), (1.011, False), (0.991, True), (0.989, False)])
def test_linear_is_pca_in_the_loss(figure: str, factor: float, fine: bool) -> None:
    where = here(figure, 0.003, "_linear")
    moved = changed(ideal(), figure, "models", where, loss=lambda rows: rows["linear_optimum"] * factor)
    assert holds("linear_is_pca", moved) == fine


@both_sizes
def test_linear_is_pca_wants_the_most_important(figure: str) -> None:
    """m features with a dimension each, but others."""
    where = f"experiment == '{figure}_linear' and i == j and i <= {CONFIG.sweeps[figure].m}"
    moved = changed(ideal(), figure, "pairs", where, dot=lambda rows: 1.0 * (rows["i"] > 0))
    assert not holds("linear_is_pca", moved)


@both_sizes
def test_linear_claims_are_of_the_linear_models(figure: str) -> None:
    noisy = changed(ideal(), figure, "pairs", f"experiment == '{figure}'", dot=7.0)
    noisy = changed(noisy, figure, "models", f"experiment == '{figure}'", loss=7.0)
    assert holds("linear_is_pca", noisy)


# bias


@both_sizes
@pytest.mark.parametrize(("kind", "density"), [("_linear", 1), ("_linear", 0.1), ("_linear", 0.001), ("", 1)])
@pytest.mark.parametrize("represented", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
def test_bias(figure: str, kind: str, density: float, represented: bool, sign: int) -> None:
    """In every linear model and the dense ReLU model, of what is represented and of what is not; on average."""
    sweep = CONFIG.sweeps[figure]
    rows = "feature < {m}" if represented else "feature >= {m}"
    where = here(figure, density, kind, rows.format(m=sweep.m))
    for step, fine in ((0.099, True), (0.101, False)):

        def moved(rows: pd.DataFrame, step: float = step) -> pd.Series:
            return rows["bias"] + sign * step * density / 2

        assert holds("bias", changed(ideal(), figure, "features", where, bias=moved)) == fine
    one = where + f" and feature == {sweep.m - 1 if represented else sweep.m}"
    single = changed(ideal(), figure, "features", one, bias=lambda rows: rows["bias"] + sign * 0.1 * density)
    assert holds("bias", single), "one feature that is off by 0.2 E[x_i] counts for its share"


@both_sizes
def test_bias_of_other_models_does_not_count(figure: str) -> None:
    noisy = changed(ideal(), figure, "features", f"experiment == '{figure}' and density < 1", bias=7.0)
    assert holds("bias", noisy)


@both_sizes
@pytest.mark.parametrize("norm", [0.0, 1.0])
def test_bias_needs_features_of_both_kinds(figure: str, norm: float) -> None:
    """Of models in which nothing is represented, or nothing is missing, half of the claim was not measured."""

    def right(rows: pd.DataFrame) -> pd.Series:
        return (1 - norm) * rows["feature_density"] / 2

    assert not holds("bias", changed(ideal(), figure, "features", "feature >= 0", norm=norm, bias=right))


# dense_relu_is_linear


@both_sizes
@pytest.mark.parametrize(
    ("kind", "entry"), [("", "i == 0 and j == 0"), ("", "i == 0 and j == 9"), ("_linear", "i == 7 and j == 7")]
)
@pytest.mark.parametrize(("step", "fine"), [(0.099, True), (0.101, False), (-0.099, True), (-0.101, False)])
def test_dense_relu_has_the_same_gram(figure: str, kind: str, entry: str, step: float, fine: bool) -> None:
    where = here(figure, 1, kind, entry)
    moved = changed(ideal(), figure, "pairs", where, dot=lambda rows: rows["dot"] + step)
    assert holds("dense_relu_is_linear", moved) == fine


@both_sizes
@pytest.mark.parametrize(("factor", "fine"), [(1.009, True), (1.011, False), (0.991, True), (0.989, False)])
def test_dense_relu_has_the_same_loss(figure: str, factor: float, fine: bool) -> None:
    moved = changed(ideal(), figure, "models", here(figure, 1), loss=lambda rows: rows["linear_optimum"] * factor)
    assert holds("dense_relu_is_linear", moved) == fine


# more_features_with_sparsity


@pytest.mark.parametrize(
    ("small", "large", "recipe", "expected"),
    [
        (RISING, None, 20, "reproduced"),
        ([5, 6, 7, 9, 12, 15, 20], [20, 24, 30, 38, 50, 64, 80], 12, "reproduced"),
        ([11, 11, 12, 13, 14, 15, 20], None, 20, "reproduced"),  # it need not grow twofold to end at n
        ([5, 6, 9, 8, 12, 20, 20], [20, 24, 40, 80, 80, 80, 80], 20, "not reproduced"),
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 44, 51, 60, 66], 12, "corrected"),
        ([5, 7, 9, 11, 12, 12, 19], None, 19, "corrected"),
        ([5, 7, 9, 11, 12, 12, 19], None, 20, "not reproduced"),  # by the authors' recipe all are represented
        (RISING, [20, 27, 33, 44, 51, 60, 79], 12, "corrected"),
        ([5, 7, 9, 11, 12, 12, 19], [20, 24, 40, 80, 80, 80, 80], 12, "corrected"),
        ([5, 7, 9, 11, 12, 12, 11], None, 12, "not reproduced"),  # falls at the end
        (RISING, [20, 27, 33, 51, 44, 60, 66], 12, "not reproduced"),  # falls, in the larger only
        ([5, 5, 7, 8, 9, 9, 9], None, 9, "not reproduced"),  # hardly grows
        ([5, 5, 7, 8, 9, 9, 10], None, 9, "corrected"),  # twofold
        ([5] * 7, None, 5, "not reproduced"),
    ],
)
def test_more_features_with_sparsity(small: list[int], large: list[int] | None, recipe: int, expected: str) -> None:
    row = judged(judge.claims, "more_features_with_sparsity", counted(small, large, recipe))
    assert row["verdict"] == expected
    assert row["measured"].startswith(f"n = 20: {', '.join(map(str, small))}; n = 80: ")
    assert ("stops short of n" in row["note"]) == (expected == "corrected"), "the correction is for the corrected only"


def test_represented_is_half_of_the_norm_squared() -> None:
    for norm, count in ((0.708, 20), (0.706, 19)):
        data = changed(ideal(), "basic_small", "features", here("basic_small", 0.001, "", "feature == 19"), norm=norm)
        assert f"20, {count};" in judged(judge.claims, "more_features_with_sparsity", data)["measured"]


# least_important_first


@both_sizes
@pytest.mark.parametrize(
    ("own", "fine"),
    [
        ([*range(9), 19], False),  # of 10 · 10 pairs, 90 in order
        ([*range(9), 18], True),  # 91
        ([*range(10)], True),
        ([*range(10, 20)], False),  # upside down
        ([0, *range(2, 20, 2)], False),  # no order
    ],
)
@pytest.mark.parametrize("density", [0.3, 0.001])
def test_least_important_first(figure: str, own: list[int], fine: bool, density: float) -> None:
    """At one of the densities, the first 20 features in superposition or not."""
    data = changed(ideal(), figure, "features", here(figure, density), superposition=0.51)
    data = changed(data, figure, "features", here(figure, density), norm=lambda rows: 1.0 * (rows["feature"] < 20))
    data = changed(data, figure, "features", here(figure, density, "", f"feature in {own}"), superposition=0.49)
    assert holds("least_important_first", data) == fine


@both_sizes
def test_least_important_first_is_of_represented_features(figure: str) -> None:
    """The direction of a feature that is hardly there means nothing."""
    first, last = (here(figure, 0.3, "", f"feature == {i}") for i in (0, CONFIG.sweeps[figure].n - 1))
    lone = changed(ideal(), figure, "features", last, superposition=0.0)
    assert holds("least_important_first", lone)
    for norm, fine in ((0.7, True), (0.71, False)):
        shared = changed(lone, figure, "features", first, norm=norm, superposition=1.0)
        assert holds("least_important_first", shared) == fine


def test_least_important_first_needs_superposition() -> None:
    assert not holds("least_important_first", counted([5] * 7))


# early_superposition_is_antipodal


def first_pair(figure: str, rows: str) -> str:
    """Features m - 1 and m are the pair of least importance at 1-S = 0.3, features m - 2 and m + 1 are another."""
    return here(figure, 0.3, "", rows.format(m=CONFIG.sweeps[figure].m))


@both_sizes
@pytest.mark.parametrize(("cosine", "fine"), [(-0.91, True), (-0.89, False)])
def test_antipodal_by_the_cosine(figure: str, cosine: float, fine: bool) -> None:
    data = changed(ideal(), figure, "pairs", first_pair(figure, "i == {m} and j == {m} - 1"), cosine=cosine)
    assert holds("early_superposition_is_antipodal", data) == fine


@both_sizes
@pytest.mark.parametrize(("total", "fine"), [(1 / 0.91, True), (1 / 0.89, False)])
def test_antipodal_by_the_share_of_the_partner(figure: str, total: float, fine: bool) -> None:
    data = changed(ideal(), figure, "features", first_pair(figure, "feature == {m}"), superposition=total)
    assert holds("early_superposition_is_antipodal", data) == fine


@both_sizes
@pytest.mark.parametrize(("cosine", "fine"), [(-0.91, False), (-0.89, True)])
def test_antipodal_to_one_only(figure: str, cosine: float, fine: bool) -> None:
    data = changed(ideal(), figure, "pairs", first_pair(figure, "i == {m} and j == 0"), cosine=cosine)
    assert holds("early_superposition_is_antipodal", data) == fine


@both_sizes
@pytest.mark.parametrize(("norm", "fine"), [(0.71, True), (0.70, False)])
def test_antipodal_to_a_represented_feature(figure: str, norm: float, fine: bool) -> None:
    """The superposition of the shorter one is (Ŵ_i·W_j)², all of it its partner's."""
    where = first_pair(figure, "feature == {m} - 1")
    data = changed(ideal(), figure, "features", where, norm=norm, superposition=1 / norm**2)
    assert holds("early_superposition_is_antipodal", data) == fine


@both_sizes
def test_antipodal_in_the_densest_model_with_superposition(figure: str) -> None:
    """In sparser ones it does not count; where there is none, there is no first."""
    later = changed(ideal(), figure, "pairs", f"experiment == '{figure}' and density < 0.3", cosine=0.0)
    assert holds("early_superposition_is_antipodal", later)
    without = changed(ideal(), figure, "features", here(figure, 0.3), superposition=0.49)
    assert holds("early_superposition_is_antipodal", without), "the pairs at 0.1 come first now"
    assert not holds("early_superposition_is_antipodal", changed(without, figure, "pairs", here(figure, 0.1), cosine=0))
    nowhere = changed(ideal(), figure, "features", f"experiment == '{figure}'", superposition=0.0)
    assert not holds("early_superposition_is_antipodal", nowhere)


# negative_biases_when_sparse


@both_sizes
@pytest.mark.parametrize(
    ("dot", "norm", "bias", "fine"),
    [
        (0.11, 1.0, -0.01, True),
        (0.11, 1.0, 0.0, False),
        (0.11, 1.0, 0.01, False),
        (0.09, 1.0, 0.01, True),  # no positive interference
        (0.11, 0.7, 0.01, True),  # not represented
    ],
)
def test_negative_biases(figure: str, dot: float, norm: float, bias: float, fine: bool) -> None:
    """The last feature has the bias, and one source of interference at most; the others are as the paper says."""
    last = f"{CONFIG.sweeps[figure].n - 1}"
    data = changed(ideal(), figure, "features", here(figure, 0.001, "", f"feature == {last}"), bias=bias, norm=norm)
    data = changed(data, figure, "pairs", here(figure, 0.001, "", f"i == {last} and j != {last}"), dot=-0.5)
    data = changed(data, figure, "pairs", here(figure, 0.001, "", f"i == {last} and j == 0"), dot=dot)
    assert holds("negative_biases_when_sparse", data) == fine


@both_sizes
def test_negative_biases_need_positive_interference(figure: str) -> None:
    """Without it the biases say nothing; and ‖W_i‖² is no interference."""
    data = changed(ideal(), figure, "pairs", here(figure, 0.001, "", "i != j"), dot=lambda rows: -rows["dot"].abs())
    assert not holds("negative_biases_when_sparse", data)


@both_sizes
def test_negative_biases_at_the_sparsest_level_only(figure: str) -> None:
    data = changed(ideal(), figure, "features", f"experiment == '{figure}' and density > 0.001", bias=0.5)
    assert holds("negative_biases_when_sparse", data)


# scale_free


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        ([5, 6, 9, 10, 12, 15, 20], [20, 24, 36, 40, 48, 60, 80], "reproduced"),
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 44, 51, 51, 50], "reproduced"),
        ([5, 6, 8, 10, 12, 14, 16], [20, 32, 40, 48, 56, 64, 72], "reproduced"),  # by 0.1 exactly: that is at most 0.1
        ([5, 6, 8, 10, 12, 14, 16], [20, 20, 24, 32, 40, 48, 56], "reproduced"),
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 44, 51, 60, 66], "corrected"),
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 44, 57, 60, 66], "corrected"),
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 53, 57, 60, 66], "not reproduced"),  # at 0.03 already
        (
            [5, 7, 9, 11, 12, 12, 12],
            [20, 27, 33, 44, 51, 48, 39],
            "not reproduced",
        ),  # the larger one has the smaller share
        ([5, 7, 9, 11, 12, 12, 12], [20, 27, 33, 44, 51, 60, 39], "not reproduced"),  # both
        ([5, 7, 9, 11, 12, 12, 12], [80, 27, 33, 44, 51, 51, 51], "not reproduced"),  # where it is dense
    ],
)
def test_scale_free(small: list[int], large: list[int], expected: str) -> None:
    row = judged(judge.claims, "scale_free", counted(small, large))
    assert row["verdict"] == expected
    assert ("The pictures match" in row["note"]) == (expected == "corrected")
    shares = [[float(share) for share in pair] for pair in re.findall(r": ([\d.]+), ([\d.]+)", row["measured"])]
    np.testing.assert_allclose(shares, np.transpose([np.array(small) / 20, np.array(large) / 80]), atol=0.0051)


def test_scale_free_says_down_to_which_density() -> None:
    small = [5, 7, 9, 11, 12, 12, 12]
    for large, last in ((60, "0.003"), (61, "0.003")):
        note = judged(judge.claims, "scale_free", counted(small, [20, 27, 33, 44, 51, 51, large]))["note"]
        assert f"down to 1-S = {last};" in note


def test_scale_free_quotes_welchs_bound() -> None:
    """√((n - m) / (m (n - 1))): √(15/95) and √(60/1580)."""
    assert "falls from 0.40 to 0.19" in judged(judge.claims, "scale_free", ideal())["note"]


# the figures


@both_sizes
def test_the_figure(figure: str) -> None:
    """The linear model and seven densities: WᵀW, b and ‖W_i‖ of each, and two scales of colour."""
    data, n = ideal()[figure], CONFIG.sweeps[figure].n
    drawn = getattr(draw, figure)(data)
    *panels, signed, shared = drawn.axes
    heats, strips, bars = panels[::3], panels[1::3], panels[2::3]
    titles = [
        "linear model",
        *(f"$1-S = {density}$" for density in ("1", "0.3", "0.1", "0.03", "0.01", "0.003", "0.001")),
    ]
    assert [axes.get_title() for axes in heats] == titles
    assert {axes.get_xlabel() for axes in heats} == {r"$W^\mathsf{T}W$"}
    assert {axes.get_xlabel() for axes in strips} == {"$b$"}
    assert {axes.get_xlabel() for axes in bars} == {r"$\Vert W_i\Vert$"}
    assert signed.get_ylabel() == r"$W_i\cdot W_j$ and $b_i$"
    assert shared.get_ylabel() == r"$\sum_{j\neq i}(\hat W_i\cdot W_j)^2$"
    shown = [(f"{figure}_linear", 1.0), *((figure, density) for density in DENSITIES)]
    for (experiment, density), heat, strip, bar in zip(shown, heats, strips, bars, strict=True):
        parts: dict[str, Any] = {
            k: t[(t["experiment"] == experiment) & (t["density"] == density)] for k, t in data.items()
        }
        np.testing.assert_array_equal(heat.images[0].get_array(), parts["pairs"]["dot"].to_numpy().reshape(n, n))
        np.testing.assert_array_equal(strip.images[0].get_array()[:, 0], parts["features"]["bias"])
        assert [image.get_clim() for image in (*heat.images, *strip.images)] == [(-1, 1)] * 2
        np.testing.assert_allclose([patch.get_width() for patch in bar.patches], parts["features"]["norm"])
        colours = style.SUPERPOSITION(parts["features"]["superposition"].clip(0, 1))
        np.testing.assert_allclose([patch.get_facecolor() for patch in bar.patches], colours)
        assert bar.get_ylim() == heat.get_ylim() == strip.get_ylim(), "the three share their rows"
    boxes = [axes.get_position() for axes in drawn.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes), "off the page"
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    plt.close(drawn)


@both_sizes
def test_the_figure_is_the_same_every_time(figure: str, tmp_path: Path) -> None:
    assert drawn_twice(draw, figure, ideal(), tmp_path).count("<image") >= 16

"""From the linear model to superposition: models made by hand give the numbers that are known of them."""

import functools
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from tests.paper.synthetic import assert_on_the_page, changed, judged, packed, through_files
from tests.real import CONFIG

from superposition.paper.basic import draw, judge, measure
from superposition.pipeline.judging.claims import Tables
from superposition.plotting import style

FIGURES = ("basic_small", "basic_large")
DENSITIES = CONFIG.sweeps["basic_small"].density
# Numbers of features represented by the models in 5 and in 20 dimensions, from dense to sparse.
RISING = {"basic_small": [5, 6, 10, 11, 15, 20, 20], "basic_large": [20, 24, 40, 44, 60, 80, 80]}
WIDER = {"basic_small_m10": 13, "basic_small_m15": 18, "basic_small_m20": 20}
LINEAR = {"basic_small_linear": 5, "basic_large_linear": 20}

both_sizes = pytest.mark.parametrize("figure", FIGURES)


@functools.cache
def tables() -> Tables:
    counts = {name: dict(zip(DENSITIES, counts, strict=True)) for name, counts in RISING.items()}
    counts |= WIDER | LINEAR | {"basic_small_notebook": 20}
    models = {name: packed(name, represented) for name, represented in counts.items()}
    return {
        f: getattr(measure, f)({k: models[k] for k in CONFIG.figures[f].experiments}, {f: models[f]}) for f in FIGURES
    }


@functools.cache
def numbers() -> dict[str, list[float]]:
    """Return the numbers of every claim."""
    criteria = judge.claims.judge(tables(), "paper")[1]
    return {name.removeprefix("basic."): rows["value"].tolist() for name, rows in criteria.groupby("claim")}


def test_all_claims_hold_for_the_ideal_models(tmp_path: Path) -> None:
    """Verdicts survive the way through files."""
    claims = judge.claims.judge(tables(), "paper")[0]
    assert claims["verdict"].tolist() == claims["expected"].tolist()
    assert not claims["measured"].str.contains("nan").any()
    assert judge.claims.judge(through_files(tables(), tmp_path), "paper")[0].equals(claims)


def test_tables_hold_all_experiments_of_the_figure() -> None:
    sizes = {"basic_small_linear": 7, "basic_small": 7, "basic_small_notebook": 1} | dict.fromkeys(WIDER, 3)
    for table, per_model in {"models": 1, "features": 20, "pairs": 400}.items():
        rows = tables()["basic_small"][table]
        assert rows["experiment"].value_counts().to_dict() == {k: v * per_model for k, v in sizes.items()}
        assert rows.index.is_unique


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("not_invertible", [0]),
        ("linear_is_pca", [0, 0]),
        ("bias", [0, 0]),
        ("dense_relu_is_linear", [0, 0, 0]),
        ("more_features_with_sparsity", [0, 4]),
        ("all_in_superposition", [0, 10]),  # all share dimensions from 10 of 20 on
        ("early_superposition_is_antipodal", [0, 1]),
        ("other_geometries_later", [1, 0]),
        ("eventually_dedicated", [5, 0]),  # at m = 5, 10, 15, 20: 0, 7, 12, 20
    ],
)
def test_known_numbers(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(numbers()[name], expected, atol=1e-4)


def test_norms_of_a_pair_are_compared_with_each_other() -> None:
    """Antipodal pairs that are a tenth shorter are as much alike."""
    data = changed(tables(), "basic_small", "features", "norm > 0", norm=lambda rows: 0.9 * rows["norm"])
    data = changed(data, "basic_small", "pairs", "i >= 0", dot=lambda rows: 0.81 * rows["dot"])
    shorter, usual = (
        judged(judge.claims, "early_superposition_is_antipodal", found)["note"] for found in (data, tables())
    )
    assert "at least 1.00 times" in usual
    assert shorter == usual


def test_superposition_reaches_the_most_important_last() -> None:
    """In the smaller model 4 features have a dimension of their own beside 2 that share one: the chance is 1 of 15."""
    share, chance, rise = numbers()["least_important_first"]
    assert (share, rise) == (1, 0)
    assert chance < 1 / 15


def test_loss_below_the_best_linear_one() -> None:
    """Six features in 5 dimensions, by hand: without the ReLU, the pair costs as much as its squares."""
    p, importance = 0.3, 0.7 ** np.arange(20)
    v = p / 3 - p**2 / 4
    models = tables()["basic_small"]["models"].query("experiment == 'basic_small' and density == 0.3").iloc[0]
    pair = importance[4] + importance[5]
    loss = importance[6:].sum() * v + pair * p**2 / 6
    assert models["loss"] == pytest.approx(loss)
    gains = [importance[5:].sum() * v - loss, importance[6:].sum() * v + pair * v - loss]
    for smallest, gain in zip(numbers()["beats_linear"], gains, strict=True):
        assert 0 < smallest <= gain / models["loss_error"] * (1 + 1e-6)


def test_noise_of_single_features() -> None:
    """The loss with and without negative biases is the mean over samples with one active feature."""
    models = packed("basic_small", 20)
    best = models.best()
    x = torch.eye(20, dtype=torch.float64).repeat(4000, 1)
    x *= torch.rand(len(x), 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    importance = torch.from_numpy(models.sweep.importances())
    for column, b in (("loss", best["b"]), ("loss_without", best["b"].clamp(min=0))):
        sampled = models.model.loss({"W": best["W"], "b": b}, x.expand(7, -1, -1), importance).mean(-1)
        np.testing.assert_allclose(measure.one_active_losses(models)[column], sampled, rtol=0.02)
    # In the densest of the ideal models nothing is negative.
    dense = tables()["basic_small"]["one_active"].query("density == 1").iloc[0]
    assert dense["loss"] == dense["loss_without"]
    _, chance, noise_filtered = numbers()["negative_biases_when_sparse"]
    assert chance < 0.01
    assert noise_filtered > 1


def test_the_model_that_is_explained() -> None:
    """The densest model with superposition is explained: six features, of which the last two are antipodal."""
    models = packed("basic_small", dict(zip(DENSITIES, RISING["basic_small"], strict=True)))
    data = {"reading_models": measure.reading_models({"basic_small": models})}
    assert set(data["reading_models"]["features"]["density"]) == {0.3}
    fig = draw.reading_models(data["reading_models"])
    matrix, bias, _ = fig.axes
    diagonal, pair, _ = matrix.texts
    assert diagonal.xy == (0, 0)
    assert pair.get_text() == "$W_{5}\\cdot W_{6} = -1.00$:\nan antipodal pair"
    assert bias.texts[1].get_text().startswith("$0.15")
    plt.close(fig)


@both_sizes
def test_the_figure(figure: str) -> None:
    """The figure shows WᵀW, b and ‖W_i‖ of the linear model and at seven densities, and two scales of colour."""
    data, n = tables()[figure], CONFIG.sweeps[figure].n
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
            k: t[(t["experiment"] == experiment) & (t["density"] == density)]
            for k, t in data.items()
            if k not in ("one_active", "best_features")
        }
        np.testing.assert_array_equal(heat.images[0].get_array(), parts["pairs"]["dot"].to_numpy().reshape(n, n))
        np.testing.assert_array_equal(strip.images[0].get_array()[:, 0], parts["features"]["bias"])
        assert [image.get_clim() for image in (*heat.images, *strip.images)] == [(-1, 1)] * 2
        np.testing.assert_allclose([patch.get_width() for patch in bar.patches], parts["features"]["norm"])
        colours = style.SUPERPOSITION(parts["features"]["superposition"].clip(0, 1))
        np.testing.assert_allclose([patch.get_facecolor() for patch in bar.patches], colours)
        assert bar.get_ylim() == heat.get_ylim() == strip.get_ylim(), "the three share their rows"
    assert_on_the_page(drawn)
    plt.close(drawn)

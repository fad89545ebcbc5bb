"""The standard figures of any sweep: what is drawn is what was measured, of the right models, and says which."""

import functools
import itertools
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from superposition.core.errors import SuperpositionError
from superposition.core.grid import COORDINATES
from superposition.core.models import Model
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.custom import draw, measure, select_points
from superposition.paper.custom.plot import plot
from superposition.pipeline import files
from superposition.plotting import style

AXES = {
    "one point": {},
    "densities": {"density": [1, 0.3, 0.1]},
    "many densities": {"density": {"from": 1, "to": 0.01, "points": 20}},
    "relative density": {"relative_density": {"features": [0], "ratio": [0.1, 1, 2]}},
    "relative importance": {"relative_importance": {"features": [1], "ratio": [0.1, 1, 10]}},
    "distributions": {"distribution": ["independent", {"correlated": [[0, 1]]}]},
    "attacks": {"attack": [0, 0.5, 1]},
    "penalties": {"l1": [0, 0.1, 0.4]},
    "seeds": {"seeds": 3},
    "two axes": {
        "density": {"from": 1, "to": 0.01, "points": 5},
        "relative_importance": {"features": [1], "ratio": {"from": 0.1, "to": 10, "points": 5}},
    },
    "all axes": {
        "density": [0.3, 0.1],
        "relative_density": {"features": [2], "ratio": [0.5, 1]},
        "relative_importance": {"features": [1], "ratio": [0.1, 1]},
        "distribution": ["independent", {"anticorrelated": [[0, 1]]}],
        "seeds": 2,
    },
    "a density twice": {"density": [0.3, 0.1, 0.3]},
}
MODELS = ["linear", "relu_output", "relu_hidden", "absolute"]


@functools.cache
def trained(model: str = "relu_output", m: int = 2, axes: str = "densities", n: int = 3) -> SweepResult:
    """Models that were never trained: the second restart is the best everywhere."""
    entry: dict[str, Any] = {
        "model": model,
        "n": n,
        "m": m,
        "density": 0.1,
        "importance": {"decay": 0.9},
        "restarts": 2,
    }
    sweep = Sweep.parse(entry | AXES[axes])
    shape, make = (len(sweep.points()), 2), torch.Generator().manual_seed(0)
    parameters = {k: torch.randn(*shape, *size, generator=make) for k, size in Model.of(sweep).shapes().items()}
    loss = torch.tensor([[2.0, 1.0]], dtype=torch.float64).expand(shape).clone()
    return SweepResult(sweep, parameters, loss, 0 * loss, snapshot_steps=torch.tensor([], dtype=torch.int64))


def drawn(kind: str, models: SweepResult) -> Figure:
    return draw.draw(kind, measure.measure(kind, {"sweep": models}))


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def notes(figure: Figure) -> list[str]:
    texts = [text.get_text() for text in figure.findobj(plt.Text) if "evenly spaced" in text.get_text()]
    return sorted(set(texts))


# which models are drawn


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 9))
def test_select_points(sizes: list[int], seeds: int, most: int) -> None:
    """At most so many, all where they fit, a grid that is spaced evenly along each axis and begins where it does."""
    names = [*COORDINATES[: len(sizes)], "seed"]
    grid = pd.DataFrame(itertools.product(*map(range, [*sizes, seeds])), columns=names)
    rows = select_points(grid, most)
    assert 1 <= len(rows) <= most
    assert len(set(rows)) == len(rows)
    assert len(grid) > most or sorted(rows) == list(range(len(grid)))
    kept = {name: sorted(grid[name].iloc[rows].unique()) for name in names}
    assert len(rows) == np.prod([len(values) for values in kept.values()]), "not a grid"
    for name, values in kept.items():
        assert values[0] == 0
        assert len(values) == 1 or values[-1] == grid[name].max()
        assert len(values) < 3 or np.ptp(np.diff(values)) <= 1
    if len(grid) > most and max(sizes) > 1:
        assert len(kept["seed"]) == 1, "replicates before what is varied"
    longest = max(map(len, kept.values()))
    first = [tuple(row) for row in grid.iloc[rows[:longest]].to_numpy()]
    assert len({sum(a != b for a, b in zip(first[0], row, strict=True)) for row in first[1:]} | {1}) == 1, "a row"


def test_every_axis_of_a_sweep_has_a_name() -> None:
    """One that is new would otherwise break the figures of who varies it."""
    assert list(draw.AXIS_LABELS) == list(COORDINATES)


@pytest.mark.parametrize("kind", draw.DRAW_FUNCTIONS)
@pytest.mark.parametrize("axes", AXES)
def test_every_axis(kind: str, axes: str) -> None:
    """Each panel says where in the sweep it is, and differs from the others; what is left out is said."""
    models = trained(axes=axes)
    figure = drawn(kind, models)
    assert len(set(titles(figure))) == len(titles(figure))
    points = models.sweep.points().drop_duplicates()
    if kind != "dimensionality":
        assert len(titles(figure)) == min(len(points), {"two axes": 6}.get(axes, 8))
        left_out = len(titles(figure)) < len(points)
        expected = f"{len(titles(figure))} of {len(points)} models, evenly spaced along the axes of the sweep"
        fixed = {"all axes": "; independent; seed 0"}.get(axes, "")
        assert notes(figure) == [expected + fixed] * left_out
    plt.close(figure)


def test_titles_name_what_varies() -> None:
    """In the paper's symbols; features count from 1, as everywhere in the figures."""
    assert titles(drawn("gram", trained(axes="one point"))) == ["$1-S = 0.1$"]
    assert titles(drawn("gram", trained(axes="seeds"))) == ["seed 0", "seed 1", "seed 2"]
    assert titles(drawn("gram", trained(axes="distributions"))) == ["independent", "correlated\n1+2"]
    assert titles(drawn("points", trained(axes="many densities")))[-1] == "$1-S = 0.01$"
    first = titles(drawn("points", trained(axes="two axes")))
    assert first[:2] == ["$1-S = 1$\nrelative importance 0.1", "$1-S = 0.1$\nrelative importance 0.1"]


def test_a_distribution_of_many_features_goes_by_its_number() -> None:
    long = "correlated 0+1+2+3+4+5+6+7+8+9 10+11+12+13+14+15+16+17+18+19"
    assert draw._distribution_labels(["independent", long]) == {"independent": "independent", long: "distribution 2"}


# what is drawn


def at(models: SweepResult, point: int) -> dict[str, np.ndarray]:
    return {k: v[point, 1].double().numpy() for k, v in models.parameters.items()}


@pytest.mark.parametrize("model", MODELS)
def test_gram(model: str) -> None:
    """Of each model what its features do: WᵀW; of neurons the weights themselves, of both layers if there are two."""
    models = trained(model, m=2)
    figure = drawn("gram", models)
    panels = figure.axes[:-2]
    width = {"relu_hidden": 4, "absolute": 4}.get(model, 3)
    assert len(panels) == 3 * width
    for point in range(3):
        *heats, strip, bars = panels[width * point : width * (point + 1)]
        W, b = at(models, point)["W"], at(models, point)["b"]
        shown = {heat.get_xlabel(): np.asarray(heat.images[0].get_array()) for heat in heats}
        scale = np.abs(W).max(axis=1)
        if model == "absolute":
            W_out = at(models, point)["W_out"]
            order = [k for i in range(3) for k in range(2) if np.abs(W[k]).argmax() == i]
            first, second = shown["$W_1^\\mathsf{T}$"], shown["$W_2$"]
            np.testing.assert_allclose(np.abs(first).max(axis=0), 1)
            # The same function, neuron by neuron, whatever their order.
            terms = sorted(np.outer(W_out[k], W[k]).round(6).tolist() for k in order)
            assert sorted(np.outer(second[:, k], first[:, k]).round(6).tolist() for k in range(2)) == terms
            W = W / scale[:, None]
        else:
            np.testing.assert_allclose(shown["$W^\\mathsf{T}W$"], W.T @ W, atol=1e-12)
        if model == "relu_hidden":
            assert sorted(shown["$W^\\mathsf{T}$"].T.tolist()) == sorted(W.tolist())
        np.testing.assert_array_equal(strip.images[0].get_array()[:, 0], b)
        np.testing.assert_allclose([bar.get_width() for bar in bars.patches], np.linalg.norm(W, axis=0))
    plt.close(figure)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("m", [2, 3])
def test_points(model: str, m: int) -> None:
    """The columns of W, all of them inside the axes."""
    models = trained(model, m)
    figure = drawn("points", models)
    for point, ax in enumerate(figure.axes[:3]):
        W = at(models, point)["W"]
        if model == "absolute":
            W = W / np.abs(W).max(axis=1, keepdims=True)
        ends = [np.array(line.get_data_3d() if m == 3 else line.get_data())[:, -1] for line in ax.lines[-3:]]
        np.testing.assert_allclose(ends, W.T, atol=1e-6)
        assert np.abs(W).max() < ax.get_xlim()[1]
    assert figure.axes[3].get_ylabel() == "importance $I_i$"
    plt.close(figure)


def test_features_are_coloured_by_set_or_by_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members of a set alike and unlike the others; by importance where there are no sets; else all alike."""

    def colours(ax: Axes) -> list[str]:
        return [to_hex(line.get_color()) for line in ax.lines[-3:]]

    figure = drawn("points", trained(axes="distributions"))
    independent, correlated = map(colours, figure.axes[:2])
    assert len(set(independent)) == 3
    assert correlated[0] == correlated[1] == style.CATEGORIES[0] != correlated[2]
    plt.close(figure)
    monkeypatch.setitem(AXES, "equal", {"importance": 1})
    figure = drawn("points", trained(axes="equal"))
    assert colours(figure.axes[0]) == [style.CATEGORIES[0]] * 3
    assert len(figure.axes) == 1, "no scale of importances"
    plt.close(figure)


def dimensionality(W: np.ndarray) -> list[float]:
    unit = W / np.linalg.norm(W, axis=0)
    return [W[:, i] @ W[:, i] / sum((unit[:, i] @ W[:, j]) ** 2 for j in range(W.shape[1])) for i in range(W.shape[1])]


@pytest.mark.parametrize(
    ("axes", "label", "places", "logarithmic"),
    [
        ("densities", r"$1\,/\,(1-S)$", [1, 1 / 0.3, 10], True),
        ("relative density", "relative density", [0.1, 1, 2], True),
        ("relative importance", "relative importance", [0.1, 1, 10], True),
        ("distributions", "distribution", [0, 1], False),
        ("attacks", r"attacks over mean $\|x\|$", [0, 1, 2], False),
        ("penalties", "L1 coefficient", [0, 1, 2], False),
        ("seeds", "seed", [0, 1, 2], False),
    ],
)
def test_dimensionality(axes: str, label: str, places: list[float], logarithmic: bool) -> None:
    """Every feature of every model, side by side in order around the model's place on the axis."""
    models = trained(axes=axes)
    figure = drawn("dimensionality", models)
    ax = figure.axes[0]
    assert ax.get_xlabel() == label
    x, y = np.asarray(ax.collections[0].get_offsets()).T
    np.testing.assert_allclose(y, np.ravel([dimensionality(at(models, k)["W"]) for k in range(len(places))]), rtol=1e-6)
    x, middle = (np.log(x), np.log(places)) if logarithmic else (x, np.array(places))
    x = x.reshape(-1, 3)
    np.testing.assert_allclose(x.mean(axis=1), middle, atol=1e-9)
    assert (np.diff(x, axis=1) > 0).all()
    assert np.ptp(x, axis=1).max() < np.diff(middle).min(), "models run into each other"
    plt.close(figure)


def test_dimensionality_of_one_model() -> None:
    """Nothing varies: by the number of the feature."""
    models = trained(axes="one point")
    ax = drawn("dimensionality", models).axes[0]
    assert ax.get_xlabel() == "feature"
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], [1, 2, 3])
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 1], dimensionality(at(models, 0)["W"]), rtol=1e-6)


def test_dimensionality_by_two_axes() -> None:
    """The other axis in panels, four of five; all points of the one."""
    figure = drawn("dimensionality", trained(axes="two axes"))
    assert titles(figure) == [f"relative importance {v}" for v in ("0.1", "0.316", "3.16", "10")]
    assert notes(figure) == ["4 of 5 panels, evenly spaced along the axes of the sweep"]
    assert [len(ax.collections[0].get_offsets()) for ax in figure.axes[:4]] == [15] * 4
    plt.close(figure)


def test_seeds_are_replicates() -> None:
    """In one panel with the others."""
    figure = drawn("dimensionality", trained(axes="all axes"))
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert not any("seed" in ax.get_title() for ax in panels)
    assert {len(ax.collections[0].get_offsets()) for ax in panels} == {2 * 2 * 3}
    plt.close(figure)


def test_large_models_are_few() -> None:
    """400 features in a panel of an inch would be less than a dot each; and a table of all pairs, millions of rows."""
    models = trained(m=30, axes="many densities", n=400)
    data = measure.measure("gram", {"sweep": models})
    assert len(data["pairs"]) == 4 * 400**2
    figure = draw.draw("gram", data)
    assert len(titles(figure)) == 4
    assert min(ax.get_position().width for ax in figure.axes if ax.get_title()) * style.PAGE > 2
    plt.close(figure)


@pytest.mark.parametrize("kind", draw.DRAW_FUNCTIONS)
@pytest.mark.parametrize(("model", "m"), [("relu_output", 3), ("absolute", 2)])
def test_the_figures_are_the_same_every_time(kind: str, model: str, m: int, tmp_path: Path) -> None:
    """Also from the tables as files, as the workflow draws them."""
    data = measure.measure(kind, {"sweep": trained(model, m, "all axes" if model == "relu_output" else "densities")})
    files.write(data, tmp_path / "tables")
    for name, source in {"one": data, "two": files.read(tmp_path / "tables")}.items():
        style.save(draw.draw(kind, source), tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


# from Python


@pytest.mark.parametrize("kind", draw.DRAW_FUNCTIONS)
def test_plot(kind: str) -> None:
    figure = plot(trained(), kind)
    assert not plt.fignum_exists(figure.number), "a notebook would show it twice"
    assert titles(figure) == titles(drawn(kind, trained()))
    plt.close("all")


def test_refusals_are_one_line() -> None:
    for models, kind, words in (
        (trained(), "heat", ["'heat'", "gram, points, dimensionality"]),
        (trained(m=3, n=5), "heat", ["'heat'"]),
        (trained(m=4, n=5), "points", ["'points'", "m = 2 and 3", "4"]),
        (trained(m=1), "points", ["m = 2 and 3"]),
    ):
        with pytest.raises(SuperpositionError) as caught:
            plot(models, kind)
        assert "\n" not in str(caught.value)
        assert all(word in str(caught.value) for word in words)

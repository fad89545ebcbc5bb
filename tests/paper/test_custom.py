"""The standard figures of any sweep: they show what was measured of the right models, and say which."""

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
from superposition.core.experiment.grid import COORDINATES
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.custom import draw, measure, select_points
from superposition.paper.custom.plot import KINDS, plot
from superposition.pipeline import files
from superposition.plotting import style

AXES = {
    "one point": {},
    "densities": {"density": [1, 0.3, 0.1]},
    "many densities": {"density": {"from": 1, "to": 0.01, "points": 20}},
    "relative density": {"relative_density": {"features": [0], "ratio": [0.1, 1, 2]}},
    "relative importance": {"relative_importance": {"features": [1], "ratio": [0.1, 1, 10]}},
    "distributions": {"distribution": ["independent", {"correlated": [[0, 1]]}]},
    "long distribution": {"distribution": ["independent", {"correlated": [list(range(10)), list(range(10, 20))]}]},
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
    """Return untrained models, of which the second restart is the best at every point."""
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
    return getattr(draw, kind)(getattr(measure, kind)({"sweep": models}))


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def notes(figure: Figure) -> list[str]:
    texts = [text.get_text() for text in figure.findobj(plt.Text) if "evenly spaced" in text.get_text()]
    return sorted(set(texts))


# Which models are drawn.


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 9))
def test_select_points(sizes: list[int], seeds: int, most: int) -> None:
    """Selected points form a grid that is evenly spaced along each axis, from its start to its end."""
    names = [*COORDINATES[: len(sizes)], "seed"]
    grid = pd.DataFrame(itertools.product(*map(range, [*sizes, seeds])), columns=names)
    rows = select_points(grid, most)
    assert 1 <= len(rows) <= most
    assert len(set(rows)) == len(rows)
    assert len(grid) > most or sorted(rows) == list(range(len(grid)))
    kept = {name: sorted(grid[name].iloc[rows].unique()) for name in names}
    assert len(rows) == np.prod([len(values) for values in kept.values()])
    for name, values in kept.items():
        assert values[0] == 0
        assert len(values) == 1 or values[-1] == grid[name].max()
        assert len(values) < 3 or np.ptp(np.diff(values)) <= 1
    if len(grid) > most and max(sizes) > 1:
        assert len(kept["seed"]) == 1  # Replicates are left out first.
    longest = max(map(len, kept.values()))
    first = [tuple(row) for row in grid.iloc[rows[:longest]].to_numpy()]
    assert len({sum(a != b for a, b in zip(first[0], row, strict=True)) for row in first[1:]} | {1}) == 1


def test_every_axis_of_a_sweep_has_a_name() -> None:
    """An axis without a label would break the figures of sweeps that vary it."""
    assert list(draw.AXIS_LABELS) == draw.POINT_COLUMNS


@pytest.mark.parametrize(
    ("axes", "kind"),
    [
        *((axes, "points") for axes in AXES if axes != "long distribution"),
        *((axes, kind) for axes in ("one point", "two axes", "all axes") for kind in ("gram", "dimensionality")),
    ],
)
def test_every_axis(axes: str, kind: str) -> None:
    """Every panel says where in the sweep it is, and a note says how many models are left out."""
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
    """Titles use the paper's symbols, and count features from 1."""
    assert titles(drawn("gram", trained(axes="one point"))) == ["$1-S = 0.1$"]
    assert titles(drawn("gram", trained(axes="seeds"))) == ["seed 0", "seed 1", "seed 2"]
    assert titles(drawn("gram", trained(axes="distributions"))) == ["independent", "correlated\n1+2"]
    assert titles(drawn("points", trained(axes="many densities")))[-1] == "$1-S = 0.01$"
    first = titles(drawn("points", trained(axes="two axes")))
    assert first[:2] == ["$1-S = 1$\nrelative importance 0.1", "$1-S = 0.1$\nrelative importance 0.1"]


def test_a_distribution_with_a_long_name_is_numbered() -> None:
    models = trained(axes="long distribution", n=20)
    assert titles(drawn("points", models)) == ["independent", "distribution 2"]


# What is drawn.


def at(models: SweepResult, point: int) -> dict[str, np.ndarray]:
    return {k: v[point, 1].double().numpy() for k, v in models.parameters.items()}


@pytest.mark.parametrize("model", MODELS)
def test_gram(model: str) -> None:
    """Models are shown by WᵀW, and neurons by the weights of their one or two layers."""
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
            # Every neuron computes the same function, whatever the order.
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


@pytest.mark.parametrize(("model", "m"), [("relu_output", 2), ("relu_output", 3), ("absolute", 3)])
def test_points(model: str, m: int) -> None:
    """Points are the columns of W, and all lie inside the axes."""
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
    """Features have the colour of their set, or of their importance where there are no sets and it varies."""

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
    """The features of a model lie side by side, in order, around its place on the axis."""
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
    assert np.ptp(x, axis=1).max() < np.diff(middle).min()  # Models do not overlap.
    plt.close(figure)


def test_dimensionality_by_two_axes() -> None:
    """One axis has all its points, and the other up to four panels."""
    figure = drawn("dimensionality", trained(axes="two axes"))
    assert titles(figure) == [f"relative importance {v}" for v in ("0.1", "0.316", "3.16", "10")]
    assert notes(figure) == ["4 of 5 panels, evenly spaced along the axes of the sweep"]
    assert [len(ax.collections[0].get_offsets()) for ax in figure.axes[:4]] == [15] * 4
    plt.close(figure)


def test_large_models_are_few() -> None:
    """Large models get few, large panels, and the table has only the pairs of these."""
    models = trained(m=30, axes="many densities", n=400)
    data = measure.gram({"sweep": models})
    assert len(data["pairs"]) == 4 * 400**2
    figure = draw.gram(data)
    assert len(titles(figure)) == 4
    assert min(ax.get_position().width for ax in figure.axes if ax.get_title()) * style.PAGE > 2
    plt.close(figure)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_from_files_are_the_same(kind: str, tmp_path: Path) -> None:
    """The workflow draws from tables in files."""
    data = getattr(measure, kind)({"sweep": trained("absolute", 2, "densities")})
    files.write(data, tmp_path / "tables")
    for name, source in {"one": data, "two": files.read(tmp_path / "tables")}.items():
        style.save(getattr(draw, kind)(source), tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


# From Python.


@pytest.mark.parametrize("kind", KINDS)
def test_plot(kind: str) -> None:
    """A figure from Python is that of the workflow."""
    figure = plot(trained(), kind)
    assert not plt.fignum_exists(figure.number)  # A notebook would show it twice.
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

"""The standard tables against the weights: the right model, row and coordinates."""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from superposition.analysis import tables
from superposition.core.experiment.grid import COORDINATES
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult


@functools.cache
def trained(m: int = 2, model: str = "relu_output") -> SweepResult:
    """Return untrained models, on a grid in which every axis but the distribution has several values."""
    sweep = Sweep.parse(
        {
            "model": model,
            "n": 4,
            "m": m,
            "density": [0.5, 0.1],
            "relative_density": {"features": [1], "ratio": [1, 2]},
            "importance": [1, 0.5, 0.25, 2],
            "relative_importance": {"features": [2, 3], "ratio": [0.1, 1, 4]},
            "l1": [0.25],
            "seeds": 2,
            "restarts": 3,
        }
    )
    make, shape = torch.Generator().manual_seed(m), (24, 3)
    parameters = {"W": torch.randn(*shape, m, 4, generator=make), "b": torch.randn(*shape, 4, generator=make)}
    if model == "absolute":
        parameters["W_out"] = torch.randn(*shape, m, 4, generator=make)
    loss, error = (torch.rand(*shape, generator=make, dtype=torch.float64) for _ in range(2))
    return SweepResult(sweep, parameters, loss, error, snapshot_steps=torch.tensor([], dtype=torch.int64))


GRID = list(itertools.product((0.5, 0.1), (1, 2), (0.1, 1, 4), ["independent"], [0], [0.25], (0, 1)))


def best(m: int = 2) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return W and b of the restart with the lowest loss at every point."""
    models = trained(m)
    lowest = [min(range(3), key=lambda k, losses=losses: losses[k]) for losses in models.loss.tolist()]
    return [tuple(models.parameters[k][p, r].double().numpy() for k in ("W", "b")) for p, r in enumerate(lowest)]


@pytest.mark.parametrize(("make", "rows"), [(tables.models, 1), (tables.features, 4), (tables.pairs, 16)])
def test_coordinates_come_first_and_every_row_has_its_own(
    make: Callable[[SweepResult], pd.DataFrame], rows: int
) -> None:
    """There is one row per model, feature or pair, with its own coordinates."""
    table = make(trained())
    assert tuple(table.columns[: len(COORDINATES) + 1]) == ("point", *COORDINATES)
    assert table["point"].tolist() == np.repeat(np.arange(trained().sweep.size), rows).tolist()
    coordinates = list(table[list(COORDINATES)].itertuples(index=False, name=None))
    assert coordinates == [point for point in GRID for _ in range(rows)]
    assert table.index.tolist() == list(range(24 * rows))
    assert set(table["model"]) == {"relu_output"}


def test_noise_is_a_coordinate() -> None:
    sweep = Sweep(model="linear", n=2, m=1, density=0.1, noise=[0, 0.3], seeds=2)
    expected = sweep.points().reset_index(names="point")
    assert expected["noise"].tolist() == [0, 0, 0.3, 0.3]
    pd.testing.assert_frame_equal(tables.numbered_points(sweep), expected)


def test_models() -> None:
    """The lowest loss has its own restart and error."""
    table = tables.models(trained())
    for row, losses, errors in zip(
        table.itertuples(), trained().loss.tolist(), trained().loss_error.tolist(), strict=True
    ):
        assert losses[row.best_restart] == min(losses) == row.loss
        assert row.loss_error == errors[row.best_restart]
        assert [row.loss, row.loss_median, row.loss_worst] == sorted(losses)
    assert set(zip(table["n"], table["m"], table["restarts"], strict=True)) == {(4, 2, 3)}
    assert table["best_restart"].nunique() == 3


def test_linear_optimum() -> None:
    """It is the sum of I_i (p_i/3 - p_i²/4) over all but the m costliest features."""
    for row in tables.models(trained()).itertuples():
        density = [row.density * (row.relative_density if i == 1 else 1) for i in range(4)]
        importance = [a * (row.relative_importance if i >= 2 else 1) for i, a in enumerate((1, 0.5, 0.25, 2))]
        costs = sorted(a * (p / 3 - p**2 / 4) for a, p in zip(importance, density, strict=True))
        assert row.linear_optimum == pytest.approx(costs[0] + costs[1])


def test_linear_optimum_of_signed_features() -> None:
    """The mean of a signed feature is 0, so that its variance is p/3."""
    sweep = Sweep(model="linear", n=3, m=1, density=0.3, distribution="signed", importance=[1, 3, 2])
    one = torch.zeros(1, 1, dtype=torch.float64)
    models = SweepResult(sweep, {"W": torch.zeros(1, 1, 1, 3), "b": torch.zeros(1, 1, 3)}, one, one)
    assert tables.models(models)["linear_optimum"].item() == pytest.approx(0.3 / 3 * (1 + 2))


def test_linear_optimum_with_room_to_spare() -> None:
    """The absolute model may have more hidden units than features."""
    assert set(tables.models(trained(6, "absolute"))["linear_optimum"]) == {0.0}


def test_features() -> None:
    table = tables.features(trained())
    assert table["feature"].tolist() == [0, 1, 2, 3] * 24
    for k, (row, (point, i)) in enumerate(zip(table.itertuples(), itertools.product(range(24), range(4)), strict=True)):
        (density, thin, weight, *_), (W, b) = GRID[point], best()[point]
        assert row.feature_density == density * (thin if i == 1 else 1)
        assert row.importance == (1, 0.5, 0.25, 2)[i] * (weight if i >= 2 else 1)
        assert row.bias == b[i]
        assert row.norm == pytest.approx(math.hypot(*W[:, i]))
        unit = W[:, i] / math.hypot(*W[:, i])
        assert row.superposition == pytest.approx(sum((unit @ W[:, j]) ** 2 for j in range(4) if j != i))
        every = sum((unit @ W[:, j]) ** 2 for j in range(4))
        assert row.dimensionality == pytest.approx(math.hypot(*W[:, i]) ** 2 / every)
        assert (row.w0, row.w1) == tuple(W[:, i]), f"row {k}"


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_columns_of_w_in_up_to_three_dimensions(m: int) -> None:
    table = tables.features(trained(m))
    assert [c for c in table.columns if c.startswith("w")] == [f"w{k}" for k in range(m) if m <= 3]
    if m <= 3:
        expected = np.concatenate([W.T for W, _ in best(m)])
        np.testing.assert_array_equal(table[[f"w{k}" for k in range(m)]], expected)


def test_pairs() -> None:
    table = tables.pairs(trained())
    for row, (point, i, j) in zip(table.itertuples(), itertools.product(range(24), range(4), range(4)), strict=True):
        W, _ = best()[point]
        assert (row.i, row.j) == (i, j)
        assert row.dot == pytest.approx(W[:, i] @ W[:, j])
        assert row.cosine == pytest.approx(W[:, i] @ W[:, j] / (math.hypot(*W[:, i]) * math.hypot(*W[:, j])))


def test_weights() -> None:
    """W is listed row by row, beside the second layer of the absolute model."""
    table = tables.weights(trained())
    for row, (point, k, i) in zip(table.itertuples(), itertools.product(range(24), range(2), range(4)), strict=True):
        assert (row.hidden, row.feature) == (k, i)
        assert best()[point][0][k, i] == row.W
    assert "W_out" not in table
    models = trained(6, "absolute")
    np.testing.assert_array_equal(tables.weights(models)["W_out"], models.best()["W_out"].flatten())


@pytest.mark.parametrize("make", [tables.pairs, tables.weights])
def test_selected_points_keep_their_order(make: Callable[..., pd.DataFrame]) -> None:
    whole, rows = make(trained()), len(make(trained())) // 24
    for at in ([], [7], [20, 3]):
        some = make(trained(), at)
        expected = [whole.iloc[rows * point : rows * (point + 1)] for point in at]
        pd.testing.assert_frame_equal(
            some, pd.concat(expected, ignore_index=True) if at else whole.iloc[:0], check_dtype=bool(at)
        )


def test_tables_of_several_models_are_stacked_by_name() -> None:
    """Rows keep the order of the models and are numbered anew; a model without a table adds no rows to it."""
    one, other = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3]})
    stacked = tables.stack([{"a": one}, {"b": other}, {"a": other}])
    pd.testing.assert_frame_equal(stacked["a"], pd.DataFrame({"x": [1, 2, 3]}))
    pd.testing.assert_frame_equal(stacked["b"], other)

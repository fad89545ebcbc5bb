"""Two features in one dimension: sampling, closed forms, finite differences and SciPy's searches."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from tests.tensors import tensor

from superposition.analysis.rows import at_point
from superposition.paper.phase import two_in_one
from superposition.theory import bfgs

RATIOS = (0.1, 0.2, 0.3, 0.5, 0.565, 0.7, 0.9)
SETTINGS = [(0.1, 1.0), (1.0, 0.03)]  # Density and relative importance.
densities, ratios = st.floats(0.01, 1), st.floats(0.03, 10)


def variance(p: float) -> float:
    return p / 3 - p**2 / 4


def loss(x: Sequence[float] | np.ndarray, p: float, r: float) -> float:
    """Return the loss, integrated in NumPy over pieces on which the integrand is a polynomial."""
    w, b = np.array(x[:2]), np.array(x[2:]) if len(x) == 4 else np.zeros(2)
    total = 0.0
    for own, weight in ((0, 1.0), (1, r)):
        slope, other, bias = w[own] ** 2, w[0] * w[1], b[own]
        kinks = [-bias / slope, -(bias + other) / slope] if slope > 1e-12 else []
        ends = np.sort(np.clip([0, 1, *kinks], 0, 1))
        t = (ends[:-1, None] + np.diff(ends)[:, None] * NODES).ravel()
        measure = (np.diff(ends)[:, None] * WEIGHTS).ravel()
        start = slope * t + bias
        alone = measure @ (t - np.maximum(start, 0)) ** 2
        both = measure @ (t**2 - 2 * t * mean(start, other, 1) + mean(start, other, 2))
        neither, only_other = max(bias, 0) ** 2, mean(np.array([bias]), other, 2)[0]
        on = p * alone + (1 - p) * neither, p * both + (1 - p) * only_other
        total += weight * ((1 - p) * on[0] + p * on[1])
    return total


NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(5) + np.array([[1], [0]]))


def mean(start: np.ndarray, step: float, power: int) -> np.ndarray:
    """Return the mean of a power of ReLU(start + step·t) over t in [0, 1]."""
    if abs(step) < 1e-7:
        return np.maximum(start, 0) ** power
    ends = np.maximum(start + step, 0), np.maximum(start, 0)
    return (ends[0] ** (power + 1) - ends[1] ** (power + 1)) / ((power + 1) * step)


def gradient(x: np.ndarray, p: np.ndarray | float, r: np.ndarray | float) -> np.ndarray:
    """Return the gradient of the package's loss for every row of x."""
    at = torch.from_numpy(np.array(x)).requires_grad_()
    p, r = (torch.from_numpy(np.broadcast_to(v, len(x)).astype(float)) for v in (p, r))
    (slope,) = torch.autograd.grad(two_in_one.loss(at, p, r).sum(), at)
    return slope.numpy()


def lowest(starts: Sequence[Sequence[float]], p: float, r: float) -> tuple[np.ndarray, float]:
    """Return the best local minimum that SciPy finds, and its loss."""
    options = {"xatol": 1e-8, "fatol": 1e-13, "maxiter": 4000, "maxfev": 4000}
    ends = [optimize.minimize(loss, x, args=(p, r), method="Nelder-Mead", options=options) for x in starts]
    best = min(ends, key=lambda end: end.fun)
    return best.x, best.fun


# The loss.


@given(densities, ratios)
def test_closed_forms(p: float, r: float) -> None:
    """The paper's three configurations, zero weights, and two features in one direction have closed forms."""
    known = {
        (1, 0, 0, p / 2): r * variance(p),
        (0, 1, p / 2, 0): variance(p),
        (1, -1, 0, 0): (1 + r) * p**2 / 6,
        (0, 0, 0, 0): (1 + r) * p / 3,
    }
    x, many = tensor([*known]), torch.ones(len(known), dtype=torch.float64)
    assert two_in_one.loss(x, p * many, r * many).tolist() == pytest.approx(list(known.values()))
    assert [loss(row, p, r) for row in known] == pytest.approx(list(known.values()))
    assert two_in_one.absent_loss(tensor([p]), tensor([r])).item() == pytest.approx(r * variance(p))
    both = two_in_one.loss(tensor([[0.5**0.5, 0.5**0.5]]), tensor([p]), tensor([1]))
    assert both.item() == pytest.approx(variance(p))


@given(st.integers(0, 10**6))
def test_loss_against_integrals(seed: int) -> None:
    """Without a bias, the loss is that of a bias of 0."""
    rng = np.random.default_rng(seed)
    x, p, r = rng.normal(size=(5, 4)), rng.uniform(0.01, 1, 5), rng.uniform(0.03, 10, 5)
    for size in (2, 4):
        found = two_in_one.loss(*map(torch.from_numpy, (x[:, :size], p, r)))
        expected = [loss(*case) for case in zip(x[:, :size], p, r, strict=True)]
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8)


# Stability.


def change(size: float, p: torch.Tensor, r: torch.Tensor) -> np.ndarray:
    """Return by how much W_2 = -size and W_2 = size change the loss of W = [1, 0], in units of v size²; [pair, 2].

    Everything else is optimal.
    """
    signs, biases = tensor([-1, 1]).repeat_interleave(3).repeat(len(p)), tensor([0, 0.1, 1]).repeat(2 * len(p))
    p, r = p.repeat_interleave(6), r.repeat_interleave(6)
    v = p / 3 - p**2 / 4

    # W_1 - 1, b_1 and b_2 - p/2 are as small as W_2, so all are divided by its size.
    def objective(y: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        steps = torch.stack([y[:, 0], signs[which], y[:, 1], y[:, 2]], dim=1)
        absent = torch.nn.functional.pad(p[which, None] / 2, (3, 0)) + tensor([1, 0, 0, 0])
        return (two_in_one.loss(absent + size * steps, p[which], r[which]) - (r * v)[which]) / (v[which] * size**2)

    begin = torch.stack([0 * biases, biases, 0 * biases], dim=1)
    return bfgs.minimise(objective, begin, tolerance=1e-6)[1].view(-1, 2, 3).min(dim=2).values.numpy()


def test_stability() -> None:
    """Above the limit a small W_2 < 0, with everything else optimal, lowers the loss; below it, no W_2 does."""
    p = tensor([0.05, 0.6])
    limit = two_in_one.stability_limit(p)
    for factor in (0.98, 1.02):
        found = change(1e-3, p, factor * limit)
        assert (found[:, 0] < 0).all() == (factor > 1)
        assert factor > 1 or (found > 0).all()
        second_order = (1 - factor) * limit.numpy()
        np.testing.assert_allclose(found[:, 0] / limit.numpy(), second_order / limit.numpy(), atol=0.005)


# The optimum.


def grid() -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs of density and relative importance."""
    r, p = torch.cartesian_prod(tensor([0.1, 0.3, 0.6, 0.95]), torch.logspace(-1.7, 0, 8, dtype=torch.float64)).T
    return p, r


@functools.cache
def best() -> two_in_one.Optimum:
    return two_in_one.find_optimum(*grid())


def test_no_search_finds_a_better_model() -> None:
    """No search from a random start ends lower, and most of the optima are found by one of them."""
    (p, r), starts = grid(), 6
    generator = torch.Generator().manual_seed(3)
    begin = torch.randn(len(p), starts, 4, generator=generator, dtype=torch.float64) * tensor([1, 1, 0.2, 0.2])
    _, least = two_in_one.minimise_loss(begin, p, r)
    assert (least >= best().loss * (1 - 1e-9)).all()
    assert (least <= best().loss * (1 + 1e-6)).double().mean() > 0.6


def test_slope() -> None:
    """dL/dp of the optimal loss agrees with finite differences on both sides of the boundary."""
    (p, r), step = grid(), 1e-6
    p = p * (1 - 1e-3)
    low, found, high = (two_in_one.find_optimum(p + shift, r) for shift in (-step, 0, step))
    same = (low.norm > 0) == (high.norm > 0)
    assert same.all()
    torch.testing.assert_close(found.slope, (high.loss - low.loss) / (2 * step), rtol=1e-5, atol=1e-8)


# The boundary and transitions.


@functools.cache
def boundary() -> pd.DataFrame:
    return two_in_one.boundary(RATIOS)


def test_known_boundaries() -> None:
    """They agree with numbers computed with other code."""
    table = boundary()
    assert table.columns.tolist() == [
        *("relative_importance", "p_prototypes", "p_optimum", "jump", "norm_onset"),
        *("p_strong", "norm_above", "norm_below", "slope_above", "slope_below"),
    ]
    assert table["relative_importance"].tolist() == list(RATIOS)
    known = {0.1: 0.18125, 0.2: 0.29563, 0.3: 0.37569, 0.5: 0.48459, 0.7: 0.63122}
    rows = table.set_index("relative_importance")
    for r, p in known.items():
        assert rows["p_optimum"][r] == pytest.approx(p, abs=1e-4)
        assert rows["jump"][r] == (r != 0.7)
    for r, p in rows["p_prototypes"].items():
        assert r * variance(p) == pytest.approx((1 + r) * p**2 / 6)


def test_stability_comes_after_the_optimum() -> None:
    """W = [1, 0] becomes unstable where the optimum leaves it only if the transition is continuous."""
    table = boundary()
    unstable = two_in_one.instability_density(tensor(RATIOS))
    np.testing.assert_allclose(two_in_one.stability_limit(unstable), RATIOS, rtol=1e-9)
    assert (table["p_optimum"] >= unstable.numpy()).all()
    assert (table["jump"] == (table["p_optimum"] > unstable.numpy())).all()
    assert (table["jump"] == (table["norm_onset"] > 0)).all()
    assert table["jump"].tolist() == [True, True, True, True, True, False, True]


def test_boundary_against_scipy() -> None:
    """SciPy finds a better pair just below p_optimum, and none just above it."""
    r = 0.3
    p, onset = boundary().set_index("relative_importance").loc[r, ["p_optimum", "norm_onset"]]
    starts = [[1, -1, 0, 0], [1, -0.5, 0.02, 0.1], [0.9, -0.3, 0.1, 0.1]]
    x, below = lowest(starts, p * (1 - 1e-4), r)
    _, above = lowest(starts, p * (1 + 1e-4), r)
    assert below < r * variance(p * (1 - 1e-4)) * (1 - 1e-5)
    assert above > r * variance(p * (1 + 1e-4)) * (1 - 1e-8)
    assert abs(x[1]) == pytest.approx(onset, abs=1e-3)


def test_small_jumps_are_real() -> None:
    """Where W = [1, 0] becomes unstable, a negative third order in W_2 means that a pair is already better."""
    r = tensor([0.56, 0.58, 0.88, 0.91])
    limits = [lambda p, r=r: two_in_one.stability_limit(tensor([p])).item() - r for r in r.tolist()]
    unstable = tensor([optimize.brentq(limit, 1e-6, 1, xtol=1e-14) for limit in limits])
    third = change(0.002, unstable, r)[:, 0] / 0.002
    assert (np.abs(third) > 1e-3).all()  # More than rounding.
    assert (third < 0).tolist() == [True, False, False, True]


def test_transitions() -> None:
    """Only a jump has a norm, which is small far from ½."""
    ratios = [0.4, 0.56, 0.58, 0.88, 0.91]
    found = two_in_one.transition_kinds(ratios)
    assert found["relative_importance"].tolist() == ratios
    assert found["jump"].tolist() == [True, True, False, False, True]
    r = tensor(ratios)
    norm = two_in_one.find_optimum(two_in_one.instability_density(r) * (1 + two_in_one.SIDE_OFFSET), r).norm.numpy()
    assert (found["jump"] == (norm > 0)).all()
    assert (norm > 0.5).tolist() == [True, True, False, False, False]


def test_strong_superposition() -> None:
    """‖W_2‖ passes ½ there; for small r this is the boundary itself, and the optimal loss has a kink."""
    for row in boundary().itertuples(index=False):
        assert row.norm_above <= 0.5 < row.norm_below
        assert row.p_strong <= row.p_optimum * (1 + 1e-7)
        at_once = row.relative_importance <= 0.5
        assert (row.p_strong == pytest.approx(row.p_optimum, rel=1e-6)) == at_once
        assert (row.norm_above == 0) == at_once
        assert row.slope_below > 1.5 * row.slope_above
    p, r = (tensor(boundary()[name]) for name in ("p_strong", "relative_importance"))
    for side, sign in (("above", 1), ("below", -1)):
        near, far = (two_in_one.find_optimum(p * (1 + sign * distance), r).loss for distance in (1e-6, 1e-4))
        slopes = ((far - near) / (sign * p * (1e-4 - 1e-6))).numpy()
        np.testing.assert_allclose(boundary()[f"slope_{side}"], slopes, rtol=2e-3, atol=1e-5)


def test_norms() -> None:
    """They are those of the optimum, pair by pair."""
    table = two_in_one.optimal_norms([0.1, 0.9], [0.05, 0.5, 0.1])
    pairs = list(table[["relative_importance", "density"]].itertuples(index=False, name=None))
    assert pairs == [(0.1, 0.05), (0.1, 0.5), (0.1, 0.1), (0.9, 0.05), (0.9, 0.5), (0.9, 0.1)]
    found = two_in_one.find_optimum(*(tensor(table[name]) for name in ("density", "relative_importance")))
    np.testing.assert_allclose(table["norm"], found.norm, atol=1e-7)
    assert (table["norm"] == 0).tolist() == [False, True, False, False, False, False]


# Loss surfaces.


@functools.cache
def surface(p: float, r: float) -> pd.DataFrame:
    """Return a loss surface on a coarser grid."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_in_one, "SURFACE_STEP", 0.2)
        return two_in_one.loss_surface(p, r)


@pytest.mark.parametrize(("p", "r"), SETTINGS)
def test_surface(p: float, r: float) -> None:
    """The best bias is never worse than none, and W and -W are the same model."""
    table = surface(p, r)
    assert (table["density"] == p).all()
    assert (table["relative_importance"] == r).all()
    axis = np.arange(-7, 8) * 0.2
    np.testing.assert_allclose(table[["w0", "w1"]], [(x, y) for x in axis for y in axis], atol=1e-12)
    assert (table["best_bias"] <= table["no_bias"] * (1 + 1e-12)).all()
    for name in ("no_bias", "best_bias"):
        square = table[name].to_numpy().reshape(15, 15)
        np.testing.assert_allclose(square, square[::-1, ::-1], rtol=1e-12)
    for row in table[::17].itertuples():
        assert row.no_bias == pytest.approx(loss([row.w0, row.w1], p, r))
    known = table.round(6).set_index(["w0", "w1"])
    assert known["no_bias"][0, 0] == pytest.approx((1 + r) * p / 3, rel=1e-4)
    assert known["best_bias"][1, 0] == pytest.approx(r * variance(p), abs=1e-6)
    assert known["best_bias"][0, 1] == pytest.approx(variance(p), abs=1e-6)


def best_bias(W: tuple[float, float], p: float, r: float) -> float:
    """Return the least loss over all biases, each of which is scanned and refined separately."""
    least, scan = -loss(W, p, r), np.linspace(-2.5, 1, 176)
    for own in (0, 1):

        def part(b: float, own: int = own) -> float:
            return loss([*W, *((b, 0) if own == 0 else (0, b))], p, r)

        near = scan[np.argmin([part(b) for b in scan])]
        least += optimize.minimize_scalar(part, bounds=(near - 0.02, near + 0.02), options={"xatol": 1e-9}).fun
    return least


@pytest.mark.parametrize(("p", "weights"), [(0.01, [(-0.95, -1.1), (0.9, 1.2), (1.3, 0.8)])])
def test_best_bias_has_no_ridge(p: float, weights: list[tuple[float, float]]) -> None:
    """At some points of the figure, a search could end in another minimum than beside them, or on a long slope."""
    square = two_in_one.loss_surface(p, 1.0).set_index(["w0", "w1"])["best_bias"].unstack()
    axis = np.arange(-28, 29) * 0.05
    np.testing.assert_allclose(square.index, axis, atol=1e-12)
    np.testing.assert_allclose(square.columns, axis, atol=1e-12)
    for w in weights:
        x, y = (int(np.abs(axis - value).argmin()) for value in w)
        assert square.iloc[x, y] == pytest.approx(best_bias((axis[x], axis[y]), p, 1.0), rel=1e-5)


# Minima.


@functools.cache
def all_minima(bias: bool) -> pd.DataFrame:
    return two_in_one.distinct_minima([(0.1, 0.03), (0.1, 1.0), (1.0, 0.03), (1.0, 1.0)], bias)


def minima(p: float, r: float, bias: bool) -> pd.DataFrame:
    return at_point(all_minima(bias), 2 * (p == 1) + (r == 1))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("p", "r"), SETTINGS)
def test_minima(p: float, r: float, bias: bool) -> None:
    """The gradient vanishes at each, no small change lowers the loss, and no two are the same."""
    table, rng = minima(p, r, bias), np.random.default_rng(0)
    size = 4 if bias else 2
    assert len(table)
    assert (table["density"] == p).all()
    assert (table["relative_importance"] == r).all()
    assert (table["bias"] == bias).all()
    assert (table["w0"] > 0).all()
    assert table["loss"].is_monotonic_increasing
    assert bias or (table[["b0", "b1"]] == 0).all(axis=None)
    x = table[["w0", "w1", "b0", "b1"]].to_numpy()
    assert all(np.abs(a[:2] - b[:2]).max() > 0.01 for k, a in enumerate(x) for b in x[:k])
    assert (np.linalg.norm(gradient(x[:, :size], p, r), axis=1) < 1e-8).all()
    for row, found in zip(x, table["loss"], strict=True):
        assert found == pytest.approx(loss(row, p, r), rel=1e-9)
        around = np.zeros((200, 4))
        around[:, :size] = rng.normal(size=(200, size)) * 1e-3
        near = two_in_one.loss(torch.from_numpy(row + around), *(torch.full((200,), v).double() for v in (p, r)))
        assert (near.numpy() > found).all()


def test_known_minima() -> None:
    """Without a bias, equal features share a direction if they are dense, and are antipodal if they are sparse."""
    dense, sparse = minima(1.0, 1.0, False), minima(0.1, 1.0, False)
    np.testing.assert_allclose(dense[["w0", "w1"]], [[0.5**0.5] * 2, [1.5**0.5, -(1.5**0.5)]], atol=1e-6)
    assert dense["loss"].iloc[0] == pytest.approx(1 / 12)
    np.testing.assert_allclose(sparse[["w0", "w1"]], [[1.007, -1.007], [0.5**0.5] * 2], atol=1e-3)
    for p in (0.1, 1.0):
        absent = minima(p, 0.03, True)
        np.testing.assert_allclose(absent[["w0", "w1", "b0", "b1"]], [[1, 0, 0, p / 2]], atol=1e-6)
        assert absent["loss"].item() == pytest.approx(0.03 * variance(p))


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_curvature(seed: int) -> None:
    """The smallest eigenvalue agrees with finite differences of the gradient."""
    rng = np.random.default_rng(seed)
    p, r, step = rng.uniform(0.1, 1, 3), rng.uniform(0.1, 5, 3), 1e-6
    for size in (2, 4):
        x = rng.normal(size=(3, size)) * [1, 1, 0.2, 0.2][:size]
        found = two_in_one.least_curvature(*map(torch.from_numpy, (x, p, r)))
        up, down = ([gradient(x + s * e, p, r) for e in step * np.eye(size)] for s in (1, -1))
        hessian = np.moveaxis((np.array(up) - np.array(down)) / (2 * step), 1, 0)
        expected = np.linalg.eigvalsh((hessian + hessian.transpose(0, 2, 1)) / 2)[:, 0]
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_same_sign() -> None:
    """Without a bias, it is a minimum of curvature p²; with a bias, a search leads elsewhere, at p = 1 to a valley."""
    table = two_in_one.same_sign_minima([1.0, 0.5, 0.1])
    assert table["density"].tolist() == [1, 0.5, 0.1]
    for row in table.itertuples():
        p, x = row.density, np.array([row.w0, row.w1, row.b0, row.b1])
        assert row.loss_no_bias == pytest.approx(variance(p))
        assert row.curvature_no_bias == pytest.approx(p**2)
        assert row.loss == pytest.approx(loss(x, p, 1))
        assert np.linalg.norm(gradient(x[None], p, 1)) < 1e-8
        assert min(row.w0, row.w1) > 0.3
        if p == 1:
            np.testing.assert_allclose(x, [0.5**0.5, 0.5**0.5, 0, 0], atol=2e-3)
            assert row.loss == pytest.approx(variance(1))
            assert row.curvature == pytest.approx(0, abs=1e-5)
        else:
            assert row.loss < 0.99 * row.loss_no_bias
            assert row.curvature > 1e-3 * p

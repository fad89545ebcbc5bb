"""The search for the best models: known minima, fixed configurations, SciPy's searches, and trained models."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from superposition.core import geometry
from superposition.core.models import Model
from superposition.core.sweep import Sweep
from superposition.paper.phase import two_in_one
from superposition.theory import bfgs, exact, optimum
from superposition.theory.bfgs import minimise
from superposition.theory.optimum import best_models
from superposition.theory.simplices import arrange_simplices, arrangements
from superposition.training.runner import train

RELU, LINEAR = "relu_output", "linear"
seeds = st.integers(0, 10**6)


def tensor(values: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=float))


# Many small problems at once


@pytest.mark.parametrize("spread", [0, 2, 4, 6])
@pytest.mark.parametrize("size", [1, 2, 9])
@settings(max_examples=2)
@given(seed=seeds)
def test_the_minimum_of_a_quadratic(spread: int, size: int, seed: int) -> None:
    """Curvatures over so many decades: a wrong update of the inverse Hessian would crawl, or end elsewhere."""
    rng, count = np.random.default_rng(seed), 20
    axes = np.linalg.qr(rng.normal(size=(count, size, size)))[0]
    curvature = 10 ** (spread * (rng.random((count, size)) - 0.5))
    A = tensor(axes * curvature[:, None] @ axes.swapaxes(1, 2))
    lowest, depth, start = (tensor(rng.normal(size=shape)) for shape in ((count, size), count, (count, size)))

    def bowl(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        away = x - lowest[which]
        return torch.einsum("ki,kij,kj->k", away, A[which], away) / 2 + 1e-3 * depth[which]

    x, value, slope = minimise(bowl, start)
    torch.testing.assert_close(x, lowest, atol=3e-9 * 10 ** (spread / 2), rtol=0)  # gradient over least curvature
    torch.testing.assert_close(value, 1e-3 * depth, atol=1e-14, rtol=1e-12)
    assert slope.max() <= bfgs.TOLERANCE


VALLEYS = tensor(np.random.default_rng(3).uniform(0.2, 2, 10))
STARTS = tensor(np.random.default_rng(4).uniform(-2, 2, (10, 2)))


def valley(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Rosenbrock's function, every problem with a minimum of its own: 0 at (a, a²)."""
    return (VALLEYS[which] - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


def test_rosenbrock_against_scipy() -> None:
    """A bent valley: the inverse Hessian of one place is wrong at the next."""
    x, value, slope = minimise(valley, STARTS)
    for k, a in enumerate(VALLEYS.tolist()):
        expected = optimize.minimize(lambda v, a=a: (a - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2, STARTS[k].numpy())
        np.testing.assert_allclose(x[k], expected.x, atol=1e-4)
        np.testing.assert_allclose(x[k], [a, a * a], atol=1e-6)
    assert value.max() < 1e-15
    assert slope.max() <= bfgs.TOLERANCE


@pytest.mark.parametrize("together", [1, 3, 10])
def test_problems_do_not_disturb_each_other(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those that are searched at the same time, nor those whose place one takes."""
    alone = [minimise(lambda x, which, k=k: valley(x, which + k), STARTS[k : k + 1]) for k in range(len(STARTS))]
    monkeypatch.setattr(bfgs, "BATCH_SIZE", together)
    sizes = set()

    def watched(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        assert len(which.unique()) == len(which) == len(x)
        sizes.add(len(which))
        return valley(x, which)

    found = minimise(watched, STARTS)
    assert max(sizes) == together
    for values, expected in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(values, torch.cat(expected), atol=1e-7, rtol=0)


@pytest.mark.parametrize("together", [2, 100])
@pytest.mark.parametrize("evaluations", [1, 2, 7, 20])
def test_no_problem_has_more_evaluations_than_allowed(
    together: int, evaluations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted for each: one that waited for its turn has as many left as the others."""
    monkeypatch.setattr(bfgs, "BATCH_SIZE", together)
    count = torch.zeros(5, dtype=torch.int64)

    def slope(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """No minimum, but always a step down; the last problem is at its minimum from the first."""
        count[which] += 1
        return torch.where(which == 4, x[:, 0] ** 2, torch.exp(-x[:, 0]))

    x, _, _ = minimise(slope, tensor([[0], [1], [2], [-1], [0]]), max_evaluations=evaluations)
    assert count.tolist() == [evaluations] * 4 + [1]
    assert ((x[:4, 0] > tensor([0, 1, 2, -1])) | (evaluations == 1)).all()


def test_a_start_at_a_minimum_is_left_alone() -> None:
    """To the bit, while its neighbours move."""
    start = STARTS.clone()
    start[3] = torch.stack([VALLEYS[3], VALLEYS[3] ** 2])
    x, value, slope = minimise(valley, start)
    assert torch.equal(x[3], start[3])
    assert value[3] == slope[3] == 0
    assert (x[4:] != start[4:]).all()


def test_a_problem_that_cannot_be_lowered_ends() -> None:
    """Rounding does that near a minimum: it must neither go on to the last evaluation, nor leave the place."""
    calls = []

    def level(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Value 0 everywhere, but a gradient of 1."""
        calls.append(len(which))
        return (x - x.detach()).sum(1)

    x, value, slope = minimise(level, tensor([[0.7], [-3]]))
    assert torch.equal(x, tensor([[0.7], [-3]]))
    assert value.tolist() == [0, 0]
    assert slope.tolist() == [1, 1]
    assert len(calls) < 50


def test_what_was_learnt_elsewhere_is_forgotten() -> None:
    """A plain that hardly curves ends at a pit: there the step that the plain suggests is 10⁸ times too long."""

    def pit(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 2, 1e-8 * (x - 1) ** 2, x**2 - 12)[:, 0] / 2

    x, value, slope = minimise(pit, tensor([[3]]), tolerance=1e-12)
    assert (x.item(), value.item(), slope.item()) == pytest.approx((0, -6, 0), abs=1e-9)


def test_a_step_to_where_nothing_is_defined_is_taken_back() -> None:
    """A value of NaN or infinity is not a lower one."""
    start = tensor([[0.5], [3], [0.02]])
    x, value, _ = minimise(lambda x, _: (100 * x - torch.log(x)).sum(1), start)
    torch.testing.assert_close(x, torch.full_like(x, 0.01), rtol=1e-6, atol=0)
    assert value.numpy() == pytest.approx(1 - np.log(0.01))
    # With a gradient of NaN, too: nothing is learnt from it.
    x, value, _ = minimise(lambda x, _: 100 * (x - 2 * x.sqrt()).sum(1), tensor([[4], [0.25], [9]]))
    torch.testing.assert_close(x, torch.ones_like(x), rtol=1e-6, atol=0)
    assert value.numpy() == pytest.approx(-100)


def test_the_digits_of_a_value_do_not_limit_the_search() -> None:
    """Near a minimum a loss changes by less than its last digit, while the gradient still shows the way."""
    _, _, slope = minimise(lambda x, which: valley(x, which) + 1000, STARTS)
    assert slope.max() <= bfgs.TOLERANCE


def test_no_step_up() -> None:
    """Beside a minimum the first step, along the gradient, is too long by far: only rounding may raise the value."""
    bowl = lambda x, _: 100 + 5 * (x**2).sum(1)  # noqa: E731
    start = tensor([[0.01, -0.02], [1e-3, 0], [1, 2]])
    for evaluations in range(2, 12):
        _, value, _ = minimise(bowl, start, max_evaluations=evaluations)
        assert (value <= bowl(start, None) + 1e-11).all()


def test_where_a_function_bends_down() -> None:
    """On such a slope there is no inverse to learn from: one with a negative curvature would point up."""
    start = tensor([[0.5], [2], [3], [-3]])
    x, _, slope = minimise(lambda x, _: -1 / (1 + x[:, 0] ** 2), start, max_evaluations=50)
    assert slope.max() <= bfgs.TOLERANCE
    assert x.abs().max() < 1e-8


@settings(max_examples=10)
@given(seeds)
def test_what_minimise_returns(seed: int) -> None:
    """Value and gradient are those of the place, which is not above its start; the starts are still there."""
    rng = np.random.default_rng(seed)
    wave, start = tensor(rng.normal(size=(30, 3))), tensor(3 * rng.normal(size=(30, 3)))

    def bumpy(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return torch.sin(3 * x + wave[which]).sum(1) + 0.1 * (x**4).sum(1) + x[:, 0] * x[:, 1]

    before, every = start.clone(), torch.arange(30)
    for evaluations in (2, 5, bfgs.MAX_EVALUATIONS):
        x, value, slope = minimise(bumpy, start, max_evaluations=evaluations)
        assert torch.equal(start, before)
        torch.testing.assert_close(value, bumpy(x, every))
        at = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(bumpy(at, every).sum(), at)
        torch.testing.assert_close(slope, gradient.norm(dim=1), rtol=1e-6, atol=1e-12)
        assert (value <= bumpy(start, every) + 1e-12).all()
    assert slope.max() < 1e-7


# Where to start


ARRANGEMENTS: dict[tuple[int, int], list[list[list[int]]]] = {
    (1, 1): [[[0]]],
    (2, 1): [[[0]], [[1]], [[0, 1]]],
    (2, 2): [[[0], [1]]],
    (3, 1): [[[0]], [[1]], [[2]], [[0, 1]], [[0, 2]], [[1, 2]]],
    (3, 2): [
        *([[0], [1]], [[0], [2]], [[1], [2]]),
        *([[0, 1], [2]], [[0, 2], [1]], [[1, 2], [0]]),
        [[0, 1, 2]],
    ],
    (3, 3): [[[0], [1], [2]]],
}


def as_sets(groups: Any) -> frozenset[frozenset[int]]:
    return frozenset(map(frozenset, groups))


@pytest.mark.parametrize("size", ARRANGEMENTS, ids=str)
def test_arrangements_by_hand(size: tuple[int, int]) -> None:
    """One that is left out is a minimum that may be missed; one named twice is work for nothing."""
    found = [as_sets(groups) for groups in arrangements(*size)]
    assert len(found) == len(set(found))
    assert set(found) == {as_sets(groups) for groups in ARRANGEMENTS[size]}


@pytest.mark.parametrize("size", [*ARRANGEMENTS, (4, 3), (5, 3), (5, 4)], ids=str)
def test_arranged(size: tuple[int, int]) -> None:
    """Every pair of directions has the angle of its arrangement: simplex, orthogonal, or one of them is dropped."""
    n, m = size
    for groups in arrangements(n, m):
        W, gram = arrange_simplices(groups, n, m), np.zeros((n, n))
        for group in groups:
            for i, j in itertools.product(group, group):
                gram[i, j] = 1 if i == j else -1 / (len(group) - 1)
        np.testing.assert_allclose(W.T @ W, gram, atol=1e-12)
        assert W.shape == (m, n)
        assert torch.linalg.matrix_rank(W) == m


@pytest.mark.parametrize("size", [(2, 1), (3, 1), (3, 2)], ids=str)
def test_initial_parameters(size: tuple[int, int]) -> None:
    """Near every arrangement in turn, with the means of what it drops; then at random, as models are initialised."""
    (n, m), count = size, 2000
    model, known = Model(RELU, n, m), list(arrangements(n, m))
    density = tensor(np.random.default_rng(0).uniform(0.1, 1, (3, n)))
    p = model.unpack(optimum.initial_parameters(model, density, count))
    assert torch.equal(p["W"], p["W"][:1].expand(3, -1, -1, -1))
    for k, groups in enumerate(known):
        away = p["W"][0, k] - arrange_simplices(groups, n, m)
        assert 0 < away.abs().min() <= away.abs().max() < 5 * optimum.START_DEVIATION
        dropped = sorted(set(range(n)) - set(itertools.chain(*groups)))
        expected = torch.zeros(3, n, dtype=torch.float64)
        expected[:, dropped] = density[:, dropped] / 2
        torch.testing.assert_close(p["b"][:, k], expected)
    drawn = p["W"][0, len(known) :]
    assert drawn.std().item() == pytest.approx((2 / (n + m)) ** 0.5, rel=0.1)
    assert len(drawn.flatten(1).unique(dim=0)) == len(drawn)
    assert not p["b"][:, len(known) :].any()


def test_fewer_starts_than_arrangements() -> None:
    """The first ones, and as many as were asked for."""
    model, density = Model(RELU, 3, 2), tensor([[0.2, 0.3, 0.5]])
    for count in (1, 4, 7):
        W = model.unpack(optimum.initial_parameters(model, density, count))["W"]
        known = torch.stack([arrange_simplices(groups, 3, 2) for groups in itertools.islice(arrangements(3, 2), count)])
        assert W.shape == (1, count, 2, 3)
        assert (W[0] - known).abs().max() < 5 * optimum.START_DEVIATION


# The best models


def search(
    name: str, m: int, density: object, importance: object, restarts: int = 10
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The best model at every point, and its loss."""
    density, importance = tensor(density), tensor(importance)
    model = Model(name, density.shape[-1], m)
    x, loss = best_models(model, density, importance, restarts)
    assert x.shape == (len(density), restarts, model.size)
    return model.unpack(x[torch.arange(len(x)), loss.argmin(dim=1)]), loss.min(dim=1).values


def drawn_points(seed: int, count: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Densities and importances, all different."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 1, (count, n)), np.exp(rng.normal(0, 0.7, (count, n)))


def grid(n: int, densities: object, ratios: object) -> tuple[np.ndarray, np.ndarray]:
    """Densities and importances of the phase diagrams: the last feature has another importance."""
    p, r = np.stack(np.meshgrid(densities, ratios, indexing="ij"), axis=-1).reshape(-1, 2).T
    importance = np.ones((len(p), n))
    importance[:, -1] = r
    return np.repeat(p[:, None], n, axis=1), importance


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 1), (3, 2)], ids=str)
def test_the_best_linear_model(size: tuple[int, int]) -> None:
    """All but the m costliest features are dropped: a closed form, with densities and importances of every order."""
    n, m = size
    density, importance = drawn_points(0, 4, n)
    best, loss = search(LINEAR, m, density, importance, restarts=7)
    expected = exact.linear_optimum(m, tensor(density), tensor(importance))
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-14)
    kept = tensor(importance) * exact.feature_variance(tensor(density))
    projection = torch.diag_embed((kept >= kept.sort(dim=1).values[:, n - m, None]).double())
    torch.testing.assert_close(best["W"].mT @ best["W"], projection, atol=1e-4, rtol=0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_as_many_dimensions_as_features(n: int) -> None:
    """Nothing is lost then: WᵀW = 1 and no bias."""
    best, loss = search(RELU, n, *drawn_points(1, 2, n), restarts=2)
    assert loss.abs().max() < 1e-15
    torch.testing.assert_close(best["W"].mT @ best["W"], torch.eye(n).double().expand(2, n, n), atol=1e-6, rtol=0)
    assert best["b"].abs().max() < 1e-6


@pytest.mark.parametrize("more", [False, True])
def test_dense_features_of_unequal_importance(more: bool) -> None:
    """Far from the boundary the optimum is known: the more important feature alone, the mean of the other as bias."""
    p = np.array([0.3, 0.5, 0.9, 1.0])
    r = 10.0 if more else 0.1
    best, loss = search(RELU, 1, *grid(2, p, [r]), restarts=7)
    np.testing.assert_allclose(loss, min(r, 1) * (p / 3 - p**2 / 4), rtol=1e-12)
    W, bias = best["W"][:, 0].abs().numpy(), best["b"].numpy()
    keep = int(more)
    np.testing.assert_allclose(W, np.eye(2)[[keep] * 4], atol=1e-6)
    np.testing.assert_allclose(bias[:, 1 - keep], p / 2, atol=1e-6)
    np.testing.assert_allclose(bias[:3, keep], 0, atol=1e-6)  # at p = 1 the other one, never off, may be 1 - x


def test_dense_equal_features() -> None:
    """With both features always on, nothing beats the linear model."""
    _, loss = search(RELU, 1, [[1, 1]], [[1, 1]], restarts=7)
    assert loss.item() <= 1 / 12 * (1 + 1e-12)


def test_rounding_favours_none_of_several_equal_minima() -> None:
    """Three sparse features of equal importance, any two of which may be the antipodes: which two the best model has
    would be another matter on another machine."""
    density = torch.logspace(-2, -0.5, 13, dtype=torch.float64)[:, None].expand(-1, 3)
    x, losses = best_models(Model("relu_output", 3, 2), density, torch.ones_like(density), restarts=10)
    opposite = geometry.cosines(x[:, :, :6].unflatten(2, (2, 3))) < -0.9
    pairs = [(0, 1), (0, 2), (1, 2)]
    for found, loss in zip(opposite, losses, strict=True):
        lowest = [k for k in range(10) if loss[k] == loss.min()]
        assert [any(found[k][pair] for k in lowest) for pair in pairs] == [True] * 3


PHASES: list[tuple[tuple[int, int], list[float], list[float]]] = [
    ((2, 1), [0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1], [0.1, 0.3, 0.6, 0.9, 1, 2, 4, 10]),
    ((3, 2), [0.05, 0.4], [0.1, 1, 10]),
]


@pytest.mark.parametrize(("size", "densities", "ratios"), PHASES)
def test_no_fixed_configuration_is_better(size: tuple[int, int], densities: list[float], ratios: list[float]) -> None:
    """A pair costs (a + b) p²/6, a dropped feature I (p/3 - p²/4). A linear model is no better, either."""
    n, m = size
    density, importance = grid(n, densities, ratios)
    p, losses = density[:, 0], []
    for groups in ARRANGEMENTS[size]:
        loss = importance[:, sorted(set(range(n)) - set(itertools.chain(*groups)))].sum(1) * (p / 3 - p**2 / 4)
        for pair in (group for group in groups if len(group) == 2):
            loss = loss + importance[:, pair].sum(1) * p**2 / 6
        if max(map(len, groups)) < 3:
            losses.append(loss)
    fixed = np.minimum(np.min(losses, axis=0), exact.linear_optimum(m, tensor(density), tensor(importance)).numpy())
    _, loss = search(RELU, m, density, importance, restarts=7)
    assert (loss.numpy() <= fixed * (1 + 1e-12)).all()
    assert (loss.numpy() > 0.5 * fixed).all()
    assert (loss.numpy() < 0.99 * fixed).any()  # norms and biases that are free must gain something


def samples(density: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples and their weights: a Gauss–Legendre rule on [0, 1] and the value 0, for every feature."""
    roots, rule = np.polynomial.legendre.leggauss(order)
    values = np.append(0, (roots + 1) / 2)
    x = np.stack(np.meshgrid(*[values] * len(density), indexing="ij"), axis=-1).reshape(-1, len(density))
    weights = [np.append(1 - p, p * rule / 2) for p in density]
    return x, np.prod(np.stack(np.meshgrid(*weights, indexing="ij"), axis=-1), axis=-1).ravel()


def weighted_loss(
    flat: np.ndarray, m: int, x: np.ndarray, weight: np.ndarray, importance: np.ndarray
) -> tuple[float, np.ndarray]:
    """The ReLU-output model's mean loss over weighted samples, and its gradient, in NumPy."""
    n = x.shape[1]
    W, b = flat[: m * n].reshape(m, n), flat[m * n :]
    out = np.maximum(x @ W.T @ W + b, 0)
    pull = 2 * weight[:, None] * importance * (out - x) * (out > 0)
    outer = x.T @ pull
    gradient = np.concatenate([(W @ (outer + outer.T)).ravel(), pull.sum(0)])
    return float(weight @ ((out - x) ** 2 @ importance)), gradient


SCIPY: dict[str, tuple[int, list[float], list[float], int]] = {  # m, density, importance, restarts
    "two, sparse": (1, [0.1, 0.15], [1, 0.8], 7),
    "two, unequal": (1, [0.6, 0.2], [0.5, 1.2], 7),
    "three in one": (1, [0.1, 0.2, 0.05], [1, 0.7, 1.5], 10),
    "three in two": (2, [0.3, 0.1, 0.2], [1, 1.5, 0.6], 10),
    "three in two, asymmetric": (2, [0.794] * 3, [1, 1, 1.4], 7),
}


@pytest.mark.parametrize("case", SCIPY)
def test_scipy_finds_nothing_better(case: str) -> None:
    """Another search, from many random starts, with another way to compute the loss."""
    m, density, importance, restarts = SCIPY[case]
    n, rng = len(density), np.random.default_rng(0)
    model = Model(RELU, n, m)
    best, loss = search(RELU, m, [density], [importance], restarts)

    x, weight = samples(np.array(density), 8)
    ends = [
        optimize.minimize(
            weighted_loss, rng.normal(size=model.size), (m, x, weight, importance), jac=True, options={"gtol": 1e-6}
        ).x
        for _ in range(30)
    ]
    p, shape = model.unpack(tensor(ends)), (len(ends), n)
    theirs = exact.expected_loss(model, p, tensor(density).expand(shape), tensor(importance).expand(shape)).min()
    assert loss <= theirs * (1 + 1e-9)
    assert loss.item() == pytest.approx(theirs.item(), rel=5e-3)  # their rule is rough where there are kinks

    ours = np.concatenate([best["W"].numpy().ravel(), best["b"].numpy().ravel()])
    fine, _ = weighted_loss(ours, m, *samples(np.array(density), 30), np.array(importance))
    assert fine == pytest.approx(loss.item(), rel=2e-3)


def test_no_trained_model_is_better() -> None:
    """Here the best models have no symmetry: searches that start with one, and keep it, end up to 0.5 % above."""
    plan = {
        **{"model": RELU, "n": 3, "m": 2, "density": [0.708, 0.794, 0.891]},
        **{"relative_importance": {"features": [2], "ratio": [1.4, 2, 3]}},
    }
    trained = train(Sweep.parse(plan | {"restarts": 8, "steps": 1500, "batch": 256, "learning_rate": 0.02}), "cpu")
    densities, importances = trained.sweep.densities(), trained.sweep.importances()
    _, loss = search(RELU, 2, densities, importances, restarts=7)
    lowest = trained.loss.min(dim=1).values
    assert (loss <= lowest * (1 + 1e-12)).all()
    torch.testing.assert_close(lowest, loss, rtol=0.02, atol=0)
    assert (loss > 0).all()


@pytest.mark.parametrize("size", [(2, 1), (3, 2)], ids=str)
def test_losses_and_gradients_of_what_is_returned(size: tuple[int, int]) -> None:
    """Every loss is that of its parameters. Who ends as low as the best is a minimum, and no search cut short."""
    n, m = size
    density, importance = (tensor(part) for part in drawn_points(5, 6, n))
    model = Model(RELU, n, m)
    x, loss = best_models(model, density, importance, 10)
    x.requires_grad_()
    shape = (6, 10, n)
    again = exact.expected_loss(
        model, model.unpack(x), density[:, None].expand(shape), importance[:, None].expand(shape)
    )
    torch.testing.assert_close(loss, again.detach(), rtol=1e-12, atol=1e-15)
    unit = (density * importance).sum(1)
    (gradient,) = torch.autograd.grad((again / unit[:, None]).sum(), x)
    lowest = loss <= (1 + 1e-6) * loss.min(dim=1, keepdim=True).values
    assert lowest.sum() > 12  # the best are found more than once
    assert gradient[lowest].norm(dim=1).max() < 1e-7


@pytest.fixture(scope="module")
def variants() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """WᵀW and loss of the best models of three points, and of variants of these points, in one search.

    Sizes of importances of 2⁻¹⁰ and 2¹⁰ times the first, other orders of the features.
    """
    density, importance = drawn_points(7, 3, 3)
    changed = {
        "plain": (density, importance),
        "smaller": (density, importance / 1024),
        "larger": (density, importance * 1024),
        **{f"{order}": (density[:, order], importance[:, order]) for order in ([2, 0, 1], [1, 0, 2])},
    }
    best, loss = search(RELU, 2, *(np.concatenate(part) for part in zip(*changed.values(), strict=True)), 7)
    gram = (best["W"].mT @ best["W"]).numpy()
    return {k: (gram[i : i + 3], loss[i : i + 3].numpy()) for i, k in zip(range(0, 15, 3), changed, strict=True)}


@pytest.mark.parametrize(("name", "factor"), [("smaller", 1 / 1024), ("larger", 1024)])
def test_the_scale_of_importance(name: str, factor: float, variants: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """It is the loss's scale and nothing else: a search that stops at an absolute size would see it."""
    gram, loss = variants["plain"]
    np.testing.assert_allclose(variants[name][1], factor * loss, rtol=1e-12)
    np.testing.assert_allclose(variants[name][0], gram, atol=1e-5)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2]], ids=str)
def test_the_names_of_features(order: list[int], variants: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Starts differ from feature to feature; what is found must not."""
    gram, loss = variants["plain"]
    np.testing.assert_allclose(variants[f"{order}"][1], loss, rtol=1e-10)
    np.testing.assert_allclose(variants[f"{order}"][0], gram[:, order][:, :, order], atol=1e-5)


def test_a_point_does_not_depend_on_the_others(variants: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """A point that got its neighbour's density or importance would have another loss."""
    density, importance = drawn_points(7, 3, 3)
    gram, loss = variants["plain"]
    best, alone = search(RELU, 2, density[1:2], importance[1:2], 7)
    np.testing.assert_allclose(alone, loss[1:2], rtol=1e-10)
    np.testing.assert_allclose(best["W"].mT @ best["W"], gram[1:2], atol=1e-5)


def test_another_dimension_and_a_feature_that_does_not_matter(
    variants: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    """A dimension more never costs. A feature of no importance is one that is not there: it would only disturb."""
    density, importance = drawn_points(7, 3, 3)
    two = variants["plain"][1]
    without = importance * [1, 1, 0]
    _, loss = search(RELU, 1, np.concatenate([density] * 2), np.concatenate([importance, without]))
    one, unimportant = loss[:3].numpy(), loss[3:]
    assert (one > 1.01 * two).all()
    assert (two > 0).all()
    _, pair = search(RELU, 1, density[:, :2], importance[:, :2])
    torch.testing.assert_close(unimportant, pair, rtol=1e-9, atol=0)


def test_dead_outputs_are_revived() -> None:
    """An output that is always 0 has no gradient: its bias would stay wherever the search left it."""
    model, density = Model(RELU, 2, 1), tensor([[0.2, 0.4]] * 3)
    x = tensor([[1, 0, 0, -0.1], [1, -1, 0, 0], [0.5, 0.5, -0.6, -0.4]])
    revived = optimum.revive_dead_outputs(model, x, density)
    assert revived.tolist() == [0, 2]
    assert x.tolist() == [[1, 0, 0, 0.2], [1, -1, 0, 0], [0.5, 0.5, 0.1, -0.4]]


def test_rounding_does_not_stop_a_search() -> None:
    """Where little is lost the loss is what larger terms leave, so it is known to their rounding and not to its own:
    who takes its last digits for real finds no step that lowers it, and stops short or wanders."""
    p, r = torch.cartesian_prod(*torch.tensor([[0.1, 1], [0.03, 1]], dtype=torch.float64)).T.repeat_interleave(100, 1)
    generator = torch.Generator().manual_seed(0)
    start = (2 * torch.rand(100, 4, generator=generator, dtype=torch.float64) - 1).repeat(4, 1)

    def loss(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return two_in_one.loss(x, p[which], r[which]) / (p * (1 + r))[which]

    _, _, slope = minimise(loss, start)
    assert (slope <= bfgs.TOLERANCE).all()

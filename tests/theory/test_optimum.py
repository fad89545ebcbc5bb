"""The best models: known minima, fixed configurations, SciPy's search, and trained models."""

import itertools

import numpy as np
import pytest
import torch
from scipy import optimize
from tests.tensors import tensor
from tests.theory.test_simplices import ARRANGEMENTS

from superposition.core import geometry
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.theory import exact, optimum
from superposition.theory.optimum import best_models
from superposition.theory.simplices import arrange_simplices, arrangements
from superposition.training.runner import train

RELU, LINEAR = "relu_output", "linear"


def search(
    name: str, m: int, density: object, importance: object, restarts: int = 10
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return the best model at every point, and its loss."""
    density, importance = tensor(density), tensor(importance)
    model = Model(name, density.shape[-1], m)
    x, loss = best_models(model, density, importance, restarts)
    assert x.shape == (len(density), restarts, model.size)
    return model.unpack(x[torch.arange(len(x)), loss.argmin(dim=1)]), loss.min(dim=1).values


def random_points(seed: int, count: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw densities and importances that are all different."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 1, (count, n)), np.exp(rng.normal(0, 0.7, (count, n)))


def grid(n: int, densities: object, ratios: object) -> tuple[np.ndarray, np.ndarray]:
    """Return densities and importances as in the phase diagrams: the last feature has another importance."""
    p, r = np.stack(np.meshgrid(densities, ratios, indexing="ij"), axis=-1).reshape(-1, 2).T
    importance = np.ones((len(p), n))
    importance[:, -1] = r
    return np.repeat(p[:, None], n, axis=1), importance


@pytest.mark.parametrize("size", [(2, 1), (3, 1), (3, 2)], ids=str)
def test_initial_parameters(size: tuple[int, int]) -> None:
    """Initial weights lie near every arrangement, with the means of dropped features as biases; the rest is random."""
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
    few = model.unpack(optimum.initial_parameters(model, density, 2))["W"]
    assert few.shape == (3, 2, m, n)
    known_few = torch.stack([arrange_simplices(groups, n, m) for groups in known[:2]])
    assert (few[0] - known_few).abs().max() < 5 * optimum.START_DEVIATION


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 2)], ids=str)
def test_the_best_linear_model(size: tuple[int, int]) -> None:
    """The best linear model drops all but the m costliest features, in any order of densities and importances."""
    n, m = size
    density, importance = random_points(0, 4, n)
    best, loss = search(LINEAR, m, density, importance, restarts=7)
    expected = exact.linear_optimum(m, tensor(density), tensor(importance))
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-14)
    kept = tensor(importance) * exact.feature_variance(tensor(density))
    projection = torch.diag_embed((kept >= kept.sort(dim=1).values[:, n - m, None]).double())
    torch.testing.assert_close(best["W"].mT @ best["W"], projection, atol=1e-4, rtol=0)


@pytest.mark.parametrize("more", [False, True])
def test_dense_features_of_unequal_importance(more: bool) -> None:
    """Far from the boundary, the best model has the more important feature alone, and the mean of the other as bias."""
    p = np.array([0.3, 0.5, 0.9, 1.0])
    r = 10.0 if more else 0.1
    best, loss = search(RELU, 1, *grid(2, p, [r]), restarts=7)
    np.testing.assert_allclose(loss, min(r, 1) * (p / 3 - p**2 / 4), rtol=1e-12)
    W, bias = best["W"][:, 0].abs().numpy(), best["b"].numpy()
    keep = int(more)
    np.testing.assert_allclose(W, np.eye(2)[[keep] * 4], atol=1e-6)
    np.testing.assert_allclose(bias[:, 1 - keep], p / 2, atol=1e-6)
    np.testing.assert_allclose(bias[:3, keep], 0, atol=1e-6)  # At p = 1 the output is never cut off.


def test_rounding_does_not_choose_between_equal_minima() -> None:
    """Any two of three equal sparse features may be the antipodal pair, and all three choices have one loss."""
    density = torch.logspace(-2, -0.5, 13, dtype=torch.float64)[:, None].expand(-1, 3)
    x, losses = best_models(Model("relu_output", 3, 2), density, torch.ones_like(density), restarts=10)
    opposite = geometry.cosines(x[:, :, :6].unflatten(2, (2, 3))) < -0.9
    pairs = [(0, 1), (0, 2), (1, 2)]
    for found, loss in zip(opposite, losses, strict=True):
        lowest = [k for k in range(10) if loss[k] == loss.min()]
        assert [any(found[k][pair] for k in lowest) for pair in pairs] == [True] * 3


@pytest.mark.parametrize(
    ("size", "densities", "ratios"),
    [((2, 1), [0.01, 0.1, 0.4, 0.8, 1], [0.1, 0.6, 1, 4]), ((3, 2), [0.05, 0.4], [0.1, 1, 10])],
)
def test_no_fixed_configuration_is_better(size: tuple[int, int], densities: list[float], ratios: list[float]) -> None:
    """A pair costs (a + b) p²/6 and a dropped feature I (p/3 - p²/4); a linear model is no better either."""
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
    assert (loss.numpy() < 0.99 * fixed).any()  # Free norms and biases gain something.


def weighted_samples(density: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and their weights: for every feature, a Gauss–Legendre rule on [0, 1] and the value 0."""
    roots, rule = np.polynomial.legendre.leggauss(order)
    values = np.append(0, (roots + 1) / 2)
    x = np.stack(np.meshgrid(*[values] * len(density), indexing="ij"), axis=-1).reshape(-1, len(density))
    weights = [np.append(1 - p, p * rule / 2) for p in density]
    return x, np.prod(np.stack(np.meshgrid(*weights, indexing="ij"), axis=-1), axis=-1).ravel()


def weighted_loss(
    flat: np.ndarray, m: int, x: np.ndarray, weight: np.ndarray, importance: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean loss of the ReLU-output model over weighted samples, and its gradient, in NumPy."""
    n = x.shape[1]
    W, b = flat[: m * n].reshape(m, n), flat[m * n :]
    out = np.maximum(x @ W.T @ W + b, 0)
    pull = 2 * weight[:, None] * importance * (out - x) * (out > 0)
    outer = x.T @ pull
    gradient = np.concatenate([(W @ (outer + outer.T)).ravel(), pull.sum(0)])
    return float(weight @ ((out - x) ** 2 @ importance)), gradient


@pytest.mark.parametrize(
    ("m", "density", "importance", "restarts"),
    [(1, [0.6, 0.2], [0.5, 1.2], 7), (1, [0.1, 0.2, 0.05], [1, 0.7, 1.5], 10), (2, [0.794] * 3, [1, 1, 1.4], 7)],
)
def test_scipy_finds_nothing_better(m: int, density: list[float], importance: list[float], restarts: int) -> None:
    """SciPy's search from random initialisations, with another way to compute the loss, finds nothing lower."""
    n, rng = len(density), np.random.default_rng(0)
    model = Model(RELU, n, m)
    best, loss = search(RELU, m, [density], [importance], restarts)
    x, weight = weighted_samples(np.array(density), 8)
    ends = [
        optimize.minimize(
            weighted_loss, rng.normal(size=model.size), (m, x, weight, importance), jac=True, options={"gtol": 1e-6}
        ).x
        for _ in range(30)
    ]
    p, shape = model.unpack(tensor(ends)), (len(ends), n)
    theirs = exact.expected_loss(model, p, tensor(density).expand(shape), tensor(importance).expand(shape)).min()
    assert loss <= theirs * (1 + 1e-9)
    assert loss.item() == pytest.approx(theirs.item(), rel=5e-3)  # Their rule is rough where there are kinks.
    ours = np.concatenate([best["W"].numpy().ravel(), best["b"].numpy().ravel()])
    fine, _ = weighted_loss(ours, m, *weighted_samples(np.array(density), 30), np.array(importance))
    assert fine == pytest.approx(loss.item(), rel=2e-3)


def test_no_trained_model_is_better() -> None:
    """The best models have no symmetry here; searches that keep the symmetry of their start end up to 0.5 % above."""
    plan = {
        **{"model": RELU, "n": 3, "m": 2, "density": [0.708, 0.794, 0.891]},
        **{"relative_importance": {"features": [2], "ratio": [1.4, 2, 3]}},
    }
    trained = train(Sweep.parse(plan | {"restarts": 8, "steps": 1500, "batch": 256, "learning_rate": 0.02}), "cpu")
    _, loss = search(RELU, 2, trained.sweep.densities(), trained.sweep.importances(), restarts=7)
    lowest = trained.loss.min(dim=1).values
    assert (loss <= lowest * (1 + 1e-12)).all()
    torch.testing.assert_close(lowest, loss, rtol=0.02, atol=0)
    assert (loss > 0).all()


def test_what_is_returned() -> None:
    """Every loss is that of its parameters, and the lowest ones are minima."""
    density, importance = (tensor(part) for part in random_points(5, 6, 3))
    model = Model(RELU, 3, 2)
    x, loss = best_models(model, density, importance, 10)
    x.requires_grad_()
    shape = (6, 10, 3)
    again = exact.expected_loss(
        model, model.unpack(x), density[:, None].expand(shape), importance[:, None].expand(shape)
    )
    torch.testing.assert_close(loss, again.detach(), rtol=1e-12, atol=1e-15)
    unit = (density * importance).sum(1)
    (gradient,) = torch.autograd.grad((again / unit[:, None]).sum(), x)
    lowest = loss <= (1 + 1e-6) * loss.min(dim=1, keepdim=True).values
    assert lowest.sum() > 12  # The best are found more than once.
    assert gradient[lowest].norm(dim=1).max() < 1e-7


def test_equivalent_points() -> None:
    """The scale of importance scales the loss alone, features have no order, and points do not mix."""
    density, importance = random_points(7, 3, 3)
    order = [2, 0, 1]
    variants = [(density, importance), (density, importance * 1024), (density[:, order], importance[:, order])]
    best, loss = search(RELU, 2, *(np.concatenate(part) for part in zip(*variants, strict=True)), 7)
    plain, scaled, renamed = (best["W"].mT @ best["W"]).numpy().reshape(3, 3, 3, 3)
    np.testing.assert_allclose(scaled, plain, atol=1e-5)
    np.testing.assert_allclose(renamed, plain[:, order][:, :, order], atol=1e-5)
    loss = loss.numpy().reshape(3, 3)
    np.testing.assert_allclose(loss[1] / 1024, loss[0], rtol=1e-12)
    np.testing.assert_allclose(loss[2], loss[0], rtol=1e-10)
    best, alone = search(RELU, 2, density[1:2], importance[1:2], 7)
    np.testing.assert_allclose(alone, loss[0, 1:2], rtol=1e-10)
    np.testing.assert_allclose(best["W"].mT @ best["W"], plain[1:2], atol=1e-5)

    _, one = search(RELU, 1, np.concatenate([density] * 2), np.concatenate([importance, importance * [1, 1, 0]]))
    assert (one[:3].numpy() > 1.01 * loss[0]).all(), "a further dimension lowers the loss"
    _, pair = search(RELU, 1, density[:, :2], importance[:, :2])
    torch.testing.assert_close(one[3:], pair, rtol=1e-9, atol=0)  # A feature of no importance does not matter.


def test_dead_outputs_are_revived() -> None:
    """An output that is always 0 has no gradient."""
    model, density = Model(RELU, 2, 1), tensor([[0.2, 0.4]] * 3)
    x = tensor([[1, 0, 0, -0.1], [1, -1, 0, 0], [0.5, 0.5, -0.6, -0.4]])
    revived = optimum.revive_dead_outputs(model, x, density)
    assert revived.tolist() == [0, 2]
    assert x.tolist() == [[1, 0, 0, 0.2], [1, -1, 0, 0], [0.5, 0.5, 0.1, -0.4]]

"""Branches of solutions: the precise loss, the search that follows it, tracing, and crossings."""

import numpy as np
import pytest
import torch
from tests.paper.synthetic import few_samples
from tests.tensors import tensor

from superposition.core.experiment.distribution import Distribution
from superposition.core.models import Model
from superposition.theory import branches, exact, polytopes, tegum
from superposition.theory.polytopes import Polytope

# The shapes of arrays are checked where the numbers of sections and of the search are compared with those on record.
pytestmark = pytest.mark.usefixtures("without_shape_checks")

PENTAGON = Polytope("pentagon", polytopes.polygon(5))


def random_models(count: int, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw features of lengths around 1 in the plane, biases of both signs, and densities of all magnitudes."""
    rng = np.random.default_rng(seed)
    W, b = rng.normal(size=(count, 2, n)) * 0.75, rng.uniform(-0.3, 0.15, (count, n))
    return tensor(W), tensor(b), tensor(10 ** rng.uniform(-2, -0.05, (count, n)))


# The precise loss.


def test_precise_loss_is_exact() -> None:
    """Every pattern of three features counts with its probability."""
    W, b, density = random_models(32, 3)
    expected = exact.expected_loss(Model("relu_output", 3, 2), {"W": W, "b": b}, density, torch.ones_like(density))
    torch.testing.assert_close(branches.precise_loss(W, b, density), expected, rtol=2e-4, atol=0)


@pytest.mark.parametrize("density", [(1.0, 1.0, 1.0), (1.0, 0.2, 0.7), (1e-9, 0.3, 1.0)], ids=str)
def test_features_that_are_always_active(density: tuple[float, float, float]) -> None:
    """The logarithm of 0 makes neither the loss nor its gradient NaN."""
    W, b, _ = random_models(4, 3)
    W, p = W.requires_grad_(), tensor(density).expand(4, 3)
    loss = branches.precise_loss(W, b, p)
    expected = exact.expected_loss(Model("relu_output", 3, 2), {"W": W, "b": b}, p, torch.ones_like(p))
    torch.testing.assert_close(loss, expected, rtol=5e-4, atol=0)
    (slope,) = torch.autograd.grad(loss.sum(), W)
    assert slope.isfinite().all()


def test_models_do_not_mix() -> None:
    """Each model of a batch has the loss that it has alone."""
    W, b, density = random_models(7, 4)
    alone = [branches.precise_loss(W[k : k + 1], b[k : k + 1], density[k : k + 1]) for k in range(7)]
    torch.testing.assert_close(branches.precise_loss(W, b, density), torch.cat(alone), rtol=1e-12, atol=0)


def test_gradient_against_finite_differences() -> None:
    """The gradient agrees with finite differences."""
    W, b, density = random_models(1, 4, seed=2)
    x = torch.cat([W.flatten(1), b], dim=1)

    def loss(x: torch.Tensor) -> torch.Tensor:
        p = density.expand(len(x), -1)
        return branches.precise_loss(x[:, :8].unflatten(1, (2, 4)), x[:, 8:], p)

    (slope,) = torch.autograd.grad(loss(x.requires_grad_()).sum(), x)
    step = 1e-5 * torch.eye(12, dtype=torch.float64)
    with torch.no_grad():
        difference = (loss(x + step) - loss(x - step)) / 2e-5
    torch.testing.assert_close(slope[0], difference, rtol=1e-4, atol=1e-5)


def test_seeds_are_independent() -> None:
    """Seeds give different points, so comparing them estimates the error."""
    W, b, density = random_models(8, 5, seed=3)
    one, other = (branches.precise_loss(W, b, density, seed=seed) for seed in (0, 1))
    assert (one != other).all()
    torch.testing.assert_close(one, other, rtol=1e-3, atol=0)
    torch.testing.assert_close(branches.precise_loss(W, b, density, seed=0), one, rtol=0, atol=0)


SETS = {
    "two correlated sets": Distribution(correlated=((0, 1), (2, 3, 4))),
    "a correlated set and free features": Distribution(correlated=((1, 3),)),
    "two anticorrelated sets": Distribution(anticorrelated=((0, 1), (2, 3, 4))),
    "one of each and a free feature": Distribution(correlated=((0, 4),), anticorrelated=((1, 3),)),
}


def in_sets(density: torch.Tensor, distribution: Distribution) -> torch.Tensor:
    """Give the members of every set the density of the first one."""
    density = density.clone()
    for members in distribution.sets:
        density[:, list(members)] = density[:, members[:1]]
    return density


def drawn(density: np.ndarray, distribution: Distribution, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw samples as the paper describes them, set by set."""
    on = rng.random((samples, len(density))) < density
    for members in distribution.correlated:
        on[:, members] = on[:, members[:1]]
    for members in distribution.anticorrelated:
        member = rng.integers(0, len(members), samples)
        on[:, members] = on[:, members[:1]] & (member[:, None] == np.arange(len(members)))
    return on * rng.random((samples, len(density)))


@pytest.mark.parametrize("name", SETS)
def test_sets_against_sampling(name: str) -> None:
    """Members of a set are active all together, or one at a time."""
    W, b, density = random_models(2, 5, seed=7)
    density, rng = in_sets(density, SETS[name]), np.random.default_rng(2)
    found = branches.precise_loss(W, b, density, SETS[name])
    for k in range(2):
        w, bias = W[k].numpy(), b[k].numpy()
        x = drawn(density[k].numpy(), SETS[name], 2**18, rng)
        losses = ((x - np.maximum(x @ w.T @ w + bias, 0)) ** 2).sum(1)
        assert abs(found[k] - losses.mean()) < 4 * losses.std() / len(losses) ** 0.5


def test_at_most_one_active_feature() -> None:
    """There may be a single feature, or none that is ever active."""
    W, b = tensor([[[0.8]]]), tensor([[0.05]])
    found = branches.precise_loss(W, b, tensor([[0.3]]))
    expected = exact.expected_loss(Model("relu_output", 1, 1), {"W": W, "b": b}, tensor([[0.3]]), tensor([[1.0]]))
    torch.testing.assert_close(found, expected)
    W, b, _ = random_models(3, 4)
    never = branches.precise_loss(W, b, torch.zeros(3, 4, dtype=torch.float64))
    torch.testing.assert_close(never, (b.clamp(min=0) ** 2).sum(-1))


def test_gradient_by_density() -> None:
    """The derivative by the densities, which Newton's method for crossings uses, agrees with finite differences."""
    W, b, density = random_models(5, 4, seed=9)
    density = (0.1 + 0.8 * density).requires_grad_()
    (slope,) = torch.autograd.grad(branches.precise_loss(W, b, density).sum(), density)
    for i in range(4):
        step = 1e-6 * torch.eye(4, dtype=torch.float64)[i]
        with torch.no_grad():
            up, down = (branches.precise_loss(W, b, density + sign * step) for sign in (1, -1))
        torch.testing.assert_close(slope[:, i], (up - down) / 2e-6, rtol=1e-4, atol=1e-7)


# Following minima.


def slopes(W: torch.Tensor, b: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
    """Return the largest component of the gradient of every model's loss over Σ_i p_i."""
    at = torch.cat([W.flatten(1), b], dim=1).requires_grad_()
    loss = branches.precise_loss(at[:, : W[0].numel()].reshape(W.shape), at[:, W[0].numel() :], density)
    (slope,) = torch.autograd.grad((loss / density.sum(-1)).sum(), at)
    return slope.abs().amax(1)


def regular(corners: np.ndarray, densities: list[float], norm: float, bias: float) -> tuple[torch.Tensor, ...]:
    """Return one start per density, with equal features but for small deviations."""
    rng, (_, n) = np.random.default_rng(0), corners.shape
    W = norm * corners + 0.01 * rng.normal(size=(len(densities), *corners.shape))
    b = bias + 0.01 * rng.normal(size=(len(densities), n))
    return tensor(W), tensor(b), tensor(densities)[:, None].repeat(1, n)


@pytest.fixture(scope="module")
def pentagons() -> tuple[torch.Tensor, ...]:
    """Follow a pentagon at two densities; return the densities, the start, the end and its loss."""
    W, b, density = regular(PENTAGON.corners, [0.05, 0.02], 1.1, -0.2)
    return density, W, b, *branches.follow(W, b, density)


def test_follow_goes_down_to_a_stationary_point(pentagons: tuple[torch.Tensor, ...]) -> None:
    """The search ends below its start, where the gradient vanishes."""
    density, start, bias, W, b, loss = pentagons
    assert (loss < branches.precise_loss(start, bias, density)).all()
    torch.testing.assert_close(loss, branches.precise_loss(W, b, density), rtol=1e-9, atol=0)
    assert slopes(W, b, density).max() < 1e-6


def test_a_pentagon_stays_a_pentagon(pentagons: tuple[torch.Tensor, ...]) -> None:
    """The end agrees with the best regular pentagon, found with two unknowns, other samples and another search."""
    density, _, _, W, b, loss = pentagons
    expected = tegum.factor_optimum(PENTAGON, [0.02, 0.05]).set_index("density")
    for k, p in enumerate(density[:, 0].tolist()):
        best = expected.loc[p]
        norms = W[k].norm(dim=0)
        np.testing.assert_allclose(norms, best["norm"], atol=1e-2)
        np.testing.assert_allclose(b[k], best["bias"], atol=1e-2)
        assert norms.mean().item() == pytest.approx(best["norm"], abs=1e-3)
        assert b[k].mean().item() == pytest.approx(best["bias"], abs=1e-3)
        assert loss[k].item() == pytest.approx(best["loss"], rel=1e-3)
        directions = (W[k] / norms).numpy()
        np.testing.assert_allclose(directions.T @ directions, PENTAGON.corners.T @ PENTAGON.corners, atol=2e-2)
    assert W[0].norm(dim=0).mean().item() == pytest.approx(1.135, abs=2e-3)
    assert b[0].mean().item() == pytest.approx(-0.246, abs=2e-3)


def test_dead_outputs_get_their_mean() -> None:
    """An output that is always 0 has no gradient, and would cost p²/4 too much."""
    cross = np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1)
    density = tensor([[0.01, 0.1, 0.1, 0.1, 0.1]])
    W, b, loss = branches.follow(tensor(cross)[None], tensor([[-0.3, 0, 0, 0, 0]]), density)
    assert W[0, :, 0].norm() < 1e-3
    assert b[0, 0].item() == pytest.approx(0.005, abs=1e-5)
    digons = tegum.factor_optimum(Polytope("digon", polytopes.polygon(2)[:1]), [0.1])["loss"].item()
    assert loss.item() == pytest.approx(2 * digons + 0.01 / 3 - 0.01**2 / 4, rel=1e-3)


def test_follow_knows_the_sets() -> None:
    """A dense correlated pair in one dimension ends in one direction, (a + b)/√2."""
    pair, density = Distribution(correlated=((0, 1),)), tensor([[0.7, 0.7]])
    W, _, loss = branches.follow(tensor([[[0.9, 0.3]]]), tensor([[0.0, 0.1]]), density, pair)
    np.testing.assert_allclose(W[0, 0].abs(), [0.5**0.5] * 2, atol=0.03)
    assert W[0, 0, 0] * W[0, 0, 1] > 0
    variance, covariance = 0.7 / 3 - 0.7**2 / 4, 0.7 / 4 - 0.7**2 / 4
    assert loss.item() <= variance - covariance + 1e-4


# From density to density.


def pentagon_at(ratio: float) -> torch.Tensor:
    return tensor([[ratio * 0.05, *[0.05] * 4]])


def test_trace_follows_step_by_step() -> None:
    """Every step is a minimum at its own density, and steps keep their order."""
    start = branches.follow(tensor(1.13 * PENTAGON.corners)[None], tensor(np.full((1, 5), -0.25)), pentagon_at(1))
    ratios = [1.0, 1.5, 2.2]
    W, b, loss = branches.trace(start[0], start[1], torch.stack([pentagon_at(r) for r in ratios]))
    for k, ratio in enumerate(ratios):
        assert slopes(W[k], b[k], pentagon_at(ratio)).max() < 1e-6
        torch.testing.assert_close(loss[k], branches.precise_loss(W[k], b[k], pentagon_at(ratio)), rtol=1e-9, atol=0)
    cosine = (W[:, 0, :, 0] * W[:, 0, :, 1]).sum(-1) / W[:, 0, :, 0].norm(dim=-1) / W[:, 0, :, 1].norm(dim=-1)
    assert cosine.tolist() == sorted(cosine, reverse=True), "a denser feature pushes the others away"
    assert start[2].item() == pytest.approx(loss[0].item(), rel=1e-6)


def test_trace_leaves_a_saddle() -> None:
    """Two digons are a saddle where a fifth feature is five times as dense; deviations break their symmetry."""
    cross = tensor(np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1))[None]
    b = tensor([[0.125, 0, 0, 0, 0]])
    kept, _, high = branches.follow(cross, b, pentagon_at(5))
    W, _, loss = branches.trace(cross, b, pentagon_at(5)[None])
    assert kept[0, :, 0].norm() < 1e-3
    assert W[0, 0, :, 0].norm() > 0.5
    assert loss[0] < 0.9 * high


def test_losses_are_equal_at_a_crossing() -> None:
    """Followed separately, the branch that is lower on one side of the crossing is higher on the other."""
    cross = np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1)
    W = tensor(np.stack([1.15 * PENTAGON.corners, cross]))
    b = tensor([[-0.25] * 5, [0.0] * 5])
    ratio, at, bias = branches.crossing(W[None], b[None], tensor([0.35]), lambda r: pentagon_at(1) * kept(r))
    assert 0.2 < ratio.item() < 0.4
    near = torch.cat([pentagon_at(ratio.item() * side) for side in (0.9999, 1.0001)]).repeat_interleave(2, dim=0)
    _, _, loss = branches.follow(W.repeat(2, 1, 1), b.repeat(2, 1), near)
    below, above = loss.view(2, 2).diff()
    assert below * above < 0
    losses = branches.precise_loss(at[0], bias[0], pentagon_at(ratio.item()).expand(2, -1))
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    assert at[0, 1, :, 0].norm() < 1e-3 < at[0, 0, :, 0].norm()


def kept(ratio: torch.Tensor) -> torch.Tensor:
    """Return factors of the densities, of which the first is varied."""
    return torch.stack([ratio, *[torch.ones_like(ratio)] * 4], dim=-1)


def test_branches_that_do_not_cross() -> None:
    """A digon is better than no feature at every density, so there is no crossing to return."""
    digon = np.array([[1.0, -1.0]])
    with few_samples(2**6):
        at, _, _ = branches.crossing(
            tensor(np.stack([digon, 0 * digon]))[None],
            torch.zeros(1, 2, 2, dtype=torch.float64),
            tensor([0.1]),
            lambda p: p[:, None].expand(-1, 2).clamp(max=0.5),
        )
    assert at.isnan().all()

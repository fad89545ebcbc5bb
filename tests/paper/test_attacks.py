"""Attacks on models whose responses are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.adversarial import attacks
from superposition.paper.adversarial.attacks import Target, gradient_ascent
from superposition.training.evaluation import losses

M, N = 3, 6


def models(W: torch.Tensor, b: torch.Tensor, **changes: object) -> SweepResult:
    """Return one model at every density."""
    settings = {"model": "relu_output", "n": N, "m": M, "density": [1, 0.2], "evaluation": 2**22}
    sweep = Sweep.parse(settings | changes)
    count = len(sweep.points())
    parameters = {"W": W.expand(count, 1, M, N).clone(), "b": b.expand(count, 1, N).clone()}
    loss = torch.ones(count, 1, dtype=torch.float64)
    return SweepResult(sweep, parameters, loss, loss)


def without_superposition(density: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a model with a dimension for each of the first features and the mean for the others."""
    b = torch.full((N,), density / 2)
    b[:M] = 0
    return torch.eye(M, N), b


def random_model(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(M, N, generator=generator) / 2, torch.randn(N, generator=generator) / 5


@pytest.mark.parametrize("point", [0, 1])
def test_loss_without_an_attack(point: int) -> None:
    """Without an attack the loss is the expected loss, including the all-zero sample."""
    trained = models(*random_model())
    target = attacks.make_target(trained, point, 2**17)
    expected, error = losses(trained.sweep, trained.parameters)
    found = target.loss(torch.zeros(1, N))
    assert abs(float(found) - float(expected[point, 0])) < 0.01 * float(expected[point, 0]) + 5 * float(error[point, 0])


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_mean_norm(density: float) -> None:
    """The mean of ‖x‖ includes all-zero samples."""
    x = np.random.default_rng(0).random((2, 200_000, N))
    expected = np.linalg.norm(x[0] * (x[1] < density), axis=1).mean()
    target = attacks.make_target(models(*random_model(), density=density), 0, 2**16)
    assert target.mean_norm == pytest.approx(expected, rel=0.01)


def test_directions() -> None:
    """Row i of WᵀW, as a unit vector, is the change of input that changes output i the most."""
    W, b = random_model()
    target = attacks.make_target(models(W, b), 0, 64)
    directions = target.analytic_attacks()
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(N))
    gram = W.T @ W
    for i in range(N):
        others = torch.nn.functional.normalize(torch.randn(50, N, generator=torch.Generator().manual_seed(i)), dim=1)
        assert (others @ gram[i]).max() <= directions[i] @ gram[i] + 1e-6


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_a_model_without_superposition_is_misled_by_the_square_of_the_size(density: float) -> None:
    """Every attack is along one feature and changes its output by the size of the attack."""
    target = attacks.make_target(models(*without_superposition(density), density=density), 0, 256)
    directions = target.analytic_attacks()
    torch.testing.assert_close(directions[:M], torch.eye(M, N))
    assert target.worst_rise(0.3 * directions) == pytest.approx(0.09, rel=1e-4)


def test_features_that_do_not_count() -> None:
    """The errors of features that do not count are ignored, and attacks do not touch them."""
    W, b = random_model()
    target = attacks.make_target(models(W, b), 0, 512)
    counted = torch.tensor([True, False, True, True, False, False])
    some = replace(target, counted=counted)
    assert some.analytic_attacks().shape == (3, N)
    assert (some.analytic_attacks()[:, ~counted] == 0).all()
    rest = replace(target, counted=~counted)
    delta = 0.2 * torch.ones(1, N)
    torch.testing.assert_close(some.loss(delta) + rest.loss(delta), target.loss(delta))


@pytest.mark.parametrize("point", [0, 1])
def test_rises_are_those_of_the_loss(point: int) -> None:
    """Rises agree with a pass through all samples, whether or not outputs cross 0."""
    target = replace(attacks.make_target(models(*random_model()), point, 4096), counted=torch.arange(N) != 2)
    deltas = torch.cat([0.5 * target.analytic_attacks(), 3 * target.analytic_attacks(), torch.zeros(1, N)])
    plain = torch.stack([target.loss(delta[None]) for delta in deltas]) - target.clean_loss
    torch.testing.assert_close(target.rise_and_gradient(deltas)[0].float(), plain, rtol=1e-4, atol=1e-5)


def test_the_worst_attack() -> None:
    """Attacks are ranked by few samples, and the worst is measured with all."""
    target = attacks.make_target(models(*random_model()), 1, 4096)
    deltas = 0.5 * target.analytic_attacks()
    assert target.worst_rise(deltas) == pytest.approx(float(target.rise_and_gradient(deltas)[0].max()), rel=1e-5)
    subset = target.ranking_subset
    assert len(subset.x) == attacks.RANKING_SAMPLES + 1
    assert float(subset.share.sum()) == pytest.approx(1, rel=1e-5)
    assert (subset.x[-1] == 0).all()
    rises = subset.rise_and_gradient(target.rank(deltas))[0].tolist()
    assert rises == sorted(rises, reverse=True)


@pytest.mark.parametrize("per_sample", [False, True])
def test_rises_and_their_gradients(per_sample: bool) -> None:
    target = attacks.make_target(models(*random_model()), 1, 256)
    deltas = (0.4 * target.analytic_attacks()[:1]).expand(257 if per_sample else 1, N).requires_grad_()
    output = torch.relu((target.x + deltas) @ target.W.T @ target.W + target.b)
    loss = (target.share @ (output - target.x) ** 2).sum()
    (expected,) = torch.autograd.grad(loss, deltas)
    measured = target.rise_and_gradient_per_sample if per_sample else target.rise_and_gradient
    rise, found = measured(deltas.detach())
    assert rise.item() == pytest.approx((loss - target.clean_loss).item(), rel=1e-3)
    expected, found = (torch.nn.functional.normalize(part.float(), dim=1) for part in (expected, found))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def centred(W: torch.Tensor) -> Target:
    """Return a model that is linear on symmetric samples, so that its mean error is 0."""
    x = torch.rand(64, N, generator=torch.Generator().manual_seed(0))
    x = torch.cat([x, 1 - x, torch.full((1, N), 0.5)])
    b = torch.full((N,), 100.0)
    shares = torch.full((129,), 1 / 129)
    return Target(W, b - 0.5 * W.T @ W @ torch.ones(N), x, shares, torch.ones(N, dtype=torch.bool))


def test_gradient_ascent_finds_the_singular_vector() -> None:
    """For large attacks, the rise is largest along the first singular vector of WᵀW where no output is cut off."""
    W, _ = random_model(3)
    target = centred(W)
    size = 1e4  # The quadratic term outweighs the linear one.
    found = gradient_ascent(target, torch.randn(3, N, generator=torch.Generator().manual_seed(2)), size, 100)
    top = float(torch.linalg.svdvals((W.T @ W).double())[0])
    assert found == pytest.approx((size * top) ** 2, rel=0.05)


def test_gradient_ascent_ends_above_its_start() -> None:
    """Gradient ascent ends above its start, also where a feature does not count."""
    target = replace(attacks.make_target(models(*random_model()), 0, 1024), counted=torch.arange(N) != 2)
    starts = target.analytic_attacks()
    assert gradient_ascent(target, starts, 0.3, 0) == pytest.approx(
        float(target.rise_and_gradient(0.3 * starts)[0].max()), rel=1e-4
    )
    assert gradient_ascent(target, starts, 0.3, 30) > 1.001 * gradient_ascent(target, starts, 0.3, 0)


def test_gradient_ascent_leaves_other_features_alone() -> None:
    """The feature that would mislead the model the most may not be touched."""
    W = torch.zeros(M, N)
    W[0, 0], W[1, 1] = 3, 1
    target = replace(
        attacks.make_target(models(W, torch.ones(N)), 0, 256),
        counted=torch.tensor([False, True, False, False, False, False]),
    )
    start = torch.zeros(1, N)
    start[0, 1] = 1
    found = gradient_ascent(target, start, 0.1, 20)
    assert found == pytest.approx(float(target.rise_and_gradient(0.1 * start)[0]), rel=1e-4)

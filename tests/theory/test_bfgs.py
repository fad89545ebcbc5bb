"""The batched search: known minima, problems that do not mix, and functions that are hard to search."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tensors import tensor

from superposition.theory import bfgs
from superposition.theory.bfgs import minimise


@pytest.mark.parametrize("spread", [0, 6])
@pytest.mark.parametrize("size", [1, 9])
def test_quadratic_functions(spread: int, size: int) -> None:
    """Minima of quadratic functions are found, also if curvatures spread over six decades."""
    rng, count = np.random.default_rng(size), 20
    axes = np.linalg.qr(rng.normal(size=(count, size, size)))[0]
    curvature = 10 ** (spread * (rng.random((count, size)) - 0.5))
    A = tensor(axes * curvature[:, None] @ axes.swapaxes(1, 2))
    lowest, depth, start = (tensor(rng.normal(size=shape)) for shape in ((count, size), count, (count, size)))

    def bowl(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        away = x - lowest[which]
        return torch.einsum("ki,kij,kj->k", away, A[which], away) / 2 + 1e-3 * depth[which]

    x, value, slope = minimise(bowl, start)
    torch.testing.assert_close(x, lowest, atol=3e-9 * 10 ** (spread / 2), rtol=0)  # Slope over least curvature.
    torch.testing.assert_close(value, 1e-3 * depth, atol=1e-14, rtol=1e-12)
    assert slope.max() <= bfgs.GRADIENT_TOLERANCE


VALLEYS = tensor(np.random.default_rng(3).uniform(0.2, 2, 10))
STARTS = tensor(np.random.default_rng(4).uniform(-2, 2, (10, 2)))


def valley(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """Rosenbrock's function, a bent valley, with another minimum in every problem: 0 at (a, a²)."""
    return (VALLEYS[which] - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


@pytest.mark.parametrize("lift", [0, 1000])
def test_rosenbrock(lift: float) -> None:
    """The minimum is found also where the function changes by less than its last digit."""
    x, value, slope = minimise(lambda x, which: valley(x, which) + lift, STARTS)
    torch.testing.assert_close(x, torch.stack([VALLEYS, VALLEYS**2], dim=1), atol=1e-6, rtol=0)
    assert (value - lift).max() <= 1e-15 * (1 + 1000 * lift)
    assert slope.max() <= bfgs.GRADIENT_TOLERANCE


@pytest.mark.parametrize("together", [1, 3])
def test_problems_do_not_disturb_one_another(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results do not depend on the problems that are searched at once or before.

    A problem that starts at its minimum stays there to the bit.
    """
    start = STARTS.clone()
    start[3] = torch.stack([VALLEYS[3], VALLEYS[3] ** 2])
    alone = [minimise(lambda x, which, k=k: valley(x, which + k), start[k : k + 1]) for k in range(len(start))]
    monkeypatch.setattr(bfgs, "BATCH_SIZE", together)
    sizes = set()

    def watched(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        assert len(which.unique()) == len(which) == len(x)
        sizes.add(len(which))
        return valley(x, which)

    found = minimise(watched, start)
    assert max(sizes) == together
    for values, expected in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(values, torch.cat(expected), atol=1e-7, rtol=0)
    assert torch.equal(found[0][3], start[3])


@pytest.mark.parametrize("together", [2, 100])
@pytest.mark.parametrize("evaluations", [1, 2, 20])
def test_evaluations_are_limited_for_each_problem(
    together: int, evaluations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem that waited for its turn has as many evaluations as the others."""
    monkeypatch.setattr(bfgs, "BATCH_SIZE", together)
    count = torch.zeros(5, dtype=torch.int64)

    def slope(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Only the last problem has a minimum, at which it starts; the others always go down."""
        count[which] += 1
        return torch.where(which == 4, x[:, 0] ** 2, torch.exp(-x[:, 0]))

    x, _, _ = minimise(slope, tensor([[0], [1], [2], [-1], [0]]), max_evaluations=evaluations)
    assert count.tolist() == [evaluations] * 4 + [1]
    assert ((x[:4, 0] > tensor([0, 1, 2, -1])) | (evaluations == 1)).all()


def test_a_function_that_cannot_be_lowered_ends_the_search() -> None:
    """A search ends where no step lowers the function, as near a minimum because of rounding."""
    calls = []

    def level(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """Return 0.4 with a gradient of 1 below 1, and a parabola above."""
        calls.append(len(which))
        return torch.where(x > 1, x**2 / 2, 0.4 + (x - x.detach()))[:, 0]

    x, value, slope = minimise(level, tensor([[0.7], [-3], [3]]))
    assert torch.equal(x, tensor([[0.7], [-3], [0]]))
    assert value.tolist() == [0.4] * 3
    assert slope.tolist() == [1] * 3
    assert len(calls) < 70


def test_a_plain_with_a_pit() -> None:
    """A search forgets the curvature of the plain, which in the pit suggests steps that are 10¹² times too long."""

    def pit(x: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 2, 1e-12 * (x - 1) ** 2, x**2 - 12)[:, 0] / 2

    x, value, slope = minimise(pit, tensor([[3]]), tolerance=1e-13, max_evaluations=100)
    assert (x.item(), value.item(), slope.item()) == pytest.approx((0, -6, 0), abs=1e-9)


def test_undefined_values_and_gradients() -> None:
    """A step to a value of NaN or infinity is taken back, and a gradient of NaN updates nothing."""
    x, value, _ = minimise(lambda x, _: (100 * x - torch.log(x)).sum(1), tensor([[0.5], [3], [0.02]]))
    torch.testing.assert_close(x, torch.full_like(x, 0.01), rtol=1e-6, atol=0)
    assert value.numpy() == pytest.approx(1 - np.log(0.01))
    x, value, _ = minimise(lambda x, _: 100 * (x - 2 * x.sqrt()).sum(1), tensor([[4], [0.25], [9]]))
    torch.testing.assert_close(x, torch.ones_like(x), rtol=1e-6, atol=0)
    assert value.numpy() == pytest.approx(-100)


def test_negative_curvature() -> None:
    """A step along negative curvature does not update the inverse Hessian, which would then point upwards."""
    start = tensor([[0.5], [2], [3], [-3]])
    x, _, slope = minimise(lambda x, _: -1 / (1 + x[:, 0] ** 2), start, max_evaluations=50)
    assert slope.max() <= bfgs.GRADIENT_TOLERANCE
    assert x.abs().max() < 1e-8


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_results_belong_together(seed: int) -> None:
    """Values and slopes belong to the points returned, which are not above the starts; the starts are unchanged."""
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


def test_the_lowest_of_several_minima() -> None:
    """A tilted double well has its lower minimum on the side to which it is tilted, whichever start leads there."""
    tilt = tensor([0.3, -0.3, 0.2])
    starts = tensor([[[-1.1], [0.9], [1.1]], [[-0.9], [-1.1], [1.1]], [[1.1], [1.0], [-1.0]]])
    found, value = bfgs.minimise_from_all(lambda x, which: ((x**2 - 1) ** 2 + tilt[which, None] * x)[:, 0], starts)
    assert (found[:, 0] * tilt < 0).all()
    torch.testing.assert_close(4 * found**3 - 4 * found + tilt[:, None], torch.zeros(3, 1).double(), atol=1e-8, rtol=0)
    torch.testing.assert_close(value, ((found**2 - 1) ** 2 + tilt[:, None] * found)[:, 0])

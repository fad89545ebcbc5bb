"""Test how models are polished and how their losses are compared, against ordinary samples and single steps."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.search.benches import bench_of, drawn
from tests.search.test_weighted import of_ordinary_samples

from superposition.search import polishing
from superposition.search.polishing import GROUPS, MIN_BATCH, Bench, Course, Draws

# The shapes of arrays are checked where the numbers of sections and of the search are compared with those on record.
pytestmark = pytest.mark.usefixtures("without_shape_checks")

COMMON = {"model": "relu_output", "n": 14, "m": 3, "steps": 40, "learning_rate": 0.01}
DRAWS = Draws(2**15, 0, 2**12)
# Small, crowded, rare, of unequal cost, and whatever else changes how a loss is computed.
KINDS: dict[str, dict[str, object]] = {
    "small": {"n": 5, "density": 0.2},
    "crowded": {"density": 0.6},
    "usual": {"density": 0.1},
    "rare": {"density": 0.01},
    "unequal": {"density": 0.1, "importance": {"decay": 0.6}},
    "unequal and rare": {"density": 0.01, "importance": {"decay": 0.6}},
    "correlated": {"density": 0.1, "distribution": {"correlated": [[0, 1], [2, 3, 4]]}},
    "attacked": {"density": 0.2, "attack": 0.3},
    "penalised": {"density": 0.2, "l1": 0.2},
    "hidden": {"density": 0.2, "model": "relu_hidden"},
    "signed": {"density": 0.2, "model": "absolute", "distribution": "signed"},
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return bench_of(COMMON, **KINDS)


def test_losses_of_every_kind_are_those_of_ordinary_samples(bench: Bench) -> None:
    candidates = drawn(bench)
    losses = bench.losses(candidates, DRAWS, stream=0)
    for candidate, found in zip(candidates, losses, strict=True):
        condition = bench.family.conditions[candidate.condition]
        expected, error = (float(v) for v in of_ordinary_samples(condition.plan, candidate.parameters[None], 2**17))
        own = found.std(ddof=1) / GROUPS**0.5
        assert own < 0.02 * expected, condition.experiment
        assert abs(found.mean() - expected) < 4 * np.hypot(own, error) + 1e-6 * expected, condition.experiment


def test_a_loss_depends_neither_on_the_other_models_nor_on_their_order(bench: Bench) -> None:
    candidates = drawn(bench, 3)
    order = np.random.default_rng(0).permutation(len(candidates))
    together = bench.losses([candidates[k] for k in order], DRAWS, stream=0)
    # Each on a bench of its own, which knows no loss.
    alone = np.concatenate([Bench(bench.family, bench.pool).losses([candidates[k]], DRAWS, stream=0) for k in order])
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    other = bench.losses([candidates[k] for k in order], DRAWS, stream=1)
    assert (other != together).any(axis=1).all()


def test_no_model_is_evaluated_twice_on_the_same_draws(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal models of a condition are one, and a loss that is known exactly is not estimated."""
    bench, evaluated = Bench(bench.family, bench.pool), Counter[str]()

    def counted(name: str) -> Callable[..., Any]:
        evaluate = getattr(polishing, name)

        def count(about: Any, where: Any, parameters: torch.Tensor, *more: int) -> Any:
            evaluated[name] += len(parameters)
            return evaluate(about, where, parameters, *more)

        return count

    for name in ("weighted_losses", "Fused"):
        monkeypatch.setattr(polishing, name, counted(name))
    # The first is a small model, and the others are evaluated on ordinary samples, one group after the other.
    first, second, third = drawn(bench)[:3]
    bench.remember([third], [0.25], DRAWS, 0)
    again = first._replace(source="again", parameters=first.parameters.clone())
    losses = bench.losses([first, again, second, third], DRAWS, stream=0)
    np.testing.assert_array_equal(losses[0], losses[1])
    assert (losses[3] == 0.25).all()
    np.testing.assert_array_equal(bench.losses([second, first], DRAWS, stream=0), losses[[2, 0]])
    assert evaluated == {"weighted_losses": 1, "Fused": GROUPS}
    bench.losses([third], DRAWS, stream=1)
    bench.losses([third], DRAWS._replace(samples=2**14), stream=0)
    assert evaluated == {"weighted_losses": 1, "Fused": 3 * GROUPS}


def test_models_that_diverged_have_infinite_losses(bench: Bench) -> None:
    broken = [c._replace(parameters=torch.full_like(c.parameters, torch.nan)) for c in drawn(bench)]
    assert (bench.losses(broken, DRAWS, stream=0) == np.inf).all()
    assert bench.losses([], DRAWS, stream=0).shape == (0, GROUPS)


def test_gains_are_shares_of_the_lower_loss(bench: Bench) -> None:
    """Where there is no loss to speak of, they are shares of 1/10,000 of the loss of a model that drops everything."""
    candidates, rng = drawn(bench)[:2], np.random.default_rng(0)
    over = np.stack([1 + 0.1 * rng.random(GROUPS), np.zeros(GROUPS)])
    less = 1e-4 * bench.family.conditions[1].dropped
    share, error = bench.gains(candidates, over + np.array([[0.2], [0.3 * less]]), over)
    np.testing.assert_allclose(share, [0.2 / over[0].mean(), 0.3])
    np.testing.assert_allclose(error, 0, atol=1e-15)
    difference = rng.normal(size=GROUPS)
    share, error = bench.gains(candidates[:1], over[:1] + difference, over[:1])
    assert error[0] == pytest.approx(np.std(difference, ddof=1) / GROUPS**0.5 / over[0].mean())


def test_polishing_lowers_every_loss(bench: Bench) -> None:
    candidates = drawn(bench, 2)
    polished = bench.polish(candidates, Course(1, 1000, rate=1.0), stream=0)
    before, after = (bench.losses(some, DRAWS, stream=0).mean(axis=1) for some in (candidates, polished))
    assert (after < before).all()
    sources = [(c.condition, f"{c.source}, polished") for c in candidates]
    assert [(c.condition, c.source) for c in polished] == sources
    assert [(c.condition, c.source) for c in bench.polish(polished, Course(1, 1), stream=0)] == sources


def test_a_step_is_as_long_as_the_rate_and_their_number_is_limited(bench: Bench) -> None:
    """The first step of Adam changes every parameter that has a gradient by the learning rate."""
    candidates = drawn(bench)

    def moved(course: Course, stream: int = 0) -> list[torch.Tensor]:
        polished = bench.polish(candidates, course, stream)
        return [(p.parameters - c.parameters).abs() for p, c in zip(polished, candidates, strict=True)]

    one = moved(Course(1, 1, rate=0.5))
    for change in one:
        assert float(change.max()) == pytest.approx(0.5 * COMMON["learning_rate"], rel=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(one, moved(Course(1 / 100, 9, rate=0.5)), strict=True))
    few = Course(1, 5)
    for other in (moved(few, stream=1), moved(few._replace(batch=20 * MIN_BATCH))):
        assert not any(torch.equal(a, b) for a, b in zip(moved(few), other, strict=True))
    # With warm-up the first of ten steps is a tenth as long.
    for change, whole in zip(moved(Course(1, 1, rate=0.5, warmup=10.0)), one, strict=True):
        torch.testing.assert_close(change, whole / 10, rtol=0.01, atol=1e-6)


def test_what_has_no_gradient_stays() -> None:
    """Weights do not decay: of an output that is always 0, nothing changes."""
    bench = bench_of(COMMON, one={"density": 0.2})
    (candidate,), model = drawn(bench), bench.family.conditions[0].model
    p = model.unpack(candidate.parameters.clone())
    p["b"][:] = -100
    still = candidate._replace(parameters=model.pack(p))
    (polished,) = bench.polish([still], Course(1, 5), stream=0)
    assert torch.equal(polished.parameters, still.parameters)


def test_delicate_models_are_polished_for_longer() -> None:
    """Where rare samples decide between features of very unequal cost, there are twice as many steps."""
    bench = bench_of(COMMON, equal={"density": 0.01}, unequal={"density": 0.01, "importance": {"decay": 0.6}})
    before = drawn(bench)
    one, same, more = (
        bench.polish(before, Course(steps / 40, limit), 0) for steps, limit in ((3, 3), (3, 100), (6, 6))
    )
    assert torch.equal(one[0].parameters, same[0].parameters)
    assert not torch.equal(one[1].parameters, same[1].parameters)
    assert torch.equal(more[1].parameters, same[1].parameters)

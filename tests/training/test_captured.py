"""The GPU engine against the plain one: on a GPU where there is one, else with the CPU in its place."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
import numpy as np
import pytest
import torch
from tests.training.test_engines import CASES, make_block, recipe

from superposition.training.autograd import Autograd
from superposition.training.captured import WARM_UP, Captured
from superposition.training.engine import TrainingConfig

there_is_a_gpu = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not there_is_a_gpu, reason="there is no GPU here")
DEVICE = torch.device("cuda" if there_is_a_gpu else "cpu")


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    """And nothing in its way: the checks of shapes cannot be compiled."""
    before = jaxtyping.config.jaxtyping_disable
    torch.compiler.reset()
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
    torch.compiler.reset()


def trace_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, all but the compiler's kernels, which take their time."""
    if not there_is_a_gpu:
        plain = torch.compile
        monkeypatch.setattr(torch, "compile", lambda step, **options: plain(step, backend="aot_eager", **options))


def both(name: str, plan: TrainingConfig, keys: int = 2) -> tuple[Captured, Autograd]:
    model, _, distribution, against = CASES[name]
    block, weights = make_block(model, distribution, against, keys)
    return Captured(block.to(DEVICE), plan, weights.to(DEVICE)), Autograd(block, plan, weights)


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_autograd(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as for a GPU, every model takes the steps of plain PyTorch with its own AdamW: warm-up, weight decay and
    all."""
    trace_only(monkeypatch)
    captured, autograd = both(name, recipe(CASES[name][1], steps=20, warmup=0.3, weight_decay=0.1))
    for stretch in ((0, 1), (1, 5), (5, 20)):
        captured.advance(*stretch)
        autograd.advance(*stretch)
    torch.testing.assert_close(captured.parameters.cpu(), autograd.parameters.detach(), atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", ["odd", "absolute sets"])
def test_compiled_steps_are_those_of_autograd(name: str) -> None:
    """With the compiler's own kernels: it knows how to multiply the 64-bit words of the random numbers."""
    captured, autograd = both(name, recipe(CASES[name][1], steps=20))
    captured.advance(0, 20)
    autograd.advance(0, 20)
    torch.testing.assert_close(captured.parameters.cpu(), autograd.parameters.detach(), atol=2e-6, rtol=0)


def test_blocks_of_one_shape_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes as long as training thousands of small models; a sweep has many blocks."""
    compiled = 0
    plain = torch.compile

    def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> torch.fx.GraphModule:
        nonlocal compiled
        compiled += 1
        return graph

    monkeypatch.setattr(torch, "compile", lambda step, **options: plain(step, backend=backend, **options))
    for _ in range(3):
        both("odd", recipe(16))[0].advance(0, 3)
    assert compiled == 2, "the draw and the step"
    for batch in range(17, 27):  # other recipes have other shapes; by itself PyTorch would give up after eight
        both("odd", recipe(batch))[0].advance(0, 2)
    assert compiled == 22


def test_a_step_is_recorded_once_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the CPU in place of a GPU, whose recording of a step does not take it: a step that is lost or taken twice
    there would shift all rates and batches."""
    trace_only(monkeypatch)
    captured, autograd = both("odd", recipe(16, steps=12))
    taken, events = captured._take, []
    state = (captured.parameters, captured._mean, captured._square, captured._step)

    class Graph:
        def replay(self) -> None:
            events.append("replayed")
            taken()

    @contextmanager
    def record(graph: Graph) -> Iterator[None]:
        events.append("recorded")
        before = [part.clone() for part in state]
        yield
        for part, value in zip(state, before, strict=True):
            part.copy_(value)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    captured._recorded = True
    for stretch in ((0, 2), (2, 7), (7, 12)):
        captured.advance(*stretch)
    autograd.advance(0, 12)
    assert events == ["recorded"] + (12 - WARM_UP) * ["replayed"]
    torch.testing.assert_close(captured.parameters.cpu(), autograd.parameters.detach(), atol=2e-6, rtol=0)


@needs_gpu
def test_a_recorded_step_goes_on_where_the_others_ended() -> None:
    """On a GPU: the recording takes no step, and every replay looks up its own rate and draws its own batch."""
    (captured, autograd), (twin, _) = both("wide", recipe(64, steps=50)), both("wide", recipe(64, steps=50))
    captured.advance(0, WARM_UP)
    captured.advance(WARM_UP, 50)
    twin.advance(0, 50)
    autograd.advance(0, 50)
    assert torch.equal(captured.parameters, twin.parameters)
    assert int(captured._step) == 50
    np.testing.assert_allclose(captured.parameters.cpu(), autograd.parameters.detach(), atol=1e-5)


@pytest.mark.parametrize("coactive", [False, True])
def test_losses_are_those_of_autograd(coactive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the last chunk reaches past the end."""
    trace_only(monkeypatch)
    monkeypatch.setattr("superposition.training.captured.EVALUATION_CHUNK", 6 * 7 * 64)
    captured, plain = both("odd", recipe(16))
    np.testing.assert_allclose(captured.losses(300, coactive), plain.losses(300, coactive), rtol=1e-5)

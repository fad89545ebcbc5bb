"""Test the GPU engine against the reference, on a GPU if there is one and otherwise on the CPU.

Most tests take its steps as they are written; tracing and compiling them takes seconds, and waits for CI.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from tests.cases import in_ci
from tests.training.test_engines import CASES, config, make_block
from tests.training.test_other_models import REFERENCE, sweep
from tests.training.test_runner import check_engine

from superposition.training.autograd import Autograd
from superposition.training.blocks import Plan
from superposition.training.captured import WARM_UP, Captured
from superposition.training.engine import TrainingConfig

has_gpu = torch.cuda.is_available()
DEVICE = torch.device("cuda" if has_gpu else "cpu")


@pytest.fixture
def fresh_compiler(without_shape_checks: None) -> Iterator[None]:
    """Start and leave without compiled code."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture(params=["compiled"] if has_gpu else in_ci(["written", "traced"], "written"))
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the steps as they are written, traced without generating kernels, or compiled for a GPU."""
    plain = torch.compile
    if request.param == "written":
        monkeypatch.setattr(torch, "compile", lambda work, **_: work)
    else:
        request.getfixturevalue("fresh_compiler")
    if request.param == "traced":
        monkeypatch.setattr(torch, "compile", lambda work, **options: plain(work, backend="aot_eager", **options))


def both(name: str, plan: TrainingConfig) -> tuple[Captured, Autograd]:
    model, _, distribution, against, _ = CASES[name]
    block, weights = make_block(model, distribution, against, keys=2)
    return Captured(block.to(DEVICE), plan, weights.to(DEVICE)), Autograd(block, plan, weights)


def check_steps(name: str, plan: TrainingConfig) -> None:
    captured, reference = both(name, plan)
    for stretch in ((0, 1), (1, 5), (5, plan.steps)):
        captured.advance(*stretch)
        reference.advance(*stretch)
    torch.testing.assert_close(captured.parameters.cpu(), reference.parameters.detach(), atol=2e-6, rtol=0)


@pytest.mark.usefixtures("step")
@pytest.mark.parametrize("name", ["odd", "attacked and penalised"])
def test_steps_are_those_of_the_reference(name: str) -> None:
    """The steps, with warm-up and weight decay, are those of the reference."""
    check_steps(name, config(CASES[name][1], steps=20, warmup=0.3, weight_decay=0.1))


# Other values and activations, noise and dropout. Tracing takes seconds, so each case combines several.
OTHERS: dict[str, dict[str, Any]] = {
    "half-normal, signed, with dropout and noise": REFERENCE["half-normal, signed"] | {"dropout": 0.3, "noise": 0.1},
    "exponential, with sets, gelu inside and noise": REFERENCE["gelu inside"] | {"values": "exponential", "noise": 0.3},
    "from a half, with softplus, untied": REFERENCE["softplus"] | {"values": {"minimum": 0.5}},
}


@pytest.mark.usefixtures("step")
@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_steps_and_losses_of_other_models(changes: dict[str, Any]) -> None:
    plan = Plan(sweep(**changes))
    instances = np.arange(len(plan))
    block, settings = plan.block(instances), TrainingConfig.of(plan.sweep)
    weights = plan.initial(block, instances)
    captured = Captured(block.to(DEVICE), settings, weights.to(DEVICE))
    reference = Autograd(block, settings, weights)
    for engine in (captured, reference):
        engine.advance(0, 20)
    torch.testing.assert_close(captured.parameters.cpu(), reference.parameters.detach(), atol=1e-5, rtol=0)
    np.testing.assert_allclose(captured.losses(100), reference.losses(100), rtol=1e-3, atol=1e-6)


@pytest.mark.usefixtures("step")
def test_whole_sweeps_are_those_of_the_other_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    check_engine(Captured, monkeypatch)


# Compiling for a CPU takes seconds, so that it stops at the two cases that differ most.
COMPILED = CASES if has_gpu else ("absolute sets", "attacked and penalised")


@pytest.mark.integration
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_steps_are_those_of_the_reference(name: str) -> None:
    """The compiler's own kernels multiply the 64-bit words of the random numbers, too."""
    check_steps(name, config(CASES[name][1], steps=20))


@pytest.mark.integration
@pytest.mark.usefixtures("fresh_compiler")
def test_blocks_of_one_shape_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes as long as training thousands of small models. PyTorch's limit, here two shapes, is raised."""
    compiled = 0
    plain = torch.compile

    def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> torch.fx.GraphModule:
        nonlocal compiled
        compiled += 1
        return graph

    monkeypatch.setattr(torch, "compile", lambda step, **options: plain(step, backend=backend, **options))
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 2)
    for _ in range(2):
        both("signed linear", config(16))[0].advance(0, 3)
    assert compiled == 2, "the draw and the step"
    for batch in (17, 18, 19):
        both("signed linear", config(batch))[0].advance(0, 1)
    assert compiled == 8


class OnGPU(torch.Tensor):
    """A tensor that says that it is on a GPU."""

    is_cuda = property(lambda self: True)


def test_a_step_is_recorded_once_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording takes no step: one that was lost or taken twice would shift all rates and batches."""
    recording: list[Callable[[], None]] | None = None
    events = []

    def compiled(work: Callable[[], None], **_: object) -> Callable[[], None]:
        return lambda: work() if recording is None else recording.append(work)

    class Graph:
        def replay(self) -> None:
            events.append("replayed")
            for work in self.work:
                work()

    @contextmanager
    def record(graph: Graph) -> Iterator[None]:
        nonlocal recording
        events.append("recorded")
        graph.work = recording = []
        yield
        recording = None

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    model, _, distribution, against, _ = CASES["odd"]
    block, weights = make_block(model, distribution, against, keys=2)
    captured, reference = Captured(block, config(16), weights.as_subclass(OnGPU)), Autograd(block, config(16), weights)
    for stretch in ((0, 2), (2, 7), (7, 10)):
        captured.advance(*stretch)
    reference.advance(0, 10)
    assert events == ["recorded"] + (10 - WARM_UP) * ["replayed"]
    found = captured.parameters.as_subclass(torch.Tensor)
    torch.testing.assert_close(found, reference.parameters.detach(), atol=2e-6, rtol=0)


@pytest.mark.skipif(not has_gpu, reason="there is no GPU here")
@pytest.mark.usefixtures("fresh_compiler")
def test_a_recorded_step_continues_where_the_others_ended() -> None:
    """On a GPU, recording takes no step, and every replay looks up its own rate and draws its own batch."""
    (captured, reference), (twin, _) = both("wide", config(64, steps=50)), both("wide", config(64, steps=50))
    captured.advance(0, WARM_UP)
    captured.advance(WARM_UP, 50)
    twin.advance(0, 50)
    reference.advance(0, 50)
    assert torch.equal(captured.parameters, twin.parameters)
    np.testing.assert_allclose(captured.parameters.cpu(), reference.parameters.detach(), atol=1e-5)


@pytest.mark.usefixtures("step")
@pytest.mark.parametrize("coactive", [False, True])
def test_losses_are_those_of_the_reference(coactive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are those of the reference, also if the last chunk reaches past the end."""
    monkeypatch.setattr("superposition.training.captured.GPU_EVALUATION_CHUNK", 6 * 7 * 64)
    captured, plain = both("odd", config(16))
    np.testing.assert_allclose(captured.losses(300, coactive), plain.losses(300, coactive), rtol=1e-5)

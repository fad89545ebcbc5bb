"""The CPU engine and the reference against each other, float64, finite differences, and AdamW written out."""

import importlib.util
import platform
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tests.cases import in_ci

from superposition.core import draws, features
from superposition.core.errors import SuperpositionError
from superposition.core.experiment.distribution import Distribution
from superposition.core.features import Gates
from superposition.core.models import Model
from superposition.theory import exact
from superposition.training import autograd, fused
from superposition.training.autograd import Autograd
from superposition.training.engine import EVALUATION_KEY, Block, TrainingConfig
from superposition.training.fused import Fused

SETS = Distribution(correlated=((4, 1),), anticorrelated=((0, 3, 5),))
SIGNED = Distribution(signed=True)
SIGNED_SETS = Distribution(correlated=((0, 2),), anticorrelated=((1, 3),), signed=True)
# What is minimised besides the loss.
ALONE, ATTACKED, PENALISED, BOTH = (), ("attack",), ("l1",), ("attack", "l1")
# The model, the batch, the distribution, what is minimised besides the loss, and when a tile is handled sparsely: never
# (0), always (1), or where less than half of its values are nonzero (2). Each case is compiled, so they are as few as
# cover every branch of fused.cpp. The first three are trained in registers. Sizes fill no register block, and batches
# fill no vector (of 16, 8 or 4) and no tile (of 512, 256 or 128), but for one batch that fills a tile.
CASES: dict[str, tuple[Model, int, Distribution, tuple[str, ...], int]] = {
    "smallest": (Model("relu_hidden", 1, 1), 3, Distribution(), ALONE, 0),
    "two tiles": (Model("relu_output", 2, 1), 515, Distribution(), ALONE, 0),
    "signed linear": (Model("linear", 3, 2), 40, SIGNED, ALONE, 0),
    "full tile": (Model("relu_output", 4, 4), 256, Distribution(), ALONE, 0),
    "odd": (Model("relu_output", 7, 3), 300, Distribution(), ALONE, 1),
    "wide": (Model("relu_output", 20, 18), 261, Distribution(), ALONE, 2),
    "sets": (Model("relu_output", 7, 3), 100, SETS, PENALISED, 0),
    "hidden relu": (Model("relu_hidden", 6, 5, hidden_bias=True), 50, Distribution(), PENALISED, 0),
    "hidden bias": (Model("relu_hidden", 7, 3, hidden_bias=True), 129, SIGNED_SETS, ALONE, 2),
    "absolute sets": (Model("absolute", 5, 9), 64, SIGNED_SETS, ALONE, 0),
    "absolute": (Model("absolute", 3, 7), 31, SIGNED, PENALISED, 1),
    "attacked": (Model("linear", 8, 3), 70, Distribution(), ATTACKED, 0),
    "attacked and penalised": (Model("relu_output", 5, 2), 261, Distribution(), BOTH, 2),
}


def make_block(
    model: Model, distribution: Distribution, against: tuple[str, ...] = ALONE, keys: int = 1
) -> tuple[Block, torch.Tensor]:
    """Make six instances with different densities, importances and weights.

    Every other one has no sets, and two minimise nothing besides the loss.
    """
    rng = np.random.default_rng(3)
    densities = rng.choice([1.0, 0.5, 0.1, 0.01], (6, model.n))
    for members in distribution.sets:
        densities[:, members] = densities[:, members[:1]]
    distributions = [distribution, Distribution(signed=distribution.signed)] * 3
    sizes = {name: np.array([0, 0.3, 0, 0.1, 0.02, 1], dtype=np.float32) for name in against}
    conditional = sizes["attack"] == 0 if "attack" in against else None
    gates = Gates.of(densities, distributions, bool(distribution.sets), conditional)
    importance = torch.from_numpy(rng.uniform(0.1, 1, (6, model.n)).astype(np.float32))
    key = torch.tensor([[4, k % keys] for k in range(6)])
    weights = torch.from_numpy(rng.normal(0, 0.5, (6, model.size)).astype(np.float32))
    return Block(model, gates, importance, key, **{k: torch.from_numpy(v) for k, v in sizes.items()}), weights


def under_attack(block: Block, weights: torch.Tensor, x: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the input of the models: x, moved along the row of WᵀW that the last number of each sample picks."""
    given = x.double().clone()
    if block.attack is not None:
        for k, W in enumerate(block.model.unpack(weights.double())["W"].numpy()):
            for sample, u in enumerate(uniform[k, -1].tolist()):
                row = (W.T @ W)[int(u * block.model.n)]
                given[k, sample] += torch.from_numpy(float(block.attack[k]) * row / np.linalg.norm(row))
    return given


def what_is_minimised(block: Block, p: dict[str, torch.Tensor], x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """Return the loss and the penalty of every sample, in float64: Σ I (x - x')² + l1 Σ|h|."""
    loss = block.model.loss(p, x.double(), block.importance.double().expand(*x.shape[:-2], -1), given)
    if block.l1 is not None:
        loss = loss + block.l1.double()[:, None] * block.model.hidden(p, given).abs().sum(-1)
    return loss


def config(
    batch: int, steps: int = 10, schedule: str = "cosine", warmup: float = 0.0, weight_decay: float = 0.01
) -> TrainingConfig:
    return TrainingConfig(steps, batch, learning_rate=0.01, schedule=schedule, warmup=warmup, weight_decay=weight_decay)


def handle_sparsely(monkeypatch: pytest.MonkeyPatch, few: int, module: ModuleType = fused) -> None:
    """Let the CPU engine handle a tile sparsely if fewer than one in ``few`` of its values are nonzero."""
    usual = module.constants
    monkeypatch.setattr(module, "constants", lambda block: tuple((dict(usual(block)) | {"SPARSE_RATIO": few}).items()))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Block, torch.Tensor, TrainingConfig]:
    model, batch, distribution, against, few = CASES[request.param]
    handle_sparsely(monkeypatch, few)
    return *make_block(model, distribution, against), config(batch)


def test_gradient(case: tuple[Block, torch.Tensor, TrainingConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand-written gradient agrees with autograd's in float64, and that with differences of the loss."""
    block, weights, plan = case
    # With so large an epsilon, a step of Adam is proportional to the gradient: here it is 64 times as large.
    monkeypatch.setattr(fused, "EPSILON", 1e8)
    by_hand = Fused(block, replace(plan, learning_rate=64e8, weight_decay=0.0, schedule="constant"), weights)
    by_hand.advance(0, 1)

    precise = Autograd(block, plan, weights.double())
    precise.objective(precise.parameters, 0).sum().backward()
    gradient = precise.parameters.grad.numpy()
    scale = np.abs(gradient).max(axis=1, keepdims=True)
    assert (np.abs((weights - by_hand.parameters).double().numpy() / 64 - gradient) <= 5e-6 * scale).all()

    uniform = draws.uniforms(block.key[:1], block.gates.rows + 1, 0, plan.batch, 0, draws.TRAINING)
    uniform = uniform.expand(len(block), -1, -1)
    x, weight = features.training_batch(block.gates, uniform[:, :-1])
    given = under_attack(block, weights, x, uniform)
    rng = np.random.default_rng(5)
    direction = torch.from_numpy(rng.normal(size=(8, 1, block.model.size)))  # [direction, instance, parameter]
    changed = (len(direction), *x.shape)
    ahead, back = (
        weight.double()
        * what_is_minimised(
            block,
            block.model.unpack(weights.double() + sign * 1e-6 * direction),
            x.expand(changed),
            given.expand(changed),
        )
        for sign in (1, -1)
    )
    difference = ((ahead - back).sum(-1) / 2e-6).T.numpy()
    slope = gradient @ direction[:, 0].T.numpy()
    assert (np.abs(difference - slope) <= 1e-5 * scale + 1e-8).all()


def test_training_agrees_and_can_be_interrupted(case: tuple[Block, torch.Tensor, TrainingConfig]) -> None:
    """Ten steps, taken at once or in pieces, are those of the reference."""
    block, weights, plan = case
    whole, pieces, reference = Fused(block, plan, weights), Fused(block, plan, weights), Autograd(block, plan, weights)
    whole.advance(0, 10)
    for start, stop in ((0, 1), (1, 6), (6, 10)):
        pieces.advance(start, stop)
        reference.advance(start, stop)
    assert torch.equal(whole.parameters, pieces.parameters)
    # Adam divides by the size of the gradient, which magnifies the rounding of a gradient that is nearly zero.
    torch.testing.assert_close(whole.parameters, reference.parameters.detach(), atol=2e-5, rtol=0)
    assert (whole.parameters - weights).abs().max() > 0.01


def test_company_does_not_matter(case: tuple[Block, torch.Tensor, TrainingConfig]) -> None:
    """An instance gets the same bits alone and at another place in its block."""
    block, weights, plan = case
    whole = Fused(block, plan, weights)
    whole.advance(0, 5)
    for part in (slice(2, 3), slice(1, 6)):
        alone = Fused(block[part], plan, weights[part])
        alone.advance(0, 5)
        assert torch.equal(alone.parameters, whole.parameters[part])
        np.testing.assert_array_equal(alone.losses(700), [losses[part] for losses in whole.losses(700)])


@pytest.mark.parametrize("coactive", [False, True])
def test_losses(
    coactive: bool, case: tuple[Block, torch.Tensor, TrainingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both engines have the mean and the standard error that NumPy computes from the same samples."""
    block, weights, plan = case
    samples, gates = 1001, block.gates
    uniform = draws.uniforms(torch.tensor([EVALUATION_KEY]), gates.rows + 1, 0, samples, 0, draws.EVALUATION)
    uniform = uniform.expand(len(block), -1, -1)
    x = features.nonempty(gates, uniform[:, :-1]).double()
    given = under_attack(block, weights, x, uniform)
    loss = what_is_minimised(block, block.model.unpack(weights.double()), x, given).numpy()
    if coactive:
        loss[(x != 0).sum(-1).numpy() < 2] = 0
    monkeypatch.setattr(autograd, "EVALUATION_CHUNK", 100 * gates.rows * len(block))
    for kind in (Fused, Autograd):
        mean, error = kind(block, plan, weights).losses(samples, coactive)
        np.testing.assert_allclose(mean, loss.mean(1), rtol=1e-5)
        np.testing.assert_allclose(error, loss.std(1) / samples**0.5, rtol=1e-4)


def another_process() -> ModuleType:
    """Return a second copy of the module of the CPU engine, which has not loaded anything yet."""
    spec = importlib.util.find_spec(fused.__name__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(platform.machine() != "x86_64", reason="flags of x86")
@pytest.mark.parametrize("processor", in_ci(["x86-64", "haswell"], "x86-64"))
def test_processors_with_narrower_vectors(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of four and of eight have code of their own, which this processor can run, too."""
    if processor == "haswell" and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this processor has no AVX2")
    narrow_fused = another_process()
    flags = [f"-march={processor}" if flag == fused.NATIVE else flag for flag in fused.FLAGS]
    monkeypatch.setattr(narrow_fused, "FLAGS", flags)
    model, batch, distribution, against, few = CASES["wide"]
    handle_sparsely(monkeypatch, few, narrow_fused)
    block, weights = make_block(model, distribution, against)
    narrow, reference = (kind(block, config(batch), weights) for kind in (narrow_fused.Fused, Autograd))
    np.testing.assert_allclose(narrow.losses(1001), reference.losses(1001), rtol=1e-4)
    for engine in (narrow, reference):
        engine.advance(0, 10)
    torch.testing.assert_close(narrow.parameters, reference.parameters.detach(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_optimizer_is_adamw(schedule: str, decay: float) -> None:
    """Decoupled decay, bias correction and the schedule agree with the published update, written out in float64."""
    model, batch, distribution, *_ = CASES["two tiles"]
    block, weights = make_block(model, distribution)
    steps, plan = 12, config(batch, steps=12, schedule=schedule, weight_decay=decay)
    precise = Autograd(block, plan, weights.double())
    w, mean, square = weights.double().numpy(), 0.0, 0.0
    for t in range(steps):
        precise.parameters.data = torch.from_numpy(w.copy())
        precise.parameters.grad = None
        precise.objective(precise.parameters, t).sum().backward()
        g = precise.parameters.grad.numpy()
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        rate = 0.01 * (np.cos(np.pi * t / steps) + 1) / 2 if schedule == "cosine" else 0.01
        direction = mean / (1 - 0.9 ** (t + 1)) / (np.sqrt(square / (1 - 0.999 ** (t + 1))) + 1e-8)
        w = w - rate * (direction + decay * w)
    for kind in (Fused, Autograd):
        engine = kind(block, plan, weights)
        engine.advance(0, steps)
        np.testing.assert_allclose(engine.parameters.detach().numpy(), w, atol=2e-5)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_warmup(schedule: str) -> None:
    """The rate rises linearly, and is never 0, over the first share of the steps; afterwards it is as without."""
    plain, warm = (config(8, steps=100, schedule=schedule, warmup=share).rates(0, 100) for share in (0.0, 0.2))
    np.testing.assert_allclose(warm[:20] / plain[:20], np.arange(1, 21) / 20, rtol=1e-6)
    np.testing.assert_array_equal(warm[20:], plain[20:])


def test_learning_rates_do_not_depend_on_the_cut() -> None:
    """The rate of a step is the same to the bit in whatever stretch of steps it is taken."""
    plan = config(2, steps=101)
    whole = plan.rates(0, 101)
    np.testing.assert_array_equal(whole, np.concatenate([plan.rates(t, t + 1) for t in range(101)]))
    np.testing.assert_array_equal(whole[17:90], plan.rates(17, 90))
    assert whole.dtype == np.float32


@pytest.mark.parametrize("name", ["relu_output", "linear"])
def test_objective_estimates_the_expected_loss(name: str) -> None:
    """Weighted batches are unbiased: the mean of many objectives is the exact loss of the distribution."""
    model, steps = Model(name, 2, 1), 400
    block, weights = make_block(model, Distribution())
    engine = Autograd(block, config(64), weights.double())
    with torch.no_grad():
        objective = torch.stack([engine.objective(engine.parameters, t) for t in range(steps)]).numpy()
    p = model.unpack(weights.double())
    expected = exact.expected_loss(model, p, block.gates.gate_density.double(), block.importance.double()).numpy()
    assert (np.abs(objective.mean(0) - expected) < 5 * objective.std(0) / steps**0.5 + 1e-7 * expected).all()


def test_objective_under_attack_estimates_the_expected_loss() -> None:
    """The mean objective agrees with features and attacks drawn by NumPy; all-zero samples are attacked, too."""
    model, steps, count = Model("relu_output", 5, 2), 400, 200_000
    block, weights = make_block(model, Distribution(), BOTH)
    engine = Autograd(block, config(64), weights.double())
    with torch.no_grad():
        objective = torch.stack([engine.objective(engine.parameters, t) for t in range(steps)]).numpy()
    rng, p = np.random.default_rng(0), model.unpack(weights.double())
    for k in range(len(block)):
        on = rng.random((count, 5)) < block.gates.gate_density[k].numpy()
        x = on * rng.random((count, 5))
        W, b = p["W"][k].numpy(), p["b"][k].numpy()
        rows = (W.T @ W)[rng.integers(0, 5, count)]
        h = (x + float(block.attack[k]) * rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ W.T
        error = (x - np.maximum(h @ W + b, 0)) ** 2 @ block.importance[k].double().numpy()
        expected = error + float(block.l1[k]) * np.abs(h).sum(1)
        spread = np.hypot(objective[:, k].std() / steps**0.5, expected.std() / count**0.5)
        assert abs(objective[:, k].mean() - expected.mean()) < 5 * spread


@pytest.mark.parametrize("kind", [Fused, Autograd])
def test_without_weights_there_is_no_direction_to_attack(kind: type) -> None:
    """Where W or a column of it is 0, an attack changes nothing instead of giving NaN."""
    model = Model("relu_output", 5, 2)
    block, weights = make_block(model, Distribution(), BOTH)
    weights[0], weights[1] = 0, 0
    model.unpack(weights)["W"][:, :, 2] = 0
    engine = kind(block, config(64), weights)
    mean, error = engine.losses(1000)
    assert np.isfinite(mean).all()
    assert np.isfinite(error).all()
    still = kind(replace(block, attack=torch.zeros_like(block.attack)), config(64), weights)
    np.testing.assert_array_equal(mean[:2], still.losses(1000)[0][:2])
    engine.advance(0, 3)
    assert np.isfinite(np.asarray(engine.parameters.detach())).all()


def test_autograd_keeps_the_streams_of_a_block_apart() -> None:
    """A block on a GPU holds several seeds and restarts, each of which has its own batches."""
    model, batch, distribution, *_ = CASES["sets"]
    block, weights = make_block(model, distribution, keys=3)
    keys = [slice(None), *(slice(k, k + 1) for k in range(6))]
    engines = [Autograd(block[k], config(batch), weights[k].double()) for k in keys]
    together, *alone = (engine.objective(engine.parameters, 2).detach() for engine in engines)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=0)


ANY = (
    ("FEATURES", 1),
    ("HIDDEN", 1),
    ("ABSOLUTE", 0),
    ("UNTIED", 0),
    ("RELU_HIDDEN", 0),
    ("NEGATIVE_SLOPE", 1),
    ("MINIMUM", 0),
    ("HIDDEN_BIAS", 0),
)
ANY += (("SETS", 0), ("SIGNED", 0), ("ATTACKED", 0), ("PENALISED", 0), ("TILE", 64), ("SPARSE_RATIO", 0))


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], object]:
    """Return a function that compiles or loads a library as a new process does, with an empty cache."""
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(tmp_path / "cache"))
    return lambda: another_process().library(ANY)


@pytest.mark.parametrize("command", ["/nowhere/c++", "false", "sh -c 'echo first >&2; echo second >&2; exit 1'"])
def test_a_failing_compiler_is_named_in_one_line(
    command: str, build: Callable[[], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing or broken compiler leaves no traceback and no half-built file."""
    monkeypatch.setenv("CXX", command)
    with pytest.raises(SuperpositionError, match=r"compiler") as caught:
        build()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("cache/*"))


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SuperpositionError, match=r"^no C\+\+ compiler found .*CXX"):
        fused.compiler()


def test_the_cache_is_used_and_not_needed(
    build: Callable[[], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A library is compiled once by every compiler or processor, and also where the cache cannot be written."""
    build()
    (built,) = (tmp_path / "cache").iterdir()
    before = built.stat().st_mtime_ns
    build()
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()] == [before]
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(built / "below a file"))
    assert build().train
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(tmp_path / "cache"))
    other = tmp_path / "another compiler"
    other.write_text(f'#!/bin/sh\nexec {shlex.join(fused.compiler())} -DANOTHER "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("CXX", shlex.quote(str(other)))
    build()
    assert len(list((tmp_path / "cache").iterdir())) == 2

"""The compiled loop against autograd, and both against float64, finite differences and AdamW written out."""

import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from superposition.core import draws, features
from superposition.core.distribution import Distribution
from superposition.core.errors import SuperpositionError
from superposition.core.features import Gates
from superposition.core.models import Model
from superposition.theory import exact
from superposition.training import autograd, fused
from superposition.training.autograd import Autograd
from superposition.training.engine import EVALUATION_KEY, Block, TrainingConfig
from superposition.training.fused import Fused

SETS = Distribution(correlated=((4, 1),), anticorrelated=((0, 3, 5),))
SIGNED = Distribution(signed=True)
# What is minimised beside the loss.
ALONE, ATTACKED, PENALISED, BOTH = (), ("attack",), ("l1",), ("attack", "l1")
SIGNED_SETS = Distribution(correlated=((0, 2),), anticorrelated=((1, 3),), signed=True)
# Sizes that fill no register block, and batches that fill no vector (16, 8 or 4) and no tile (512, 256 or 128).
CASES: dict[str, tuple[Model, int, Distribution, tuple[str, ...]]] = {
    "smallest": (Model("relu_output", 1, 1), 3, Distribution(), ALONE),
    "linear": (Model("linear", 5, 2), 33, Distribution(), ALONE),
    "two tiles": (Model("relu_output", 2, 1), 515, Distribution(), ALONE),
    "odd": (Model("relu_output", 7, 3), 300, Distribution(), ALONE),
    "wide": (Model("relu_output", 13, 6), 261, Distribution(), ALONE),
    "full tile": (Model("relu_output", 4, 4), 256, Distribution(), ALONE),
    "sets": (Model("relu_output", 7, 3), 100, SETS, ALONE),
    "signed": (Model("relu_output", 3, 2), 40, SIGNED, ALONE),
    "signed linear": (Model("linear", 3, 2), 40, SIGNED, ALONE),
    "hidden relu": (Model("relu_hidden", 6, 5), 50, Distribution(), ALONE),
    "hidden bias": (Model("relu_hidden", 7, 3, hidden_bias=True), 129, Distribution(), ALONE),
    "absolute": (Model("absolute", 3, 7), 31, SIGNED, ALONE),
    "absolute sets": (Model("absolute", 5, 9), 64, SIGNED_SETS, ALONE),
    "attacked": (Model("relu_output", 7, 3), 300, Distribution(), ATTACKED),
    "attacked, another row of four": (Model("linear", 8, 3), 70, Distribution(), ATTACKED),
    "attacked and penalised": (Model("relu_output", 5, 2), 261, Distribution(), BOTH),
    "penalised": (Model("relu_output", 13, 6), 130, Distribution(), PENALISED),
    "penalised sets": (Model("relu_output", 7, 3), 100, SETS, PENALISED),
    "penalised hidden bias": (Model("relu_hidden", 7, 3, hidden_bias=True), 129, Distribution(), PENALISED),
    "penalised absolute": (Model("absolute", 3, 7), 31, SIGNED, PENALISED),
}


def make_block(
    model: Model, distribution: Distribution, against: tuple[str, ...] = ALONE, keys: int = 1
) -> tuple[Block, torch.Tensor]:
    """Six instances, each with densities, importances and weights of its own; every other one without sets, and two
    with nothing beside the loss."""
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
    """What the models are given, sample by sample: x, moved along the row of WᵀW that the last number names."""
    given = x.double().clone()
    if block.attack is not None:
        for k, W in enumerate(block.model.unpack(weights.double())["W"].numpy()):
            for sample, u in enumerate(uniform[k, -1].tolist()):
                row = (W.T @ W)[int(u * block.model.n)]
                given[k, sample] += torch.from_numpy(float(block.attack[k]) * row / np.linalg.norm(row))
    return given


def what_is_minimised(block: Block, p: dict[str, torch.Tensor], x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """The loss and the penalty of every sample, in float64: Σ I (x - x')² + l1 Σ|h|."""
    loss = block.model.loss(p, x.double(), block.importance.double().expand(*x.shape[:-2], -1), given)
    if block.l1 is not None:
        loss = loss + block.l1.double()[:, None] * block.model.hidden(p, given).abs().sum(-1)
    return loss


def recipe(
    batch: int, steps: int = 10, schedule: str = "cosine", warmup: float = 0.0, weight_decay: float = 0.01
) -> TrainingConfig:
    return TrainingConfig(steps, batch, learning_rate=0.01, schedule=schedule, warmup=warmup, weight_decay=weight_decay)


# Cases whose products go through what is not 0 alone: always (1), or in those tiles where it is less than half (2).
ONE_BY_ONE = {
    "odd": 2,
    "wide": 1,
    "sets": 2,
    "signed linear": 1,
    "hidden bias": 2,
    "absolute": 1,
    "absolute sets": 2,
    "attacked": 1,
    "attacked and penalised": 1,
    "penalised hidden bias": 2,
}


@pytest.fixture(params=[*((name, 0) for name in CASES), *ONE_BY_ONE.items()], ids=lambda p: f"{p[0]}-{p[1]}")
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Block, torch.Tensor, TrainingConfig]:
    name, few = request.param
    monkeypatch.setattr(fused, "_sparse_threshold", lambda n: few)
    model, batch, distribution, against = CASES[name]
    return *make_block(model, distribution, against), recipe(batch)


def test_gradient(case: tuple[Block, torch.Tensor, TrainingConfig]) -> None:
    """The hand-written gradient against autograd's in float64, and that against differences of the loss itself."""
    block, weights, plan = case
    by_hand = Fused(block, plan, weights)
    by_hand.advance(0, 1)

    precise = Autograd(block, plan, weights.double())
    precise.objective(precise.parameters, 0).sum().backward()
    gradient = precise.parameters.grad.numpy()
    scale = np.abs(gradient).max(axis=1, keepdims=True)
    assert (np.abs(by_hand._gradients - gradient) <= 5e-6 * scale).all()

    uniform = draws.uniforms(block.key[:1], block.gates.rows + 1, 0, plan.batch, 0, draws.TRAINING)
    uniform = uniform.expand(len(block), -1, -1)
    x, weight = features.training_batch(block.gates, uniform[:, :-1])
    given = under_attack(block, weights, x, uniform)
    step = 1e-6 * torch.eye(block.model.size, dtype=torch.float64)[:, None]  # [changed parameter, instance, parameter]
    changed = (block.model.size, *x.shape)
    ahead, back = (
        weight.double()
        * what_is_minimised(
            block, block.model.unpack(weights.double() + sign * step), x.expand(changed), given.expand(changed)
        )
        for sign in (1, -1)
    )
    difference = ((ahead - back).sum(-1) / 2e-6).T.numpy()
    assert (np.abs(difference - gradient) <= 1e-6 * scale + 1e-9).all()


def test_training_agrees_and_can_be_interrupted(case: tuple[Block, torch.Tensor, TrainingConfig]) -> None:
    """Ten steps, in one go or in pieces: state that is lost between pieces, or wrong after the first step."""
    block, weights, plan = case
    whole, pieces, reference = Fused(block, plan, weights), Fused(block, plan, weights), Autograd(block, plan, weights)
    whole.advance(0, 10)
    for start, stop in ((0, 1), (1, 6), (6, 10)):
        pieces.advance(start, stop)
        reference.advance(start, stop)
    assert torch.equal(whole.parameters, pieces.parameters)
    # Adam divides by the size of the gradient, so one that is nearly zero magnifies its rounding.
    torch.testing.assert_close(whole.parameters, reference.parameters.detach(), atol=2e-5, rtol=0)
    assert (whole.parameters - weights).abs().max() > 0.01


def test_company_does_not_matter(case: tuple[Block, torch.Tensor, TrainingConfig]) -> None:
    """An instance alone, or at another place in its block, must get the very same bits."""
    block, weights, plan = case
    whole = Fused(block, plan, weights)
    whole.advance(0, 5)
    for part in (slice(2, 3), slice(1, 6)):
        alone = Fused(block[part], plan, weights[part])
        alone.advance(0, 5)
        assert torch.equal(alone.parameters, whole.parameters[part])
        np.testing.assert_array_equal(alone.losses(700), [losses[part] for losses in whole.losses(700)])


def test_losses(case: tuple[Block, torch.Tensor, TrainingConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and standard error over the evaluation draw, in both engines, against NumPy on the same samples."""
    block, weights, plan = case
    samples, gates = 1001, block.gates
    uniform = draws.uniforms(torch.tensor([EVALUATION_KEY]), gates.rows + 1, 0, samples, 0, draws.EVALUATION)
    uniform = uniform.expand(len(block), -1, -1)
    x = features.nonempty(gates, uniform[:, :-1]).double()
    given = under_attack(block, weights, x, uniform)
    loss = what_is_minimised(block, block.model.unpack(weights.double()), x, given).numpy()
    monkeypatch.setattr(autograd, "EVALUATION_CHUNK", 100 * gates.rows * len(block))
    for kind in (Fused, Autograd):
        mean, error = kind(block, plan, weights).losses(samples)
        np.testing.assert_allclose(mean, loss.mean(1), rtol=1e-5)
        np.testing.assert_allclose(error, loss.std(1) / samples**0.5, rtol=1e-4)
    loss[(x != 0).sum(-1).numpy() < 2] = 0
    for kind in (Fused, Autograd):
        mean, error = kind(block, plan, weights).losses(samples, coactive=True)
        np.testing.assert_allclose(mean, loss.mean(1), rtol=1e-5)
        np.testing.assert_allclose(error, loss.std(1) / samples**0.5, rtol=1e-4)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="flags of x86")
@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
@pytest.mark.parametrize(("name", "few"), [("wide", 2), ("sets", 0), ("attacked", 0)])
def test_machines_with_narrower_vectors(name: str, few: int, processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of four and of eight take code of their own, which this machine can run, too."""
    if processor == "haswell" and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this machine has no AVX2")
    flags = [f"-march={processor}" if flag == fused.NATIVE else flag for flag in fused.FLAGS]
    monkeypatch.setattr(fused, "FLAGS", flags)
    monkeypatch.setattr(fused, "_sparse_threshold", lambda n: few)
    monkeypatch.setattr(fused, "_load", fused._load.__wrapped__)  # not what was loaded for this machine
    model, batch, distribution, against = CASES[name]
    block, weights = make_block(model, distribution, against)
    narrow, reference = (kind(block, recipe(batch), weights) for kind in (Fused, Autograd))
    np.testing.assert_allclose(narrow.losses(1001), reference.losses(1001), rtol=1e-4)
    for engine in (narrow, reference):
        engine.advance(0, 10)
    torch.testing.assert_close(narrow.parameters, reference.parameters.detach(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_optimizer_is_adamw(schedule: str, decay: float) -> None:
    """Decoupled decay, bias correction and the schedule, against the published update written out in float64."""
    model, batch, distribution, _ = CASES["odd"]
    block, weights = make_block(model, distribution)
    steps, plan = 12, recipe(batch, steps=12, schedule=schedule, weight_decay=decay)
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
    """The rate rises in equal parts, never 0, over the first share of the steps; after that it is as without."""
    plain, warm = (recipe(8, steps=100, schedule=schedule, warmup=share).rates(0, 100) for share in (0.0, 0.2))
    np.testing.assert_allclose(warm[:20] / plain[:20], np.arange(1, 21) / 20, rtol=1e-6)
    np.testing.assert_array_equal(warm[20:], plain[20:])


def test_learning_rates_do_not_depend_on_the_cut() -> None:
    """A step's rate must be the same bits in whatever stretch of steps it is taken."""
    plan = recipe(2, steps=101)
    whole = plan.rates(0, 101)
    np.testing.assert_array_equal(whole, np.concatenate([plan.rates(t, t + 1) for t in range(101)]))
    np.testing.assert_array_equal(whole[17:90], plan.rates(17, 90))
    assert whole.dtype == np.float32


@pytest.mark.parametrize("name", ["relu_output", "linear"])
def test_objective_estimates_the_expected_loss(name: str) -> None:
    """The weighted batch must be unbiased: the mean of many objectives is the exact loss of the distribution."""
    model, steps = Model(name, 2, 1), 400
    block, weights = make_block(model, Distribution())
    engine = Autograd(block, recipe(64), weights.double())
    with torch.no_grad():
        objective = torch.stack([engine.objective(engine.parameters, t) for t in range(steps)]).numpy()
    p = model.unpack(weights.double())
    expected = exact.expected_loss(model, p, block.gates.gate_density.double(), block.importance.double()).numpy()
    assert (np.abs(objective.mean(0) - expected) < 5 * objective.std(0) / steps**0.5 + 1e-7 * expected).all()


def test_objective_under_attack_estimates_the_expected_loss() -> None:
    """Against features and attacked ones drawn by NumPy: samples that are empty are attacked as often as they come."""
    model, steps, count = Model("relu_output", 5, 2), 400, 200_000
    block, weights = make_block(model, Distribution(), BOTH)
    engine = Autograd(block, recipe(64), weights.double())
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
    """Where W is 0, or a column of it, an attack changes nothing; it is not NaN."""
    model = Model("relu_output", 5, 2)
    block, weights = make_block(model, Distribution(), BOTH)
    weights[0], weights[1] = 0, 0
    model.unpack(weights)["W"][:, :, 2] = 0
    engine = kind(block, recipe(64), weights)
    mean, error = engine.losses(1000)
    assert np.isfinite(mean).all()
    assert np.isfinite(error).all()
    still = kind(replace(block, attack=torch.zeros_like(block.attack)), recipe(64), weights)
    np.testing.assert_array_equal(mean[:2], still.losses(1000)[0][:2])
    engine.advance(0, 3)
    assert np.isfinite(np.asarray(engine.parameters.detach())).all()


def test_autograd_keeps_the_streams_of_a_block_apart() -> None:
    """On a GPU a block holds several seeds and restarts; each must see its own batches."""
    model, batch, distribution, _ = CASES["sets"]
    block, weights = make_block(model, distribution, keys=3)
    keys = [slice(None), *(slice(k, k + 1) for k in range(6))]
    engines = [Autograd(block[k], recipe(batch), weights[k].double()) for k in keys]
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
ANY += (("SETS", 0), ("SIGNED", 0), ("ATTACKED", 0), ("PENALISED", 0), ("TILE", 64), ("FEW", 0))
build = fused._load.__wrapped__  # not the one that remembers


@pytest.mark.parametrize("command", ["/nowhere/c++", "false", "sh -c 'echo first >&2; echo second >&2; exit 1'"])
def test_a_failing_compiler_is_one_line(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing or broken compiler is the user's to mend: no traceback, and nothing half built."""
    monkeypatch.setenv("CXX", command)
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(tmp_path))
    with pytest.raises(SuperpositionError, match=r"compiler") as caught:
        build(ANY)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SuperpositionError, match=r"^no C\+\+ compiler found .*CXX"):
        fused.compiler()


def test_the_cache_holds_what_was_built_and_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Built once; and where the cache cannot be written, built all the same."""
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(tmp_path / "new"))
    build(ANY)
    (built,) = (tmp_path / "new").iterdir()
    before = built.stat().st_mtime_ns
    build(ANY)
    assert [built.stat().st_mtime_ns] == [path.stat().st_mtime_ns for path in (tmp_path / "new").iterdir()] == [before]
    monkeypatch.setenv("SUPERPOSITION_CACHE", str(built / "below a file"))
    assert build(ANY).train

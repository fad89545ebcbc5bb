"""The compiled loop against autograd, and both against float64, finite differences and AdamW written out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from superposition import autograd, draws, exact, features, fused
from superposition.autograd import Autograd
from superposition.engine import EVALUATION_KEY, Block, Recipe
from superposition.errors import SuperpositionError
from superposition.features import Gates
from superposition.fused import Fused
from superposition.models import Model
from superposition.sweep import Distribution

SETS = Distribution(correlated=((4, 1),), anticorrelated=((0, 3, 5),))
SIGNED = Distribution(signed=True)
SIGNED_SETS = Distribution(correlated=((0, 2),), anticorrelated=((1, 3),), signed=True)
# Sizes that fill no register block, and batches that fill no vector (16) and no tile (512, 256 or 128).
CASES: dict[str, tuple[Model, int, Distribution]] = {
    "smallest": (Model("relu_output", 1, 1), 3, Distribution()),
    "linear": (Model("linear", 5, 2), 33, Distribution()),
    "two tiles": (Model("relu_output", 2, 1), 515, Distribution()),
    "odd": (Model("relu_output", 7, 3), 300, Distribution()),
    "wide": (Model("relu_output", 13, 6), 261, Distribution()),
    "full tile": (Model("relu_output", 4, 4), 256, Distribution()),
    "sets": (Model("relu_output", 7, 3), 100, SETS),
    "signed": (Model("relu_output", 3, 2), 40, SIGNED),
    "signed linear": (Model("linear", 3, 2), 40, SIGNED),
    "hidden relu": (Model("relu_hidden", 6, 5), 50, Distribution()),
    "hidden bias": (Model("relu_hidden", 7, 3, hidden_bias=True), 129, Distribution()),
    "absolute": (Model("absolute", 3, 7), 31, SIGNED),
    "absolute sets": (Model("absolute", 5, 9), 64, SIGNED_SETS),
}


def make_block(model: Model, distribution: Distribution, keys: int = 1) -> tuple[Block, torch.Tensor]:
    """Six instances, each with densities, importances and weights of its own; every other one without sets."""
    rng = np.random.default_rng(3)
    densities = rng.choice([1.0, 0.5, 0.1, 0.01], (6, model.n))
    for members in distribution.sets:
        densities[:, members] = densities[:, members[:1]]
    distributions = [distribution, Distribution(signed=distribution.signed)] * 3
    gates = Gates.of(densities, distributions, has_sets=bool(distribution.sets))
    importance = torch.from_numpy(rng.uniform(0.1, 1, (6, model.n)).astype(np.float32))
    key = torch.tensor([[4, k % keys] for k in range(6)])
    weights = torch.from_numpy(rng.normal(0, 0.5, (6, model.size)).astype(np.float32))
    return Block(model, gates, importance, key), weights


def recipe(
    batch: int, steps: int = 10, schedule: str = "cosine", warmup: float = 0.0, weight_decay: float = 0.01
) -> Recipe:
    return Recipe(steps, batch, learning_rate=0.01, schedule=schedule, warmup=warmup, weight_decay=weight_decay)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Block, torch.Tensor, Recipe]:
    model, batch, distribution = CASES[request.param]
    return *make_block(model, distribution), recipe(batch)


def test_gradient(case: tuple[Block, torch.Tensor, Recipe]) -> None:
    """The hand-written gradient against autograd's in float64, and that against differences of the loss itself."""
    block, weights, plan = case
    by_hand = Fused(block, plan, weights)
    by_hand.advance(0, 1)

    precise = Autograd(block, plan, weights.double())
    precise.objective(0).sum().backward()
    gradient = precise.parameters.grad.numpy()
    scale = np.abs(gradient).max(axis=1, keepdims=True)
    assert (np.abs(by_hand._gradients - gradient) <= 5e-6 * scale).all()

    uniform = draws.uniforms(block.key[:1], block.gates.rows, 0, plan.batch, 0, draws.TRAINING)
    x, weight = features.training_batch(block.gates, uniform.expand(len(block), -1, -1))
    step = 1e-6 * torch.eye(block.model.size, dtype=torch.float64)[:, None]  # [changed parameter, instance, parameter]
    changed = (block.model.size, *x.shape)
    ahead, back = (
        weight.double()
        * block.model.loss(
            block.model.unpack(weights.double() + sign * step),
            x.double().expand(changed),
            block.importance.double().expand(changed[0], *block.importance.shape),
        )
        for sign in (1, -1)
    )
    difference = ((ahead - back).sum(-1) / 2e-6).T.numpy()
    assert (np.abs(difference - gradient) <= 1e-6 * scale + 1e-9).all()


def test_training_agrees_and_can_be_interrupted(case: tuple[Block, torch.Tensor, Recipe]) -> None:
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


def test_company_does_not_matter(case: tuple[Block, torch.Tensor, Recipe]) -> None:
    """An instance alone, or at another place in its block, must get the very same bits."""
    block, weights, plan = case
    whole = Fused(block, plan, weights)
    whole.advance(0, 5)
    for part in (slice(2, 3), slice(1, 6)):
        alone = Fused(block[part], plan, weights[part])
        alone.advance(0, 5)
        assert torch.equal(alone.parameters, whole.parameters[part])
        np.testing.assert_array_equal(alone.losses(700), [losses[part] for losses in whole.losses(700)])


def test_losses(case: tuple[Block, torch.Tensor, Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and standard error over the evaluation draw, in both engines, against NumPy on the same samples."""
    block, weights, plan = case
    samples, gates = 1001, block.gates
    uniform = draws.uniforms(torch.tensor([EVALUATION_KEY]), gates.rows, 0, samples, 0, draws.EVALUATION)
    x = features.nonempty(gates, uniform.expand(len(block), -1, -1)).double()
    loss = block.model.loss(block.model.unpack(weights.double()), x, block.importance.double()).numpy()
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


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_optimizer_is_adamw(schedule: str, decay: float) -> None:
    """Decoupled decay, bias correction and the schedule, against the published update written out in float64."""
    model, batch, distribution = CASES["odd"]
    block, weights = make_block(model, distribution)
    steps, plan = 12, recipe(batch, steps=12, schedule=schedule, weight_decay=decay)
    precise = Autograd(block, plan, weights.double())
    w, mean, square = weights.double().numpy(), 0.0, 0.0
    for t in range(steps):
        precise.parameters.data = torch.from_numpy(w.copy())
        precise.parameters.grad = None
        precise.objective(t).sum().backward()
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
        objective = torch.stack([engine.objective(t) for t in range(steps)]).numpy()
    p = model.unpack(weights.double())
    expected = exact.expected_loss(model, p, block.gates.gate_density.double(), block.importance.double()).numpy()
    assert (np.abs(objective.mean(0) - expected) < 5 * objective.std(0) / steps**0.5 + 1e-7 * expected).all()


def test_autograd_keeps_the_streams_of_a_block_apart() -> None:
    """On a GPU a block holds several seeds and restarts; each must see its own batches."""
    model, batch, distribution = CASES["sets"]
    block, weights = make_block(model, distribution, keys=3)
    together = Autograd(block, recipe(batch), weights.double()).objective(2).detach()
    alone = [Autograd(block[k : k + 1], recipe(batch), weights[k : k + 1].double()).objective(2)[0] for k in range(6)]
    torch.testing.assert_close(together, torch.stack(alone).detach(), rtol=1e-12, atol=0)


ANY = (("FEATURES", 1), ("HIDDEN", 1), ("UNTIED", 0), ("RELU_HIDDEN", 0), ("RELU_OUTPUT", 0), ("HIDDEN_BIAS", 0))
ANY += (("SETS", 0), ("SIGNED", 0), ("TILE", 64))
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

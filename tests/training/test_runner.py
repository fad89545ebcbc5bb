"""Training of whole sweeps: the same bits however the work is divided, true losses, and clear errors."""

import hashlib
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cases import in_ci

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.grid import Relative
from superposition.core.experiment.sweep import TRAINING_KEYS, Sweep
from superposition.core.weights import SweepResult
from superposition.theory import exact
from superposition.training import blocks, devices, evaluation
from superposition.training.autograd import Autograd
from superposition.training.engine import Engine, TrainingConfig
from superposition.training.fused import Fused
from superposition.training.runner import train

SETS = {"correlated": [[0, 1]], "anticorrelated": [[3, 2]]}
SMALL: dict[str, Any] = {
    "model": "relu_output",
    "n": 5,
    "m": 2,
    "density": [1, 0.3, 0.05],
    "importance": {"decay": 0.9},
    "restarts": 3,
    "steps": 30,
    "batch": 50,
    "evaluation": 1000,
}
# Every model, and every axis that distinguishes the points of a sweep.
SWEEPS: dict[str, dict[str, Any]] = {
    "linear": {"model": "linear"},
    "relu_output": {"snapshots": 2},
    "relu_hidden": {"model": "relu_hidden", "n": 7, "m": 3, "hidden_bias": True, "weight_decay": 0.1},
    "absolute": {"model": "absolute", "n": 3, "m": 7, "distribution": "signed", "schedule": "constant"},
    "sets": {"n": 7, "m": 3, "distribution": ["independent", SETS], "density": [0.5, 0.1]},
    "relative": {
        "density": [0.2, 0.1],
        "relative_density": {"features": [1], "ratio": [0.5, 2]},
        "relative_importance": {"features": [4], "ratio": [1, 3]},
        "seeds": 2,
    },
    "against": {"attack": [0, 0.5], "l1": [0, 0.1]},
    "penalised": {"model": "absolute", "n": 3, "m": 7, "distribution": "signed", "l1": [0.1, 0]},
}
each_sweep = pytest.mark.parametrize("changes", SWEEPS.values(), ids=SWEEPS)


def sweep(**changes: Any) -> Sweep:
    return Sweep.parse(SMALL | changes)


def content(trained: SweepResult, path: Path) -> bytes:
    trained.save(path)
    return path.read_bytes()


def gathered(plan: Sweep, parts: int, folder: Path, **options: Any) -> SweepResult:
    """Train a sweep part by part, and gather the parts from their files."""
    paths = [folder / f"{part}-of-{parts}" for part in range(1, parts + 1)]
    for part, path in enumerate(paths, start=1):
        train(plan, part=(part, parts), **options).save(path)
    return SweepResult.gather([SweepResult.load(path) for path in reversed(paths)])


@pytest.mark.parametrize("changes", in_ci(SWEEPS, "sets", "relative", "against"))
def test_the_division_of_the_work_does_not_change_a_byte(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither threads nor blocks, parts or repetition change the file of a sweep."""
    plan = sweep(**changes)
    first = content(train(plan, threads=1), tmp_path / "first")
    assert content(train(plan, threads=1), tmp_path / "again") == first
    assert content(gathered(plan, plan.max_parts, tmp_path, threads=2), tmp_path / "gathered") == first
    for state in (1, 100):
        monkeypatch.setattr(blocks, "BLOCK_STATE", state)
        assert content(train(plan, threads=2), tmp_path / f"blocks of {state}") == first


def test_no_thread_is_left() -> None:
    """A thread that outlives the interpreter can make a process crash as it ends."""
    before = threading.enumerate()
    train(sweep(), threads=2)
    assert set(threading.enumerate()) <= {*before}


@each_sweep
def test_a_model_does_not_depend_on_the_rest_of_its_sweep(changes: dict[str, Any]) -> None:
    """Points that are added, or trained by another job, leave every model as it was, to the bit."""
    whole = sweep(**changes)
    together = train(whole, threads=2)
    for k, (point, distribution) in enumerate(zip(together.points.itertuples(), whole.distributions(), strict=True)):
        alone = whole.model_copy(
            update={
                "density": (point.density,),
                "distribution": (distribution,),
                "attack": (point.attack,),
                "l1": (point.l1,),
                "seeds": point.seed + 1,  # The seed varies fastest, so this point is the last one.
                "restarts": 2,
                **{
                    axis: relative.model_copy(update={"ratio": (getattr(point, axis),)})
                    for axis in ("relative_density", "relative_importance")
                    if (relative := getattr(whole, axis))
                },
            }
        )
        part = train(alone, threads=1)
        for name, values in part.parameters.items():
            assert torch.equal(values[-1], together.parameters[name][k, :2]), (point, name)
        for name, values in part.snapshots.items():
            assert torch.equal(values[:, -1], together.snapshots[name][:, k, :2]), (point, name)
        same = bool(whole.distribution[-1].sets) == bool(distribution.sets) and whole.attacked == alone.attacked
        # Otherwise another formula may give the loss.
        if same and whole.penalised == alone.penalised:
            assert torch.equal(part.loss[-1], together.loss[k, :2])


def test_seeds_and_restarts_differ() -> None:
    """Equal restarts would be wasted work, and equal replicates no evidence."""
    trained = train(sweep(density=0.3, seeds=3, restarts=4, steps=1, learning_rate=1e-9))
    W = trained.parameters["W"].flatten(0, 1).flatten(1)
    assert len(W.unique(dim=0)) == len(W) == 12
    assert torch.pdist(W.double()).min() > 0.1


@pytest.mark.parametrize("name", ["relu_output", "absolute"])
def test_initial_weights_are_xavier_by_the_sizes_of_one_instance(name: str) -> None:
    """The scale does not depend on the number of models that are trained together; biases start at zero."""
    many = {"density": {"from": 0.1, "to": 1, "points": 1000}, "restarts": 1, "steps": 1, "learning_rate": 1e-12}
    trained = train(sweep(**SWEEPS[name] | many | {"snapshots": 0, "evaluation": 1}))
    scale = (2 / (trained.model.n + trained.model.m)) ** 0.5
    matrices = {k: v.double().numpy().ravel() for k, v in trained.parameters.items() if k.startswith("W")}
    if name == "absolute":  # Its output weights are absolute values of such numbers.
        assert matrices["W_out"].min() >= 0
        matrices["W_out"] *= np.random.default_rng(0).choice([-1, 1], len(matrices["W_out"]))
    for drawn in matrices.values():
        assert abs(drawn.mean()) < 5 * scale / len(drawn) ** 0.5
        assert drawn.std() == pytest.approx(scale, rel=5 / (2 * len(drawn)) ** 0.5)
    if name == "absolute":
        assert abs(np.corrcoef(*matrices.values())[0, 1]) * len(drawn) ** 0.5 < 5
    assert trained.parameters["b"].abs().max() < 1e-9


def test_snapshots_are_weights_of_shorter_runs() -> None:
    """A snapshot has the weights that a run of as many steps ends with."""
    whole = train(sweep(schedule="constant", steps=20, snapshots=3))
    assert whole.snapshot_steps.tolist() == [7, 13, 20]
    for k, step in enumerate(whole.snapshot_steps.tolist()):
        short = train(sweep(schedule="constant", steps=step))
        assert all(torch.equal(whole.snapshots[name][k], values) for name, values in short.parameters.items())
    assert all(torch.equal(whole.snapshots[name][-1], values) for name, values in whole.parameters.items())
    assert not train(sweep()).snapshots


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("threads", [1, 3, 4, 1000])
def test_blocks_hold_every_instance_once(device: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, a block has one stream of data, and no thread is idle; on a GPU, all blocks have one size."""
    monkeypatch.setattr(blocks, "BLOCK_DATA", 5 * 50 * 4)
    plan = blocks.Plan(sweep(seeds=2))
    cut = plan.blocks(torch.device(device), threads)
    assert sorted({*np.concatenate(cut).tolist()}) == list(range(18))
    assert len(cut) > 1
    if device == "cpu":
        assert sum(map(len, cut)) == 18
        assert all(len(plan.block(instances).key.unique(dim=0)) == 1 for instances in cut)
        assert len(cut) % threads == 0 or len(cut) == 18
    else:
        assert {len(instances) for instances in cut} == {4}


def test_models_start_from_the_same_weights_whatever_they_are_trained_against() -> None:
    """Otherwise a difference between them could come from the start; other densities start from other weights."""
    still = train(sweep(attack=[0, 0.5], l1=[0, 0.1], density=[0.3, 0.05], steps=1, learning_rate=1e-12))
    W = still.parameters["W"].unflatten(0, (2, 4))
    torch.testing.assert_close(W[:, 1:], W[:, :1].expand_as(W[:, 1:]), atol=1e-10, rtol=1e-6)
    assert (W[0, 0] - W[1, 0]).abs().max() > 0.01


def test_an_added_axis_leaves_the_initial_weights_unchanged() -> None:
    """Otherwise a new axis, even at its default, would silently redraw the models of every sweep."""
    plan = blocks.Plan(sweep(seeds=2))
    instances = np.arange(len(plan))
    before = plan.initial(plan.block(instances), instances)
    for place in (0, 3, len(plan.points.columns)):
        plan.points.insert(place, f"added {place}", np.linspace(0, 1, len(plan.points)))
        assert torch.equal(plan.initial(plan.block(instances), instances), before)
    plan.points["density"] *= 0.5
    assert not torch.equal(plan.initial(plan.block(instances), instances), before)


def test_the_coordinates_that_seed_the_initial_weights() -> None:
    """The hashed text is fixed: if it changed, the weights of every sweep would."""
    text = b'[0.25, 1.0, 1.0, "independent"]'
    expected = np.frombuffer(hashlib.blake2b(text, digest_size=8).digest(), dtype="<u4")
    plan = blocks.Plan(sweep(density=0.25, l1=[0, 0.1], seeds=2))
    hashes = plan.point_hashes(np.arange(len(plan)))
    assert (hashes.numpy() == expected).all()


@each_sweep
def test_losses_are_those_of_training(changes: dict[str, Any]) -> None:
    """Losses are those of training to the bit, in float32 as in float64; attacks and penalties are left out."""
    plan = sweep(**changes)
    trained = train(plan)
    loss, error = evaluation.losses(plan, trained.parameters, threads=3)
    doubles = evaluation.losses(plan, {k: v.double() for k, v in trained.parameters.items()}, threads=3)
    assert torch.equal(torch.stack(doubles), torch.stack([loss, error]))
    if plan.attacked or plan.penalised:
        for point in range(len(loss)):
            mean, spread = sampled_loss(trained, point, alone=True)
            assert abs(loss[point, 0].item() - mean) < 5 * np.hypot(spread, error[point, 0].item())
    else:
        assert torch.equal(loss, trained.loss)
        assert torch.equal(error, trained.loss_error)


@pytest.mark.parametrize("bias", ["zero", "centred"])
def test_initial_scale(bias: str) -> None:
    """Only the weights are scaled; a centred bias is that of the scaled weights."""
    plain, small = (
        train(sweep(steps=1, learning_rate=1e-12, initial_scale=scale, initial_bias=bias)) for scale in (1.0, 0.125)
    )
    torch.testing.assert_close(small.parameters["W"], plain.parameters["W"] / 8, rtol=0, atol=1e-9)
    W = small.parameters["W"].double()
    mean = torch.tensor(small.sweep.densities())[:, None, :, None] / 2
    centred = (mean - W.mT @ W @ mean)[..., 0]
    torch.testing.assert_close(
        small.parameters["b"].double(), centred if bias == "centred" else torch.zeros_like(centred), rtol=0, atol=1e-6
    )


# A value for every key that training depends on, other than the value in ``SMALL``.
OTHERWISE = {
    "steps": 31,
    "batch": 51,
    "learning_rate": 0.02,
    "schedule": "constant",
    "warmup": 0.5,
    "weight_decay": 0.1,
    "initial_scale": 0.5,
    "initial_bias": "centred",
}


@pytest.mark.parametrize("key", OTHERWISE)
def test_training_keys_reach_the_engine(key: str) -> None:
    usual, otherwise = (train(sweep(**changes), device="cpu") for changes in ({}, {key: OTHERWISE[key]}))
    assert not torch.equal(usual.parameters["W"], otherwise.parameters["W"])


def test_training_keys_are_complete() -> None:
    """Every training key is tested above, and the settings of an engine are among them."""
    assert {field.name for field in fields(TrainingConfig)} <= set(OTHERWISE)
    assert set(OTHERWISE) == set(TRAINING_KEYS) - {"snapshots", "evaluation"}


def check_engine(engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that an engine trains the same models as the compiled one, in blocks as on a GPU: padded, of all seeds."""
    plan = sweep(**SWEEPS["sets"], seeds=2, snapshots=2)
    fused = train(plan, device="cpu")
    monkeypatch.setitem(devices.ENGINES, "cpu", engine)
    monkeypatch.setattr(blocks, "BLOCK_DATA", 5 * plan.n * plan.batch)
    cut = blocks.Plan.blocks
    monkeypatch.setattr(blocks.Plan, "blocks", lambda self, *_: cut(self, torch.device("cuda"), 1))
    other = train(plan, device="cpu", threads=1)
    for name, values in other.parameters.items():
        torch.testing.assert_close(values, fused.parameters[name], atol=1e-4, rtol=0)
        torch.testing.assert_close(other.snapshots[name], fused.snapshots[name], atol=1e-4, rtol=0)
    torch.testing.assert_close(other.loss, fused.loss, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(other.loss_error, fused.loss_error, atol=1e-6, rtol=1e-3)


def test_the_reference_engine_trains_the_same_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU blocks are other ones, but verdicts must be the same."""
    check_engine(Autograd, monkeypatch)


def test_a_gpu_without_memory_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that other jobs may share the GPU, and what to do."""

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Fused, "advance", full)
    with pytest.raises(SuperpositionError, match=r"^the GPU is out of memory: .*--resources gpu=1.*device: cpu$"):
        train(sweep(), device="cpu")


def sampled_loss(trained: SweepResult, point: int, alone: bool = False) -> tuple[float, float]:
    """Estimate what restart 0 minimised and its standard error, with an independent sampler and forward pass.

    With ``alone``, attacks and penalties are left out.
    """
    plan, rng, samples = trained.sweep, np.random.default_rng(point), 2**17
    density, importance, distribution = (
        values()[point] for values in (plan.densities, plan.importances, plan.distributions)
    )
    on = rng.random((samples, plan.n)) < density
    for members in distribution.correlated:
        on[:, members] = on[:, members[:1]]
    for members in distribution.anticorrelated:
        chosen = rng.integers(len(members), size=samples)
        on[:, members] = on[:, members[:1]] & (np.arange(len(members)) == chosen[:, None])
    x = on * rng.uniform(-1 if distribution.signed else 0, 1, (samples, plan.n))
    p = {name: values[point, 0].double().numpy() for name, values in trained.parameters.items()}
    given, l1 = x, 0 if alone else plan.points()["l1"][point]
    if (attack := plan.points()["attack"][point]) and not alone:
        rows = (p["W"].T @ p["W"])[rng.integers(plan.n, size=samples)]
        size = attack * np.linalg.norm(x, axis=1).mean()
        given = x + size * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    h = given @ p["W"].T + p.get("b_hidden", 0)
    out = (np.maximum(h, 0) if plan.model in ("relu_hidden", "absolute") else h) @ p.get("W_out", p["W"]) + p["b"]
    target = np.abs(x) if plan.model == "absolute" else x
    loss = (target - (out if plan.model == "linear" else np.maximum(out, 0))) ** 2 @ importance
    loss = loss + l1 * np.abs(np.maximum(h, 0) if plan.model in ("relu_hidden", "absolute") else h).sum(1)
    return loss.mean(), loss.std() / samples**0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 3, "m": 1},
        {"n": 3, "m": 1, "model": "linear"},
        {"n": 3, "m": 1, "solver": "exact"},
        {"n": 3, "distribution": "signed"},
        {"n": 3, "model": "linear", "distribution": "signed"},
        {"attack": [0, 0.5]},
        {"l1": [0, 0.1]},
        *(
            SWEEPS[name]
            for name in ("relu_output", "relu_hidden", "absolute", "sets", "relative", "against", "penalised")
        ),
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_losses_are_true(changes: dict[str, Any]) -> None:
    """Every formula and draw agrees with plain sampling, and every error is honest."""
    trained = train(sweep(**changes, restarts=1, evaluation=2**18))
    for point in range(len(trained.loss)):
        mean, error = sampled_loss(trained, point)
        own = trained.loss_error[point, 0].item()
        assert abs(trained.loss[point, 0].item() - mean) < 5 * (error**2 + own**2) ** 0.5
        assert own < 3 * error


def test_the_penalty_of_the_all_zero_sample_counts() -> None:
    """Hidden units that are active by their biases cost 0.1 (1 + 2) in every sample, of which 97 % are all-zero."""
    plan = blocks.Plan(
        sweep(model="relu_hidden", n=3, m=2, hidden_bias=True, density=0.01, importance=1, l1=0.1, restarts=1)
    )
    p = {"W": torch.zeros(1, 2, 3), "b": torch.zeros(1, 3), "b_hidden": torch.tensor([[1.0, 2.0]])}
    with devices.thread_pool(1) as pool:
        loss, error = evaluation.evaluate(plan, plan.model.pack(p), torch.device("cpu"), 1, pool)
    assert abs(loss.item() - (0.3 + 3 * 0.01 / 3)) < 5 * error.item()
    assert error.item() < 1e-3


def test_losses_of_the_sparsest_models_are_true() -> None:
    """P(any feature active) is 1.5e-7 here; in float32, 1 - P(all-zero) would be 19 % off."""
    density, samples = 5e-8, 2**17
    changes = {"density": density, "steps": 1, "learning_rate": 1e-12, "restarts": 1, "evaluation": 3 * samples}
    trained = train(sweep(**SWEEPS["absolute"] | changes))
    n, rng = trained.sweep.n, np.random.default_rng(0)
    x = np.eye(n)[rng.integers(n, size=samples)] * rng.uniform(-1, 1, (samples, 1))  # Two at once never occur.
    W, W_out = (trained.parameters[name][0, 0].double().numpy() for name in ("W", "W_out"))  # The biases are still 0.
    loss = (np.abs(x) - np.maximum(np.maximum(x @ W.T, 0) @ W_out, 0)) ** 2 @ trained.sweep.importances()[0]
    assert trained.loss.item() == pytest.approx(n * density * loss.mean(), rel=0.02)


@pytest.mark.parametrize("name", ["linear", "relu_output"])
def test_small_models_have_exact_losses(name: str) -> None:
    trained = train(sweep(model=name, n=3, m=1, relative_density={"features": [0], "ratio": [0.5, 1]}))
    expected = exact.expected_loss(
        trained.model,
        {k: v.double() for k, v in trained.parameters.items()},
        torch.from_numpy(trained.sweep.densities())[:, None].expand(-1, 3, -1),
        torch.from_numpy(trained.sweep.importances())[:, None].expand(-1, 3, -1),
    )
    torch.testing.assert_close(trained.loss, expected, rtol=1e-6, atol=0)  # Importances are float32 in training.
    assert not trained.loss_error.any()


def test_a_linear_model_reaches_the_linear_optimum() -> None:
    """Sampling, gradient, optimizer and loss together reach a known number."""
    trained = train(
        sweep(model="linear", n=4, m=2, density=[1, 0.5, 0.1], importance={"decay": 0.7}, steps=2000, batch=256)
    )
    density, importance = (torch.from_numpy(a) for a in (trained.sweep.densities(), trained.sweep.importances()))
    optimum = exact.linear_optimum(2, density, importance)
    best = trained.best()
    reached = exact.linear_loss(best["W"], best["b"], density, importance)
    assert (reached >= optimum * (1 - 1e-6)).all()
    torch.testing.assert_close(reached, optimum, rtol=0.01, atol=0)


def test_the_sparsest_models_train() -> None:
    """Where nearly every sample is all-zero, weights stay finite, and W still moves."""
    trained = train(sweep(n=3, m=1, density=[1e-6, 1e-9, 1e-20], importance=1, schedule="constant", snapshots=30))
    # At the lower densities Adam's epsilon exceeds the gradients, so only finite weights can be asked for.
    path = trained.snapshots["W"][-1, 0] - trained.snapshots["W"][0, 0]
    assert path.abs().amax((1, 2)).min() > 0.05


def test_divergence_names_the_instance() -> None:
    """NaN never reaches a file, and the error says which model diverged."""
    with pytest.raises(SuperpositionError, match=r"^training diverged by step \d+ at .*learning_rate$") as caught:
        train(sweep(learning_rate=10, weight_decay=1, schedule="constant", steps=300))
    assert "\n" not in str(caught.value)

    # The gradient overflows at one point in the middle of a block; no importance that is allowed does this.
    relative = Relative(features=[0], ratio=1).model_copy(update={"ratio": (1, 2, 3, 4, 2e38, 6, 7, 8, 9, 10, 11, 12)})
    changed = sweep(density=1, importance=1, batch=2, restarts=1).model_copy(update={"relative_importance": relative})
    with pytest.raises(SuperpositionError, match=r"density 1\.0, .*relative_importance 2e\+38, .*seed 0, restart 0"):
        train(changed, threads=1)


@pytest.mark.parametrize("changes", [{}, {"n": 2, "m": 1, "solver": "exact"}], ids=["trained", "solved"])
@pytest.mark.parametrize("device", ["gpu", "cuda:0", ""])
def test_an_unknown_device(device: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SuperpositionError, match=rf"^device: '{device}' is not one of auto, cpu, cuda$"):
        train(sweep(**changes), device=device)


def test_a_missing_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error to ask for it by name; ``auto`` takes what is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SuperpositionError, match=r"^device: cuda was asked for.*allowed are auto, cpu$"):
        train(sweep(), device="cuda")
    assert train(sweep(), device="auto").device == "cpu"


@pytest.mark.parametrize(("progress", "shown"), [(None, False), (False, False), (True, True)])
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "relu_output: 9 models × 30 steps "),
        ({"n": 2, "m": 1, "solver": "exact"}, "relu_output: optima of 3 models "),
    ],
)
def test_the_progress_bar(
    changes: dict[str, Any], name: str, progress: bool | None, shown: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """There is none in a log file, unless it is asked for."""
    train(sweep(**changes), progress=progress)
    captured = capfd.readouterr()
    assert (name in captured.err) == shown
    assert shown or captured.err == ""
    assert captured.out == ""


SOLVED: dict[str, Any] = {
    "n": 2,
    "m": 1,
    "density": [0.5, 0.1],
    "relative_density": {"features": [0], "ratio": [0.4, 1]},
    "importance": [1, 0.7],
    "relative_importance": {"features": [1], "ratio": [0.5, 3]},
    "solver": "exact",
    "restarts": 5,
}


@pytest.mark.integration
def test_solved_models_do_not_depend_on_threads_or_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bytes are the same with any number of threads and jobs; with other groups of points, losses are the same up to
    rounding."""
    plan = sweep(**SOLVED)
    whole = train(plan, threads=2)
    # There are eight points, so the last part is smaller.
    monkeypatch.setattr("superposition.core.experiment.sweep.POINTS_PER_SEARCH", 3)
    first = train(plan, threads=1)
    expected = content(first, tmp_path / "first")
    assert content(train(plan, threads=2), tmp_path / "two threads") == expected
    assert content(gathered(plan, 2, tmp_path), tmp_path / "two jobs") == expected
    torch.testing.assert_close(*(models.loss.min(dim=1).values for models in (first, whole)), rtol=1e-9, atol=0)


def test_solved_models_are_at_their_points() -> None:
    """Every optimum is stored at its own coordinates."""
    solved = train(sweep(**SOLVED))
    assert solved.points["loss"].nunique() == len(solved.points) == 8
    for point in solved.points.iloc[[1, 6]].itertuples():
        axes = ("relative_density", "relative_importance")
        alone = {axis: SOLVED[axis] | {"ratio": getattr(point, axis)} for axis in axes} | {"density": point.density}
        assert train(sweep(**SOLVED | alone)).points["loss"].item() == pytest.approx(point.loss, rel=1e-9)


def test_the_threads_of_a_pool_do_not_multiply() -> None:
    """PyTorch uses one thread in each, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with devices.thread_pool(3) as pool:
            assert list(pool.map(lambda _: torch.get_num_threads(), range(5))) == [1] * 5
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), devices.thread_pool(1):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

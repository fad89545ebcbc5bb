"""Weights files: written whole or not at all, reproducible, and checked for damage."""

import itertools
import json
import random
import re
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import numpy, safe_open
from safetensors.torch import save_file

from superposition.core import archive
from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult


def trained(seed: int = 0) -> SweepResult:
    """Return untrained models of two points and three restarts."""
    sweep = Sweep(model="absolute", n=3, m=4, density=[0.5, 0.1], distribution="signed", restarts=3, snapshots=2)
    make = torch.Generator().manual_seed(seed)
    shapes = {"W": (4, 3), "W_out": (4, 3), "b": (3,)}
    return SweepResult(
        sweep=sweep,
        parameters={k: torch.randn(2, 3, *shape, generator=make) for k, shape in shapes.items()},
        loss=torch.rand(2, 3, generator=make, dtype=torch.float64),
        loss_error=torch.rand(2, 3, generator=make, dtype=torch.float64) / 100,
        snapshot_steps=torch.tensor([1500, 3000]),
        snapshots={k: torch.randn(2, 2, 3, *shape, generator=make) for k, shape in shapes.items()},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "one.safetensors"
    trained().save(path)
    return path


def refusal(path: Path) -> str:
    """Return the message with which a file is refused, after checking that it is one line that names the file."""
    with pytest.raises(SuperpositionError, match=re.escape(str(path))) as caught:
        SweepResult.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(saved: Path) -> None:
    """Every field is restored to the bit."""
    before, after = trained(), SweepResult.load(saved)
    assert (after.sweep, after.device) == (before.sweep, before.device)
    for field in ("loss", "loss_error", "snapshot_steps"):
        assert torch.equal(getattr(after, field), getattr(before, field))
    for field in ("parameters", "snapshots"):
        values, expected = getattr(after, field), getattr(before, field)
        assert values.keys() == expected.keys()
        assert all(torch.equal(values[k], expected[k]) for k in expected)
    assert after.points.equals(before.points)
    assert after.model == before.model


def parts_of(whole: SweepResult, *lengths: int) -> list[SweepResult]:
    """Divide models into parts of the given numbers of points."""
    starts = [0, *itertools.accumulate(lengths)]
    return [
        replace(
            whole,
            parameters={k: v[here] for k, v in whole.parameters.items()},
            snapshots={k: v[:, here] for k, v in whole.snapshots.items()},
            loss=whole.loss[here],
            loss_error=whole.loss_error[here],
            first_point=here.start,
        )
        for here in itertools.starmap(slice, itertools.pairwise(starts))
    ]


def test_a_part_has_the_points_of_its_models(tmp_path: Path) -> None:
    """A part keeps the coordinates of its own points."""
    whole = trained()
    for part in parts_of(whole, 1, 1):
        part.save(tmp_path / "part")
        loaded = SweepResult.load(tmp_path / "part")
        expected = whole.points.iloc[part.first_point : part.first_point + 1].reset_index(drop=True)
        pd.testing.assert_frame_equal(loaded.points, expected)


def test_gathered_parts_are_the_whole(tmp_path: Path) -> None:
    """The order of the parts does not matter, and the device of each is named."""
    whole = trained()
    first, second = parts_of(whole, 1, 1)
    whole.save(tmp_path / "whole")
    SweepResult.gather([second, first]).save(tmp_path / "gathered")
    assert (tmp_path / "gathered").read_bytes() == (tmp_path / "whole").read_bytes()
    assert SweepResult.gather([first, replace(second, device="a GPU")]).device == "a GPU and cpu"


def test_only_all_parts_of_one_sweep_are_gathered() -> None:
    """Parts that are missing, repeated or from another sweep are refused."""
    first, second = parts_of(trained(), 1, 1)
    other = replace(second, sweep=second.sweep.model_copy(update={"steps": 7}))
    for parts in ([first], [second], [first, first, second], [first, other]):
        with pytest.raises(SuperpositionError, match="not all of the parts of one sweep"):
            SweepResult.gather(parts)


def test_solved_models_keep_their_digits(tmp_path: Path) -> None:
    """Parameters of solved models stay in float64, because rounded ones would have other losses."""
    sweep = Sweep(model="relu_output", n=3, m=2, density=[0.5, 0.1], restarts=4, solver="exact")
    make = torch.Generator().manual_seed(0)
    before = SweepResult(
        sweep=sweep,
        parameters={
            "W": torch.randn(2, 4, 2, 3, generator=make, dtype=torch.float64),
            "b": torch.randn(2, 4, 3, generator=make, dtype=torch.float64),
        },
        loss=torch.rand(2, 4, generator=make, dtype=torch.float64),
        loss_error=torch.zeros(2, 4, dtype=torch.float64),
    )
    before.save(tmp_path / "solved")
    after = SweepResult.load(tmp_path / "solved")
    assert after.sweep == sweep
    assert after.snapshots == {}
    for k, values in before.parameters.items():
        assert after.parameters[k].dtype == torch.float64
        assert torch.equal(after.parameters[k], values)
        chosen = after.loss.argmin(dim=1)
        assert torch.equal(after.best()[k], torch.stack([values[i, r] for i, r in enumerate(chosen)]))


def test_the_same_models_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    for k in range(3):
        trained().save(tmp_path / f"again {k}")
        assert (tmp_path / f"again {k}").read_bytes() == saved.read_bytes()
    trained(seed=1).save(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() != saved.read_bytes()


def test_the_best_restart_has_the_lowest_loss() -> None:
    """The best restart is returned in float64, because exact losses are computed from it."""
    models = trained(seed=4)
    assert models.loss.argmin(dim=1).unique().numel() == 2
    for point, restart in enumerate(models.loss.argmin(dim=1)):
        for k, best in models.best().items():
            assert best.dtype == torch.float64
            assert torch.equal(best[point], models.parameters[k][point, restart].double())
        assert models.points.loc[point, "restart"] == restart
        assert models.points.loc[point, "loss"] == models.loss[point].min()
    assert models.points["density"].tolist() == [0.5, 0.1]


def test_a_missing_file(tmp_path: Path) -> None:
    refusal(tmp_path / "missing.safetensors")
    refusal(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"superposition": "yes"}, {"superposition": "{}"}])
def test_weights_of_somebody_else(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    """A safetensors file may come from another program."""
    path = tmp_path / "model.safetensors"
    save_file({"W": torch.zeros(2, 2)}, path, metadata=metadata)
    refusal(path)


def test_a_new_key_of_sweeps_leaves_weights_as_they_are(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version of the package reads a file from before the key, and does not ask for other weights."""

    class NewerSweep(Sweep):
        momentum: float = 0.9

    monkeypatch.setattr(archive, "Sweep", NewerSweep)
    newer = SweepResult.load(saved).sweep
    assert newer == NewerSweep(**trained().sweep.model_dump())
    assert newer.spec() == trained().sweep.spec()
    assert "momentum" in newer.model_copy(update={"momentum": 0.5}).spec()


@pytest.mark.parametrize("missing", ["first", "device", "sweep"])
def test_weights_of_another_version(missing: str, saved: Path) -> None:
    """A file of an older version, whose header lacks an entry, is refused with the name of that entry."""
    with safe_open(saved, framework="np") as file:
        about = json.loads(file.metadata()["superposition"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    del about[missing], about["sha256"]
    about["sha256"] = archive.checksum(arrays, about)
    numpy.save_file(arrays, saved, metadata={"superposition": json.dumps(about)})
    assert missing in refusal(saved)


def test_truncations_are_detected(saved: Path) -> None:
    """A truncated file, which a full disk or a killed copy leaves behind, is detected at every length."""
    whole = saved.read_bytes()
    for length in {0, 1, 7, 8, 9, len(whole) - 1, *range(0, len(whole), 97)}:
        saved.write_bytes(whole[:length])
        refusal(saved)


def test_flipped_bits_are_detected(saved: Path) -> None:
    """A flipped bit is detected in the length of the header, in the header and in the data."""
    whole = saved.read_bytes()
    for position in (*range(8), *range(8, len(whole), 13)):
        flipped = whole[position] ^ 1 << random.Random(position).randrange(8)
        saved.write_bytes(whole[:position] + bytes([flipped]) + whole[position + 1 :])
        refusal(saved)


@pytest.mark.parametrize("room", [0, 1, 500, 2000])
def test_a_full_disk_is_an_error(room: int, saved: Path, tmp_path: Path) -> None:
    """However much of the file fits, nothing of it stays, and the error names the file in one line."""
    before = saved.read_bytes()
    assert len(before) > 2000
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for path in (saved, tmp_path / "new.safetensors"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
        try:
            with pytest.raises(OSError, match=rf"^{re.escape(str(path))}: cannot be written \(.*\)$"):
                trained(seed=1).save(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert list(tmp_path.iterdir()) == [saved]
    assert saved.read_bytes() == before


class Interrupted(BaseException):
    """An error that is no Exception, as when a signal arrives."""


@pytest.mark.parametrize("error", [OSError("no space left on device"), Interrupted()])
def test_a_save_that_fails_leaves_no_file(
    error: BaseException, saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A half-written file neither stays nor replaces a whole one."""
    before = saved.read_bytes()

    def fail(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        Path(path).write_bytes(before[:100])
        raise error

    monkeypatch.setattr(archive, "save_file", fail)
    for path in (saved, tmp_path / "new.safetensors"):
        with pytest.raises(type(error)):
            trained(seed=1).save(path)
    assert list(tmp_path.iterdir()) == [saved]
    assert saved.read_bytes() == before


def test_a_reader_never_sees_half_of_a_file(saved: Path) -> None:
    """A new file replaces the old one in one step, so whoever has the old one open keeps all of it."""
    before = saved.read_bytes()
    with saved.open("rb") as reader:
        trained(seed=1).save(saved)
        assert reader.read() == before
    assert saved.read_bytes() != before


def test_the_checksum_is_that_of_names_shapes_and_values() -> None:
    """Weights that differ in any of them have different checksums."""
    zeros, ones = np.zeros((2, 3)), np.ones((2, 3))
    sets = [
        {"W": zeros, "b": ones},
        {"W": ones, "b": zeros},
        {"W": zeros, "c": ones},
        {"W": zeros.T, "b": ones},
        {"W": zeros},
        {"W": zeros, "b": ones.astype("float32")},
    ]
    assert len({archive.checksum(tensors) for tensors in sets}) == len(sets)
    assert archive.checksum({"b": ones, "W": zeros}) == archive.checksum(sets[0])

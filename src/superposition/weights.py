"""Trained models and their file."""

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float64, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from superposition.errors import SuperpositionError
from superposition.models import Model
from superposition.sweep import Sweep

_KEY = "superposition"  # the one metadata entry: with several, safetensors would order them at random


@dataclass(frozen=True)
class Trained:
    """All models of a sweep. Axes: point (a row of ``sweep.points()``), restart, then the parameter's own."""

    sweep: Sweep
    parameters: dict[str, Tensor]  # W [point, restart, m, n], b [point, restart, n], …; float32, solved: float64
    loss: Float64[Tensor, "point restart"]  # expected loss of every model: of all that was minimised
    loss_error: Float64[Tensor, "point restart"]  # its standard error; 0 where it is exact
    snapshot_steps: Int64[Tensor, " snapshot"]
    snapshots: dict[str, Tensor] = field(default_factory=dict)  # as parameters, with a leading axis: snapshot
    device: str = "cpu"
    first: int = 0  # the place of its first point in the sweep: above 0 in parts of one

    @property
    def model(self) -> Model:
        return Model.of(self.sweep)

    @property
    def points(self) -> pd.DataFrame:
        """The coordinates of every point, with the lowest loss among its restarts and that restart's number."""
        best = self.loss.min(dim=1)
        return self._coordinates().assign(loss=best.values.numpy(), restart=best.indices.numpy())

    def best(self) -> dict[str, Tensor]:
        """The parameters of the restart with the lowest loss at every point, in float64: [point, …]."""
        point = torch.arange(len(self.loss))
        return {k: v[point, self.loss.argmin(dim=1)].double() for k, v in self.parameters.items()}

    def _coordinates(self) -> pd.DataFrame:
        return self.sweep.points(range(self.first, self.first + len(self.loss)))

    @classmethod
    def gather(cls, parts: Sequence["Trained"]) -> "Trained":
        """The whole of a sweep from its parts, in any order: what would have been trained at once, to the bit.

        Raises SuperpositionError if they are not all of the parts of one sweep.
        """
        parts = sorted(parts, key=lambda part: part.first)
        sweep = parts[0].sweep
        ends = [0, *itertools.accumulate(len(part.loss) for part in parts)]
        if any(part.sweep != sweep for part in parts) or ends != [*(part.first for part in parts), sweep.size]:
            raise SuperpositionError("these are not all of the parts of one sweep; delete them to train again")

        def join(tensors: Sequence[dict[str, Tensor]], axis: int) -> dict[str, Tensor]:
            return {name: torch.cat([part[name] for part in tensors], axis) for name in tensors[0]}

        return cls(
            sweep=sweep,
            parameters=join([part.parameters for part in parts], 0),
            loss=torch.cat([part.loss for part in parts]),
            loss_error=torch.cat([part.loss_error for part in parts]),
            snapshot_steps=parts[0].snapshot_steps,
            snapshots=join([part.snapshots for part in parts], 1),
            device=" and ".join(sorted({part.device for part in parts})),
        )

    def _tensors(self) -> dict[str, Tensor]:
        named = {**self.parameters, **{f"snapshot.{k}": v for k, v in self.snapshots.items()}}
        measured = {"loss": self.loss, "loss_error": self.loss_error, "snapshot_steps": self.snapshot_steps}
        return {k: v.contiguous() for k, v in (named | measured).items()}

    def save(self, path: str | Path) -> None:
        """Writes a safetensors file: whole, or not at all. The same models give the same bytes."""
        path, tensors = Path(path), self._tensors()
        about = {
            "sweep": json.loads(self.sweep.spec()),
            "points": self._coordinates().to_dict(orient="list"),
            "first": self.first,
            "axes": "point, restart, hidden, feature",
            "device": self.device,
        }
        about["sha256"] = checksum(tensors, about)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            save_file(tensors, part, metadata={_KEY: json.dumps(about)})
            part.replace(path)
        except SafetensorError as error:  # such as a full disk
            raise OSError(f"{path}: cannot be written ({error})") from None
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "Trained":
        """Raises SuperpositionError if the file is missing, damaged, or not one of ours."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise SuperpositionError(
                f"{path}: not a readable weights file ({error}); delete it to train again"
            ) from None
        if _KEY not in metadata:
            raise SuperpositionError(f"{path}: not a weights file of this project; delete it to train again")
        try:
            about = json.loads(metadata[_KEY])
            whole = about.pop("sha256") == checksum(tensors, about)
        except (ValueError, AttributeError, KeyError):
            whole = False
        if not whole:
            raise SuperpositionError(f"{path}: damaged, its checksum does not fit; delete it to train again")
        try:
            sweep = Sweep.parse(about["sweep"], str(path))
            if missing := sorted(Sweep.model_fields.keys() - about["sweep"]):  # maybe not today's default
                raise KeyError(missing[0])
            measured = {k: tensors.pop(k) for k in ("loss", "loss_error", "snapshot_steps")}
            return cls(
                sweep=sweep,
                parameters={k: v for k, v in tensors.items() if not k.startswith("snapshot.")},
                snapshots={k.removeprefix("snapshot."): v for k, v in tensors.items() if k.startswith("snapshot.")},
                device=about["device"],
                first=about["first"],
                **measured,
            )
        except KeyError as error:
            raise SuperpositionError(
                f"{path}: of another version of this project, it has no {error}; delete it to train again"
            ) from None


def checksum(tensors: dict[str, Tensor], about: dict | None = None) -> str:
    """SHA-256 over names, shapes and values."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name}{tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().data)
    return digest.hexdigest()

"""Trained models."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from superposition.core import archive
from superposition.core.errors import SuperpositionError
from superposition.core.models import Model
from superposition.core.sweep import Sweep


@dataclass(frozen=True)
class SweepResult:
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
        """What was trained."""
        return Model.of(self.sweep)

    @property
    def points(self) -> pd.DataFrame:
        """The coordinates of every point, with the lowest loss among its restarts and that restart's number."""
        best = self.loss.min(dim=1)
        points = self.sweep.points(range(self.first, self.first + len(self.loss)))
        return points.assign(loss=best.values.numpy(), restart=best.indices.numpy())

    def best(self) -> dict[str, Tensor]:
        """The parameters of the restart with the lowest loss at every point, in float64: [point, …]."""
        point = torch.arange(len(self.loss))
        return {k: v[point, self.loss.argmin(dim=1)].double() for k, v in self.parameters.items()}

    @classmethod
    def gather(cls, parts: Sequence["SweepResult"]) -> "SweepResult":
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

    def save(self, path: str | Path) -> None:
        """Writes a safetensors file: whole, or not at all. The same models give the same bytes.

        Raises OSError if the file cannot be written.
        """
        named = {**self.parameters, **{f"snapshot.{k}": v for k, v in self.snapshots.items()}}
        measured = {"loss": self.loss, "loss_error": self.loss_error, "snapshot_steps": self.snapshot_steps}
        arrays = {k: v.contiguous().numpy() for k, v in (named | measured).items()}
        archive.write(archive.Header(self.sweep, self.device, self.first), arrays, path)

    @classmethod
    def load(cls, path: str | Path) -> "SweepResult":
        """Raises SuperpositionError if the file is missing, damaged, or not one of ours."""
        header, arrays = archive.read(path)
        tensors = {k: torch.from_numpy(v) for k, v in arrays.items()}
        measured = {k: tensors.pop(k) for k in ("loss", "loss_error", "snapshot_steps")}
        return cls(
            sweep=header.sweep,
            parameters={k: v for k, v in tensors.items() if not k.startswith("snapshot.")},
            snapshots={k.removeprefix("snapshot."): v for k, v in tensors.items() if k.startswith("snapshot.")},
            device=header.device,
            first=header.first,
            **measured,
        )

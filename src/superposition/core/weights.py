"""Trained models: the weights of a sweep, with their losses."""

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
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model


@dataclass(frozen=True)
class SweepResult:
    """All models of a sweep, or of one part of it.

    Attributes:
        sweep: The specification of the models.
        parameters: W [point, restart, m, n], b [point, restart, n], …, where a point is a row of ``points``; in
            float32, or in float64 if the sweep was solved exactly.
        loss: Expected loss of every model, with the penalty, attacks, noise and dropout that it was trained with.
        loss_error: Standard error of the loss; 0 where the loss is exact.
        snapshot_steps: Number of steps before each snapshot.
        snapshots: Like ``parameters``, with the snapshot as leading axis; empty if none were taken.
        device: Name of the device on which the models were trained.
        first_point: Index in the sweep of the first point; above 0 in later parts of a sweep.
    """

    sweep: Sweep
    parameters: dict[str, Tensor]
    loss: Float64[Tensor, "point restart"]
    loss_error: Float64[Tensor, "point restart"]
    snapshot_steps: Int64[Tensor, " snapshot"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    snapshots: dict[str, Tensor] = field(default_factory=dict)
    device: str = "cpu"
    first_point: int = 0

    @property
    def model(self) -> Model:
        """The architecture of the models."""
        return Model.of(self.sweep)

    @property
    def points(self) -> pd.DataFrame:
        """The coordinates of every point, with the lowest loss among its restarts and the number of that restart."""
        best = self.loss.min(dim=1)
        points = self.sweep.points(range(self.first_point, self.first_point + len(self.loss)))
        return points.assign(loss=best.values.numpy(), restart=best.indices.numpy())

    def best(self) -> dict[str, Tensor]:
        """Return the parameters of the restart with the lowest loss at every point, in float64; [point, …]."""
        point = torch.arange(len(self.loss))
        return {k: v[point, self.loss.argmin(dim=1)].double() for k, v in self.parameters.items()}

    @classmethod
    def gather(cls, parts: Sequence["SweepResult"]) -> "SweepResult":
        """Join the parts of a sweep, given in any order; the result is bit-identical to training the sweep at once.

        Raises:
            SuperpositionError: These are not all of the parts of one sweep.
        """
        parts = sorted(parts, key=lambda part: part.first_point)
        sweep = parts[0].sweep
        ends = [0, *itertools.accumulate(len(part.loss) for part in parts)]
        if any(part.sweep != sweep for part in parts) or ends != [*(part.first_point for part in parts), sweep.size]:
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
        """Write a safetensors file atomically; the same models give the same bytes.

        Raises:
            OSError: The file cannot be written.
        """
        snapshots = {f"snapshot.{k}": v for k, v in self.snapshots.items()}
        measured = {"loss": self.loss, "loss_error": self.loss_error, "snapshot_steps": self.snapshot_steps}
        arrays = {k: v.contiguous().numpy() for k, v in (self.parameters | snapshots | measured).items()}
        archive.write(archive.Header(self.sweep, self.device, self.first_point), arrays, path)

    @classmethod
    def load(cls, path: str | Path) -> "SweepResult":
        """Read a file that :meth:`save` wrote.

        Raises:
            SuperpositionError: The file is missing, damaged, or not a weights file of this version of the project.
        """
        header, arrays = archive.read(path)
        tensors = {k: torch.from_numpy(v) for k, v in arrays.items()}
        measured = {k: tensors.pop(k) for k in ("loss", "loss_error", "snapshot_steps")}
        return cls(
            sweep=header.sweep,
            parameters={k: v for k, v in tensors.items() if not k.startswith("snapshot.")},
            snapshots={k.removeprefix("snapshot."): v for k, v in tensors.items() if k.startswith("snapshot.")},
            device=header.device,
            first_point=header.first_point,
            **measured,
        )

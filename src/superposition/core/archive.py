"""The file format of weights: safetensors, with a description of what was trained and a checksum in the header.

This module does not import PyTorch, so that scripts that only look up how models were trained start fast.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep

# All metadata is in one entry, because safetensors would order several at random.
_METADATA_KEY = "superposition"


@dataclass(frozen=True)
class Header:
    """The description of the models in a weights file.

    Attributes:
        sweep: The sweep that the models belong to.
        device: Name of the device on which they were trained.
        first_point: Index in the sweep of the first point of this file; above 0 in later parts of a sweep.
    """

    sweep: Sweep
    device: str
    first_point: int = 0


def write(header: Header, arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Write a weights file atomically; the same models give the same bytes.

    Args:
        header: The description of the models.
        arrays: Parameters and measurements by name, among them ``loss`` [point, restart].
        path: Path of the file.

    Raises:
        OSError: The file cannot be written; whatever was at the path is left as it was.
    """
    path = Path(path)
    points = range(header.first_point, header.first_point + len(arrays["loss"]))
    description = {
        "sweep": header.sweep.model_dump(mode="json"),
        "points": header.sweep.points(points).to_dict(orient="list"),
        "first": header.first_point,
        "axes": "point, restart, hidden, feature",
        "device": header.device,
    }
    description["sha256"] = checksum(arrays, description)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(dict(arrays), partial, metadata={_METADATA_KEY: json.dumps(description)})
        partial.replace(path)
    except SafetensorError as error:  # For example because the disk is full.
        raise OSError(f"{path}: cannot be written ({error})") from None
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | Path) -> tuple[Header, dict[str, np.ndarray]]:
    """Read a weights file and verify its checksum.

    Raises:
        SuperpositionError: The file is missing, damaged, or not a weights file of this version of the project.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise SuperpositionError(f"{path}: not a readable weights file ({error}); delete it to train again") from None
    if _METADATA_KEY not in metadata:
        raise SuperpositionError(f"{path}: not a weights file of this project; delete it to train again")
    try:
        description = json.loads(metadata[_METADATA_KEY])
        intact = description.pop("sha256") == checksum(arrays, description)
    except (ValueError, AttributeError, KeyError):
        intact = False
    if not intact:
        raise SuperpositionError(f"{path}: damaged, its checksum does not match; delete it to train again")
    if missing := sorted({"sweep", "device", "first"} - description.keys()):
        raise SuperpositionError(
            f"{path}: written by another version of this project, without {missing[0]!r}; delete it to train again"
        )
    # A key of the sweep that is newer than the file has its default.
    return Header(Sweep.parse(description["sweep"], str(path)), description["device"], description["first"]), arrays


def checksum(arrays: Mapping[str, np.ndarray], description: Mapping[str, Any] | None = None) -> str:
    """Return the SHA-256 of a description and of the names, shapes and values of arrays."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()

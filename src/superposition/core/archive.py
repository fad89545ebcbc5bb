"""Weights as a file: safetensors, with what was trained in its header, and a checksum of all of it.

This module needs no PyTorch, so that what only looks up how models were trained starts without it.
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
from superposition.core.sweep import Sweep

_KEY = "superposition"  # the one metadata entry: with several, safetensors would order them at random


@dataclass(frozen=True)
class Header:
    """What a weights file says of its models."""

    sweep: Sweep
    device: str  # what they were trained on
    first: int = 0  # the place of its first point in the sweep: above 0 in parts of one


def write(header: Header, arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Writes a safetensors file: whole, or not at all. The same models give the same bytes.

    ``arrays``: the axes of ``loss`` are [point, restart]. Raises OSError if the file cannot be written.
    """
    path = Path(path)
    points = range(header.first, header.first + len(arrays["loss"]))
    about = {
        "sweep": json.loads(header.sweep.spec()),
        "points": header.sweep.points(points).to_dict(orient="list"),
        "first": header.first,
        "axes": "point, restart, hidden, feature",
        "device": header.device,
    }
    about["sha256"] = checksum(arrays, about)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(dict(arrays), part, metadata={_KEY: json.dumps(about)})
        part.replace(path)
    except SafetensorError as error:  # such as a full disk
        raise OSError(f"{path}: cannot be written ({error})") from None
    finally:
        part.unlink(missing_ok=True)


def read(path: str | Path) -> tuple[Header, dict[str, np.ndarray]]:
    """Raises SuperpositionError if the file is missing, damaged, or not one of ours."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise SuperpositionError(f"{path}: not a readable weights file ({error}); delete it to train again") from None
    if _KEY not in metadata:
        raise SuperpositionError(f"{path}: not a weights file of this project; delete it to train again")
    try:
        about = json.loads(metadata[_KEY])
        whole = about.pop("sha256") == checksum(arrays, about)
    except (ValueError, AttributeError, KeyError):
        whole = False
    if not whole:
        raise SuperpositionError(f"{path}: damaged, its checksum does not fit; delete it to train again")
    lacking = sorted(Header.__annotations__.keys() - about or Sweep.model_fields.keys() - about["sweep"])
    if lacking:  # maybe it was not today's default
        raise SuperpositionError(
            f"{path}: of another version of this project, it has no {lacking[0]!r}; delete it to train again"
        )
    return Header(Sweep.parse(about["sweep"], str(path)), about["device"], about["first"]), arrays


def checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any] | None = None) -> str:
    """SHA-256 over names, shapes and values."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()

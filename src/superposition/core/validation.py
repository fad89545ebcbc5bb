"""Strict pydantic models, and one-line messages for their errors."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from superposition.core.errors import SuperpositionError, short_repr


class Strict(BaseModel):
    """A frozen model that rejects unknown keys and does not parse numbers from strings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def as_tuple(spec: Any) -> Any:
    """Convert lists and arrays to tuples, and a 0-d array to its value; leave anything else for pydantic to reject."""
    if isinstance(spec, np.ndarray):
        spec = spec.tolist()
    return tuple(spec) if isinstance(spec, list) else spec


def check_known(where: str, names: Iterable[str], allowed: Collection[str]) -> None:
    """Raise SuperpositionError, with a message that starts with ``where``, if a name is not allowed."""
    for name in names:
        if name not in allowed:
            raise SuperpositionError(f"{where}: unknown {short_repr(name)}, allowed are {', '.join(allowed)}")


def explain(error: ValidationError, where: str) -> str:
    """Describe a pydantic error in one line: the key at fault, what is allowed there, and what was given."""
    # Where a value may be of several types, the deepest finding belongs to the type that was meant.
    finding = max(error.errors(), key=lambda finding: len(finding["loc"]))
    # Pydantic puts the names of types and validators into a location; users should see only their own keys. The last
    # entry is a key whatever it is called if it is unknown or missing.
    keys = [str(key) for key in finding["loc"]]
    certain = len(keys) - (finding["type"] in ("extra_forbidden", "missing"))
    kinds = {"float", "int", "Decay", "Zipf", "tuple", "Relative", "str", "dict", "list", "bool"}
    keys = [k for i, k in enumerate(keys) if i >= certain or not (k in kinds or set("[(") & set(k))]
    location = ".".join([where, *(key if key.isprintable() and len(key) <= 60 else short_repr(key) for key in keys)])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if finding["type"] == "missing":
        return f"{location}: this key is missing"
    value = finding["input"]
    given = f", not {short_repr(value)}" if not isinstance(value, dict | list) else ""
    # In YAML 1.1, which Snakemake reads, 1e-3 is no number.
    text = value if finding["type"] == "float_type" and isinstance(value, str) else ""
    if re.fullmatch(r"[+-]?\d*\.?\d+[eE][+-]?\d+", text):
        given += f"; YAML takes it for text, write {np.format_float_scientific(float(text), min_digits=1)}"
    return f"{location}: {message[:1].lower()}{message[1:]}{given}"

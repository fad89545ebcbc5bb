"""What all parts of a configuration share: strict models, and errors of one line."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from superposition.core.errors import SuperpositionError, shown


class Strict(BaseModel):
    """A model that rejects unknown keys, reads no numbers from strings, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def as_tuple(spec: Any) -> Any:
    """Convert lists and arrays to tuples; leave anything else for pydantic to reject."""
    return tuple(spec) if isinstance(spec, list | np.ndarray) else spec


def check_known(where: str, names: Iterable[str], allowed: Collection[str]) -> None:
    """Raise SuperpositionError, one line that starts with ``where``, for a name that is not allowed."""
    for name in names:
        if name not in allowed:
            raise SuperpositionError(f"{where}: unknown {shown(name)}, allowed are {', '.join(allowed)}")


def explain(error: ValidationError, where: str) -> str:
    """Describe the first finding of a pydantic error in one line: where, what is allowed, what was given."""
    finding = max(error.errors(), key=lambda finding: len(finding["loc"]))  # deepest: of a union, the part meant
    # Names of types and validators that pydantic puts into a location are no keys of the user's; a key at the end that
    # is unknown or missing is, whatever it is called.
    keys = [str(key) for key in finding["loc"]]
    certain = len(keys) - (finding["type"] in ("extra_forbidden", "missing"))
    kinds = {"float", "int", "Decay", "tuple", "Relative", "str", "dict", "list", "bool"}
    keys = [k for i, k in enumerate(keys) if i >= certain or not (k in kinds or set("[(") & set(k))]
    location = ".".join([where, *(key if key.isprintable() and len(key) <= 60 else shown(key) for key in keys)])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if finding["type"] == "missing":
        return f"{location}: this key is missing"
    given = finding["input"]
    what = f", not {shown(given)}" if not isinstance(given, dict | list) else ""
    return f"{location}: {message[:1].lower()}{message[1:]}{what}"

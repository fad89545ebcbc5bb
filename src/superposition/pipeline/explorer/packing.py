"""The format of the page's data: packed arrays, lists of numbers, and tables by column."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pandas as pd


def compress(data: Any) -> str:
    """Write data as JSON, compressed, in letters that need no escapes."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def float32(values: Any) -> dict[str, Any]:
    """Pack numbers as float32."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": array.shape, "float32": base64.b64encode(array.tobytes()).decode()}


def int16(values: Any, step: float = 2.5e-4) -> dict[str, Any]:
    """Pack numbers as int16 multiples of a step, which is fine enough to show three decimals and compresses well.

    If the largest number is more than 32767 steps, the step is larger. All low bytes come before all high ones, which
    compresses better.
    """
    array = np.asarray(values, dtype=np.float64)
    scale = max(step, float(np.abs(array).max()) / 32767)
    codes = np.ascontiguousarray((array / scale).round(), dtype="<i2").view(np.uint8).reshape(-1, 2)
    return {"shape": array.shape, "scale": scale, "int16": base64.b64encode(codes.T.tobytes()).decode()}


def numbers(values: Any) -> list[float | None]:
    """Return numbers with seven significant digits, and None for those that are missing."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64).tolist()]


def columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as lists, by column."""
    return {name: numbers(column) if column.dtype.kind == "f" else column.tolist() for name, column in table.items()}

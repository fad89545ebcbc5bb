"""The format of the page's data: packed arrays, lists of numbers, and tables by column."""

import base64
from typing import Any

import numpy as np
import pandas as pd


def float32(values: Any) -> dict[str, Any]:
    """Pack numbers as float32."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": array.shape, "float32": base64.b64encode(array.tobytes()).decode()}


def int16(values: Any) -> dict[str, Any]:
    """Pack numbers as int16 with a scale, which rounds them by at most 1/65534 of the largest."""
    array = np.asarray(values, dtype=np.float64)
    scale = float(np.abs(array).max()) / 32767 or 1.0
    codes = np.ascontiguousarray((array / scale).round(), dtype="<i2")
    return {"shape": array.shape, "scale": scale, "int16": base64.b64encode(codes.tobytes()).decode()}


def numbers(values: Any) -> list[float | None]:
    """Return numbers with seven significant digits, and None for those that are missing."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64).tolist()]


def columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as lists, by column."""
    return {name: numbers(column) if column.dtype.kind == "f" else column.tolist() for name, column in table.items()}

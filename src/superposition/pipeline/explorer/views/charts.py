"""Charts of lines over one axis of a sweep."""

from collections.abc import Sequence
from typing import Any

from superposition.pipeline.explorer.packing import numbers

Data = dict[str, Any]
# Losses above this many times the lowest are not shown beside it.
MAX_LOSS_RATIO = 1.25


def make_chart(title: str, axis: str, y: str, lines: Sequence[Data], **more: Any) -> Data:
    """Return a chart of lines over one axis of a sweep."""
    return {"title": title, "axis": axis, "y": y, "lines": list(lines)} | more


def make_line(name: str, x: Any, y: Any, **more: Any) -> Data:
    """Return one line of a chart."""
    return {"name": name, "x": numbers(x), "y": numbers(y)} | more

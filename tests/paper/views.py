"""The numbers that the explorer shows of a section's figures, from the tables measured on models made by hand."""

import base64
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from tests.paper.made import made
from tests.real import QUICK

from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.views import VIEWS
from superposition.pipeline.judging.claims import Tables


class MadeRun(Run):
    """The models made by hand, and their tables, as if read from the results of a run."""

    def __init__(self, tables: Tables, rough: bool) -> None:
        self.config, self.tables, self.models = QUICK, tables, cache(partial(made, rough=rough))
        self.best = cache(partial(made, seed=1, rough=rough))

    def table(self, figure: str, name: str) -> pd.DataFrame:
        return self.tables[figure][name]


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Return the numbers of a packed array, as the page reads them."""
    if "float32" in packed:
        return np.frombuffer(base64.b64decode(packed["float32"]), "<f4").reshape(packed["shape"])
    low, high = np.frombuffer(base64.b64decode(packed["int16"]), np.uint8).reshape(2, -1)
    return ((high.astype(np.int8).astype(int) * 256 + low) * packed["scale"]).reshape(packed["shape"])


def of_data(data: Any, place: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the numbers and texts in the data of the page, by the names that lead to them."""
    if isinstance(data, dict) and "shape" in data:
        yield f"{place}/shape", list(data["shape"])
        yield place, unpack(data).ravel().tolist()
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from of_data(value, f"{place}/{name}")
    elif isinstance(data, list | tuple):
        for value in data:
            yield from of_data(value, place)
    else:
        yield place, [np.nan if data is None else data]


def of_views(tables: Tables, rough: bool) -> dict[str, list[Any]]:
    """Return what the views of these figures show."""
    found: dict[str, list[Any]] = {}
    for figure in sorted(VIEWS.keys() & tables.keys()):
        for place, values in of_data(VIEWS[figure](MadeRun(tables, rough), figure), figure):
            found.setdefault(place, []).extend(values)
    return found

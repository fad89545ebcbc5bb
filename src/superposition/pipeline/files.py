"""Tables of a figure as files: a folder with one CSV file per table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd


def write(tables: Mapping[str, pd.DataFrame], folder: str | Path) -> None:
    """Write tables to a folder, which must not exist yet."""
    Path(folder).mkdir()
    for name, table in tables.items():
        table.to_csv(Path(folder, f"{name}.csv"), index=False)


def read(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Read the tables in a folder, by name."""
    return {path.stem: pd.read_csv(path) for path in sorted(Path(folder).glob("*.csv"))}

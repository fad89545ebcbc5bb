"""Test tables as files: reading returns what was written."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superposition.pipeline import files


def test_read(tmp_path: Path) -> None:
    """Figures and judges get exactly what was measured; other files in the folder are no tables."""
    written = {
        "models": pd.DataFrame({"model": ["linear", "relu_output"], "loss": [0.1, 1 / 3], "best": [True, False]}),
        "pairs": pd.DataFrame({"i": [0, 1], "dot": [float("nan"), -1e-9]}),
    }
    files.write(written, tmp_path / "tables")
    tmp_path.joinpath("tables/notes.txt").write_text("density\n1\n")
    found = files.read(tmp_path / "tables")
    assert list(found) == ["models", "pairs"]
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, written[name], check_exact=True)
    assert list(files.read(str(tmp_path / "tables"))) == ["models", "pairs"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=20))
def test_numbers_are_read_to_the_bit(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    """Densities of a logarithmic range are read to the bit, because rows are chosen by their equality."""
    folder = tmp_path_factory.mktemp("tables") / "of a figure"
    files.write({"models": pd.DataFrame({"density": values})}, folder)
    assert files.read(folder)["models"]["density"].tolist() == values

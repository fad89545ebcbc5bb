"""Test what the certificate says about each figure."""

import pandas as pd

from superposition.core.experiment.grid import COORDINATES
from superposition.search.summary import by_figure


def test_the_furthest_point_of_every_figure() -> None:
    points = pd.DataFrame(
        {
            **dict.fromkeys(COORDINATES, 1.0),
            "experiment": ["a", "a", "b"],
            "density": [0.1, 0.2, 0.3],
            "excess": [0.01, 0.03, 0.5],
            "excess_error": 0.001,
            "source": ["x", "y", "z"],
            "gap": [0.002, 0.0, 0.1],
            "gap_error": 0.001,
        }
    )
    table = by_figure(points, {"one": ["a", "c"], "two": ["a", "b"], "none": ["d"]}).set_index("figure")
    assert [*table.index] == ["one", "two"]
    assert table.loc["one", ["experiment", "point", "excess", "source", "gap"]].tolist() == [
        "a",
        "density 0.2",
        0.03,
        "y",
        0.002,
    ]
    assert table.loc["two", "source"] == "z"

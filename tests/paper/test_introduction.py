"""Five features in the plane: each claim holds for the picture of the paper, and fails where the picture is another."""

import functools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from tests.paper.synthetic import Solution, changed, drawn_twice, judged, through_files, trained, verdict

from superposition.paper.introduction import draw, judge, measure
from superposition.pipeline.claims import Tables

Polar = list[tuple[float, float]]  # length and direction in degrees of every column of W

NONE = (0.0, 0.0)
IDEAL: dict[float, Polar] = {
    1.0: [(1, 0), (1, 90), NONE, NONE, NONE],
    0.2: [(1, 0), (1, 180), (1, 90), (1, 270), NONE],
    0.1: [(1.1, 72 * k) for k in range(5)],
}
DENSITY = {"dense": 1.0, "antipodal": 0.2, "pentagon": 0.1}


def measured(pictures: dict[float, Polar]) -> Tables:
    def solve(p: float) -> Solution:
        lengths, angles = np.array(pictures[p], dtype=float).T
        W = lengths * np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))])
        return W, np.linspace(-0.1, 0.1, 5), 0.5

    return {"introduction": measure.introduction({"introduction": trained("introduction", solve)})}


def of(name: str, picture: Polar) -> str:
    """The verdict on a claim if this is the picture at its density."""
    return verdict(judge.claims, name, measured(IDEAL | {DENSITY[name]: picture}))


@functools.cache
def ideal() -> Tables:
    return measured(IDEAL)


@settings(max_examples=15)
@given(st.floats(0, 360), st.booleans(), st.permutations(range(5)))
def test_ideal_pictures_however_they_are_turned(angle: float, mirrored: bool, order: list[int]) -> None:
    """Training leaves the orientation to chance; in the pentagon the order of the features, too."""
    pictures = {p: [(r, angle + (-a if mirrored else a)) for r, a in polar] for p, polar in IDEAL.items()}
    pictures[0.1] = [pictures[0.1][i] for i in order]
    data = measured(pictures)
    for name in DENSITY:
        row = judged(judge.claims, name, data)
        assert row["verdict"] == "reproduced"
        assert "nan" not in row["measured"]


@pytest.mark.parametrize(
    ("picture", "holds"),
    [
        ([(0.91, 0), (1, 90), NONE, NONE, NONE], True),
        ([(0.89, 0), (1, 90), NONE, NONE, NONE], False),
        ([(1, 0), (1.09, 90), NONE, NONE, NONE], True),
        ([(1, 0), (1.11, 90), NONE, NONE, NONE], False),
        ([(1, 0), (1, 90), NONE, NONE, (0.09, 45)], True),
        ([(1, 0), (1, 90), NONE, NONE, (0.11, 45)], False),
        ([(1, 0), (1, 85.1), NONE, NONE, NONE], True),
        ([(1, 0), (1, 84.9), NONE, NONE, NONE], False),
        ([(1, 0), (1, 94.9), NONE, NONE, NONE], True),
        ([(1, 0), (1, 95.1), NONE, NONE, NONE], False),
        ([(1, 0), (1, 0), NONE, NONE, NONE], False),
        ([(1, 0), NONE, (1, 90), NONE, NONE], False),  # two features, but not the most important
        ([(1, 0), NONE, NONE, NONE, NONE], False),
        (IDEAL[0.2], False),
        ([NONE] * 5, False),
    ],
)
def test_dense(picture: Polar, holds: bool) -> None:
    assert of("dense", picture) == ("reproduced" if holds else "not reproduced")


@pytest.mark.parametrize(
    ("picture", "holds"),
    [
        ([(1, 0), (1, 90), (1, 180), (1, 270), NONE], True),  # other partners
        ([(0.75, 0), (1.4, 180), (1, 90), (1, 270), (0.7, 45)], True),  # 0.7² < ½ < 0.75²
        ([(0.7, 0), (1, 180), (1, 90), (1, 270), NONE], False),
        ([(1, 0), (1, 180), (1, 90), (1, 270), (0.75, 45)], False),
        ([(1, 0), (1, 180), (1, 90), NONE, (1, 270)], False),  # the fifth in place of the fourth
        ([(1, 0), (1, 175.1), (1, 90), (1, 270), NONE], True),
        ([(1, 0), (1, 174.9), (1, 90), (1, 270), NONE], False),
        ([(1, 0), (1, 180), (1, 85.1), (1, 265.1), NONE], True),
        ([(1, 0), (1, 180), (1, 84.9), (1, 264.9), NONE], False),
        ([(1, 0), (1, 180), (1, 90), (1, 90), NONE], False),  # two features in one direction
        ([(1, 0), (1, 90), NONE, NONE, NONE], False),
        ([(1, 0), NONE, NONE, NONE, NONE], False),
        ([NONE] * 5, False),
        (IDEAL[0.1], False),
    ],
)
def test_antipodal(picture: Polar, holds: bool) -> None:
    assert of("antipodal", picture) == ("reproduced" if holds else "not reproduced")


def test_antipodal_wants_pairs() -> None:
    """Four directions at right angles to one another are no pairs. (In the plane there is no room for them.)"""
    apart = changed(ideal(), "introduction", "pairs", "density == 0.2 and i != j", cosine=0.0)
    assert verdict(judge.claims, "antipodal", apart) == "not reproduced"


@pytest.mark.parametrize(
    ("steps", "holds"),
    [
        ([66.1, 73, 73, 73, 74.9], True),
        ([65.9, 73, 73, 73, 75.1], False),
        ([80.9, 69.7, 69.8, 69.8, 69.8], True),
        ([81.1, 69.7, 69.7, 69.7, 69.8], False),
        ([60, 60, 60, 60, 120], False),  # five corners of the hexagon
        ([90, 90, 90, 90, 0], False),
        ([144] * 5, True),  # a pentagram in the order of importance is a pentagon, too
    ],
)
def test_pentagon_steps(steps: list[float], holds: bool) -> None:
    around = [(1.0, angle) for angle in np.cumsum(steps)]
    assert of("pentagon", around) == ("reproduced" if holds else "not reproduced")


@pytest.mark.parametrize(("length", "holds"), [(0.71, True), (0.70, False)])
def test_pentagon_represents_all(length: float, holds: bool) -> None:
    assert of("pentagon", [*IDEAL[0.1][:4], (length, 288)]) == ("reproduced" if holds else "not reproduced")


def test_verdicts_survive_the_way_through_files(tmp_path: Path) -> None:
    """Densities are compared for equality, after they were written and read again."""
    read = judge.claims.table(through_files(ideal(), tmp_path), "paper")
    assert read.equals(judge.claims.table(ideal(), "paper"))
    assert read["verdict"].tolist() == ["reproduced"] * 3


def test_the_figure_shows_the_columns() -> None:
    """From dense to sparse; an arrow per feature, coloured by importance; a name where there is something to name."""
    figure = draw.introduction(ideal()["introduction"])
    *panels, bar = figure.axes
    assert bar.get_ylabel() == "importance $I_i$"
    titles = ["0% sparsity ($1-S = 1$)", "80% sparsity ($1-S = 0.2$)", "90% sparsity ($1-S = 0.1$)"]
    assert [panel.get_title() for panel in panels] == titles
    named = [[1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert [[text.get_text() for text in panel.texts] for panel in panels] == [
        [f"$W_{{{i}}}$" for i in names] for names in named
    ]
    for panel, picture in zip(panels, IDEAL.values(), strict=True):
        arrows = [line for line in panel.lines if line.get_transform() == panel.transData]  # and not the axes' lines
        expected = [(r * np.cos(np.radians(a)), r * np.sin(np.radians(a))) for r, a in picture]
        np.testing.assert_allclose([line.get_xydata()[1] for line in arrows], expected, atol=1e-6)
        points = [np.ma.getdata(dots.get_offsets())[0] for dots in panel.collections]
        np.testing.assert_allclose(points, expected, atol=1e-6)
        colours = {to_hex(line.get_color()) for line in arrows}
        assert len(colours) == 5, "importances cannot be told apart"
        low, high = panel.get_xlim()
        assert all(low < x < high for x in np.ravel(expected))
    plt.close(figure)


def test_the_figure_is_the_same_every_time(tmp_path: Path) -> None:
    assert drawn_twice(draw, "introduction", ideal(), tmp_path).count("<svg ") == 1

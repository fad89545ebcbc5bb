"""Five features in the plane: each claim holds for the picture of the paper, and fails where the picture is another."""

import functools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from tests.paper.synthetic import Solution, at, judged, through_files, trained, verdict

from superposition.paper.introduction import draw, judge, measure
from superposition.pipeline.judging.claims import Tables

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
        W = at(*angles, norm=lengths)
        # The loss of the linear model on dense features, with the best bias.
        loss = (0.9 ** np.arange(5)[:, None] * (np.eye(5) - W.T @ W) ** 2).sum() / 12
        return W, np.linspace(-0.1, 0.1, 5), loss

    return {"introduction": measure.introduction({"introduction": trained("introduction", solve)})}


def of(name: str, picture: Polar) -> str:
    """Return the verdict on a claim if this is the picture at its density."""
    return verdict(judge.claims, name, measured(IDEAL | {DENSITY[name]: picture}))


@functools.cache
def ideal() -> Tables:
    return measured(IDEAL)


@settings(max_examples=15)
@given(st.floats(0, 360), st.booleans(), st.permutations(range(5)))
def test_ideal_pictures_however_they_are_turned(angle: float, mirrored: bool, order: list[int]) -> None:
    """Verdicts do not depend on the orientation nor, in the pentagon, on the order of the features."""
    pictures = {p: [(r, angle + (-a if mirrored else a)) for r, a in polar] for p, polar in IDEAL.items()}
    pictures[0.1] = [pictures[0.1][i] for i in order]
    data = measured(pictures)
    for name in DENSITY:
        row = judged(judge.claims, name, data)
        assert row["verdict"] == "reproduced"
        assert "nan" not in row["measured"]


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("dense", [(1, 0), (1, 80), NONE, NONE, NONE]),
        ("dense", [(1, 0), NONE, (1, 90), NONE, NONE]),  # two features, but not the most important
        ("dense", IDEAL[0.2]),
        ("dense", [NONE] * 5),
        ("antipodal", [(1, 0), (1, 180), (1, 90), NONE, (1, 270)]),  # the fifth in place of the fourth
        ("antipodal", [(1, 0), (1, 160), (1, 90), (1, 270), NONE]),
        ("antipodal", [(1, 0), (1, 180), (1, 90), (1, 90), NONE]),  # two features in one direction
        ("antipodal", [NONE] * 5),
        ("antipodal", IDEAL[0.1]),
        ("pentagon", [(1, 60 * k) for k in range(5)]),  # five corners of the hexagon
        ("pentagon", [*IDEAL[0.1][:4], (0.7, 288)]),
        ("pentagon", IDEAL[0.2]),
    ],
)
def test_other_pictures(name: str, picture: Polar) -> None:
    """A picture that is not the paper's is not taken for it."""
    assert of(name, picture) == "not reproduced"


def test_verdicts_survive_the_way_through_files(tmp_path: Path) -> None:
    """Densities are compared for equality, after they were written and read again."""
    read = judge.claims.judge(through_files(ideal(), tmp_path), "paper")[0]
    assert read.equals(judge.claims.judge(ideal(), "paper")[0])
    assert read["verdict"].tolist() == ["reproduced"] * 3


def test_the_figure_shows_the_columns() -> None:
    """Panels go from dense to sparse, with an arrow per feature, coloured by importance and named if represented."""
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


def test_two_opposite_features_of_a_pentagon_look_like_the_one_between() -> None:
    """The sum of the directions at 0° and 144° points to 72°, along which the projection is the largest."""
    sweep = trained("introduction", lambda p: (at(*72 * np.arange(5), norm=1.1), np.full(5, -0.2), 0.0))
    tables = measure.interference({"introduction": sweep})
    two = tables["responses"].query("active == 2")
    cosines = np.cos(np.radians(72 * np.arange(3)))
    active = two["x"] == 1
    np.testing.assert_allclose(two["projection"][active], 1.21 * (1 + cosines[2]), rtol=1e-5)
    assert two.loc[two["projection"].idxmax(), "projection"] == pytest.approx(1.21 * 2 * cosines[1], rel=1e-5)
    assert not active[two["projection"].idxmax()]
    np.testing.assert_allclose(two["output"], np.maximum(two["projection"] - 0.2, 0), atol=1e-6)

"""Correlated features: arrangements, local bases, collapsed pairs; claims and figures. The models are made by hand."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from tests.cases import in_ci
from tests.paper.counter_models.correlated import (
    COLLAPSE,
    bases_tables,
    collapse,
    collapse_models,
    collapsed,
    local_bases,
    measured,
    organization,
    regime,
)
from tests.paper.synthetic import animated_twice, at, changed, drawn, through_files, turned, verdict

from superposition.paper.correlated import (
    ARRANGEMENTS,
    HEXAGON,
    Arrangement,
    count_collapsed_pairs,
    draw,
    judge,
    measure,
    pair,
    pca_onset,
)
from superposition.pipeline.judging.claims import Tables
from superposition.theory import branches

ARRANGEMENTS_BY_NAME = {row.name: row for row in ARRANGEMENTS}


@st.composite
def ways(draw: st.DrawFn, pairs: int) -> tuple[float, float, list[int]]:
    """Draw a rotation, a reflection, and an order in which pairs and their members trade places."""
    placed = draw(st.permutations(range(pairs)))
    order = [2 * i + (k ^ draw(st.booleans())) for i in placed for k in (0, 1)]
    grouped = [order[2 * i : 2 * i + 2] for i in range(pairs)]
    flat = [i for pair, two in zip(placed, grouped, strict=True) for i in (two[0], 2 * pair + (two[0] % 2 == 0))]
    return draw(st.floats(0, 2 * math.pi)), draw(st.sampled_from([1.0, -1.0])), flat


# What arrangements are called.


@given(ways(2), st.floats(45.1, 134.9), st.floats(45.1, 134.9), st.floats(0, 360))
def test_orthogonal(how: tuple, first: float, second: float, between: float) -> None:
    """Pairs are orthogonal wherever they lie to each other, and on whichever side the partner is."""
    W = at(0, first, between, between - second)
    assert measure.has_arrangement("orthogonal", turned(W, *how))
    assert not measure.has_arrangement("antipodal", turned(W, *how))


@given(ways(2), st.floats(135.1, 180), st.floats(135.1, 180), st.floats(0, 360))
def test_antipodal(how: tuple, first: float, second: float, between: float) -> None:
    W = at(0, first, between, between - second)
    assert measure.has_arrangement("antipodal", turned(W, *how))
    assert not measure.has_arrangement("orthogonal", turned(W, *how))


@pytest.mark.parametrize(
    ("name", "angle", "expected"),
    [
        ("orthogonal", 44.9, False),
        ("orthogonal", 45.1, True),
        ("orthogonal", 134.9, True),
        ("orthogonal", 135.1, False),
        ("antipodal", 134.9, False),
        ("antipodal", 135.1, True),
        ("antipodal", 0, False),
    ],
)
@pytest.mark.parametrize("pair", [0, 1])
def test_bounds_of_angles(name: str, angle: float, expected: bool, pair: int) -> None:
    """One pair that is off suffices to fail; lengths do not matter."""
    good = 90 if name == "orthogonal" else 180
    W = at(0, *((angle, 40, 40 + good) if pair == 0 else (good, 40, 40 + angle)), norm=[0.8, 1.3, 1, 1.1])
    assert measure.has_arrangement(name, turned(W)) == expected


@pytest.mark.parametrize("row", ARRANGEMENTS, ids=list(ARRANGEMENTS_BY_NAME))
@pytest.mark.parametrize("norm", [0.70, 0.71])
def test_all_have_to_be_represented(row: Arrangement, norm: float) -> None:
    """A feature with ‖W_i‖² below 1/2 is not represented, and without it the arrangement is another one."""
    for i in range(row.corners.shape[1]):
        W = np.where(np.arange(row.corners.shape[1]) == i, norm, 1.0) * row.corners
        assert measure.has_arrangement(row.name, turned(W)) == (norm == 0.71)
    assert not measure.has_arrangement(row.name, 0 * row.corners)
    assert not measure.has_arrangement(row.name, np.nan * row.corners)


@given(ways(3), st.lists(st.floats(-14, 14), min_size=6, max_size=6))
def test_side_by_side(how: tuple, off: list[float]) -> None:
    """An uneven hexagon whose partners are neighbours has its pairs side by side, in any orientation and order."""
    W = at(*(60 * np.arange(6) + off))
    assert measure.has_arrangement("side by side", turned(W, *how))


@pytest.mark.parametrize(
    ("W", "apart"),
    [
        (at(0, 90, 180, 270), True),
        (at(0, 180, 0, 180), True),  # pairs on top of each other, but no pair collapsed
        (at(0, 90, 180, 270, norm=[1, 1, 1, 0.7]), False),
        (at(0, 28, 180, 270), False),
    ],
)
def test_models_that_could_show_an_arrangement(W: np.ndarray, apart: bool) -> None:
    assert measure.has_all_apart(W) == apart


@pytest.mark.parametrize("row", ARRANGEMENTS, ids=list(ARRANGEMENTS_BY_NAME))
def test_chance_is_the_share_of_pairings(row: Arrangement) -> None:
    """Chance is the share of all orders of the features on the corners that show the arrangement."""
    n = row.corners.shape[1]
    found = [measure.has_arrangement(row.name, row.corners[:, [*order]]) for order in itertools.permutations(range(n))]
    assert np.mean(found) == pytest.approx(row.chance)
    assert measure.has_arrangement(row.name, row.corners)


@pytest.mark.parametrize(("apart", "collapsed"), [(28, True), (30, False)])
def test_side_by_side_without_collapse(apart: float, collapsed: bool) -> None:
    """A pair in one direction is not a pair side by side: 2 sin(29°/2) is half a length."""
    W = at(0, apart, 120, 180, 240, 300)
    assert measure.has_arrangement("side by side", W) != collapsed
    assert count_collapsed_pairs(W) == collapsed


@given(ways(3), st.lists(st.sampled_from([0.0, 0.3, 0.49, 0.51, 1.0]), min_size=3, max_size=3))
def test_collapsed_pairs(how: tuple, apart: list[float]) -> None:
    """Pairs are collapsed if partners are less than half a length apart; angles and other features do not matter."""
    middle = at(0, 10, 20, norm=0.7)
    ways_apart = at(33, 80, 200) * apart / 2
    W = np.stack([middle + ways_apart, middle - ways_apart], axis=2).reshape(2, 6)
    assert count_collapsed_pairs(turned(W, *how)) == sum(d < 0.5 for d in apart)


# Tables of the organisation.


def test_shares() -> None:
    """Every row counts the models with an arrangement at all densities, in both distributions; one density is shown."""
    shares = organization()["shares"]
    assert len(shares) == 3 * 2 * 7
    assert (shares["restarts"] == 40).all()
    assert (shares["represented"] == 39).all()
    for name, row in ARRANGEMENTS_BY_NAME.items():
        here = shares[shares["arrangement"] == name]
        assert {*here["distribution"]} == {row.distribution, "independent"}
        ours = here[here["distribution"] == row.distribution]
        assert (ours["stated"] == 36).all()
        assert ours[["best", "best_apart", "known_apart"]].all(axis=None)
        assert (ours["collapsed"] == (name == "side by side")).all()
        control = here[here["distribution"] == "independent"]
        assert (control["stated"] == {"orthogonal": 26, "antipodal": 13, "side by side": 6}[name]).all()
        assert (control["best"] == (name != "orthogonal")).all()
        assert here.groupby("distribution")["shown"].sum().tolist() == [1, 1]
        shown = here.loc[here["shown"], "density"]
        assert (np.abs(np.log(shown / row.density)) < 0.4).all()


def test_models_shown() -> None:
    """Models are shown evenly from the lowest loss to the highest, each aligned with the corners."""
    models = organization()["models"]
    for name, row in ARRANGEMENTS_BY_NAME.items():
        here = models[models["arrangement"] == name]
        assert here.groupby("model")["feature"].apply(list).tolist() == [[*range(row.corners.shape[1])]] * 6
        stated = here.groupby("model")["stated"].first().tolist()
        assert stated == [True] * 5 + [False]  # ranks 0, 8, 16, 23, 31, 39
        for number, model in here.groupby("model"):
            if number < 5:
                np.testing.assert_allclose(model[["w0", "w1"]].to_numpy().T, row.corners, atol=1e-6)


def test_shares_in_the_report() -> None:
    shown = organization()["numbers"]
    assert shown["arrangement"].tolist() == [name for name in ARRANGEMENTS_BY_NAME for _ in range(2)]
    ours, control = shown.iloc[0], shown.iloc[1]
    assert ours["all represented"] == "39 of 40"
    assert ours["of these, as stated"] == "92.3%"
    assert control["of these, as stated"] == "66.7%"
    assert shown["of all pairings"].tolist()[::2] == ["66.7%", "33.3%", "13.3%"]


# Local bases.


def test_bases() -> None:
    """Interference is the mean over pairs of different features within a set, and over pairs between the sets."""
    models, trained = bases_tables()["models"], local_bases()
    assert len(models) == len(trained.points) * 4
    ours = models[models["distribution"] == "correlated"]
    np.testing.assert_allclose(ours["within"], 0, atol=1e-10)
    np.testing.assert_allclose(ours["between"], 1 / 10, rtol=1e-5)  # ten of a hundred pairs are opposite
    assert (models["represented"] == 20).all()
    W = trained.parameters["W"].double().numpy()
    for point, at_point in enumerate(trained.points.itertuples()):
        name = "independent" if at_point.distribution == "independent" else "correlated"
        here = models[(models["distribution"] == name) & (models["density"] == at_point.density)]
        assert here["best"].tolist() == [restart == at_point.restart for restart in range(4)]
        for restart in range(4):
            one, other = W[point, restart][:, :10], W[point, restart][:, 10:]
            inside = [
                (part[:, i] @ part[:, j]) ** 2 for part in (one, other) for i in range(10) for j in range(10) if i != j
            ]
            row = here[here["restart"] == restart].iloc[0]
            assert row["within"] == pytest.approx(np.mean(inside))
            assert row["between"] == pytest.approx(((one.T @ other) ** 2).mean())


def test_pairs_are_in_canonical_order() -> None:
    """The features of the second set come in the order of those of the first to which they are opposite."""
    pairs = bases_tables()["pairs"].query("distribution == 'correlated'")
    for _, rows in pairs.groupby("density"):
        gram = rows.pivot(index="i", columns="j", values="dot").to_numpy()
        np.testing.assert_allclose(gram, np.kron([[1, -1], [-1, 1]], np.eye(10)), atol=1e-5)


# Principal components.


def covariance(p: float) -> np.ndarray:
    """Return the covariance of three pairs, each on or off as a whole, from all patterns and the moments of a value."""
    second, mean = np.zeros((6, 6)), np.zeros(6)
    for on in itertools.product([0, 1], repeat=3):
        share = math.prod(p if one else 1 - p for one in on)
        x = np.repeat(on, 2)
        second += share * np.outer(x, x) * np.where(np.eye(6), 1 / 3, 1 / 4)
        mean += share * x / 2
    return second - np.outer(mean, mean)


@given(st.lists(st.floats(1e-3, 1), min_size=1, max_size=5))
def test_pca_loss(density: list[float]) -> None:
    """The loss is the sum of the eigenvalues of the covariance matrix that two dimensions leave out."""
    expected = [np.linalg.eigvalsh(covariance(p))[:-2].sum() for p in density]
    np.testing.assert_allclose(measure.pca_loss(np.array(density)), expected, rtol=1e-9)


def losses(excess: Sequence[float], densities: Sequence[float] = (0.1, 0.2, 0.4, 0.8)) -> dict[str, pd.DataFrame]:
    """Return losses of principal components that exceed the best of two branches by these shares.

    At density 1 there are no branches.
    """
    least = np.array(densities) / 7
    branch = pd.DataFrame({"density": densities, "collapsed": 3, "loss": least})
    worse = branch.assign(collapsed=2, loss=least * 1.2)
    pca = pd.DataFrame({"density": [1.0, *densities], "loss": [0.3, *(least * (1 + np.array(excess)))]})
    return {"branches": pd.concat([worse, branch]), "pca": pca.sample(frac=1, random_state=0)}


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        ([0.4, 0.2, 0.1, 0.0], 0.4 * 2**0.5),
        ([0.4, 0.06, 0.02, 0.01], 0.2 * 2**0.25),
        ([0.01, 0.2, 0.1, 0.0], 0.4 * 2**0.5),  # where it is like them by chance does not count
        ([0.4, 0.2, 0.1, 0.0499], 0.8),
        ([0.4, 0.2, 0.1, 0.06], np.nan),
        ([0.04, 0.03, 0.02, 0.01], np.nan),  # everywhere: no onset to be seen
    ],
)
def test_pca_onset(excess: list[float], expected: float) -> None:
    """The onset is the density from which on the excess is at most 5 %, interpolated in its logarithm."""
    assert pca_onset(losses(excess)) == pytest.approx(expected, rel=0.01, nan_ok=True)


def test_pca_onset_by_another_share() -> None:
    assert pca_onset(losses([0.4, 0.2, 0.1, 0.0]), 0.1) == pytest.approx(0.4)
    assert pca_onset(losses([0.4, 0.2, 0.0, 0.0]), 0.1) == pytest.approx(0.2 * 2**0.5)


@pytest.mark.parametrize(
    ("W", "correlation", "expected"),
    [
        ((0.5**0.5, 0.5**0.5), 1.0, 1 / 12),  # both outputs are the mean: E[(a - b)²] / 2
        ((1.0, -1.0), 1.0, 1 / 3),  # ReLU(a - b) misses the smaller one, twice: 2 E[min²]
        ((1.0, 0.0), 1.0, 1 / 3),
        ((1.0, -1.0), 0.0, 0.3 / 3),  # of independent features, both are active with the probability p²
        ((1.0, 0.0), 0.4, 1 / 3),
    ],
)
def test_loss_of_a_pair(W: tuple[float, float], correlation: float, expected: float) -> None:
    """The loss of a pair without a bias, in units of the density, is a known integral."""
    p, c = (torch.tensor([value], dtype=torch.float64) for value in (0.3, correlation))
    x = torch.tensor([[*W, 0.0, 0.0]], dtype=torch.float64)
    assert pair.pair_loss(x, p, c).item() == pytest.approx(0.3 * expected)


def test_optima_of_a_pair_are_not_beaten_by_random_models() -> None:
    table, random = pair.pair_optima(), torch.Generator().manual_seed(1)
    x = torch.randn(3000, 4, generator=random, dtype=torch.float64) * torch.tensor([1, 1, 0.2, 0.2])
    for row in table.iloc[::7].itertuples():
        p, c = (torch.full((len(x),), value, dtype=torch.float64) for value in (row.density, row.correlation))
        assert pair.pair_loss(x, p, c).min() >= row.loss


# Tables of the collapse.


def test_fits_and_best() -> None:
    """Fits are counted one by one; the best ones are in canonical orientation."""
    data, trained = collapse(), collapse_models()
    np.testing.assert_array_equal(data["fits"]["loss"], trained.loss.numpy().ravel())
    np.testing.assert_array_equal(data["fits"]["loss_error"], trained.loss.numpy().ravel() / 100)
    np.testing.assert_array_equal(data["fits"]["density"], np.repeat(COLLAPSE, 4))
    lowest = data["fits"].loc[data["fits"].groupby("density")["loss"].idxmin()].set_index("density")["collapsed"]
    for p, rows in data["best"].groupby("density"):
        assert {*rows["collapsed"]} == {regime(p)} == {lowest[p]}
        W = rows.sort_values("feature")[["w0", "w1"]].to_numpy().T
        assert count_collapsed_pairs(W) == regime(p)
        if regime(p) == 0:
            np.testing.assert_allclose(W, 0.97 * HEXAGON, atol=1e-6)
    np.testing.assert_allclose(data["pca"]["loss"], [np.linalg.eigvalsh(covariance(p))[:-2].sum() for p in COLLAPSE])


def test_branches_of_the_collapse() -> None:
    """Branches are minima of their own kind, at most a quarter above the lowest, and exist below density 1 only."""
    table = collapse()["branches"]
    assert table["density"].max() < 1
    assert not table.duplicated(["density", "collapsed"]).any()
    least = table.groupby("density")["loss"].min()
    assert (table["loss"] <= 1.25 * least[table["density"]].to_numpy() * (1 + 1e-9)).all()
    assert table.loc[table.groupby("density")["loss"].idxmin()].set_index("density")["collapsed"].to_dict() == {
        p: regime(p) for p in COLLAPSE if p < 1
    }
    # No model is worse than the linear one, which is among those with two dimensions and no ReLU at work … when dense.
    pca = collapse()["pca"].set_index("density")["loss"]
    assert (least < pca[least.index] * (1 + 1e-3)).all()
    # Three pairs in one direction each lose at least what differs within the pairs, E[(x_a - x_b)²] / 2 = p / 12 each.
    three = table[table["collapsed"] == 3]
    assert len(three)
    assert (three["loss"] > three["density"] / 4 * 0.98).all()


def test_crossings() -> None:
    """Branches cross where the order of their losses changes, within the spacing of the densities."""
    table, crossings = collapse()["branches"], collapse()["crossings"]
    assert crossings["fewer"].tolist() == [0, 1, 2]
    assert ((crossings["error"] > 0) & (crossings["error"] < 0.05 * crossings["density"])).all()
    loss = table.pivot(index="density", columns="collapsed", values="loss")
    for row in crossings.itertuples():
        gap = (loss[row.fewer + 1] - loss[row.fewer]).dropna()
        below, above = gap.index[gap > 0].max(), loss.index[loss.index > gap.index[gap > 0].max()].min()
        assert below < row.density < above
    assert crossings["density"].tolist() == pytest.approx([0.071, 0.141, 0.39], rel=0.1)


def test_crossings_of_other_kinds_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a search ends at minima of other kinds, the crossing is unknown."""
    table = pd.DataFrame({"density": [0.1, 0.1, 0.2, 0.2], "collapsed": [0, 1, 0, 1], "loss": [1.0, 1.1, 2.0, 1.9]})
    W = torch.from_numpy(np.stack([collapsed(count, 0.1)[0] for count in (0, 1, 0, 1)]))
    started = []

    def crossing(W: torch.Tensor, b: torch.Tensor, start: torch.Tensor, *args: object) -> tuple:
        started.append(float(start))
        ends = W if len(started) < 4 else W.flip(1)
        return torch.full_like(start, 0.15), ends, b

    monkeypatch.setattr(branches, "crossing", crossing)
    found = measure.find_crossings(table, W, torch.zeros(4, 6, dtype=torch.float64))
    assert found.to_dict("list") == {"fewer": [0], "density": [pytest.approx(0.15)], "error": [0.0]}
    assert started == [0.1, 0.15, 0.15], "the first from the density at hand, the others from where it ended"
    unknown = measure.find_crossings(table, W, torch.zeros(4, 6, dtype=torch.float64))
    assert unknown[["density", "error"]].isna().all().all()


@pytest.mark.parametrize("loss", [[1.0, 1.1, 2.0, 2.1], [1.0, 0.9, 2.0, 1.9]])
def test_no_crossing_where_the_order_stays(loss: list[float]) -> None:
    """Branches whose order is the same at all densities have no crossing."""
    table = pd.DataFrame({"density": [0.1, 0.1, 0.2, 0.2], "collapsed": [0, 1, 0, 1], "loss": loss})
    W = torch.zeros(4, 2, 6, dtype=torch.float64)
    found = measure.find_crossings(table, W, W[:, 0])
    assert found.empty
    assert [*found.columns] == ["fewer", "density", "error"]


def test_kinds_that_were_not_trained() -> None:
    """A kind that is missing has no crossing, and the claim about the regimes does not hold."""
    data = measured(collapse_models((0, 2, 3)))
    assert {*data["branches"]["collapsed"]} <= {0, 2, 3}
    assert {*data["crossings"]["fewer"]} <= {2}
    assert verdict(judge.claims, "collapse_regimes", {"collapse": data}) == "not reproduced"


@pytest.mark.parametrize(("error", "expected"), [(0.001, "corrected"), (0.1, "not reproduced")])
def test_every_crossing_that_lies_elsewhere_does_so_clearly(error: float, expected: str) -> None:
    """The paper's boundaries are corrected only if none of the others is a matter of the measurement."""
    crossings = pd.DataFrame({"fewer": [0, 1, 2], "density": [0.05, 0.3, 0.4], "error": [0.001, 0.001, error]})
    assert verdict(judge.claims, "collapse_regimes", {"collapse": collapse() | {"crossings": crossings}}) == expected


# Claims.


def ideal() -> Tables:
    return {"correlated_organization": organization(), "local_bases": bases_tables(), "collapse": collapse()}


def test_claims_from_files(tmp_path: Path) -> None:
    """Hand-made models of the arrangements that the paper describes support its statements."""
    table, criteria = judge.claims.judge(through_files(ideal(), tmp_path), "paper")
    verdicts = table.set_index("claim")["verdict"]
    # The independent features are hexagons, too, and the crossings are those of a coarse loss.
    other = {"no_independent_hexagon": "corrected", "collapse_regimes": "corrected", "preference_order": "described"}
    assert verdicts[verdicts != "reproduced"].to_dict() == {f"correlated.{k}": v for k, v in other.items()}
    values = criteria.query("part == 'statement'").groupby("claim")["value"].agg(list)
    assert values["correlated.no_independent_hexagon"] == [7]
    assert values["correlated.orthogonal"][1] == pytest.approx(binomtest(7 * 36, 7 * 39, 2 / 3, "greater").pvalue)


@pytest.mark.parametrize(
    ("claim", "number", "figure", "table", "column", "inside", "outside"),
    [
        ("no_independent_hexagon", 1, "correlated_organization", "best_independent", "deviation", "<= 0.05", "> 0.05"),
        ("failed_collapse", 0, "collapse", "fits", "loss", "< 0.071", "> 0.072"),
        ("pca_when_dense", 0, "collapse", "pca", "loss", "> 0.5", "< 0.5"),
        (
            "collapse_to_component",
            0,
            "collapse",
            "pair",
            "difference",
            "== 0.1 and correlation == 1",
            "> 0 and correlation < 1",
        ),
        ("collapse_to_component", 1, "collapse", "best", "w0", "> 0.41 and density < 1", "< 0.38"),
        (
            "local_basis",
            0,
            "local_bases",
            "models",
            "chance",
            "> 0 and best and distribution == 'correlated'",
            "> 0 and not best",
        ),
    ],
)
def test_claims_are_about_their_rows(
    claim: str, number: int, figure: str, table: str, column: str, inside: str, outside: str
) -> None:
    """Other values beyond the densities that a claim speaks of do not change its number; within them they do."""
    (judged,) = judge.claims.find([f"correlated.{claim}"])

    def value(data: Tables) -> float:
        judgement = judged.judge(data)
        return (*judgement.statement, *judgement.correction)[number].value

    def others(densities: str) -> list[float]:
        """Return the number with these rows shifted up and down in turn, and the other way round."""
        rows = ideal()[figure][table].query(f"density {densities}")[column]
        steps = (-1) ** np.arange(len(rows)) * np.arange(1, len(rows) + 1)
        shifted = [{column: rows + steps}, {column: rows - steps}]
        return [value(changed(ideal(), figure, table, f"density {densities}", **columns)) for columns in shifted]

    assert set(others(outside)) == {value(ideal())}
    assert others(inside)[0] != value(ideal())


@pytest.mark.integration
def test_the_animation_is_the_same_every_time(tmp_path: Path) -> None:
    few = collapse() | {"best": collapse()["best"].query("density in @COLLAPSE[::4]")}
    assert animated_twice(draw, "collapse", {"collapse": few}, tmp_path) == 3


def test_organization_is_drawn() -> None:
    """Every model is at its place, models of another kind are named so, and the shares are of all restarts."""
    drawn = draw.correlated_organization(organization())
    axes = np.array(drawn.axes).reshape(3, 7)
    for line, (name, row) in zip(axes, ARRANGEMENTS_BY_NAME.items(), strict=True):
        models = organization()["models"].query(f"arrangement == '{name}'")
        for number, ax in enumerate(line[:-1]):
            corners = np.concatenate([dots.get_offsets() for dots in ax.collections])[: row.corners.shape[1]]
            np.testing.assert_allclose(corners, models[models["model"] == number][["w0", "w1"]])
            texts = [text.get_text().split(",")[0] for text in ax.texts]
            assert texts == ["another kind"] * (number == 5) + [row.title] * (number == 0)
        shares = organization()["shares"].query(f"arrangement == '{name}'")
        for curve, distribution in zip(line[-1].lines, (row.distribution, "independent"), strict=False):
            here = shares[shares["distribution"] == distribution]
            np.testing.assert_allclose(curve.get_xydata(), np.stack([here["density"], here["stated"] / 40], axis=1))
    plt.close(drawn)


def test_collapse_is_drawn() -> None:
    """Collapsed pairs have rings, both rows of regimes have their boundaries, and branches are in percent."""
    data = collapse()
    drawn = draw.collapse(data)
    *models, pair_map, _, strips, curves = drawn.axes
    assert len(models) == 8
    shares = data["pair"].sort_values(["correlation", "density"])["difference"]
    np.testing.assert_allclose(pair_map.collections[0].get_array().ravel(), shares)
    rings = [len(ax.collections) - 6 for ax in models]
    chosen = [COLLAPSE[int(np.abs(np.log(np.array(COLLAPSE) / p)).argmin())] for p in (0.02, 0.05, 0.1, 0.2, 0.3, 0.42)]
    assert rings[:6] == [regime(p) for p in chosen]
    bars = sorted((bar.get_y() + bar.get_height() / 2, bar.get_x()) for bar in strips.patches)
    ours = [x for y, x in bars if abs(y - 1) < 1e-9]
    assert {*data["crossings"]["density"].round(9)} <= {round(x, 9) for x in ours}
    assert any(abs(x - pca_onset(data)) < 1e-9 for x in ours)
    paper = [x for y, x in bars if abs(y) < 1e-9]
    np.testing.assert_allclose(paper, [0.01, 0.05, 0.15, 0.05**0.5, 0.5])
    least = data["branches"].groupby("density")["loss"].min()
    for line, (_, rows) in zip(curves.lines, data["branches"].groupby("collapsed"), strict=False):
        excess = 100 * (rows["loss"] / least[rows["density"]].to_numpy() - 1)
        np.testing.assert_allclose(line.get_xydata(), np.stack([rows["density"], excess], axis=1))
    plt.close(drawn)


def test_bases_are_drawn() -> None:
    """The figure shows WᵀW of both distributions at one density, and means over the restarts."""
    drawn = draw.local_bases(bases_tables())
    first, second, curves = drawn.axes[:3]
    np.testing.assert_allclose(first.images[0].get_array(), np.kron([[1, -1], [-1, 1]], np.eye(10)), atol=1e-5)
    assert not np.allclose(second.images[0].get_array(), first.images[0].get_array(), atol=0.1)
    mean = bases_tables()["models"].groupby(["distribution", "density"])[["within", "between"]].mean()
    expected = [mean.loc[name, column] for name in ("correlated", "independent") for column in ("within", "between")]
    for line, values in zip(curves.lines, expected, strict=False):
        np.testing.assert_allclose(line.get_xydata(), np.stack([values.index, values], axis=1))
    plt.close(drawn)


MISSING = ("no crossings", "unknown crossings", "no onset", "one branch", "few densities")


@pytest.mark.parametrize("what", in_ci(MISSING, "no crossings", "few densities"))
def test_collapse_with_something_missing(what: str, tmp_path: Path) -> None:
    """Solutions that were not found do not stop the figure."""
    data = collapse()
    data = {
        "no crossings": data | {"crossings": data["crossings"][:0]},
        "unknown crossings": data | {"crossings": data["crossings"].assign(density=np.nan, error=np.nan)},
        "no onset": data | {"pca": data["pca"].assign(loss=9.0)},
        "one branch": data | {"branches": data["branches"].query("collapsed == 2")},
        "few densities": {
            name: rows.query("density in (0.0825, 0.464, 1)") if name not in ("crossings", "pair") else rows
            for name, rows in data.items()
        },
    }[what]
    assert "</svg>" in drawn(draw, "collapse", {"collapse": data}, tmp_path)


def test_organization_without_models(tmp_path: Path) -> None:
    data = organization() | {"models": organization()["models"].query("arrangement != 'antipodal'")}
    figure = "correlated_organization"
    assert "</svg>" in drawn(draw, figure, {figure: data}, tmp_path)

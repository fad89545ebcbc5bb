"""Learning dynamics: from snapshots whose D_i and losses are known to tables, figures and verdicts."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from tests.paper.counter_models.dynamics import (
    DIGONS,
    LATE,
    LINES,
    MODELS,
    SNAPSHOTS,
    M,
    N,
    along_training,
    energy,
    energy_sweep,
    growing,
    learning,
    learning_snapshots,
    learning_sweep,
)
from tests.paper.synthetic import animated_twice, changed, drawn, through_files, verdict

from superposition.paper import dynamics
from superposition.paper.dynamics import (
    SMALL_INIT,
    XAVIER_INIT,
    Coincidence,
    draw,
    fall_within,
    judge,
    loss_fall_at_jumps,
    measure,
)
from superposition.pipeline.judging.claims import Tables
from superposition.plotting import style


@pytest.fixture(scope="module")
def data() -> Tables:
    return {"energy_levels": energy(), "geometric_learning": learning()}


# Energy levels.


def test_jumps_of_models(data: Tables) -> None:
    """The jump of each model's late pair is found with its moment and its ends; the digons of the start are none."""
    tables = data["energy_levels"]
    models, jumps = tables["models"], tables["jumps"]
    assert models["digons"].all()
    assert models["settled"].between(8, 20).all(), "every second feature has come in by then"
    newcomer = jumps[jumps["feature"] == 2 * DIGONS + 1].sort_values("restart")
    np.testing.assert_allclose(newcomer["snapshot"], LATE, atol=2)
    np.testing.assert_allclose(newcomer["before"], 0, atol=0.06)
    np.testing.assert_allclose(newcomer["after"], 0.5, atol=0.02)
    assert (newcomer["step"] == 10 * (newcomer["snapshot"] + 1)).all()
    assert models.loc[models["shown"], "restart"].tolist() == [MODELS - 1], "the one in which a jump comes latest"


@pytest.mark.parametrize(("length", "digons"), [(0.27, True), (0.8, False)])
def test_models_of_digons(length: float, digons: bool) -> None:
    """All represented features of such a model are in digons; another one may share a dimension, if it is short."""
    W = growing(LATE[:1])
    W[-1, 0, DIGONS, 2 * DIGONS + 2] = length
    models = measure.energy_levels({"energy_levels": along_training(energy_sweep(restarts=1), W)})["models"]
    assert models["digons"].tolist() == [digons]


def test_levels_are_those_of_the_model_shown(data: Tables) -> None:
    levels = data["energy_levels"]["levels"]
    assert len(levels) == SNAPSHOTS
    np.testing.assert_allclose(levels[[f"d{i}" for i in range(2 * DIGONS + 2)]].iloc[-1], 0.5, atol=1e-3)
    np.testing.assert_allclose(levels[[f"d{i}" for i in range(2 * DIGONS + 2, N)]].iloc[-1], 0, atol=1e-3)


def test_sum_within_a_window() -> None:
    """The sum agrees with a loop; a snapshot near two moments counts once."""
    rng = np.random.default_rng(0)
    fall, moments = rng.normal(size=30), rng.integers(0, 30, (5, 3))
    found = fall_within(fall, moments, 2)
    for row, value in zip(moments, found, strict=True):
        assert value == pytest.approx(sum(fall[k] for k in range(30) if any(abs(k - at) <= 2 for at in row)))


def curves(moments: list[list[int]], falls: list[list[int]]) -> dict[str, pd.DataFrame]:
    """Return the tables of models that jump at given moments, and whose losses fall by one at others."""
    at = np.arange(SNAPSHOTS)
    loss = {f"l{k}": 10 - sum((at > fall).astype(float) for fall in fell) for k, fell in enumerate(falls)}
    jumps = [(k, moment) for k, jumped in enumerate(moments) for moment in jumped]
    about = {"restart": range(len(moments)), "digons": True, "settled": 10, "jumps": [len(m) for m in moments]}
    return {
        "models": pd.DataFrame(about),
        "jumps": pd.DataFrame(jumps, columns=["restart", "snapshot"]),
        "losses": pd.DataFrame(loss),
    }


def test_fall_at_jumps() -> None:
    """If the loss falls at the jumps alone, neither random moments nor those of another model explain as much."""
    when = [[20 + 6 * k] for k in range(12)]
    test = loss_fall_at_jumps(curves(when, when))
    assert test.share == pytest.approx(1)
    assert max(test.p_value(test.at_random), test.p_value(test.of_others)) < 1e-3
    elsewhere = loss_fall_at_jumps(curves(when, [[at[0] + 12 if at[0] < 80 else 14] for at in when]))
    assert elsewhere.share == pytest.approx(0)
    assert min(elsewhere.p_value(elsewhere.at_random), elsewhere.p_value(elsewhere.of_others)) == pytest.approx(1)


def test_a_common_trend_is_no_coincidence() -> None:
    """If all models jump early and all losses fall early, another model's moments do as well as its own."""
    early = [[14 + k % 3] for k in range(12)]
    test = loss_fall_at_jumps(curves(early, [[15]] * 12))
    assert test.p_value(test.at_random) < 0.01
    assert test.p_value(test.of_others) > 0.5


def test_what_falls_before_settling_does_not_count() -> None:
    when = [[20 + 6 * k] for k in range(12)]
    late = loss_fall_at_jumps(curves(when, [[5, *at] for at in when]))
    assert late.share == pytest.approx(1)


def test_p_values_are_uniform_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The p-values of models without a coincidence are spread over [0, 1]."""
    monkeypatch.setattr(dynamics, "SHUFFLES", 400)
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        moments, falls = (rng.integers(14, 95, (12, 2)).tolist() for _ in range(2))
        test = loss_fall_at_jumps(curves(moments, falls))
        found.append([test.p_value(test.at_random), test.p_value(test.of_others)])
    for p in np.array(found).T:
        assert 0.3 < p.mean() < 0.7
        assert (p < 0.2).any()
        assert (p > 0.8).any()


# Geometric learning.


def test_pairs_across() -> None:
    """Antipodes are in the other set however the octahedron is turned, unless a pair is inside a set."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        turned = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ measure.OCTAHEDRON
        assert measure.antipodes_in_other_set(turned)
        assert measure.antipodes_in_other_set(turned[:, [1, 0, 2, 5, 3, 4]])
        assert not measure.antipodes_in_other_set(turned[:, [0, 3, 1, 4, 2, 5]])
    assert isinstance(measure.antipodes_in_other_set(np.zeros((3, 6))), bool)


def test_stages() -> None:
    lines = np.zeros((3, 6))
    lines[0, :3] = lines[1, 3:] = 3**-0.5
    assert measure.describe_stage(lines) == "0 in 2"
    assert measure.describe_stage(measure.OCTAHEDRON) == "6 in 3"
    assert measure.describe_stage(measure.OCTAHEDRON * [0, 1, 1, 1, 1, 1]) == "5 in 3"
    assert measure.describe_stage(0.1 * measure.OCTAHEDRON) == "0 in 0"


def test_distance_from_the_principal_components() -> None:
    """The sums of the two sets, however turned, are the components; an octahedron is 2/3 from them on the diagonal."""
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    assert measure.distance_from_components(turn @ LINES) == pytest.approx(0, abs=1e-12)
    assert measure.distance_from_components(turn @ measure.OCTAHEDRON) == pytest.approx(1)


def test_runs(data: Tables) -> None:
    """Runs are described by their ends and plateaus; the run shown ends in canonical orientation."""
    tables = data["geometric_learning"]
    runs = tables["runs"].set_index(["experiment", "restart"])
    assert runs.loc[SMALL_INIT, "octahedron"].tolist() == [True] * 4
    assert runs.loc[XAVIER_INIT, "octahedron"].tolist() == [True] * 3 + [False]
    assert runs.loc[SMALL_INIT, "across"].all()
    assert runs.loc[(XAVIER_INIT, 3), "represented"] == 5
    assert (runs.loc[SMALL_INIT, "path"] == "0 in 2 → 6 in 3").all()
    assert (runs["flattest"] < 0.5).all()
    # The hand-made sets begin to spread while they wait.
    assert (runs["from_components"] < 0.5).all()
    assert runs["shown"].sum() == 1
    end = tables["moments"].query("moment == 'end'").sort_values("feature")
    np.testing.assert_allclose(end[["w0", "w1", "w2"]].to_numpy().T, measure.OCTAHEDRON, atol=0.01)
    plateau = tables["moments"].query("moment == 'plateau'")
    assert plateau["step"].nunique() == 1
    assert 500 < plateau["step"].iloc[0] < 2500
    assert len(tables["curve"]) == SNAPSHOTS


def test_the_end_of_a_path_is_the_last_snapshot() -> None:
    """The path and the features of a model that loses one in its last steps are those of its end."""
    W = learning_snapshots([measure.OCTAHEDRON])
    W[-1, 0, :, 0] = 0
    models = {name: along_training(learning_sweep(restarts=1), W) for name in (SMALL_INIT, XAVIER_INIT)}
    runs = measure.geometric_learning(models)["runs"]
    assert runs["path"].str.endswith("5 in 3").all()
    assert (runs["represented"] == 5).all()


def test_which_run_is_shown() -> None:
    """The run shown has the lowest loss among the most frequent path to the octahedron, from small weights."""
    runs = pd.DataFrame(
        {
            "experiment": [SMALL_INIT] * 5 + [XAVIER_INIT],
            "restart": [0, 1, 2, 3, 4, 0],
            "octahedron": [True, True, True, False, True, True],
            "path": ["a", "b", "b", "b", "a → b", "b"],
            "loss": [0.1, 0.3, 0.2, 0.0, 0.1, 0.0],
        }
    )
    assert measure.choose_run(runs) == 2
    assert measure.choose_run(runs.assign(octahedron=False)) == 3


def test_rare_paths_are_one_row() -> None:
    """A path of at least 3 % of the runs from some weights has a row of its own; shares are those of each kind."""
    path = ["frequent"] * 97 + ["rare"] * 3 + ["frequent"] * 96 + ["rarer"] * 2 + ["rarest"] * 2
    runs = pd.DataFrame({"experiment": [SMALL_INIT] * 100 + [XAVIER_INIT] * 100, "octahedron": True, "path": path})
    table = measure.summarise_paths(runs)
    assert table.iloc[:, [0, 2, 3]].to_numpy().tolist() == [
        ["frequent", "97%", "96%"],
        ["rare", "3%", "0%"],
        ["others", "0%", "4%"],
    ]


# Claims.


def test_claims_from_files(data: Tables, tmp_path: Path) -> None:
    """Late pairs that jump, and sets that spread to octahedra, support the paper's statements."""
    table, criteria = judge.claims.judge(through_files(data, tmp_path), "paper")
    # Four runs are too few to exclude chance, and the hand-made sets begin to spread while they wait.
    other = table[~table["verdict"].isin(["reproduced", "described"])]
    assert other["claim"].tolist() == ["dynamics.octahedron", "dynamics.pca_first"]
    values = criteria.groupby("claim")["value"].agg(list)
    # The newcomer of every model jumps from 0 to ½ as its partner falls from nearly 1 to ½.
    assert values["dynamics.jumps"][0] == len(data["energy_levels"]["jumps"])
    # Of four runs each, three from Xavier-normal weights end as octahedra: too few to exclude chance.
    assert values["dynamics.octahedron"] == [pytest.approx(0.75), pytest.approx(0.4**3)]


def test_octahedra_of_both_initialisations(data: Tables) -> None:
    """Without runs from one of the initialisations there is no least share of octahedra."""
    tables = data["geometric_learning"]
    runs = tables["runs"][tables["runs"]["experiment"] == SMALL_INIT]
    (claim,) = judge.claims.find(["dynamics.octahedron"])
    judgement = claim.judge(data | {"geometric_learning": tables | {"runs": runs}})
    assert np.isnan(judgement.statement[0].value)
    assert judgement.verdict == "not reproduced"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("0 in 2 → 4 in 3 → 6 in 3", "reproduced"),
        ("4 in 2 → 4 in 3", "reproduced"),
        ("6 in 3 → 6 in 3", "not reproduced"),
        ("6 in 3 → 5 in 3", "not reproduced"),
    ],
)
def test_every_regime_changes_the_arrangement(data: Tables, path: str, expected: str) -> None:
    same = changed(data, "geometric_learning", "runs", "restart >= 0", path=lambda rows: [path] * len(rows))
    assert verdict(judge.claims, "regimes", same) == expected


def test_the_octahedron_is_seen_as_an_antiprism(data: Tables) -> None:
    """At the end one set is above the other, and the top view is a hexagon of features of both sets in turn."""
    fig = draw.geometric_learning(data["geometric_learning"])
    views = [[dots.get_offsets()[0] for dots in ax.collections[1:]] for ax in fig.subfigs[1].axes]
    sets = [[to_hex(dots.get_facecolor()[0]) for dots in ax.collections[1:]] for ax in fig.subfigs[1].axes]
    moments = data["geometric_learning"]["moments"]["step"].nunique()
    side, top = (np.array(views[k]) for k in (moments - 1, -1))
    first = np.array(sets[moments - 1]) == style.CATEGORIES[0]
    assert side[first, 1].min() > side[~first, 1].max()
    angle = np.degrees(np.arctan2(*top.T))
    order = np.argsort(angle)
    np.testing.assert_allclose(np.diff(angle[order]), 60, atol=2)
    colours = np.array(sets[-1])[order]
    assert (colours[1:] != colours[:-1]).all()
    plt.close(fig)


def test_drawn_without_jumps_and_without_plateaus(tmp_path: Path) -> None:
    """A hardly trained model has neither jumps nor plateaus."""
    still = np.zeros((SNAPSHOTS, 2, M, N))
    still[:, :, 0, 0] = 1
    tables = measure.energy_levels({"energy_levels": along_training(energy_sweep(restarts=2), still)})
    assert tables["jumps"].empty
    data = through_files({"energy_levels": tables}, tmp_path)
    assert "</svg>" in drawn(draw, "energy_levels", data, tmp_path)
    constant = np.tile(0.5 * measure.OCTAHEDRON, (SNAPSHOTS, 4, 1, 1))
    models = {name: along_training(learning_sweep(), constant) for name in (SMALL_INIT, XAVIER_INIT)}
    data = through_files({"geometric_learning": measure.geometric_learning(models)}, tmp_path)
    assert "</svg>" in drawn(draw, "geometric_learning", data, tmp_path)


def test_the_animation_is_the_same_every_time(data: Tables, tmp_path: Path) -> None:
    """The animation has one frame per step of the table."""
    tables = data["geometric_learning"]
    few = tables["frames"][tables["frames"]["step"].isin(tables["frames"]["step"].unique()[[0, 1, -1]])]
    assert animated_twice(draw, "geometric_learning", {"geometric_learning": tables | {"frames": few}}, tmp_path) == 3


def test_a_coincidence_counts_itself() -> None:
    """A finite number of shuffles gives no p-value of 0."""
    assert Coincidence(1.0, np.zeros(99), np.ones(99)).p_value(np.zeros(99)) == pytest.approx(0.01)
    assert Coincidence(1.0, np.zeros(99), np.ones(99)).p_value(np.ones(99)) == 1

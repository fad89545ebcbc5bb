"""Privileged basis: how W lies to the neurons, what its code is, and the verdicts, on models made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.paper.counter_models.privileged import (
    EIGHT,
    PAIRS,
    SIZES,
    STATED,
    M,
    N,
    alone,
    coded,
    codes_of,
    made,
    of_kinds,
    turned,
)
from tests.paper.synthetic import drawn, judged, through_files
from tests.real import CONFIG

from superposition.analysis import neurons
from superposition.paper.privileged import (
    DRIVE_THRESHOLDS,
    MODEL_LABELS,
    PAPER_REGIMES,
    SHOWN_DENSITY,
    draw,
    judge,
    measure,
    paper_regime,
    regimes_by_density,
)
from superposition.pipeline.judging.claims import Tables


@pytest.fixture(scope="module")
def compared() -> dict[str, pd.DataFrame]:
    """Return models with and without the ReLU as the paper describes; a hidden bias regains nearly all the loss."""
    rng, W = np.random.default_rng(1), alone(0, 1, 2, 3, 4)
    densities = CONFIG.sweeps["privileged_linear"].density
    linear = np.stack([turned(W, rng) for _ in densities])
    lowest = np.array([1.0, 1.0, 0.5, 0.2, 0.1])[:, None] * (1 + np.arange(SIZES["restarts"]) / 100)
    relu = np.broadcast_to(W, (len(CONFIG.sweeps["privileged"].density), SIZES["restarts"], M, N)).copy()
    places = [CONFIG.sweeps["privileged"].density.index(density) for density in densities]
    high = np.ones(relu.shape[:2])
    high[places] = lowest * np.array([1.0, 1.1, 2, 3, 4])[:, None]
    return measure.privileged_vs_not(
        {
            "privileged_linear": made("privileged_linear", linear, loss=lowest),
            "privileged": made("privileged", relu, loss=high),
            "privileged_bias": made("privileged_bias", linear, loss=1.001 * lowest),
        },
    )


@pytest.fixture(scope="module")
def codes() -> dict[str, pd.DataFrame]:
    """Return the codes of models of the paper's kind at every density."""
    return codes_of(of_kinds(STATED))


@pytest.fixture(scope="module")
def data(compared: dict[str, pd.DataFrame], codes: dict[str, pd.DataFrame]) -> Tables:
    return {"privileged_vs_not": compared, "privileged_neurons": codes}


def test_the_densities_are_those_of_the_configuration() -> None:
    assert tuple(STATED) == CONFIG.sweeps["privileged"].density


# Measures.


def test_rotations_are_rotations_and_evenly_spread() -> None:
    """Rotations are orthogonal, of both handednesses, and spread evenly: the mean of a column is near 0."""
    q = measure.random_rotations(4, 500)
    np.testing.assert_allclose(q @ q.swapaxes(1, 2), np.broadcast_to(np.eye(4), q.shape), atol=1e-12)
    assert 0.4 < (np.linalg.det(q) > 0).mean() < 0.6
    assert np.abs(q.mean(0)).max() < 5 * 0.5 / 500**0.5
    np.testing.assert_array_equal(q, measure.random_rotations(4, 500))


def test_alignment_of_random_models_is_uniform() -> None:
    """Models that are turned at random have uniformly distributed ranks."""
    share = measure.alignment_rank(turned(alone(0, 1, 2, 3, 4), np.random.default_rng(5)))
    assert 0.35 < share.mean() < 0.65
    assert (share < 0.25).mean() > 0.1
    assert (share > 0.75).mean() > 0.1


def test_alignment_of_aligned_models() -> None:
    """One feature for each neuron is as concentrated as it gets; even weights are as little as it gets."""
    assert measure.alignment_rank(alone(4, 2, 0, 1, 3)[None]) == [1]
    spread = np.ones((1, M, 1)) / M**0.5
    assert measure.alignment_rank(spread) == [0]
    assert measure.concentration(spread) == pytest.approx([1 / M])


def test_losses_of_rotated_models(data: Tables) -> None:
    """Rotations leave the loss of a linear hidden layer unchanged, and raise that of one with a ReLU."""
    for name, loss in data["privileged_vs_not"]["rotated"].groupby("model")["loss"]:
        change = np.abs(loss / loss.iloc[0] - 1)
        assert len(loss) == 21
        assert (
            (change[1:] < 1e-5).all() if name == MODEL_LABELS["privileged_linear"] else (change.iloc[1:] > 0.01).all()
        )


@pytest.mark.parametrize(("bias", "on"), [(0.0, 0.05 * 5 / 5), (0.5, 1.0), (-0.5, 0.025)])
def test_how_often_hidden_units_are_on(bias: float, on: float) -> None:
    """A neuron is active with its feature; with a bias of ½ always, and with one of -½ if the feature is above ½."""
    W = np.broadcast_to(alone(0, 1, 2, 3, 4), (5, 60, M, N))
    models = made("privileged_bias", W, b_hidden=bias)
    point = models.sweep.density.index(0.05)
    something = 1 - 0.95**10
    expected = on if bias > 0 else on / something
    assert measure.active_fraction(models, point) == pytest.approx(expected, rel=0.03)


# Codes.


def test_regimes_as_stated(codes: dict[str, pd.DataFrame]) -> None:
    table = regimes_by_density(codes).set_index("density")
    assert table["agrees"].all()
    for density, row in table.iterrows():
        (stated,) = (regime for regime in PAPER_REGIMES if regime.low <= density <= regime.high)
        assert row["one"] == stated.monosemantic
        assert stated.code == "pairs" or row["others"] == stated.polysemantic_features


def test_codes_survive_a_file(codes: dict[str, pd.DataFrame], data: Tables, tmp_path: Path) -> None:
    """Codes are read from files as they were written, with their leading neurons."""
    again = through_files(data, tmp_path)["privileged_neurons"]
    assert again["features"]["code"].tolist() == codes["features"]["code"].tolist()
    pd.testing.assert_frame_equal(regimes_by_density(again), regimes_by_density(codes))


def test_how_rare_the_best_kind_is(codes: dict[str, pd.DataFrame]) -> None:
    """Six of the restarts are of the kind of the best one, whatever the order of their neurons."""
    basins = codes["basins"]
    assert (basins["same_kind"] == 6).all()
    assert (basins["as_stated"] == 0).all()
    assert (basins["other_kind"] > 0).all()


def test_the_best_of_a_precise_draw_is_shown() -> None:
    """The best model is chosen by a precise loss, not by recorded losses that are noise."""
    W = np.zeros((len(STATED), SIZES["restarts"], M, N))
    W[:, 7] = alone(0, 1, 2, 3, 4)
    loss = np.full(W.shape[:2], 2.0)
    loss[:, 3], loss[:, 7] = 1.0, 1.01
    shown = codes_of(made("privileged", W, loss=loss))
    assert (shown["features"].groupby("density")["represented"].sum() == 5).all()


def test_a_kind_that_is_far_down_the_ranking_is_still_compared() -> None:
    """The paper's kind is compared with the best model even if twenty others of another kind come first."""
    W = np.broadcast_to(alone(0, 1, 2, 3, 4), (len(STATED), SIZES["restarts"], M, N)).copy()
    point = list(STATED).index(0.2)
    W[point, 50] = STATED[0.2]
    basins = codes_of(made("privileged", W))["basins"].set_index("density")
    assert np.isfinite(basins.loc[0.2, "as_stated"])
    assert not np.isfinite(basins.loc[0.02, "as_stated"])


OFF = {
    "a neuron more": (0.15, coded(3, ["11", "10", "01", "11", "11"])),
    "a feature less": (0.08, coded(0, EIGHT[:7])),
    "no binary code": (0.2, coded(3, ["11", "01", "01"])),
    "no pairs": (0.02, coded(0, EIGHT)),
    "the same pair twice": (0.03, coded(0, [*PAIRS[:9], PAIRS[0]])),
}


@pytest.mark.parametrize("what", OFF)
def test_another_kind_is_not_as_stated(what: str) -> None:
    density, kind = OFF[what]
    table = regimes_by_density(codes_of(of_kinds(STATED | {density: kind}))).set_index("density")
    assert table.index[~table["agrees"]].tolist() == [density]
    assert not measure.is_of_paper_kind(density, kind)
    assert measure.is_of_paper_kind(density, STATED[density])


def test_densities_that_the_paper_does_not_speak_of() -> None:
    assert paper_regime(0.1) is None
    assert not measure.is_of_paper_kind(0.1, STATED[0.08])


def test_an_inhibited_feature_does_not_make_a_neuron_polysemantic() -> None:
    """A large negative weight activates no neuron and does not count as a second feature."""
    W = STATED[0.5].copy()
    W[0, 7] = -3
    table = regimes_by_density(codes_of(of_kinds(STATED | {0.5: W}))).set_index("density")
    assert table.loc[0.5, "one"] == 5


# Claims.


def test_claims_hold_for_the_models_that_the_paper_describes(data: Tables, tmp_path: Path) -> None:
    table, criteria = judge.claims.judge(through_files(data, tmp_path), "paper")
    # The hand-made code of three features in two neurons has weights that are not quite antipodal.
    assert set(table["verdict"]) == {"reproduced"}
    left = criteria.query("claim == 'privileged.bias_escape'")["value"].tolist()
    assert left == [pytest.approx(0.5), pytest.approx(0.001 / 0.1)]
    aligned = table.set_index("claim")["note"]["privileged.aligned"]
    assert "in most models at 1, 0.5, 0.2, 0.05, 0.02 (" in aligned, "every weight of theirs is on one neuron"


def test_a_density_with_another_kind_is_a_correction(data: Tables) -> None:
    other = data | {"privileged_neurons": codes_of(of_kinds(STATED | {0.12: STATED[0.08]}))}
    row = judged(judge.claims, "regimes", other)
    assert row["verdict"] == "corrected"
    assert "1-S = 0.12 the best model has 0 neurons with one feature and 8 features" in row["note"]


def test_ranges_of_the_codes_are_approximate(data: Tables) -> None:
    """The same kinds in the same order at somewhat other densities are no correction."""
    later = STATED | {0.12: STATED[0.15], 0.08: STATED[0.12]}
    row = judged(judge.claims, "regimes", data | {"privileged_neurons": codes_of(of_kinds(later))})
    assert row["verdict"] == "reproduced"


def test_codes_are_judged_where_they_differ_most() -> None:
    """One feature has another code at one of three densities, and nearly antipodal features are not the least ideal."""
    nearer = np.where(STATED[0.25] < 0, -0.9, STATED[0.25])
    another = {0.065: coded(0, [*EIGHT[:-1], "11100"]), 0.03: coded(0, [*PAIRS[:-1], "11100"])}
    (claim,) = judge.claims.find(["privileged.codes"])
    judgement = claim.judge({"privileged_neurons": codes_of(of_kinds(STATED | {0.25: nearer} | another))})
    swapped = coded(0, [*EIGHT[:3], EIGHT[5], EIGHT[4], EIGHT[3], *EIGHT[6:]])
    exchanged = claim.judge({"privileged_neurons": codes_of(of_kinds(STATED | {0.065: swapped}))})
    # The features (1, 1) and (1, -0.6) should be orthogonal. The other codes are three neurons instead of two.
    cosine = pytest.approx(0.4 / (2 * (1 + 0.6**2)) ** 0.5, abs=0.03)
    assert [about.value for about in judgement.statement] == [cosine, 1, 1]
    assert judgement.finding.text.startswith("at 3 and 3 densities whose best model is of the kind")
    assert [about.value for about in exchanged.statement][1] == 0, "whatever their importance"
    assert exchanged.finding.text.endswith("at most 1")


# Figures.


def test_drawn_from_a_few_densities(codes: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """The figure is drawn from as few densities as scale quick has."""
    few = {
        name: table[table["density"].isin([1, 0.5, 0.05])] if "density" in table else table
        for name, table in codes.items()
    }
    assert "</svg>" in drawn(draw, "privileged_neurons", {"privileged_neurons": few}, tmp_path)


def test_the_shown_density_is_trained() -> None:
    """All three architectures are trained at the density that is shown."""
    assert all(SHOWN_DENSITY in CONFIG.sweeps[name].density for name in MODEL_LABELS)
    assert neurons.MONOSEMANTIC in DRIVE_THRESHOLDS

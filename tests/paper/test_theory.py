"""Where the loss comes from: the decompositions are right, and the claims about them can fail."""

import functools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.paper.synthetic import changed, drawn_twice, judged, packed, through_files, verdict
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.paper.theory import draw, judge, measure
from superposition.pipeline.claims import Tables

DENSITIES = CONFIG.sweeps["basic_small"].density
# Up to 10 features in 5 dimensions, alone or as antipodes: the expected loss has a closed form.
COUNTS = dict(zip(DENSITIES, [5, 6, 7, 8, 9, 10, 10], strict=True))


@functools.cache
def trained() -> dict[str, SweepResult]:
    return {"basic_small_linear": packed("basic_small_linear", 5), "basic_small": packed("basic_small", COUNTS)}


@functools.cache
def ideal() -> Tables:
    return {"theory": measure.theory(trained())}


def holds(name: str, data: Tables) -> bool:
    found = verdict(judge.claims, name, data)
    assert found in ("reproduced", "not reproduced")
    return found == "reproduced"


def test_claims_hold_for_the_ideal_models(tmp_path: Path) -> None:
    """And survive the way through files."""
    claims = judge.claims.table(ideal(), "paper")
    assert claims["verdict"].tolist() == ["reproduced"] * 2
    assert not claims[["measured", "note"]].stack().str.contains("nan").any()
    assert judge.claims.table(through_files(ideal(), tmp_path), "paper").equals(claims)


def test_experiments_are_told_by_their_model() -> None:
    """Not by their place in the configuration."""
    turned = measure.theory(dict(reversed(trained().items())))
    for name, table in ideal()["theory"].items():
        pd.testing.assert_frame_equal(turned[name], table)


# linear_loss


def test_terms_of_the_linear_loss() -> None:
    """For any W: Σ_i I_i v_i (1 - ‖W_i‖²)² and Σ_{i≠j} I_j v_i (W_j·W_i)², their sum is the loss."""
    sweep, rows = CONFIG.sweeps["basic_small_linear"], ideal()["theory"]["linear"]
    models, W = trained()["basic_small_linear"], trained()["basic_small_linear"].parameters["W"].double().numpy()
    assert rows[["density", "restart"]].apply(tuple, axis=1).tolist() == [
        (p, restart) for p in sweep.density for restart in range(sweep.restarts)
    ]
    for row, (point, restart) in zip(rows.itertuples(), np.ndindex(len(sweep.density), sweep.restarts), strict=True):
        gram, v = W[point, restart].T @ W[point, restart], row.density / 3 - row.density**2 / 4
        importance = 0.7 ** np.arange(20)
        own = np.eye(20, dtype=bool)
        assert row.benefit_term == pytest.approx((importance * v * (1 - gram[own]) ** 2).sum())
        crossed = [importance[j] * v * gram[i, j] ** 2 for i in range(20) for j in range(20) if i != j]
        assert row.interference_term == pytest.approx(sum(crossed), abs=1e-15)
        assert row.represented == (gram[own] > 0.5).sum()
        assert row.optimum == pytest.approx(importance[5:].sum() * v)
        assert row.loss == models.loss[point, restart].item()
        assert row.m == 5
    np.testing.assert_allclose(rows["benefit_term"] + rows["interference_term"], rows["loss"], rtol=1e-5)


BEST = "loss < 1.001 * optimum"  # the noise is far above
OTHERS = "loss > 1.1 * optimum"


@pytest.mark.parametrize("density", [1, 0.001])
@pytest.mark.parametrize(("factor", "fine"), [(1.009, True), (1.011, False), (0.991, True), (0.989, False)])
def test_linear_terms_add_up(density: float, factor: float, fine: bool) -> None:
    """In every restart."""
    data = changed(
        ideal(),
        "theory",
        "linear",
        f"density == {density} and {OTHERS}",
        benefit_term=lambda rows: rows["loss"] * factor - rows["interference_term"],
    )
    assert holds("linear_loss", data) == fine


@pytest.mark.parametrize(("below", "fine"), [(1e-7, True), (1e-5, False)])
@pytest.mark.parametrize("which", [BEST, OTHERS])
def test_linear_loss_has_a_lower_bound(below: float, fine: bool, which: str) -> None:
    def low(rows: pd.DataFrame) -> pd.Series:
        return rows["optimum"] * (1 - below)

    data = changed(
        ideal(),
        "theory",
        "linear",
        f"density == 0.01 and {which}",
        loss=low,
        benefit_term=low,
        interference_term=0.0,
        represented=5,
    )
    assert holds("linear_loss", data) == fine


@pytest.mark.parametrize("represented", [4, 6])
def test_linear_models_represent_m(represented: int) -> None:
    for which, fine in ((BEST, False), (OTHERS, True)):
        data = changed(ideal(), "theory", "linear", f"density == 0.3 and {which}", represented=represented)
        assert holds("linear_loss", data) == fine, "of the restarts only the best one has to"


@pytest.mark.parametrize(("share", "fine"), [(0.009, True), (0.011, False)])
def test_linear_models_have_no_interference(share: float, fine: bool) -> None:
    data = changed(
        ideal(),
        "theory",
        "linear",
        f"density == 0.003 and {BEST}",
        interference_term=lambda rows: share * rows["loss"],
        benefit_term=lambda rows: (1 - share) * rows["loss"],
    )
    assert holds("linear_loss", data) == fine


# loss_by_active_count


def test_active_counts() -> None:
    """P(k) is binomial; L_0 and L_1 have closed forms, which are known for antipodes; L_k is drawn."""
    rows, importance = ideal()["theory"]["active_counts"], 0.7 ** np.arange(20)
    assert len(rows) == 21 * len(DENSITIES)
    np.testing.assert_allclose(rows["probability"], stats.binom.pmf(rows["active"], 20, rows["density"]), atol=1e-12)
    assert rows["closed_form"].notna().equals(rows["active"] < 2)
    for p, r in COUNTS.items():
        here = rows[rows["density"] == p].set_index("active")
        dropped = importance[r:].sum()
        assert here["closed_form"][0] == pytest.approx(dropped * (p / 2) ** 2)
        alone = 1 / 3 - p / 2 + p**2 / 4  # E[(x - p/2)²] of a dropped feature that is on
        assert here["closed_form"][1] == pytest.approx(dropped * (19 / 20 * (p / 2) ** 2 + alone / 20), rel=1e-5)
        if r == 5:  # linear: features do not meet
            k = np.arange(21) / 20
            expected = dropped * (k * alone + (1 - k) * (p / 2) ** 2)
            assert (np.abs(here["loss"] - expected) <= 5 * here["loss_error"] + 1e-12).all()


def test_totals_are_those_of_the_best_restart() -> None:
    """Of the lowest loss, and not of the lowest standard error."""
    models, rows = trained()["basic_small"], ideal()["theory"]["active_counts"]
    for point, restart in enumerate(models.loss.argmin(dim=1)):
        here = rows[rows["density"] == DENSITIES[point]]
        assert set(here["total"]) == {models.loss[point, restart].item()}
        assert set(here["total_error"]) == {models.loss_error[point, restart].item()}


@pytest.mark.parametrize("density", [0.3, 0.001])
@pytest.mark.parametrize(("off", "fine"), [(1e-10, True), (1e-8, False), (-1e-8, False)])
def test_loss_of_the_empty_sample(density: float, off: float, fine: bool) -> None:
    where = f"density == {density} and active == 0"
    data = changed(ideal(), "theory", "active_counts", where, closed_form=lambda rows: rows["loss"] * (1 + off))
    assert holds("loss_by_active_count", data) == fine


@pytest.mark.parametrize("density", [1, 0.1, 0.001])
@pytest.mark.parametrize(("off", "fine"), [(4.4, True), (4.6, False), (-4.4, True), (-4.6, False)])
def test_loss_of_single_features(density: float, off: float, fine: bool) -> None:
    where = f"density == {density} and active == 1"
    data = changed(
        ideal(),
        "theory",
        "active_counts",
        where,
        closed_form=lambda rows: rows["loss"] + off * rows["loss_error"],
    )
    assert holds("loss_by_active_count", data) == fine


@pytest.mark.parametrize("density", [1, 0.1, 0.001])
@pytest.mark.parametrize(("off", "fine"), [(4.4, True), (4.6, False), (-4.4, True), (-4.6, False)])
def test_losses_add_up(density: float, off: float, fine: bool) -> None:
    """Both numbers were drawn at random: their errors add up, too. (0.01: of the same size as that of the sum.)"""
    rows = ideal()["theory"]["active_counts"].query(f"density == {density}")
    error = ((rows["probability"] * rows["loss_error"]) ** 2).sum() ** 0.5
    total = (rows["probability"] * rows["loss"]).sum() + off * 2**0.5 * error
    data = changed(ideal(), "theory", "active_counts", f"density == {density}", total=total, total_error=error)
    assert holds("loss_by_active_count", data) == fine


def test_share_of_the_sparse_loss() -> None:
    """Of samples with one feature or none, at the lowest density: by hand from the closed forms."""
    p, importance = 0.001, 0.7 ** np.arange(20)
    dropped, pairs = importance[10:].sum(), importance[:10].sum()
    total = dropped * (p / 3 - p**2 / 4) + pairs * p**2 / 6
    known = sum(
        ideal()["theory"]["active_counts"].query(f"density == {p} and active == {k}")["closed_form"].item()
        * stats.binom.pmf(k, 20, p)
        for k in (0, 1)
    )
    note = judged(judge.claims, "loss_by_active_count", ideal())["note"]
    assert f"At 1-S = 0.001, L_0 and L_1 make up {known / total:.0%} of the loss" == note


# the figure


def test_the_figure() -> None:
    """Shares of the loss by number of active features, stacked; and the two terms of the linear loss."""
    data = ideal()["theory"]
    drawn = draw.theory(data)
    left, right = drawn.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "$k \\geq 4$",
        *(f"$k = {k}$" for k in (3, 2, 1, 0)),
    ]
    counts = data["active_counts"].assign(part=lambda t: t["probability"] * t["loss"])
    for p, rows in counts.groupby("density"):
        share = rows.groupby(rows["active"].clip(upper=4))["part"].sum() / rows["part"].sum()
        ends = [
            path.vertices[np.isclose(path.vertices[:, 0], p), 1] for c in left.collections for path in c.get_paths()
        ]
        np.testing.assert_allclose([np.ptp(y) for y in ends], share, atol=1e-12)
        assert (min(map(min, ends)), max(map(max, ends))) == (0, pytest.approx(1))
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["features not represented", "interference"]
    for line, level in zip(right.lines, (1, 0), strict=True):
        assert sorted(line.get_xdata()) == sorted(DENSITIES)
        np.testing.assert_allclose(line.get_ydata(), level, atol=1e-5)
    for axes in (left, right):
        low, high = axes.get_xlim()
        assert low > high, "from dense to sparse"
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == "feature density $1-S$"
        assert axes.get_ylabel()
        assert axes.get_title()
    plt.close(drawn)


def test_the_figure_is_the_same_every_time(tmp_path: Path) -> None:
    assert drawn_twice(draw, "theory", ideal(), tmp_path).count("<svg ") == 1

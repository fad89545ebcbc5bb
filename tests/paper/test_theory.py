"""Where the loss comes from: models made by hand give the numbers that are known of them."""

import functools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate, stats
from tests.paper.counter_models.theory import tables
from tests.paper.synthetic import packed, through_files, trained
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.paper.theory import draw, interference, judge
from superposition.pipeline.judging.claims import Tables

DENSITIES = CONFIG.sweeps["basic_small"].density
# Up to 10 features in 5 dimensions, alone or as antipodes: the expected loss has a closed form.
COUNTS = dict(zip(DENSITIES, [5, 6, 7, 8, 9, 10, 10], strict=True))
IMPORTANCE = 0.7 ** np.arange(20)


@functools.cache
def models() -> SweepResult:
    return packed("basic_small", COUNTS)


@functools.cache
def ideal() -> Tables:
    return tables(models())


def test_claims_hold_for_the_ideal_models(tmp_path: Path) -> None:
    """All claims hold but the one about positive interference, which these models do not have."""
    claims = judge.claims.judge(ideal(), "paper")[0].set_index("claim")
    differ = claims.index[claims["verdict"] != claims["expected"]]
    assert differ.tolist() == ["theory.bias_turns_positive_into_negative"]
    pd.testing.assert_frame_equal(
        judge.claims.judge(through_files(ideal(), tmp_path), "paper")[0].set_index("claim"), claims
    )


def test_terms_of_the_linear_loss() -> None:
    """The terms are Σ_i I_i v (1 - ‖W_i‖²)² and Σ_{i≠j} I_j v (W_j·W_i)² for any W."""
    sweep, rows = CONFIG.sweeps["basic_small_linear"], ideal()["theory"]["linear"]
    W = packed("basic_small_linear", 5).parameters["W"].double().numpy()
    assert len(rows) == len(sweep.density) * sweep.restarts
    for row, (point, restart) in zip(rows.itertuples(), np.ndindex(len(sweep.density), sweep.restarts), strict=True):
        gram, v = W[point, restart].T @ W[point, restart], row.density / 3 - row.density**2 / 4
        own = np.eye(20, dtype=bool)
        assert row.benefit_term == pytest.approx((IMPORTANCE * v * (1 - gram[own]) ** 2).sum())
        crossed = [IMPORTANCE[j] * v * gram[i, j] ** 2 for i in range(20) for j in range(20) if i != j]
        assert row.interference_term == pytest.approx(sum(crossed), abs=1e-15)
        assert row.represented == (gram[own] > 0.5).sum()
        assert row.optimum == pytest.approx(IMPORTANCE[5:].sum() * v)


def test_active_counts() -> None:
    """P(k) is binomial; L_0 and L_1 have closed forms, which are known for antipodes; L_k is drawn."""
    rows = ideal()["theory"]["active_counts"]
    np.testing.assert_allclose(rows["probability"], stats.binom.pmf(rows["active"], 20, rows["density"]), atol=1e-12)
    assert rows["closed_form"].notna().equals(rows["active"] < 2)
    for point, (p, r) in enumerate(COUNTS.items()):
        here = rows[rows["density"] == p].set_index("active")
        dropped = IMPORTANCE[r:].sum()
        assert here["closed_form"][0] == pytest.approx(dropped * (p / 2) ** 2)
        alone = 1 / 3 - p / 2 + p**2 / 4  # E[(x - p/2)²] of a dropped feature that is active
        assert here["closed_form"][1] == pytest.approx(dropped * (19 / 20 * (p / 2) ** 2 + alone / 20), rel=1e-5)
        assert set(here["total"]) == {models().loss[point].min().item()}


def test_share_of_the_sparse_loss() -> None:
    """The share of samples with one feature or none, at the lowest density, follows by hand from closed forms."""
    p, dropped, pairs = 0.001, IMPORTANCE[10:].sum(), IMPORTANCE[:10].sum()
    total = dropped * (p / 3 - p**2 / 4) + pairs * p**2 / 6
    counts = ideal()["theory"]["active_counts"].query(f"density == {p} and active < 2")
    known = (counts["closed_form"] * stats.binom.pmf(counts["active"], 20, p)).sum()
    criteria = judge.claims.judge(ideal(), "paper")[1].query("claim == 'theory.one_active_dominates'")
    exponent, share = criteria["value"]
    # It is 1 if L_1 dominates, and 2 if L_0 does.
    assert 1 < exponent < 2
    assert share == pytest.approx(known / total, rel=0.01)


def test_interference_of_a_known_model() -> None:
    """Three features at 0°, 60° and 180° with different biases have the interference computed by hand."""
    angles, b = np.radians([0, 60, 180]), np.array([-0.1, -0.2, 0.1])
    W = np.zeros((5, 20))
    W[:2, :3] = np.cos(angles), np.sin(angles)
    result = trained("basic_small", lambda p: (W, np.pad(b, (0, 17)), 0.5))
    row = interference.signs(result).iloc[0]
    # Squares of the cosines of 60°, 180° and 120°; only the first is positive.
    assert row["represented"] == 3
    assert row["positive"] == pytest.approx(0.25 / 1.5)
    left = [IMPORTANCE[j] * integrate.quad(lambda x, j=j: max(x / 2 + b[j], 0) ** 2, 0, 1)[0] for j in (0, 1)]
    assert row["left"] == pytest.approx(sum(left), rel=1e-4)
    assert row["unfiltered"] == pytest.approx(IMPORTANCE[:2].sum() / 12, rel=1e-4)
    graph = interference.graphs(result).iloc[0]
    partners = sorted([1.25**2 / (1 + 1 / 16), 0.5**2 / (2 / 16), 1.25**2 / (1 + 1 / 16)])
    assert graph["partners"] == pytest.approx(partners[1], rel=1e-4)
    assert graph["random"] == pytest.approx(2 * 7 / 15)
    assert graph["components"] == 1


def test_random_directions_have_few_partners_fewer_than_all() -> None:
    """Random directions have (r - 1)(m + 2) / 3m partners on average: 60 directions in 20 dimensions."""
    W = torch.randn(13, 1, 20, 100, generator=torch.Generator().manual_seed(0)) * (torch.arange(100) < 60)
    result = packed("uniform_100_20", 40)
    result = SweepResult(
        result.sweep, {"W": W, "b": torch.zeros(13, 1, 100)}, result.loss, result.loss, result.snapshot_steps
    )
    graphs = interference.graphs(result)
    np.testing.assert_allclose(graphs["partners"].mean(), graphs["random"].mean(), rtol=0.1)


def test_loss_of_two_features_by_their_cosine() -> None:
    """Two unit vectors without a bias interfere by c²/3, if c is positive."""
    rows = interference.pair_losses()
    np.testing.assert_allclose(rows["loss"], rows["cosine"].clip(lower=0) ** 2 / 3, atol=1e-12)


def test_the_figure() -> None:
    """The figure stacks shares of the loss by number of active features, and shows both terms of two losses."""
    data = ideal()["theory"]
    drawn = draw.theory(data)
    left, right, single = drawn.axes
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
    for line, column in zip(single.lines, ("benefit_term", "interference_term"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), data["terms"][column])
    for line, level in zip(right.lines, (1, 0), strict=True):
        assert sorted(line.get_xdata()) == sorted(DENSITIES)
        np.testing.assert_allclose(line.get_ydata(), level, atol=1e-5)
    for axes in (left, right, single):
        low, high = axes.get_xlim()
        assert low > high, "from dense to sparse"
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == "feature density $1-S$"
        assert axes.get_ylabel()
        assert axes.get_title()
    plt.close(drawn)


def test_the_terms_of_one_active_feature() -> None:
    """Antipodes do not interfere; outputs of absent features are their bias p/2, whichever feature is active."""
    for row in ideal()["theory"]["terms"].itertuples():
        absent, c = IMPORTANCE[COUNTS[row.density] :].sum(), row.density / 2
        assert row.benefit_term == pytest.approx(absent * (1 / 3 - c + c**2) / (IMPORTANCE.sum() / 3))
        assert row.interference_term == pytest.approx(19 * absent * c**2 / (IMPORTANCE.sum() / 3))

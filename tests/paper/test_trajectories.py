"""Jumps, drops and plateaus, on curves where they are known."""

import numpy as np
import pytest

from superposition.paper.dynamics import trajectories

SNAPSHOTS = 200


def logistic(at: float, width: float = 1.5, high: float = 0.5) -> np.ndarray:
    """Return a series with a jump at a snapshot."""
    return high / (1 + np.exp(-(np.arange(SNAPSHOTS) - at) / width))


def test_jumps_are_found_where_they_are() -> None:
    """One series has a jump, another none, and the third one up and one down."""
    values = np.stack([logistic(60), np.full(SNAPSHOTS, 0.5), logistic(40) - logistic(150, high=0.3)], axis=1)
    found = trajectories.find_jumps(values, window=5, least=0.15)
    assert found["feature"].tolist() == [0, 2, 2]
    np.testing.assert_allclose(found["snapshot"], [60, 40, 150], atol=1)
    np.testing.assert_allclose(found["before"], [0, 0, 0.5], atol=0.01)
    np.testing.assert_allclose(found["after"], [0.5, 0.5, 0.2], atol=0.01)


def test_how_steep_a_change_is() -> None:
    """All of a jump is within the window, and of an even change the window's share; small changes are left out."""
    even = np.linspace(0, 0.5, SNAPSHOTS)
    values = np.stack([logistic(60, width=0.5), even, logistic(60, high=0.2), 1 - logistic(199, high=0.9)], axis=1)
    found = trajectories.steepest_changes(values, window=5, least=0.25)
    assert found["feature"].tolist() == [0, 1, 3]
    np.testing.assert_allclose(found["steepest"], [1, 10 / (SNAPSHOTS - 1), 1], atol=0.05)


@pytest.mark.parametrize(("slope", "count"), [(0.014, 0), (0.016, 1)])
def test_a_slow_change_is_no_jump(slope: float, count: int) -> None:
    """The change within the window counts."""
    values = np.clip((np.arange(SNAPSHOTS) - 50) * slope, 0, 1)[:, None]
    assert len(trajectories.find_jumps(values, window=5, least=0.15)) == count


def test_noise_is_no_jump() -> None:
    values = 0.5 + 0.01 * np.random.default_rng(0).normal(size=(SNAPSHOTS, 50))
    assert trajectories.find_jumps(values, window=5, least=0.15).empty
    assert trajectories.settling_snapshot(values, window=5, least=0.1) == 0


def test_jumps_at_the_ends() -> None:
    """Half a jump is measured as far as it goes."""
    values = np.stack([logistic(0), logistic(SNAPSHOTS - 1)], axis=1)
    found = trajectories.find_jumps(values, window=5, least=0.15)
    assert found["feature"].tolist() == [0, 1]
    np.testing.assert_allclose(found["before"], [0.25, 0], atol=0.02)
    np.testing.assert_allclose(found["after"], [0.5, 0.25], atol=0.02)


def test_settled() -> None:
    """A trajectory has settled when at most a tenth of the series still changes."""
    many = [logistic(at) for at in np.linspace(20, 40, 20)]
    two_late, three_late = (np.stack(many + [logistic(150)] * late, axis=1) for late in (2, 3))
    assert 36 < trajectories.settling_snapshot(two_late, window=3, least=0.1) < 48
    assert 150 < trajectories.settling_snapshot(three_late, window=3, least=0.1) < 158


def curve(*drops: tuple[float, float]) -> tuple:
    """Return steps and a loss that falls by given factors around given steps."""
    steps = np.arange(10, 10_001, 10)
    log = sum(np.log(factor) / (1 + (steps / at) ** 6) for at, factor in drops)
    return steps, np.exp(log)


def test_drops_and_plateaus() -> None:
    """Drops are where the loss falls fastest in logarithms, and plateaus lie between them."""
    steps, loss = curve((100, 5), (700, 2), (4000, 3))
    drops, plateaus, flat = trajectories.find_drops(steps, loss)
    np.testing.assert_allclose(steps[drops], [100, 700, 4000], rtol=0.1)
    assert len(plateaus) == len(flat) == 2
    assert 150 < steps[plateaus[0]] < 500
    assert 1000 < steps[plateaus[1]] < 3000
    assert max(flat) < 0.3


def test_a_power_law_has_no_regimes() -> None:
    """It falls steadily, so nothing stands out."""
    steps = np.arange(10, 10_001, 10)
    assert trajectories.find_drops(steps, steps**-0.7)[1:] == ([], [])


def test_flatness_is_relative_to_the_slower_drop() -> None:
    """Two drops that overlap leave a plateau that is hardly flat."""
    apart, close = (trajectories.find_drops(*curve((300, 4), (at, 4)))[2] for at in (3000, 600))
    assert apart[0] < 0.1
    assert close == [] or close[0] > 0.5


def test_rate_of_descent() -> None:
    """It is the exponent of a power law, whatever the spacing of the snapshots."""
    for steps in (np.arange(10, 10_001, 10), np.unique(np.geomspace(10, 10_000, 300).astype(int))):
        grid, rate = trajectories.descent_rate(steps, 3.0 * steps**-0.7)
        assert (grid[0], grid[-1]) == pytest.approx((10, 10_000))
        np.testing.assert_allclose(rate[5:-5], 0.7, atol=0.02)

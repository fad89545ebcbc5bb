"""Test the angles between neighbours on arrangements whose angles are known."""

import numpy as np

from superposition.analysis.plane import steps_around


def test_the_steps_of_an_arrangement_that_is_given_by_its_steps() -> None:
    """Features at known steps, turned, of any lengths and in any order, have these steps again, from any of them on."""
    rng = np.random.default_rng(0)
    steps = rng.uniform(20, 80, (50, 6))
    steps *= 360 / steps.sum(1, keepdims=True)
    angles = np.radians(np.cumsum(steps, axis=1) + rng.uniform(0, 360, (50, 1)))
    W = rng.uniform(0.2, 2, (50, 1, 6)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = steps_around(W[:, :, rng.permutation(6)])
    np.testing.assert_allclose(found.sum(1), 360)
    turned = np.stack([np.roll(steps, turn, axis=1) for turn in range(6)])
    assert np.isclose(found, turned).all(2).any(0).all()

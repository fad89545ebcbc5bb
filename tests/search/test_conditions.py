"""Test which conditions exchange models."""

from typing import Any

import numpy as np
import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.search.conditions import Family
from superposition.theory import exact

KEYS = {"model": "relu_output", "n": 4, "m": 2}


def test_neighbours_are_near_on_the_same_grid_or_nearest_on_another_that_fits() -> None:
    """Nothing lies beyond the ends of an axis, and models are carried over only to a multiple of their units."""
    density = {"one": [0.8, 0.4, 0.2, 0.1], "two": [0.3, 0.09], "half": [0.5], "other": [0.8]}
    changes = {"two": {"n": 5}, "half": {"m": 1}, "other": {"m": 3}}
    sweeps = {name: Sweep.parse(KEYS | {"density": d} | changes.get(name, {})) for name, d in density.items()}
    family = Family(sweeps)
    names = [f"{c.experiment} {c.coordinates['density']:g}" for c in family.conditions]
    found = {name: {names[k] for k in family.neighbours(number)} for number, name in enumerate(names)}
    assert found["one 0.8"] == {"one 0.4", "one 0.2", "two 0.3", "half 0.5"}
    assert found["one 0.2"] == {"one 0.8", "one 0.4", "one 0.1", "two 0.3", "half 0.5"}
    assert found["one 0.1"] == {"one 0.4", "one 0.2", "two 0.09", "half 0.5"}
    assert found["half 0.5"] == set()
    assert found["other 0.8"] == {"half 0.5"}


def test_more_than_two_copies_are_for_equal_features() -> None:
    """Where features differ, a model of a third of the units is no neighbour."""
    for importance, third in ((1, True), ({"decay": 0.5}, False)):
        sweeps = {m: Sweep.parse(KEYS | {"m": m, "density": 0.5, "importance": importance}) for m in (1, 2, 3)}
        family = Family({str(m): sweep for m, sweep in sweeps.items()})
        assert ([*family.neighbours(1)], [*family.neighbours(2)]) == ([0], [0] if third else [])


def test_equal_conditions_of_two_sweeps_are_one() -> None:
    """A sweep counts the conditions that it shares with an earlier one as its own, too."""
    one, two = (Sweep.parse(KEYS | {"density": d, "seeds": s}) for d, s in (([0.4, 0.2], 2), ([0.2, 0.1], 1)))
    family = Family({"one": one, "two": two})
    assert len(family.conditions) == 3
    assert family.of_point == {"one": [0, 0, 1, 1], "two": [1, 2]}


@pytest.mark.parametrize(
    "keys",
    [
        {"l1": 0.1},
        {"attack": 0.1},
        {"distribution": {"correlated": [[0, 1]]}},
        {"distribution": "signed"},
        {"model": "linear"},
        {"model": "relu_hidden"},
    ],
)
def test_what_more_than_independent_features_and_their_loss_matters_is_not_plain(keys: dict[str, Any]) -> None:
    """Shortcuts for plain conditions would be wrong for penalties, attacks, other distributions or other models."""
    plain, other = (Family({"one": Sweep.parse(KEYS | {"density": 0.5} | more)}).conditions[0] for more in ({}, keys))
    assert (plain.plain, other.plain) == (True, keys == {"model": "linear"})
    assert other.loss_alone == (not {"l1", "attack"} & keys.keys())


def test_the_distance_of_conditions_is_a_metric() -> None:
    """Only conditions whose features are active together in different ways are infinitely far apart."""
    keys = {"density": [0.5, 0.1], "relative_importance": {"features": [0], "ratio": [1, 3]}, "attack": [0, 0.3]}
    keys, other = keys | {"l1": [0, 0.2]}, {"density": 0.5, "distribution": {"correlated": [[0, 1]]}}
    family = Family({name: Sweep.parse(KEYS | some) for name, some in (("one", keys), ("two", other))})
    *same, apart = family.conditions
    distance = np.array([[one.distance(two) for two in same] for one in same])
    assert (np.diag(distance) == 0).all()
    assert (distance + np.eye(len(same)) > 0).all()
    np.testing.assert_array_equal(distance, distance.T)
    assert (distance[:, :, None] <= distance[:, None] + distance.T[None] + 1e-12).all()
    assert all(one.distance(apart) == np.inf for one in same)


def test_neighbours_on_a_grid_are_one_or_two_steps_away_along_one_axis() -> None:
    keys = {"density": [0.8, 0.4, 0.2, 0.1], "relative_importance": {"features": [0], "ratio": [1, 2, 4, 8]}}
    family = Family({"one": Sweep.parse(KEYS | keys)})
    place = np.array([[c.coordinates["density"], c.coordinates["relative_importance"]] for c in family.conditions])
    steps = np.abs(np.log2(place)[:, None] - np.log2(place)).round()
    near = ((steps > 0).sum(-1) == 1) & (steps.sum(-1) <= 2)
    assert [[*family.neighbours(k)] for k in range(len(place))] == [np.flatnonzero(row).tolist() for row in near]


@pytest.mark.parametrize("keys", [{}, {"importance": {"decay": 0.5}}, {"density": 0.1}])
def test_a_model_that_drops_all_features_costs_their_variance(keys: dict[str, Any]) -> None:
    c = Family({"one": Sweep.parse({"model": "relu_output", "n": 3, "m": 1, "density": 0.5} | keys)}).conditions[0]
    nothing = {"W": torch.zeros(1, 3, dtype=torch.float64), "b": c.mean}
    assert c.dropped == pytest.approx(float(exact.expected_loss(c.model, nothing, c.density, c.importance)))


def test_features_are_exchangeable_if_only_importances_tell_them_apart() -> None:
    different = {"relative_density": {"features": [0], "ratio": [3]}}
    for keys, expected in (
        ({}, True),
        ({"importance": {"decay": 0.5}}, True),
        (different, False),
        ({"distribution": {"correlated": [[0, 1]]}}, False),
    ):
        assert Family({"one": Sweep.parse(KEYS | {"density": 0.1} | keys)}).conditions[0].exchangeable == expected

"""Test sweeps: their grids, what they refuse and how, and the round trip through plain data."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.experiment import cost
from superposition.core.experiment.cost import MAX_HEADER_SIZE
from superposition.core.experiment.distribution import Distribution
from superposition.core.experiment.grid import COORDINATES
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult

BASE: dict[str, Any] = {"model": "relu_output", "n": 4, "m": 2, "density": 0.1}
PAIRS = Distribution(correlated=((0, 1), (2, 3)))


def test_the_grid_is_the_product_of_the_axes() -> None:
    """Weights are stored in this order; in another, every model would have its neighbour's coordinates."""
    sweep = Sweep.parse(
        BASE
        | {
            "density": [0.5, 0.1],
            "relative_density": {"features": [0, 1], "ratio": [1, 0.5]},
            "importance": [1, 2, 3, 4],
            "relative_importance": {"features": [3], "ratio": [0.1, 1, 10]},
            "distribution": ["independent", {"correlated": [[0, 1], [2, 3]]}],
            "l1": [0, 0.5],
            "seeds": 2,
            "restarts": 7,  # Restarts are not an axis of the grid.
        }
    )
    expected = [
        (density, thin, light, distribution, l1, seed)
        for density in (0.5, 0.1)
        for thin in (1.0, 0.5)
        for light in (0.1, 1.0, 10.0)
        for distribution in (Distribution(), PAIRS)
        for l1 in (0.0, 0.5)
        for seed in (0, 1)
    ]
    points = sweep.points()
    assert tuple(points.columns) == COORDINATES
    assert list(points.itertuples(index=False, name=None)) == [(*e[:3], e[3].name, 0.0, *e[4:]) for e in expected]
    assert sweep.distributions() == [e[3] for e in expected]
    some = range(5, 17)
    assert list(sweep.points(some).itertuples(index=False)) == list(points.itertuples(index=False))[5:17]
    assert sweep.distributions(some) == sweep.distributions()[5:17]
    np.testing.assert_array_equal(sweep.densities(some), sweep.densities()[5:17])
    np.testing.assert_array_equal(sweep.importances(some), sweep.importances()[5:17])
    np.testing.assert_array_equal(sweep.densities(), [[d * t, d * t, d, d] for d, t, *_ in expected])
    np.testing.assert_array_equal(sweep.importances(), [[1, 2, 3, 4 * light] for _, _, light, *_ in expected])


@pytest.mark.parametrize(
    ("importance", "expected"),
    [(2, [2, 2, 2, 2]), ({"decay": 0.5}, [1, 0.5, 0.25, 0.125]), ([3, 0, 1, 2], [3, 0, 1, 2]), (None, [1, 1, 1, 1])],
)
def test_ways_to_write_importance(importance: Any, expected: list[float]) -> None:
    sweep = Sweep.parse(BASE | {"density": [0.1, 1]} | ({} if importance is None else {"importance": importance}))
    np.testing.assert_array_equal(sweep.importances(), [expected] * 2)


@pytest.mark.parametrize("density", [[0.1, 0.5], (0.1, 0.5), np.array([0.1, 0.5]), np.array([0.1, 0.5]).tolist()])
def test_ways_to_write_an_axis(density: Any) -> None:
    """YAML has lists, notebooks have arrays."""
    assert Sweep(**BASE | {"density": density}).density == (0.1, 0.5)
    assert Sweep(**BASE | {"density": 1}).density == (1.0,)


@pytest.mark.parametrize(
    ("make", "spec"),
    [
        (lambda one: {"density": one}, 0.5),
        (lambda one: {"importance": one}, 2),
        (lambda several: {"importance": several}, [1, 2, 3, 4]),
        (lambda several: {"relative_density": {"features": several, "ratio": 2}}, [0, 1]),
        (lambda pair: {"distribution": {"correlated": [pair]}}, [0, 1]),
        (lambda pairs: {"distribution": {"correlated": pairs}}, [[0, 1], [2, 3]]),
    ],
)
def test_arrays_are_read_like_lists_and_numbers(make: Callable[[Any], dict[str, Any]], spec: Any) -> None:
    assert Sweep.parse(BASE | make(np.array(spec))) == Sweep.parse(BASE | make(spec))


@given(st.floats(1e-9, 1), st.floats(1e-9, 1), st.integers(2, 200))
def test_log_range(start: float, stop: float, count: int) -> None:
    """The ends are exact, because 1 must stay 1, the ratios between are equal, and the order is kept."""
    density = Sweep.parse(BASE | {"density": {"from": start, "to": stop, "points": count}}).density
    assert (density[0], density[-1], len(density)) == (start, stop, count)
    np.testing.assert_allclose(np.diff(np.log(density)), np.log(stop / start) / (count - 1), atol=1e-10)


@given(st.permutations(range(6)), st.booleans(), st.integers(0, 2))
def test_names_of_distributions_are_unique(order: list[int], signed: bool, anticorrelated: int) -> None:
    """Two distributions that shared a name would be one point of the grid."""
    pairs = [tuple(order[k : k + 2]) for k in (0, 2, 4)]
    given_ = Distribution(correlated=pairs[anticorrelated:], anticorrelated=pairs[:anticorrelated], signed=signed)
    others = [
        Distribution(),
        Distribution(signed=True),
        Distribution(correlated=pairs, signed=not signed),
        Distribution(anticorrelated=pairs, signed=signed),
        Distribution(correlated=pairs[:2], signed=signed),
        Distribution(correlated=(tuple(order),), signed=signed),
        Distribution(correlated=(tuple(order[:4]), pairs[2]), signed=signed),
    ]
    assert given_.name not in {other.name for other in others if other != given_}


NAN, INF = float("nan"), float("inf")
# By the key that the message must name: values of this key, or mappings with other keys beside it.
VALUES: dict[str, list[Any]] = {
    "model": ["mlp", None],
    "n": [0, "4", 4.0, True],
    "m": [0, 5],
    "hidden_bias": [True, "yes"],
    "initial_scale": [0, -1, 101, NAN, INF, "small"],
    "warmup": [-0.1, 1.1, NAN, "half"],
    "initial_bias": ["mean"],
    "density": ["0.1", True, None, 0, -0.1, 1.5, NAN, INF, [0.1, 0], [], [[0.1]], {"from": 0.1, "to": 2, "points": 3}],
    "relative_density": [2, {"features": [0], "ratio": 20}, {"features": [4], "ratio": 2}],
    "relative_importance": [{"features": [4], "ratio": 2}],
    "attack": [-0.1, [0, "strong"]],
    "l1": [-1, []],
    "importance": [0, "high", [1, 2], [], [1, 2, 3, -1], [0, 0, 0, 0], 1e30, 1e-30, [1, 1, 1, 1e30], [0, 0, 0, 1e-30]],
    "distribution": [
        *("uniform", [], 3, None, ["signed", "independent"]),
        *({"correlated": sets} for sets in ([[0, 1], [1, 2]], [[0, 0]], [[0, 4]], [[0, 16**5000]])),
        {"correlated": [[0, 1]], "anticorrelated": [[3, 1]]},
    ],
    "correlated": [
        {"distribution": {"correlated": sets}} for sets in ([[0, -1]], [[0]], [["0", "1"]], [0, 1], 5, None)
    ],
    "signed": [{"distribution": {"signed": "yes"}}],
    "seeds": [0],
    "restarts": [0],
    "steps": [0, 1.5, 16**5000],
    "batch": [1],
    "learning_rate": [0, NAN, "x" * 10**6],
    "schedule": ["linear"],
    "weight_decay": [-1],
    "snapshots": [-1, 3001],
    "evaluation": [0, 2**31, 16**5000],
    "solver": ["newton", None, "exact"],  # n = 4
}
EXACT = {"solver": "exact", "n": 3}
TOO_LARGE = {"density": {"from": 0.1, "to": 1, "points": 10**4}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    *((value if key in ("correlated", "signed") else {key: value}, key) for key, v in VALUES.items() for value in v),
    *(({key: 1}, key) for key in ("colour", "learning-rate", "learning rate", "float")),
    ({1: 2}, "1"),
    ({"x" * 10**6: 1}, "unknown key"),
    ({"two\nlines": 1}, "unknown key"),
    # Parts of values.
    ({"density": {"from": 0.1, "to": 1}}, "density.points"),
    ({"density": {"from": 0.1, "to": 1, "points": 1}}, "density.points"),
    ({"density": {"from": 0.1, "to": 1, "points": 10**9}}, "density.points"),
    ({"density": {"from": 0, "to": 1, "points": 3}}, "density.from"),
    ({"density": {"from": "0.1", "to": 1, "points": 3}}, "density.from"),
    ({"density": {"from": 0.1, "to": INF, "points": 3}}, "density.to"),
    ({"density": {"from": 0.1, "to": 1, "points": 3, "log": True}}, "density.log"),
    ({"relative_density": {"features": [0]}}, "relative_density.ratio"),
    ({"relative_density": {"features": [0], "ratio": []}}, "relative_density.ratio"),
    ({"relative_density": {"features": [0], "ratio": 0}}, "relative_density.ratio"),
    ({"relative_density": {"features": [], "ratio": 2}}, "relative_density.features"),
    ({"relative_density": {"features": [-1], "ratio": 2}}, "relative_density.features"),
    ({"relative_density": {"features": 0, "ratio": 2}}, "relative_density.features"),
    ({"relative_importance": {"features": [0], "ratio": -1}}, "relative_importance.ratio"),
    ({"relative_importance": {"features": [0], "ratio": 1e300}}, "relative_importance.ratio"),
    ({"importance": {"decay": 0}}, "decay"),
    ({"importance": {"decay": 2}}, "decay"),
    ({"importance": {"dekay": 0.5}}, "importance.decay"),
    ({"distribution": {"corelated": [[0, 1]]}}, "corelated"),
    # Combinations of values.
    ({"m": 5, "model": "linear"}, "m"),
    ({"m": 5, "model": "relu_hidden"}, "m"),
    ({"hidden_bias": True, "model": "absolute"}, "hidden_bias"),
    ({"initial_bias": "centred", "model": "relu_hidden"}, "initial_bias"),
    ({"initial_bias": "centred", "model": "absolute"}, "initial_bias"),
    ({"initial_bias": "centred", "distribution": "signed"}, "initial_bias"),
    ({"initial_bias": "centred", "distribution": {"anticorrelated": [[0, 1]]}}, "initial_bias"),  # E[x_i] is not p/2.
    ({"relative_density": {"features": [0], "ratio": 2}, "distribution": PAIRS.model_dump()}, "relative_density"),
    ({"attack": 0.5, "distribution": "signed"}, "attack"),
    ({"attack": 0.5, "distribution": {"correlated": [[0, 1]]}}, "attack"),
    ({"attack": [0, 0.5], "model": "relu_hidden"}, "attack"),
    ({"snapshots": 11, "steps": 10}, "snapshots"),
    (EXACT | {"model": "relu_hidden"}, "solver"),
    (EXACT | {"model": "absolute"}, "solver"),
    (EXACT | {"distribution": "signed"}, "solver"),
    (EXACT | {"distribution": ["independent", {"anticorrelated": [[0, 1]]}]}, "solver"),
    (EXACT | {"snapshots": 1}, "solver"),
    (EXACT | {"l1": 0.1}, "solver"),
    # Beyond float32, in which such densities have no reciprocal.
    ({"density": 1e-40}, "density"),
    ({"density": [0.5, 1e-27], "relative_density": {"features": [0], "ratio": [1, 1e-6]}}, "density"),
    ({"density": [0.5, 0.1], "relative_density": {"features": [0], "ratio": [1, 3]}}, "relative_density"),
    # Duplicates are found quickly, however many there are.
    ({"distribution": {"correlated": [list(range(10**5)) * 2]}}, "feature 0 is named twice"),
    # Too large for a machine or a file, whichever axis makes it so.
    ({"restarts": 10**5, "seeds": 10**4}, "models"),
    (TOO_LARGE | {"relative_importance": {"features": [0], "ratio": TOO_LARGE["density"]}, "restarts": 2}, "models"),
    ({"n": 10_000, "m": 10_000, "restarts": 100}, "weights"),
    ({"n": 10_000, "m": 10_000, "model": "absolute", "restarts": 10}, "weights"),
    ({"snapshots": 3000, "restarts": 10**5}, "weights"),
    ({"batch": 10**6, "n": 1000}, "batch"),
    ({"density": [0.1, 1] * 10, "seeds": 100_000}, "header"),
    # Too long.
    ({"steps": 10**6, "batch": 10**6, "restarts": 10**5}, "hours of training"),
    ({"n": 10_000, "m": 10_000, "steps": 10**6, "batch": 10**4, "seeds": 3}, "hours of training"),
    ({"n": 1, "m": 1, "evaluation": 2**30, "restarts": 10**5, "seeds": 10**3}, "hours of training"),
]


@pytest.mark.parametrize(("changes", "key"), REFUSED, ids=[short_repr(changes)[1:-1] for changes, _ in REFUSED])
def test_refusals_name_the_key(changes: dict[str, Any], key: str) -> None:
    """Bad input is refused in one short line, and without a traceback."""
    with pytest.raises(SuperpositionError) as caught:
        Sweep.parse(BASE | changes, "experiments.mine")
    message = str(caught.value)
    assert re.match(rf"experiments\.mine[.:].*(?<![\w-]){re.escape(key)}(?![\w-])", message)
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    "large",
    [
        {
            "n": 3,
            "density": {"from": 1, "to": 0.01, "points": 1000},
            "relative_importance": {"features": [2], "ratio": {"from": 0.1, "to": 10, "points": 1000}},
            "restarts": 10,
            "steps": 2000,
            "batch": 1024,
        },
        {"n": 10_000, "m": 1000, "steps": 1000},
        {"restarts": 100_000, "seeds": 100, "steps": 100},
        {"steps": 10**6, "snapshots": 10**6},
        {"distribution": {"correlated": [[0, 1]] + [[2 * k, 2 * k + 1] for k in range(1, 5000)]}, "n": 10_000},
    ],
    ids=lambda large: str(large)[:50],
)
def test_large_sweeps_are_allowed(large: dict[str, Any]) -> None:
    """Ten million models, and other large sweeps, are within the limits and are parsed quickly."""
    sweep = Sweep.parse(BASE | large)
    assert Sweep.parse(json.loads(sweep.spec())) == sweep


def test_the_coordinates_of_the_largest_grid_fit_into_a_file(tmp_path: Path) -> None:
    """The size of a header is predicted before training; here for a smaller grid, because it grows with the points."""
    span = {"from": 0.1, "to": 1, "points": 200}
    ratio = {"features": [0], "ratio": [0.123456789012, 10]}
    sweep = Sweep.parse(
        BASE | {"density": span, "relative_importance": ratio, "distribution": ["independent", PAIRS], "seeds": 5}
    )
    shape = (len(sweep.points()), sweep.restarts)
    parameters = {"W": torch.zeros(*shape, 2, 4), "b": torch.zeros(*shape, 4)}
    loss = torch.zeros(shape, dtype=torch.float64)
    SweepResult(sweep, parameters, loss, loss).save(tmp_path / "weights")
    with (tmp_path / "weights").open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    assert 0.9 * header < cost.header_size(sweep.axes()) < 1.1 * header
    assert 1.1 * MAX_HEADER_SIZE < 100_000_000


@pytest.mark.parametrize("missing", list(BASE))
def test_required_keys(missing: str) -> None:
    with pytest.raises(SuperpositionError, match=rf"^mine\.{missing}: this key is missing$"):
        Sweep.parse({k: v for k, v in BASE.items() if k != missing}, "mine")


@pytest.mark.parametrize("entry", [None, [], "independent", 3])
def test_an_entry_must_be_a_mapping(entry: Any) -> None:
    with pytest.raises(SuperpositionError, match=r"^mine: .*dictionary") as caught:
        Sweep.parse(entry, "mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("importance", "allowed"),
    [
        ({"decay": 2}, "less than or equal to 1"),
        ({"decay": 0}, "greater than 0"),
        ([1, 2, 3, -1], "greater than or equal to 0"),
    ],
)
def test_a_wrong_importance_is_explained_in_its_own_notation(importance: Any, allowed: str) -> None:
    with pytest.raises(SuperpositionError, match=allowed):
        Sweep.parse(BASE | {"importance": importance})


def test_a_sweep_is_frozen() -> None:
    sweep = Sweep.parse(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        sweep.n = 5


@pytest.mark.parametrize("name", ["linear", "relu_output"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_what_can_be_solved_exactly(name: str, n: int) -> None:
    """The solver is part of the text in a weights file."""
    entry = {"model": name, "n": n, "m": 1, "density": 0.5, "restarts": 7, "distribution": ["independent"]}
    solved = Sweep.parse(entry | {"solver": "exact", "relative_density": {"features": [0], "ratio": [0.5, 1]}})
    assert Sweep.parse(json.loads(solved.spec())) == solved
    assert json.loads(solved.spec())["solver"] == "exact"
    assert "solver" not in json.loads(Sweep.parse(entry).spec())


def test_spec_is_canonical() -> None:
    """The order of keys, the notation of numbers and defaults that are written out make no difference."""
    written = {"seeds": 1, "density": [0.1], "m": 2, "distribution": ["independent"], "importance": 1, "n": 4}
    assert Sweep.parse(written | {"model": "relu_output"}).spec() == Sweep.parse(BASE).spec()


def test_work_grows_with_every_size() -> None:
    """Sweeps whose work is small share jobs or get a single core."""
    plain = {"model": "relu_output", "n": 3, "m": 2, "density": [0.1, 1], "steps": 10, "batch": 7}
    work = Sweep.parse(plain).work
    assert work == pytest.approx(2 * 10 * 7 * 3 * (1 + 2 / 16))
    assert Sweep.parse(plain | {"restarts": 4, "seeds": 5}).work == pytest.approx(20 * work)
    assert Sweep.parse(plain | {"m": 3}).work > work
    # The reference engine, which trains what is not compiled, is many times as slow.
    assert Sweep.parse(plain | {"values": "exponential"}).work > 10 * work
    solved = Sweep.parse(plain | {"solver": "exact"})
    assert solved.work == Sweep.parse(plain | {"solver": "exact", "steps": 20}).work
    assert Sweep.parse(plain | {"solver": "exact", "n": 2}).work < solved.work / 2


@pytest.mark.parametrize("two_matrices", [{"model": "absolute"}, {"model": "relu_output", "untied": True}], ids=str)
def test_the_weights_of_both_layers_count(two_matrices: dict[str, Any]) -> None:
    """Models with a matrix for each of their two layers exceed the limit; those with one matrix do not."""
    large = {"n": 100, "m": 99, "density": 1, "restarts": 60_000, "steps": 1, "batch": 2, "evaluation": 2}
    Sweep.parse(large | {"model": "relu_output"})
    with pytest.raises(SuperpositionError, match="the weights of"):
        Sweep.parse(large | two_matrices)


@given(st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_parts_make_up_the_points(points: int, parts: int, exact: bool) -> None:
    """Parts have about the same size, and points that are searched together stay together."""
    plan = Sweep(model="linear", n=2, m=1, density=0.1, seeds=points, restarts=3, solver="exact" if exact else "adam")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("superposition.core.experiment.sweep.POINTS_PER_SEARCH", 4)
        assert plan.max_parts == (-(-points // 4) if exact else points)
        if parts > plan.max_parts:
            with pytest.raises(SuperpositionError, match=rf"^part 1 of {parts}: .* 1 to {plan.max_parts} parts$"):
                plan.part_range(1, parts)
            return
        ranges = [plan.part_range(part, parts) for part in range(1, parts + 1)]
    assert [point for part in ranges for point in part] == list(range(points))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= (7 if exact else 1)
    assert min(map(len, ranges)) > 0
    assert not exact or all(part.start % 4 == 0 for part in ranges)


def test_large_grids_are_refused_and_split_quickly() -> None:
    """A part of a grid of 10^6 points does not cost the time and memory of the whole."""
    axis = {"from": 1, "to": 0.01, "points": 1000}
    plan = Sweep.parse(BASE | {"density": axis, "relative_importance": {"features": [0], "ratio": axis}})
    assert plan.points(plan.part_range(1000, 1000))["density"].unique().tolist() == [0.01]
    with pytest.raises(SuperpositionError, match=r"a grid of 2e\+06 points: .* header"):
        Sweep.parse(plan.model_dump(mode="json") | {"seeds": 2})


@pytest.mark.parametrize(("part", "parts"), [(0, 1), (2, 1), (-1, 1), (1, 0)])
def test_a_part_that_does_not_exist_is_refused(part: int, parts: int) -> None:
    with pytest.raises(SuperpositionError, match=rf"^part {part} of {parts}: .* 1 to 1 parts$"):
        Sweep.parse(BASE).part_range(part, parts)

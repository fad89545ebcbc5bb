"""What a sweep says: its grid, what it refuses and in which words, and the way to plain data and back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from superposition.core import cost
from superposition.core.cost import MAX_HEADER_SIZE
from superposition.core.distribution import Distribution
from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.grid import COORDINATES
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult

BASE: dict[str, Any] = {"model": "relu_output", "n": 4, "m": 2, "density": 0.1}
PAIRS = Distribution(correlated=((0, 1), (2, 3)))


def test_the_grid_is_the_product_of_the_axes() -> None:
    """Weights are stored in this order: another would give every model its neighbour's coordinates."""
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
            "restarts": 7,  # no axis of the grid
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
    """A notebook has arrays where YAML has lists."""
    assert Sweep(**BASE | {"density": density}).density == (0.1, 0.5)
    assert Sweep(**BASE | {"density": 1}).density == (1.0,)


@given(st.floats(1e-9, 1), st.floats(1e-9, 1), st.integers(2, 200))
def test_log_range(start: float, stop: float, count: int) -> None:
    """Both ends exactly as written (1 must stay 1), equal ratios between, and the order as given."""
    density = Sweep.parse(BASE | {"density": {"from": start, "to": stop, "points": count}}).density
    assert (density[0], density[-1], len(density)) == (start, stop, count)
    np.testing.assert_allclose(np.diff(np.log(density)), np.log(stop / start) / (count - 1), atol=1e-10)


@given(st.permutations(range(6)), st.booleans(), st.integers(0, 2))
def test_distributions_have_names_of_their_own(order: list[int], signed: bool, anticorrelated: int) -> None:
    """Two that shared a name would be one point of the grid."""
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


REFUSED: list[tuple[dict[str, Any], str]] = [
    # keys
    ({"colour": 1}, "colour"),
    ({"learning-rate": 0.1}, "learning-rate"),
    ({"learning rate": 0.1}, "learning rate"),
    ({"float": 1}, "float"),
    ({1: 2}, "1"),
    # sizes and models
    ({"model": "mlp"}, "model"),
    ({"model": None}, "model"),
    ({"n": 0}, "n"),
    ({"n": "4"}, "n"),
    ({"n": 4.0}, "n"),
    ({"n": True}, "n"),
    ({"m": 0}, "m"),
    ({"m": 5}, "m"),
    ({"m": 5, "model": "linear"}, "m"),
    ({"m": 5, "model": "relu_hidden"}, "m"),
    ({"hidden_bias": True}, "hidden_bias"),
    ({"hidden_bias": True, "model": "absolute"}, "hidden_bias"),
    ({"hidden_bias": "yes", "model": "relu_hidden"}, "hidden_bias"),
    # initial_scale
    *(({"initial_scale": scale}, "initial_scale") for scale in (0, -1, 101, float("nan"), float("inf"), "small")),
    # warmup
    *(({"warmup": share}, "warmup") for share in (-0.1, 1.1, float("nan"), "half")),
    # initial_bias
    ({"initial_bias": "mean"}, "initial_bias"),
    ({"initial_bias": "centred", "model": "relu_hidden"}, "initial_bias"),
    ({"initial_bias": "centred", "model": "absolute"}, "initial_bias"),
    ({"initial_bias": "centred", "distribution": "signed"}, "initial_bias"),
    ({"initial_bias": "centred", "distribution": {"anticorrelated": [[0, 1]]}}, "initial_bias"),  # E[x_i] is not p/2
    # density
    ({"density": "0.1"}, "density"),
    ({"density": True}, "density"),
    ({"density": None}, "density"),
    ({"density": 0}, "density"),
    ({"density": -0.1}, "density"),
    ({"density": 1.5}, "density"),
    ({"density": float("nan")}, "density"),
    ({"density": float("inf")}, "density"),
    ({"density": [0.1, 0]}, "density"),
    ({"density": []}, "density"),
    ({"density": [[0.1]]}, "density"),
    ({"density": {"from": 0.1, "to": 1}}, "density.points"),
    ({"density": {"from": 0.1, "to": 1, "points": 1}}, "density.points"),
    ({"density": {"from": 0, "to": 1, "points": 3}}, "density.from"),
    ({"density": {"from": "0.1", "to": 1, "points": 3}}, "density.from"),
    ({"density": {"from": 0.1, "to": float("inf"), "points": 3}}, "density.to"),
    ({"density": {"from": 0.1, "to": 2, "points": 3}}, "density"),
    ({"density": {"from": 0.1, "to": 1, "points": 3, "log": True}}, "density.log"),
    # relative axes
    ({"relative_density": 2}, "relative_density"),
    ({"relative_density": {"features": [0]}}, "relative_density.ratio"),
    ({"relative_density": {"features": [0], "ratio": []}}, "relative_density.ratio"),
    ({"relative_density": {"features": [0], "ratio": 0}}, "relative_density.ratio"),
    ({"relative_density": {"features": [0], "ratio": 20}}, "relative_density"),
    ({"relative_density": {"features": [], "ratio": 2}}, "relative_density.features"),
    ({"relative_density": {"features": [4], "ratio": 2}}, "relative_density"),
    ({"relative_density": {"features": [-1], "ratio": 2}}, "relative_density.features"),
    ({"relative_density": {"features": 0, "ratio": 2}}, "relative_density.features"),
    ({"relative_density": {"features": [0], "ratio": 2}, "distribution": PAIRS.model_dump()}, "relative_density"),
    ({"attack": -0.1}, "attack"),
    ({"attack": [0, "strong"]}, "attack"),
    ({"attack": 0.5, "distribution": "signed"}, "attack"),
    ({"attack": 0.5, "distribution": {"correlated": [[0, 1]]}}, "attack"),
    ({"attack": [0, 0.5], "model": "relu_hidden"}, "attack"),
    ({"l1": -1}, "l1"),
    ({"l1": []}, "l1"),
    ({"l1": 0.1, "n": 2, "m": 1, "solver": "exact"}, "solver"),
    ({"relative_importance": {"features": [4], "ratio": 2}}, "relative_importance"),
    ({"relative_importance": {"features": [0], "ratio": -1}}, "relative_importance.ratio"),
    # importance
    ({"importance": 0}, "importance"),
    ({"importance": "high"}, "importance"),
    ({"importance": [1, 2]}, "importance"),
    ({"importance": []}, "importance"),
    ({"importance": [1, 2, 3, -1]}, "importance"),
    ({"importance": {"decay": 0}}, "decay"),
    ({"importance": {"decay": 2}}, "decay"),
    ({"importance": {"dekay": 0.5}}, "importance.decay"),
    # distribution
    ({"distribution": "uniform"}, "distribution"),
    ({"distribution": []}, "distribution"),
    ({"distribution": 3}, "distribution"),
    ({"distribution": None}, "distribution"),
    ({"distribution": {"corelated": [[0, 1]]}}, "corelated"),
    ({"distribution": {"correlated": [[0, 1], [1, 2]]}}, "distribution"),
    ({"distribution": {"correlated": [[0, 1]], "anticorrelated": [[3, 1]]}}, "distribution"),
    ({"distribution": {"correlated": [[0, 0]]}}, "distribution"),
    ({"distribution": {"correlated": [[0, 4]]}}, "distribution"),
    ({"distribution": {"correlated": [[0, -1]]}}, "correlated"),
    ({"distribution": {"correlated": [[0]]}}, "correlated"),
    ({"distribution": {"correlated": [["0", "1"]]}}, "correlated"),
    ({"distribution": {"correlated": [0, 1]}}, "correlated"),
    ({"distribution": {"correlated": 5}}, "correlated"),
    ({"distribution": {"correlated": None}}, "correlated"),
    ({"distribution": {"signed": "yes"}}, "signed"),
    ({"distribution": ["signed", "independent"]}, "distribution"),
    # recipe
    ({"seeds": 0}, "seeds"),
    ({"restarts": 0}, "restarts"),
    ({"steps": 0}, "steps"),
    ({"steps": 1.5}, "steps"),
    ({"batch": 1}, "batch"),
    ({"learning_rate": 0}, "learning_rate"),
    ({"learning_rate": float("nan")}, "learning_rate"),
    ({"schedule": "linear"}, "schedule"),
    ({"weight_decay": -1}, "weight_decay"),
    ({"snapshots": -1}, "snapshots"),
    ({"snapshots": 11, "steps": 10}, "snapshots"),
    ({"evaluation": 0}, "evaluation"),
    ({"importance": [0, 0, 0, 0]}, "importance"),
    # solver
    ({"solver": "newton"}, "solver"),
    ({"solver": None}, "solver"),
    ({"solver": "exact"}, "solver"),  # n = 4
    *(
        ({"solver": "exact", "n": 3} | changes, "solver")
        for changes in (
            {"model": "relu_hidden"},
            {"model": "absolute"},
            {"distribution": "signed"},
            {"distribution": {"correlated": [[0, 1]]}},
            {"distribution": ["independent", {"anticorrelated": [[0, 1]]}]},
            {"snapshots": 1},
        )
    ),
    # beyond float32: such densities have no reciprocal there, and the squares of such gradients are infinite
    ({"density": 1e-40}, "density"),
    ({"density": 5e-324}, "density"),
    ({"density": [0.5, 1e-27], "relative_density": {"features": [0], "ratio": [1, 1e-6]}}, "density"),
    ({"importance": 1e30}, "importance"),
    ({"importance": 1e-30}, "importance"),
    ({"importance": [1, 1, 1, 1e30]}, "importance"),
    ({"importance": [0, 0, 0, 1e-30]}, "importance"),
    ({"relative_importance": {"features": [0], "ratio": 1e300}}, "relative_importance.ratio"),
    # what Python cannot even print
    ({"steps": 16**5000}, "steps"),
    ({"evaluation": 16**5000}, "evaluation"),
    ({"distribution": {"correlated": [[0, 16**5000]]}}, "distribution"),
    ({"density": {"from": 0.1, "to": 1, "points": 10**9}}, "density.points"),
    ({"x" * 10**6: 1}, "unknown key"),
    ({"learning_rate": "x" * 10**6}, "learning_rate"),
    ({"two\nlines": 1}, "unknown key"),
    # what is named twice is found in no time, however many there are
    ({"distribution": {"correlated": [list(range(10**5)) * 2]}}, "feature 0 is named twice"),
    # too large for a machine, or for a file; no axis may be forgotten
    ({"restarts": 10**5, "seeds": 10**4}, "models"),
    (
        {
            "density": {"from": 0.1, "to": 1, "points": 10**4},
            "relative_importance": {"features": [0], "ratio": {"from": 0.1, "to": 1, "points": 10**5}},
        },
        "models",
    ),
    ({"n": 10_000, "m": 10_000, "restarts": 100}, "weights"),
    ({"n": 10_000, "m": 10_000, "model": "absolute", "restarts": 10}, "weights"),
    ({"snapshots": 3000, "restarts": 10**5}, "weights"),
    ({"batch": 10**6, "n": 1000}, "batch"),
    ({"evaluation": 2**31}, "evaluation"),
    ({"density": [0.1, 1] * 10, "seeds": 100_000}, "header"),
    # too long for a life
    ({"steps": 10**6, "batch": 10**6, "restarts": 10**5}, "hours of training"),
    ({"n": 10_000, "m": 10_000, "steps": 10**6, "batch": 10**4, "seeds": 3}, "hours of training"),
    ({"n": 1, "m": 1, "evaluation": 2**30, "restarts": 10**5, "seeds": 10**3}, "hours of training"),
]


@pytest.mark.parametrize(("changes", "key"), REFUSED, ids=[short_repr(changes)[1:-1] for changes, _ in REFUSED])
def test_refusals_are_one_line_that_names_the_key(changes: dict[str, Any], key: str) -> None:
    """Bad input must not train, and not answer with a traceback or a riddle."""
    with pytest.raises(SuperpositionError) as caught:
        Sweep.parse(BASE | changes, "experiments.mine")
    message = str(caught.value)
    assert re.match(rf"experiments\.mine[.:].*(?<![\w-]){re.escape(key)}(?![\w-])", message)
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    "large",
    [
        # ten million models: a thousand by a thousand points, ten at each
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
    """The limits are those of machines and lives, not of taste; and to read what is allowed takes no time."""
    sweep = Sweep.parse(BASE | large)
    assert Sweep.parse(json.loads(sweep.spec())) == sweep


def test_the_coordinates_of_the_largest_grid_fit_into_a_file(tmp_path: Path) -> None:
    """Else all would be trained, and then could not be saved. The limit is tried on a smaller grid: its text grows with
    the points."""
    span = {"from": 0.1, "to": 1, "points": 200}
    ratio = {"features": [0], "ratio": [0.123456789012, 10]}
    sweep = Sweep.parse(
        BASE | {"density": span, "relative_importance": ratio, "distribution": ["independent", PAIRS], "seeds": 5}
    )
    points = len(sweep.points())
    shape = (points, sweep.restarts)
    trained = SweepResult(
        sweep=sweep,
        parameters={"W": torch.zeros(*shape, 2, 4), "b": torch.zeros(*shape, 4)},
        loss=torch.zeros(shape, dtype=torch.float64),
        loss_error=torch.zeros(shape, dtype=torch.float64),
        snapshot_steps=torch.zeros(0, dtype=torch.int64),
    )
    trained.save(tmp_path / "weights")
    with (tmp_path / "weights").open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    assert 0.9 * header < cost.header_size(sweep.axes()) < 1.1 * header
    assert 1.1 * MAX_HEADER_SIZE < 100_000_000


@pytest.mark.parametrize("missing", list(BASE))
def test_required_keys(missing: str) -> None:
    with pytest.raises(SuperpositionError, match=rf"^mine\.{missing}: this key is missing$"):
        Sweep.parse({k: v for k, v in BASE.items() if k != missing}, "mine")


@pytest.mark.parametrize("entry", [None, [], "independent", 3])
def test_an_entry_that_is_no_mapping(entry: Any) -> None:
    with pytest.raises(SuperpositionError, match=r"^mine: .*dictionary") as caught:
        Sweep.parse(entry, "mine")
    assert "\n" not in str(caught.value)


def test_a_wrong_decay_is_told_from_a_wrong_number() -> None:
    """Three ways to write importance: the message must speak of the one that was meant."""
    for changes, allowed in (
        ({"decay": 2}, "less than or equal to 1"),
        ({"decay": 0}, "greater than 0"),
        ([1, 2, 3, -1], "greater than or equal to 0"),
    ):
        with pytest.raises(SuperpositionError, match=allowed):
            Sweep.parse(BASE | {"importance": changes})


def test_the_absolute_model_may_be_wider_than_its_input() -> None:
    assert Sweep.parse(BASE | {"model": "absolute", "m": 9}).m == 9


def test_a_sweep_does_not_change() -> None:
    """Its checksum, its seeds and its weights rest on it."""
    sweep = Sweep.parse(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        sweep.n = 5


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """Valid entries of a configuration, as plain data."""
    model = draw(st.sampled_from(["linear", "relu_output", "relu_hidden", "absolute"]))
    n = draw(st.integers(1, 6))
    features = st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True)
    density, positive = st.floats(1e-6, 0.5), st.floats(1e-3, 1e3)
    axes = (density, st.lists(density, min_size=1, max_size=4))
    spans = st.fixed_dictionaries({"from": density, "to": density, "points": st.integers(2, 9)})

    order = draw(st.permutations(range(n)))
    cut = draw(st.integers(0, n))
    sets = [part for part in (order[:cut], order[cut:]) if len(part) > 1]
    signed = draw(st.booleans())
    plain = {"signed": signed}
    grouped = plain | draw(st.sampled_from([{"correlated": sets}, {"anticorrelated": sets}, {"correlated": sets[:1]}]))
    named = "signed" if signed else "independent"
    distribution = draw(st.sampled_from([named, plain, grouped, [named], [grouped, named], [plain, grouped]]))

    optional = {
        "importance": st.one_of(
            positive,
            st.just(2),
            st.fixed_dictionaries({"decay": st.floats(0.01, 1)}),
            st.lists(st.floats(0, 10), min_size=n, max_size=n),
        ),
        "relative_importance": st.fixed_dictionaries({"features": features, "ratio": st.one_of(positive, spans)}),
        "distribution": st.just(distribution),
        "l1": st.one_of(st.floats(0, 10), st.lists(st.floats(0, 10), min_size=1, max_size=3)),
        "seeds": st.integers(1, 3),
        "restarts": st.integers(1, 5),
        "steps": st.integers(10, 10**6),
        "batch": st.integers(2, 4096),
        "learning_rate": st.floats(1e-6, 10),
        "schedule": st.sampled_from(["cosine", "constant"]),
        "warmup": st.floats(0, 1),
        "weight_decay": st.floats(0, 1),
        "snapshots": st.integers(0, 10),
        "evaluation": st.integers(1, 2**22),
    }
    if isinstance(distribution, str) or not sets:
        optional["relative_density"] = st.fixed_dictionaries({"features": features, "ratio": st.floats(0.01, 2)})
    if model == "relu_hidden":
        optional["hidden_bias"] = st.booleans()
    required = {
        "model": st.just(model),
        "n": st.just(n),
        "m": st.integers(1, 12 if model == "absolute" else n),
        "density": st.one_of(*axes, spans),
    }
    return draw(st.fixed_dictionaries(required, optional=optional))


@given(entries())
def test_spec_round_trip(entry: dict[str, Any]) -> None:
    """Jobs that train get this text: what it loses would never be trained."""
    sweep = Sweep.parse(entry)
    again = Sweep.parse(json.loads(sweep.spec()))
    assert again == sweep
    assert again.spec() == sweep.spec()
    assert again.points().equals(sweep.points())
    for name in ("densities", "importances"):
        values = getattr(sweep, name)()
        np.testing.assert_array_equal(getattr(again, name)(), values)
        assert values.shape == (len(sweep.points()), sweep.n)
    assert sweep.densities().max() <= 1
    assert sweep.signed == again.signed


@pytest.mark.parametrize("name", ["linear", "relu_output"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_what_can_be_solved_exactly(name: str, n: int) -> None:
    """All that is not refused above; and the file says that it was solved, not trained."""
    entry = {"model": name, "n": n, "m": 1, "density": 0.5, "restarts": 7, "distribution": ["independent"]}
    solved = Sweep.parse(entry | {"solver": "exact", "relative_density": {"features": [0], "ratio": [0.5, 1]}})
    assert Sweep.parse(json.loads(solved.spec())) == solved
    assert json.loads(solved.spec())["solver"] == "exact"
    assert "solver" not in json.loads(Sweep.parse(entry).spec())


def test_spec_is_canonical() -> None:
    """One sweep, one text: the order of keys, defaults written out or not, and numbers as int or float do not count."""
    written = {"seeds": 1, "density": [0.1], "m": 2, "distribution": ["independent"], "importance": 1, "n": 4}
    assert Sweep.parse(written | {"model": "relu_output"}).spec() == Sweep.parse(BASE).spec()


def test_work_grows_with_every_size() -> None:
    """A sweep that counts as small gets one core only."""
    plain = {"model": "relu_output", "n": 3, "m": 2, "density": [0.1, 1], "steps": 10, "batch": 7}
    work = Sweep.parse(plain).work
    assert work == pytest.approx(2 * 10 * 7 * 3 * (1 + 2 / 16))
    assert Sweep.parse(plain | {"restarts": 4, "seeds": 5}).work == pytest.approx(20 * work)
    assert Sweep.parse(plain | {"m": 3}).work > work
    solved = Sweep.parse(plain | {"solver": "exact"})
    assert solved.work == Sweep.parse(plain | {"solver": "exact", "steps": 20}).work, "a search takes no steps"
    assert Sweep.parse(plain | {"solver": "exact", "n": 2}).work < solved.work / 2, "there are half as many patterns"


@given(st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_parts_make_up_the_points(points: int, parts: int, exact: bool) -> None:
    """Each point in one part, parts of about the same size, and what is solved together is not torn apart."""
    plan = Sweep(model="linear", n=2, m=1, density=0.1, seeds=points, restarts=3, solver="exact" if exact else "adam")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("superposition.core.sweep.POINTS_PER_SEARCH", 4)
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


def test_large_grids_take_no_time_to_refuse_or_to_split() -> None:
    """A part of a large grid must not cost the time and memory of the whole; the coordinates of 10^6 points are what a
    weights file can hold."""
    axis = {"from": 1, "to": 0.01, "points": 1000}
    plan = Sweep.parse(BASE | {"density": axis, "relative_importance": {"features": [0], "ratio": axis}})
    assert plan.points(plan.part_range(1000, 1000))["density"].unique().tolist() == [0.01]
    with pytest.raises(SuperpositionError, match=r"a grid of 2e\+06 points: .* header"):
        Sweep.parse(plan.model_dump(mode="json") | {"seeds": 2})


@pytest.mark.parametrize(("part", "parts"), [(0, 1), (2, 1), (-1, 1), (1, 0)])
def test_a_part_that_there_is_not(part: int, parts: int) -> None:
    """A wrong number would train other points than were asked for."""
    with pytest.raises(SuperpositionError, match=rf"^part {part} of {parts}: .* 1 to 1 parts$"):
        Sweep.parse(BASE).part_range(part, parts)

"""Test random configurations: each is accepted, planned and trained, or refused in one line that names the key."""

import copy
import datetime
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.real import RAW

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.configuration.sections import read_sections
from superposition.training import runner
from superposition.training.autograd import Autograd
from superposition.training.devices import ENGINES

pytestmark = pytest.mark.integration


def only(*names: str, **other: Any) -> dict[str, Any]:
    """Return config.yaml with some of its experiments, so that it is read quickly."""
    return RAW | {"experiments": {name: RAW["experiments"][name] for name in names}} | other


# These experiments use every way to write a value.
REAL = only(
    *("introduction", "phase_2in1", "phase_2in1_optimum", "phase_2in1_notebook", "collapse", "pentagon"),
    sensitivity=["introduction.dense", "introduction.pentagon"],
)
BARE = only("introduction", sensitivity=[])


def many(times: int) -> settings:
    """Return settings with so many times the examples of the profile (see ``conftest.py``), because these are cheap."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=times * settings.default.max_examples, suppress_health_check=checks)


def endless(kind: type) -> Any:
    """Return what YAML makes of an anchor that holds itself."""
    return (loop := []).append(loop) or loop if kind is list else (knot := {}).update(quick=knot) or knot


NUMBERS = [
    *(0, 1, -1, 2, 3, 10**4, 10**5, 10**6, 10**9, 2**31, 2**63, 10**30, 10**400, 16**5000, -(16**5000)),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e-9, 1e-13, 1e-30, 1e-40, 5e-324, 1e9, 1e39, 1e308, -1e308),
    *(math.nan, math.inf, -math.inf),
]
TEXTS = [
    *("", " ", "\n", "a\nb", "\0", "ä", "\u2028", "\ud800", "x" * 101, "x" * 10**5, "../x", "custom", "con"),
    *("~", "no", "1e3", "{x}", "<b>", "linear", "introduction", "introduction.dense", "independent", "float", "quick"),
]
DATES = [datetime.date(2022, 9, 14), datetime.datetime(2022, 9, 14, 1, 2)]
SCALARS = [*NUMBERS, *TEXTS, *DATES, None, True, False, 1j, b"x"]
NESTED = [
    *([], {}, [[]], [{}], (1, 2), {1, 2}, [None], [0.1] * 1000, [0.1, "x"] * 1000, list(range(3000)), [[0, 1]]),
    *({"from": 1, "to": 0.1, "points": points} for points in (-1, 1, 3, 10**5, 10**9, 16**5000, 2.5, None)),
    *({"from": start, "to": stop, "points": 30} for start, stop in ((5e-324, 1e308), (1, 1), (math.nan, 1), (1, "x"))),
    *({"features": f, "ratio": r} for f, r in (([0], 1), ([0] * 3000, [1, 1]), ([10**30], 1), ([], []), (0, None))),
    *({"decay": decay} for decay in (0.5, 5e-324, math.nan, None)),
    *({"correlated": sets} for sets in ([[0, 1]], [[0, 0]], [[0, 10**30]], [list(range(10**5))], [0], {})),
    *({key: 1} for key in (None, True, 1, math.nan, (1, 2), DATES[0], b"x", "\n", "\ud800", "ä", "", "x" * 10**5)),
    *(endless(list), endless(dict), len, object()),
]
VALUES = st.sampled_from(SCALARS) | st.sampled_from(NESTED)
KEYS = st.sampled_from([*TEXTS, *DATES, None, True, 1, 2.5, math.nan, (1, 2), b"x", 16**5000, "steps", "sets", "a.b"])


def paths(part: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of every key and item."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield (*above, key)
        yield from paths(value, (*above, key))


def at(config: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        config = config[key]
    return config


PATHS = list(paths(REAL))
PLACES = st.sampled_from([p for p in PATHS if len(p) < 3]) | st.sampled_from(PATHS)
EDITS = st.tuples(
    st.sampled_from(["set", "set", "set", "move", "remove", "rename", "add"]), PLACES, PLACES, KEYS, VALUES
)


def edited(part: Any, kind: str, path: tuple[Any, ...], name: Any, value: Any) -> Any:
    """Return a copy with another value at a path, without it, under another name, or with something beside it."""
    part, key = copy.copy(part), path[0]
    if len(path) > 1:
        part[key] = edited(part[key], kind, path[1:], name, value)
    elif kind == "remove":
        del part[key]
    elif kind == "rename":
        part[name] = part.pop(key)
    else:
        part[name if kind == "add" else key] = value
    return part


@pytest.fixture(scope="module", autouse=True)
def few_sections() -> Iterator[None]:
    """Return the sections for which the experiments above are enough."""
    few = {name: about for name, about in read_sections().items() if name in ("introduction", "custom")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("superposition.pipeline.configuration.config.read_sections", lambda: dict(few))
        yield


def verdict(config: Any) -> Config | str:
    """Return what a configuration means, or the line with which it is refused."""
    try:
        return Config.parse(config)
    except SuperpositionError as error:
        line = str(error)
    assert line.startswith(("config", "paper."))
    assert line.isprintable(), "one line, which any terminal and any log can show"
    assert len(line) < 2000
    return line


def plan(config: Config) -> None:
    """Compute what Snakemake and its jobs ask of a configuration."""
    for name, sweep in config.sweeps.items():
        assert Sweep.parse(json.loads(sweep.spec()), name) == sweep
        assert sweep.work > 0
    for section in config.sections:
        for figure in config.figures_of(section):
            assert set(config.figures[figure].experiments) <= set(config.sweeps)
        config.reduced_sweeps(section)


def words(place: Any) -> set[str]:
    """Return the words by which a message may name a key or a value."""
    return {short_repr(place), place} if isinstance(place, str) else {short_repr(place)}


@many(8)
@given(st.lists(EDITS, min_size=1, max_size=3), st.sampled_from(["paper", "quick"]))
def test_a_changed_file(edits: list[Any], scale: str) -> None:
    """A few slips, such as a misspelt or misplaced key or a value of another kind, leave a file valid or are named."""
    config, touched = REAL | {"scale": scale}, []
    for kind, path, other, name, value in edits:
        try:
            config = edited(config, kind, path, name, at(REAL, other) if kind == "move" else value)
        except (LookupError, TypeError, AttributeError):
            continue  # an edit before this one took the place away
        touched += [*path, name]
    found = verdict(config)
    if isinstance(found, Config):
        event("accepted")
        plan(found)
    else:
        assert any(word in found for place in touched for word in words(place))


DENSITIES = st.sampled_from([1, 0.5, 0.1, 1e-3, 1e-9, 1e-20, 1e-30]) | st.floats(1e-30, 1)
AMOUNTS = st.sampled_from([0, 0.0, -0.0, 5e-324, 1e-30, 0.1, 1, 1000]) | st.floats(0, 10)
RATIOS = st.sampled_from([1, 1e-6, 1e6, 0.1]) | st.floats(0.5, 2)
RATES = st.sampled_from([5e-324, 1e-40, 1e-9, 1e-3, 0.1, 10])


def axis(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the three ways to write an axis."""
    span = st.fixed_dictionaries({"from": values, "to": values, "points": st.integers(2, 4)})
    return values | st.lists(values, min_size=1, max_size=3) | span


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an experiment with any keys, mostly within the limits of their values and often at them."""
    model = draw(st.sampled_from(["linear", "relu_output", "relu_hidden", "absolute"]))
    n = draw(st.sampled_from([1, 2, 3, 4, 5, 7]))
    feature = st.integers(0, n - 1)
    features = st.lists(feature, min_size=1, max_size=n)
    sets = st.lists(st.lists(feature, min_size=2, max_size=3, unique=True), min_size=1, max_size=2) if n > 1 else VALUES
    signed = draw(st.booleans())
    one = st.sampled_from(["signed" if signed else "independent"]) | st.fixed_dictionaries(
        {"signed": st.just(signed)}, optional={"correlated": sets, "anticorrelated": sets}
    )
    relative = st.fixed_dictionaries({"features": features, "ratio": axis(RATIOS)})
    importances = st.sampled_from([1, 1e-6, 1e6, 0.3]) | st.fixed_dictionaries({"decay": st.floats(1e-12, 1)})
    optional = {
        "density_profile": st.fixed_dictionaries({"zipf": st.sampled_from([0, 1, 10])})
        | st.lists(st.floats(1e-3, 1), min_size=n, max_size=n),
        "values": st.sampled_from(["uniform", "binary", "half_normal", "exponential", {"minimum": 0.5}]),
        "noise": axis(AMOUNTS),
        "dropout": st.sampled_from([0, 0.5]),
        "untied": st.booleans(),
        "hidden_activation": st.sampled_from([None, "linear", "gelu", "abs"]),
        "output_activation": st.sampled_from([None, "linear", "leaky_relu", "softplus"]),
        "seed": st.sampled_from([0, 10_000]),
        "importance": importances | st.lists(st.floats(0, 1e6), min_size=n, max_size=n),
        "relative_density": relative,
        "relative_importance": relative,
        "distribution": one | st.lists(one, min_size=1, max_size=2),
        "attack": axis(AMOUNTS),
        "l1": axis(AMOUNTS),
        "hidden_bias": st.booleans(),
        "seeds": st.sampled_from([1, 1, 2]),
        "restarts": st.sampled_from([1, 2, 3]),
        "solver": st.sampled_from(["adam", "exact"]),
        "learning_rate": RATES,
        "schedule": st.sampled_from(["cosine", "constant"]),
        "warmup": st.sampled_from([0, 1e-12, 0.5, 1]),
        "weight_decay": st.sampled_from([0, 0.01, 1]),
        "initial_scale": st.sampled_from([5e-324, 0.1, 1, 100]),
        "initial_bias": st.sampled_from(["zero", "centred"]),
        "snapshots": st.integers(0, 3),
    }
    required = {
        "model": st.just(model),
        "n": st.just(n),
        "m": st.integers(1, n + 2 if model == "absolute" else n),
        "density": axis(DENSITIES),
        "steps": st.integers(1, 3),
        "batch": st.sampled_from([2, 3, 17]),
        "evaluation": st.sampled_from([1, 500]),
    }
    # A few keys at a time: with all of them nearly everything is refused.
    keys = draw(st.lists(st.sampled_from(sorted(optional)), max_size=5, unique=True))
    return draw(st.fixed_dictionaries(required | {key: optional[key] for key in keys}))


def train(sweep: Sweep) -> None:
    """Train a sweep to finite weights and losses, or to the error that says what diverged."""
    try:
        trained = runner.train(sweep, device="cpu", threads=1, progress=False)
    except SuperpositionError as error:
        event("diverged")
        if "training diverged by step " not in str(error):
            raise
        return
    event("trained")
    for values in (*trained.parameters.values(), *trained.snapshots.values(), trained.loss, trained.loss_error):
        assert torch.isfinite(values).all()
    assert (trained.loss >= -1e-9 * sweep.importances().max()).all()  # exact ones are 0 within rounding
    assert len(trained.snapshot_steps) == sweep.snapshots


@many(3)
@given(entry=entries())
@pytest.mark.usefixtures("without_compiler")
def test_a_custom_sweep(entry: dict[str, Any]) -> None:
    """Every combination of keys that is accepted is really trained."""
    found = verdict(BARE | {"experiments": BARE["experiments"] | {"mine": entry}})
    if isinstance(found, str):
        event("refused")
        assert found.startswith("config.experiments.mine")
    else:
        plan(found)
        train(found.sweeps["mine"])


@pytest.fixture(scope="module")
def without_compiler() -> Iterator[None]:
    """Train with the reference engine, because each size of model would have to be compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "cpu", Autograd)
        yield


@many(3)
@given(st.dictionaries(st.sampled_from(sorted(Sweep.model_fields)), VALUES, max_size=3), entries())
def test_a_custom_sweep_with_other_values(wrong: dict[str, Any], entry: dict[str, Any]) -> None:
    """Any key may have any value: what is accepted can be planned."""
    found = verdict(BARE | {"experiments": BARE["experiments"] | {"mine": entry | wrong}})
    if isinstance(found, str):
        assert found.startswith("config.experiments.mine")
    else:
        event("accepted")
        plan(found)


@many(1)
@given(
    st.sampled_from(
        [{"model": "relu_output", "n": 3, "m": 2}, {"model": "absolute", "n": 2, "m": 3, "distribution": "signed"}]
    ),
    axis(DENSITIES),
    RATES,
    st.sampled_from([1e-6, 1, 1e6]),
)
def test_the_compiled_engine(model: dict[str, Any], density: Any, rate: float, importance: float) -> None:
    """The arithmetic of the compiled engine holds at the limits of what is allowed."""
    recipe = {"density": density, "learning_rate": rate, "importance": importance, "steps": 3, "batch": 5}
    train(Sweep.parse(model | recipe | {"evaluation": 500}))

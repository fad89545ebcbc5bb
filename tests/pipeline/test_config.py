"""What ``config.yaml`` may say: both scales are read from it, and what is wrong is refused in one line with its key."""

import copy
import datetime
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from tests.real import CONFIG, CONFIGS, RAW, ROOT

from superposition.core.errors import SuperpositionError
from superposition.core.sweep import Sweep
from superposition.pipeline.config import CUSTOM, Config
from superposition.pipeline.configfile import check_file
from superposition.pipeline.scheduling import MAX_SHARED_WORK, figure_groups, training_batches
from superposition.pipeline.schema import schema

BASE: dict[str, Any] = {
    "defaults": {"steps": 200, "batch": 64, "learning_rate": 0.1},
    "experiments": {
        "one": {
            "model": "linear",
            "n": 4,
            "m": 2,
            "density": 0.5,
            "from_paper": ["model", "n"],
            "quick": {"steps": 20},
        },
        "two": {"model": "relu_output", "n": 4, "m": 2, "density": [1, 0.1], "batch": 8},
        "three": {"model": "relu_output", "n": 6, "m": 2, "density": 0.1},
    },
    "sections": {
        "introduction": {"title": "Introduction", "anchor": "#motivation"},
        "basic": {"title": "Basic", "anchor": "#demonstrating"},
    },
    "figures": {
        "first": {"section": "basic", "title": "First", "shows": "Something.", "experiments": ["three", "one"]},
        "second": {"section": "introduction", "title": "Second", "shows": "More.", "experiments": ["one"]},
        "third": {"section": "basic", "title": "Third", "shows": "Most.", "experiments": ["two"]},
    },
}
GONE = object()


def with_(key: str, value: Any) -> dict[str, Any]:
    """The base with one value at a dotted key: another, a new one, or none."""
    config = copy.deepcopy(BASE)
    *path, last = key.split(".")
    parent = config
    for name in path:
        parent = parent[name]
    if value is GONE:
        del parent[last]
    else:
        parent[last] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    """The message with which it is refused: one line, from the configuration's top."""
    with pytest.raises(SuperpositionError) as caught:
        Config.parse(config)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("config")
    return message


ENTRY = {"model": "linear", "n": 4, "m": 2, "density": 0.5}
REFUSED: list[tuple[str, Any, list[str]]] = [
    # the key that is changed, its value, and what the message has to name
    ("colour", 1, ["config.colour"]),
    ("my-key", 1, ["my-key"]),
    ("scale", "huge", ["config.scale", "paper", "quick", "huge"]),
    ("scale", 1, ["config.scale"]),
    ("device", "tpu", ["config.device", "cpu", "cuda", "auto", "tpu"]),
    ("defaults", [1], ["config.defaults"]),
    ("defaults.colour", 1, ["config.defaults", "colour", "steps"]),
    ("defaults.n", 4, ["config.defaults", "'n'"]),
    ("defaults.from_paper", ["n"], ["config.defaults", "from_paper"]),
    ("defaults.steps", 0, ["steps", "not 0"]),
    # sensitivity
    ("sensitivity", "introduction.dense", ["config.sensitivity"]),
    ("sensitivity", ["introduction"], ["config.sensitivity", "introduction"]),
    ("sensitivity", [3], ["config.sensitivity"]),
    ("sensitivity", ["zoo.dense"], ["config.sensitivity", "zoo", "introduction"]),
    # experiments
    ("experiments", {}, ["config.experiments"]),
    ("experiments", GONE, ["config.experiments", "missing"]),
    ("experiments", [ENTRY], ["config.experiments"]),
    ("experiments.four", 3, ["config.experiments.four"]),
    ("experiments.four", None, ["config.experiments.four"]),
    ("experiments.Four", ENTRY, ["config.experiments", "Four"]),
    ("experiments.4", ENTRY, ["config.experiments", "4"]),
    ("experiments.a-b", ENTRY, ["config.experiments", "a-b"]),
    ("experiments.a b", ENTRY, ["config.experiments", "a b"]),
    ("experiments.a/b", ENTRY, ["config.experiments", "a/b"]),
    ("experiments.one.colour", 1, ["config.experiments.one.colour"]),
    ("experiments.one.learning-rate", 1, ["config.experiments.one", "learning-rate"]),
    ("experiments.one.n", GONE, ["config.experiments.one.n", "missing"]),
    ("experiments.one.density", 0, ["config.experiments.one.density", "greater than 0"]),
    ("experiments.one.m", 5, ["config.experiments.one", "m = 5"]),
    ("experiments." + "x" * 101, ENTRY, ["config.experiments.", "100"]),  # part of the names of files
    # from_paper
    ("experiments.one.from_paper", ["colour"], ["config.experiments.one.from_paper", "colour", "density"]),
    ("experiments.one.from_paper", ["quick"], ["config.experiments.one.from_paper", "quick"]),
    ("experiments.one.from_paper", "model", ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", "n", ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", 5, ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", None, ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", [["n"]], ["config.experiments.one.from_paper"]),
    # quick
    ("experiments.one.quick", 3, ["config.experiments.one.quick", "mapping"]),
    ("experiments.one.quick", None, ["config.experiments.one.quick", "mapping"]),
    ("experiments.one.quick", ["steps"], ["config.experiments.one.quick", "mapping"]),
    ("experiments.one.quick.steps", 0, ["config.experiments.one", "quick", "steps", "not 0"]),
    ("experiments.one.quick.m", 5, ["config.experiments.one", "quick", "m = 5"]),
    ("experiments.one.quick.colour", 1, ["config.experiments.one", "quick", "colour", "unknown"]),
    ("experiments.one.quick.from_paper", ["n"], ["config.experiments.one", "quick", "from_paper", "unknown"]),
    ("experiments.one.quick.quick", {}, ["config.experiments.one", "quick", "unknown"]),
    # sections
    ("sections", {}, ["config.sections"]),
    ("sections", GONE, ["config.sections", "missing"]),
    ("sections.own", BASE["sections"]["basic"], ["config.sections.own"]),
    ("sections.zoo", BASE["sections"]["basic"], ["config.sections.zoo", "superposition/paper/zoo/measure.py"]),
    ("sections.Basic", BASE["sections"]["basic"], ["config.sections", "Basic"]),
    ("sections.basic.colour", 1, ["config.sections.basic.colour"]),
    ("sections.basic.title", "", ["config.sections.basic.title"]),
    ("figures.first.shows", "a\0b", ["config.figures.first.shows", r"a\x00b"]),  # no XML may have it
    ("sections.basic.title", 3, ["config.sections.basic.title"]),
    ("sections.basic.anchor", "motivation", ["config.sections.basic.anchor"]),
    ("sections.basic", GONE, ["config.figures", "section", "basic"]),
    # figures
    ("figures", {}, ["config.figures"]),
    ("figures", GONE, ["config.figures", "missing"]),
    ("figures", BASE["figures"] | {"../x": BASE["figures"]["first"]}, ["config.figures", "../x"]),
    ("figures.first.colour", 1, ["config.figures.first.colour"]),
    ("figures.first.shows", GONE, ["config.figures.first.shows", "missing"]),
    ("figures.first.section", "zoo", ["config.figures.first.section", "zoo", "introduction, basic"]),
    ("figures.first.experiments", ["one", "zoo"], ["config.figures.first.experiments", "zoo", "one, two, three"]),
    ("figures.first.experiments", "one", ["config.figures.first.experiments"]),
    ("figures.first.experiments", 5, ["config.figures.first.experiments"]),
    ("figures.first.experiments", None, ["config.figures.first.experiments"]),
]


ENTRIES = "experiments: {one: {model: linear, n: 2, m: 1, density: 1}}\n"
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefgh"))
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "a mapping"),
    "a list": (b"- experiments", "a mapping"),
    "a word": (b"experiments", "a mapping"),
    "a number, which is JSON": (b"3", "a mapping"),
    "a bracket too many": (b"scale: paper\ndevice: [auto", "line 2: .*expected ',' or ']'"),
    "a colon too many": (b"scale: paper\ndevice: auto: cpu", "line 2: mapping values are not allowed here"),
    "tabs": (b"defaults:\n\tsteps: 3", "line 2: "),
    "two documents": (b"scale: paper\n---\nscale: quick", "line 2: expected a single document"),
    "Latin-1": ("scale: paper # für".encode("latin-1"), "utf-8"),
    "binary": (b"\0\1\2", "cannot be read"),
    "a date that is none": (b"scale: 2022-99-99", r"cannot be read \(month must be in 1..12"),
    "a number of many digits": (b"scale: " + b"9" * 5000, "cannot be read"),
    "a deep nest": (b"scale: " + b"[" * 5000, "cannot be read"),
    "a deep nest in JSON": (b"[" * 100_000, "cannot be read"),
    "code": (b"scale: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
    "a mapping as a key": (b"{a: 1}: 2", "line 1: .*found unhashable key"),
    "an alias of nothing": (b"scale: *a", "line 1: found undefined alias 'a'"),
    "a key twice": ((ENTRIES + "experiments: {}").encode(), "line 2: .*'experiments'"),
    "an experiment twice": (
        b"experiments:\n  one: {n: 1}\n  two: {n: 1}\n  one: {n: 2}",
        "line 4: .*'one'",
    ),
    "a list that holds itself": (b"defaults: &a [*a]", "line 1: .*aliases"),
    "an experiment in itself": (b"experiments: &a {one: *a}", "line 1: .*aliases"),
    "ten million values": (BOMB.encode(), "aliases"),
    "a key that Snakemake takes": ((ENTRIES + "pathvars: 3").encode(), "config: unknown 'pathvars', allowed are scale"),
}


@pytest.mark.parametrize(("content", "named"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_configuration(content: bytes, named: str, tmp_path: Path) -> None:
    """One line that says what is wrong, and where; Snakemake and YAML would answer with tracebacks, or pass it over."""
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(SuperpositionError, match=named) as caught:
        check_file(tmp_path / "config.yaml")
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith((f"{tmp_path}/config.yaml", "config: "))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SuperpositionError, match="No such file"):
        check_file(tmp_path / "config.yaml")
    with pytest.raises(SuperpositionError, match="Is a directory"):
        check_file(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        ENTRIES,
        "\ufeff" + ENTRIES,
        json.dumps(BASE),
        json.dumps(BASE, indent="\t"),  # which is no YAML
        "defaults: &a {steps: 3}\nexperiments: {one: &b {<<: *a, n: 1}, two: {<<: *b, n: 2}}",
    ],
)
def test_a_file_that_is_one(text: str, tmp_path: Path) -> None:
    """What is in it is seen to later."""
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    check_file(tmp_path / "some.yaml")


def test_the_files_of_the_project_are() -> None:
    for file in (ROOT / "config.yaml", *(ROOT / "examples").glob("*.yaml")):
        check_file(file)


def label(value: Any) -> str | None:
    return "gone" if value is GONE else None if isinstance(value, str) else repr(value)[:30]


@pytest.mark.parametrize(("key", "value", "named"), REFUSED, ids=label)
@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_refusals_are_one_line_that_names_the_key(key: str, value: Any, named: list[str], scale: str) -> None:
    """Before anything is trained, and at either scale: both are checked, whichever is run."""
    message = refusal({"scale": scale} | with_(key, value))
    for word in named:
        assert word in message


def test_refusals_show_what_was_written() -> None:
    """In part where it is long; any terminal and any log can show the line."""
    for key, value, shown in (
        ("scale", "two\nlines", r"config.scale: .*'two\\nlines'"),
        ("scale", "x" * 10**6, r"config.scale: .*'x+\.\.\.x+'"),
        ("scale", 16**5000, r"config.scale: .*thousands of digits"),
        ("scale", datetime.date(2022, 9, 14), r"config.scale: .*2022, 9, 14"),
        ("two\nlines", 1, r"config.'two\\nlines': unknown key"),
        ("experiments.one.from_paper", ["x" * 10**6], r"config.experiments.one.from_paper: unknown 'x+\.\.\.x+'"),
        (
            "experiments.one.from_paper",
            [[0] * 10**6],
            r"config.experiments.one.from_paper: .*\[\[0, 0, .*\.\.\.\]\]",
        ),
        ("sections.basic.title", "\ud800", r"config.sections.basic.title: "),  # nothing can be written with this in it
    ):
        message = refusal(with_(key, value))
        assert re.match(shown, message)
        assert message.isprintable()
        assert len(message) < 1000


def test_the_base_is_accepted() -> None:
    """Or the refusals above would mean nothing."""
    assert Config.parse(BASE).scale == "paper"
    assert Config.parse(BASE).device == "auto"


@pytest.mark.parametrize("value", [[], GONE])
def test_a_figure_may_need_no_experiment(value: Any) -> None:
    """One that is computed, not trained."""
    config = Config.parse(with_("figures.first.experiments", value))
    assert config.figures["first"].experiments == ()


def test_names_of_files_stay_in_their_folder() -> None:
    """The name of an experiment or a figure is that of a file."""
    for kind in ("experiments", "sections", "figures"):
        for name in ("..", ".", "", "a/b", "/a", "a.b", "A", "ä", "1a", "_a"):
            assert "\n" not in refusal(with_(kind, BASE[kind] | {name: next(iter(BASE[kind].values()))}))


def test_defaults_reach_every_experiment_and_are_overridden() -> None:
    sweeps = Config.parse(BASE).sweeps
    assert {k: (s.steps, s.batch, s.learning_rate) for k, s in sweeps.items()} == {
        "one": (200, 64, 0.1),
        "two": (200, 8, 0.1),
        "three": (200, 64, 0.1),
    }
    assert sweeps["two"] == Sweep(
        model="relu_output", n=4, m=2, density=[1, 0.1], steps=200, batch=8, learning_rate=0.1
    )
    assert Config.parse(with_("defaults", GONE)).sweeps["one"].steps == Sweep(**ENTRY).steps


def test_quick_overrides_at_scale_quick_only() -> None:
    for scale, steps in (("paper", 200), ("quick", 20)):
        config = Config.parse(BASE | {"scale": scale})
        assert config.scale == scale
        assert (config.sweeps["one"].steps, config.sweeps["one"].batch) == (steps, 64)
        assert (config.sweeps["two"].steps, config.sweeps["two"].batch) == (200, 8)
    paper, quick = (Config.parse(BASE | {"scale": scale}).sweeps["one"] for scale in ("paper", "quick"))
    assert quick == paper.model_copy(update={"steps": 20})


def test_from_paper() -> None:
    """By experiment; none where nothing is said; at scale quick not what is another value there."""
    for scale in ("paper", "quick"):
        assert Config.parse(BASE | {"scale": scale}).from_paper == {"one": ("model", "n"), "two": (), "three": ()}
    config = with_("experiments.one.quick", {"n": 3})
    assert Config.parse(config).from_paper["one"] == ("model", "n")
    assert Config.parse(config | {"scale": "quick"}).from_paper["one"] == ("model",)


def test_figures_and_experiments_in_the_order_of_the_file() -> None:
    config = Config.parse(BASE)
    assert config.figures_of("basic") == ["first", "third"]
    assert config.figures_of("introduction") == ["second"]
    assert list(config.sections) == ["introduction", "basic"]
    assert list(config.sweeps) == ["one", "two", "three"]


# own sweeps


@pytest.mark.parametrize("model", ["linear", "relu_output", "relu_hidden", "absolute"])
@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_a_sweep_that_no_figure_names_has_figures_of_its_own(model: str, m: int) -> None:
    """In the last section; points only where there is a plane or a space to draw them in."""
    config = Config.parse(with_("experiments.mine", {"model": model, "n": 5, "m": m, "density": 0.1}))
    assert list(config.sections) == ["introduction", "basic", CUSTOM]
    assert config.sections[CUSTOM].title == "Custom sweeps"
    kinds = ["gram", "points", "dimensionality"] if m in (2, 3) else ["gram", "dimensionality"]
    assert config.figures_of(CUSTOM) == [f"mine_{kind}" for kind in kinds]
    assert list(config.figures)[:3] == list(BASE["figures"]), "the others stay, and stay first"
    for name in config.figures_of(CUSTOM):
        assert config.figures[name].experiments == ("mine",)
        assert "mine" in config.figures[name].title
    assert ("W_2" in config.figures["mine_gram"].shows) == (model == "absolute")


def test_several_own_sweeps() -> None:
    """In the order of the file, each with its own."""
    config = copy.deepcopy(BASE)
    config["experiments"] |= {"b": {**ENTRY, "m": 1}, "a": {**ENTRY, "m": 1}, "a_gram": {**ENTRY, "m": 1}}
    names = Config.parse(config).figures_of(CUSTOM)
    assert names == [f"{sweep}_{kind}" for sweep in ("b", "a", "a_gram") for kind in ("gram", "dimensionality")]


def test_the_sections_of_the_paper_come_first() -> None:
    """In the order of the file, then others in theirs, wherever these stand: a file that is merged may come first."""
    config = copy.deepcopy(BASE)
    others = {name: {"title": name} for name in ("theory", "phase")}
    config["sections"] = {"theory": others["theory"], **config["sections"], "phase": others["phase"]}
    assert list(Config.parse(config).sections) == ["introduction", "basic", "theory", "phase"]
    config["experiments"]["mine"] = ENTRY
    assert list(Config.parse(config).sections) == ["introduction", "basic", "theory", "phase", CUSTOM]


def test_a_figure_of_the_name_of_an_own_one_is_refused() -> None:
    config = with_("experiments.mine", ENTRY)
    config["figures"]["mine_points"] = BASE["figures"]["first"]
    message = refusal(config)
    assert message.startswith("config.experiments.mine: ")
    assert "mine_points" in message
    config["figures"]["mine_points"] = BASE["figures"]["first"] | {"experiments": ["mine", "three", "one"]}
    assert CUSTOM not in Config.parse(config).sections, "a figure names it: then it is no own sweep"


def test_parsing_leaves_the_configuration_as_it_was() -> None:
    """Snakemake hands it on to the notebook."""
    raw = copy.deepcopy(BASE)
    Config.parse(raw)
    assert raw == BASE


# config.yaml

INTRODUCTION: dict[str, Any] = {"model": "relu_output", "n": 5, "m": 2, "density": (1, 0.2, 0.1)}
DENSITIES = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
PAPER: dict[str, dict[str, Any]] = {  # what the paper says of its models, and the decay of their importances
    "introduction": {"n": 5, "m": 2, "density": (1, 0.2, 0.1), "decay": 0.9},
    "basic_small": {"n": 20, "m": 5, "density": DENSITIES, "decay": 0.7},
    "basic_small_linear": {"n": 20, "m": 5, "density": DENSITIES, "decay": 0.7},
    "basic_large": {"n": 80, "m": 20, "density": DENSITIES, "decay": 0.9},
    "basic_large_linear": {"n": 80, "m": 20, "density": DENSITIES, "decay": 0.9},
}


@pytest.mark.parametrize("scale", ["paper", "quick"])
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_numbers(name: str, scale: str) -> None:
    """At both scales the models are those of the paper: quick ones are fewer, and trained for less long."""
    config, numbers = CONFIGS[scale], PAPER[name]
    sweep = config.sweeps[name]
    assert sweep.model == ("linear" if name.endswith("linear") else "relu_output")
    assert (sweep.n, sweep.m, sweep.density) == (numbers["n"], numbers["m"], numbers["density"])
    np.testing.assert_allclose(sweep.importances(), [numbers["decay"] ** np.arange(numbers["n"])] * len(sweep.density))
    assert {"model", "n", "m"} <= set(config.from_paper[name])
    assert not {"steps", "batch", "learning_rate", "schedule", "weight_decay", "restarts"} & set(
        config.from_paper[name]
    )


@pytest.mark.parametrize(("name", "n", "m"), [("phase_2in1", 2, 1), ("phase_3in2", 3, 2)])
@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_the_phase_diagrams(name: str, n: int, m: int, scale: str) -> None:
    """Ten models per point; the last feature is a tenth as important as the others to ten times; S from 0 to 0.99."""
    config = CONFIGS[scale]
    for kind in ("", "_optimum", "_notebook"):
        sweep = config.sweeps[name + kind]
        assert (sweep.model, sweep.n, sweep.m) == ("relu_output", n, m)
        assert set(sweep.relative_importance.features) == {n - 1}
        for axis, ends in ((sweep.density, (0.01, 1)), (sweep.relative_importance.ratio, (0.1, 10))):
            assert (min(axis), max(axis)) == pytest.approx(ends)
            np.testing.assert_allclose(np.diff(np.log(axis)), np.diff(np.log(axis))[0], rtol=1e-9)
            assert len(axis) >= {"_notebook": 3}.get(kind, 40 if scale == "paper" else 10)
            assert scale == "paper" or len(axis) <= 15
        np.testing.assert_allclose(sweep.importances()[:, : n - 1], 1)
        assert sweep.solver == ("exact" if kind == "_optimum" else "adam")
        assert kind == "_optimum" or sweep.restarts == 10
    assert config.sweeps[f"{name}_optimum"].density == config.sweeps[name].density
    assert config.sweeps[f"{name}_optimum"].relative_importance == config.sweeps[name].relative_importance
    assert {"model", "n", "m", "restarts"} <= set(config.from_paper[name])
    assert not {"steps", "batch", "learning_rate", "schedule", "weight_decay"} & set(config.from_paper[name])


@pytest.mark.parametrize(
    ("most", "among"),
    [(1.7e10, {"phase_3in2_optimum", "introduction-and-15"}), (2.5e10, {"introduction-and-16"})],
)
def test_what_shares_a_training_job(most: float, among: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At scale quick start-up would take most of the time; at scale paper each takes long, and none waits for others.
    What a job makes beside what was asked for, or makes again, takes seconds."""
    assert MAX_SHARED_WORK <= 2.5e10
    monkeypatch.setattr("superposition.pipeline.scheduling.MAX_SHARED_WORK", most)
    paper, quick = CONFIGS.values()
    assert training_batches(paper) == {name: (name,) for name in paper.sweeps}
    assert sorted(name for names in training_batches(quick).values() for name in names) == sorted(quick.sweeps)
    section = {name: f.section for f in reversed(quick.figures.values()) for name in f.experiments}
    group = {name: quick.sections[section[name]].group or section[name] for name in section}
    for job, (first, *others) in training_batches(quick).items():
        assert job == (f"{first}-and-{len(others)}" if others else first)
        assert {group[name] for name in others} <= {group[first]}
        assert not others or sum(quick.sweeps[name].work for name in (first, *others)) <= most
    assert among <= training_batches(quick).keys(), (
        "one is too large to share beside the others, unless more may be shared"
    )
    everywhere = Config.parse(RAW | {"scale": "quick", "device": "cuda"})
    assert training_batches(everywhere) == {name: (name,) for name in quick.sweeps}


def test_figures_that_share_jobs() -> None:
    """At scale quick those of a group of sections; at scale paper each can be had alone, and an own sweep always."""
    entry = {"model": "linear", "n": 3, "m": 2, "density": 1}
    own = {"experiments": RAW["experiments"] | dict.fromkeys(["phase", "other"], entry)}
    paper, quick = (Config.parse(RAW | own | {"scale": scale}) for scale in ("paper", "quick"))
    assert figure_groups(paper) == {name: (name,) for name in paper.figures}
    found = figure_groups(quick)
    assert [name for names in found.values() for name in names] == list(quick.figures)
    phases = ("phase_2in1", "phase_3in2", "phase_kinks", "phase_activations", "loss_surfaces")
    assert found["introduction-and-8"] == ("introduction", "basic_small", "basic_large", "theory", *phases)
    alone = {"sections": RAW["sections"] | {"phase": {"title": "Phases"}}}
    assert figure_groups(Config.parse(RAW | alone | {"scale": "quick"}))["phase_2in1-and-4"] == phases
    assert found["other_gram-and-2"] == ("other_gram", "other_points", "other_dimensionality")
    assert found["phase_gram-and-2"] == ("phase_gram", "phase_points", "phase_dimensionality")
    assert {name: training_batches(quick)[name] for name in ("phase", "other")} == {
        "phase": ("phase",),
        "other": ("other",),
    }


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_uniform_superposition(scale: str) -> None:
    """400 equal features in 30 dimensions at 40 densities or more from 1 to 0.01, the notebook's 200 in 20 beside them;
    whatever is compared with them differs in one thing alone, and its densities are among theirs."""
    config = CONFIGS[scale]
    large, small = config.sweeps["uniform_400_30"], config.sweeps["uniform_200_20"]
    assert (large.n, large.m, small.n, small.m) == (400, 30, 200, 20)
    assert (max(large.density), min(large.density)) == (1, 0.01)
    assert len(large.density) >= (40 if scale == "paper" else 5)
    assert small.density == large.density
    assert small.seeds > 1
    assert {"n", "m", "importance"} <= set(config.from_paper["uniform_400_30"])
    for name in (name for name in config.sweeps if name.startswith("uniform")):
        sweep = config.sweeps[name]
        np.testing.assert_array_equal(sweep.importances(), 1)
        assert {round(p, 9) for p in sweep.density} <= {round(p, 9) for p in large.density}
        if name[-1].isdigit():
            assert name == f"uniform_{sweep.n}_{sweep.m}"
            same = {"n": 0, "m": 0, "density": 0, "seeds": 0}
            assert sweep.model_dump() | same == large.model_dump() | same
    longer = config.sweeps["uniform_longer"].model_dump()
    assert longer | {"density": 0} == large.model_dump() | {"density": 0, "steps": 2 * large.steps}


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_small_models_of_uniform_superposition(scale: str) -> None:
    """Two and three dimensions, four to nine features, in space up to twelve; all on the same densities."""
    config = CONFIGS[scale]
    sweeps = {name: sweep for name, sweep in config.sweeps.items() if name.startswith("polytopes")}
    assert {(s.m, s.n) for s in sweeps.values()} == {(m, n) for m in (2, 3) for n in range(4, 10)} | {
        (3, 10),
        (3, 11),
        (3, 12),
    }
    assert all(name == f"polytopes_{s.m}_{s.n}" for name, s in sweeps.items())
    assert len({s.density for s in sweeps.values()}) == 1


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_non_uniform_superposition(scale: str) -> None:
    """Five equal features in the plane, four of them with density 0.05; that of the other from a tenth to ten times."""
    sweep = CONFIGS[scale].sweeps["pentagon"]
    assert (sweep.model, sweep.n, sweep.m, sweep.density) == ("relu_output", 5, 2, (0.05,))
    assert (sweep.relative_density.features, {1.0} < set(sweep.relative_density.ratio)) == ((0,), True)
    assert (min(sweep.relative_density.ratio), max(sweep.relative_density.ratio)) == (0.1, 10)
    assert scale == "quick" or (len(sweep.relative_density.ratio) >= 25 and sweep.restarts >= 200)
    np.testing.assert_array_equal(sweep.importances(), 1)


CORRELATED = {  # n, m and the sets; "independent" stands beside those that show what is due to chance
    "organization_4": (4, 2, {"correlated 0+1 2+3", "anticorrelated 0+1 2+3", "independent"}),
    "organization_6": (6, 2, {"correlated 0+1 2+3 4+5", "independent"}),
    "local_bases": (20, 10, {f"correlated {'+'.join(map(str, range(10)))} {'+'.join(map(str, range(10, 20)))}"}),
    "collapse": (6, 2, {"correlated 0+1 2+3 4+5"}),
    "geometric_learning": (6, 3, {"correlated 0+1+2 3+4+5"}),
    "geometric_learning_xavier": (6, 3, {"correlated 0+1+2 3+4+5"}),
}


@pytest.mark.parametrize("scale", ["paper", "quick"])
@pytest.mark.parametrize("name", CORRELATED)
def test_correlated_features(name: str, scale: str) -> None:
    """The sets and sizes of the paper; two sweeps of learning that differ in their first weights alone."""
    config = CONFIGS[scale]
    sweep, (n, m, sets) = config.sweeps[name], CORRELATED[name]
    assert (sweep.model, sweep.n, sweep.m) == ("relu_output", n, m)
    assert {d.name for d in sweep.distribution} - {"independent"} == sets - {"independent"}
    assert ("independent" in {d.name for d in sweep.distribution}) == ("independent" in sets or name == "local_bases")
    assert {"model", "n", "m", "distribution"} <= set(config.from_paper[name])
    assert "density" not in config.from_paper[name]
    np.testing.assert_array_equal(sweep.importances(), 1)
    if name.startswith("geometric_learning"):
        other = config.sweeps["geometric_learning"].model_dump()
        assert sweep.model_dump() == other | {"initial_scale": sweep.initial_scale}
        assert sweep.snapshots > 50


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_privileged_basis(scale: str) -> None:
    """Ten features, five neurons, I_i = 0.75^i; 1000 models at densities that cover all of the paper's regimes. What is
    compared with it differs in its hidden layer, and in its slower recipe."""
    sweeps = CONFIGS[scale].sweeps
    main = sweeps["privileged"]
    assert (main.model, main.n, main.m, main.hidden_bias) == ("relu_hidden", 10, 5, False)
    np.testing.assert_allclose(main.importances()[0], 0.75 ** np.arange(10))
    if scale == "paper":
        assert main.restarts == 1000
        assert (max(main.density), min(main.density), len(main.density) >= 10) == (1, 0.02, True)
        for low, high in ((0.5, 1), (0.2, 0.49), (0.15, 0.15), (0.12, 0.12), (0.05, 0.08), (0, 0.04)):
            assert any(low <= density <= high for density in main.density)
    for name, changes in {
        "privileged_linear": {"model": "relu_output"},
        "privileged_bias": {"model": "relu_hidden", "hidden_bias": True},
    }.items():
        other = sweeps[name]
        assert set(other.density) <= set(main.density)
        same = {"density": other.density, "restarts": other.restarts, "steps": 3000, "learning_rate": 0.01}
        assert other.model_dump() == main.model_copy(update=changes | same).model_dump()


@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_computation_in_superposition(scale: str) -> None:
    """|x| of three features with six neurons; of a hundred with forty, I_i = 0.8^i, at the paper's seven densities; and
    of a few with fewer neurons than two for each."""
    sweeps = CONFIGS[scale].sweeps
    mine = {name: sweep for name, sweep in sweeps.items() if name.startswith("absolute")}
    assert all(sweep.model == "absolute" and sweep.signed for sweep in mine.values())
    assert (mine["absolute_small"].n, mine["absolute_small"].m) == (3, 6)
    assert mine["absolute_motif"].n < mine["absolute_motif"].m < 2 * mine["absolute_motif"].n
    hundred = [mine[f"absolute_{name}"] for name in ("dense", "sparse", "shorter", "longer")]
    for sweep in hundred:
        assert (sweep.n, sweep.m) == (100, 40)
        np.testing.assert_allclose(sweep.importances()[0], 0.8 ** np.arange(100))
    assert hundred[0].density + hundred[1].density == (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    assert hundred[0].seeds == hundred[1].seeds > 1
    for sweep in hundred[2:]:
        rest = {"density": hundred[1].density, "seeds": hundred[1].seeds, "restarts": hundred[1].restarts}
        if scale == "paper":
            assert sweep.model_copy(update=rest | {"steps": hundred[1].steps}) == hundred[1]
    assert hundred[2].steps < hundred[1].steps < hundred[3].steps


NOTEBOOK = ["basic_small_notebook", "phase_2in1_notebook", "phase_3in2_notebook", "uniform_notebook"]


@pytest.mark.parametrize("name", NOTEBOOK)
def test_the_notebooks_recipe(name: str) -> None:
    """AdamW at a constant rate of 1e-3 with a decay of 0.01, batch 1024, 10 000 steps, biases that start at 0."""
    sweep = CONFIG.sweeps[name]
    assert (sweep.learning_rate, sweep.schedule, sweep.weight_decay) == (1e-3, "constant", 0.01)
    assert (sweep.batch, sweep.steps, sweep.initial_bias) == (1024, 10_000, "zero")


def test_quick_is_quicker() -> None:
    paper, quick = CONFIGS.values()
    work = [
        sum(len(s.points()) * s.restarts * s.steps * s.batch * s.n * s.m for s in config.sweeps.values())
        for config in (paper, quick)
    ]
    assert work[1] < work[0] / 2
    assert quick.figures == paper.figures
    for name, entry in RAW["experiments"].items():
        assert {*quick.from_paper[name]} == {*paper.from_paper[name]} - {*entry.get("quick", {})}


def test_every_experiment_is_for_a_figure_and_every_section_has_one() -> None:
    config = CONFIG
    assert CUSTOM not in config.sections
    assert all(config.figures_of(section) for section in config.sections)


# the JSON schema, which editors use

SCHEMA = schema()
EITHER: list[tuple[str, Any]] = [  # ways to write the same thing
    ("experiments.one.density", 1),
    ("experiments.one.density", {"from": 0.1, "to": 1, "points": 3}),
    ("experiments.one.importance", 2.5),
    ("experiments.one.importance", {"decay": 0.9}),
    ("experiments.one.importance", [1, 2, 3, 0]),
    ("experiments.one.relative_density", {"features": [0], "ratio": [1, 0.5]}),
    ("experiments.one.relative_importance", {"features": [1, 2], "ratio": {"from": 0.1, "to": 10, "points": 5}}),
    ("experiments.one.relative_importance", {"features": [1], "ratio": 3}),
    ("experiments.one.relative_importance", None),
    ("experiments.one.distribution", "independent"),
    ("experiments.one.distribution", {"correlated": [[0, 1], [2, 3]]}),
    ("experiments.one.distribution", ["independent", {"anticorrelated": [[0, 1]]}]),
    ("experiments.one.distribution", {"signed": True}),
    ("experiments.one.quick", {}),
    ("experiments.one.quick", GONE),
    ("experiments.one.from_paper", []),
    ("experiments.one.seeds", 3),
    ("experiments.mine", ENTRY),
    ("sections.basic.anchor", GONE),
    ("scale", "quick"),
    ("device", "cpu"),
    ("defaults", GONE),
]
NEITHER: list[tuple[str, Any]] = [
    *((key, value) for key, value, _ in REFUSED),
    ("experiments.one.model", "mlp"),
    ("experiments.one.n", "4"),
    ("experiments.one.density", 1.5),
    ("experiments.one.density", []),
    ("experiments.one.density", {"from": 0.1, "to": 1}),
    ("experiments.one.density", {"from": 0.1, "to": 1, "points": 3, "log": True}),
    ("experiments.one.importance", {"decay": 2}),
    ("experiments.one.importance", [1, -1, 1, 1]),
    ("experiments.one.relative_density", {"features": [], "ratio": 1}),
    ("experiments.one.relative_density", {"features": [0], "ratio": []}),
    ("experiments.one.distribution", "uniform"),
    ("experiments.one.distribution", []),
    ("experiments.one.distribution", {"correlated": [[0]]}),
    ("experiments.one.distribution", {"sets": [[0, 1]]}),
    ("experiments.one.steps", 0),
    ("experiments.one.schedule", "linear"),
]
# Relations between values, and the existence of names and modules, are beyond a schema.
BEYOND = ("m = 5", "there is no module", "unknown 'zoo'", "unknown 'basic'")


def valid(config: dict[str, Any]) -> bool:
    # By way of JSON: in YAML, as there, there are no tuples.
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(json.dumps(config)))


def test_the_schema_on_disk_is_the_current_one() -> None:
    """``python -m superposition.pipeline.schema > workflow/schemas/config.schema.json`` writes it anew."""
    assert json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_accepts_config_yaml() -> None:
    jsonschema.validate(RAW, SCHEMA, jsonschema.Draft202012Validator)
    assert valid(BASE)


@pytest.mark.parametrize(("key", "value"), EITHER, ids=label)
def test_both_accept(key: str, value: Any) -> None:
    Config.parse(with_(key, value))
    assert valid(with_(key, value))


@pytest.mark.parametrize(("key", "value"), NEITHER, ids=label)
def test_both_refuse(key: str, value: Any) -> None:
    """An editor that marks nothing while the workflow refuses is of no help."""
    message = refusal(with_(key, value))
    if not any(relation in message for relation in BEYOND):
        assert not valid(with_(key, value))


def test_claims_to_judge_again() -> None:
    """By section, at scale paper only; on the grids of scale quick with the recipe of scale paper."""
    paper, quick = CONFIGS.values()
    assert [claim for claims in paper.sensitivity.values() for claim in claims] == RAW["sensitivity"]
    assert quick.sensitivity == {}
    for section in paper.sensitivity:
        for figure, sweeps in paper.reduced_sweeps(section).items():
            assert list(sweeps) == list(paper.figures[figure].experiments)
            for name, sweep in sweeps.items():
                for key in ("steps", "batch", "learning_rate"):
                    assert getattr(sweep, key) == getattr(paper.sweeps[name], key)
                assert (sweep.density, sweep.restarts) == (quick.sweeps[name].density, quick.sweeps[name].restarts)


def test_claims_to_judge_again_are_told_apart_by_section() -> None:
    """In the order of the file, whatever the names of sections have in common."""
    raw = copy.deepcopy(BASE)
    raw["sections"] |= {name: {"title": name} for name in ("phase", "privileged")}
    raw |= {"scale": "paper", "sensitivity": ["privileged.b", "phase.p", "privileged.a"]}
    found = Config.parse(raw).sensitivity
    assert list(found.items()) == [("privileged", ("privileged.b", "privileged.a")), ("phase", ("phase.p",))]

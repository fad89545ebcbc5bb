"""The rules of ``config.yaml``: what it may say, what that means at either scale, and how errors are worded."""

import copy
import datetime
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.real import RAW, ROOT

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.sweep import Sweep
from superposition.pipeline.config import CUSTOM, Config
from superposition.pipeline.configfile import check_file
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
ENTRY = {"model": "linear", "n": 4, "m": 2, "density": 0.5}
MISSING = object()


def with_(key: str, value: Any) -> dict[str, Any]:
    """Return the base with the value of a dotted key replaced, added or, with ``MISSING``, removed."""
    config = copy.deepcopy(BASE)
    *path, last = key.split(".")
    parent = config
    for name in path:
        parent = parent[name]
    if value is MISSING:
        del parent[last]
    else:
        parent[last] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    """Return the message with which a configuration is refused, after checking that it is one short line."""
    with pytest.raises(SuperpositionError) as caught:
        Config.parse(config)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith("config")
    assert len(message) < 1000
    return message


def label(value: Any) -> str | None:
    return "missing" if value is MISSING else None if isinstance(value, str) else short_repr(value)


# Keys, their values, and the words that the message must contain. Most values of sweeps are tested with the sweep.
REFUSED: list[tuple[str, Any, list[str]]] = [
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
    ("sensitivity", "introduction.dense", ["config.sensitivity"]),
    ("sensitivity", ["introduction"], ["config.sensitivity", "introduction"]),
    ("sensitivity", ["zoo.dense"], ["config.sensitivity", "zoo", "introduction"]),
    ("experiments", {}, ["config.experiments"]),
    ("experiments", MISSING, ["config.experiments", "missing"]),
    ("experiments.four", 3, ["config.experiments.four"]),
    ("experiments.four", None, ["config.experiments.four"]),
    ("experiments.Four", ENTRY, ["config.experiments", "Four"]),
    ("experiments.a/b", ENTRY, ["config.experiments", "a/b"]),
    ("experiments." + "x" * 101, ENTRY, ["config.experiments.", "100"]),  # The name is part of file names.
    ("experiments.one.colour", 1, ["config.experiments.one.colour"]),
    ("experiments.one.n", MISSING, ["config.experiments.one.n", "missing"]),
    ("experiments.one.n", "4", ["config.experiments.one.n"]),
    ("experiments.one.model", "mlp", ["config.experiments.one.model", "relu_output"]),
    ("experiments.one.density", 0, ["config.experiments.one.density", "greater than 0"]),
    ("experiments.one.density", [], ["config.experiments.one.density"]),
    ("experiments.one.density", {"from": 0.1, "to": 1}, ["config.experiments.one.density.points", "missing"]),
    ("experiments.one.density", {"from": 0.1, "to": 1, "points": 3, "log": True}, ["density.log"]),
    ("experiments.one.importance", {"decay": 2}, ["config.experiments.one.importance", "decay"]),
    ("experiments.one.importance", [1, -1, 1, 1], ["config.experiments.one.importance"]),
    ("experiments.one.relative_density", {"features": [], "ratio": 1}, ["relative_density.features"]),
    ("experiments.one.distribution", "uniform", ["config.experiments.one.distribution"]),
    ("experiments.one.distribution", {"correlated": [[0]]}, ["config.experiments.one.distribution"]),
    ("experiments.one.schedule", "linear", ["config.experiments.one.schedule", "cosine"]),
    ("experiments.one.m", 5, ["config.experiments.one", "m = 5"]),
    ("experiments.one.from_paper", ["colour"], ["config.experiments.one.from_paper", "colour", "density"]),
    ("experiments.one.from_paper", "n", ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", None, ["config.experiments.one.from_paper"]),
    ("experiments.one.from_paper", [["n"]], ["config.experiments.one.from_paper"]),
    ("experiments.one.quick", None, ["config.experiments.one.quick", "mapping"]),
    ("experiments.one.quick.steps", 0, ["config.experiments.one", "quick", "steps", "not 0"]),
    ("experiments.one.quick.m", 5, ["config.experiments.one", "quick", "m = 5"]),
    ("experiments.one.quick.from_paper", ["n"], ["config.experiments.one", "quick", "from_paper", "unknown"]),
    ("experiments.one.quick.quick", {}, ["config.experiments.one", "quick", "unknown"]),
    ("sections", {}, ["config.sections"]),
    ("sections.custom", BASE["sections"]["basic"], ["config.sections.custom", "reserved"]),
    ("sections.zoo", BASE["sections"]["basic"], ["config.sections.zoo", "superposition/paper/zoo/measure.py"]),
    ("sections.basic.colour", 1, ["config.sections.basic.colour"]),
    ("sections.basic.title", "", ["config.sections.basic.title"]),
    ("sections.basic.anchor", "motivation", ["config.sections.basic.anchor"]),
    ("sections.basic", MISSING, ["config.figures", "section", "basic"]),
    ("figures", {}, ["config.figures"]),
    ("figures", BASE["figures"] | {"../x": BASE["figures"]["first"]}, ["config.figures", "../x"]),
    ("figures.first.colour", 1, ["config.figures.first.colour"]),
    ("figures.first.shows", MISSING, ["config.figures.first.shows", "missing"]),
    ("figures.first.shows", "a\0b", ["config.figures.first.shows", r"a\x00b"]),  # XML cannot hold it.
    ("figures.first.section", "zoo", ["config.figures.first.section", "zoo", "introduction, basic"]),
    ("figures.first.experiments", ["one", "zoo"], ["config.figures.first.experiments", "zoo", "one, two, three"]),
    ("figures.first.experiments", "one", ["config.figures.first.experiments"]),
    ("figures.first.experiments", None, ["config.figures.first.experiments"]),
]
# Relations between values, and whether names and modules exist, are beyond a schema.
BEYOND_SCHEMA = ("m = 5", "there is no module", "unknown 'zoo'", "unknown 'basic'")


def fits_schema(config: dict[str, Any]) -> bool:
    # Go through JSON, because YAML has no tuples either.
    return jsonschema.Draft202012Validator(schema()).is_valid(json.loads(json.dumps(config)))


@pytest.mark.parametrize(("key", "value", "words"), REFUSED, ids=label)
def test_refusals_name_the_key(key: str, value: Any, words: list[str]) -> None:
    """Bad input is refused before anything is trained, and an editor that uses the JSON schema marks it, too."""
    message = refusal(with_(key, value))
    assert all(word in message for word in words), message
    if not any(relation in message for relation in BEYOND_SCHEMA):
        assert not fits_schema(with_(key, value))


@pytest.mark.parametrize("scale", ["paper", "quick"])
@pytest.mark.parametrize("key", ["experiments.one.steps", "experiments.one.quick.steps"])
def test_both_scales_are_checked_whichever_is_run(key: str, scale: str) -> None:
    """The first key is overridden at scale quick, and the second one matters at no other."""
    assert "steps" in refusal(with_(key, 0) | {"scale": scale})


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("scale", "two\nlines", r"config.scale: .*'two\\nlines'"),
        ("scale", "x" * 10**6, r"config.scale: .*'x+\.\.\.x+'"),
        ("scale", 16**5000, r"config.scale: .*thousands of digits"),
        ("scale", datetime.date(2022, 9, 14), r"config.scale: .*2022, 9, 14"),
        ("two\nlines", 1, r"config.'two\\nlines': unknown key"),
        ("experiments.one.from_paper", [[0] * 10**6], r"config.experiments.one.from_paper: .*\[\[0, 0, .*\.\.\.\]\]"),
        ("sections.basic.title", "\ud800", r"config.sections.basic.title: "),  # No text file can hold it.
    ],
    ids=label,
)
def test_refusals_quote_the_value(key: str, value: Any, shown: str) -> None:
    """Long and unprintable values are shortened and escaped."""
    assert re.match(shown, refusal(with_(key, value)))


@pytest.mark.parametrize("kind", ["experiments", "sections", "figures"])
def test_names_cannot_leave_their_folder(kind: str) -> None:
    """The name of an experiment or a figure is the name of a file."""
    for name in ("..", "", "a/b", "/a", "a.b", "A", "ä", "1a", "_a", "a b", "a-b"):
        refusal(with_(kind, BASE[kind] | {name: next(iter(BASE[kind].values()))}))


EQUIVALENT: list[tuple[str, Any]] = [
    ("experiments.one.density", 1),
    ("experiments.one.density", {"from": 0.1, "to": 1, "points": 3}),
    ("experiments.one.importance", 2.5),
    ("experiments.one.importance", {"decay": 0.9}),
    ("experiments.one.importance", [1, 2, 3, 0]),
    ("experiments.one.relative_density", {"features": [0], "ratio": [1, 0.5]}),
    ("experiments.one.relative_importance", {"features": [1, 2], "ratio": {"from": 0.1, "to": 10, "points": 5}}),
    ("experiments.one.relative_importance", None),
    ("experiments.one.distribution", ["independent", {"anticorrelated": [[0, 1]]}]),
    ("experiments.one.distribution", {"signed": True}),
    ("experiments.one.quick", MISSING),
    ("experiments.one.from_paper", []),
    ("experiments.mine", ENTRY),
    ("sections.basic.anchor", MISSING),
    ("figures.first.experiments", MISSING),
    ("scale", "quick"),
    ("device", "cpu"),
    ("defaults", MISSING),
]


@pytest.mark.parametrize(("key", "value"), EQUIVALENT, ids=label)
def test_the_parser_and_the_schema_accept_every_notation(key: str, value: Any) -> None:
    Config.parse(with_(key, value))
    assert fits_schema(with_(key, value))


def test_the_schema_on_disk_is_current() -> None:
    """``python -m superposition.pipeline.schema > workflow/schemas/config.schema.json`` updates it."""
    assert json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())
    assert fits_schema(RAW)
    assert fits_schema(BASE)


# What a valid configuration means.


def test_defaults_reach_every_experiment_and_are_overridden() -> None:
    sweeps = Config.parse(BASE).sweeps
    assert {k: (s.steps, s.batch, s.learning_rate) for k, s in sweeps.items()} == {
        "one": (200, 64, 0.1),
        "two": (200, 8, 0.1),
        "three": (200, 64, 0.1),
    }
    recipe = {"steps": 200, "batch": 8, "learning_rate": 0.1}
    assert sweeps["two"] == Sweep(model="relu_output", n=4, m=2, density=[1, 0.1], **recipe)
    assert Config.parse(with_("defaults", MISSING)).sweeps["one"].steps == Sweep(**ENTRY).steps


def test_overrides_of_scale_quick() -> None:
    """They apply at that scale alone, and what they override no longer comes from the paper."""
    raw = with_("experiments.one.quick", {"steps": 20, "n": 3})
    paper, quick = (Config.parse(raw | {"scale": scale}) for scale in ("paper", "quick"))
    assert (paper.scale, quick.scale, paper.device) == ("paper", "quick", "auto")
    assert paper.sweeps["one"] == Config.parse(BASE).sweeps["one"]
    assert quick.sweeps["one"] == paper.sweeps["one"].model_copy(update={"steps": 20, "n": 3})
    assert quick.sweeps["two"] == paper.sweeps["two"]
    assert paper.from_paper == {"one": ("model", "n"), "two": (), "three": ()}
    assert quick.from_paper == {"one": ("model",), "two": (), "three": ()}


def test_figures_and_experiments_keep_the_order_of_the_file() -> None:
    config = Config.parse(BASE)
    assert config.figures_of("basic") == ["first", "third"]
    assert config.figures_of("introduction") == ["second"]
    assert list(config.sections) == ["introduction", "basic"]
    assert list(config.sweeps) == ["one", "two", "three"]


def test_sections_of_the_paper_come_first() -> None:
    """Sections without an anchor follow, in the order of the file; a file that is merged may come first."""
    raw = copy.deepcopy(BASE)
    others = {name: {"title": name} for name in ("theory", "phase")}
    raw["sections"] = {"theory": others["theory"], **raw["sections"], "phase": others["phase"]}
    raw["experiments"]["mine"] = ENTRY
    assert list(Config.parse(raw).sections) == ["introduction", "basic", "theory", "phase", CUSTOM]


def test_claims_of_the_sensitivity_analysis_are_grouped_by_section() -> None:
    """Names of sections may begin alike; at scale quick nothing is judged again."""
    raw = copy.deepcopy(BASE)
    raw["sections"] |= {name: {"title": name} for name in ("phase", "privileged")}
    raw |= {"sensitivity": ["privileged.b", "phase.p", "privileged.a"]}
    found = Config.parse(raw).sensitivity
    assert list(found.items()) == [("privileged", ("privileged.b", "privileged.a")), ("phase", ("phase.p",))]
    assert Config.parse(raw | {"scale": "quick"}).sensitivity == {}


@pytest.mark.parametrize("model", ["linear", "absolute"])
@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_a_custom_sweep_gets_the_standard_figures(model: str, m: int) -> None:
    """A sweep that no figure uses has figures in the last section; points need a plane or a space to be drawn in."""
    config = Config.parse(with_("experiments.mine", {"model": model, "n": 5, "m": m, "density": 0.1}))
    assert list(config.sections) == ["introduction", "basic", CUSTOM]
    kinds = ["gram", "points", "dimensionality"] if m in (2, 3) else ["gram", "dimensionality"]
    assert config.figures_of(CUSTOM) == [f"mine_{kind}" for kind in kinds]
    assert list(config.figures)[:3] == list(BASE["figures"])
    for name in config.figures_of(CUSTOM):
        assert config.figures[name].experiments == ("mine",)
        assert "mine" in config.figures[name].title
    assert ("W_2" in config.figures["mine_gram"].shows) == (model == "absolute")


def test_several_custom_sweeps_keep_the_order_of_the_file() -> None:
    config = copy.deepcopy(BASE)
    config["experiments"] |= {"b": {**ENTRY, "m": 1}, "a": {**ENTRY, "m": 1}, "a_gram": {**ENTRY, "m": 1}}
    names = Config.parse(config).figures_of(CUSTOM)
    assert names == [f"{sweep}_{kind}" for sweep in ("b", "a", "a_gram") for kind in ("gram", "dimensionality")]


def test_a_standard_figure_cannot_take_the_name_of_another() -> None:
    config = with_("experiments.mine", ENTRY)
    config["figures"]["mine_points"] = BASE["figures"]["first"]
    message = refusal(config)
    assert message.startswith("config.experiments.mine: ")
    assert "mine_points" in message
    config["figures"]["mine_points"] = BASE["figures"]["first"] | {"experiments": ["mine", "three", "one"]}
    assert CUSTOM not in Config.parse(config).sections, "a figure uses the sweep, so it is not a custom one"


def test_parsing_does_not_change_its_argument() -> None:
    """Snakemake passes the same dictionary on to the notebook."""
    raw = copy.deepcopy(BASE)
    Config.parse(raw)
    assert raw == BASE


# Files that cannot be read as a configuration.

ENTRIES = "experiments: {one: {model: linear, n: 2, m: 1, density: 1}}\n"
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefgh"))
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "a mapping"),
    "a list": (b"- experiments", "a mapping"),
    "a number, which is JSON": (b"3", "a mapping"),
    "a missing bracket": (b"scale: paper\ndevice: [auto", "line 2: .*expected ',' or ']'"),
    "a colon too many": (b"scale: paper\ndevice: auto: cpu", "line 2: mapping values are not allowed here"),
    "a tab": (b"defaults:\n\tsteps: 3", "line 2: "),
    "two documents": (b"scale: paper\n---\nscale: quick", "line 2: expected a single document"),
    "Latin-1": ("scale: paper # für".encode("latin-1"), "utf-8"),
    "binary": (b"\0\1\2", "cannot be read"),
    "an invalid date": (b"scale: 2022-99-99", r"cannot be read \(month must be in 1..12"),
    "a number of many digits": (b"scale: " + b"9" * 5000, "cannot be read"),
    "deep nesting": (b"scale: " + b"[" * 5000, "cannot be read"),
    "deep nesting in JSON": (b"[" * 100_000, "cannot be read"),
    "code": (b"scale: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
    "a mapping as a key": (b"{a: 1}: 2", "line 1: .*found unhashable key"),
    "an undefined alias": (b"scale: *a", "line 1: found undefined alias 'a'"),
    "a duplicate key": ((ENTRIES + "experiments: {}").encode(), "line 2: .*'experiments'"),
    "a duplicate experiment": (b"experiments:\n  one: {n: 1}\n  two: {n: 1}\n  one: {n: 2}", "line 4: .*'one'"),
    "a list that contains itself": (b"defaults: &a [*a]", "line 1: .*aliases"),
    "an experiment that contains itself": (b"experiments: &a {one: *a}", "line 1: .*aliases"),
    "ten million values": (BOMB.encode(), "aliases"),
    "a key of Snakemake": ((ENTRIES + "pathvars: 3").encode(), "config: unknown 'pathvars', allowed are scale"),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_an_unreadable_file_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    """Snakemake and YAML would answer with a traceback, or ignore the mistake."""
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(SuperpositionError, match=words) as caught:
        check_file(tmp_path / "config.yaml")
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith((f"{tmp_path}/config.yaml", "config: "))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuperpositionError, match="No such file"):
        check_file(tmp_path / "config.yaml")
    with pytest.raises(SuperpositionError, match="Is a directory"):
        check_file(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + ENTRIES,
        json.dumps(BASE, indent="\t"),  # JSON, but not YAML.
        "defaults: &a {steps: 3}\nexperiments: {one: &b {<<: *a, n: 1}, two: {<<: *b, n: 2}}",
    ],
)
def test_a_readable_file_is_accepted(text: str, tmp_path: Path) -> None:
    """YAML with a byte order mark or merge keys, and JSON; the values are checked later."""
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    check_file(tmp_path / "some.yaml")


@pytest.mark.parametrize("file", ["config.yaml", *(f"examples/{p.name}" for p in (ROOT / "examples").glob("*.yaml"))])
def test_the_files_of_the_project_are_accepted(file: str) -> None:
    check_file(ROOT / file)

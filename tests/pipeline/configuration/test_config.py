"""Test what ``config.yaml`` may say: both scales are read from it, and errors are one line that names the key."""

import copy
import datetime
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from tests.real import RAW, ROOT
from tests.sections import parse, split

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.pipeline import stages
from superposition.pipeline.configuration.schema import schemas
from superposition.pipeline.stages import CUSTOM

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
    """Return the base configuration with another value at a dotted key, with a new key, or without one."""
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
    """Return the message with which a configuration is refused, after checking that it is one line."""
    with pytest.raises(SuperpositionError) as caught:
        parse(config)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(("config", "paper", "superposition.paper"))
    return message


ENTRY = {"model": "linear", "n": 4, "m": 2, "density": 0.5}
REFUSED: list[tuple[str, Any, list[str]]] = [
    # the key that is changed, its value, and what the message has to name
    ("colour", 1, ["config.colour"]),
    ("scale", "huge", ["config.scale", "paper", "quick", "huge"]),
    ("device", "tpu", ["config.device", "cpu", "cuda", "auto", "tpu"]),
    ("other_seeds", 0, ["config.other_seeds", "1"]),
    ("other_seeds", [1, 2], ["config.other_seeds"]),
    ("one_core_work", -1, ["config.one_core_work", "0"]),
    ("defaults", [1], ["config.defaults"]),
    ("defaults.colour", 1, ["config.defaults", "colour", "steps"]),
    ("defaults.n", 4, ["config.defaults", "'n'"]),
    ("defaults.from_paper", ["n"], ["config.defaults", "from_paper"]),
    ("defaults.steps", 0, ["steps", "not 0"]),
    # sensitivity
    ("sensitivity", "introduction.dense", ["config.sensitivity"]),
    ("sensitivity", ["introduction"], ["config.sensitivity", "introduction"]),
    ("sensitivity", ["zoo.dense"], ["config.sensitivity", "zoo", "introduction"]),
    # experiments
    ("experiments", {}, ["config.experiments"]),
    ("experiments", GONE, ["config.experiments", "missing"]),
    ("experiments", [ENTRY], ["config.experiments"]),
    ("experiments.four", 3, ["config.experiments.four"]),
    ("experiments.Four", ENTRY, ["config.experiments", "Four"]),
    ("experiments.one.colour", 1, ["config.experiments.one.colour"]),
    ("experiments.one.n", GONE, ["config.experiments.one.n", "missing"]),
    ("experiments.one.density", 0, ["config.experiments.one.density", "greater than 0"]),
    ("experiments.one.m", 5, ["config.experiments.one", "m = 5"]),
    ("experiments." + "x" * 101, ENTRY, ["config.experiments.", "100"]),  # part of the names of files
    # from_paper
    ("experiments.one.from_paper", ["colour"], ["config.experiments.one.from_paper", "colour", "density"]),
    ("experiments.one.from_paper", ["quick"], ["config.experiments.one.from_paper", "quick"]),
    ("experiments.one.from_paper", "model", ["config.experiments.one.from_paper"]),
    # quick
    ("experiments.one.quick", ["steps"], ["config.experiments.one.quick", "dictionary"]),
    ("experiments.one.quick.steps", 0, ["config.experiments.one", "quick", "steps", "not 0"]),
    ("experiments.one.quick.m", 5, ["config.experiments.one", "quick", "m = 5"]),
    ("experiments.one.quick.colour", 1, ["config.experiments.one", "quick", "colour", "unknown"]),
    # family
    ("experiments.one.family", 1, ["config.experiments.one.family"]),
    ("experiments.one.family", "a/b", ["config.experiments.one.family", "a/b"]),
    # sections
    ("sections.basic.colour", 1, ["paper.basic.section.colour"]),
    ("sections.basic.title", "", ["paper.basic.section.title"]),
    ("sections.basic.anchor", "motivation", ["paper.basic.section.anchor"]),
    ("sections.basic.position", "first", ["paper.basic.section.position"]),
    # figures
    ("figures", {}, ["paper.basic.section.figures"]),
    ("figures", BASE["figures"] | {"../x": BASE["figures"]["first"]}, ["paper.basic.section.figures", "../x"]),
    ("figures.first.colour", 1, ["paper.basic.section.figures.first.colour"]),
    ("figures.first.shows", GONE, ["paper.basic.section.figures.first.shows", "missing"]),
    ("figures.first.shows", "a\0b", ["paper.basic.section.figures.first.shows", r"a\x00b"]),  # no XML may have it
    ("figures.first.experiments", ["one", "zoo"], ["figures.first.experiments", "zoo", "one, two, three"]),
    ("figures.first.experiments", "one", ["paper.basic.section.figures.first.experiments"]),
    ("figures.first.best", ["one", "zoo"], ["paper.basic.section.figures.first.best", "zoo", "three, one"]),
]


def label(value: Any) -> str | None:
    return "gone" if value is GONE else None if isinstance(value, str) else repr(value)[:30]


@pytest.mark.parametrize(("key", "value", "named"), REFUSED, ids=label)
@pytest.mark.parametrize("scale", ["paper", "quick"])
def test_refusals_are_one_line_that_names_the_key(key: str, value: Any, named: list[str], scale: str) -> None:
    """Both scales are checked before anything is trained, whichever is run."""
    message = refusal({"scale": scale} | with_(key, value))
    for word in named:
        assert word in message


def test_refusals_show_what_was_written() -> None:
    """Long values are shortened, and the line can be shown in any terminal and log."""
    for key, value, shown in (
        ("scale", "two\nlines", r"config.scale: .*'two\\nlines'"),
        ("scale", "x" * 10**6, r"config.scale: .*'x+\.\.\.x+'"),
        ("scale", 16**5000, r"config.scale: .*thousands of digits"),
        ("scale", datetime.date(2022, 9, 14), r"config.scale: .*2022, 9, 14"),
        ("defaults.learning_rate", "1e-3", r".*, not '1e-3'; YAML takes it for text, write 1\.0e-03$"),
        ("experiments.one.density", [1, "1.25E-7"], r".*, not '1.25E-7'; YAML takes it for text, write 1\.25e-07$"),
        ("defaults.learning_rate", "much", r".*, not 'much'$"),
        ("two\nlines", 1, r"config.'two\\nlines': unknown key"),
        ("experiments.one.from_paper", ["x" * 10**6], r"config.experiments.one.from_paper: unknown 'x+\.\.\.x+'"),
        ("experiments.one.from_paper", [[0] * 10**6], r"config.experiments.one.from_paper.0: .* string$"),
    ):
        message = refusal(with_(key, value))
        assert re.match(shown, message)
        assert message.isprintable()
        assert len(message) < 1000


def test_the_base_is_accepted() -> None:
    """The base configuration is valid, so that each refusal above is due to the changed key."""
    assert parse(BASE).scale == "paper"
    assert parse(BASE).device == "auto"


@pytest.mark.parametrize("value", [[], GONE])
def test_a_figure_may_need_no_experiment(value: Any) -> None:
    """A figure that is computed needs no experiment."""
    config = parse(with_("figures.first.experiments", value))
    assert config.figures["first"].experiments == ()


def test_names_of_files_stay_in_their_folder() -> None:
    """Names of experiments and figures are names of files, so that paths are refused."""
    for kind in ("experiments", "figures"):
        for name in ("..", ".", "", "a/b", "/a", "a.b", "A", "ä", "1a", "_a"):
            assert "\n" not in refusal(with_(kind, BASE[kind] | {name: next(iter(BASE[kind].values()))}))


def test_defaults_reach_every_experiment_and_are_overridden() -> None:
    sweeps = parse(BASE).sweeps
    assert {k: (s.steps, s.batch, s.learning_rate) for k, s in sweeps.items()} == {
        "one": (200, 64, 0.1),
        "two": (200, 8, 0.1),
        "three": (200, 64, 0.1),
    }
    assert sweeps["two"] == Sweep(
        model="relu_output", n=4, m=2, density=[1, 0.1], steps=200, batch=8, learning_rate=0.1
    )
    assert parse(with_("defaults", GONE)).sweeps["one"].steps == Sweep(**ENTRY).steps


def test_experiments_are_searched_in_families() -> None:
    """Experiments without a family are searched alone, and those only the reference engine can train not at all."""
    config = with_("experiments.three.family", "few")
    config["experiments"]["two"]["family"] = "few"
    config["experiments"]["four"] = {"model": "relu_output", "n": 4, "m": 2, "density": 0.5, "noise": 0.1}
    assert parse(config).families == {"one": ("one",), "few": ("two", "three")}


def test_the_name_of_a_family_does_not_make_an_experiment_one_of_its_members() -> None:
    config = with_("experiments.three.family", "two")
    config["experiments"]["two_alone"] = ENTRY
    members = {"one": ("one",), "two-alone": ("two",), "two": ("three",), "two_alone": ("two_alone",)}
    assert parse(config).families == members


def test_a_claim_that_is_listed_twice_is_judged_again_once() -> None:
    config = with_("sensitivity", ["introduction.dense", "introduction.pentagon", "introduction.dense"])
    assert parse(config).sensitivity == {"introduction": ("introduction.dense", "introduction.pentagon")}


def test_best_known_models_are_those_of_families() -> None:
    """A figure gets the families of the experiments that it names; what is not searched has no best known models."""
    raw = with_("experiments.three.family", "two")
    raw["figures"]["first"]["best"] = ["three"]
    config = parse(raw)
    assert config.families_of_best("first") == ["two"]
    assert config.families_of_best("second") == []
    assert config.reduced_sweeps("basic").keys() == {"third"}
    raw["experiments"]["three"]["noise"] = 0.1
    message = refusal(raw)
    assert message == "paper.basic.section.figures.first.best: unknown 'three', allowed are one"


def test_quick_overrides_at_scale_quick_only() -> None:
    for scale, steps in (("paper", 200), ("quick", 20)):
        config = parse(BASE | {"scale": scale})
        assert config.scale == scale
        assert (config.sweeps["one"].steps, config.sweeps["one"].batch) == (steps, 64)
        assert (config.sweeps["two"].steps, config.sweeps["two"].batch) == (200, 8)
    paper, quick = (parse(BASE | {"scale": scale}).sweeps["one"] for scale in ("paper", "quick"))
    assert quick == paper.model_copy(update={"steps": 20})


def test_from_paper() -> None:
    """Stated keys are listed by experiment, without those whose values differ at scale quick."""
    for scale in ("paper", "quick"):
        assert parse(BASE | {"scale": scale}).from_paper == {"one": ("model", "n"), "two": (), "three": ()}
    config = with_("experiments.one.quick", {"n": 3})
    assert parse(config).from_paper["one"] == ("model", "n")
    assert parse(config | {"scale": "quick"}).from_paper["one"] == ("model",)


def test_figures_and_experiments_in_the_order_of_the_file() -> None:
    config = parse(BASE)
    assert config.figures_of("basic") == ["first", "third"]
    assert config.figures_of("introduction") == ["second"]
    assert list(config.sections) == ["introduction", "basic"]
    assert list(config.sweeps) == ["one", "two", "three"]


# Custom sweeps.


@pytest.mark.parametrize("model", ["linear", "relu_output", "relu_hidden", "absolute"])
@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_a_sweep_that_no_figure_names_has_figures_of_its_own(model: str, m: int) -> None:
    """A custom sweep has its figures in the last section, with points only for m = 2 and 3."""
    config = parse(with_("experiments.mine", {"model": model, "n": 5, "m": m, "density": 0.1}))
    assert list(config.sections) == ["introduction", "basic", CUSTOM]
    assert config.sections[CUSTOM].title == "Custom sweeps"
    kinds = ["gram", "points", "dimensionality"] if m in (2, 3) else ["gram", "dimensionality"]
    assert config.figures_of(CUSTOM) == [f"mine_{kind}" for kind in kinds]
    assert list(config.figures)[:3] == ["second", "first", "third"], "the others stay, and stay first"
    for name in config.figures_of(CUSTOM):
        assert config.figures[name].experiments == ("mine",)
        assert "mine" in config.figures[name].title


def test_several_custom_sweeps() -> None:
    """Custom sweeps are in the order of the file, and each has its own figures."""
    config = copy.deepcopy(BASE)
    config["experiments"] |= {"b": {**ENTRY, "m": 1}, "a": {**ENTRY, "m": 1}, "a_gram": {**ENTRY, "m": 1}}
    names = parse(config).figures_of(CUSTOM)
    assert names == [f"{sweep}_{kind}" for sweep in ("b", "a", "a_gram") for kind in ("gram", "dimensionality")]


def test_the_sections_of_the_paper_come_first() -> None:
    """Sections of the paper come in their order, then the others, and custom sweeps last."""
    config = copy.deepcopy(BASE)
    others = {name: {"title": name} for name in ("theory", "phase")}
    config["sections"] = {"theory": others["theory"], **config["sections"], "phase": others["phase"]}
    config["figures"] |= {name: BASE["figures"]["first"] | {"section": name} for name in others}
    assert list(parse(config).sections) == ["introduction", "basic", "theory", "phase"]
    config["experiments"]["mine"] = ENTRY
    assert list(parse(config).sections) == ["introduction", "basic", "theory", "phase", CUSTOM]


def test_a_figure_with_the_name_of_a_custom_one_is_refused() -> None:
    config = with_("experiments.mine", ENTRY)
    config["figures"]["mine_points"] = BASE["figures"]["first"]
    assert refusal(config) == "paper.custom.section.figures.mine_points: the section basic has a figure of this name"
    config["figures"]["mine_points"] = BASE["figures"]["first"] | {"experiments": ["mine", "three", "one"]}
    assert CUSTOM not in parse(config).sections, "a figure names it, so that it is no custom sweep"


def test_parsing_leaves_the_configuration_as_it_was() -> None:
    """Parsing does not change the configuration, which Snakemake passes on to the notebook."""
    raw = copy.deepcopy(BASE)
    parse(raw)
    assert raw == BASE


# The JSON schema, which editors use.

SCHEMAS = schemas()
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
    ("experiments.one.l1", 0.1),
    ("experiments.one.noise", {"from": 0.1, "to": 1, "points": 3}),
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
BEYOND = ("m = 5", "unknown 'zoo'")


def valid(config: dict[str, Any]) -> bool:
    # JSON has no tuples, and neither has YAML.
    file, sections = json.loads(json.dumps(split(config)))
    config_is_valid = jsonschema.Draft202012Validator(SCHEMAS["config"]).is_valid(file)
    return config_is_valid and all(map(jsonschema.Draft202012Validator(SCHEMAS["section"]).is_valid, sections.values()))


def test_the_schema_on_disk_is_the_current_one() -> None:
    """``python -m superposition.pipeline.configuration.schema`` writes it anew."""
    for name, schema in SCHEMAS.items():
        assert json.loads((ROOT / f"workflow/schemas/{name}.schema.json").read_text(encoding="utf-8")) == schema
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_accepts_config_yaml() -> None:
    jsonschema.validate(RAW, SCHEMAS["config"], jsonschema.Draft202012Validator)
    assert valid(BASE)
    for path in stages.SECTIONS_FOLDER.glob("*/section.yaml"):
        section = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(section, SCHEMAS["section"], jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("key", "value"), EITHER, ids=label)
def test_both_accept(key: str, value: Any) -> None:
    parse(with_(key, value))
    assert valid(with_(key, value))


@pytest.mark.parametrize(("key", "value"), NEITHER, ids=label)
def test_both_refuse(key: str, value: Any) -> None:
    """What the workflow refuses, the schema rejects too, so that an editor marks it."""
    message = refusal(with_(key, value))
    if not any(relation in message for relation in BEYOND):
        assert not valid(with_(key, value))


def test_claims_to_judge_again_are_told_apart_by_section() -> None:
    """Claims are grouped by section in the order of the file, also if one section's name begins like another's."""
    raw = copy.deepcopy(BASE)
    for name in ("phase", "privileged"):
        raw["sections"][name], raw["figures"][name] = {"title": name}, BASE["figures"]["first"] | {"section": name}
    raw |= {"scale": "paper", "sensitivity": ["privileged.b", "phase.p", "privileged.a"]}
    found = parse(raw).sensitivity
    assert list(found.items()) == [("privileged", ("privileged.b", "privileged.a")), ("phase", ("phase.p",))]


def test_other_seeds_are_as_many_as_asked_for_and_never_that_of_the_run() -> None:
    for seed, expected in ((0, (1, 2, 3)), (2, (0, 1, 3)), (9, (0, 1, 2))):
        assert parse(BASE | {"seed": seed, "other_seeds": 3}).other_seeds == expected

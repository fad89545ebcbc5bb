"""What ``config.yaml`` may say, and what it means.

``python -m superposition.pipeline.config`` prints the JSON schema that editors use
(``workflow/schemas/config.schema.json``).
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from superposition.core.errors import SuperpositionError, shown
from superposition.core.sweep import Sweep
from superposition.core.validation import Strict, as_tuple, explain

PAPER = "https://transformer-circuits.pub/2022/toy_model/index.html"
LARGEST = 10**6  # values in a file
SECTIONS = Path(__file__).parents[1] / "paper"
STAGES = ("measure", "draw", "judge")  # of a section, each a module
Scale = Literal["paper", "quick"]
Device = Literal["auto", "cpu", "cuda"]
NAME = "^[a-z][a-z0-9_]*$"
LONGEST = 100  # a name is part of the names of files
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST)]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]  # in HTML, XML and JSON alike
Names = Annotated[tuple[Name, ...], BeforeValidator(as_tuple)]


class Section(Strict):
    """A section of the report; its modules are ``superposition.paper.<id>.measure``, ``draw`` and ``judge``."""

    title: Text
    anchor: Annotated[
        str | None,
        Field(pattern=r"^#", description="of the section in the paper's web version; none: not in the paper"),
    ] = None
    group: Annotated[
        Name | None, Field(description="at scale quick the sections of a group share jobs; none: the section alone")
    ] = None


class Figure(Strict):
    """A figure, and the experiments that it needs."""

    section: Name
    title: Text
    shows: Annotated[Text, Field(description="what the figure shows; the paper's, in our words")]
    experiments: Annotated[Names, Field(description="none where nothing is trained")] = ()
    animated: Annotated[bool, Field(description="the section's `animate` makes a GIF of it, too")] = False


class _File(Strict):
    """The file as it stands; experiments are resolved afterwards."""

    scale: Scale = "paper"
    device: Device = "auto"
    defaults: Annotated[dict[str, Any], Field(default_factory=dict)]
    sensitivity: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z0-9_]+$")], ...],
        BeforeValidator(as_tuple),
        Field(description="claims that are judged again with other recipes, at scale paper"),
    ] = ()
    experiments: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    sections: Annotated[dict[Name, Section], Field(min_length=1)]
    figures: Annotated[dict[Name, Figure], Field(min_length=1)]


class _Loader(yaml.FullLoader):
    """YAML as Snakemake reads it; but a key that is there twice is an error, and so are aliases without end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sizes: dict[yaml.Node, int] = {}  # of every node, with its aliases written out

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        node = super().compose_node(parent, index)
        if node not in self.sizes:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
            if isinstance(node, yaml.MappingNode):
                children = [child for pair in node.value for child in pair]
                keys: set[tuple[str, str]] = set()
                for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                    if (key.tag, key.value) in keys:
                        problem = f"{shown(key.value)} is there twice"
                        raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                    keys.add((key.tag, key.value))
            self.sizes[node] = 1 + sum(self.sizes[child] for child in children)
        if node.end_mark is None or self.sizes[node] > LARGEST:
            problem = "its aliases contain themselves, or are too many"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node


def check_file(path: str | Path) -> None:
    """What is wrong with a file as a whole, before Snakemake reads it: that it is not there, no YAML, no mapping.

    Raises SuperpositionError: one line that names the file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        try:
            content = json.loads(text)  # as Snakemake does
        except ValueError:
            content = yaml.load(text, _Loader)
    except OSError as error:
        raise SuperpositionError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        line = (error.problem_mark or error.context_mark).line + 1
        raise SuperpositionError(f"{path}, line {line}: {problem}") from None
    except Exception as error:  # whatever it is that YAML makes of text: a month that is not there, a deep nest
        raise SuperpositionError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise SuperpositionError(f"{path}: should be a mapping of keys, such as experiments, to their values")
    _known("config", content, _File.model_fields)  # Snakemake would take some keys for its own


ESSENTIAL = ["model", "n", "m"]  # of an experiment: what no default can say
EXTRA_KEYS = ("stated", "quick")  # of an experiment, beside those of its sweep
# Parts of a recipe that the claims under ``sensitivity`` are judged again with.
VARIED = {"batch": "batch size", "learning_rate": "learning rate", "steps": "steps"}
BRIEF = 2.5e10  # what one core trains in some twenty seconds; see Sweep.work
CUSTOM = "custom"  # the section of the sweeps that no figure of the file names
NEURONS = {
    "relu_hidden": "W, neurons in the order of their most important features, WᵀW",
    "absolute": "W_1 and W_2, neurons in the order of their most important features",
}


@dataclass(frozen=True)
class Config:
    """The configuration at one scale, checked as a whole."""

    scale: Scale
    device: Device
    sweeps: dict[str, Sweep]
    small: dict[str, Sweep]  # those of scale quick, with what is VARIED as at this one
    stated: dict[str, tuple[str, ...]]  # by experiment: the keys whose values are those that the paper states
    sensitivity: dict[str, tuple[str, ...]]  # by section: claims that are judged again with other recipes
    sections: dict[str, Section]
    figures: dict[str, Figure]

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Config":
        """Raises SuperpositionError: one line that names the key at fault and what is allowed."""
        try:
            file = _File.model_validate(raw)
        except ValidationError as error:
            raise SuperpositionError(explain(error, "config")) from None
        _known("config.defaults", file.defaults, [k for k in Sweep.model_fields if k not in ESSENTIAL])
        for name, figure in file.figures.items():
            _known(f"config.figures.{name}.experiments", figure.experiments, file.experiments)
            _known(f"config.figures.{name}.section", [figure.section], file.sections)
        for section, stage in itertools.product(file.sections, STAGES):
            if not (SECTIONS / section / f"{stage}.py").is_file():
                raise SuperpositionError(
                    f"config.sections.{section}: there is no module superposition/paper/{section}/{stage}.py"
                )
        sweeps, small, stated = {}, {}, {}
        for name, entry in file.experiments.items():
            where = f"config.experiments.{name}"
            quick = entry.get("quick", {})
            if not isinstance(quick, dict):
                raise SuperpositionError(f"{where}.quick: should be a mapping of keys to their values at scale quick")
            own = {k: v for k, v in entry.items() if k not in EXTRA_KEYS}
            # Both scales are checked, whichever is run.
            by_scale = {
                "paper": Sweep.parse({**file.defaults, **own}, where),
                "quick": Sweep.parse(
                    {**file.defaults, **own, **quick}, f"{where} (at scale quick)" if quick else where
                ),
            }
            sweeps[name] = by_scale[file.scale]
            small[name] = by_scale["quick"].model_copy(update={key: getattr(sweeps[name], key) for key in VARIED})
            keys = entry.get("stated", [])
            if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                raise SuperpositionError(f"{where}.stated: should be a list of keys, not {shown(keys)}")
            _known(f"{where}.stated", keys, Sweep.model_fields)
            stated[name] = tuple(key for key in keys if file.scale == "paper" or key not in quick)
        if CUSTOM in file.sections:
            raise SuperpositionError(f"config.sections.{CUSTOM}: this name is for the sweeps that no figure names")
        named = {name for figure in file.figures.values() for name in figure.experiments}
        own = {name: _own_figures(name, sweep) for name, sweep in sweeps.items() if name not in named}
        for name, figures in own.items():
            if taken := set(figures) & set(file.figures):
                raise SuperpositionError(
                    f"config.experiments.{name}: no figure names it, so it has one of its own, {min(taken)}; "
                    "but config.figures has another of this name"
                )
        # What is not of the paper comes after it; Snakemake puts first what it merges into the file.
        sections = dict(sorted(file.sections.items(), key=lambda item: item[1].anchor is None))
        return cls(
            file.scale,
            file.device,
            sweeps,
            small,
            stated,
            _by_section(file),
            sections=sections | ({CUSTOM: Section(title="Own sweeps")} if own else {}),
            figures=file.figures | {figure: about for figures in own.values() for figure, about in figures.items()},
        )

    def figures_of(self, section: str) -> list[str]:
        """The names of a section's figures, in the order of the file."""
        return [name for name, figure in self.figures.items() if figure.section == section]

    def small_sweeps(self, section: str) -> dict[str, dict[str, Sweep]]:
        """By figure of a section and by experiment: what is trained to see how far verdicts depend on the recipe."""
        return {f: {e: self.small[e] for e in self.figures[f].experiments} for f in self.figures_of(section)}

    def batches(self) -> dict[str, tuple[str, ...]]:
        """The experiments of every training job, by its name: that of the first of them, and how many more there are.

        At scale quick those of a group share a job, as long as it trains for no more than ``BRIEF``: that long it may
        train what only another figure needs, or train again what did not change. Not where all have to find a GPU: how
        they come by one says a profile, of jobs with one experiment.
        """
        most = BRIEF if self.scale == "quick" and self.device != "cuda" else 0
        group = {name: self._group(f) for f in reversed(self.figures) for name in self.figures[f].experiments}
        jobs: list[list[str]] = []
        for name in self.sweeps:
            alike = (job for job in jobs if group[job[0]] == group[name])
            with_room = (job for job in alike if sum(self.sweeps[e].work for e in (*job, name)) <= most)
            if job := next(with_room, None):
                job.append(name)
            else:
                jobs.append([name])
        return _by_first(jobs)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The figures of every job that measures, and of every one that draws, by its name, as in :meth:`batches`.

        At scale quick those of a group of sections share one: most of it would be start-up. At scale paper each can be
        had alone.
        """
        if self.scale == "paper":
            return {name: (name,) for name in self.figures}
        alike: dict[tuple[str, ...], list[str]] = {}
        for name in self.figures:
            alike.setdefault(self._group(name), []).append(name)
        return _by_first(alike.values())

    def _group(self, figure: str) -> tuple[str, ...]:
        """Alike for figures that may share jobs. Own sweeps come and go one by one."""
        about = self.figures[figure]
        if about.section == CUSTOM:
            return (CUSTOM, *about.experiments)
        return (self.sections[about.section].group or about.section,)

    def animated(self) -> list[str]:
        """Figures that there is an animation of."""
        return [name for name, figure in self.figures.items() if figure.animated]


def _by_first(jobs: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """What shares a job, by the first of it and how many more there are."""
    return {job[0] + (f"-and-{len(job) - 1}" if job[1:] else ""): tuple(job) for job in jobs}


def _by_section(file: _File) -> dict[str, tuple[str, ...]]:
    """The claims under ``sensitivity``; at scale quick none."""
    claims = file.sensitivity if file.scale == "paper" else ()
    sections = dict.fromkeys(claim.partition(".")[0] for claim in file.sensitivity)
    _known("config.sensitivity", sections, file.sections)
    return {s: found for s in sections if (found := tuple(c for c in claims if c.startswith(f"{s}.")))}


def _own_figures(name: str, sweep: Sweep) -> dict[str, Figure]:
    """The standard figures of a sweep that no figure of the file names."""
    matrices = NEURONS.get(sweep.model, "WᵀW")
    about = {
        "gram": ("the models", f"{matrices}, the bias b, and the norms ‖W_i‖ coloured by superposition."),
        "points": ("features as points", "The columns of W in the hidden space, coloured by importance."),
        "dimensionality": (
            "the dimensionality of every feature",
            "D_i of every feature, those of a model side by side, and the values that polytopes have.",
        ),
    }
    best = " At every point the restart with the lowest loss."
    return {
        f"{name}_{kind}": Figure(section=CUSTOM, title=f"{name}: {title}", shows=shows + best, experiments=(name,))
        for kind, (title, shows) in about.items()
        if kind != "points" or sweep.m in (2, 3)
    }


def _known(where: str, names: Any, allowed: Any) -> None:
    for name in names:
        if name not in allowed:
            raise SuperpositionError(f"{where}: unknown {shown(name)}, allowed are {', '.join(allowed)}")


def schema() -> dict[str, Any]:
    """The JSON schema of ``config.yaml``."""
    sweep = Sweep.model_json_schema()
    definitions = sweep.pop("$defs", {})
    keys = sweep["properties"]
    # An axis may be written as one value, a list or a logarithmic range; pydantic's schema knows only its parsed form.
    span = {
        "type": "object",
        "properties": {"from": {"type": "number"}, "to": {"type": "number"}, "points": {"type": "integer"}},
        "required": ["from", "to", "points"],
        "additionalProperties": False,
    }
    for axis in (keys["density"], definitions["Relative"]["properties"]["ratio"]):
        item = axis.pop("items")
        axis.pop("type"), axis.pop("minItems", None)
        axis["anyOf"] = [item, {"type": "array", "items": item, "minItems": 1}, span]
    by_name = {"enum": ["independent", "signed"]}
    one = {"anyOf": [by_name, {"$ref": "#/$defs/Distribution"}]}
    keys["distribution"] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "default": "independent"}
    own = {"type": "object", "properties": keys, "additionalProperties": False}
    defaults = {**own, "properties": {k: v for k, v in keys.items() if k not in ESSENTIAL}}
    stated = {"type": "array", "items": {"enum": list(keys)}, "description": "keys whose values the paper states"}
    experiment = {
        **own,
        "properties": {**keys, "stated": stated, "quick": {**own, "description": "what differs at scale quick"}},
        "required": ESSENTIAL,
    }
    file = _File.model_json_schema()
    file["properties"]["defaults"] = defaults
    file["properties"]["experiments"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Experiment"},
        "minProperties": 1,
    }
    for names in ("experiments", "sections", "figures"):
        file["properties"][names]["propertyNames"] = {"pattern": NAME, "maxLength": LONGEST}
    file["properties"]["sections"]["propertyNames"]["not"] = {"const": CUSTOM}
    file["$defs"] |= definitions | {"Experiment": experiment}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **file, "title": "config.yaml"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))

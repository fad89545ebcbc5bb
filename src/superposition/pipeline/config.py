"""The contents of ``config.yaml``: what it may say, and what it means at each scale."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.sweep import Sweep
from superposition.core.validation import Strict, as_tuple, check_known, explain

PAPER_URL = "https://transformer-circuits.pub/2022/toy_model/index.html"
SECTIONS = Path(__file__).parents[1] / "paper"
# The stages of a section, each of which is a module of it.
STAGES = ("measure", "draw", "judge")
# Names of experiments, sections and figures are parts of file names.
NAME_PATTERN = "^[a-z][a-z0-9_]*$"
MAX_NAME_LENGTH = 100
# Keys that every experiment has to give, because no default makes sense.
REQUIRED_KEYS = ["model", "n", "m"]
# Keys of an experiment that are not fields of its sweep.
EXTRA_KEYS = ("from_paper", "quick", "family")
# Training settings that are varied to test how robust verdicts are, and their names in tables.
VARIED = {"batch": "batch size", "learning_rate": "learning rate", "steps": "steps"}
# The section of custom sweeps: those of the experiments that no figure in the configuration uses.
CUSTOM = "custom"
# What the standard figure ``gram`` draws of models whose hidden layer has neurons.
NEURON_MATRICES = {
    "relu_hidden": "W, neurons ordered by their most important features, WᵀW",
    "absolute": "W_1 and W_2, neurons ordered by their most important features",
}

Scale = Literal["paper", "quick"]
Device = Literal["auto", "cpu", "cuda"]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME_LENGTH)]
Names = Annotated[tuple[Name, ...], BeforeValidator(as_tuple)]
# Text without control characters, so that it is valid in HTML, XML and JSON.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]


class Section(Strict):
    """A section of the report; its modules are ``superposition.paper.<id>.measure``, ``draw`` and ``judge``."""

    title: Text
    anchor: Annotated[
        str | None,
        Field(
            pattern=r"^#",
            description="link to the section in the paper's web version; null if the paper has no such section",
        ),
    ] = None
    group: Annotated[
        Name | None,
        Field(description="the sections of a group share jobs at scale quick; null if this one shares none"),
    ] = None


class Figure(Strict):
    """A figure, and the experiments that it needs."""

    section: Name
    title: Text
    shows: Annotated[Text, Field(description="what the figure shows; for a figure of the paper, in our words")]
    experiments: Annotated[Names, Field(description="the experiments that it needs; empty if nothing is trained")] = ()
    best: Annotated[Names, Field(description="those of its experiments whose best known models it shows, too")] = ()
    animated: Annotated[bool, Field(description="whether the section's function `animate` also makes a GIF of it")] = (
        False
    )


class ConfigFile(Strict):
    """The configuration as written, before experiments are combined with the defaults."""

    scale: Scale = "paper"
    device: Device = "auto"
    defaults: Annotated[dict[str, Any], Field(default_factory=dict)]
    sensitivity: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z0-9_]+$")], ...],
        BeforeValidator(as_tuple),
        Field(description="claims that are judged again with varied training configurations, at scale paper"),
    ] = ()
    experiments: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    sections: Annotated[dict[Name, Section], Field(min_length=1)]
    figures: Annotated[dict[Name, Figure], Field(min_length=1)]


@dataclass(frozen=True)
class Config:
    """The whole configuration at one scale, validated.

    Attributes:
        scale: The scale of the run.
        device: What models are trained on.
        sweeps: The sweep of every experiment.
        reduced: The same sweeps on the grids of scale quick, with the settings ``VARIED`` of this scale.
        families: The experiments whose best models are searched together, by name of the family. One that names no
            family is searched alone; custom sweeps are not searched.
        from_paper: The keys of every experiment whose values the paper states.
        sensitivity: The claims to judge again with varied training configurations, by section.
        sections: The sections, those of the paper first.
        figures: The figures, those of custom sweeps last.
    """

    scale: Scale
    device: Device
    sweeps: dict[str, Sweep]
    reduced: dict[str, Sweep]
    families: dict[str, tuple[str, ...]]
    from_paper: dict[str, tuple[str, ...]]
    sensitivity: dict[str, tuple[str, ...]]
    sections: dict[str, Section]
    figures: dict[str, Figure]

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Config":
        """Build the configuration from the contents of ``config.yaml``.

        Raises:
            SuperpositionError: The configuration is invalid at either scale. The message is one line that names the
                key at fault and what is allowed.
        """
        try:
            file = ConfigFile.model_validate(raw)
        except ValidationError as error:
            raise SuperpositionError(explain(error, "config")) from None
        check_known("config.defaults", file.defaults, [k for k in Sweep.model_fields if k not in REQUIRED_KEYS])
        for name, figure in file.figures.items():
            check_known(f"config.figures.{name}.experiments", figure.experiments, file.experiments)
            check_known(f"config.figures.{name}.best", figure.best, figure.experiments)
            check_known(f"config.figures.{name}.section", [figure.section], file.sections)
        for section, stage in itertools.product(file.sections, STAGES):
            if not (SECTIONS / section / f"{stage}.py").is_file():
                raise SuperpositionError(
                    f"config.sections.{section}: there is no module superposition/paper/{section}/{stage}.py"
                )
        if CUSTOM in file.sections:
            raise SuperpositionError(
                f"config.sections.{CUSTOM}: this name is reserved for the section of custom sweeps"
            )
        sweeps, reduced, from_paper = {}, {}, {}
        for name, entry in file.experiments.items():
            by_scale = _parse_sweeps(name, entry, file.defaults)
            sweeps[name] = by_scale[file.scale]
            reduced[name] = by_scale["quick"].model_copy(update={key: getattr(sweeps[name], key) for key in VARIED})
            from_paper[name] = _parse_from_paper(name, entry, file.scale)
        used = {name for figure in file.figures.values() for name in figure.experiments}
        custom = {name: _custom_figures(name, sweep) for name, sweep in sweeps.items() if name not in used}
        for name, figures in custom.items():
            if duplicates := set(figures) & set(file.figures):
                raise SuperpositionError(
                    f"config.experiments.{name}: no figure uses this experiment, so it gets a standard figure "
                    f"{min(duplicates)}, but config.figures already has a figure of that name; rename one of them"
                )
        # Sections that are not in the paper come last. Snakemake puts what it merges into the file first.
        sections = dict(sorted(file.sections.items(), key=lambda item: item[1].anchor is None))
        return cls(
            file.scale,
            file.device,
            sweeps,
            reduced,
            _families(file, used),
            from_paper,
            _sensitivity_by_section(file),
            sections=sections | ({CUSTOM: Section(title="Custom sweeps")} if custom else {}),
            figures=file.figures | {name: figure for figures in custom.values() for name, figure in figures.items()},
        )

    def searched(self, figure: str) -> list[str]:
        """Return the families that hold the best known models which a figure shows."""
        shown = self.figures[figure].best
        return [family for family, names in self.families.items() if not set(names).isdisjoint(shown)]

    def figures_of(self, section: str) -> list[str]:
        """Return the names of a section's figures, in the order of the file."""
        return [name for name, figure in self.figures.items() if figure.section == section]

    def reduced_sweeps(self, section: str) -> dict[str, dict[str, Sweep]]:
        """Return the reduced sweeps of a section, by figure and then by experiment."""
        return {f: {e: self.reduced[e] for e in self.figures[f].experiments} for f in self.figures_of(section)}

    def animated(self) -> list[str]:
        """Return the names of the figures that are also animated."""
        return [name for name, figure in self.figures.items() if figure.animated]


def _parse_sweeps(name: str, entry: dict[str, Any], defaults: dict[str, Any]) -> dict[Scale, Sweep]:
    """Build the sweep of an experiment at every scale, so that each is validated whichever is run."""
    where = f"config.experiments.{name}"
    quick = entry.get("quick", {})
    if not isinstance(quick, dict):
        raise SuperpositionError(f"{where}.quick: should be a mapping of keys to their values at scale quick")
    keys = defaults | {k: v for k, v in entry.items() if k not in EXTRA_KEYS}
    return {
        "paper": Sweep.parse(keys, where),
        "quick": Sweep.parse(keys | quick, f"{where} (at scale quick)" if quick else where),
    }


def _parse_from_paper(name: str, entry: dict[str, Any], scale: Scale) -> tuple[str, ...]:
    """Return the keys of an experiment whose values the paper states, except those that the scale changes."""
    where, keys = f"config.experiments.{name}.from_paper", entry.get("from_paper", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise SuperpositionError(f"{where}: should be a list of keys, not {short_repr(keys)}")
    check_known(where, keys, Sweep.model_fields)
    return tuple(key for key in keys if scale == "paper" or key not in entry.get("quick", {}))


def _families(file: ConfigFile, used: set[str]) -> dict[str, tuple[str, ...]]:
    """Group the experiments of the paper's figures by family."""
    families: dict[str, tuple[str, ...]] = {}
    for name, entry in file.experiments.items():
        family = entry.get("family", name)
        if not isinstance(family, str) or not re.match(NAME_PATTERN, family):
            raise SuperpositionError(f"config.experiments.{name}.family: should be a name, not {short_repr(family)}")
        if name in used:
            families[family] = (*families.get(family, ()), name)
    return families


def _sensitivity_by_section(file: ConfigFile) -> dict[str, tuple[str, ...]]:
    """Group the claims under ``sensitivity`` by section; return none of them at scale quick."""
    claims = file.sensitivity if file.scale == "paper" else ()
    sections = dict.fromkeys(claim.partition(".")[0] for claim in file.sensitivity)
    check_known("config.sensitivity", sections, file.sections)
    return {s: found for s in sections if (found := tuple(c for c in claims if c.startswith(f"{s}.")))}


def _custom_figures(name: str, sweep: Sweep) -> dict[str, Figure]:
    """Return the standard figures of a custom sweep."""
    matrices = NEURON_MATRICES.get(sweep.model, "WᵀW")
    captions = {
        "gram": ("the models", f"{matrices}, the bias b, and the norms ‖W_i‖ coloured by superposition."),
        "points": ("features as points", "The columns of W in the hidden space, coloured by importance."),
        "dimensionality": (
            "the dimensionality of every feature",
            "D_i of every feature, model by model, and the values that polytopes have.",
        ),
    }
    best = " At every point of the grid, the restart with the lowest loss is shown."
    return {
        f"{name}_{kind}": Figure(section=CUSTOM, title=f"{name}: {title}", shows=shows + best, experiments=(name,))
        for kind, (title, shows) in captions.items()
        if kind != "points" or sweep.m in (2, 3)
    }

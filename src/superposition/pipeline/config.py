"""What ``config.yaml`` may say, and what it means."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.sweep import Sweep
from superposition.core.validation import Strict, as_tuple, check_known, explain

PAPER = "https://transformer-circuits.pub/2022/toy_model/index.html"
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


class File(Strict):
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


ESSENTIAL = ["model", "n", "m"]  # of an experiment: what no default can say
EXTRA_KEYS = ("stated", "quick")  # of an experiment, beside those of its sweep
# Parts of a recipe that the claims under ``sensitivity`` are judged again with.
VARIED = {"batch": "batch size", "learning_rate": "learning rate", "steps": "steps"}
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
            file = File.model_validate(raw)
        except ValidationError as error:
            raise SuperpositionError(explain(error, "config")) from None
        check_known("config.defaults", file.defaults, [k for k in Sweep.model_fields if k not in ESSENTIAL])
        for name, figure in file.figures.items():
            check_known(f"config.figures.{name}.experiments", figure.experiments, file.experiments)
            check_known(f"config.figures.{name}.section", [figure.section], file.sections)
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
                raise SuperpositionError(f"{where}.stated: should be a list of keys, not {short_repr(keys)}")
            check_known(f"{where}.stated", keys, Sweep.model_fields)
            stated[name] = tuple(key for key in keys if file.scale == "paper" or key not in quick)
        if CUSTOM in file.sections:
            raise SuperpositionError(f"config.sections.{CUSTOM}: this name is for the sweeps that no figure names")
        named = {name for figure in file.figures.values() for name in figure.experiments}
        own = {name: _custom_figures(name, sweep) for name, sweep in sweeps.items() if name not in named}
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

    def animated(self) -> list[str]:
        """Figures that there is an animation of."""
        return [name for name, figure in self.figures.items() if figure.animated]


def _by_section(file: File) -> dict[str, tuple[str, ...]]:
    """The claims under ``sensitivity``; at scale quick none."""
    claims = file.sensitivity if file.scale == "paper" else ()
    sections = dict.fromkeys(claim.partition(".")[0] for claim in file.sensitivity)
    check_known("config.sensitivity", sections, file.sections)
    return {s: found for s in sections if (found := tuple(c for c in claims if c.startswith(f"{s}.")))}


def _custom_figures(name: str, sweep: Sweep) -> dict[str, Figure]:
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

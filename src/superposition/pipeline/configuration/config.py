"""The contents of ``config.yaml``: what it may say, and what it means at each scale."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.grid import MAX_SEED
from superposition.core.experiment.sweep import Sweep
from superposition.core.validation import Strict, as_tuple, check_known, explain
from superposition.pipeline.configuration.sections import Figure, Name, Section, read_sections
from superposition.pipeline.stages import CUSTOM

# Keys that every experiment has to give, because no default makes sense.
REQUIRED_KEYS = ["model", "n", "m"]
# Training settings that are varied to test how robust verdicts are, and their names in tables.
VARIED = {"batch": "batch size", "learning_rate": "learning rate", "steps": "steps"}

Scale = Literal["paper", "quick"]
Device = Literal["auto", "cpu", "cuda"]


class Experiment(Strict):
    """An entry of ``experiments``: these keys, beside those of its sweep."""

    model_config = ConfigDict(extra="allow")

    from_paper: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple), Field(description="keys whose values are stated in the paper")
    ] = ()
    quick: Annotated[dict[str, Any], Field(default_factory=dict, description="values that differ at scale quick")]
    family: Annotated[
        Name | None,
        Field(description="experiments of one family try each other's models in the search for the best ones"),
    ] = None


class ConfigFile(Strict):
    """The configuration as written, before experiments are combined with the defaults."""

    scale: Scale = "paper"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="replaces all random numbers by others")] = 0
    other_seeds: Annotated[
        int, Field(ge=1, le=MAX_SEED, description="number of seeds under which the target robustness judges all claims")
    ] = 10
    one_core_work: Annotated[
        float, Field(ge=0, description="work of training, in feature values, below which a sweep trains on one core")
    ] = 4.5e10
    defaults: Annotated[dict[str, Any], Field(default_factory=dict)]
    sensitivity: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z0-9_]+$")], ...],
        BeforeValidator(as_tuple),
        Field(description="claims that are judged again with varied training configurations, at scale paper"),
    ] = ()
    experiments: Annotated[dict[Name, Experiment], Field(min_length=1)]


@dataclass(frozen=True)
class Config:
    """The whole configuration at one scale, validated.

    Attributes:
        scale: The scale of the run.
        device: What models are trained on.
        seed: The seed of all sweeps that do not set one themselves.
        other_seeds: The seeds under which the target ``robustness`` judges all claims again.
        one_core_work: The work (see ``Sweep.work``) below which a sweep trains on one core, in one job.
        sweeps: The sweep of every experiment.
        reduced: The same sweeps on the grids of scale quick, with the settings ``VARIED`` of this scale.
        families: The experiments whose best models are searched together, by family; one that names no family is
            searched alone. Sweeps that only the reference engine can train are not searched.
        from_paper: The keys of every experiment whose values the paper states.
        sensitivity: The claims to judge again with varied training configurations, by section.
        sections: The sections, those of the paper first.
        figures: The figures, those of custom sweeps last.
    """

    scale: Scale
    device: Device
    seed: int
    other_seeds: tuple[int, ...]
    one_core_work: float
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
        sweeps, reduced, from_paper = {}, {}, {}
        for name, entry in file.experiments.items():
            by_scale = _parse_sweeps(name, entry, {"seed": file.seed} | file.defaults)
            sweeps[name] = by_scale[file.scale]
            reduced[name] = by_scale["quick"].model_copy(update={key: getattr(sweeps[name], key) for key in VARIED})
            check_known(f"config.experiments.{name}.from_paper", entry.from_paper, Sweep.model_fields)
            from_paper[name] = tuple(k for k in entry.from_paper if file.scale == "paper" or k not in entry.quick)
        sections = _with_custom_sweeps(read_sections(), sweeps)
        families = _families(file.experiments, sweeps)
        searched = {name for family in families.values() for name in family}
        return cls(
            file.scale,
            file.device,
            file.seed,
            tuple(seed for seed in range(file.other_seeds + 1) if seed != file.seed)[: file.other_seeds],
            file.one_core_work,
            sweeps,
            reduced,
            families,
            from_paper,
            _sensitivity_by_section(file, sections),
            sections,
            _figures(sections, file.experiments, searched),
        )

    def figures_of(self, section: str) -> list[str]:
        """Return the names of a section's figures, in the order of the report."""
        return list(self.sections[section].figures)

    def families_of_best(self, figure: str) -> list[str]:
        """Return the families in which the best known models of a figure are searched."""
        best = self.figures[figure].best
        return [family for family, members in self.families.items() if not set(members).isdisjoint(best)]

    def reduced_sweeps(self, section: str) -> dict[str, dict[str, Sweep]]:
        """Return the reduced sweeps of a section, by figure and then by experiment.

        Figures that need the best known models are left out, because these are not searched again.
        """
        figures = [name for name in self.figures_of(section) if not self.figures[name].best]
        return {f: {e: self.reduced[e] for e in self.figures[f].experiments} for f in figures}

    def animated(self) -> list[str]:
        """Return the names of the figures that are also animated."""
        return [name for name, figure in self.figures.items() if figure.animated]


def _parse_sweeps(name: str, entry: Experiment, defaults: dict[str, Any]) -> dict[Scale, Sweep]:
    """Build the sweep of an experiment at every scale, so that each is validated whichever is run."""
    where, keys = f"config.experiments.{name}", defaults | (entry.model_extra or {})
    return {
        "paper": Sweep.parse(keys, where),
        "quick": Sweep.parse(keys | entry.quick, f"{where} (at scale quick)" if entry.quick else where),
    }


def _families(experiments: Mapping[str, Experiment], sweeps: Mapping[str, Sweep]) -> dict[str, tuple[str, ...]]:
    """Group the experiments that can be searched by family.

    An experiment without a family is searched under its own name. If a family has that name, ``-alone`` is added, which
    no name of an experiment or a family can contain.
    """
    families: dict[str, tuple[str, ...]] = {}
    named = {entry.family for entry in experiments.values()}
    for name, entry in experiments.items():
        if sweeps[name].compiled:
            family = entry.family or (f"{name}-alone" if name in named else name)
            families[family] = (*families.get(family, ()), name)
    return families


def _sensitivity_by_section(file: ConfigFile, known: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Group the claims under ``sensitivity`` by section, each once; return none of them at scale quick."""
    claims = dict.fromkeys(file.sensitivity if file.scale == "paper" else ())
    sections = dict.fromkeys(claim.partition(".")[0] for claim in file.sensitivity)
    check_known("config.sensitivity", sections, known)
    return {s: found for s in sections if (found := tuple(c for c in claims if c.startswith(f"{s}.")))}


def _with_custom_sweeps(sections: dict[str, Section], sweeps: Mapping[str, Sweep]) -> dict[str, Section]:
    """Give the section of custom sweeps the standard figures of every experiment that no figure uses, and put it last.

    Without such experiments there is no such section.
    """
    standard = sections.pop(CUSTOM)
    used = {name for section in sections.values() for entry in section.figures.values() for name in entry.experiments}
    figures = {
        f"{name}_{kind}": entry.model_copy(update={"title": f"{name}: {entry.title}", "experiments": (name,)})
        for name, sweep in sweeps.items()
        if name not in used
        for kind, entry in standard.figures.items()
        if kind != "points" or sweep.m in (2, 3)
    }
    return sections | ({CUSTOM: standard.model_copy(update={"figures": figures})} if figures else {})


def _figures(
    sections: Mapping[str, Section], experiments: Collection[str], searched: Collection[str]
) -> dict[str, Figure]:
    """Return the figures of all sections by name; ``searched``: the experiments that have best known models."""
    figures: dict[str, Figure] = {}
    for section, about in sections.items():
        for name, entry in about.figures.items():
            where = f"paper.{section}.section.figures.{name}"
            check_known(f"{where}.experiments", entry.experiments, experiments)
            check_known(f"{where}.best", entry.best, [name for name in entry.experiments if name in searched])
            if name in figures:
                raise SuperpositionError(f"{where}: the section {figures[name].section} has a figure of this name")
            figures[name] = Figure(section=section, **dict(entry))
    return figures

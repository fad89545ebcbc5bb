"""The jobs of a full run, and the files that each of them reads and writes."""

from collections.abc import Iterator
from dataclasses import dataclass

from superposition.pipeline.config import Config
from superposition.pipeline.scheduling import figure_groups, training_batches


@dataclass(frozen=True)
class Job:
    """A job that produces results.

    Attributes:
        rule: The rule that the job runs.
        subject: A batch of experiments, a group of figures, a figure or a section; empty if the rule has a single job.
        inputs: The results that the job reads, relative to the results folder; names of folders end with a slash.
        outputs: The results that the job writes, likewise.
        stages: The stages whose code the job runs, such as ``introduction.draw``.
    """

    rule: str
    subject: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the job, which is also that of its log and of its benchmark."""
        return f"{self.rule}/{self.subject}" if self.subject else self.rule


def planned_jobs(config: Config) -> Iterator[Job]:
    """Yield the jobs of a full run, stage by stage."""
    weights = {name: f"weights/{name}.safetensors" for name in config.sweeps}
    tables = {name: f"tables/{name}/" for name in config.figures}
    reported = [*weights.values(), *tables.values(), "claims.csv"]
    for name, experiments in training_batches(config).items():
        yield Job("train", name, (), tuple(weights[experiment] for experiment in experiments))
    for family, names in config.families.items():
        yield Job("search", family, tuple(weights[name] for name in names), (f"best/{family}/",))
    yield Job("optimality", "", tuple(f"best/{family}/" for family in config.families), ("optimality.csv",))
    groups = [
        (name, figures, dict.fromkeys(config.figures[f].section for f in figures), tuple(tables[f] for f in figures))
        for name, figures in figure_groups(config).items()
    ]
    for name, figures, sections, measured in groups:
        trained = dict.fromkeys(weights[e] for figure in figures for e in config.figures[figure].experiments)
        best = dict.fromkeys(f"best/{family}/" for figure in figures for family in config.searched(figure))
        yield Job("measure", name, (*trained, *best), measured, tuple(f"{section}.measure" for section in sections))
    for name, figures, sections, measured in groups:
        pictures = tuple(f"figures/{figure}.{kind}" for kind in ("svg", "png") for figure in figures)
        reported += pictures
        yield Job("draw", name, measured, pictures, tuple(f"{section}.draw" for section in sections))
    for name in config.animated():
        reported.append(f"figures/{name}.gif")
        yield Job("animate", name, (tables[name],), (reported[-1],), (f"{config.figures[name].section}.draw",))
    yield Job("judge", "", tuple(tables.values()), ("claims.csv",), tuple(f"{name}.judge" for name in config.sections))
    for name in config.sensitivity:
        reported.append(f"sensitivity/{name}.csv")
        yield Job("vary", name, (), (reported[-1],), (f"{name}.measure", f"{name}.judge"))
    yield Job("notebook", "", tuple(reported), ("report.ipynb",))
    yield Job("report", "", ("report.ipynb",), ("report.html",))

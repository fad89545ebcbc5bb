"""All jobs of a full run: what each of them reads, and what it makes."""

from collections.abc import Iterator
from dataclasses import dataclass

from superposition.pipeline.config import Config
from superposition.pipeline.scheduling import batches, groups


@dataclass(frozen=True)
class Job:
    """A job that results come from. Its paths are relative to the results; those of folders end with a slash."""

    rule: str
    about: str  # a batch of experiments, a group of figures, one figure or a section; nothing where a rule has one job
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stages: tuple[str, ...] = ()  # of sections, as ``introduction.draw``: whose code it runs

    @property
    def name(self) -> str:
        """That of its log and its benchmark, too."""
        return f"{self.rule}/{self.about}" if self.about else self.rule


def jobs(config: Config) -> Iterator[Job]:
    """All jobs of a full run, stage by stage."""
    weights = {name: f"weights/{name}.safetensors" for name in config.sweeps}
    tables = {name: f"tables/{name}/" for name in config.figures}
    shown = [*weights.values(), *tables.values(), "claims.csv"]
    for name, experiments in batches(config).items():
        yield Job("train", name, (), tuple(weights[experiment] for experiment in experiments))
    shared = [
        (name, figures, dict.fromkeys(config.figures[f].section for f in figures), tuple(tables[f] for f in figures))
        for name, figures in groups(config).items()
    ]
    for name, figures, sections, measured in shared:
        trained = dict.fromkeys(weights[e] for figure in figures for e in config.figures[figure].experiments)
        yield Job("measure", name, tuple(trained), measured, tuple(f"{section}.measure" for section in sections))
    for name, figures, sections, measured in shared:
        pictures = tuple(f"figures/{figure}.{kind}" for kind in ("svg", "png") for figure in figures)
        shown += pictures
        yield Job("draw", name, measured, pictures, tuple(f"{section}.draw" for section in sections))
    for name in config.animated():
        shown.append(f"figures/{name}.gif")
        yield Job("animate", name, (tables[name],), (shown[-1],), (f"{config.figures[name].section}.draw",))
    yield Job("judge", "", tuple(tables.values()), ("claims.csv",), tuple(f"{name}.judge" for name in config.sections))
    for name in config.sensitivity:
        shown.append(f"sensitivity/{name}.csv")
        yield Job("vary", name, (), (shown[-1],), (f"{name}.measure", f"{name}.judge"))
    yield Job("notebook", "", tuple(shown), ("report.ipynb",))
    yield Job("report", "", ("report.ipynb",), ("report.html",))

"""Which experiments and which figures share a job.

Most jobs of scale quick would be start-up, so the sections of a group share theirs.
"""

from collections.abc import Iterable, Sequence

from superposition.pipeline.config import CUSTOM, Config

# Work that one core trains in some twenty seconds; see Sweep.work.
BRIEF = 2.5e10


def batches(config: Config) -> dict[str, tuple[str, ...]]:
    """The experiments of every training job, by its name: that of the first of them, and how many more there are.

    At scale quick those of a group share a job, as long as it trains for no more than ``BRIEF``: that long it may
    train what only another figure needs, or train again what did not change. Not where all have to find a GPU: how
    they come by one says a profile, of jobs with one experiment.
    """
    most = BRIEF if config.scale == "quick" and config.device != "cuda" else 0
    group = {name: _group(config, f) for f in reversed(config.figures) for name in config.figures[f].experiments}
    jobs: list[list[str]] = []
    for name in config.sweeps:
        alike = (job for job in jobs if group[job[0]] == group[name])
        with_room = (job for job in alike if sum(config.sweeps[e].work for e in (*job, name)) <= most)
        if job := next(with_room, None):
            job.append(name)
        else:
            jobs.append([name])
    return _by_first(jobs)


def groups(config: Config) -> dict[str, tuple[str, ...]]:
    """The figures of every job that measures, and of every one that draws, by its name, as in :func:`batches`.

    At scale quick those of a group of sections share one: most of it would be start-up. At scale paper each can be
    had alone.
    """
    if config.scale == "paper":
        return {name: (name,) for name in config.figures}
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in config.figures:
        alike.setdefault(_group(config, name), []).append(name)
    return _by_first(alike.values())


def _group(config: Config, figure: str) -> tuple[str, ...]:
    """Alike for figures that may share jobs. Custom sweeps come and go one by one."""
    about = config.figures[figure]
    if about.section == CUSTOM:
        return (CUSTOM, *about.experiments)
    return (config.sections[about.section].group or about.section,)


def _by_first(jobs: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """What shares a job, by the first of it and how many more there are."""
    return {job[0] + (f"-and-{len(job) - 1}" if job[1:] else ""): tuple(job) for job in jobs}

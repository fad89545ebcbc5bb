"""Grouping of experiments and figures into jobs.

At scale quick most of the time of a job would be start-up, so the figures of a section share jobs.
"""

from collections.abc import Iterable, Sequence

from superposition.pipeline.config import Config
from superposition.pipeline.stages import CUSTOM

# Largest work of a training job that several experiments share: about twenty seconds on one core (see ``Sweep.work``).
MAX_SHARED_WORK = 2.5e10


def training_batches(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the experiments that each training job trains, by the name of the job.

    A job is named after its first experiment and the number of further ones. At scale quick the experiments of a
    section share a job whose work is at most ``MAX_SHARED_WORK``. The bound keeps short what a job may train in vain:
    experiments that only another figure needs, or that did not change. If the configuration demands a GPU, no job is
    shared, because cluster profiles request GPUs for the rule that trains a single experiment.
    """
    limit = MAX_SHARED_WORK if config.scale == "quick" and config.device != "cuda" else 0
    groups = {name: _group(config, f) for f in reversed(config.figures) for name in config.figures[f].experiments}
    jobs: list[list[str]] = []
    for name in config.sweeps:
        same_group = (job for job in jobs if groups[job[0]] == groups[name])
        with_room = (job for job in same_group if sum(config.sweeps[e].work for e in (*job, name)) <= limit)
        if job := next(with_room, None):
            job.append(name)
        else:
            jobs.append([name])
    return _by_job_name(jobs)


def figure_groups(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the figures that each measuring job and each drawing job handles, by the name of the job.

    Jobs are named as in :func:`training_batches`. At scale quick the figures of a section share a job; at scale paper
    every figure has jobs of its own, so that it can be made alone.
    """
    if config.scale == "paper":
        return {name: (name,) for name in config.figures}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in config.figures:
        groups.setdefault(_group(config, name), []).append(name)
    return _by_job_name(groups.values())


def _group(config: Config, figure: str) -> tuple[str, ...]:
    """Return a key that is equal for figures that may share jobs; each custom sweep has one to itself."""
    section = config.figures[figure].section
    if section == CUSTOM:
        return (CUSTOM, *config.figures[figure].experiments)
    return (section,)


def _by_job_name(jobs: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Name each job after its first item and the number of further ones."""
    return {job[0] + (f"-and-{len(job) - 1}" if job[1:] else ""): tuple(job) for job in jobs}

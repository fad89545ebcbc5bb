"""Which experiments and figures share jobs."""

import pytest
from superposition.pipeline.scheduling import MAX_SHARED_WORK, figure_groups, training_batches
from tests.real import CONFIGS, RAW

from superposition.pipeline.config import Config


@pytest.mark.parametrize(
    ("limit", "jobs"),
    [(1.5e10, {"phase_3in2_optimum", "introduction-and-11"}), (2.5e10, {"introduction-and-12"})],
)
def test_experiments_that_share_a_training_job(limit: float, jobs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments share a job at scale quick alone, within their group, and up to a limit of seconds."""
    assert MAX_SHARED_WORK <= 2.5e10
    monkeypatch.setattr("superposition.pipeline.scheduling.MAX_SHARED_WORK", limit)
    paper, quick = CONFIGS.values()
    assert training_batches(paper) == {name: (name,) for name in paper.sweeps}
    found = training_batches(quick)
    assert sorted(name for names in found.values() for name in names) == sorted(quick.sweeps)
    section = {name: f.section for f in reversed(quick.figures.values()) for name in f.experiments}
    group = {name: quick.sections[section[name]].group or section[name] for name in section}
    for job, (first, *others) in found.items():
        assert job == (f"{first}-and-{len(others)}" if others else first)
        assert {group[name] for name in others} <= {group[first]}
        assert not others or sum(quick.sweeps[name].work for name in (first, *others)) <= limit
    assert jobs <= found.keys()
    on_gpu = Config.parse(RAW | {"scale": "quick", "device": "cuda"})
    assert training_batches(on_gpu) == {name: (name,) for name in quick.sweeps}


def test_figures_that_share_jobs() -> None:
    """The figures of a group share jobs at scale quick, those of a custom sweep share only with one another, and at
    scale paper each figure can be made alone."""
    entry = {"model": "linear", "n": 3, "m": 2, "density": 1}
    custom = {"experiments": RAW["experiments"] | dict.fromkeys(["phase", "other"], entry)}
    paper, quick = (Config.parse(RAW | custom | {"scale": scale}) for scale in ("paper", "quick"))
    assert figure_groups(paper) == {name: (name,) for name in paper.figures}
    found = figure_groups(quick)
    assert [name for names in found.values() for name in names] == list(quick.figures)
    phase = ("phase_2in1", "phase_3in2", "loss_surfaces")
    assert found["introduction-and-6"] == ("introduction", "basic_small", "basic_large", "theory", *phase)
    without_group = {"sections": RAW["sections"] | {"phase": {"title": "Phases"}}}
    assert figure_groups(Config.parse(RAW | without_group | {"scale": "quick"}))["phase_2in1-and-2"] == phase
    for name in ("phase", "other"):  # The first is also the name of a section.
        assert found[f"{name}_gram-and-2"] == tuple(f"{name}_{kind}" for kind in ("gram", "points", "dimensionality"))
        assert training_batches(quick)[name] == (name,)

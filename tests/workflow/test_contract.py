"""What a change makes again, and what it does not: the rerun contract, with the real Snakemake."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.workflow.project import Project

pytestmark = pytest.mark.integration

SHOWN = {"notebook", "report", "crate"}
ENDS = {"judge"} | SHOWN
TRAIN = {"train:introduction", "train_basic_small"}
SEARCH_BASIC = {"search:basic_small", "search:basic_small_linear", "optimality"}
SEARCH = {"search:introduction"} | SEARCH_BASIC


def section(name: str) -> set[str]:
    return {f"measure:{name}", f"draw:{name}"}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """A change to a file, undone afterwards to the last nanosecond."""
    before, times = path.read_text(), os.stat(path)
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_nothing_to_do_does_nothing(made: Project) -> None:
    assert made.jobs() == set()


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("src/superposition/paper/introduction/measure.py", section("introduction") | ENDS),
        ("src/superposition/paper/introduction/draw.py", {"draw:introduction"} | SHOWN),
        ("src/superposition/paper/introduction/judge.py", ENDS),
        ("src/superposition/paper/theory/__init__.py", section("theory") | ENDS),
        ("src/superposition/plotting/style.py", {"draw:introduction", "draw:theory"} | SHOWN),
        ("src/superposition/analysis/tables.py", section("introduction") | section("theory") | ENDS),
        ("src/superposition/pipeline/claims.py", ENDS),
        ("src/superposition/training/runner.py", TRAIN | SEARCH | section("introduction") | section("theory") | ENDS),
        ("src/superposition/core/draws.py", TRAIN | SEARCH | section("introduction") | section("theory") | ENDS),
        ("src/superposition/search/exchange.py", SEARCH | {"crate"}),
        ("src/superposition/pipeline/report.py", SHOWN),
        ("src/superposition/paper/basic/measure.py", set()),
    ],
)
def test_an_edit_makes_again_what_depends_on_it_and_nothing_else(made: Project, file: str, jobs: set[str]) -> None:
    with edited(made.path / file, '"""', '# A comment.\n"""'):
        assert made.jobs() == jobs


def test_an_edit_of_the_compiled_loop_trains_again(made: Project) -> None:
    with edited(made.path / "src/superposition/training/fused.cpp", "//", "// A comment.\n//"):
        assert made.jobs() >= TRAIN


def test_an_edit_of_the_template_renders_again(made: Project) -> None:
    with edited(made.path / "report/template/index.html.j2", "62rem", "60rem"):
        assert made.jobs() == {"report", "crate"}


def test_a_touched_file_with_its_old_content_makes_nothing_again(made: Project) -> None:
    """A checkout of another branch and back changes times, not content."""
    path = made.path / "src/superposition/training/runner.py"
    times = os.stat(path)
    os.utime(path)
    assert made.jobs() == set()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("experiment", "jobs"),
    [
        ("introduction", {"train:introduction", "search:introduction", "optimality"} | section("introduction") | ENDS),
        ("basic_small_linear", {"train_basic_small"} | SEARCH_BASIC | section("theory") | ENDS),
    ],
)
def test_a_change_of_one_experiment_trains_that_one(made: Project, experiment: str, jobs: set[str]) -> None:
    """Or the job that it shares, and nothing of other figures."""
    config = made.config()
    config["experiments"][experiment]["steps"] += 1
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs() == jobs


@pytest.mark.parametrize(("part", "key"), [("figures", "title"), ("figures", "shows"), ("sections", "title")])
def test_an_edit_of_a_caption_or_a_category_draws_nothing_again(made: Project, part: str, key: str) -> None:
    """Words about a figure are in the report and the record, not in its drawing."""
    config = made.config()
    config[part]["introduction"][key] += " And more."
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs() == SHOWN


def test_an_own_sweep_is_made_with_the_rest_and_disturbs_nothing(made: Project) -> None:
    config = made.config()
    config["experiments"]["mine"] = {"model": "relu_output", "n": 3, "m": 2, "density": [0.5, 0.1], "steps": 5}
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs("results/quick/weights/mine.safetensors") == {"train:mine"}
        assert made.jobs() == {"train:mine", "measure_mine_gram", "draw_mine_gram"} | ENDS


def test_one_figure_alone(fresh: Project) -> None:
    jobs = fresh.jobs("results/quick/figures/introduction.png")
    assert jobs == {"train:introduction", "measure:introduction", "draw:introduction"}


def test_what_is_taken_away_goes_from_the_verdicts_and_the_report(made: Project) -> None:
    """No input is newer then: the claims of a section that is no more would stay."""
    config = made.config()
    config["sensitivity"] = []
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        for part in ("figures", "sections"):
            del config[part]["introduction"]
            made.configure(config)
            assert made.jobs() >= ENDS
        config["figures"]["introduction"] = made.config()["figures"]["theory"]
        made.configure(config)
        assert made.jobs() >= ENDS

"""Test with the real Snakemake what each change makes again, and what it does not."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.workflow.project import Project

pytestmark = pytest.mark.integration

SHOWN = {"notebook", "report", "crate"}
JUDGED = {"judge"} | SHOWN
ENDS = JUDGED | {"explorer"}
SEARCH = {"search:pentagon", "search:basic", "search:uniform", "optimality"}
TRAIN = {f"train:{name}" for name in ("introduction", "basic_small", "basic_small_linear", "uniform_400_30")}


def section(name: str) -> set[str]:
    return {f"measure:{name}", f"draw:{name}"}


INTRODUCTION = section("introduction") | section("interference")
DRAWN = {name for name in INTRODUCTION if name.startswith("draw:")}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Change a file, and undo that afterwards to the last nanosecond."""
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
        ("src/superposition/paper/introduction/measure.py", INTRODUCTION | ENDS),
        ("src/superposition/paper/introduction/draw.py", DRAWN | SHOWN),
        ("src/superposition/paper/introduction/judge.py", JUDGED),
        ("src/superposition/paper/theory/__init__.py", section("theory") | ENDS),
        ("src/superposition/plotting/style.py", DRAWN | {"draw:theory"} | SHOWN),
        ("src/superposition/analysis/tables.py", INTRODUCTION | section("theory") | ENDS),
        ("src/superposition/pipeline/judging/claims.py", JUDGED),
        ("src/superposition/training/runner.py", TRAIN | SEARCH | INTRODUCTION | section("theory") | ENDS),
        ("src/superposition/core/draws.py", TRAIN | SEARCH | INTRODUCTION | section("theory") | ENDS),
        ("src/superposition/search/exchange.py", SEARCH | {"explorer"} | SHOWN),
        ("src/superposition/search/summary.py", {"optimality"} | SHOWN),
        ("src/superposition/pipeline/report/notebook.py", SHOWN),
        ("src/superposition/paper/custom/measure.py", set()),
    ],
)
def test_an_edit_makes_again_what_depends_on_it_and_nothing_else(made: Project, file: str, jobs: set[str]) -> None:
    with edited(made.path / file, '"""', '# A comment.\n"""'):
        assert made.jobs() == jobs


def test_an_edit_of_the_compiled_loop_trains_again(made: Project) -> None:
    with edited(made.path / "src/superposition/training/fused.cpp", "//", "// A comment.\n//"):
        assert made.jobs() >= TRAIN


@pytest.mark.parametrize(
    ("file", "old", "new", "job"),
    [
        ("report/template/index.html.j2", "62rem", "60rem", "report"),
        ("report/explorer/index.html.j2", "</html>", "</html><!-- -->", "explorer"),
        ("report/explorer/style.css", "72rem", "70rem", "explorer"),
        ("report/explorer/training.js", "//", "// A comment.\n//", "explorer"),
    ],
)
def test_an_edit_of_a_page_makes_it_again(made: Project, file: str, old: str, new: str, job: str) -> None:
    with edited(made.path / file, old, new):
        assert made.jobs() == {job, "crate"}


def test_a_touched_file_with_its_old_content_makes_nothing_again(made: Project) -> None:
    """Checking out another branch and returning changes times, not content, and nothing is made again."""
    path = made.path / "src/superposition/training/runner.py"
    times = os.stat(path)
    os.utime(path)
    assert made.jobs() == set()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("experiment", "jobs"),
    [
        ("introduction", {"train:introduction", "search:pentagon", "optimality"} | INTRODUCTION | ENDS),
        (
            "basic_small_linear",
            {"train:basic_small_linear", "search:basic", "optimality"} | section("theory") | ENDS,
        ),
    ],
)
def test_a_change_of_one_experiment_trains_that_one(made: Project, experiment: str, jobs: set[str]) -> None:
    config = made.config()
    config["experiments"][experiment]["steps"] += 1
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs() == jobs


def test_a_figure_of_fewer_experiments_is_measured_again(made: Project) -> None:
    """Its tables are made again, although none of the weights that are left is newer."""
    with edited(made.section("theory"), "[basic_small_linear, ", "["):
        assert made.jobs() >= section("theory") | ENDS


def test_a_family_of_fewer_experiments_is_searched_again(made: Project) -> None:
    """Its search is repeated, although none of the weights that are left is newer."""
    config = made.config()
    del config["experiments"]["basic_small"]["family"]
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs() >= {"search:basic", "search:basic_small", "optimality"}


def test_the_notebook_depends_on_what_the_sections_leave_out(made: Project) -> None:
    """It lists the statements that are not judged, which an edit can change without changing any verdict."""
    with edited(made.path / "src/superposition/paper/introduction/judge.py", '"""', '# A comment.\n"""'):
        assert made.jobs("--allowed-rules", "notebook", "--", "results/quick/report.ipynb") == {"notebook"}


def test_an_edit_of_a_caption_or_a_category_draws_nothing_again(made: Project) -> None:
    """Captions and categories are in the report and the record, not in the drawing."""
    with ExitStack() as stack:
        for words in ("title: Introduction", "title: Five", "The columns of W"):
            stack.enter_context(edited(made.section("introduction"), words, f"{words} and more"))
        assert made.jobs() == SHOWN | {"explorer"}


def test_a_custom_sweep_is_made_with_the_rest_and_disturbs_nothing(made: Project) -> None:
    config = made.config()
    config["experiments"]["mine"] = {"model": "relu_output", "n": 3, "m": 2, "density": [0.5, 0.1], "steps": 5}
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config)
        assert made.jobs("results/quick/weights/mine.safetensors") == {"train:mine"}
        shown = section("mine_gram") | section("mine_points") | section("mine_dimensionality")
        assert made.jobs() == {"train:mine", "search:mine", "optimality"} | shown | ENDS


def test_one_figure_alone(fresh: Project) -> None:
    jobs = fresh.jobs("results/quick/figures/introduction.png")
    assert jobs == {"train:introduction", "measure:introduction", "draw:introduction"}


def test_what_is_taken_away_goes_from_the_verdicts_and_the_report(made: Project) -> None:
    """The claims of a removed section leave the verdicts and the report, although no input is newer."""
    config, folder = made.config(), made.section("introduction").parent
    with edited(made.path / "config.yaml", (made.path / "config.yaml").read_text(), "{}"):
        made.configure(config | {"sensitivity": []})
        folder.rename(made.path / "away")
        assert made.jobs() >= ENDS
        (made.path / "away").rename(folder)

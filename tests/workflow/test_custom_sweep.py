"""What the README says of own sweeps and own figures, step by step, with the real Snakemake."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from tests.readme import block, files
from tests.workflow.project import TINY, Project

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration

OUT = Path("results/paper")
KINDS = ("gram", "points", "dimensionality")  # of the standard figures


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One section of the paper, hardly trained, and the files that the README shows; at the scale of its commands."""
    project = Project(tmp_path_factory.mktemp("own"))
    config = project.config()
    only = {kind: {"introduction": config[kind]["introduction"]} for kind in ("experiments", "sections", "figures")}
    only["experiments"]["introduction"] |= TINY
    project.configure(config | only | {"sensitivity": []})
    for path, text in files().items():
        (project.path / path).parent.mkdir(exist_ok=True)
        (project.path / path).write_text(text, encoding="utf-8")
    return project


def follow(project: Project, name: str) -> None:
    """Runs the commands of a block of the README."""
    for line in block(name).splitlines():
        snakemake, *words = shlex.split(line, comments=True)
        assert snakemake == "snakemake"
        run = project.snakemake(*words)
        assert run.returncode == 0, run.stderr


def headings(project: Project) -> list[str]:
    """Of the sections, between what comes before and after them."""
    html = (project.path / OUT / "report.html").read_text(encoding="utf-8")
    return [re.sub("<.*?>", "", heading) for heading in re.findall(r"<h2.*?>(.*?)</h2>", html)][3:-2]


def test_an_own_sweep(project: Project) -> None:
    """A file of a few lines gives weights, tables, figures and a place in the report."""
    follow(project, "own sweep")
    out = project.path / OUT
    trained = SweepResult.load(out / "weights/mine.safetensors")
    assert (trained.sweep.n, trained.sweep.m, len(trained.points)) == (6, 2, 40)
    for kind in KINDS:
        assert (out / f"figures/mine_{kind}.svg").read_text().startswith("<?xml")
        assert (out / f"figures/mine_{kind}.png").read_bytes().startswith(b"\x89PNG")
        features = pd.read_csv(out / f"tables/mine_{kind}/features.csv")
        assert len(features) == 40 * 6
        assert (features["norm"] > 0.5).any()
    assert headings(project) == ["Introduction", "Custom sweeps"]
    html = (out / "report.html").read_text(encoding="utf-8")
    at = [html.index(f'id="figure-{name}"') for name in ("introduction", "mine_gram", "mine_points")]
    assert at == sorted(at)
    command = "snakemake --cores all results/paper/figures/mine_gram.png --configfile examples/custom_sweep.yaml"
    assert command in html
    assert command in block("own sweep")
    assert html.count("<b>The paper</b>") == 1, "nothing is said of the paper where an own sweep is shown"
    assert set(pd.read_csv(out / "claims.csv")["section"]) == {"introduction"}
    # All of it is made, and without the file the rest is as it was.
    assert project.jobs("--configfile", "examples/custom_sweep.yaml") == set()
    assert project.jobs() == {"judge", "notebook", "report", "explorer", "crate"}


def test_figures_that_share_jobs(project: Project) -> None:
    """At scale quick one job measures all figures of the sweep, and one draws them: the very files of scale paper."""
    pictures = [f"figures/mine_{kind}.{suffix}" for kind in KINDS for suffix in ("svg", "png")]
    target = f"results/quick/{pictures[0]}"
    words = ("--config", "scale=quick", "--configfile", "examples/custom_sweep.yaml", "--", target)
    assert project.jobs(*words) == {"train:mine", "measure_mine_gram", "draw_mine_gram"}
    run = project.snakemake(*words)
    assert run.returncode == 0, run.stderr
    paper, quick = project.path / OUT, project.path / "results/quick"
    tables = [path.relative_to(paper) for kind in KINDS for path in (paper / f"tables/mine_{kind}").iterdir()]
    assert len(tables) >= len(KINDS)
    for path in (*tables, *pictures):
        assert (quick / path).read_bytes() == (paper / path).read_bytes(), path


def test_a_figure_of_ones_own(project: Project) -> None:
    """Three modules and an entry: drawn alone, and then in its place in the report with its claim."""
    follow(project, "own figure")
    out = project.path / OUT
    assert (out / "figures/counts.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_csv(out / "tables/counts/counts.csv")) == 4
    assert headings(project) == ["Introduction", "How many features"]
    html = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="claim-counts.all_when_sparse"' in html
    claims = pd.read_csv(out / "claims.csv").set_index("claim")
    assert claims.loc["counts.all_when_sparse", "verdict"] == "reproduced"
    assert claims.loc["counts.all_when_sparse", "measured"] == "5 of 5"
    # A claim about a figure that its section has not would be counted, and shown nowhere.
    path = project.path / "src/superposition/paper/counts/judge.py"
    path.write_text(path.read_text(encoding="utf-8").replace('figure="counts"', 'figure="count"'), encoding="utf-8")
    run = project.snakemake("--configfile", "counts.yaml")
    assert run.returncode != 0
    assert "error: counts.all_when_sparse: unknown figure 'count', allowed are counts\n" in run.stderr


def test_errors_are_one_line(project: Project) -> None:
    """Of a file of one's own as of config.yaml."""
    path = project.path / "wrong.yaml"
    for text, words in (
        ("experiments: {mine: {model: linear, n: 2, m: 3, density: 1}}", "config.experiments.mine: m = 3 > n = 2"),
        ("experiments: {mine: {model: linear, n: 2, m: 2}}", "config.experiments.mine.density: this key is missing"),
        ("sections: {own: {title: Mine}}", "config.sections.own: "),
    ):
        path.write_text(text)
        run = project.snakemake("--configfile", "wrong.yaml")
        assert run.returncode != 0
        assert "Traceback" not in run.stdout + run.stderr
        (line,) = (line for line in run.stderr.splitlines() if line.startswith("error: "))
        assert words in line

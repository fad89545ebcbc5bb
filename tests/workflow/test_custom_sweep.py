"""Test the documentation of custom sweeps and new figures step by step, with the real Snakemake."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from tests.readme import block, files
from tests.workflow.project import Project
from tests.workflow.test_runs import error_lines

from superposition.core.weights import SweepResult

pytestmark = pytest.mark.integration

OUT = Path("results/paper")
KINDS = ("gram", "points", "dimensionality")  # Standard figures.


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with one figure, hardly trained, and the files that the pages show, at scale paper."""
    project = Project(tmp_path_factory.mktemp("own"))
    project.keep_figure("introduction", "introduction")
    project.shrink("introduction")
    config = project.config()
    few = {"defaults": config["defaults"] | {"steps": 500, "batch": 256}, "scale": "paper", "sensitivity": []}
    project.configure(config | few)
    for path, text in files().items():
        (project.path / path).parent.mkdir(exist_ok=True)
        (project.path / path).write_text(text, encoding="utf-8")
    return project


def follow(project: Project, name: str) -> None:
    """Run the commands of a block of the pages."""
    for line in block(name).splitlines():
        snakemake, *words = shlex.split(line, comments=True)
        assert snakemake == "snakemake"
        project.make(*words)


def headings(project: Project) -> list[str]:
    """Return the headings of the sections in the report."""
    html = (project.path / OUT / "report.html").read_text(encoding="utf-8")
    return [re.sub("<.*?>", "", heading) for heading in re.findall(r"<h2.*?>(.*?)</h2>", html)][3:-2]


def test_a_custom_sweep(project: Project) -> None:
    """A file of a few lines gives weights, tables, figures and a place in the report."""
    follow(project, "custom sweep")
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
    assert command in block("custom sweep")
    assert html.count("<b>The paper</b>") == 1, "the report says what the paper has, but not for a custom sweep"
    assert set(pd.read_csv(out / "claims.csv")["section"]) == {"introduction"}
    # Everything is made, and without the file the rest is as before.
    assert project.jobs("--configfile", "examples/custom_sweep.yaml") == set()
    assert project.jobs() == {"optimality", "judge", "notebook", "report", "explorer", "crate"}


def test_a_new_figure(project: Project) -> None:
    """Two functions, a claim and an entry give a figure, drawn alone and in its place in the report with its claim."""
    for name, text in files("add").items():
        path = project.path / name
        more = text.removeprefix("figures:\n") if path.suffix == ".yaml" else f"\n\n{text}"
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    follow(project, "new figure")
    out, figure, claim = project.path / OUT, "represented_features", "introduction.all_when_sparse"
    assert (out / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_csv(out / f"tables/{figure}/counts.csv")) == 3
    html = (out / "report.html").read_text(encoding="utf-8")
    assert f'id="claim-{claim}"' in html
    assert f'id="figure-{figure}"' in html
    assert pd.read_csv(out / "claims.csv").set_index("claim").loc[claim, "measured"].endswith(" of 5")
    # A claim about a figure that its section does not have would be counted but shown nowhere.
    path = project.path / "src/superposition/paper/introduction/judge.py"
    path.write_text(path.read_text(encoding="utf-8").replace(f'figure="{figure}"', 'figure="count"'), encoding="utf-8")
    assert f"error: {claim}: unknown figure 'count', allowed are introduction, {figure}" in error_lines(
        project.snakemake()
    )


def test_errors_are_one_line(project: Project) -> None:
    """Errors in a user's configuration file are reported in one line, as those in config.yaml are."""
    path = project.path / "wrong.yaml"
    for text, words in (
        ("experiments: {mine: {model: linear, n: 2, m: 3, density: 1}}", "config.experiments.mine: m = 3 > n = 2"),
        ("experiments: {mine: {model: linear, n: 2, m: 2}}", "config.experiments.mine.density: this key is missing"),
        ("figures: {mine: {title: Mine}}", "config: unknown 'figures', "),
    ):
        path.write_text(text)
        (line,) = error_lines(project.snakemake("--configfile", "wrong.yaml"))
        assert words in line

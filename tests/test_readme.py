"""The README and the pages in docs/: their code runs, and what they list is current."""

import importlib
import importlib.util
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import papermill
import pytest
import yaml
from matplotlib.figure import Figure
from tests.readme import PAGES, ROOT, block, blocks, files
from tests.real import CONFIG
from tests.workflow.project import Project

from superposition.pipeline import overview, stages
from superposition.pipeline.configuration.sections import Section

README, DOCS = PAGES[0].read_text(encoding="utf-8"), ROOT / "docs"
CLAIMS = [claim for section in CONFIG.sections for claim in stages.find(section, "judge", "claims")]


def test_from_python_in_under_ten_lines() -> None:
    """The example in Python trains, reads the weights, measures and plots in under ten lines."""
    code = block("python")
    assert len(code.splitlines()) < 10
    *statements, last = code.strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(statements), names)
    figure = eval(last, names)
    W, features = names["W"].numpy(), names["features"]
    assert W.shape == (3, 2, 5)
    np.testing.assert_allclose(features["norm"], np.linalg.norm(W, axis=1).ravel())
    assert isinstance(figure, Figure)
    represented = (features["norm"] ** 2 > 0.5).groupby(features["density"]).sum()
    assert represented.to_dict() == {1.0: 2, 0.2: 4, 0.1: 5}, "the paper's first figure"


@pytest.mark.integration
def test_a_notebook_shows_the_figure_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure is shown as a picture, and only once, whichever module imported matplotlib first."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block("python"))])
    notebook.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    run = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    pictures = [output for output in run.cells[-1].outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1


# Code blocks.


def test_every_block_has_a_unique_mark() -> None:
    """Tests find a block by its mark."""
    marks = Counter(mark for mark, _ in blocks())
    assert [(mark, count) for mark, count in marks.items() if not mark or count > 1] == []


@pytest.mark.parametrize("path", [path for path in files() if (ROOT / path).exists()])
def test_files_are_as_shown(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == files()[path]


def test_every_example_is_shown() -> None:
    examples = {path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").iterdir()}
    assert examples == {path for path in files() if (ROOT / path).exists()}


def commands() -> list[list[str]]:
    """Return the words of every command in the blocks, without what follows it in a comment."""
    lines = [line for mark, code in blocks() if ": " not in mark for line in code.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_commands_name_existing_files_and_modules() -> None:
    """A file that a page shows counts as existing."""
    pattern = r"(?:benchmarks|tests|workflow|examples)/.*|[\w.-]+\.(?:yaml|yml|txt|py)"
    paths = {word for words in commands() for word in words if re.fullmatch(pattern, word)}
    assert {"requirements.txt", "environment.yml", "workflow/profiles/slurm", "examples/custom_sweep.yaml"} <= paths
    assert [path for path in paths if not (ROOT / path).exists() and path not in files()] == []
    modules = [words[words.index("-m") + 1] for words in commands() if words[:2] == ["python", "-m"]]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_the_section_shown_is_valid() -> None:
    Section.model_validate(yaml.safe_load(block("section")))


@pytest.mark.integration
@pytest.mark.parametrize("name", ["one figure", "cluster"])
def test_commands_of_the_workflow_can_be_planned(name: str, tmp_path: Path) -> None:
    """Each names an existing target, with valid options of Snakemake."""
    project = Project(tmp_path)
    for line in block(name).splitlines():
        project.make("--dry-run", "--quiet", *shlex.split(line, comments=True)[1:])


# What the pages say.


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_links_lead_somewhere() -> None:
    """Links lead to existing files, and to existing headings in them."""
    lost = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            path, _, heading = target.partition("#")
            file = page.parent / path if path else page
            if not file.is_file() or (heading and heading not in anchors(file)):
                lost.append((page.name, target))
    assert lost == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page() -> None:
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in README] == []


def test_the_map_of_rooms() -> None:
    """The map lists every sub-package once, and only existing modules."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = re.search(r"\| room \| what is in it \|\n.*?\n\n", text, re.DOTALL)
    assert table is not None
    rows = [row.strip(" |").split(" | ") for row in table[0].strip().splitlines()[2:]]
    package = ROOT / "src/superposition"
    rooms = {room.strip("`"): re.findall(r"`(\w+)`", modules) for room, modules in rows}
    folders = (str(path.parent.relative_to(package)) for path in package.glob("*/**/__init__.py"))
    assert sorted(rooms) == sorted({re.sub("^paper.*", "paper/<section>", folder) for folder in folders})
    assert not [
        (room, name) for room, names in rooms.items() for name in names if not (package / room / f"{name}.py").is_file()
    ]


def test_the_page_of_figures_and_claims_is_current() -> None:
    current = overview.page(CONFIG) == (DOCS / "figures.md").read_text(encoding="utf-8")
    assert current, f"run: {block('figures page')}"


def test_the_counts_of_claims_are_current() -> None:
    verdicts = Counter(claim.expected for claim in CLAIMS)
    assert set(verdicts) == {"reproduced", "corrected", "described"}
    reproduced, corrected, described = (verdicts[verdict] for verdict in ("reproduced", "corrected", "described"))
    readme, findings = (" ".join(text.split()) for text in (README, (DOCS / "findings.md").read_text(encoding="utf-8")))
    assert f"{len(CLAIMS)} claims {reproduced} are reproduced, {corrected} need a correction, and {described}" in readme
    summaries = [claim for claim in CLAIMS if not claim.link]
    of_which = sum(claim.expected == "corrected" for claim in summaries)
    assert f"{len(summaries)} statements of common summaries of the paper, of which {of_which} need" in readme
    assert f"Of the {len(CLAIMS)} claims, {reproduced} are reproduced" in findings
    assert f"{described} are described without a verdict, and {corrected} need a correction" in findings


def test_every_correction_is_among_the_findings() -> None:
    """The findings name exactly the claims that are corrected or not reproduced, once each."""
    text = (DOCS / "findings.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+\.\w+)`", text)
    assert sorted(named) == sorted(c.id for c in CLAIMS if c.expected in ("corrected", "not reproduced"))

"""What the README shows from Python, as it stands there."""

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import papermill
import pytest
from matplotlib.figure import Figure
from tests.readme import ROOT, block, files
from tests.real import CONFIG


def test_from_python_in_under_ten_lines() -> None:
    """Train, take the weights, measure, plot."""
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


def test_a_notebook_shows_the_figure_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as words, and not twice, whoever imported matplotlib first."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block("python"))])
    notebook.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    run = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    pictures = [output for output in run.cells[-1].outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1


@pytest.mark.parametrize("path", [path for path in files() if (ROOT / path).exists()])
def test_files_are_as_shown(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == files()[path]


def test_the_example_is_among_them() -> None:
    assert [path for path in files() if (ROOT / path).exists()] == ["examples/own_sweep.yaml"]


def test_the_map_of_rooms() -> None:
    """A newcomer finds every sub-package in it once, and of each no module that is not there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"\| room \| what is in it \|\n.*?\n\n", text, re.DOTALL)
    assert table is not None
    rows = [row.strip(" |").split(" | ") for row in table[0].strip().splitlines()[2:]]
    package = ROOT / "src/superposition"
    rooms = {room.strip("`"): re.findall(r"`(\w+)`", modules) for room, modules in rows}
    assert sorted(rooms) == sorted(
        "paper/<section>" if path.parent.name == "paper" else path.parent.name for path in package.glob("*/__init__.py")
    )
    assert not [
        (room, name) for room, names in rooms.items() for name in names if not (package / room / f"{name}.py").is_file()
    ]


def test_the_map_of_figures_and_claims() -> None:
    """Every figure and claim stands in it once, beside each other; and the counts below it are those on record."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line) for line in re.findall(r"^\| `.*` \|.*\|.*\|$", text, re.MULTILINE)]
    shown = {
        tuple(re.findall(r"`(\w+)`", row[1])): re.findall(r"`(\w+\.\w+)`", row[3]) for row in rows if len(row) == 6
    }
    assert [figure for figures in shown for figure in figures] == list(CONFIG.figures)
    claims = [
        claim
        for section in CONFIG.sections
        for claim in importlib.import_module(f"superposition.paper.{section}.judge").claims
    ]
    for figures, ids in shown.items():
        assert sorted(ids) == sorted(claim.id for claim in claims if claim.figure in figures)
    verdicts = Counter(claim.expected for claim in claims)
    counts = f"of the {len(claims)} claims {verdicts['reproduced']} are reproduced and {verdicts['corrected']} need"
    assert counts in " ".join(text.split())
    assert set(verdicts) == {"reproduced", "corrected"}

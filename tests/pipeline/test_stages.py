"""The functions of figures, found by name."""

from pathlib import Path

import pytest
from tests.real import CONFIG

from superposition.core.errors import SuperpositionError
from superposition.pipeline import stages
from superposition.pipeline.sections import read_sections


def test_every_figure_has_its_functions() -> None:
    """What the check of the text finds is there when the module is imported."""
    for name, figure in CONFIG.figures.items():
        for stage, function in (("measure", name), ("draw", name), *[("draw", f"animate_{name}")] * figure.animated):
            assert callable(stages.find(figure.section, stage, function))


def test_figures_of_custom_sweeps_share_functions() -> None:
    for stage in ("measure", "draw"):
        assert stages.find("custom", stage, "my_sweep_points") is stages.find("custom", stage, "points")


@pytest.mark.parametrize(
    ("stage", "text", "missing"),
    [
        ("draw", "def polytope(tables):\n    polytopes = 1\n", "draw: polytopes is missing"),
        ("draw", "polytopes = 1\n", "draw: animate_polytopes is missing"),
        ("measure", "", "measure: polytopes is missing"),
        ("judge", None, "judge: there is no such module"),
    ],
)
def test_what_is_missing_is_named(
    stage: str, text: str | None, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained, the module and the name in one line."""
    monkeypatch.setattr(stages, "PAPER", tmp_path)
    (tmp_path / "geometry").mkdir()
    entry = "{title: T, shows: S, animated: true}"
    (tmp_path / "geometry/section.yaml").write_text(f"title: T\nfigures: {{polytopes: {entry}}}")
    for name in stages.STAGES:
        (tmp_path / f"geometry/{name}.py").write_text("claims = 1\npolytopes = 1\ndef animate_polytopes(tables): ...\n")
    read_sections()
    path = tmp_path / f"geometry/{stage}.py"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(SuperpositionError) as caught:
        read_sections()
    assert str(caught.value) == f"superposition.paper.geometry.{missing}"


def test_a_section_that_is_no_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "PAPER", tmp_path)
    (tmp_path / "geometry").mkdir()
    (tmp_path / "geometry/section.yaml").write_text("title: a: b\n")
    with pytest.raises(SuperpositionError, match=r"^paper.geometry.section: mapping values are not allowed") as caught:
        read_sections()
    assert str(caught.value).isprintable()

"""Test how the functions of figures are found by name."""

from pathlib import Path

import pytest
from tests.sections import write_sections

from superposition.core.errors import SuperpositionError
from superposition.pipeline import stages
from superposition.pipeline.configuration.sections import read_sections


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("draw.py", "def polytope(tables):\n    polytopes = 1\n", "draw: polytopes is missing"),
        ("draw.py", "polytopes = 1\n", "draw: animate_polytopes is missing"),
        ("judge.py", "def claim():\n", "judge: claims is missing"),
        ("measure.py", None, "measure: there is no such module"),
        ("section.yaml", "title: a: b", "section: mapping values are not allowed here"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(
    file: str, text: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "SECTIONS_FOLDER", tmp_path)
    entry = {"title": "T", "shows": "S", "animated": True}
    write_sections(tmp_path, {"geometry": {"title": "T", "figures": {"polytopes": entry}}})
    assert list(read_sections()) == ["custom", "geometry"]
    path = tmp_path / "geometry" / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(SuperpositionError, match=rf"^(superposition\.)?paper\.geometry\.{message}") as caught:
        read_sections()
    assert str(caught.value).isprintable()

"""Test that a bad configuration file is refused in one line, before Snakemake reads it and answers with a traceback."""

import json
from pathlib import Path

import pytest
from tests.real import RAW, ROOT
from workflow.configfile import check_file

from superposition.core.errors import SuperpositionError

ENTRIES = "experiments: {one: {model: linear, n: 2, m: 1, density: 1}}\n"
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "a mapping"),
    "a list": (b"- experiments", "a mapping"),
    "a word": (b"experiments", "a mapping"),
    "a bracket too many": (b"scale: paper\ndevice: [auto", "line 2: "),
    "a colon too many": (b"scale: paper\ndevice: auto: cpu", "line 2: mapping values are not allowed here"),
    "tabs": (b"defaults:\n\tsteps: 3", "line 2: "),
    "two documents": (b"scale: paper\n---\nscale: quick", "line 2: "),
    "Latin-1": ("scale: paper # für".encode("latin-1"), "cannot be read"),
    "binary": (b"\0\1\2", "cannot be read"),
    "a date that is none": (b"scale: 2022-99-99", r"cannot be read \(month must be in 1..12"),
    "a deep nest": (b"scale: " + b"[" * 1000, "cannot be read"),
    "code": (b"scale: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
    "an alias of nothing": (b"scale: *a", "line 1: found undefined alias 'a'"),
    "a key twice": ((ENTRIES + "experiments: {}").encode(), "line 2: .*experiments"),
    "an experiment twice": (b"experiments:\n  one: {n: 1}\n  two: {n: 1}\n  one: {n: 2}", "line 4: .*one"),
    "a key that Snakemake takes": ((ENTRIES + "pathvars: 3").encode(), "config: unknown 'pathvars', allowed are scale"),
}


@pytest.mark.parametrize(("content", "named"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_configuration(content: bytes, named: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(SuperpositionError, match=named) as caught:
        check_file(tmp_path / "config.yaml")
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith((f"{tmp_path}/config.yaml", "config: "))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SuperpositionError, match="No such file"):
        check_file(tmp_path / "config.yaml")
    with pytest.raises(SuperpositionError, match="Is a directory"):
        check_file(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + ENTRIES,
        json.dumps(RAW),
        json.dumps(RAW, indent="\t"),
        "defaults: &a {steps: 3}\nexperiments: {one: &b {<<: *a, n: 1}, two: {<<: *b, n: 2}}",
    ],
)
def test_a_file_that_can_be_read(text: str, tmp_path: Path) -> None:
    """A file that can be read passes; its content is checked later."""
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    check_file(tmp_path / "some.yaml")


def test_the_files_of_the_project() -> None:
    for file in (ROOT / "config.yaml", *(ROOT / "examples").glob("*.yaml")):
        check_file(file)

"""The code blocks of the README and of the pages in docs/."""

import functools
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"(?:^ *<!-- ([^\n]*) -->\n)?^( *)```\w+\n(.*?)^\2```$", re.DOTALL | re.MULTILINE)


@functools.cache
def blocks() -> list[tuple[str, str]]:
    """Return the mark and the code of every code block; a mark is the comment above it, or empty where it has none."""
    found = [match for page in PAGES for match in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [(mark, textwrap.dedent(code)) for mark, _, code in found]


def block(name: str) -> str:
    """Return the code below the comment ``<!-- name -->``."""
    (code,) = (code for mark, code in blocks() if mark == name)
    return code


def files(mark: str = "file") -> dict[str, str]:
    """Return the files that the pages show, or with the mark ``add`` what they add to files, by their paths."""
    return {name.removeprefix(f"{mark}: "): code for name, code in blocks() if name.startswith(f"{mark}: ")}

"""The code blocks of the README, so that what it says is what is tested."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]


def block(name: str) -> str:
    """The code below the comment ``<!-- name -->``."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^( *)<!-- {re.escape(name)} -->\n *```\w+\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(found[1])


def files() -> dict[str, str]:
    """The files that the README shows, by their paths."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return {path: block(f"file: {path}") for path in re.findall(r"<!-- file: (\S+) -->", text)}

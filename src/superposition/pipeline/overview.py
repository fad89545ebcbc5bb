"""The page of figures and claims in the documentation, made from the configuration and from each section's claims.

``python -m superposition.pipeline.overview > docs/figures.md`` writes it; a test checks that it is current.
"""

import re
from collections import Counter
from pathlib import Path

import yaml

from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.configuration.sections import Section
from superposition.pipeline.judging.claims import PAPER_URL, Claims


def page(config: Config) -> str:
    """Return the page in Markdown: every section with its figures, its claims and the verdicts on record."""
    claims = {section: stages.find(section, "judge", "claims") for section in config.sections}
    verdicts = Counter(claim.expected for section in claims.values() for claim in section)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    parts = [
        "<!-- Generated; do not edit: python -m superposition.pipeline.overview > docs/figures.md -->",
        "# Figures and claims",
        f"{len(config.figures)} figures and {verdicts.total()} claims; verdicts on record at scale `paper`: {counts}.\n"
        "Captions say in our words what the paper shows. [How the claims are judged](claims.md) explains verdicts,\n"
        "[Findings](findings.md) has the corrections, and the report each claim's criterion and what was measured.",
        *(_section(section, claims[name]) for name, section in config.sections.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _section(section: Section, claims: Claims) -> str:
    """Return a section's heading with tables of its figures, of its claims, and of the statements left out."""
    title = f"[{section.title}]({PAPER_URL}{section.anchor})" if section.anchor else section.title
    figures = [
        [f"`{figure}`", f"**{escaped(about.title)}.** {escaped(about.shows)}"]
        for figure, about in section.figures.items()
    ]
    judged = [
        [
            f"[`{claim.id}`]({claim.link})" if claim.link else f"`{claim.id}`",
            escaped(claim.paper),
            claim.about,
            f"`{claim.figure}`",
            claim.expected,
        ]
        for claim in claims
    ]
    left_out = [[f"`{claim.id}`", escaped(claim.paper), escaped(claim.why)] for claim in claims.omissions]
    tables = [markdown_table(["figure", "what it shows"], figures)]
    if judged:
        tables.append(
            markdown_table(
                ["claim", "the paper" if section.anchor else "the statement", "speaks of", "figure", "verdict"], judged
            )
        )
    if left_out:
        tables.append(markdown_table(["not judged", "the paper", "why"], left_out))
    return "\n\n".join([f"## {title}", *([escaped(section.text)] if section.text else []), *tables])


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def escaped(text: str) -> str:
    """Return text without what Markdown would take for markup or for the end of a table's cell."""
    return re.sub(r"([\\|*<])", r"\\\1", text)


if __name__ == "__main__":
    print(page(Config.parse(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))), end="")

"""Claims of the paper, and the verdict on each.

A claim is judged by a function of the tables of its section. The function returns a :class:`Finding`: what was
measured, and whether that meets the criterion. The bound in the criterion comes from the paper or from an exact
calculation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from superposition.core.errors import SuperpositionError, short_repr

Verdict = Literal["reproduced", "corrected", "not reproduced"]
COLUMNS = ["claim", "section", "figure", "paper", "measured", "criterion", "verdict", "expected", "note"]
NOT_AT_THIS_SCALE = "needs scale paper"
# The verdict if the judging function raised an exception: a bug, or tables that lack what the claim is about. It is no
# scientific finding.
ERROR = "error"

# The tables of a section, by figure and then by name.
Tables = dict[str, dict[str, pd.DataFrame]]


@dataclass(frozen=True)
class Finding:
    """The measured evidence for one claim, and whether it meets the criterion.

    Attributes:
        measured: The measured numbers, as text.
        holds: Whether the criterion is met without a correction.
        correction: The correction that the paper's statement needs, if the evidence supports one.
        note: Further evidence or remarks.
    """

    measured: str
    holds: bool | np.bool_
    correction: str = ""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict; a correction counts only if the criterion is not met without it."""
        return "reproduced" if self.holds else "corrected" if self.correction else "not reproduced"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and how it is judged.

    Attributes:
        id: The identifier, ``<section>.<name>``.
        figure: The figure that the claim is shown beside.
        paper: The paper's statement, in our words.
        criterion: The condition under which the claim is reproduced or corrected.
        expected: The verdict on record.
        at_quick: Whether the claim can also be judged at scale ``quick``.
        judge: The function that judges the claim from the tables of its section.
    """

    id: str
    figure: str
    paper: str
    criterion: str
    expected: Verdict
    at_quick: bool
    judge: Callable[[Tables], Finding]

    def row(self, section: str, tables: Tables, scale: str) -> dict[str, str]:
        """Judge the claim and return its row of ``claims.csv``."""
        about = {"claim": self.id, "section": section, "figure": self.figure, "paper": self.paper}
        finding, verdict = self._judged(tables, scale)
        correction = finding.correction if verdict == "corrected" else ""
        note = ". ".join(part for part in (correction, finding.note) if part)
        judged = {"measured": finding.measured, "criterion": self.criterion, "verdict": verdict}
        return about | judged | {"expected": self.expected, "note": note}

    def _judged(self, tables: Tables, scale: str) -> tuple[Finding, str]:
        """Return the finding and the verdict, which is ``error`` if the judging function fails."""
        if scale != "paper" and not self.at_quick:
            return Finding("", False, note="not judged at this scale"), NOT_AT_THIS_SCALE
        try:
            finding = self.judge(tables)
            return finding, finding.verdict
        except Exception as error:  # One failure must not keep the other claims and the report from being made.
            return Finding("", False, note=f"The judge failed ({type(error).__name__}: {error})"), ERROR


@dataclass
class Claims:
    """The claims of one section, in the order in which they are defined."""

    section: str
    items: list[Claim] = field(default_factory=list)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.items)

    def add(
        self,
        name: str,
        *,
        figure: str,
        paper: str,
        criterion: str,
        expected: Verdict = "reproduced",
        at_quick: bool = True,
    ) -> Callable[[Callable[[Tables], Finding]], Callable[[Tables], Finding]]:
        """Return a decorator that registers the decorated function as the judge of the claim ``<section>.<name>``.

        The arguments are attributes of :class:`Claim`.
        """

        def register(judge: Callable[[Tables], Finding]) -> Callable[[Tables], Finding]:
            self.items.append(Claim(f"{self.section}.{name}", figure, paper, criterion, expected, at_quick, judge))
            return judge

        return register

    def find(self, ids: Sequence[str]) -> list[Claim]:
        """Return the claims with these identifiers, which the configuration lists under ``sensitivity``.

        Raises:
            SuperpositionError: The section has no claim with one of the identifiers.
        """
        known = {claim.id: claim for claim in self}
        if unknown := [name for name in ids if name not in known]:
            raise SuperpositionError(f"sensitivity: unknown {short_repr(unknown[0])}, allowed are {', '.join(known)}")
        return [known[name] for name in ids]

    def table(self, tables: Tables, scale: str) -> pd.DataFrame:
        """Judge every claim; return one row for each, with the columns of ``claims.csv``."""
        return pd.DataFrame([claim.row(self.section, tables, scale) for claim in self], columns=COLUMNS)


def check(claims: pd.DataFrame) -> str:
    """Compare the verdicts with those on record; return a line that counts them.

    Raises:
        SuperpositionError: A verdict is not the one on record, as ``error`` never is. The message names the claims.
    """
    judged = claims[claims["verdict"] != NOT_AT_THIS_SCALE]
    unexpected = judged[judged["verdict"] != judged["expected"]]
    if len(unexpected):
        raise SuperpositionError(
            f"{len(unexpected)} of {len(judged)} verdicts differ from those on record: "
            + "; ".join(f"{c.claim} is {c.verdict}, expected {c.expected}" for c in unexpected.itertuples())
        )
    counts = ", ".join(f"{count} {verdict}" for verdict, count in claims["verdict"].value_counts().items())
    return f"all {len(judged)} verdicts are those on record ({counts})"

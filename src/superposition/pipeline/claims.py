"""Claims of the paper, and the verdict on each.

A claim is a function of the tables of its section. It returns a :class:`Finding`: what was measured, and whether that
satisfies the criterion. The criterion's bound comes from the paper or from an exact calculation.
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
# The verdict where the judge itself failed: a bug, or tables without what the claim is about, but no finding.
ERROR = "error"

Tables = dict[str, dict[str, pd.DataFrame]]  # by figure, then by name


@dataclass(frozen=True)
class Finding:
    """What was measured for one claim."""

    measured: str
    holds: bool | np.bool_  # the criterion is met as stated
    correction: str = ""  # what the statement needs, where the evidence supports that instead
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Corrected only where the criterion is not met and the evidence says what is instead."""
        return "reproduced" if self.holds else "corrected" if self.correction else "not reproduced"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and how it is judged."""

    id: str
    figure: str
    paper: str
    criterion: str
    expected: Verdict  # the verdict on record
    at_quick: bool  # can be judged at scale quick, too
    judge: Callable[[Tables], Finding]

    def row(self, section: str, tables: Tables, scale: str) -> dict[str, str]:
        """One line of ``claims.csv``."""
        about = {"claim": self.id, "section": section, "figure": self.figure, "paper": self.paper}
        finding, verdict = self._judged(tables, scale)
        correction = finding.correction if verdict == "corrected" else ""
        note = ". ".join(part for part in (correction, finding.note) if part)
        judged = {"measured": finding.measured, "criterion": self.criterion, "verdict": verdict}
        return about | judged | {"expected": self.expected, "note": note}

    def _judged(self, tables: Tables, scale: str) -> tuple[Finding, str]:
        if scale != "paper" and not self.at_quick:
            return Finding("", False, note="not judged at this scale"), NOT_AT_THIS_SCALE
        try:
            finding = self.judge(tables)
            return finding, finding.verdict
        except Exception as error:  # the other claims are judged all the same, and there is a report
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
        """Decorates the function that judges the claim ``<section>.<name>``."""

        def register(judge: Callable[[Tables], Finding]) -> Callable[[Tables], Finding]:
            self.items.append(Claim(f"{self.section}.{name}", figure, paper, criterion, expected, at_quick, judge))
            return judge

        return register

    def named(self, names: Sequence[str]) -> list[Claim]:
        """Those of ``sensitivity`` in the configuration. Raises SuperpositionError if there is no such claim."""
        known = {claim.id: claim for claim in self}
        if unknown := [name for name in names if name not in known]:
            raise SuperpositionError(f"sensitivity: unknown {short_repr(unknown[0])}, allowed are {', '.join(known)}")
        return [known[name] for name in names]

    def table(self, tables: Tables, scale: str) -> pd.DataFrame:
        """Every claim judged, in the columns of ``claims.csv``."""
        return pd.DataFrame([claim.row(self.section, tables, scale) for claim in self], columns=COLUMNS)


def check(claims: pd.DataFrame) -> str:
    """A line that counts the verdicts.

    Raises SuperpositionError, naming the claims, where a verdict is not the one on record; ``error`` never is.
    """
    judged = claims[claims["verdict"] != NOT_AT_THIS_SCALE]
    off = judged[judged["verdict"] != judged["expected"]]
    if len(off):
        raise SuperpositionError(
            f"{len(off)} of {len(judged)} verdicts differ from those on record: "
            + "; ".join(f"{c.claim} is {c.verdict}, expected {c.expected}" for c in off.itertuples())
        )
    counts = ", ".join(f"{count} {verdict}" for verdict, count in claims["verdict"].value_counts().items())
    return f"all {len(judged)} verdicts are those on record ({counts})"

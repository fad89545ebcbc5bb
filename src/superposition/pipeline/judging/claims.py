"""Claims of the paper, or of common summaries of it, and the verdict on each.

A function of the section measures the numbers of a claim from the tables, and the claim's criteria turn them into the
verdict (see ``criteria``). A statement for which no bound would be fair has no criteria: its numbers are described,
without a verdict.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, SupportsFloat
from urllib.parse import quote

import pandas as pd

from superposition.core.errors import SuperpositionError, short_repr
from superposition.pipeline.judging.criteria import Comparison, Criterion, Number, Verdict, decide

PAPER_URL = "https://transformer-circuits.pub/2022/toy_model/index.html"
# What a statement speaks of.
About = Literal["trained models", "the optimum", "the theoretical model", "any model", "a belief"]
NOT_AT_THIS_SCALE = "needs scale paper"
# The verdict if the judging function raised an exception: a bug, or tables that lack what the claim is about. It is no
# scientific finding.
ERROR = "error"

# The tables of a section, by figure and then by name.
Tables = dict[str, dict[str, pd.DataFrame]]


@dataclass(frozen=True)
class Finding:
    """Numbers that a judging function measured for a claim.

    Attributes:
        numbers: One number per criterion of the claim; a plain one has no error.
        evidence: One number per criterion of its correction.
        text: Further numbers, as text; all of them if the claim has no criteria.
        correction: The correction that the statement needs if its criteria are not met but those of the correction are.
        note: Remarks.
    """

    numbers: Sequence[Number | SupportsFloat] = ()
    evidence: Sequence[Number | SupportsFloat] = ()
    text: str = ""
    correction: str = ""
    note: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, with the comparisons that led to it.

    Attributes:
        finding: What was measured.
        statement: The comparisons for the criteria of the statement.
        correction: The comparisons for the criteria of its correction.
    """

    finding: Finding
    statement: tuple[Comparison, ...] = ()
    correction: tuple[Comparison, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict that follows from the comparisons."""
        return decide([c.holds for c in self.statement], [c.holds for c in self.correction])

    @property
    def measured(self) -> str:
        """The numbers as text."""
        return "; ".join([*map(str, self.statement), *([self.finding.text] if self.finding.text else [])])

    @property
    def close(self) -> bool:
        """Whether another outcome of the close comparisons, of one or of all that fail, would change the verdict."""
        outcomes = [c.holds for c in (*self.statement, *self.correction)]
        close = [i for i, c in enumerate((*self.statement, *self.correction)) if c.close]
        changes = [{i} for i in close] + [{i for i in close if not outcomes[i]}]
        split = len(self.statement)
        for change in changes:
            flipped = [holds != (i in change) for i, holds in enumerate(outcomes)]
            if decide(flipped[:split], flipped[split:]) != self.verdict:
                return True
        return False


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and how it is judged.

    Attributes:
        id: The identifier, ``<section>.<name>``.
        figure: The figure that the claim is shown beside.
        paper: The paper's statement in our words, with its hedges.
        about: What the statement speaks of.
        phrase: Words of the paper by which the statement is found; empty if it is not the paper's.
        criteria: The criteria of the statement; empty if it is described only.
        correction: The criteria of its correction; empty if none is at hand.
        expected: The verdict on record.
        at_quick: Whether the claim can also be judged at scale ``quick``.
        measure: The function that measures the numbers from the tables of the section.
    """

    id: str
    figure: str
    paper: str
    about: About
    phrase: str
    criteria: tuple[Criterion, ...]
    correction: tuple[Criterion, ...]
    expected: Verdict
    at_quick: bool
    measure: Callable[[Tables], Finding]

    @property
    def link(self) -> str:
        """The address of the paper's own sentence, which a browser highlights; empty if there is none."""
        return f"{PAPER_URL}#:~:text={quote(self.phrase)}" if self.phrase else ""

    def judge(self, tables: Tables) -> Judgement:
        """Judge the claim from the tables of its section."""
        finding = self.measure(tables)
        statement, correction = (
            tuple(Comparison.of(c, n) for c, n in zip(criteria, numbers, strict=True))
            for criteria, numbers in ((self.criteria, finding.numbers), (self.correction, finding.evidence))
        )
        return Judgement(finding, statement, correction)


@dataclass(frozen=True)
class Omission:
    """A statement of the paper that is not judged.

    Attributes:
        id: The identifier, ``<section>.<name>``.
        paper: The statement in our words.
        phrase: Words of the paper by which the statement is found.
        why: Why it is left out.
    """

    id: str
    paper: str
    phrase: str
    why: str


CLAIM_COLUMNS = [
    *("claim", "section", "figure", "paper", "measured", "criterion", "verdict", "expected", "note", "about"),
    *("margin", "link", "text"),
]
CRITERIA_COLUMNS = [
    *("claim", "part", "statistic", "value", "error", "relation", "bound", "source", "why", "holds", "factor"),
    "close",
]


@dataclass
class Claims:
    """The claims of one section, in the order in which they are defined."""

    section: str
    items: list[Claim] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)

    @classmethod
    def gather(cls, *topics: "Claims") -> "Claims":
        """Return the claims of all topics of a section, in this order."""
        (section,) = {topic.section for topic in topics}
        return cls(
            section, [claim for topic in topics for claim in topic], [o for topic in topics for o in topic.omissions]
        )

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.items)

    def add(
        self,
        *,
        figure: str,
        paper: str,
        about: About = "trained models",
        phrase: str = "",
        criteria: Sequence[Criterion] = (),
        correction: Sequence[Criterion] = (),
        expected: Verdict | None = None,
        at_quick: bool = True,
    ) -> Callable[[Callable[[Tables], Finding]], Callable[[Tables], Finding]]:
        """Return a decorator that makes a function the measure of the claim ``<section>.<its name>``.

        The arguments are attributes of :class:`Claim`. By default, a statement is expected to be reproduced, or
        described if it has no criteria.
        """
        on_record = expected or ("reproduced" if criteria else "described")

        def register(measure: Callable[[Tables], Finding]) -> Callable[[Tables], Finding]:
            parts = (tuple(criteria), tuple(correction))
            name = f"{self.section}.{measure.__name__}"
            self.items.append(Claim(name, figure, paper, about, phrase, *parts, on_record, at_quick, measure))
            return measure

        return register

    def leave_out(self, name: str, *, paper: str, phrase: str, why: str) -> None:
        """Record a statement that is not judged, and why; the arguments are attributes of :class:`Omission`."""
        self.omissions.append(Omission(f"{self.section}.{name}", paper, phrase, why))

    def find(self, ids: Sequence[str]) -> list[Claim]:
        """Return the claims with these identifiers, which the configuration lists under ``sensitivity``.

        Raises:
            SuperpositionError: The section has no claim with one of the identifiers.
        """
        known = {claim.id: claim for claim in self}
        if unknown := [name for name in ids if name not in known]:
            raise SuperpositionError(f"sensitivity: unknown {short_repr(unknown[0])}, allowed are {', '.join(known)}")
        return [known[name] for name in ids]

    def judge(self, tables: Tables, scale: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Judge every claim.

        Returns:
            One row per claim, with the columns of ``claims.csv``, and one row per criterion, with those of
            ``criteria.csv``.
        """
        rows, criteria = [], []
        for claim in self:
            row, judgement = _judged(claim, tables, scale)
            rows.append(row | {"section": self.section})
            criteria += _criteria_rows(claim.id, judgement)
        return pd.DataFrame(rows, columns=CLAIM_COLUMNS), pd.DataFrame(criteria, columns=CRITERIA_COLUMNS)


def _judged(claim: Claim, tables: Tables, scale: str) -> tuple[dict[str, str], Judgement]:
    """Return the claim's row of ``claims.csv``, whose verdict is ``error`` if the judging function fails."""
    row = {
        "claim": claim.id,
        "figure": claim.figure,
        "paper": claim.paper,
        "criterion": "; ".join(map(str, claim.criteria)),
        "expected": claim.expected,
        "about": claim.about,
        "link": claim.link,
        "measured": "",
        "text": "",
        "margin": "",
    }
    if scale != "paper" and not claim.at_quick:
        return row | {"verdict": NOT_AT_THIS_SCALE, "note": ""}, Judgement(Finding())
    try:
        judgement = claim.judge(tables)
    except Exception as error:  # One failure must not keep the other claims and the report from being made.
        note = f"The judge failed ({type(error).__name__}: {error})"
        return row | {"verdict": ERROR, "note": note}, Judgement(Finding())
    finding, verdict = judgement.finding, judgement.verdict
    correction = finding.correction if verdict == "corrected" else ""
    margin = "" if verdict == "described" else "close" if judgement.close else "firm"
    return row | {
        "measured": judgement.measured,
        "text": finding.text,
        "verdict": verdict,
        "margin": margin,
        "note": ". ".join(part for part in (correction, finding.note) if part),
    }, judgement


def _criteria_rows(claim: str, judgement: Judgement) -> list[dict[str, object]]:
    """Return the claim's rows of ``criteria.csv``."""
    return [
        {
            "claim": claim,
            "part": part,
            "statistic": comparison.criterion.statistic,
            "value": comparison.value,
            "error": comparison.error,
            "relation": comparison.criterion.bound.relation,
            "bound": comparison.bound,
            "source": comparison.criterion.bound.source,
            "why": comparison.criterion.bound.why,
            "holds": comparison.holds,
            "factor": comparison.factor,
            "close": comparison.close,
        }
        for part, comparisons in (("statement", judgement.statement), ("correction", judgement.correction))
        for comparison in comparisons
    ]


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

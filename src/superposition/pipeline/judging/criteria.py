"""Criteria: measured numbers beside their bounds, and the verdict that follows from them.

Every bound has a source: the number that the paper, or the summary of it that is judged, states; an exact calculation,
the midpoint between the alternatives, a null model or a measurement error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, SupportsFloat

Verdict = Literal["reproduced", "corrected", "not reproduced", "described"]
Source = Literal["the paper", "the summary", "exact calculation", "midpoint", "null model", "measurement error"]
# A comparison is close if its bound is within this factor of the measured number, or within this many standard errors.
CLOSE_FACTOR, CLOSE_ERRORS = 1.25, 3.0


@dataclass(frozen=True)
class Bound:
    """A bound on a number, with its source.

    Attributes:
        relation: The side of the bound on which the number has to be.
        value: The bound, or None if the judging function derives it from the tables, as from a null model.
        source: Where the bound comes from.
        why: How the bound follows from its source.
    """

    relation: Literal["<", ">"]
    value: SupportsFloat | None
    source: Source
    why: str


def above(value: SupportsFloat | None, source: Source, why: str) -> Bound:
    """Return the bound above which a number has to be."""
    return Bound(">", value, source, why)


def below(value: SupportsFloat | None, source: Source, why: str) -> Bound:
    """Return the bound below which a number has to be."""
    return Bound("<", value, source, why)


@dataclass(frozen=True)
class Criterion:
    """A bound on one number.

    Attributes:
        statistic: What the number is.
        bound: The bound.
        digits: Format specification of the number and of the bound.
    """

    statistic: str
    bound: Bound
    digits: str = ".3g"

    def __str__(self) -> str:
        bound = self.bound
        value = "its bound" if bound.value is None else format(float(bound.value), self.digits)
        return f"{self.statistic} {bound.relation} {value} ({bound.source}: {bound.why})"


def at_most_zero(statistic: str, source: Source, why: str) -> Criterion:
    """Return the criterion that a whole number, such as a count of exceptions, is at most 0."""
    return Criterion(statistic, below(1, source, why), ".0f")


def above_half(statistic: str, why: str, digits: str = ".3g") -> Criterion:
    """Return the criterion that a number is above ½, the midpoint between the alternatives 0 and 1."""
    return Criterion(statistic, above(0.5, "midpoint", why), digits)


def below_half(statistic: str, why: str, digits: str = ".3g") -> Criterion:
    """Return the criterion that a number is below ½, the midpoint between the alternatives 0 and 1."""
    return Criterion(statistic, below(0.5, "midpoint", why), digits)


def identity(statistic: str, why: str = "an identity; allows for rounding") -> Criterion:
    """Return the criterion that a difference is zero up to rounding."""
    return Criterion(statistic, below(1e-9, "exact calculation", why), ".1e")


def excess(statistic: str, relation: Literal["<", ">"]) -> Criterion:
    """Return the criterion that one precise loss exceeds another by a larger share than errors make, or does not."""
    why = "ten times the relative error of a precise loss, 10⁻⁴"
    return Criterion(statistic, Bound(relation, 1e-3, "measurement error", why), ".2%")


def improbable(statistic: str, why: str) -> Criterion:
    """Return the criterion that a probability under a null model is below 1 %, the false-positive rate."""
    return Criterion(statistic, below(0.01, "null model", why), ".1g")


@dataclass(frozen=True)
class Number:
    """A measured number.

    Attributes:
        value: The number; NaN if there is nothing to measure, which meets no criterion.
        error: Its standard error; 0 if it is exact.
        bound: The bound, for a criterion whose bound is derived from the tables.
    """

    value: SupportsFloat
    error: SupportsFloat = 0.0
    bound: SupportsFloat | None = None


@dataclass(frozen=True)
class Comparison:
    """A measured number beside its criterion.

    Attributes:
        criterion: The criterion.
        value: The number.
        error: Its standard error.
        bound: The bound. The comparison has the same outcome for every bound on this side of ``value``.
    """

    criterion: Criterion
    value: float
    error: float
    bound: float

    @classmethod
    def of(cls, criterion: Criterion, number: Number | SupportsFloat) -> "Comparison":
        """Compare a number with a criterion, whose bound is the number's own if it has one."""
        number = number if isinstance(number, Number) else Number(number)
        bound = criterion.bound.value if number.bound is None else number.bound
        if bound is None:
            raise ValueError(f"{criterion.statistic}: neither the criterion nor the number has a bound")
        return cls(criterion, float(number.value), float(number.error), float(bound))

    @property
    def holds(self) -> bool:
        """Whether the number is on the right side of the bound."""
        return self.value < self.bound if self.criterion.bound.relation == "<" else self.value > self.bound

    @property
    def factor(self) -> float:
        """The factor between the number and the bound, at least 1; infinite if one is 0 or their signs differ."""
        ratio = self.value / self.bound if self.bound else math.inf
        return max(ratio, 1 / ratio) if 0 < ratio < math.inf else math.inf

    @property
    def close(self) -> bool:
        """Whether a bound within ``CLOSE_FACTOR``, or a number within ``CLOSE_ERRORS``, would change the outcome.

        A bound that is a measurement error already allows for the error of the number.
        """
        error = 0.0 if self.criterion.bound.source == "measurement error" else self.error
        return self.factor < CLOSE_FACTOR or abs(self.value - self.bound) < CLOSE_ERRORS * error

    def __str__(self) -> str:
        digits = self.criterion.digits
        error = f" ± {self.error:.1g}" if self.error else ""
        return f"{self.criterion.statistic}: {self.value:{digits}}{error}"


def decide(statement: Sequence[bool], correction: Sequence[bool]) -> Verdict:
    """Return the verdict.

    Args:
        statement: Whether each criterion of the statement is met.
        correction: Whether each criterion of its correction is met; empty if it has none.
    """
    if not statement:
        return "described"
    if all(statement):
        return "reproduced"
    return "corrected" if correction and all(correction) else "not reproduced"

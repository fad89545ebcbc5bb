"""The claims of common summaries, by topic."""

from superposition.pipeline.judging.criteria import Criterion, Source


def none(statistic: str, source: Source, why: str) -> Criterion:
    """Return the criterion that something occurs nowhere."""
    return Criterion(statistic, "<", 1, source, why, ".0f")

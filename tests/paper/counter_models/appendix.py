"""Counter-models for the appendix: a code whose segments are wider, and the code as it is for a claim that fails."""

from unittest import mock

from superposition.paper.appendix import measure
from superposition.pipeline.judging.claims import Tables

FIGURE = "nonlinear_compression"


def wide_segments() -> Tables:
    """Return the tables of segments that are six times as wide and lose more than they store."""
    with mock.patch.object(measure, "READINGS", {"six times as wide": 6}):
        return {FIGURE: measure.nonlinear_compression({})}


COUNTER_MODELS = {
    "nonlinear_beats_linear": wide_segments,
    "neurons_per_segment": lambda: {FIGURE: measure.nonlinear_compression({})},
}

"""Measure by how much nonlinear compression of two values beats linear compression, for the claims of the appendix."""

import numpy as np

from superposition.analysis.rows import listed, rows_at
from superposition.paper.appendix import PAPER_SETTING, compression
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, below

claims = Claims("appendix")


def beats_linear(Z: int) -> Criterion:
    """Return the criterion that nonlinear compression in Z steps beats linear compression."""
    why = "1/12, the error of keeping one value or the average"
    bound = below(compression.BEST_LINEAR_ERROR, "exact calculation", why)
    return Criterion(f"E[(x - x')² + (y - y')²] at Z = {Z}, ε = 0.1", bound, ".4f")


@claims.add(
    figure="nonlinear_compression",
    paper="On dense uniform x and y, the quantising code has a smaller error than picking one dimension or the "
    "average, even with ε as large as 0.1 and Z = 3",
    about="the theoretical model",
    phrase="even with epsilons as large as",
    criteria=[beats_linear(3)],
)
def nonlinear_beats_linear(data: Tables) -> Finding:
    readings, crossings = (data["nonlinear_compression"][table] for table in ("readings", "crossings"))
    (limit,) = crossings.query(f"Z == {PAPER_SETTING[0]}")["crossing"]
    return Finding(
        [readings["error"].min()],
        note="The unit of ε is not stated; the reading that favours the paper is judged. The error is "
        + listed(readings, "{error:.4f} with ε {reading}", " and ")
        + f". The code wins up to ε = {limit:.3f}, measured in Zx",
    )


@claims.add(
    figure="nonlinear_compression",
    paper="With two ReLU neurons per line segment it takes 12 Z neurons, so that it begins to beat linear compression "
    "only at 36 neurons in total",
    about="the theoretical model",
    phrase="each line segment takes two neurons",
    criteria=[
        Criterion(
            "least Z that beats 1/12 at ε = 0.1", above(2.5, "midpoint", "between Z = 2 and the paper's 3"), ".0f"
        )
    ],
    correction=[beats_linear(2)],
    expected="corrected",
)
def neurons_per_segment(data: Tables) -> Finding:
    errors = rows_at(data["nonlinear_compression"]["errors"], width=PAPER_SETTING[1]).set_index("Z")["error"]
    wins = errors.index[errors < compression.BEST_LINEAR_ERROR]
    return Finding(
        [min(wins, default=np.nan)],
        [errors.get(2, np.nan)],
        correction="Z = 2 beats linear compression, too: 24 neurons by the paper's count",
        note="The count: an encoder and two decoded outputs, each with 2 Z segments, each of two neurons",
    )


claims.leave_out(
    "theorem_1",
    paper="If a model recovers all sparse inputs up to a small error and its first matrix has the restricted isometry "
    "property, then m = Ω(k log(n/k))",
    phrase="Suppose that the toy model recovers",
    why="It is proved from a bound of compressed sensing; a run can neither support nor refute an asymptotic lower "
    "bound.",
)

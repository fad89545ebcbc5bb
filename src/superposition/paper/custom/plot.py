"""Plot a standard figure directly from the result of a sweep."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from superposition.core.errors import SuperpositionError
from superposition.core.weights import SweepResult
from superposition.paper.custom import draw, measure

KINDS = ("gram", "points", "dimensionality")


def plot(result: SweepResult, figure: str = "gram") -> Figure:
    """Plot a standard figure of a sweep.

    Args:
        result: Result of the sweep.
        figure: Kind of the figure: "gram", "points" (for m = 2 and 3) or "dimensionality".

    Raises:
        SuperpositionError: There is no such figure, or it does not exist for this m.
    """
    if figure not in KINDS:
        raise SuperpositionError(f"figure {figure!r}: must be one of {', '.join(KINDS)}")
    drawn = getattr(draw, figure)(getattr(measure, figure)({figure: result}))
    # A notebook shows the figure that a cell returns; an open figure would be shown a second time.
    plt.close(drawn)
    return drawn

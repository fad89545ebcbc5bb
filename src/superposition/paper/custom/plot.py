"""A sweep to a standard figure, at once."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from superposition.core.errors import SuperpositionError
from superposition.core.weights import SweepResult
from superposition.paper.custom.draw import DRAWN, draw
from superposition.paper.custom.measure import measure


def plot(trained: SweepResult, figure: str = "gram") -> Figure:
    """A standard figure of a sweep: ``gram``, ``points`` (for m = 2 and 3) or ``dimensionality``."""
    if figure not in DRAWN:
        raise SuperpositionError(f"figure {figure!r}: allowed are {', '.join(DRAWN)}")
    drawn = draw(figure, measure(figure, {figure: trained}))
    plt.close(drawn)  # a notebook shows what a cell returns; if it stayed open, it would be shown twice
    return drawn

"""The tables: what it costs to keep two numbers in one, by the number of steps and the width of their edges."""

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from superposition.core.weights import SweepResult
from superposition.paper.appendix import STATED, compression

STEPS = (2, 3, 5, 10)  # Z
WIDTHS = np.unique([*np.geomspace(1e-3, 1, 31).round(6), STATED[1]])


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    errors = pd.DataFrame(
        [(Z, width, compression.mean_squared_error(Z, width)) for Z in STEPS for width in WIDTHS],
        columns=["Z", "width", "error"],
    )
    exact = [compression.mean_squared_error(Z, 0.0) for Z in STEPS]
    crossings = pd.DataFrame({"Z": STEPS, "no_width": exact, "crossing": [crossing(Z) for Z in STEPS]})
    shown = errors[np.isclose(errors["width"], STATED[1])]["error"].to_numpy()
    numbers = pd.DataFrame(
        {
            "Z": [str(Z) for Z in STEPS],
            "error with true floors (ε = 0)": [f"{value:.5f}" for value in exact],
            f"with ε = {STATED[1]:g}": [f"{value:.4f}" for value in shown],
            f"over the best linear map's, 1/12 = {compression.LINEAR:.4f}": [
                f"{value / compression.LINEAR:.2f}" for value in shown
            ],
            "linear maps win from ε =": [f"{value:.4f}" for value in crossings["crossing"]],
        }
    )
    return {"errors": errors, "crossings": crossings, "numbers": numbers}


def crossing(Z: int) -> float:
    """The width from which on the best linear map has the smaller error."""
    return float(brentq(lambda width: compression.mean_squared_error(Z, width) - compression.LINEAR, 1e-6, 1))

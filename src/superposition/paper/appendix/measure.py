"""Compute the tables of the appendix: the error of nonlinear compression by the number of steps and their width."""

import numpy as np
import pandas as pd
import scipy

from superposition.analysis.rows import rows_at
from superposition.core.weights import SweepResult
from superposition.paper.appendix import PAPER_SETTING, compression

Z_VALUES = (2, 3, 5, 10)
# Two readings of ε: the width of a segment in Zx and Zt, or in x and t themselves, and the factor between them.
READINGS = {"in Zx and Zt": 1, "in x and t": PAPER_SETTING[0]}
WIDTHS = np.unique([*np.geomspace(1e-3, 1, 31).round(6), PAPER_SETTING[1]])


def nonlinear_compression(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the error by Z and by the width of the segments, and where linear compression becomes better."""
    errors = pd.DataFrame(
        [(Z, width, compression.mean_squared_error(Z, width)) for Z in Z_VALUES for width in WIDTHS],
        columns=["Z", "width", "error"],
    )
    exact = [compression.mean_squared_error(Z, 0.0) for Z in Z_VALUES]
    crossings = pd.DataFrame({"Z": Z_VALUES, "no_width": exact, "crossing": [break_even_width(Z) for Z in Z_VALUES]})
    Z, width = PAPER_SETTING
    readings = pd.DataFrame(
        [(name, compression.mean_squared_error(Z, width * factor)) for name, factor in READINGS.items()],
        columns=["reading", "error"],
    )
    shown = rows_at(errors, width=PAPER_SETTING[1])["error"].to_numpy()
    numbers = pd.DataFrame(
        {
            "Z": [str(Z) for Z in Z_VALUES],
            "error with true floors (ε = 0)": [f"{value:.5f}" for value in exact],
            f"with ε = {PAPER_SETTING[1]:g}": [f"{value:.4f}" for value in shown],
            f"over the best linear map's, 1/12 = {compression.BEST_LINEAR_ERROR:.4f}": [
                f"{value / compression.BEST_LINEAR_ERROR:.2f}" for value in shown
            ],
            "linear maps win from ε =": [f"{value:.4f}" for value in crossings["crossing"]],
        }
    )
    return {"errors": errors, "crossings": crossings, "readings": readings, "numbers": numbers}


def break_even_width(Z: int) -> float:
    """Return the width above which the best linear map has the smaller error."""
    return float(
        scipy.optimize.brentq(
            lambda width: compression.mean_squared_error(Z, width) - compression.BEST_LINEAR_ERROR, 1e-6, 1
        )
    )

"""Compute the tables of the appendix: the error of nonlinear compression by the number of steps and their width."""

import numpy as np
import pandas as pd
import scipy

from superposition.analysis.rows import formatted, rows_at
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
    limits = [(Z, compression.mean_squared_error(Z, 0.0), break_even_width(Z)) for Z in Z_VALUES]
    crossings = pd.DataFrame(limits, columns=["Z", "no_width", "crossing"])
    Z, width = PAPER_SETTING
    readings = [(name, compression.mean_squared_error(Z, width * factor)) for name, factor in READINGS.items()]
    shown = rows_at(errors, width=width).reset_index()["error"]
    columns = {
        "Z": "{Z}",
        "error with true floors (ε = 0)": "{no_width:.5f}",
        f"with ε = {width:g}": "{error:.4f}",
        f"over the best linear map's, 1/12 = {compression.BEST_LINEAR_ERROR:.4f}": "{relative:.2f}",
        "linear maps win from ε =": "{crossing:.4f}",
    }
    return {
        "errors": errors,
        "crossings": crossings,
        "readings": pd.DataFrame(readings, columns=["reading", "error"]),
        "numbers": formatted(crossings.assign(error=shown, relative=shown / compression.BEST_LINEAR_ERROR), columns),
    }


def break_even_width(Z: int) -> float:
    """Return the width above which the best linear map has the smaller error."""

    def excess(width: float) -> float:
        return compression.mean_squared_error(Z, width) - compression.BEST_LINEAR_ERROR

    return float(scipy.optimize.brentq(excess, 1e-6, 1))

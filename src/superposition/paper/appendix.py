"""Appendix: two numbers packed into one by nonlinear functions, held against the best linear maps."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import brentq

from superposition import compression, plotting
from superposition.claims import Claims, Finding, Tables
from superposition.weights import Trained

claims = Claims("appendix")

STEPS = (2, 3, 5, 10)  # Z
STATED = (3, 0.1)  # Z and ε at which the paper says that it still wins
WIDTHS = np.unique([*np.geomspace(1e-3, 1, 31).round(6), STATED[1]])


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
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


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """How t is made and read, and the error against the width of the segments."""
    fig, (code, error) = plt.subplots(1, 2, figsize=(plotting.PAGE, 2.6), width_ratios=[1, 1.4])
    Z, width = STATED
    x = np.linspace(0, 1, 601)[:-1]
    for place, y in enumerate((0.1, 0.5, 0.9)):
        t = (compression.soft_floor(Z * x, width, Z - 1) + y) / Z
        code.plot(x, t, color=plotting.CATEGORIES[place], label=f"$y = {y:g}$")
    code.set(xlabel="$x$", ylabel="$t$", xlim=(0, 1), ylim=(0, 1), title=f"$Z = {Z}$, $\\epsilon = {width:g}$")
    code.legend(loc="upper left")
    for place, (steps, rows) in enumerate(data["errors"].groupby("Z")):
        error.plot(rows["width"], rows["error"], color=plotting.CATEGORIES[place], label=f"$Z = {steps}$")
    error.axhline(compression.LINEAR, color="k", ls="--", lw=1, label="keep one value, or the mean")
    stated = data["errors"][(data["errors"]["Z"] == Z) & np.isclose(data["errors"]["width"], width)]
    error.plot(stated["width"], stated["error"], "o", color="k", ms=4, zorder=3)
    error.set(xscale="log", yscale="log", xlabel="width $\\epsilon$ of the segments", ylabel="mean squared error")
    error.legend(loc="lower right")
    return fig


@claims.add(
    "nonlinear_beats_linear",
    figure="nonlinear_compression",
    paper="Packing two values into one nonlinearly has a smaller error than the best linear compression, even with ε = "
    "0.1 and Z = 3",
    criterion="E[(x - x')² + (y - y')²] there, integrated exactly, is below 1/12, that of keeping one value or the "
    "mean",
)
def nonlinear_beats_linear(data: Tables) -> Finding:
    tables = data["nonlinear_compression"]
    Z, width = STATED
    errors = tables["errors"]
    (value,) = errors[(errors["Z"] == Z) & np.isclose(errors["width"], width)]["error"]
    (limit,) = tables["crossings"].query(f"Z == {Z}")["crossing"]
    return Finding(
        f"{value:.4f} against {compression.LINEAR:.4f}, {value / compression.LINEAR:.0%} of it; with Z = {Z} it wins "
        f"up to ε = {limit:.3f}",
        holds=bool(value < compression.LINEAR),
    )

"""Judge the claim of the appendix: nonlinear compression beats linear compression."""

import numpy as np

from superposition.paper.appendix import PAPER_SETTING, compression
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("appendix")


@claims.add(
    "nonlinear_beats_linear",
    figure="nonlinear_compression",
    paper="Packing two values into one nonlinearly has a smaller error than the best linear compression, even with ε = "
    "0.1 and Z = 3",
    criterion="E[(x - x')² + (y - y')²] there, integrated exactly, is below 1/12, the error of keeping one value or "
    "the mean",
)
def nonlinear_beats_linear(data: Tables) -> Finding:
    tables = data["nonlinear_compression"]
    Z, width = PAPER_SETTING
    errors = tables["errors"]
    (value,) = errors[(errors["Z"] == Z) & np.isclose(errors["width"], width)]["error"]
    (limit,) = tables["crossings"].query(f"Z == {Z}")["crossing"]
    return Finding(
        f"{value:.4f} against {compression.BEST_LINEAR_ERROR:.4f}, {value / compression.BEST_LINEAR_ERROR:.0%} of it; "
        f"with Z = {Z} it wins up to ε = {limit:.3f}",
        holds=bool(value < compression.BEST_LINEAR_ERROR),
    )

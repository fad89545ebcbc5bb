"""Tables to verdicts: nonlinear compression against linear."""

import numpy as np

from superposition.paper.appendix import STATED, compression
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("appendix")


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

"""Draw models side by side, from dense to sparse."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from superposition.plotting import panels, style


def _draw_models(figure: str, tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b, and ‖W_i‖ coloured by superposition for the linear model and the ReLU-output models."""
    linear, relu = f"{figure}_linear", figure
    rows = tables["models"].sort_values("density", ascending=False, kind="stable")
    rows = pd.concat([rows.query(f"experiment == '{linear}' and density == 1"), rows.query(f"experiment == '{relu}'")])
    models = []
    for row in rows.itertuples():
        here = f"experiment == '{row.experiment}' and point == {row.point}"
        title = "linear model" if row.experiment == linear else style.density_title(row.density)
        gram = panels.gram(tables["pairs"].query(here))
        models.append(panels.Panel(title, gram, tables["features"].query(here)))
    return panels.model_grid(models)


basic_small = partial(_draw_models, "basic_small")
basic_large = partial(_draw_models, "basic_large")

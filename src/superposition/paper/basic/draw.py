"""Draw models side by side, from dense to sparse."""

import pandas as pd
from matplotlib.figure import Figure

from superposition.plotting import panels, style


def basic_small(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw models with 20 features in 5 dimensions."""
    return _draw_models("basic_small", tables)


def basic_large(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw models with 80 features in 20 dimensions."""
    return _draw_models("basic_large", tables)


def _draw_models(figure: str, tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b, and ‖W_i‖ coloured by superposition for the linear model and the ReLU-output models."""
    densities = tables["models"].query(f"experiment == '{figure}'")["density"].sort_values(ascending=False)
    shown = [(f"{figure}_linear", 1.0), *((figure, d) for d in densities)]
    models = []
    for experiment, density in shown:
        here = f"experiment == '{experiment}' and density == {density}"
        title = "linear model" if experiment == f"{figure}_linear" else style.density_title(density)
        gram = panels.gram(tables["pairs"].query(here))
        models.append(panels.Panel(title, gram, tables["features"].query(here)))
    return panels.model_grid(models)

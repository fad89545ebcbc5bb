"""Draw models side by side, from dense to sparse."""

import pandas as pd
from matplotlib.figure import Figure

from superposition.plotting import panels, style


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b, and ‖W_i‖ coloured by superposition for the linear model and the ReLU-output models."""
    densities = data["models"].query(f"experiment == '{figure}'")["density"].sort_values(ascending=False)
    shown = [(f"{figure}_linear", 1.0), *((figure, d) for d in densities)]
    models = []
    for experiment, density in shown:
        here = f"experiment == '{experiment}' and density == {density}"
        title = "linear model" if experiment == f"{figure}_linear" else style.density_title(density)
        gram = panels.gram(data["pairs"].query(here))
        models.append(panels.Panel(title, gram, data["features"].query(here)))
    return panels.model_grid(models)

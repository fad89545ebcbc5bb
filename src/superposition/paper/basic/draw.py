"""Draw models side by side, from dense to sparse."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from superposition.analysis.rows import at_point, rows_at
from superposition.plotting import panels, style


def _draw_models(figure: str, tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b, and ‖W_i‖ coloured by superposition for the linear model and the ReLU-output models.

    Beside the norms are those in the best known models.
    """
    linear, relu = f"{figure}_linear", figure
    rows = tables["models"].sort_values("density", ascending=False, kind="stable")
    by_experiment = dict(list(rows.groupby("experiment", sort=False)))
    models = []
    for row in pd.concat([rows_at(by_experiment[linear], density=1), by_experiment[relu]]).itertuples():
        pairs, features = (
            at_point(tables[name][tables[name]["experiment"] == row.experiment], row.point)
            for name in ("pairs", "features")
        )
        title = "linear model" if row.experiment == linear else style.density_title(row.density)
        known = at_point(tables["best_features"], row.point)["norm"].to_numpy() if row.experiment == relu else None
        models.append(panels.Panel(title, panels.gram(pairs), features, known))
    return panels.model_grid(models)


basic_small = partial(_draw_models, "basic_small")
basic_large = partial(_draw_models, "basic_large")

"""Draw models side by side, from dense to sparse."""

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition.analysis.rows import at_point, rows_at
from superposition.plotting import panels, style


def reading_models(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw one model, and say what its dot products, biases and norms mean."""
    features = tables["features"]
    model = panels.Panel("", panels.gram(tables["pairs"]), features)
    fig = plt.figure(figsize=(style.PAGE, 2.7), layout="none")
    matrix, bias, bars = (fig.add_axes((x, 0.17, w, 0.8)) for x, w in ((0.01, 0.31), (0.38, 0.03), (0.62, 0.16)))
    panels.model_panel([matrix, bias, bars], model)
    (gram,) = model.matrices.values()
    i, j = np.unravel_index(np.triu(gram, k=1).argmin(), gram.shape)
    norm, superposition = features["norm"].to_numpy(), features["superposition"].to_numpy()
    # The least important feature is dropped.
    alone, dropped = np.where(norm > 0.5, superposition, np.inf).argmin(), len(norm) - 1
    # Of every note: the place that it explains, where its text begins, and the text.
    notes: list[tuple[Axes, tuple[Any, Any], tuple[float, float], str]] = [
        (matrix, (0, 0), (0.45, 0.9), r"$\Vert W_i\Vert^2$ on the diagonal:" + "\n1 if represented"),
        (matrix, (j, i), (0.45, 0.65), f"$W_{{{i + 1}}}\\cdot W_{{{j + 1}}} = {gram[i, j]:.2f}$:\nan antipodal pair"),
        (matrix, (dropped, dropped), (0.45, 0.3), "0 if not represented,\nor without interference"),
        (bias, (0.5, alone), (1.6, 0.9), "0: a feature that\npasses through"),
        (
            bias,
            (0.5, dropped),
            (1.6, 0.1),
            f"${features['bias'].iloc[dropped]:.2f}\\approx E[x_i]$:\none that does not",
        ),
        (bars, (1, alone), (1.08, 0.9), "dark: a dimension\nof its own"),
        (bars, (1, j), (1.08, 0.65), "bright: a dimension\nthat is shared"),
        (bars, (0, dropped), (0.25, 0.2), "no bar: dropped"),
    ]
    for ax, place, start, text in notes:
        options: dict[str, Any] = {
            "fontsize": 7,
            "va": "center",
            "arrowprops": {"arrowstyle": "-", "lw": 0.6, "color": "0.3"},
        }
        ax.annotate(text, place, start, textcoords="axes fraction", annotation_clip=False, **options)
    return fig


def _draw_models(figure: str, tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b, and ‖W_i‖ coloured by superposition for the linear model and the ReLU-output models.

    Beside the norms are those in the best known models.
    """
    linear, rows = f"{figure}_linear", tables["models"].sort_values("density", ascending=False, kind="stable")
    shown = [rows_at(rows[rows["experiment"] == linear], density=1), rows[rows["experiment"] == figure]]
    models = []
    for row in pd.concat(shown).itertuples():
        pairs, features = (
            at_point(tables[name][tables[name]["experiment"] == row.experiment], row.point)
            for name in ("pairs", "features")
        )
        title = "linear model" if row.experiment == linear else style.density_title(row.density)
        known = at_point(tables["best_features"], row.point)["norm"].to_numpy() if row.experiment == figure else None
        models.append(panels.Panel(title, panels.gram(pairs), features, known))
    return panels.model_grid(models)


basic_small = partial(_draw_models, "basic_small")
basic_large = partial(_draw_models, "basic_large")

"""Draw the standard figures of a custom sweep."""

import functools
import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from superposition.analysis import neurons
from superposition.core.errors import SuperpositionError
from superposition.core.experiment.grid import COORDINATES
from superposition.paper.custom import MAX_PANELS, MAX_SHOWN_MODELS, select_points
from superposition.plotting import panels, style, vectors

POINT_COLUMNS = [*COORDINATES[:-1], "noise", COORDINATES[-1]]
AXIS_LABELS = {
    "density": r"$1\,/\,(1-S)$",
    "relative_density": "relative density",
    "relative_importance": "relative importance",
    "distribution": "distribution",
    "attack": r"attacks over mean $\|x\|$",
    "l1": "L1 coefficient",
    "noise": "noise",
    "seed": "seed",
}
# Axes with a logarithmic scale. Values on the others may be 0 or not numeric.
LOGARITHMIC = ("density", "relative_density", "relative_importance")
# Colour of features in no set, where others are in sets.
OUTSIDE_SETS = "0.6"
# Position and style of the note that says what a figure leaves out.
NOTE_STYLE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 7, "color": "0.35"}


def gram(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw WᵀW, b and ‖W_i‖ of the selected models.

    Models with a ReLU hidden layer also show W; absolute models show both layers instead of WᵀW.
    """
    model, grid = tables["models"]["model"].iloc[0], _coordinates(tables["models"])
    features, pairs, weights = (
        _by_point(tables[name]) if name in tables else {} for name in ("features", "pairs", "weights")
    )
    shown = [*(pairs or weights)]
    titles, note = _titles(grid, shown, "models")
    models, reach = [], 1.0
    for point, title in zip(shown, titles, strict=True):
        matrices = _layers(weights[point]) if weights else {}
        if model == "absolute":
            reach = max(reach, np.ceil(2 * np.quantile(np.abs(matrices["$W_2$"]), 0.999)) / 2)
        else:
            matrices |= panels.gram(pairs[point])
        models.append(panels.Panel(title, matrices, features[point]))
    values = {"relu_hidden": r"$W$, $W_i\cdot W_j$", "absolute": "$W_1$, $W_2$"}.get(model, r"$W_i\cdot W_j$")
    return panels.model_grid(models, f"{values} and $b_i$", float(reach), note)


def _layers(weights: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the layers of one model by label, with a row per feature and the neurons in display order."""
    layers = {k: weights.pivot(index="hidden", columns="feature", values=k) for k in ("W", "W_out") if k in weights}
    order = neurons.display_order(layers["W"].to_numpy())
    labels = [r"$W_1^\mathsf{T}$", "$W_2$"] if len(layers) == 2 else [r"$W^\mathsf{T}$"]
    return {label: W.to_numpy()[order].T for label, W in zip(labels, layers.values(), strict=True)}


@style.with_solids
def points(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw the columns of W of the selected models as arrows."""
    grid, m = _coordinates(tables["models"]), int(tables["models"]["m"].iloc[0])
    if m not in (2, 3):
        raise SuperpositionError(f"figure 'points': available only for m = 2 and 3, but m is {m}")
    features, shown = _by_point(tables["features"]), select_points(grid, MAX_SHOWN_MODELS)
    titles, note = _titles(grid, shown, "models")
    rows = 1 if len(titles) <= MAX_SHOWN_MODELS / 2 else 2
    columns = -(-len(titles) // rows)
    size = min(style.PAGE / columns, 2.6)
    lines = max(title.count("\n") for title in titles)
    height = rows * (size + 0.12 * lines) + 0.4
    kind: dict[str, Any] = {"subplot_kw": {"projection": "3d"}} if m == 3 else {"sharex": True, "sharey": True}
    fig, axes = plt.subplots(rows, columns, figsize=(style.PAGE, height), squeeze=False, **kind)
    importance = _importance_scale(tables["features"])
    reach = 1.35 * max(1.1, *(features[point]["norm"].max() for point in shown))
    for ax, point, title in zip(axes.flat, shown, titles, strict=False):
        vectors.feature_arrows(ax, features[point], _feature_colours(features[point], importance), reach)
        ax.set_title(title)
    for ax in axes.flat[len(titles) :]:
        ax.set_axis_off()
    if m == 2:
        fig.supxlabel("$h_1$", fontsize=8)
        fig.supylabel("$h_2$", fontsize=8)
    _add_importance_bar(fig, axes, tables["features"])
    fig.suptitle(note, **NOTE_STYLE)
    return fig


def dimensionality(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw D_i of every feature along the longest axis of the sweep.

    There is a panel for every combination of values on the other axes; all seeds are drawn together.
    """
    features = tables["features"]
    varying = _varying(features)
    main = max((name for name in varying if name != "seed"), key=lambda name: features[name].nunique(), default="seed")
    others = [name for name in varying if name not in (main, "seed")]
    shown, titles, note = [0], [""], ""
    panel = pd.Series(0, features.index)
    if others:
        panel = features.groupby(others, sort=False).ngroup()
        grid = features[others].drop_duplicates(ignore_index=True)
        shown = select_points(grid, MAX_PANELS)
        titles, note = _titles(grid, shown, "panels")
    rows = 2 if len(titles) > 3 else 1
    columns = -(-len(titles) // rows)
    size = (style.PAGE, 2.9 if rows == 1 else 4.8)
    fig, axes = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    importance = _importance_scale(features)
    for ax, number, title in zip(axes.flat, shown, titles, strict=True):
        part = features[panel == number]
        if main in varying:
            x = _spread_features(ax, part, main)
        else:
            x = part["feature"] + 1
            ax.xaxis.get_major_locator().set_params(integer=True)
        colours = _feature_colours(part, importance)
        area = np.clip(5000 / len(part), 2, 20)
        ax.scatter(x, part["dimensionality"], s=area, c=colours, lw=0, rasterized=len(part) > 2000)
        ax.set(ylim=(-0.03, 1.05), title=title)
    for row in axes:
        panels.fraction_lines(*row)
        row[0].set_ylabel("dimensionality $D_i$")
    for ax in axes[-1]:
        ax.set_xlabel(AXIS_LABELS[main] if main in varying else "feature")
    _add_importance_bar(fig, axes, features)
    fig.suptitle(note, **NOTE_STYLE)
    return fig


def _spread_features(ax: Axes, features: pd.DataFrame, main: str) -> np.ndarray:
    """Set up the x-axis for the values of ``main``, and return the x-coordinate of every feature.

    The features of one model are placed side by side around the model's value.
    """
    values = list(features[main].unique())
    if main not in LOGARITHMIC:
        names = _distribution_labels(values) if main == "distribution" else {v: f"{v:g}" for v in values}
        places = np.arange(len(values), dtype=float)
        ax.set_xticks(places, [names[v] for v in values])
    else:
        places = np.log([1 / v if main == "density" else v for v in values])
        ax.set_xscale("log")
        if len(values) <= MAX_SHOWN_MODELS:
            ax.set_xticks(np.exp(places), [f"{v:.3g}" for v in np.exp(places)])
            ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    width = 0.7 * np.diff(np.sort(places)).min()
    offset = (features["feature"] + 0.5) / (features["feature"].max() + 1) - 0.5
    x = features[main].map(dict(zip(values, places, strict=True))) + width * offset
    return (np.exp(x) if main in LOGARITHMIC else x).to_numpy()


def _by_point(table: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return the rows at every point, in the order of the table."""
    return dict(list(table.groupby("point", sort=False)))


def _coordinates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table that are coordinates of the sweep."""
    return table[[name for name in POINT_COLUMNS if name in table]]


def _varying(grid: pd.DataFrame) -> list[str]:
    """Return the coordinates that have more than one value."""
    return [name for name in POINT_COLUMNS if name in grid and grid[name].nunique() > 1]


def _titles(grid: pd.DataFrame, rows: list[int], things: str) -> tuple[list[str], str]:
    """Return a title for every row shown, made of the coordinates that vary, and a note on the rows left out."""
    shown = grid.iloc[rows]
    distributions = _distribution_labels(list(grid["distribution"].unique())) if "distribution" in grid else {}
    varying = _varying(shown)

    def label(name: str, value: float | int | str) -> str:
        if name == "density":
            return style.density_title(float(f"{value:.3g}"))
        return distributions[str(value)] if name == "distribution" else f"{AXIS_LABELS[name]} {value:.3g}"

    names = varying or ["density"]
    titles = ["\n".join(label(name, row[name]) for name in names) for row in shown.to_dict(orient="records")]
    count = len(grid.drop_duplicates())
    if len(titles) == count:
        return titles, ""
    fixed = [label(name, shown[name].tolist()[0]) for name in _varying(grid) if name not in varying]
    parts = [f"{len(titles)} of {count} {things}, evenly spaced along the axes of the sweep", *fixed]
    return titles, "; ".join(parts).replace("\n", " ")


def _distribution_labels(names: list[str]) -> dict[str, str]:
    """Return a label for every distribution, with features counted from 1.

    A distribution whose name is too long is labelled with its number in the sweep.
    """
    labels = {name: re.sub(r"\d+", lambda number: str(int(number[0]) + 1), name) for name in names}
    labels = {name: text.replace(" ", "\n", 1) for name, text in labels.items()}
    return {name: text if len(text) <= 27 else f"distribution {names.index(name) + 1}" for name, text in labels.items()}


@functools.cache
def _feature_sets(distribution: str) -> list[list[int]]:
    """Return the sets of features that the name of a distribution lists."""
    return [[int(i) for i in members.split("+")] for members in re.findall(r"\d+(?:\+\d+)+", distribution)]


def _feature_colours(rows: pd.DataFrame, importance: Normalize) -> list[ColorType]:
    """Return the colour of every row of the table of features.

    Features are coloured by set where there are sets, otherwise by importance if that varies in the sweep.
    """

    def colour(row: Any) -> ColorType:
        if sets := _feature_sets(row.distribution):
            number = next((k for k, members in enumerate(sets) if row.feature in members), None)
            return OUTSIDE_SETS if number is None else style.CATEGORIES[number % len(style.CATEGORIES)]
        if importance.vmin == importance.vmax:
            return style.CATEGORIES[0]
        return style.IMPORTANCE(importance(row.importance))

    return [colour(row) for row in rows[["distribution", "feature", "importance"]].itertuples()]


def _importance_scale(features: pd.DataFrame) -> Normalize:
    """Return the colour scale of importances."""
    return Normalize(features["importance"].min(), features["importance"].max())


def _add_importance_bar(fig: Figure, axes: np.ndarray, features: pd.DataFrame) -> None:
    """Add the colour scale of importances, unless all are equal or all features are coloured by set."""
    if features["importance"].nunique() > 1 and not all(map(_feature_sets, features["distribution"].unique())):
        scale = ScalarMappable(_importance_scale(features), style.IMPORTANCE)
        style.colorbar(fig, scale, "importance $I_i$", ax=axes, shrink=0.75, pad=0.02, aspect=30)

"""The standard tables to figures."""

import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from superposition.analysis import neurons
from superposition.core.errors import SuperpositionError
from superposition.core.grid import COORDINATES
from superposition.paper.custom import MODELS, PANELS, chosen, kind_of
from superposition.plotting import panels, style, vectors

POINT = list(COORDINATES)
AXES = {
    "density": r"$1\,/\,(1-S)$",
    "relative_density": "relative density",
    "relative_importance": "relative importance",
    "distribution": "distribution",
    "attack": r"attacks over mean $\|x\|$",
    "l1": "L1 coefficient",
    "seed": "seed",
}
LOGARITHMIC = ("density", "relative_density", "relative_importance")  # the other axes may have a value of 0, or none
NOTE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 7, "color": "0.35"}  # how a figure says what it leaves out


Tables = dict[str, pd.DataFrame]


def draw(figure: str, data: Tables) -> Figure:
    """Draw a standard figure, ``<experiment>_<kind>`` or its kind alone."""
    return DRAWN[kind_of(figure)](data)


def _draw_gram(data: Tables) -> Figure:
    """WᵀW (of neurons, W), b and ‖W_i‖ of the chosen models."""
    kind, grid = data["models"]["model"].iloc[0], data["models"][POINT]
    features = _by_point(data["features"], "feature")
    pairs = _by_point(data["pairs"], "i", "j") if "pairs" in data else {}
    weights = _by_point(data["weights"], "hidden", "feature") if "weights" in data else {}
    titles, note = _named(grid, pd.DataFrame([*(pairs or weights)], columns=POINT), "models")
    models, reach = [], 1.0
    for point, title in titles.items():
        matrices = _layers(weights[point]) if weights else {}
        if kind == "absolute":
            reach = max(reach, np.ceil(2 * np.quantile(np.abs(matrices["$W_2$"]), 0.999)) / 2)
        else:
            matrices |= panels.gram(pairs[point])
        models.append(panels.Panel(title, matrices, features[point]))
    values = {"relu_hidden": r"$W$, $W_i\cdot W_j$", "absolute": "$W_1$, $W_2$"}.get(kind, r"$W_i\cdot W_j$")
    return panels.model_grid(models, f"{values} and $b_i$", float(reach), note)


def _layers(weights: pd.DataFrame) -> dict[str, np.ndarray]:
    """The layers of one model, a row per feature; the neurons in the order of their most important features."""
    layers = {k: weights.pivot(index="hidden", columns="feature", values=k) for k in ("W", "W_out") if k in weights}
    order = neurons.display_order(layers["W"].to_numpy())
    labels = [r"$W_1^\mathsf{T}$", "$W_2$"] if len(layers) == 2 else [r"$W^\mathsf{T}$"]
    return {label: W.to_numpy()[order].T for label, W in zip(labels, layers.values(), strict=True)}


@style.with_solids
def _draw_points(data: Tables) -> Figure:
    """The columns of W of the chosen models, coloured by importance."""
    grid, m = data["models"][POINT], int(data["models"]["m"].iloc[0])
    if m not in (2, 3):
        raise SuperpositionError(f"figure 'points': only for m = 2 and 3, not {m}")
    features = _by_point(data["features"], "feature")
    titles, note = _named(grid, grid.iloc[chosen(grid, MODELS)], "models")
    rows = 1 if len(titles) <= MODELS / 2 else 2
    columns = -(-len(titles) // rows)
    size = min(style.PAGE / columns, 2.6)
    lines = max(title.count("\n") for title in titles.values())
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(style.PAGE, rows * (size + 0.12 * lines) + 0.4),
        sharex=m == 2,
        sharey=m == 2,
        squeeze=False,
        subplot_kw={"projection": "3d"} if m == 3 else {},
    )
    importance = _importance(data["features"])
    reach = 1.2 * max(1.2, *(features[point]["norm"].max() for point in titles))
    for ax, (point, title) in zip(axes.flat, titles.items(), strict=False):
        vectors.feature_arrows(ax, features[point], importance, reach)
        ax.set_title(title)
    for ax in axes.flat[len(titles) :]:
        ax.set_axis_off()
    if m == 2:
        fig.supxlabel("$h_1$", fontsize=8)
        fig.supylabel("$h_2$", fontsize=8)
    _importance_bar(fig, axes, data["features"])
    fig.suptitle(note, **NOTE)
    return fig


def _draw_dimensionality(data: Tables) -> Figure:
    """D_i of every feature along the longest axis; a panel for each value of the others, all seeds together."""
    features = data["features"]
    varying = _varying(features)
    main = max((name for name in varying if name != "seed"), key=lambda name: features[name].nunique(), default="seed")
    others = [name for name in varying if name not in (main, "seed")]
    titles: dict[tuple, str] = {(): ""}
    note = ""
    if others:
        grid = features[others].drop_duplicates(ignore_index=True)
        titles, note = _named(grid, grid.iloc[chosen(grid, PANELS)], "panels")
    rows = 2 if len(titles) > 3 else 1
    columns = -(-len(titles) // rows)
    fig, axes = plt.subplots(
        rows, columns, figsize=(style.PAGE, 2.9 if rows == 1 else 4.8), sharex=True, sharey=True, squeeze=False
    )
    importance = _importance(features)
    for ax, (point, title) in zip(axes.flat, titles.items(), strict=True):
        part = features[(features[others] == list(point)).all(axis=1)]
        if main in varying:
            place = _spread(ax, part, main)
        else:
            place = part["feature"] + 1
            ax.xaxis.get_major_locator().set_params(integer=True)
        colours = style.IMPORTANCE(importance(part["importance"].to_numpy()))
        size = np.clip(5000 / len(part), 2, 20)
        ax.scatter(place, part["dimensionality"], s=size, c=colours, lw=0, rasterized=len(part) > 2000)
        ax.set(ylim=(-0.03, 1.05), title=title)
    for row in axes:
        panels.fraction_lines(*row)
        row[0].set_ylabel("dimensionality $D_i$")
    for ax in axes[-1]:
        ax.set_xlabel(AXES[main] if main in varying else "feature")
    _importance_bar(fig, axes, features)
    fig.suptitle(note, **NOTE)
    return fig


DRAWN = {"gram": _draw_gram, "points": _draw_points, "dimensionality": _draw_dimensionality}


def _spread(ax: Axes, features: pd.DataFrame, main: str) -> np.ndarray:
    """Where the features of every model are drawn: side by side around its place on the axis, which is set up."""
    values = list(features[main].unique())
    if main not in LOGARITHMIC:
        names = _distributions(values) if main == "distribution" else {v: f"{v:g}" for v in values}
        places = np.arange(len(values), dtype=float)
        ax.set_xticks(places, [names[v] for v in values])
    else:
        places = np.log([1 / v if main == "density" else v for v in values])
        ax.set_xscale("log")
        if len(values) <= MODELS:
            ax.set_xticks(np.exp(places), [f"{v:.3g}" for v in np.exp(places)])
            ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    width = 0.7 * np.diff(np.sort(places)).min()
    share = (features["feature"] + 0.5) / (features["feature"].max() + 1) - 0.5
    found = features[main].map(dict(zip(values, places, strict=True))) + width * share
    return (np.exp(found) if main in LOGARITHMIC else found).to_numpy()


def _by_point(table: pd.DataFrame, *within: str) -> dict[tuple, pd.DataFrame]:
    """The rows of every point, in the order of the sweep; ``within`` tells them apart."""
    return dict(list(table.drop_duplicates([*POINT, *within]).groupby(POINT, sort=False)))


def _varying(grid: pd.DataFrame) -> list[str]:
    return [name for name in POINT if name in grid and grid[name].nunique() > 1]


def _named(grid: pd.DataFrame, shown: pd.DataFrame, what: str) -> tuple[dict[tuple, str], str]:
    """A title for every point that is shown, of the coordinates in which they differ; and a note of what is not."""
    distributions = _distributions(list(grid["distribution"].unique())) if "distribution" in grid else {}
    varying = _varying(shown)

    def words(name: str, value: float | int | str) -> str:
        if name == "density":
            return style.density_title(float(f"{value:.3g}"))
        return distributions[str(value)] if name == "distribution" else f"{AXES[name]} {value:.3g}"

    titles = {}
    for point in shown.itertuples(index=False, name=None):
        place = dict(zip(grid, point, strict=True))
        titles[point] = "\n".join(words(name, place[name]) for name in varying or ["density"])
    count = len(grid.drop_duplicates())
    if len(titles) == count:
        return titles, ""
    fixed = [words(name, shown[name].tolist()[0]) for name in _varying(grid) if name not in varying]
    parts = [f"{len(titles)} of {count} {what}, evenly spaced along the axes of the sweep", *fixed]
    return titles, "; ".join(parts).replace("\n", " ")


def _distributions(names: list[str]) -> dict[str, str]:
    """What is written for each; features count from 1. One with many features goes by its place in the sweep."""
    written = {name: re.sub(r"\d+", lambda number: str(int(number[0]) + 1), name) for name in names}
    written = {name: text.replace(" ", "\n", 1) for name, text in written.items()}
    return {
        name: text if len(text) <= 27 else f"distribution {names.index(name) + 1}" for name, text in written.items()
    }


def _importance(features: pd.DataFrame) -> Normalize:
    least, most = features["importance"].min(), features["importance"].max()
    return Normalize(least if least < most else 0, most)


def _importance_bar(fig: Figure, axes: np.ndarray, features: pd.DataFrame) -> None:
    """The scale of importances, where these differ."""
    if features["importance"].nunique() > 1:
        scale = ScalarMappable(_importance(features), style.IMPORTANCE)
        style.colorbar(fig, scale, "importance $I_i$", ax=axes, shrink=0.75, pad=0.02, aspect=30)

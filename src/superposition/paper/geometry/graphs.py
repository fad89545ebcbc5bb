"""Graphs of a model's tegum factors: features as nodes, interference between them as edges."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from superposition.plotting import style


def draw_factors(ax: Axes, nodes: pd.DataFrame, edges: pd.DataFrame) -> None:
    """Draw the factors of a model as rings, placed in rows from the largest to the smallest.

    A node is a feature, coloured by the polytope of its factor; an edge is a pair, with a width proportional to
    |W_i·W_j|.
    """
    position: dict[int, np.ndarray] = {}
    corner, row_height, width = np.zeros(2), 0.0, 1.35 * len(nodes) ** 0.5
    for _, factor in sorted(nodes.groupby("factor"), key=lambda item: (-len(item[1]), item[0])):
        members = factor["feature"].to_numpy()
        inside = edges[edges["i"].isin(members) & edges["j"].isin(members)]
        ring, radius = place_on_ring(members, inside)
        if corner[0] + 2 * radius > width:
            corner, row_height = np.array([0.0, corner[1] - row_height - 0.5]), 0.0
        for feature, point in zip(members, ring, strict=True):
            position[feature] = corner + radius * (1 + point * [1, -1]) * [1, -1]
        corner, row_height = corner + np.array([2 * radius + 0.5, 0]), max(row_height, 2 * radius)
    edges = edges.sort_values("dot", key=abs)
    ends = [(position[i], position[j]) for i, j in zip(edges["i"], edges["j"], strict=True)]
    dot = edges["dot"].clip(-1, 1).to_numpy()
    options: dict[str, Any] = {"colors": style.signed()(0.5 + 0.5 * dot), "linewidths": 1.1 * np.abs(dot)}
    ax.add_collection(LineCollection(ends, **options, capstyle="round", zorder=1))
    positions = np.array([position[feature] for feature in nodes["feature"]])
    colours = [style.POLYTOPES.get(name, style.POLYTOPES["other"]) for name in nodes["polytope"]]
    ax.scatter(*positions.T, s=5, color=colours, lw=0, zorder=2)
    ax.set_aspect("equal")


def place_on_ring(members: np.ndarray, edges: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Place the features of a factor on a circle, in the order of their angles in the factor's main plane.

    Args:
        members: Features of the factor.
        edges: Pairs of these features.

    Returns:
        Points on the unit circle, [feature, 2], and a radius at which the features do not overlap.
    """
    k = len(members)
    if k == 1:
        return np.zeros((1, 2)), 0.3
    gram = np.eye(k)
    index = {feature: number for number, feature in enumerate(members)}
    i, j = edges["i"].map(index).to_numpy(int), edges["j"].map(index).to_numpy(int)
    gram[i, j] = gram[j, i] = edges["dot"]
    plane = np.linalg.eigh(gram)[1][:, -2:]
    angle = np.empty(k)
    angle[np.argsort(np.arctan2(plane[:, 1], plane[:, 0]), kind="stable")] = 2 * np.pi * np.arange(k) / k + np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=1), max(0.5, 0.17 * k)

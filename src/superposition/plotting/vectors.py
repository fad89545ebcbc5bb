"""Features as vectors: the columns of W in two or three dimensions, as arrows or as the corners of a polytope."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.typing import ColorType
from mpl_toolkits.mplot3d import Axes3D

from superposition.plotting import style

# Largest number of features that are labelled.
MAX_LABELLED = 20
# Direction from which three-dimensional arrangements are seen, in radians, and the unit vector towards the viewer.
ELEVATION, AZIMUTH = 0.3, 0.6
VIEW = np.array([np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH), np.sin(ELEVATION)])


def feature_arrows(
    ax: Axes, features: pd.DataFrame, colours: Sequence[ColorType] | np.ndarray, reach: float = 1.45
) -> None:
    """Draw the columns of one model's W as arrows.

    Features at the same place share a label. Features near the origin have none, and no feature has one if there are
    more than ``MAX_LABELLED``.

    Args:
        ax: Axes to draw on, with ``projection="3d"`` for m = 3.
        features: The model's rows of the standard table of features.
        colours: Colour of every feature.
        reach: Limit of every axis, which extends from -reach to reach.
    """
    W = features[[c for c in ("w0", "w1", "w2") if c in features]].to_numpy()
    width, size = (0.6, 8) if len(W) > MAX_LABELLED else (1.5, 18)
    (_draw_space if isinstance(ax, Axes3D) else _draw_plane)(ax, W)
    for place, colour in zip(W, colours, strict=True):
        ax.plot(*np.stack([0 * place, place]).T, color=colour, lw=width, solid_capstyle="round")
        ax.scatter(*place[:, None], s=size, color=[colour], edgecolor="0.2", lw=0.5, zorder=3)
    if len(W) <= MAX_LABELLED:
        _label(ax, W)
    ax.set(**{f"{axis}lim": (-reach, reach) for axis in "xyz"[: W.shape[1]]})


def _label(ax: Axes, W: Float[np.ndarray, "n m"]) -> None:
    """Write W_i beyond the end of every arrow that is long enough to be seen."""
    groups: list[tuple[np.ndarray, list[str]]] = []
    for number, place in enumerate(W, start=1):
        if np.linalg.norm(place) > 0.3:
            group = next((numbers for other, numbers in groups if np.linalg.norm(place - other) < 0.2), None)
            if group is None:
                groups.append((place, [str(number)]))
            else:
                group.append(str(number))
    for place, numbers in groups:
        text, outward = f"$W_{{{','.join(numbers)}}}$", place / np.linalg.norm(place)
        if isinstance(ax, Axes3D):
            # Perpendicular to the view, so that an arrow towards the viewer does not hide its label.
            sideways = outward - (outward @ VIEW) * VIEW
            x, y, z = place + 0.2 * sideways / max(np.linalg.norm(sideways), 0.5)
            ax.text(x, y, z, text, **style.CENTRED, fontsize=7)
        else:
            offset = outward * [6 + 2.5 * len(numbers), 8.5]
            ax.annotate(text, tuple(place), tuple(offset), textcoords="offset points", **style.CENTRED, fontsize=7)


def _draw_plane(ax: Axes, W: Float[np.ndarray, "n 2"]) -> None:
    """Draw the unit circle and the coordinate axes."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6, ls=":"))
    ax.axhline(0, color="0.9", lw=0.5, zorder=0)
    ax.axvline(0, color="0.9", lw=0.5, zorder=0)
    ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def _draw_space(ax: Axes3D, W: Float[np.ndarray, "n 3"]) -> None:
    """Draw the outline of the unit sphere, the coordinate axes, and the convex hull of the represented features."""
    _set_view(ax, zoom=1.7)
    ax.set_proj_type("ortho")
    ax.set_axis_off()
    side = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0])
    angle = np.linspace(0, 2 * np.pi, 100)[:, None]
    ax.plot(*(np.cos(angle) * side + np.sin(angle) * np.cross(VIEW, side)).T, color="0.8", lw=0.6, ls=":")
    for axis in np.eye(3):
        ax.plot(*np.stack([-axis, axis]).T, color="0.9", lw=0.5)
    corners = W[np.linalg.norm(W, axis=1) > 0.3]
    if len(corners) > 3 and np.linalg.matrix_rank(corners[1:] - corners[0], tol=0.1) == 3:
        for edge in hull_edges(corners):
            ax.plot(*corners[list(edge)].T, color="0.6", lw=0.5)


def draw_polytope(ax: Axes, W: Float[np.ndarray, "m n"], colour: str) -> None:
    """Draw the columns of W as the corners of a polytope, with its edges."""
    points = W.T
    edges = hull_edges(points)
    if not isinstance(ax, Axes3D):
        for edge in edges:
            ax.plot(*points[list(edge)].T, color=colour, lw=0.8)
        for point in points:
            ax.plot(*np.stack([np.zeros(2), point]).T, color="0.8", lw=0.5, zorder=0)
        ax.scatter(*points.T, s=8, color=colour, zorder=2)
        reach = 1.15 * np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    else:
        # Edges at the back are fainter.
        nearness = points @ VIEW
        for edge in edges:
            near = nearness[list(edge)].mean() > -0.05
            ax.plot(*points[list(edge)].T, color=colour, lw=0.9 if near else 0.5, alpha=1 if near else 0.45)
        ax.scatter(*points.T, s=7, color=colour, depthshade=False)
        reach = np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        _set_view(ax, zoom=1.2)
    ax.set_axis_off()


def project(points: Float[np.ndarray, "n 3"], angle: float) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Turn points about the vertical axis, and return where they are seen and how near they are."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ points.T
    up, towards = np.array([[np.cos(ELEVATION), -np.sin(ELEVATION)], [np.sin(ELEVATION), np.cos(ELEVATION)]]) @ [z, x]
    return np.stack([y, up], axis=1), towards


def _set_view(ax: Axes3D, zoom: float) -> None:
    """Set the viewing direction to ``VIEW``."""
    ax.view_init(elev=np.degrees(ELEVATION), azim=np.degrees(AZIMUTH))
    ax.set_box_aspect((1, 1, 1), zoom=zoom)


def hull_edges(points: Float[np.ndarray, "n m"]) -> list[tuple[int, int]]:
    """Return the edges of the convex hull in two or three dimensions, without those inside a flat face."""
    # Imported here because most figures have no solids.
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    if points.shape[1] == 2:
        return sorted((int(min(ends)), int(max(ends))) for ends in hull.simplices)
    faces: dict[tuple[int, int], list[np.ndarray]] = {}
    for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
        a, b, c = sorted(map(int, triangle))
        for edge in ((a, b), (a, c), (b, c)):
            faces.setdefault(edge, []).append(plane[:3])
    return sorted(edge for edge, (one, other) in faces.items() if one @ other < 0.98)

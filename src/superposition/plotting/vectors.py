"""Features as vectors: the columns of W in the plane and in space, as arrows or as the corners of a polytope."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from mpl_toolkits.mplot3d import Axes3D

from superposition.plotting import style

MANY = 20  # features: more have no labels
ELEVATION, AZIMUTH = 0.3, 0.6  # from where what is in space is seen
VIEW = np.array([np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH), np.sin(ELEVATION)])


def feature_arrows(ax: Axes, features: pd.DataFrame, importance: Normalize, reach: float = 1.45) -> None:
    """The columns of one model's W as arrows in the plane, or in space on axes with ``projection="3d"``.

    Coloured by importance. Features in one place share a label; those near 0 have none, nor has any where there are
    many.
    """
    W = features[[c for c in ("w0", "w1", "w2") if c in features]].to_numpy()
    width, size = (0.6, 8) if len(W) > MANY else (1.5, 18)
    colours = style.IMPORTANCE(importance(features["importance"].to_numpy()))
    (_space if isinstance(ax, Axes3D) else _plane)(ax, W)
    for place, colour in zip(W, colours, strict=True):
        ax.plot(*np.stack([0 * place, place]).T, color=colour, lw=width, solid_capstyle="round")
        ax.scatter(*place[:, None], s=size, color=[colour], edgecolor="0.2", lw=0.5, zorder=3)
    if len(W) <= MANY:
        _label(ax, W)
    ax.set(**{f"{axis}lim": (-reach, reach) for axis in "xyz"[: W.shape[1]]})


def _label(ax: Axes, W: Float[np.ndarray, "n m"]) -> None:
    """Writes W_i beyond the end of every arrow that can be seen."""
    groups: list[tuple[np.ndarray, list[str]]] = []
    for number, place in enumerate(W, start=1):
        if np.linalg.norm(place) > 0.3:
            together = next((names for other, names in groups if np.linalg.norm(place - other) < 0.2), None)
            if together is None:
                groups.append((place, [str(number)]))
            else:
                together.append(str(number))
    for place, names in groups:
        text, outward = f"$W_{{{','.join(names)}}}$", place / np.linalg.norm(place)
        if isinstance(ax, Axes3D):  # what comes towards the reader has its label beside it
            aside = outward - (outward @ VIEW) * VIEW
            x, y, z = place + 0.2 * aside / max(np.linalg.norm(aside), 0.5)
            ax.text(x, y, z, text, ha="center", va="center", fontsize=7)
        else:
            beyond = outward * [6 + 2.5 * len(names), 8.5]
            ax.annotate(
                text, tuple(place), tuple(beyond), textcoords="offset points", ha="center", va="center", fontsize=7
            )


def _plane(ax: Axes, W: Float[np.ndarray, "n 2"]) -> None:
    """The unit circle, and the axes."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6, ls=":"))
    ax.axhline(0, color="0.9", lw=0.5, zorder=0)
    ax.axvline(0, color="0.9", lw=0.5, zorder=0)
    ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def _space(ax: Axes3D, W: Float[np.ndarray, "n 3"]) -> None:
    """The outline of the unit sphere, the axes, and the edges of the convex hull of what is represented."""
    _look(ax, zoom=1.7)
    ax.set_proj_type("ortho")
    ax.set_axis_off()
    side = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0])
    turn = np.linspace(0, 2 * np.pi, 100)[:, None]
    ax.plot(*(np.cos(turn) * side + np.sin(turn) * np.cross(VIEW, side)).T, color="0.8", lw=0.6, ls=":")
    for axis in np.eye(3):
        ax.plot(*np.stack([-axis, axis]).T, color="0.9", lw=0.5)
    corners = W[np.linalg.norm(W, axis=1) > 0.3]
    if len(corners) > 3 and np.linalg.matrix_rank(corners[1:] - corners[0], tol=0.1) == 3:
        for edge in hull_edges(corners):
            ax.plot(*corners[list(edge)].T, color="0.6", lw=0.5)


def arrangement(ax: Axes, W: Float[np.ndarray, "m n"], colour: str) -> None:
    """The columns of W as the corners of a polytope with its edges; m = 2, or 3 on axes with ``projection="3d"``."""
    points = W.T
    lines = hull_edges(points)
    if not isinstance(ax, Axes3D):
        for line in lines:
            ax.plot(*points[list(line)].T, color=colour, lw=0.8)
        for point in points:
            ax.plot(*np.stack([np.zeros(2), point]).T, color="0.8", lw=0.5, zorder=0)
        ax.scatter(*points.T, s=8, color=colour, zorder=2)
        reach = 1.15 * np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    else:
        front = points @ VIEW  # the nearer, the darker
        for line in lines:
            near = front[list(line)].mean() > -0.05
            ax.plot(*points[list(line)].T, color=colour, lw=0.9 if near else 0.5, alpha=1 if near else 0.45)
        ax.scatter(*points.T, s=7, color=colour, depthshade=False)
        reach = np.abs(points).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        _look(ax, zoom=1.2)
    ax.set_axis_off()


def _look(ax: Axes3D, zoom: float) -> None:
    """From the direction ``VIEW``."""
    ax.view_init(elev=np.degrees(ELEVATION), azim=np.degrees(AZIMUTH))
    ax.set_box_aspect((1, 1, 1), zoom=zoom)


def hull_edges(points: Float[np.ndarray, "n m"]) -> list[tuple[int, int]]:
    """The edges of the convex hull in two or three dimensions, without those inside a flat face."""
    from scipy.spatial import ConvexHull  # most figures have no solids

    hull = ConvexHull(points)
    if points.shape[1] == 2:
        return sorted((int(min(ends)), int(max(ends))) for ends in hull.simplices)
    faces: dict[tuple[int, int], list[np.ndarray]] = {}
    for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
        a, b, c = sorted(map(int, triangle))
        for edge in ((a, b), (a, c), (b, c)):
            faces.setdefault(edge, []).append(plane[:3])
    return sorted(edge for edge, (one, other) in faces.items() if one @ other < 0.98)

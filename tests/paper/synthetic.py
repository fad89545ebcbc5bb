"""Models made by hand, in place of trained ones: ideal weights for the real sweeps of ``config.yaml``."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.pipeline import files
from superposition.pipeline.judging.claims import Claims, Tables
from superposition.plotting import style
from superposition.theory import branches, exact

Solution = tuple[np.ndarray, np.ndarray, float]  # W, b, loss


def trained(experiment: str, solve: Callable[[float], Solution]) -> SweepResult:
    """Return a sweep whose best restart, a different one at every density, is the solution; the others are noise.

    The losses of linear models are exact, and their biases the best ones, those of the noise, too.
    """
    sweep = CONFIG.sweeps[experiment]
    points, restarts, rng = len(sweep.points()), sweep.restarts, np.random.default_rng(0)
    W = torch.from_numpy(rng.normal(size=(points, restarts, sweep.m, sweep.n)) / sweep.n**0.5)
    density, importance = (
        torch.from_numpy(a)[:, None].expand(-1, restarts, -1) for a in (sweep.densities(), sweep.importances())
    )
    mean = exact.feature_mean(density)
    b = mean - (W.mT @ (W @ mean[..., None]))[..., 0]
    loss = torch.full((points, restarts), 9.0, dtype=torch.float64)
    for point, p in enumerate(sweep.points()["density"]):
        best = (3 + 2 * point) % restarts
        W[point, best], b[point, best], loss[point, best] = map(torch.as_tensor, solve(p))
    W, b = W.float(), b.float()
    if sweep.model == "linear":
        loss = exact.linear_loss(W.double(), b.double(), density, importance)
    error = torch.from_numpy(rng.uniform(1e-7, 1e-5, (points, restarts)))
    return SweepResult(sweep, {"W": W, "b": b}, loss, error)


def packed(experiment: str, represented: Mapping[float, int] | int) -> SweepResult:
    """Return models that represent so many of the most important features, with the bias E[x_i] for the others.

    Beyond m they share dimensions, the least important one with the next after m and so on, as antipodes; beyond 2m all
    have random directions and negative biases.
    """
    sweep = CONFIG.sweeps[experiment]
    n, m, importance = sweep.n, sweep.m, sweep.importances()[0]

    def solve(p: float) -> Solution:
        r = represented if isinstance(represented, int) else represented[p]
        W, b = np.zeros((m, n)), np.full(n, p / 2)
        b[:r] = 0 if r <= 2 * m else -0.2
        loss = (importance[r:] * (p / 3 - p**2 / 4)).sum()
        for i in range(min(r, 2 * m)):
            partner = 2 * m - 1 - i
            W[min(i, partner), i] = 1 if i < m else -1
            if partner < r:
                loss += importance[i] * p**2 / 6
        if r > 2 * m:
            directions = np.random.default_rng(1).normal(size=(m, r))
            W[:, :r] = directions / np.linalg.norm(directions, axis=0)
        return W, b, loss

    return trained(experiment, solve)


def at(*degrees: float, norm: float | Sequence[float] = 1.0) -> np.ndarray:
    """Return unit vectors at these angles, in degrees, times their norms."""
    angle = np.radians(degrees)
    return np.asarray(norm) * np.stack([np.cos(angle), np.sin(angle)])


def turned(W: np.ndarray, turn: float = 0.7, mirror: float = 1.0, order: Sequence[int] | None = None) -> np.ndarray:
    """Rotate and reflect W in the plane, and reorder its features."""
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (rotation @ np.diag([1, mirror]) @ W)[:, [*(order or range(W.shape[1]))]]


@contextlib.contextmanager
def few_samples(points: int, seeds: int = 1) -> Iterator[None]:
    """Take the precise loss of branches at few points, for fewer seeds."""
    branches.sobol_inputs.cache_clear()
    try:
        with mock.patch.multiple(branches, SOBOL_POINTS=points, SOBOL_SEEDS=tuple(range(seeds))):
            yield
    finally:
        branches.sobol_inputs.cache_clear()


def assert_on_the_page(figure: Figure) -> None:
    """Check that all axes lie on the page and that none overlap."""
    figure.canvas.draw()
    within = figure.transFigure.inverted()
    boxes = [axes.get_window_extent().transformed(within).shrunk(0.999, 0.999) for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes), "off the page"
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def changed(data: Tables, figure: str, table: str, where: str, **columns: Any) -> Tables:
    """Return a copy with other cells in some rows: values, or functions of the old ones."""
    rows = data[figure][table].copy()
    here = rows.eval(where).to_numpy()
    assert here.any(), f"no row where {where}"
    for column, value in columns.items():
        rows.loc[here, column] = np.asarray(value(rows[here]) if callable(value) else value)
    return data | {figure: data[figure] | {table: rows}}


def judged(claims: Claims, name: str, data: Tables) -> dict[str, str]:
    """Return the claim's row of ``claims.csv``."""
    one = Claims(claims.section, claims.find([f"{claims.section}.{name}"]))
    return one.judge(data, "paper")[0].iloc[0].to_dict()


def verdict(claims: Claims, name: str, data: Tables) -> str:
    return judged(claims, name, data)["verdict"]


def through_files(data: Tables, folder: Path) -> Tables:
    """Return the tables as the judge gets them: written and read again."""
    for figure, parts in data.items():
        files.write(parts, folder / figure)
    return {figure: files.read(folder / figure) for figure in data}


def drawn(draw: ModuleType, figure: str, data: Tables, folder: Path) -> str:
    """Return the SVG that a section's module ``draw`` makes of a figure, and check that it changes no table."""
    before = {name: table.copy() for name, table in data[figure].items()}
    style.save(getattr(draw, figure)(data[figure]), folder / "drawn.svg")
    for name, table in data[figure].items():
        pd.testing.assert_frame_equal(table, before[name], check_exact=True)
    return (folder / "drawn.svg").read_text(encoding="utf-8")


def animated_twice(draw: ModuleType, figure: str, data: Tables, folder: Path) -> int:
    """Return the number of frames of an animation, which lie on the page, and whose bytes are repeatable.

    Equal frames in a row count once.
    """
    paths = [folder / "one.gif", folder / "two.gif"]
    for path in paths:
        animation = getattr(draw, f"animate_{figure}")(data[figure])
        assert_on_the_page(plt.gcf())
        style.save_animation(animation, path)
        plt.close("all")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as gif:
        return gif.n_frames

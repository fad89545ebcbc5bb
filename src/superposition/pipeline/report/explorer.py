"""The explorer: one HTML page in which a run's models can be pointed at, turned, and trained anew.

This module collects what the page shows, from the weights and the tables of a run, and puts it into the page with the
styles and scripts of ``report/explorer/``. Most views show a sweep at any of its points, so a custom sweep needs no
code of its own.
"""

import base64
import itertools
import json
import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from superposition.analysis import alignment
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.configuration.config import CUSTOM, Config

View = dict[str, Any]
# Largest number of weights of one view; longer sweeps are thinned along their densities.
MAX_WEIGHTS = 200_000
# Largest number of features of a custom sweep with a view.
MAX_FEATURES = 500
# Largest number of orders of the features that are tried one by one.
MAX_ORDERS = 5040
# Largest number of snapshots shown of one model.
MAX_SNAPSHOTS = 150
# Losses above this many times the lowest are not shown beside it.
MAX_LOSS_RATIO = 1.25
# The sweep of large models that is shown feature by feature.
LARGE_SWEEP = "uniform_400_30"


class Run:
    """The weights and the tables of a run.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The configuration of the run.
    """

    def __init__(self, results: Path, config: Config) -> None:
        self.results, self.config = results, config
        self.models = cache(self._load)

    def _load(self, experiment: str) -> SweepResult:
        return SweepResult.load(self.results / "weights" / f"{experiment}.safetensors")

    def table(self, figure: str, name: str) -> pd.DataFrame:
        """Read one table of a figure."""
        return pd.read_csv(self.results / "tables" / figure / f"{name}.csv")


def collect(results: Path, config: Config) -> dict[str, Any]:
    """Return everything that the page shows: its views, and what the live view compares models with."""
    run = Run(results, config)
    views = [_describe(config, figures) | VIEWS[figures](run) for figures in _paper_views(config)]
    for name, figures in _custom_figures(config).items():
        views.append({"figures": figures, "title": f"{name}, a custom sweep", "shows": ""} | _sweep_view(run, name))
    best = run.table("polytopes", "models") if "polytopes" in config.figures else None
    products = None if best is None else _columns(best[["n", "m", "density", "best_loss"]])
    return {"scale": config.scale, "views": views, "products": products}


def explored_figures(config: Config) -> list[str]:
    """Return the figures that the page shows; ``explorer.html#<figure>`` is a link to each of them."""
    return [figure for figures in (*_paper_views(config), *_custom_figures(config).values()) for figure in figures]


def _paper_views(config: Config) -> list[tuple[str, ...]]:
    """Return the figures of the paper's views, by view."""
    return [figures for figures in VIEWS if set(figures) <= set(config.figures)]


def _custom_figures(config: Config) -> dict[str, list[str]]:
    """Return the figures of every custom sweep whose models are small enough to be shown."""
    found: dict[str, list[str]] = {}
    for figure in config.figures_of(CUSTOM) if CUSTOM in config.sections else ():
        (name,) = config.figures[figure].experiments
        if config.sweeps[name].n <= MAX_FEATURES:
            found.setdefault(name, []).append(figure)
    return found


def render(data: dict[str, Any], template: Path) -> str:
    """Put the data, and the styles and scripts beside the template, into the template."""
    folder = template.parent
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        scale=data["scale"],
        style=(folder / "style.css").read_text(encoding="utf-8"),
        script=bundle(folder / "main.js"),
        worker=bundle(folder / "worker.js"),
        # An end tag in a text would end the script element.
        data=json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/"),
    )


def bundle(entry: Path) -> str:
    """Join an ES module and the modules that it imports into one script; no two may use the same top-level name."""
    found: dict[Path, str] = {}

    def add(path: Path) -> None:
        source = path.read_text(encoding="utf-8")
        pattern = r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n'
        for name in re.findall(pattern, source, re.MULTILINE):
            if path.parent / name not in found:
                add(path.parent / name)
        found[path] = re.sub(r"^export ", "", re.sub(pattern, "", source, flags=re.MULTILINE), flags=re.MULTILINE)

    add(entry)
    return "\n".join(found.values())


# Formats


def _float32(values: Any) -> dict[str, Any]:
    """Pack numbers as float32."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": array.shape, "float32": base64.b64encode(array.tobytes()).decode()}


def _int16(values: Any) -> dict[str, Any]:
    """Pack numbers as int16 with a scale, which rounds them by at most 1/65534 of the largest."""
    array = np.asarray(values, dtype=np.float64)
    scale = float(np.abs(array).max()) / 32767 or 1.0
    codes = np.ascontiguousarray((array / scale).round(), dtype="<i2")
    return {"shape": array.shape, "scale": scale, "int16": base64.b64encode(codes.tobytes()).decode()}


def _numbers(values: Any) -> list[float | None]:
    """Return numbers with seven significant digits, and None for those that are missing."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64).tolist()]


def _numbers_by_row(table: pd.DataFrame) -> list[list[float | None]]:
    """Return the coordinates w0, w1, … of a table as lists, by row."""
    return [_numbers(row) for row in table[["w0", "w1", "w2"]].dropna(axis=1).to_numpy()]


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as lists, by column."""
    return {name: _numbers(column) if column.dtype.kind == "f" else column.tolist() for name, column in table.items()}


def _describe(config: Config, figures: Sequence[str]) -> View:
    """Return the figures of a view, its title and what it shows."""
    first = config.figures[figures[0]]
    return {"figures": figures, "title": first.title, "shows": first.shows}


def _line(name: str, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    """Return one line of a chart."""
    return {"name": name, "x": _numbers(x), "y": _numbers(y)} | more


# Phase diagrams


def _phase_view(run: Run, figure: str) -> View:
    """Return the models of a phase diagram: all trained ones, the optimum, and the shares of the phases."""
    models, optimum = run.models(figure), run.models(f"{figure}_optimum")
    sweep, best, grid = models.sweep, optimum.best(), run.table(figure, "grid")
    assert sweep.relative_importance is not None
    panels = {
        name: {"shares": _int16(rows[["absent", "superposition", "own"]]), "loss": _float32(rows["loss"])}
        for name, rows in grid.groupby("panel", sort=False)
    }
    trained = grid[grid["panel"] == "trained"]
    return {
        "kind": "phase",
        "n": sweep.n,
        "m": sweep.m,
        "density": list(sweep.density),
        "ratio": list(sweep.relative_importance.ratio),
        "panels": panels,
        "reached": _numbers(trained["best_basin"]),
        "trained": {
            "W": _int16(models.parameters["W"].flatten(2)),
            "b": _int16(models.parameters["b"]),
            "loss": _float32(models.loss),
        },
        "optimum": {"W": _int16(best["W"].flatten(1)), "b": _int16(best["b"])},
        "boundary": _columns(run.table(figure, "boundary")) if sweep.n == 2 else None,
    }


# Sweeps, point by point


def _sweep(result: SweepResult) -> View:
    """Return the model with the lowest loss at every point of a sweep.

    Rotations and equivalent features are free, so in up to three dimensions every model is aligned with the one before
    it along the first axis of the sweep: what moves is what changes.
    """
    sweep, best = result.sweep, result.best()
    kept = _kept_points(sweep)
    points = sweep.points().iloc[kept]
    W, b = (best[name][kept].numpy().copy() for name in ("W", "b"))
    if sweep.m <= 3 and "W_out" not in best:
        _align(W, b, [_equivalent_orders(sweep, k) for k in kept], _stride(points))
    relative = (sweep.relative_density, sweep.relative_importance)
    return {
        "model": sweep.model,
        "n": sweep.n,
        "m": sweep.m,
        "axes": [[name, points[name].drop_duplicates().tolist()] for name in points],
        "importance": _numbers(sweep.importances()[0]),
        "signed": sweep.signed,
        "sets": {d.name: [list(members) for members in d.sets] for d in sweep.distribution},
        "varied": sorted({i for r in relative if r for i in r.features}),
        "W": _int16(W.reshape(len(kept), -1)),
        "out": _int16(best["W_out"][kept].flatten(1)) if "W_out" in best else None,
        "b": _int16(b),
        "loss": _float32(result.loss.min(dim=1).values[kept]),
    }


def _stride(points: pd.DataFrame) -> int:
    """Return how many rows apart neighbours along the first varying axis are."""
    lengths = [points[name].nunique() for name in points]
    return len(points) // next((length for length in lengths if length > 1), len(points))


def _equivalent_orders(sweep: Sweep, point: int) -> np.ndarray | None:
    """Return the orders of the features that change nothing at a point; None for all orders of many features."""
    only = range(point, point + 1)
    sets = sweep.distributions(only)[0].sets
    values = list(zip(sweep.densities(only)[0].tolist(), sweep.importances(only)[0].tolist(), strict=True))
    if sets:
        alike = len(set(values)) == 1 and sum(map(len, sets)) == sweep.n
        return alignment.symmetric_orders(*sets) if alike else np.arange(sweep.n)[None]
    classes = [[i for i, other in enumerate(values) if other == value] for value in dict.fromkeys(values)]
    if math.prod(math.factorial(len(members)) for members in classes) > MAX_ORDERS:
        return None if len(classes) == 1 else np.arange(sweep.n)[None]
    permuted = itertools.product(*map(itertools.permutations, classes))
    orders = np.tile(np.arange(sweep.n), (math.prod(math.factorial(len(members)) for members in classes), 1))
    for order, parts in zip(orders, permuted, strict=True):
        for members, part in zip(classes, parts, strict=True):
            order[members] = part
    return orders


def _align(W: np.ndarray, b: np.ndarray, orders: Sequence[np.ndarray | None], stride: int) -> None:
    """Rotate every model and reorder its features so that it lies close to the one ``stride`` before it, in place."""
    for k in range(stride, len(W)):
        rotation, order = alignment.find_alignment(W[k], W[k - stride], orders[k])
        W[k], b[k] = rotation @ W[k][:, order], b[k][order]


def _kept_points(sweep: Sweep) -> list[int]:
    """Return the points to show: all of them, or those of some densities if there are too many weights."""
    others = sweep.size // len(sweep.density)
    count = max(1, min(len(sweep.density), MAX_WEIGHTS // (others * sweep.m * sweep.n)))
    shown = np.linspace(0, len(sweep.density) - 1, count).round().astype(int)
    return [k * others + i for k in shown.tolist() for i in range(others)]


def _chart(title: str, axis: str, y: str, lines: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a chart of lines over one axis of a sweep."""
    return {"title": title, "axis": axis, "y": y, "lines": list(lines)} | more


def _sweep_view(run: Run, *experiments: str) -> View:
    """Return sweeps without anything beside them."""
    return {"kind": "sweep", "sweeps": {name: _sweep(run.models(name)) for name in experiments}, "charts": {}}


def _pentagon_view(run: Run) -> View:
    """Return the pentagon, with the exact losses of both kinds of solutions."""
    solutions, models = run.table("pentagon_solutions", "solutions"), run.models("pentagon")
    branches, fits = run.table("pentagon_loss", "branches"), run.table("pentagon_loss", "fits")
    crossing = run.table("pentagon_loss", "crossovers").query(f"density == {models.sweep.density[0]}")["crossover"]
    best = fits.groupby(["kind", "relative_density"])["loss"].min().reset_index()
    lines = []
    for colour, kind in enumerate(("pentagon", "two digons")):
        for name, table, dots in (("exact", branches, False), ("best fit", best, True)):
            rows = table[table["kind"] == kind]
            lines.append(_line(f"{kind}, {name}", rows["relative_density"], rows["loss"], dots=dots, colour=colour))
    sweep = _sweep(models)
    marks = [{"at": value, "name": f"crossing at {value:.3g}"} for value in crossing.dropna()]
    chart = _chart("Losses of both kinds of solutions", "relative_density", "loss", lines, log=True, marks=marks)
    notes = {"arrangement": solutions["kind"][::5].tolist()}
    return {"kind": "sweep", "sweeps": {"pentagon": sweep | {"notes": notes}}, "charts": {"pentagon": chart}}


def _collapse_view(run: Run) -> View:
    """Return the collapse of correlated pairs, with the losses of the branches and where they cross."""
    best, branches = run.table("collapse", "best"), run.table("collapse", "branches")
    lowest = branches.groupby("density")["loss"].min()
    lines = [
        _line(f"{count} collapsed, exact", rows["density"], rows["loss"] / rows["density"].map(lowest))
        for count, rows in branches.groupby("collapsed")
    ]
    # The loss of the principal components is far above the others where features are sparse.
    pca = run.table("collapse", "pca").assign(ratio=lambda rows: rows["loss"] / rows["density"].map(lowest))
    pca = pca[pca["ratio"] < MAX_LOSS_RATIO]
    lines.append(_line("principal components, exact", pca["density"], pca["ratio"]))
    marks = [
        {"at": row.density, "name": f"{row.fewer} | {row.fewer + 1} at {row.density:.3g}"}
        for row in run.table("collapse", "crossings").dropna().itertuples()
    ]
    sweep = _sweep(run.models("collapse"))
    chart = _chart("Losses of the branches", "density", "loss / lowest loss", lines, marks=marks)
    notes = {"collapsed pairs": best["collapsed"][::6].tolist()}
    return {"kind": "sweep", "sweeps": {"collapse": sweep | {"notes": notes}}, "charts": {"collapse": chart}}


def _organization_view(run: Run) -> View:
    """Return correlated and anticorrelated pairs, with the share of the models that are arranged as the paper says."""
    experiments, charts = ("organization_4", "organization_6"), {}
    shares = run.table("correlated_organization", "shares")
    for name in experiments:
        distributions = [d.name for d in run.models(name).sweep.distribution if d.sets]
        rows = shares[shares["distribution"].isin([*distributions])]
        lines = [
            _line(f"{arrangement}, {distribution}", r["density"], r["stated"] / r["restarts"])
            for (arrangement, distribution), r in rows.groupby(["arrangement", "distribution"])
        ]
        charts[name] = _chart("Models arranged as the paper says", "density", "share of restarts", lines)
    return _sweep_view(run, *experiments) | {"charts": charts}


def _polytopes_view(run: Run) -> View:
    """Return the small models by size, with exact polytopes and the losses of the best products of polytopes."""
    table, handovers = run.table("polytopes", "models"), run.table("polytopes", "handovers")
    corners = {size: _numbers_by_row(rows) for size, rows in run.table("polytopes", "corners").groupby(["n", "m"])}
    sweeps, charts = {}, {}
    names = {(s.n, s.m): k for k in run.config.figures["polytopes"].experiments for s in [run.config.sweeps[k]]}
    marks = [{"at": row.density, "name": f"{row.dense_side} | {row.sparse_side}"} for row in handovers.itertuples()]
    for (n, m), rows in table.groupby(["n", "m"]):
        name = names[n, m]
        notes = {key: rows[key].tolist() for key in ("trained", "best", "second")}
        sweeps[name] = _sweep(run.models(name)) | {"notes": notes, "exact": corners.get((n, m))}
        lines = [
            _line("best product, exact", rows["density"], rows["best_loss"] / rows["best_loss"]),
            _line("second product, exact", rows["density"], rows["second_loss"] / rows["best_loss"]),
            _line("trained", rows["density"], rows["trained_loss"] / rows["best_loss"], dots=True),
        ]
        charts[name] = _chart("Losses", "density", "loss / that of the best product", lines, marks=marks)
    return {"kind": "sweep", "sweeps": sweeps, "charts": charts}


# Large models, feature by feature


def _dimensionality_view(run: Run) -> View:
    """Return D_i, the factor and the weights of every feature of the large models."""
    models, table = run.models(LARGE_SWEEP), run.table("feature_dimensionality", "features")
    rows = table[table["experiment"] == LARGE_SWEEP]
    polytopes = sorted(rows["polytope"].unique())
    curve = run.table("feature_dimensionality", "curve").query(f"experiment == '{LARGE_SWEEP}'")
    return {
        "kind": "dimensionality",
        "n": models.sweep.n,
        "m": models.sweep.m,
        "density": list(models.sweep.density),
        "curve": _numbers(curve["dimensions_per_feature"]),
        "dimensionality": _float32(rows["dimensionality"].to_numpy().reshape(-1, models.sweep.n)),
        "factor": rows["factor"].tolist(),
        "polytopes": polytopes,
        "polytope": [polytopes.index(name) for name in rows["polytope"]],
        "W": _int16(models.best()["W"].flatten(1)),
    }


# Learning


def _learning_view(run: Run, figure: str) -> View:
    """Return one model over training: its loss, its weights, and the steps of interest."""
    models = run.models(figure)
    if figure == "energy_levels":
        runs, jumps = run.table(figure, "models"), run.table(figure, "jumps")
        restart = int(runs.loc[runs["shown"], "restart"].iloc[0])
        loss = run.table(figure, "losses")[f"l{restart}"]
        marks = [
            {"at": row.step, "name": f"feature {row.feature + 1}: {row.before:.2f} → {row.after:.2f}"}
            for row in jumps[jumps["restart"] == restart].itertuples()
        ]
    else:
        runs = run.table(figure, "runs")
        restart = int(runs.loc[runs["shown"], "restart"].iloc[0])
        loss = run.table(figure, "curve")["loss"]
        marks = [{"at": step, "name": "the loss drops"} for step in run.table(figure, "drops")["step"]]
    steps = models.snapshot_steps.numpy()
    kept = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MAX_SNAPSHOTS)).round().astype(int))
    return {
        "kind": "learning",
        "n": models.sweep.n,
        "m": models.sweep.m,
        "importance": _numbers(models.sweep.importances()[0]),
        "sets": [list(members) for members in models.sweep.distribution[0].sets],
        "varied": [],
        "step": steps[kept].tolist(),
        "loss": _numbers(loss.to_numpy()[kept]),
        "W": _int16(models.snapshots["W"][kept, 0, restart].flatten(1)),
        "marks": marks,
    }


# Neurons


def _neurons_view(run: Run, figure: str) -> View:
    """Return the weights of neurons by density, from the table of the figure."""
    table, sweep = run.table(figure, "weights"), run.config.sweeps[run.config.figures[figure].experiments[0]]
    if "density" not in table:
        table = table.assign(density=sweep.density[0])
    shape = (table["density"].nunique(), table["neuron"].nunique(), table["feature"].nunique())
    return {
        "kind": "neurons",
        "signed": sweep.signed,
        "density": table["density"].drop_duplicates().tolist(),
        "W": _int16(table["weight"].to_numpy().reshape(shape)),
        "out": _int16(table["out"].to_numpy().reshape(shape)) if "out" in table else None,
    }


# The views by their figures, in the order of the page. A view is shown if its figures are in the configuration.
VIEWS: dict[tuple[str, ...], Callable[[Run], View]] = {
    ("introduction",): lambda run: _sweep_view(run, "introduction"),
    ("basic_small",): lambda run: _sweep_view(run, "basic_small", "basic_small_linear"),
    ("phase_2in1",): lambda run: _phase_view(run, "phase_2in1"),
    ("phase_3in2",): lambda run: _phase_view(run, "phase_3in2"),
    ("feature_dimensionality",): _dimensionality_view,
    ("polytopes",): _polytopes_view,
    ("pentagon_solutions", "pentagon_loss"): _pentagon_view,
    ("correlated_organization",): _organization_view,
    ("collapse",): _collapse_view,
    ("energy_levels",): lambda run: _learning_view(run, "energy_levels"),
    ("geometric_learning",): lambda run: _learning_view(run, "geometric_learning"),
    ("privileged_neurons",): lambda run: _neurons_view(run, "privileged_neurons"),
    ("absolute_small",): lambda run: _neurons_view(run, "absolute_small"),
    ("absolute_neurons", "absolute_zoom"): lambda run: _neurons_view(run, "absolute_neurons"),
    ("asymmetric_motif",): lambda run: _neurons_view(run, "asymmetric_motif"),
}

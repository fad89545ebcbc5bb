"""The views of the paper's figures: what each shows of the weights and the tables of a run."""

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition.core.weights import SweepResult
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.explorer.packing import columns, float32, int16, numbers
from superposition.pipeline.explorer.sweeps import describe_sweep

Data = dict[str, Any]
# Largest number of snapshots shown of one model.
MAX_SNAPSHOTS = 150
# Losses above this many times the lowest are not shown beside it.
MAX_LOSS_RATIO = 1.25
# The ranks of the products of polytopes whose losses the table has.
RANKS = ("best", "second")


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

    def best(self, experiment: str) -> SweepResult:
        """Read the best known models of an experiment."""
        (family,) = (name for name, members in self.config.families.items() if experiment in members)
        return SweepResult.load(self.results / "best" / family / f"{experiment}.safetensors")

    def table(self, figure: str, name: str) -> pd.DataFrame:
        """Read one table of a figure."""
        return pd.read_csv(self.results / "tables" / figure / f"{name}.csv")


def show_sweeps(run: Run, *experiments: str) -> Data:
    """Show sweeps at any of their points."""
    return {"kind": "sweep", "sweeps": {name: describe_sweep(run.models(name)) for name in experiments}, "charts": {}}


# Phase diagrams


def _phase_view(run: Run, figure: str) -> Data:
    """Return the models of a phase diagram: all trained ones, the optimum, and the shares of the phases."""
    models, optimum = run.models(figure), run.models(f"{figure}_optimum")
    sweep, best, grid = models.sweep, optimum.best(), run.table(figure, "grid")
    assert sweep.relative_importance is not None
    panels = {
        name: {"shares": int16(rows[["absent", "superposition", "own"]]), "loss": float32(rows["loss"])}
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
        "reached": numbers(trained["best_basin"]),
        "trained": {
            "W": int16(models.parameters["W"].flatten(2)),
            "b": int16(models.parameters["b"]),
            "loss": float32(models.loss),
        },
        "optimum": {"W": int16(best["W"].flatten(1)), "b": int16(best["b"])},
        "boundary": columns(run.table(figure, "boundary")) if sweep.n == 2 else None,
    }


# Sweeps, with what is known beside them


def _chart(title: str, axis: str, y: str, lines: Sequence[Data], **more: Any) -> Data:
    """Return a chart of lines over one axis of a sweep."""
    return {"title": title, "axis": axis, "y": y, "lines": list(lines)} | more


def _line(name: str, x: Any, y: Any, **more: Any) -> Data:
    """Return one line of a chart."""
    return {"name": name, "x": numbers(x), "y": numbers(y)} | more


def _pentagon_view(run: Run) -> Data:
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
    sweep = describe_sweep(models)
    marks = [{"at": value, "name": f"crossing at {value:.3g}"} for value in crossing.dropna()]
    chart = _chart("Losses of both kinds of solutions", "relative_density", "loss", lines, log=True, marks=marks)
    notes = {"arrangement": solutions["kind"][::5].tolist()}
    return {"kind": "sweep", "sweeps": {"pentagon": sweep | {"notes": notes}}, "charts": {"pentagon": chart}}


def _collapse_view(run: Run) -> Data:
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
    sweep = describe_sweep(run.models("collapse"))
    chart = _chart("Losses of the branches", "density", "loss / lowest loss", lines, marks=marks)
    notes = {"collapsed pairs": best["collapsed"][::6].tolist()}
    return {"kind": "sweep", "sweeps": {"collapse": sweep | {"notes": notes}}, "charts": {"collapse": chart}}


def _organization_view(run: Run) -> Data:
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
    return show_sweeps(run, *experiments) | {"charts": charts}


def _polytopes_view(run: Run) -> Data:
    """Return the small models by size, with exact polytopes and the losses of the best products of polytopes."""
    table, corners = run.table("polytopes", "models"), run.table("polytopes", "corners").groupby(["n", "m"])
    sweeps, charts = {}, {}
    for name in run.config.figures["polytopes"].experiments:
        models = run.models(name)
        n, m = size = models.sweep.n, models.sweep.m
        rows = table[(table["n"] == n) & (table["m"] == m)]
        names = {"trained": "trained model", "best": "best product", "second": "second best"}
        notes = {shown: rows[key].tolist() for key, shown in names.items()}
        exact = corners.get_group(size)[["w0", "w1", "w2"]].to_numpy()[:, :m] if size in corners.groups else None
        sweeps[name] = describe_sweep(models, None if exact is None else exact.T) | {
            "notes": notes,
            "exact": None if exact is None else [numbers(corner) for corner in exact],
        }
        charts[name] = _product_chart(rows)
    return {"kind": "sweep", "sweeps": sweeps, "charts": charts}


def _product_chart(rows: pd.DataFrame) -> Data:
    """Return the losses of the products of polytopes that are best or second best, and of the trained models."""
    kinds = [rows[["density", kind, f"{kind}_loss"]].set_axis(["density", "product", "loss"], axis=1) for kind in RANKS]
    losses = pd.concat(kinds).pivot(index="density", columns="product", values="loss")
    ratios = losses.div(losses.min(axis=1), axis=0)
    ratios = ratios.where(ratios < MAX_LOSS_RATIO).dropna(axis=1, how="all")
    lines = [_line(f"{product}, exact", ratios.index, ratios[product]) for product in ratios]
    trained = (rows["trained_loss"] / rows["best_loss"]).where(lambda ratio: ratio < MAX_LOSS_RATIO)
    lines.append(_line("trained", rows["density"], trained, dots=True, colour=None))
    marks = [
        {
            "at": (dense.density * sparse.density) ** 0.5,
            "name": f"{dense.best} | {sparse.best} between {dense.density:.3g} and {sparse.density:.3g}",
        }
        for dense, sparse in itertools.pairwise(rows.itertuples())
        if dense.best != sparse.best
    ]
    return _chart("Losses of products of polytopes", "density", "loss / lowest loss", lines, marks=marks)


# Large models, feature by feature


def _dimensionality_view(run: Run) -> Data:
    """Return D_i, the factor and the weights of every feature of the large models, trained and best known."""
    figure = run.config.figures["feature_dimensionality"]
    sweeps = {name: _large_models(run, name, run.models(name), "") for name in figure.experiments}
    sweeps |= {f"{name}_best": _large_models(run, name, run.best(name), "best_") for name in figure.best}
    return {"kind": "dimensionality", "sweeps": sweeps}


def _large_models(run: Run, experiment: str, models: SweepResult, prefix: str) -> Data:
    """Return the models of one sweep; of replicates, the first. The tables about them have names with the prefix."""
    sweep, first = models.sweep, f"experiment == '{experiment}' and seed == 0"
    features, curve = (
        run.table("feature_dimensionality", f"{prefix}{table}").query(first) for table in ("features", "curve")
    )
    polytopes = sorted(features["polytope"].unique())
    return {
        "title": f"{sweep.n} features in {sweep.m} dimensions" + (", best known" if prefix else ""),
        "n": sweep.n,
        "m": sweep.m,
        "density": list(sweep.density),
        "curve": numbers(curve["dimensions_per_feature"]),
        "dimensionality": float32(features["dimensionality"].to_numpy().reshape(-1, sweep.n)),
        "factor": features["factor"].tolist(),
        "polytopes": polytopes,
        "polytope": [polytopes.index(name) for name in features["polytope"]],
        "W": int16(models.best()["W"][:: sweep.seeds].flatten(1)),
    }


# Learning


def _learning_view(run: Run, figure: str) -> Data:
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
        "importance": numbers(models.sweep.importances()[0]),
        "sets": [list(members) for members in models.sweep.distribution[0].sets],
        "varied": [],
        "step": steps[kept].tolist(),
        "loss": numbers(loss.to_numpy()[kept]),
        "W": int16(models.snapshots["W"][kept, 0, restart].flatten(1)),
        "marks": marks,
    }


# Neurons


def _neurons_view(run: Run, figure: str) -> Data:
    """Return the weights of neurons by density, from the table of the figure."""
    table, sweep = run.table(figure, "weights"), run.config.sweeps[run.config.figures[figure].experiments[0]]
    if "density" not in table:
        table = table.assign(density=sweep.density[0])
    shape = (table["density"].nunique(), table["neuron"].nunique(), table["feature"].nunique())
    return {
        "kind": "neurons",
        "signed": sweep.signed,
        "density": table["density"].drop_duplicates().tolist(),
        "W": int16(table["weight"].to_numpy().reshape(shape)),
        "out": int16(table["out"].to_numpy().reshape(shape)) if "out" in table else None,
    }


# The views in the order of the page, which is that of the paper.
# What each view of the paper's figures shows, by its first figure (see ``addresses``).
VIEWS: dict[str, Callable[[Run], Data]] = {
    "introduction": lambda run: show_sweeps(run, "introduction"),
    "basic_small": lambda run: show_sweeps(
        run, "basic_small", "basic_small_linear", "basic_large", "basic_large_linear"
    ),
    "phase_2in1": lambda run: _phase_view(run, "phase_2in1"),
    "phase_3in2": lambda run: _phase_view(run, "phase_3in2"),
    "feature_dimensionality": _dimensionality_view,
    "polytopes": _polytopes_view,
    "pentagon_solutions": _pentagon_view,
    "correlated_organization": _organization_view,
    "collapse": _collapse_view,
    "energy_levels": lambda run: _learning_view(run, "energy_levels"),
    "geometric_learning": lambda run: _learning_view(run, "geometric_learning"),
    "privileged_neurons": lambda run: _neurons_view(run, "privileged_neurons"),
    "absolute_small": lambda run: _neurons_view(run, "absolute_small"),
    "absolute_neurons": lambda run: _neurons_view(run, "absolute_neurons"),
    "asymmetric_motif": lambda run: _neurons_view(run, "asymmetric_motif"),
}

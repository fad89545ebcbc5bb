"""The views of the paper's figures: what each shows of the weights and the tables of a run."""

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from superposition.analysis.plane import steps_around
from superposition.analysis.rows import rows_at
from superposition.core import geometry
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.explorer.packing import columns, float32, int16, numbers
from superposition.pipeline.explorer.sweeps import arrange_grid, describe_grid, describe_sweep
from superposition.theory import exact, simplices

Data = dict[str, Any]
# Largest number of snapshots shown of one model.
MAX_SNAPSHOTS = 150
# Losses above this many times the lowest are not shown beside it.
MAX_LOSS_RATIO = 1.25
# The columns of losses over the weights, and what they say of the bias.
BIASES = {"no_bias": "none", "best_bias": "the best one"}
# The names of minima: the lowest one, and the others.
MINIMA = ("lowest minimum", "other minimum")
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
        "fixed": _fixed_configurations(sweep),
        "boundary": columns(run.table(figure, "boundary")) if sweep.n == 2 else None,
    }


def _fixed_configurations(sweep: Sweep) -> Data:
    """Return the best of the paper's fixed configurations: single features and antipodal pairs of unit norm.

    Only a feature that is not represented has a bias, its mean.
    """
    density, importance = (torch.from_numpy(values) for values in (sweep.densities(), sweep.importances()))
    groups = [parts for parts in simplices.arrangements(sweep.n, sweep.m) if max(map(len, parts)) < 3]
    W = torch.stack([simplices.arrange_simplices(parts, sweep.n, sweep.m) for parts in groups])
    absent, shared = (values[:, None] for values in (geometry.norms(W) == 0, geometry.superposition(W) > 0.5))
    # A feature that shares its dimension with its opposite costs p² / 6.
    cost = torch.where(absent, exact.feature_variance(density), torch.where(shared, density**2 / 6, 0))
    best = (importance * cost).sum(dim=-1).argmin(dim=0)
    return {"W": int16(W[best].flatten(1)), "b": int16(torch.where(absent[best, 0], exact.feature_mean(density), 0))}


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
    sweep = describe_sweep(models, {"arrangement": solutions["kind"][::5].tolist()})
    marks = [{"at": value, "name": f"crossing at {value:.3g}"} for value in crossing.dropna()]
    chart = _chart("Losses of both kinds of solutions", "relative_density", "loss", lines, log=True, marks=marks)
    return {"kind": "sweep", "sweeps": {"pentagon": sweep}, "charts": {"pentagon": chart}}


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
    sweep = describe_sweep(run.models("collapse"), {"collapsed pairs": best["collapsed"][::6].tolist()})
    chart = _chart("Losses of the branches", "density", "loss / lowest loss", lines, marks=marks)
    return {"kind": "sweep", "sweeps": {"collapse": sweep}, "charts": {"collapse": chart}}


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
        sweeps[name] = describe_sweep(models, notes, None if exact is None else exact.T) | {
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


def _measured_view(
    run: Run, figure: str, column: str, facts: dict[str, str], chart: tuple[str, str, str] | None = None
) -> Data:
    """Return the sweeps of a figure, with what its table of models says of each point.

    Args:
        run: The run.
        figure: A figure whose table ``models`` has a column ``point`` and those named here.
        column: The column that names the sweep, or ends its name, or says of a single sweep which models are best.
        facts: The columns to show beside a model, by their names on the page.
        chart: An axis of the sweeps, a column drawn over it, with a line for each value of the other axis, and what
            that column is.
    """
    sweeps, charts = {}, {}
    for name in run.config.figures[figure].experiments:
        models = run.models(name)
        rows = run.table(figure, "models").sort_values("point")
        rows = rows[[value is True or name.endswith(str(value)) for value in rows[column]]]
        sweeps[name] = describe_sweep(models, {fact: rows[key].tolist() for fact, key in facts.items()})
        if chart:
            axis, shown, title = chart
            points = models.sweep.points()
            (by,) = (key for key in points if key not in (axis, "seed") and points[key].nunique() > 1)
            means = rows.assign(**{by: points[by].to_numpy()}).groupby([by, axis], sort=False)[shown].mean()
            lines = [
                _line(f"1−S = {value}" if by == "density" else value, line.index.get_level_values(axis), line)
                for value, line in means.groupby(by, sort=False)
            ]
            charts[name] = _chart(title[0].upper() + title[1:], axis, title, lines)
    return {"kind": "sweep", "sweeps": sweeps, "charts": charts}


def _five_view(run: Run) -> Data:
    """Return five features in the plane, with the losses of all arrangements of equally important ones."""
    facts = {"represented features": "represented", "off a pentagon by, °": "off_pentagon"}
    charts = {}
    for values, rows in run.table("five_features", "arrangements").groupby("values"):
        ratio = rows["loss"] / rows.groupby("density")["loss"].transform("min")
        lines = [
            _line(f"{arrangement}, exact", here["density"], here["ratio"])
            for arrangement, here in rows.assign(ratio=ratio[ratio < MAX_LOSS_RATIO]).groupby("arrangement", sort=False)
        ]
        title = "Losses of equally important features"
        charts[f"five_{values}"] = _chart(title, "density", "loss / lowest loss", lines)
    return _measured_view(run, "five_features", "values", facts) | {"charts": charts}


# Models at all points of a grid, with a map to point at


def _activations_view(run: Run) -> Data:
    """Return the best models of two features in one dimension for each activation function, with their phases."""
    axes = ("activation", "relative_importance", "density")
    rows = arrange_grid(run.table("phase_activations", "grid"), axes)
    sweep = describe_grid(rows, axes, {"extra feature": rows["phase"].tolist()})
    chart = {"title": "Phase of the extra feature", "shares": int16(rows[["absent", "superposition", "own"]])}
    return {"kind": "sweep", "sweeps": {"models": sweep}, "charts": {"models": chart}}


def _surfaces_view(run: Run) -> Data:
    """Return the loss over the two weights, with its minima and where training ends; the loss of -W is that of W."""
    layers = ["density", "relative_importance", "bias"]
    surface, minima, trained = (run.table("loss_surfaces", name) for name in ("surface", "minima", "trained"))
    surface = surface.melt([*layers[:2], "w0", "w1"], BIASES, "bias", "loss").replace({"bias": BIASES})
    rows = arrange_grid(surface, [*layers, "w0", "w1"])
    zero = rows["density"] / 3 * (1 + rows["relative_importance"])
    lowest = minima["loss"] < minima.groupby(layers)["loss"].transform("min") * (1 + 1e-6)
    found = pd.concat([minima.assign(kind=np.where(lowest, *MINIMA)), trained.assign(kind="trained", bias=True)])
    found = found.assign(bias=np.where(found["bias"], *reversed(BIASES.values())))
    marks = [
        {
            kind: [numbers([*ends[w], *-ends[w]]) for w in ("w0", "w1")]
            for kind, ends in rows_at(found[found["bias"] == bias], density=p, relative_importance=r).groupby("kind")
        }
        for p, r, bias in rows[layers].drop_duplicates().itertuples(index=False)
    ]
    chart = {"title": "Loss over that of an output of 0", "loss": int16((rows["loss"] / zero).clip(upper=2))}
    sweep = describe_grid(rows, [*layers, "w0", "w1"], {})
    return {"kind": "sweep", "sweeps": {"models": sweep}, "charts": {"models": chart | {"marks": marks}}}


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
        "dimensionality": int16(features["dimensionality"].to_numpy().reshape(-1, sweep.n), 3e-5),
        "factor": features["factor"].tolist(),
        "polytopes": polytopes,
        "polytope": [polytopes.index(name) for name in features["polytope"]],
        "W": int16(models.best()["W"][:: sweep.seeds].flatten(1)),
    }


# Learning


def _learning_view(run: Run, figure: str) -> Data:
    """Return one model over training: its loss, its weights, and the steps of interest."""
    models, runs = run.models(figure), run.table(figure, "models" if figure == "energy_levels" else "runs")
    restart = int(runs.loc[runs["shown"], "restart"].iloc[0])
    if figure == "energy_levels":
        jumps, loss = run.table(figure, "jumps"), run.table(figure, "losses")[f"l{restart}"]
        marks = [
            {"at": row.step, "name": f"feature {row.feature + 1}: {row.before:.2f} → {row.after:.2f}"}
            for row in jumps[jumps["restart"] == restart].itertuples()
        ]
    else:
        loss = run.table(figure, "curve")["loss"]
        marks = [{"at": step, "name": "the loss drops"} for step in run.table(figure, "drops")["step"]]
    return _over_training(models, [restart], "loss", loss.to_numpy()[None], [marks])


def _forming_view(run: Run) -> Data:
    """Return all models of five features over training: the least angle between neighbours, and the weights."""
    models, runs = run.models("pentagon_forms"), run.table("pentagon_forms", "runs")
    W = models.snapshots["W"][:, 0].double().numpy()
    least = steps_around(W).min(axis=-1).T
    names = {"angles_settled": "the angles settle", "norms_settled_as_angles": "the lengths settle"}
    marks = [[{"at": run[key], "name": name} for key, name in names.items()] for run in runs.to_dict("records")]
    ends = np.where(runs["pentagon"], "a pentagon", "no pentagon")
    data = _over_training(models, runs["restart"].tolist(), "least angle, °", least, marks)
    return data | {"names": [f"{k + 1}: {end}" for k, end in enumerate(ends)]}


def _over_training(
    models: SweepResult, restarts: list[int], title: str, curves: np.ndarray, marks: list[list[Data]]
) -> Data:
    """Return some models of a sweep of one point over training, each with a curve and the steps of interest.

    Args:
        models: The models, with snapshots.
        restarts: Which of them.
        title: What the curves are.
        curves: A number per model and snapshot.
        marks: The steps of interest of every model.
    """
    sweep, steps = models.sweep, models.snapshot_steps.numpy()
    kept = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MAX_SNAPSHOTS)).round().astype(int))
    return {
        "kind": "learning",
        "n": sweep.n,
        "m": sweep.m,
        "importance": numbers(sweep.importances()[0]),
        "sets": [list(members) for members in sweep.distribution[0].sets],
        "varied": [],
        "step": steps[kept].tolist(),
        "curve": title,
        "names": [f"{restart + 1}" for restart in restarts],
        "curves": float32(curves[:, kept]),
        "W": int16(models.snapshots["W"][kept, 0][:, restarts].transpose(0, 1).flatten(2)),
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


# What the tables of models trained against superposition say of each.
REMEDY_FACTS = {"features per dimension": "features_per_dimension", "clean loss": "clean_loss"}
# What each view of the paper's figures shows, by its first figure (see ``addresses``).
VIEWS: dict[str, Callable[[Run], Data]] = {
    "introduction": lambda run: show_sweeps(run, "introduction"),
    "basic_small": lambda run: show_sweeps(
        run, "basic_small", "basic_small_linear", "basic_large", "basic_large_linear"
    ),
    "phase_2in1": lambda run: _phase_view(run, "phase_2in1"),
    "phase_3in2": lambda run: _phase_view(run, "phase_3in2"),
    "phase_activations": _activations_view,
    "loss_surfaces": _surfaces_view,
    "feature_dimensionality": _dimensionality_view,
    "polytopes": _polytopes_view,
    "pentagon_solutions": _pentagon_view,
    "correlated_organization": _organization_view,
    "local_bases": lambda run: _measured_view(
        run,
        "local_bases",
        "best",
        {"mean (Wᵢ·Wⱼ)² within a set": "within", "between the sets": "between"},
        ("density", "within", "mean (Wᵢ·Wⱼ)² within a set"),
    ),
    "collapse": _collapse_view,
    "energy_levels": lambda run: _learning_view(run, "energy_levels"),
    "geometric_learning": lambda run: _learning_view(run, "geometric_learning"),
    "adversarial_training": lambda run: _measured_view(
        run,
        "adversarial_training",
        "experiment",
        REMEDY_FACTS,
        ("attack", "features_per_dimension", "features per dimension"),
    ),
    "privileged_neurons": lambda run: _neurons_view(run, "privileged_neurons"),
    "absolute_small": lambda run: _neurons_view(run, "absolute_small"),
    "absolute_neurons": lambda run: _neurons_view(run, "absolute_neurons"),
    "asymmetric_motif": lambda run: _neurons_view(run, "asymmetric_motif"),
    "l1_penalty": lambda run: _measured_view(
        run,
        "l1_penalty",
        "experiment",
        REMEDY_FACTS,
        ("l1", "features_per_dimension", "features per dimension"),
    ),
    "five_features": _five_view,
    "pentagon_forms": _forming_view,
}

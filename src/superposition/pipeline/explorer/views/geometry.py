"""The views of geometry: how features are arranged, and what other arrangements would cost."""

import itertools

import numpy as np
import pandas as pd

from superposition.core.weights import SweepResult
from superposition.pipeline.explorer.packing import int16, numbers
from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.sweeps import arrange_grid, describe_grid, describe_sweep
from superposition.pipeline.explorer.views.charts import MAX_LOSS_RATIO, Data, make_chart, make_line
from superposition.pipeline.explorer.views.models import show_measured, show_sweeps

# The ranks of the products of polytopes whose losses the table has.
RANKS = ("best", "second")
# Densities at which the cost of a pair is drawn over its cosine.
DRAWN_DENSITIES = (0.01, 0.1, 1)


def show_polytopes(run: Run, figure: str) -> Data:
    """Return the small models by size, with exact polytopes and the losses of the best products of polytopes."""
    table, corners = run.table(figure, "models"), run.table(figure, "corners").groupby(["n", "m"])
    sweeps, charts = {}, {}
    for name in run.config.figures[figure].experiments:
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
    lines = [make_line(f"{product}, exact", ratios.index, ratios[product]) for product in ratios]
    trained = (rows["trained_loss"] / rows["best_loss"]).where(lambda ratio: ratio < MAX_LOSS_RATIO)
    lines.append(make_line("trained", rows["density"], trained, dots=True, colour=None))
    marks = [
        {
            "at": (dense.density * sparse.density) ** 0.5,
            "name": f"{dense.best} | {sparse.best} between {dense.density:.3g} and {sparse.density:.3g}",
        }
        for dense, sparse in itertools.pairwise(rows.itertuples())
        if dense.best != sparse.best
    ]
    return make_chart("Losses of products of polytopes", "density", "loss / lowest loss", lines, marks=marks)


def show_pentagon(run: Run, figure: str) -> Data:
    """Return the pentagon, with the exact losses of both kinds of solutions."""
    solutions, models = run.table(figure, "solutions"), run.models("pentagon")
    branches, fits = run.table("pentagon_loss", "branches"), run.table("pentagon_loss", "fits")
    crossing = run.table("pentagon_loss", "crossovers").query(f"density == {models.sweep.density[0]}")["crossover"]
    best = fits.groupby(["kind", "relative_density"])["loss"].min().reset_index()
    lines = []
    for colour, kind in enumerate(("pentagon", "two digons")):
        for name, table, dots in (("exact", branches, False), ("best fit", best, True)):
            rows = table[table["kind"] == kind]
            lines.append(make_line(f"{kind}, {name}", rows["relative_density"], rows["loss"], dots=dots, colour=colour))
    sweep = describe_sweep(models, {"arrangement": solutions["kind"][::5].tolist()})
    marks = [{"at": value, "name": f"crossing at {value:.3g}"} for value in crossing.dropna()]
    chart = make_chart("Losses of both kinds of solutions", "relative_density", "loss", lines, log=True, marks=marks)
    return {"kind": "sweep", "sweeps": {"pentagon": sweep}, "charts": {"pentagon": chart}}


def show_five_features(run: Run, figure: str) -> Data:
    """Return five features in the plane, with the losses of all arrangements of equally important ones."""
    facts = {"represented features": "represented", "off a pentagon by, °": "off_pentagon"}
    charts = {}
    for values, rows in run.table(figure, "arrangements").groupby("values"):
        ratio = rows["loss"] / rows.groupby("density")["loss"].transform("min")
        lines = [
            make_line(f"{arrangement}, exact", here["density"], here["ratio"])
            for arrangement, here in rows.assign(ratio=ratio[ratio < MAX_LOSS_RATIO]).groupby("arrangement", sort=False)
        ]
        title = "Losses of equally important features"
        charts[f"five_{values}"] = make_chart(title, "density", "loss / lowest loss", lines)
    return show_measured(run, figure, "values", facts) | {"charts": charts}


def show_organization(run: Run, figure: str) -> Data:
    """Return correlated and anticorrelated pairs, with the share of the models that are arranged as the paper says."""
    experiments, charts = ("organization_4", "organization_6"), {}
    shares = run.table(figure, "shares")
    for name in experiments:
        distributions = [d.name for d in run.models(name).sweep.distribution if d.sets]
        rows = shares[shares["distribution"].isin(distributions)]
        lines = [
            make_line(f"{arrangement}, {distribution}", r["density"], r["stated"] / r["restarts"])
            for (arrangement, distribution), r in rows.groupby(["arrangement", "distribution"])
        ]
        charts[name] = make_chart("Models arranged as the paper says", "density", "share of restarts", lines)
    return show_sweeps(run, *experiments) | {"charts": charts}


def show_collapse(run: Run, figure: str) -> Data:
    """Return the collapse of correlated pairs, with the losses of the branches and where they cross."""
    best, branches = run.table(figure, "best"), run.table(figure, "branches")
    lowest = branches.groupby("density")["loss"].min()
    lines = [
        make_line(f"{count} collapsed, exact", rows["density"], rows["loss"] / rows["density"].map(lowest))
        for count, rows in branches.groupby("collapsed")
    ]
    # The loss of the principal components is far above the others where features are sparse.
    pca = run.table(figure, "pca").assign(ratio=lambda rows: rows["loss"] / rows["density"].map(lowest))
    pca = pca[pca["ratio"] < MAX_LOSS_RATIO]
    lines.append(make_line("principal components, exact", pca["density"], pca["ratio"]))
    marks = [
        {"at": row.density, "name": f"{row.fewer} | {row.fewer + 1} at {row.density:.3g}"}
        for row in run.table(figure, "crossings").dropna().itertuples()
    ]
    sweep = describe_sweep(run.models(figure), {"collapsed pairs": best["collapsed"][::6].tolist()})
    chart = make_chart("Losses of the branches", "density", "loss / lowest loss", lines, marks=marks)
    return {"kind": "sweep", "sweeps": {figure: sweep}, "charts": {figure: chart}}


def show_dimensionality(run: Run, figure: str) -> Data:
    """Return D_i, the factor and the weights of every feature of the large models, trained and best known."""
    entry = run.config.figures[figure]
    sweeps = {name: _large_models(run, figure, name, run.models(name), "") for name in entry.experiments}
    sweeps |= {f"{name}_best": _large_models(run, figure, name, run.best(name), "best_") for name in entry.best}
    return {"kind": "dimensionality", "sweeps": sweeps}


def _large_models(run: Run, figure: str, experiment: str, models: SweepResult, prefix: str) -> Data:
    """Return the models of one sweep; of replicates, the first. The tables about them have names with the prefix."""
    sweep, first = models.sweep, f"experiment == '{experiment}' and seed == 0"
    features, curve = (run.table(figure, f"{prefix}{table}").query(first) for table in ("features", "curve"))
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


def show_pairs(run: Run, figure: str) -> Data:
    """Return two features of unit length by the cosine of their angle, with what that costs at some densities."""
    axes = ("output", "density", "cosine")
    rows = arrange_grid(run.table(figure, "costs"), axes)
    rows = rows.assign(w00=1, w01=rows["cosine"], w10=0, w11=np.sqrt(1 - rows["cosine"] ** 2), loss=rows["cost"])
    lines = [
        make_line(f"{output} output, 1−S = {density:g}", line["cosine"], line["cost"])
        for output, given in rows.groupby("output", sort=False)
        for density, line in given.groupby("density")
        if np.isclose(density, DRAWN_DENSITIES).any()
    ]
    weights = ("w00", "w01", "w10", "w11")
    sweep = describe_grid(rows, axes, {"with the best b": numbers(rows["best_bias"])}, weights) | {"varied": []}
    chart = make_chart("Cost of the pair", "cosine", "loss", lines, log=True)
    return {"kind": "sweep", "sweeps": {"pairs": sweep}, "charts": {"pairs": chart}}

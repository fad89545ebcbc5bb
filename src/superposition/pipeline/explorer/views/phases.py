"""The views of phases: trained models and optima on a grid of densities and importances."""

import numpy as np
import pandas as pd
import torch

from superposition.analysis.rows import rows_at
from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.explorer.packing import columns, float32, int16, numbers
from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.sweeps import arrange_grid, describe_grid
from superposition.pipeline.explorer.views.charts import Data
from superposition.theory import exact, prototypes

# The columns of losses over the weights, and what they say of the bias.
BIASES = {"no_bias": "none", "best_bias": "the best one"}
# The names of minima: the lowest one, and the others.
MINIMA = ("lowest minimum", "other minimum")


def show_phase_diagram(run: Run, figure: str) -> Data:
    """Return the models of a phase diagram: all trained ones, the optimum, and the shares of the phases."""
    models, optimum = run.models(figure), run.models(f"{figure}_optimum")
    sweep, best, grid = models.sweep, optimum.best(), run.table(figure, "grid")
    assert sweep.relative_importance is not None
    panels = {
        name: {"shares": int16(rows[["absent", "superposition", "dedicated"]]), "loss": float32(rows["loss"])}
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
    """Return the best of the paper's fixed configurations at every point."""
    density, importance = (torch.from_numpy(values) for values in (sweep.densities(), sweep.importances()))
    fixed = prototypes.configurations(sweep.n, sweep.m)
    best = prototypes.losses(fixed, density[:, 0], importance).argmin(dim=0)
    return {"W": int16(fixed.W[best].flatten(1)), "b": int16(fixed.dropped[best] * exact.feature_mean(density))}


def show_activations(run: Run, figure: str) -> Data:
    """Return the best models of two features in one dimension for each activation function, with their phases."""
    axes = ("activation", "relative_importance", "density")
    rows = arrange_grid(run.table(figure, "grid"), axes)
    sweep = describe_grid(rows, axes, {"extra feature": rows["phase"].tolist()})
    chart = {"title": "Phase of the extra feature", "shares": int16(rows[["absent", "superposition", "dedicated"]])}
    return {"kind": "sweep", "sweeps": {"models": sweep}, "charts": {"models": chart}}


def show_loss_surfaces(run: Run, figure: str) -> Data:
    """Return the loss over the two weights, with its minima and where training ends; the loss of -W is that of W."""
    layers = ["density", "relative_importance", "bias"]
    surface, minima, trained = (run.table(figure, name) for name in ("surface", "minima", "trained"))
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

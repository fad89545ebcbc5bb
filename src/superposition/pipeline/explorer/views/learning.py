"""The views of models over training."""

import numpy as np

from superposition.analysis.plane import steps_around
from superposition.core.weights import SweepResult
from superposition.pipeline.explorer.packing import float32, int16, numbers
from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.views.charts import Data

# Largest number of snapshots shown of one model.
MAX_SNAPSHOTS = 150


def show_training(run: Run, figure: str) -> Data:
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


def show_forming_pentagons(run: Run, figure: str) -> Data:
    """Return all models of five features over training: the least angle between neighbours, and the weights."""
    models, runs = run.models(figure), run.table(figure, "runs")
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

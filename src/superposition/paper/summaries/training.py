"""When lengths and angles settle as five features form a pentagon."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from superposition.analysis.plane import steps_around
from superposition.analysis.representation import is_represented
from superposition.core.weights import SweepResult
from superposition.paper.summaries import APART, STEP_TOLERANCE, TOLERANCES


def settling(models: SweepResult) -> dict[str, pd.DataFrame]:
    """Follow lengths and angles along the training of every model.

    Returns:
        ``runs`` has one row per model: whether it ends as a ``pentagon``, and the steps of training at which norms and
        angles have settled and directions are apart, for good. ``paths`` has the quartiles over pentagons, by step.
    """
    W, steps = models.snapshots["W"][:, 0].double().numpy(), models.snapshot_steps.numpy()
    norms, around = np.linalg.norm(W, axis=2), steps_around(W)  # [snapshot, restart, feature]
    off = np.abs(around - 72).max(-1)
    change = np.abs(norms / norms[-1].mean(-1)[:, None] - 1).max(-1)
    pentagon = (off[-1] < STEP_TOLERANCE) & is_represented(norms[-1] ** 2).all(-1)
    settled = {"angles_settled": off < STEP_TOLERANCE, "apart": around.min(-1) > APART}
    settled |= {f"norms_settled_{name}": change < tolerance for name, tolerance in TOLERANCES.items()}
    runs = pd.DataFrame({name: steps[_for_good(holds)] for name, holds in settled.items()})
    quartiles = {}
    for name, path in {"smallest_step": around.min(-1), "norm_change": change}.items():
        for label, share in (("low", 0.25), ("median", 0.5), ("high", 0.75)):
            quartiles[f"{name}_{label}"] = np.quantile(path[:, pentagon if pentagon.any() else slice(None)], share, 1)
    return {
        "runs": runs.assign(pentagon=pentagon).rename_axis("restart").reset_index(),
        "paths": pd.DataFrame({"step": steps} | quartiles),
    }


def _for_good(holds: Bool[np.ndarray, "snapshot restart"]) -> Int[np.ndarray, " restart"]:
    """Return, for every model, the snapshot from which on a condition holds; the last one if it fails at the end."""
    since = holds[::-1].cumprod(axis=0).sum(axis=0)
    return np.minimum(len(holds) - since, len(holds) - 1)

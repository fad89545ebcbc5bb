"""Measure learning dynamics from snapshots: D_i, jumps and losses along training, and paths of geometric learning."""

from collections import Counter

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition.analysis import alignment, recognition
from superposition.analysis.representation import is_represented
from superposition.analysis.tables import stack
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.dynamics import (
    DIMENSIONALITY_LEVELS,
    LEVEL_TOLERANCE,
    SMALL_INIT,
    XAVIER_INIT,
    jump_window,
    trajectories,
)
from superposition.training import evaluation

# Least change of D_i within the window that counts as a jump.
MIN_JUMP = 0.15
# Once a model has settled, at most a tenth of the features change their D_i by this much at the same time.
MAX_SETTLED_CHANGE = 0.05

# Least change of D_i of a feature that has moved: half of what is between two levels.
MIN_MOVE = 0.25

# The correlated sets of features.
SETS = ((0, 1, 2), (3, 4, 5))
# The features of the first set are at the positive ends of the axes, those of the second set opposite to them.
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
# Paths taken by a smaller share of the runs are listed together.
MIN_PATH_SHARE = 0.03
ANIMATION_FRAMES = 60


def _losses_along_training(models: SweepResult) -> Float[np.ndarray, "snapshot restart"]:
    """Compute the expected loss of every snapshot at the only point of the sweep, all with the same samples."""
    parameters = {name: values[:, 0].flatten(0, 1)[None] for name, values in models.snapshots.items()}
    loss, _ = evaluation.losses(models.sweep, parameters)
    return loss.view(-1, models.sweep.restarts).numpy()


def energy_levels(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Find the jumps of D_i of every model once it has settled; also return losses, and one model's D_i in full."""
    models = trained["energy_levels"]
    steps, loss = models.snapshot_steps.numpy(), _losses_along_training(models)
    dimensionality = geometry.dimensionality(models.snapshots["W"][:, 0].double()).numpy()
    norms = geometry.norms(models.parameters["W"][0].double()).numpy()
    window, parts = jump_window(len(steps)), []
    for restart in range(models.sweep.restarts):
        levels = dimensionality[:, restart]
        start = trajectories.settling_snapshot(levels, window, MAX_SETTLED_CHANGE)
        represented = is_represented(norms[restart] ** 2)
        by_least = {
            least: trajectories.find_jumps(levels, window, least).query(f"snapshot >= {start}")
            for least in (MIN_JUMP / 1.5, MIN_JUMP, MIN_JUMP * 1.5)
        }
        jumps = by_least[MIN_JUMP]
        near = np.abs(levels[start:, :, None] - np.array(DIMENSIONALITY_LEVELS)).min(-1) <= LEVEL_TOLERANCE
        about = {
            "restart": restart,
            "digons": bool((np.abs(levels[-1, represented] - 0.5) <= 0.025).all()),
            "settled": start,
            "jumps": len(jumps),
            "last": jumps["snapshot"].max(),
            "at_levels": near.mean(),
        }
        parts.append(
            {
                "models": pd.DataFrame([about]),
                "jumps": jumps.assign(restart=restart, step=steps[jumps["snapshot"].astype(int)]),
                "moved": trajectories.steepest_changes(levels[start:], window, MIN_MOVE).assign(restart=restart),
                "sensitivity": pd.DataFrame(
                    {"restart": restart, "least": [*by_least], "jumps": [*map(len, by_least.values())]}
                ),
            }
        )
    tables = stack(parts)
    found = tables["models"]
    # Show the model with the latest jump, which stands out since little else changes by then.
    shown = int(found["last"].where(found["digons"]).fillna(-1).idxmax())
    return tables | {
        "models": found.assign(shown=found["restart"] == shown),
        "levels": pd.DataFrame(dimensionality[:, shown].round(5)).add_prefix("d").assign(step=steps),
        "losses": pd.DataFrame(loss).add_prefix("l").assign(step=steps),
    }


def geometric_learning(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure how every run ends and by which path; also return the loss, regimes and features of one run."""
    runs, curves = [], {}
    for experiment, models in trained.items():
        steps, loss = models.snapshot_steps.numpy(), _losses_along_training(models)
        for restart in range(models.sweep.restarts):
            along = models.snapshots["W"][:, 0, restart].double().numpy()
            found, plateaus, flatness = trajectories.find_drops(steps, loss[:, restart])
            curves[experiment, restart] = loss[:, restart], found, plateaus
            runs.append(
                {
                    "experiment": experiment,
                    "density": models.sweep.density[0],
                    "restart": restart,
                    "octahedron": alignment.difference(along[-1], OCTAHEDRON) <= recognition.MAX_RESIDUAL,
                    "across": antipodes_in_other_set(along[-1]),
                    "represented": _count_represented(along[-1]),
                    "loss": loss[-1, restart],
                    "path": " → ".join(describe_stage(along[k]) for k in [*plateaus, -1]),
                    "plateaus": len(plateaus),
                    "flattest": min(flatness, default=np.nan),
                    "from_components": distance_from_components(along[plateaus[0]]) if plateaus else np.nan,
                }
            )
    table = pd.DataFrame(runs)
    shown = choose_run(table)
    models = trained[SMALL_INIT]
    steps, along = models.snapshot_steps.numpy(), models.snapshots["W"][:, 0, shown].double().numpy()
    loss, found, plateaus = curves[SMALL_INIT, shown]
    rotation, order = alignment.find_alignment(along[-1], OCTAHEDRON, alignment.symmetric_orders(*SETS))
    moments = [("start", 0), *(("plateau", k) for k in plateaus), ("end", len(steps) - 1)]
    frames = np.unique(np.geomspace(1, len(steps), ANIMATION_FRAMES).round().astype(int) - 1)

    def positions(snapshot: int | np.integer, moment: str) -> pd.DataFrame:
        """Return the columns of W at a snapshot, turned so that the octahedron has its corners on the axes."""
        W = (rotation @ along[snapshot][:, order]).round(6)
        table = pd.DataFrame(W.T, columns=["w0", "w1", "w2"])
        return table.assign(feature=np.arange(6), step=steps[snapshot], moment=moment)

    return {
        "runs": table.assign(shown=(table["experiment"] == SMALL_INIT) & (table["restart"] == shown)),
        "curve": pd.DataFrame({"step": steps, "loss": loss}),
        "drops": pd.DataFrame({"step": steps[found]}),
        "moments": pd.concat([positions(k, name) for name, k in moments]),
        "frames": pd.concat([positions(k, "frame") for k in frames]),
        "numbers": summarise_paths(table[table["experiment"].isin([SMALL_INIT, XAVIER_INIT])]),
    }


def choose_run(runs: pd.DataFrame) -> int:
    """Choose the run to show: the one with the lowest loss among those along the most frequent path.

    Runs start from small weights and end as the octahedron; if none does, all runs from small weights are candidates.
    """
    small = runs[runs["experiment"] == SMALL_INIT]
    ended = small[small["octahedron"]] if small["octahedron"].any() else small
    path = Counter(ended["path"]).most_common(1)[0][0]
    rows = ended[ended["path"] == path]
    return int(rows.loc[rows["loss"].idxmin(), "restart"])


def antipodes_in_other_set(W: Float[np.ndarray, "3 6"]) -> bool:
    """Return whether the antipode of every feature, the one with the most negative cosine, is in the other set."""
    unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-12)
    opposite = (unit.T @ unit).argmin(1)
    return bool((opposite // 3 != np.arange(6) // 3).all())


def distance_from_components(W: Float[np.ndarray, "3 6"]) -> float:
    """Return the largest difference of an entry of WᵀW from the projector on the first two principal components.

    These are the normalised sums of the two sets of features.
    """
    return float(np.abs(W.T @ W - np.kron(np.eye(2), np.full((3, 3), 1 / 3))).max())


def _count_represented(W: Float[np.ndarray, "3 6"]) -> int:
    """Count the features with ‖W_i‖² > ½."""
    return int(is_represented((W**2).sum(0)).sum())


def describe_stage(W: Float[np.ndarray, "3 6"]) -> str:
    """Describe how many features a model represents in how many dimensions (singular values above ½)."""
    return f"{_count_represented(W)} in {(np.linalg.svd(W, compute_uv=False) > 0.5).sum()}"


def summarise_paths(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise the shares of the paths among runs from small and from Xavier-normal weights."""
    size, runs_from = (runs.groupby(by)["path"].transform("size") for by in (["experiment", "path"], "experiment"))
    frequent = runs.loc[size >= MIN_PATH_SHARE * runs_from, "path"]
    runs = runs.assign(path=runs["path"].where(runs["path"].isin(frequent), "others"))
    shares = pd.crosstab([runs["path"], runs["octahedron"]], runs["experiment"], normalize="columns")
    shares = shares.sort_values([SMALL_INIT, XAVIER_INIT], ascending=False, kind="stable").reset_index()
    return pd.DataFrame(
        {
            "features represented, in dimensions, on each plateau and at the end": shares["path"],
            "ends as the octahedron": shares["octahedron"].map({True: "yes", False: "no"}),
            "of runs from small weights": shares[SMALL_INIT].map("{:.0%}".format),
            "from Xavier-normal weights": shares[XAVIER_INIT].map("{:.0%}".format),
        }
    )

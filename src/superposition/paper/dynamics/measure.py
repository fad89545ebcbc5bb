"""Snapshots to tables: D_i, jumps and losses along training, and the paths of features that are learned in steps."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition.analysis import alignment, recognition
from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.dynamics import LEVELS, NEAR, SMALL, WINDOW, XAVIER, trajectories
from superposition.training import evaluation

LEAST = 0.15  # change of D_i that is a jump
SETTLED = 0.05  # change of D_i that at most a tenth of the features make at a time once a model has settled

SETS = ((0, 1, 2), (3, 4, 5))
# Features of the first set at the positive ends of the axes, those of the second opposite to them.
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
OFTEN = 0.03  # the share of runs from which on a path is listed by itself
FRAMES = 60  # of the animation


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](trained)


def _losses(models: SweepResult) -> Float[np.ndarray, "snapshot restart"]:
    """The expected loss along training, at the one point of the sweep; all snapshots are seen the same draws."""
    along = {name: values[:, 0].flatten(0, 1)[None] for name, values in models.snapshots.items()}
    loss, _ = evaluation.losses(models.sweep, along)
    return loss.view(-1, models.sweep.restarts).numpy()


def _energy(models: SweepResult) -> dict[str, pd.DataFrame]:
    """Jumps of the D_i of every model once it has settled, and what the loss does there; one model in full."""
    steps, loss = models.snapshot_steps.numpy(), _losses(models)
    every = geometry.dimensionality(models.snapshots["W"][:, 0].double()).numpy()
    norms = geometry.norms(models.parameters["W"][0].double()).numpy()
    window = max(1, round(WINDOW * len(steps)))
    rows, found, sensitivity = [], [], []
    for restart in range(models.sweep.restarts):
        levels = every[:, restart]
        start = trajectories.settled(levels, window, SETTLED)
        represented = norms[restart] ** 2 > 0.5
        later = trajectories.jumps(levels, window, LEAST).query(f"snapshot >= {start}")
        found.append(later.assign(restart=restart))
        for least in (LEAST / 1.5, LEAST, LEAST * 1.5):
            again = trajectories.jumps(levels, window, least).query(f"snapshot >= {start}")
            sensitivity.append({"restart": restart, "least": least, "jumps": len(again)})
        near = np.abs(levels[start:, :, None] - np.array(LEVELS)).min(-1) <= NEAR
        rows.append(
            {
                "restart": restart,
                "represented": int(represented.sum()),
                "digons": bool((np.abs(levels[-1, represented] - 0.5) <= 0.025).all()),
                "settled": start,
                "jumps": len(later),
                "last": later["snapshot"].max(),
                "at_levels": near.mean(),
                "loss": loss[-1, restart],
            }
        )
    table, jumps = pd.DataFrame(rows), pd.concat(found, ignore_index=True).rename(columns={"series": "feature"})
    # Shown is the model in which a jump comes latest, and so stands by itself.
    latest = (table["last"].where(table["digons"])).fillna(-1).idxmax()
    shown = int(table.loc[latest, "restart"])
    return {
        "models": table.assign(shown=table["restart"] == shown),
        "jumps": jumps.assign(
            step=steps[jumps["snapshot"].astype(int)], steps=jumps["duration"] * np.diff(steps).mean()
        ),
        "sensitivity": pd.DataFrame(sensitivity),
        "levels": pd.DataFrame(every[:, shown].round(5), columns=[f"d{i}" for i in range(models.sweep.n)]).assign(
            step=steps
        ),
        "losses": pd.DataFrame(loss, columns=[f"l{r}" for r in range(loss.shape[1])]).assign(step=steps),
    }


def _learning(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """How every run ends and by which path; the loss, the regimes and the places of one of them."""
    runs, curves = [], {}
    for experiment, models in trained.items():
        steps, loss = models.snapshot_steps.numpy(), _losses(models)
        for restart in range(models.sweep.restarts):
            along = models.snapshots["W"][:, 0, restart].double().numpy()
            found, plateaus, flat = trajectories.drops(steps, loss[:, restart])
            curves[experiment, restart] = loss[:, restart], found, plateaus
            residual = alignment.difference(along[-1], OCTAHEDRON)
            runs.append(
                {
                    "experiment": experiment,
                    "restart": restart,
                    "octahedron": residual <= recognition.MAX_RESIDUAL,
                    "residual": residual,
                    "across": pairs_across(along[-1]),
                    "represented": _represented(along[-1]),
                    "loss": loss[-1, restart],
                    "path": " → ".join(_stage(along[k]) for k in [*plateaus, -1]),
                    "plateaus": len(plateaus),
                    "flattest": min(flat, default=np.nan),
                }
            )
    table = pd.DataFrame(runs)
    shown = _shown(table)
    models = trained[SMALL]
    steps, along = models.snapshot_steps.numpy(), models.snapshots["W"][:, 0, shown].double().numpy()
    loss, found, plateaus = curves[SMALL, shown]
    rotation, order = alignment.find_alignment(along[-1], OCTAHEDRON, alignment.symmetric_orders(*SETS))
    moments = [("start", 0), *(("plateau", k) for k in plateaus), ("end", len(steps) - 1)]
    frames = np.unique(np.geomspace(1, len(steps), FRAMES).round().astype(int) - 1)
    return {
        "runs": table.assign(shown=(table["experiment"] == SMALL) & (table["restart"] == shown)),
        "curve": pd.DataFrame({"step": steps, "loss": loss}),
        "drops": pd.DataFrame({"step": steps[found]}),
        "moments": pd.concat([_places(rotation @ along[k][:, order], int(steps[k]), name) for name, k in moments]),
        "frames": pd.concat([_places(rotation @ along[k][:, order], int(steps[k]), "frame") for k in frames]),
        "numbers": _paths_shown(table),
    }


def _shown(runs: pd.DataFrame) -> int:
    """The model that is shown: of the runs from small weights that end as the octahedron by the most frequent path, the
    one with the lowest loss (of all runs, if none does)."""
    small = runs[runs["experiment"] == SMALL]
    ended = small[small["octahedron"]] if small["octahedron"].any() else small
    path = Counter(ended["path"]).most_common(1)[0][0]
    rows = ended[ended["path"] == path]
    return int(rows.loc[rows["loss"].idxmin(), "restart"])


def pairs_across(W: Float[np.ndarray, "3 6"]) -> bool:
    """Whether every feature's opposite, the one under the most negative cosine, is in the other set."""
    unit = W / np.maximum(np.linalg.norm(W, axis=0), 1e-12)
    opposite = (unit.T @ unit).argmin(1)
    return bool((opposite // 3 != np.arange(6) // 3).all())


def _represented(W: Float[np.ndarray, "3 6"]) -> int:
    return int(((W**2).sum(0) > 0.5).sum())


def _stage(W: Float[np.ndarray, "3 6"]) -> str:
    """What a model does with its dimensions: how many features it represents, in how many (singular values over ½)."""
    return f"{_represented(W)} in {(np.linalg.svd(W, compute_uv=False) > 0.5).sum()}"


def _places(W: Float[np.ndarray, "3 6"], step: int, moment: str) -> pd.DataFrame:
    places = pd.DataFrame(W.T.round(6), columns=["w0", "w1", "w2"])
    return places.assign(feature=np.arange(6), step=step, moment=moment)


def _paths_shown(runs: pd.DataFrame) -> pd.DataFrame:
    """The paths by their shares, from small and from Xavier-normal weights."""
    count = runs.groupby("experiment")["restart"].count()
    size = runs.groupby(["experiment", "path"])["path"].transform("size")
    often = runs.loc[size >= OFTEN * runs["experiment"].map(count), "path"]
    runs = runs.assign(path=runs["path"].where(runs["path"].isin(often), "others"))
    shares = runs.groupby(["path", "octahedron", "experiment"]).size().unstack(fill_value=0)
    shares = shares.reindex(columns=[SMALL, XAVIER]).fillna(0)
    shares = shares.sort_values([SMALL, XAVIER], ascending=False, kind="stable").reset_index()
    return pd.DataFrame(
        {
            "features represented, in dimensions, on each plateau and at the end": shares["path"],
            "ends as the octahedron": shares["octahedron"].map({True: "yes", False: "no"}),
            "of runs from small weights": (shares[SMALL] / count.get(SMALL, np.nan)).map("{:.0%}".format),
            "from Xavier-normal weights": (shares[XAVIER] / count.get(XAVIER, np.nan)).map("{:.0%}".format),
        }
    )


MEASURED: dict[str, Callable[[dict[str, SweepResult]], dict[str, pd.DataFrame]]] = {
    "energy_levels": lambda trained: _energy(trained["energy_levels"]),
    "geometric_learning": _learning,
}

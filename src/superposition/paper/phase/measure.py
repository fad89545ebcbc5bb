"""Weights to tables: phases of configurations, of the true optimum and of trained models; the loss over two weights."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.analysis import tables
from superposition.core import geometry
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.phase import PHASES, handover_at, two_in_one
from superposition.theory import bfgs, exact, simplices

RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)  # relative importances at which the boundary is reported


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](figure, trained)


def _diagram(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    models, best = trained[figure], trained[f"{figure}_optimum"]
    grid = pd.concat(
        [_prototypes(models), _optimum(best), _trained(models, best.loss.min(dim=1).values)], ignore_index=True
    )
    standard = {name: tables.features(models).assign(experiment=name) for name, models in trained.items()}
    common = {
        "grid": grid,
        "recipe": _recipe(trained[f"{figure}_notebook"], grid),
        "features": pd.concat(standard.values(), ignore_index=True),
    }
    return common | (_two_features() if models.sweep.n == 2 else _three_features(grid))


def shares(W: Float64[Tensor, "*batch m n"]) -> Float64[np.ndarray, "*batch 3"]:
    """How far the last feature is absent, in superposition, and in a dimension of its own; they add up to 1.

    Represented is min(1, ‖W_e‖²); of that, min(1, Σ_{j≠e} (Ŵ_e·W_j)²) is in superposition.
    """
    represented = geometry.norms(W)[..., -1].square().clamp(max=1)
    shared = represented * geometry.superposition(W)[..., -1].clamp(max=1)
    return torch.stack([1 - represented, shared, represented - shared], dim=-1).numpy()


def phases(share: Float64[np.ndarray, "*batch 3"]) -> np.ndarray:
    """The name of the phase: absent where ‖W_e‖² < ½; else own where less than a quarter of the rest is shared.

    A quarter lies between a dimension of one's own (0) and the least that sharing can mean here, the ½ of a feature in
    a triangle of unit vectors.
    """
    absent, shared, own = np.moveaxis(share, -1, 0)
    return np.select([absent > 0.5, shared < 0.25 * (shared + own)], ["absent", "own"], "superposition")


def _panel(name: str, points: pd.DataFrame, share: np.ndarray, loss: np.ndarray) -> pd.DataFrame:
    columns = dict(zip(PHASES, share.T, strict=True))
    return points[["density", "relative_importance"]].assign(panel=name, **columns, phase=phases(share), loss=loss)


def _prototypes(models: SweepResult) -> pd.DataFrame:
    """The best of the paper's configurations: unit norms, no bias but the mean for what is dropped."""
    points, n = models.sweep.points(), models.sweep.n
    p, importance = points["density"].to_numpy(), models.sweep.importances()
    variance = exact.feature_variance(torch.tensor(p)).numpy()
    candidates, losses = [], []
    for groups in simplices.arrangements(n, models.sweep.m):
        if max(map(len, groups)) > 2:
            continue  # W ⊥ [1, 1, 1] is not among them
        loss = np.zeros(len(p))
        for i in set(range(n)) - set(itertools.chain(*groups)):
            loss += importance[:, i] * variance
        for pair in (list(group) for group in groups if len(group) == 2):
            loss += importance[:, pair].sum(1) * p**2 / 6
        candidates.append(shares(simplices.arrange_simplices(groups, n, models.sweep.m)))
        losses.append(loss)
    best = np.argmin(losses, axis=0)
    return _panel("prototypes", points, np.stack(candidates)[best], np.min(losses, axis=0))


def _optimum(best: SweepResult) -> pd.DataFrame:
    W = best.best()["W"]
    loss = best.loss.min(dim=1).values.numpy()
    panel = _panel("optimum", best.sweep.points(), shares(W), loss)
    return panel.assign(arrangement=[_arrangement(w) for w in W])


def _trained(models: SweepResult, lowest: Tensor) -> pd.DataFrame:
    """The restart with the lowest exact loss, and the paper's rule: the mean over all but the one with the highest.

    ``best_basin`` is the share of restarts whose exact loss is within 1 % of the optimum's.
    """
    points, loss = models.sweep.points(), models.loss
    share = torch.from_numpy(shares(models.parameters["W"].double()))
    kept = torch.ones_like(loss)
    kept[torch.arange(len(loss)), loss.argmax(dim=1)] = 0
    mean = (kept[..., None] * share).sum(1) / kept.sum(1, keepdim=True)
    average = _panel("average", points, mean.numpy(), ((kept * loss).sum(1) / kept.sum(1)).numpy())
    W = models.best()["W"]
    lead = _panel("trained", points, shares(W), loss.min(dim=1).values.numpy())
    reached = (loss <= 1.01 * lowest[:, None]).double().mean(dim=1)
    return pd.concat([lead.assign(arrangement=[_arrangement(w) for w in W], best_basin=reached.numpy()), average])


def _recipe(recipe: SweepResult, grid: pd.DataFrame) -> pd.DataFrame:
    """The average from the authors' recipe, at some of the points; the optimum's phase and our models beside it."""
    keys = ["density", "relative_importance"]
    grid = grid.set_index([grid["panel"], *(grid[key].round(9) for key in keys)])

    def ours(panel: str, column: str) -> np.ndarray:
        points = recipe.sweep.points()[keys].round(9)
        return grid.loc[[(panel, *point) for point in points.itertuples(index=False)], column].to_numpy(copy=True)

    rows = _trained(recipe, torch.from_numpy(ours("optimum", "loss")))
    beside = {"phase_optimum": ours("optimum", "phase"), "phase_ours": ours("average", "phase")}
    average = rows[rows["panel"] == "average"].assign(**beside, best_basin_ours=ours("trained", "best_basin"))
    return average.assign(best_basin=rows.loc[rows["panel"] == "trained", "best_basin"])


def _arrangement(W: Float64[Tensor, "m n"]) -> str:
    """Which features share dimensions: ``1|2`` (one each), ``1|2-3`` (2 and 3 are opposite), ``triangle``, …

    A feature counts from ‖W_i‖ = 0.1. With features always on (p = 1), x and 1 - x are alike, and so are W_i and -W_i.
    """
    kept = [i for i in range(W.shape[1]) if W[:, i].norm() > 0.1]
    cosine = geometry.cosines(W).abs()
    joined = [pair for pair in itertools.combinations(kept, 2) if cosine[pair] > 0.25]
    if len(joined) == 3:
        return "triangle"
    if len(joined) > 1:
        return "other"
    pairs = [f"{i + 1}-{j + 1}" for i, j in joined]
    alone = [str(i + 1) for i in kept if not any(i in pair for pair in joined)]
    return "|".join(sorted(alone + pairs)) or "none"


def _two_features() -> dict[str, pd.DataFrame]:
    """Tables of the transition between absent and superposition."""
    boundary = two_in_one.boundary(RATIOS)
    numbers = pd.DataFrame(
        {
            "relative importance r": boundary["relative_importance"],
            "boundary of the fixed configurations, 4r / (2 + 5r)": boundary["p_prototypes"].map("{:.4f}".format),
            "true boundary of absent and superposition": boundary["p_optimum"].map("{:.4f}".format),
            "transition": np.where(boundary["jump"], "jump", "continuous"),
            "‖W_2‖ just below it": boundary["norm_onset"].map("{:.3f}".format),
            "‖W_2‖ passes ½ at": boundary["p_strong"].map("{:.4f}".format),
            "there it jumps": [
                f"{row.norm_above:.3f} to {row.norm_below:.3f}" for row in boundary.itertuples(index=False)
            ],
        }
    )
    return {
        "boundary": boundary,
        "transitions": two_in_one.transitions([k / 100 for k in range(10, 100)]),
        "norms": two_in_one.norms(RATIOS, np.geomspace(0.03, 1, 181).tolist()),
        "numbers": numbers,
    }


def _three_features(grid: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of the configuration that the paper leaves out."""
    equal = _equal_importance()
    best = grid[grid["panel"] == "optimum"]
    inside = best[best["arrangement"] == "triangle"]
    spans = [
        f"{inside[column].min():.3g} to {inside[column].max():.3g}" if len(inside) else "none"
        for column in ("relative_importance", "density")
    ]
    numbers = {
        "W ⊥ [1, 1, 1] gives way to a digon and a single feature, at r = 1": f"1-S = {handover_at(equal):.4f}",
        "points of the grid where W ⊥ [1, 1, 1], all three sharing, is optimal": f"{len(inside)} of {len(best)}",
        "their relative importances": spans[0],
        "their densities": spans[1],
    }
    return {"equal_importance": equal, "numbers": pd.DataFrame(numbers.items(), columns=["W ⊥ [1, 1, 1]", "found"])}


def _equal_importance() -> pd.DataFrame:
    """Losses of the local optima of each kind for three equal features in two dimensions, by density."""
    model, p = Model("relu_output", 3, 2), torch.logspace(0, -2, 101, dtype=torch.float64)
    density, importance = p[:, None].expand(-1, 3), torch.ones(len(p), 3, dtype=torch.float64)
    kinds = {"triangle": ((0, 1, 2),), "digon": ((0,), (1, 2)), "dropped": ((0,), (1,))}

    def objective(x: Tensor, which: Tensor) -> Tensor:
        return exact.expected_loss(model, model.unpack(x), density[which], importance[which]) / (3 * p[which])

    columns = {}
    for kind, groups in kinds.items():
        # The start has the symmetry of its kind, and the search keeps it.
        begin = torch.cat([simplices.arrange_simplices(groups, 3, 2).flatten(), torch.zeros(3, dtype=torch.float64)])
        begin = begin.repeat(len(p), 1)
        if kind == "dropped":
            begin[:, -1] = exact.feature_mean(p)
        columns[kind] = bfgs.minimise(objective, begin)[1] * 3 * p
    return pd.DataFrame({"density": p, **columns})


# The loss over the two weights


def _surfaces(trained: SweepResult) -> dict[str, pd.DataFrame]:
    """The exact loss over (W_1, W_2), without a bias and with the best one; its minima; where training ends."""
    points = trained.sweep.points()[["density", "relative_importance"]]
    settings = list(points.itertuples(index=False, name=None))
    W = trained.parameters["W"].double()[:, :, 0]
    ends = points.loc[points.index.repeat(W.shape[1])].assign(
        w0=W[..., 0].flatten().numpy(), w1=W[..., 1].flatten().numpy(), loss=trained.loss.flatten().numpy()
    )
    minima = pd.concat([*itertools.chain(*zip(*(two_in_one.minima(settings, b) for b in (False, True)), strict=True))])
    same_sign = two_in_one.same_sign([k / 10 for k in range(10, 0, -1)])
    return {
        "surface": pd.concat([two_in_one.surface(p, r) for p, r in settings]),
        "minima": minima,
        "same_sign": same_sign,
        "trained": ends,
        "numbers": _survival(same_sign),
    }


def _survival(same_sign: pd.DataFrame) -> pd.DataFrame:
    """Whether the minimum W_1 = W_2 = 1/√2 of the model without a bias is one with a trained bias, too."""
    moved = np.hypot(same_sign["w0"] - 0.5**0.5, same_sign["w1"] - 0.5**0.5)
    flat = same_sign["curvature"] < 1e-6
    return pd.DataFrame(
        {
            "1-S (r = 1)": same_sign["density"],
            "loss at W_1 = W_2 = 1/√2, no bias": same_sign["loss_no_bias"].map("{:.6f}".format),
            "least curvature there": same_sign["curvature_no_bias"].map("{:.2f}".format),
            "with a trained bias": np.select(
                [moved > 0.1, flat], ["no minimum: leads to", "flat valley: stays at"], "minimum: stays at"
            ),
            "(W_1, W_2)": [f"({row.w0:.3f}, {row.w1:.3f})" for row in same_sign.itertuples()],
            "loss": same_sign["loss"].map("{:.6f}".format),
        }
    )


MEASURED: dict[str, Callable[[str, dict[str, SweepResult]], dict[str, pd.DataFrame]]] = {
    "phase_2in1": _diagram,
    "phase_3in2": _diagram,
    "loss_surfaces": lambda figure, trained: _surfaces(trained[figure]),
}

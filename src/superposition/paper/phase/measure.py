"""Measure the phases of fixed configurations, optima and trained models, and the loss over two weights."""

import itertools

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.analysis.rows import formatted, rows_at
from superposition.analysis.tables import numbered_points, repeat_rows
from superposition.core import geometry
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.phase import PHASES, activations, derivatives, landscape, triangle_digon_crossover, two_in_one
from superposition.theory import bfgs, exact, prototypes, simplices

# Relative importances at which the boundary is reported.
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
# Relative importances at which the optimum is examined for a jump.
JUMP_RATIOS = (*(k / 10 for k in range(1, 10)), 0.95, 0.99)
# Relative importances and densities at which the minimum without a bias is followed.
PATH_RATIOS, PATH_DENSITIES = (0.1, 0.3, 1.0), tuple(np.geomspace(1, 0.1, 81).tolist())
# Relative importances at which basins are measured.
BASIN_RATIOS = tuple(np.geomspace(0.1, 1, 10).tolist())


def phase_2in1(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the phase diagrams of two features in one dimension, and the exact transition."""
    return _measure_diagrams("phase_2in1", trained) | measure_transition()


def phase_3in2(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the phase diagrams of three features in two dimensions, and where W ⊥ [1, 1, 1] is optimal."""
    diagrams = _measure_diagrams("phase_3in2", trained)
    return diagrams | measure_triangle(diagrams["grid"])


def _measure_diagrams(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the phase diagrams, the fixed configurations, and the comparison with the authors' training."""
    models, optima = trained[figure], trained[f"{figure}_optimum"]
    panels = [_prototype_panel(models), _best_panel("optimum", optima)]
    grid = pd.concat([*panels, trained_panels(models, optima.loss.min(dim=1).values)], ignore_index=True)
    return {
        "grid": grid,
        "configurations": list_configurations(models.sweep.n),
        "recipe": compare_with_notebook(trained[f"{figure}_notebook"], grid),
    }


def list_configurations(n: int) -> pd.DataFrame:
    """Return the fixed configurations, one for each way of treating the extra feature, in the order of its phases.

    Returns:
        One row per configuration and feature: the ``phase`` of the extra feature, the component of the direction that W
        does not represent (``left_out``; the largest is 1), and the column of W (``w0``, and so on).
    """
    found: dict[tuple[int, int], Tensor] = {}
    for W, dropped in zip(*prototypes.configurations(n, n - 1), strict=True):
        phase = PHASES.index(name_phases(phase_shares(W)).item())
        found.setdefault((phase, int(dropped.sum())), W)
    parts = []
    for number, ((phase, _), W) in enumerate(sorted(found.items(), key=lambda item: item[0])):
        left_out = torch.linalg.svd(W).Vh[-1].abs().numpy()
        columns = {f"w{k}": w for k, w in enumerate(W.numpy())} | {"configuration": number, "phase": PHASES[phase]}
        parts.append(pd.DataFrame({"feature": range(n), "left_out": left_out / left_out.max(), **columns}))
    return pd.concat(parts, ignore_index=True)


def phase_shares(W: Float64[Tensor, "*batch m n"]) -> Float64[np.ndarray, "*batch 3"]:
    """Return to what extent the extra feature e is absent, in superposition, and in a dedicated dimension.

    It is represented to the extent min(1, ‖W_e‖²), of which the share min(1, Σ_{j≠e} (Ŵ_e·W_j)²) is in superposition.
    The three numbers add up to 1.
    """
    represented = geometry.norms(W)[..., -1].square().clamp(max=1)
    shared = represented * geometry.superposition(W)[..., -1].clamp(max=1)
    return torch.stack([1 - represented, shared, represented - shared], dim=-1).numpy()


def name_phases(shares: Float64[np.ndarray, "*batch 3"]) -> np.ndarray:
    """Return the names of the phases: "absent" if ‖W_e‖² < ½, else "dedicated" if less than a quarter of it is shared.

    A quarter lies between a dedicated dimension (0) and the least that sharing can mean here: ½, for a feature in a
    triangle of unit vectors.
    """
    absent, shared, dedicated = np.moveaxis(shares, -1, 0)
    return np.select([absent > 0.5, shared < 0.25 * (shared + dedicated)], ["absent", "dedicated"], "superposition")


def _phase_columns(shares: Float64[np.ndarray, "model 3"]) -> dict[str, np.ndarray]:
    """Return the columns of a phase diagram: to what extent a model has each phase, and the name of its phase."""
    return dict(zip(PHASES, shares.T, strict=True)) | {"phase": name_phases(shares)}


def _panel(name: str, sweep: Sweep, shares: np.ndarray, loss: np.ndarray) -> pd.DataFrame:
    """Return one phase diagram, with a row per point."""
    points = numbered_points(sweep, "density", "relative_importance")
    return points.assign(panel=name, **_phase_columns(shares), loss=loss)


def _prototype_panel(models: SweepResult) -> pd.DataFrame:
    """Return the diagram of the paper's fixed configurations, the best one at every point."""
    sweep = models.sweep
    fixed = prototypes.configurations(sweep.n, sweep.m)
    p, importance = sweep.points()["density"].to_numpy(), torch.from_numpy(sweep.importances())
    lowest = prototypes.losses(fixed, torch.tensor(p), importance).min(dim=0)
    return _panel("prototypes", sweep, phase_shares(fixed.W)[lowest.indices.numpy()], lowest.values.numpy())


def _best_panel(name: str, models: SweepResult) -> pd.DataFrame:
    """Return the diagram of the best models, with their arrangements."""
    W = models.best()["W"]
    panel = _panel(name, models.sweep, phase_shares(W), models.loss.min(dim=1).values.numpy())
    return panel.assign(arrangement=describe_arrangements(W))


def trained_panels(models: SweepResult, optimal_loss: Float64[Tensor, " point"]) -> pd.DataFrame:
    """Return the diagrams of the best restart ("trained") and of the paper's rule ("average").

    The paper's rule averages over all restarts but the one with the highest loss. ``best_basin`` is the share of
    restarts whose exact loss is within 1 % of the optimum's.
    """
    sweep, loss = models.sweep, models.loss
    shares = torch.from_numpy(phase_shares(models.parameters["W"].double()))
    kept = torch.ones_like(loss)
    kept[torch.arange(len(loss)), loss.argmax(dim=1)] = 0
    mean = (kept[..., None] * shares).sum(1) / kept.sum(1, keepdim=True)
    average = _panel("average", sweep, mean.numpy(), ((kept * loss).sum(1) / kept.sum(1)).numpy())
    reached = (loss <= 1.01 * optimal_loss[:, None]).double().mean(dim=1)
    return pd.concat([_best_panel("trained", models).assign(best_basin=reached.numpy()), average])


def compare_with_notebook(notebook: SweepResult, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the average of models trained as in the authors' notebook, beside the optimum and our models.

    They were trained at some of the points of the grid.
    """
    points = notebook.sweep.points()[["density", "relative_importance"]]
    here = pd.concat([rows_at(grid, **point) for point in points.to_dict("records")])

    def ours(panel: str, column: str) -> np.ndarray:
        return here.loc[here["panel"] == panel, column].to_numpy(copy=True)

    rows = trained_panels(notebook, torch.from_numpy(ours("optimum", "loss")))
    beside = {"phase_optimum": ours("optimum", "phase"), "phase_ours": ours("average", "phase")}
    average = rows[rows["panel"] == "average"].assign(**beside, best_basin_ours=ours("trained", "best_basin"))
    return average.assign(best_basin=rows.loc[rows["panel"] == "trained", "best_basin"])


def describe_arrangements(W: Float64[Tensor, "k m n"]) -> list[str]:
    """Describe which features share dimensions: ``1|2`` (one each), ``1|2-3`` (2 and 3 are opposite), ``triangle``, …

    Features with ‖W_i‖ ≤ 0.1 do not count. Signs are ignored, because at p = 1, where features are always active, x
    and 1 - x are alike, and so are W_i and -W_i.
    """
    kept, alike = geometry.norms(W) > 0.1, geometry.cosines(W).abs() > 0.25
    return [_describe_arrangement(*model) for model in zip(kept.tolist(), alike.tolist(), strict=True)]


def _describe_arrangement(kept_here: list[bool], alike: list[list[bool]]) -> str:
    """Describe one model, given which features count and which pairs of features share dimensions."""
    kept = [i for i, here in enumerate(kept_here) if here]
    joined = [(i, j) for i, j in itertools.combinations(kept, 2) if alike[i][j]]
    if len(joined) == 3:
        return "triangle"
    if len(joined) > 1:
        return "other"
    pairs = [f"{i + 1}-{j + 1}" for i, j in joined]
    alone = [str(i + 1) for i in kept if not any(i in pair for pair in joined)]
    return "|".join(sorted(alone + pairs)) or "none"


def measure_transition() -> dict[str, pd.DataFrame]:
    """Return the exact transition between absent and superposition for n = 2, m = 1."""
    boundary = two_in_one.boundary(RATIOS)
    kind = np.where(boundary["jump"], "jump", "continuous")
    columns = {
        "relative importance r": "{relative_importance}",
        "boundary of the fixed configurations, 4r / (2 + 5r)": "{p_prototypes:.4f}",
        "true boundary of absent and superposition": "{p_optimum:.4f}",
        "transition": "{transition}",
        "‖W_2‖ just below it": "{norm_onset:.3f}",
        "‖W_2‖ passes ½ at": "{p_strong:.4f}",
        "there it jumps": "{norm_above:.3f} to {norm_below:.3f}",
    }
    return {
        "boundary": boundary,
        "jumps": two_in_one.largest_jumps(JUMP_RATIOS),
        "transitions": two_in_one.transition_kinds([k / 100 for k in range(10, 100)]),
        "norms": two_in_one.optimal_norms(RATIOS, np.geomspace(0.03, 1, 181).tolist()),
        "numbers": formatted(boundary.assign(transition=kind), columns),
    }


def measure_triangle(grid: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return where W ⊥ [1, 1, 1], the configuration that the paper leaves out, is optimal for n = 3, m = 2."""
    equal = equal_importance_losses()
    optimum = grid[grid["panel"] == "optimum"]
    inside = optimum[optimum["arrangement"] == "triangle"]
    ranges = [
        f"{inside[column].min():.3g} to {inside[column].max():.3g}" if len(inside) else "none"
        for column in ("relative_importance", "density")
    ]
    crossover = triangle_digon_crossover(equal)
    numbers = {
        "W ⊥ [1, 1, 1] gives way to a digon and a single feature, at r = 1": f"1-S = {crossover:.4f}",
        "points of the grid where W ⊥ [1, 1, 1], all three sharing, is optimal": f"{len(inside)} of {len(optimum)}",
        "their relative importances": ranges[0],
        "their densities": ranges[1],
    }
    return {"equal_importance": equal, "numbers": pd.DataFrame(numbers.items(), columns=["W ⊥ [1, 1, 1]", "found"])}


def equal_importance_losses() -> pd.DataFrame:
    """Return the losses of the local optima of each kind for three equal features in two dimensions, by density."""
    model, p = Model("relu_output", 3, 2), torch.logspace(0, -2, 101, dtype=torch.float64)
    density, importance = p[:, None].expand(-1, 3), torch.ones(len(p), 3, dtype=torch.float64)
    kinds = {"triangle": ((0, 1, 2),), "digon": ((0,), (1, 2)), "dropped": ((0,), (1,))}

    def objective(x: Tensor, which: Tensor) -> Tensor:
        return exact.expected_loss(model, model.unpack(x), density[which], importance[which]) / (3 * p[which])

    columns = {}
    for kind, groups in kinds.items():
        # The start has the symmetry of its kind, and the search preserves it.
        start = torch.cat([simplices.arrange_simplices(groups, 3, 2).flatten(), torch.zeros(3, dtype=torch.float64)])
        start = start.repeat(len(p), 1)
        if kind == "dropped":
            start[:, -1] = exact.feature_mean(p)
        columns[kind] = bfgs.minimise(objective, start)[1] * 3 * p
    return pd.DataFrame({"density": p, **columns})


def phase_kinks(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the derivatives of the theoretical model's optimal loss, and their jumps on all boundaries."""
    return {
        "kinks": pd.concat([derivatives.kinks(n).assign(features=n) for n in (2, 3)], ignore_index=True),
        "slopes": derivatives.slopes(),
    }


def phase_activations(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the best models for each activation function, and their phases."""
    panels = []
    for name, activation in activations.COMPARED_ACTIVATIONS.items():
        models = activations.best_models(activation)
        shares = phase_shares(torch.tensor(models[["w0", "w1"]].to_numpy())[:, None])
        panels.append(models.assign(activation=name, **_phase_columns(shares)))
    return {"grid": pd.concat(panels, ignore_index=True)}


def loss_surfaces(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Return the exact loss over (W_1, W_2), without a bias and with the best one, its minima, and trained models."""
    models = trained["loss_surfaces"]
    points = numbered_points(models.sweep, "density", "relative_importance")
    settings = list(points[["density", "relative_importance"]].itertuples(index=False, name=None))
    W = models.parameters["W"].double().reshape(-1, 2).T.numpy()
    ends = repeat_rows(points, models.sweep.restarts).assign(w0=W[0], w1=W[1])
    minima = pd.concat([two_in_one.distinct_minima(settings, bias) for bias in (False, True)])
    paths = landscape.global_minima(PATH_RATIOS, PATH_DENSITIES)
    same_sign = two_in_one.same_sign_minima([k / 10 for k in range(10, 0, -1)])
    return {
        "surface": pd.concat([two_in_one.loss_surface(p, r).assign(point=k) for k, (p, r) in enumerate(settings)]),
        "minima": minima.sort_values(["point", "bias", "loss"]),
        "same_sign": same_sign,
        "sampled": landscape.sampled_losses(),
        "paths": paths,
        "basins": landscape.basins(landscape.global_minima(BASIN_RATIOS, PATH_DENSITIES)),
        "trained": ends,
        "numbers": format_same_sign(same_sign),
    }


def format_same_sign(same_sign: pd.DataFrame) -> pd.DataFrame:
    """Format whether W_1 = W_2 = 1/√2, a minimum without a bias, remains one with a trained bias."""
    moved = np.hypot(same_sign["w0"] - 0.5**0.5, same_sign["w1"] - 0.5**0.5)
    flat = same_sign["curvature"] < 1e-6
    found = np.select([moved > 0.1, flat], ["no minimum: leads to", "flat valley: stays at"], "minimum: stays at")
    columns = {
        "1-S (r = 1)": "{density}",
        "loss at W_1 = W_2 = 1/√2, no bias": "{loss_no_bias:.6f}",
        "least curvature there": "{curvature_no_bias:.2f}",
        "with a trained bias": "{found}",
        "(W_1, W_2)": "({w0:.3f}, {w1:.3f})",
        "loss": "{loss:.6f}",
    }
    return formatted(same_sign.assign(found=found), columns)

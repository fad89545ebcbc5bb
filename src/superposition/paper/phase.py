"""Superposition as a phase change: the last feature is absent, in superposition, or has a dimension of its own.

Each diagram is made three times: from the paper's fixed configurations (closed form), from the true optimum over W and
b, and from trained models. The extra feature, whose relative importance varies, is the last one.
"""

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from superposition import exact, geometry, optimum, plotting, tables, two_in_one
from superposition.claims import Claims, Finding, Tables
from superposition.models import Model
from superposition.weights import Trained

claims = Claims("phase")

DIAGRAMS = ("phase_2in1", "phase_3in2")
PHASES = ("absent", "superposition", "own")
PANELS = {
    "prototypes": "the paper's fixed configurations",
    "optimum": "true optimum over $W$ and $b$",
    "trained": "trained, best of ten",
    "average": "trained, average of nine",
}
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)  # relative importances at which the boundary is reported


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    if figure == "loss_surfaces":
        return _surfaces(trained[figure])
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


def _prototypes(models: Trained) -> pd.DataFrame:
    """The best of the paper's configurations: unit norms, no bias but the mean for what is dropped."""
    points, n = models.sweep.points(), models.sweep.n
    p, importance = points["density"].to_numpy(), models.sweep.importances()
    variance = exact.feature_variance(torch.tensor(p)).numpy()
    candidates, losses = [], []
    for groups in optimum.arrangements(n, models.sweep.m):
        if max(map(len, groups)) > 2:
            continue  # W ⊥ [1, 1, 1] is not among them
        loss = np.zeros(len(p))
        for i in set(range(n)) - set(itertools.chain(*groups)):
            loss += importance[:, i] * variance
        for pair in (list(group) for group in groups if len(group) == 2):
            loss += importance[:, pair].sum(1) * p**2 / 6
        candidates.append(shares(optimum.arranged(groups, n, models.sweep.m)))
        losses.append(loss)
    best = np.argmin(losses, axis=0)
    return _panel("prototypes", points, np.stack(candidates)[best], np.min(losses, axis=0))


def _optimum(best: Trained) -> pd.DataFrame:
    W = best.best()["W"]
    loss = best.loss.min(dim=1).values.numpy()
    panel = _panel("optimum", best.sweep.points(), shares(W), loss)
    return panel.assign(arrangement=[_arrangement(w) for w in W])


def _trained(models: Trained, lowest: Tensor) -> pd.DataFrame:
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


def _recipe(recipe: Trained, grid: pd.DataFrame) -> pd.DataFrame:
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
        "W ⊥ [1, 1, 1] gives way to a digon and a single feature, at r = 1": f"1-S = {_handover(equal):.4f}",
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
        begin = torch.cat([optimum.arranged(groups, 3, 2).flatten(), torch.zeros(3, dtype=torch.float64)])
        begin = begin.repeat(len(p), 1)
        if kind == "dropped":
            begin[:, -1] = exact.feature_mean(p)
        columns[kind] = optimum.minimise(objective, begin)[1] * 3 * p
    return pd.DataFrame({"density": p, **columns})


# The loss over the two weights


def _surfaces(trained: Trained) -> dict[str, pd.DataFrame]:
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


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return _draw_surfaces(data) if figure == "loss_surfaces" else _draw_diagrams(data)


COLOURS = {"absent": "#ffffff", "superposition": plotting.CATEGORIES[1], "own": plotting.CATEGORIES[0]}
LABELS = {"absent": "absent", "superposition": "in superposition", "own": "a dimension of its own"}


def _draw_diagrams(data: dict[str, pd.DataFrame]) -> Figure:
    """Four diagrams in the same colours, how often training reaches the best basin, and what the optimum does."""
    fig, axes = plt.subplots(2, 3, figsize=(plotting.PAGE, 4.9))
    grid, two = data["grid"], "boundary" in data
    maps = dict(zip(PANELS, (axes[0, 0], axes[0, 1], axes[1, 0], axes[1, 1]), strict=True))
    palette = np.array([to_rgb(COLOURS[phase]) for phase in PHASES])
    for panel, ax in maps.items():
        rows = grid[grid["panel"] == panel]
        _diagram(ax, rows, rows[list(PHASES)].to_numpy() @ palette)
        for x, y in _prototype_boundaries(two):
            ax.plot(x, y, color="0.15", lw=0.9, ls="-" if panel == "prototypes" else "--")
        ax.set_title(PANELS[panel])
    for ax in axes[:, 0]:
        ax.set_ylabel("feature density $1-S$")
    if not two:
        rows = grid[grid["panel"] == "optimum"].pivot(
            index="density", columns="relative_importance", values="arrangement"
        )
        inside = (rows == "triangle").to_numpy().astype(float)
        if inside.any():
            maps["optimum"].contour(
                np.log10(rows.columns), np.log10(rows.index), inside, [0.5], colors="black", linewidths=0.9
            )
            maps["optimum"].annotate(
                r"$W\perp[1,1,1]$", (0, -0.1), (0.25, -0.45), fontsize=7, arrowprops={"arrowstyle": "-", "lw": 0.5}
            )

    rows = grid[grid["panel"] == "trained"]
    _diagram(axes[1, 2], rows, rows["best_basin"].to_numpy(), cmap="viridis", vmin=0, vmax=1)
    axes[1, 2].set_title("restarts that reach the optimum")
    bar = fig.colorbar(axes[1, 2].images[0], ax=axes[1, 2], ticks=[0, 1], pad=0.03)
    bar.outline.set_linewidth(0.4)
    bar.set_label("share, within 1 % of its loss", labelpad=-4)
    if two:
        _draw_norms(axes[0, 2], data["norms"])
    else:
        _draw_equal(axes[0, 2], data["equal_importance"])
    patches = [plt.Rectangle((0, 0), 1, 1, fc=COLOURS[p], ec="0.4", lw=0.5, label=LABELS[p]) for p in PHASES]
    line = plt.Line2D([], [], color="0.15", lw=0.9, ls="--", label="boundaries of the fixed configurations")
    fig.legend(handles=[*patches, line], loc="outside lower center", ncols=4)
    return fig


def _diagram(ax: Axes, rows: pd.DataFrame, values: np.ndarray, **style: Any) -> None:
    """An image over the logarithms of relative importance and density, one pixel per point of the grid."""
    density, ratio = (np.sort(rows[name].unique()) for name in ("density", "relative_importance"))
    order = np.lexsort((rows["relative_importance"], rows["density"]))
    x, y = np.log10(ratio), np.log10(density)
    dx, dy = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    image = values[order].reshape(len(y), len(x), *values.shape[1:])
    extent = (x[0] - dx, x[-1] + dx, y[0] - dy, y[-1] + dy)
    ax.imshow(image, origin="lower", extent=extent, aspect="auto", **style)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    ax.set_xticks([-1, 0, 1], ["0.1", "1", "10"])
    ax.set_yticks([-2, -1, 0], ["0.01", "0.1", "1"])
    ax.set_xlabel("relative importance $r$")
    ax.spines[:].set(visible=True, linewidth=0.4, color="0.5")


def _prototype_boundaries(two: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """The lines between the phases of the fixed configurations, in logarithms of r and p."""
    low, high = np.linspace(-1.1, 0, 60), np.linspace(0, 1.1, 60)
    absent_shared = (low, np.log10(two_in_one.prototype_boundary(torch.from_numpy(10**low)).numpy()))
    meet = np.log10(4 / 7)
    if two:
        own_shared = (high, np.log10(4 / (5 + 2 * 10**high)))
        return [absent_shared, own_shared, (np.zeros(2), np.array([meet, 0.1]))]
    return [absent_shared, (np.zeros(2), np.array([-2.1, 0.1]))]


def _draw_norms(ax: Axes, norms: pd.DataFrame) -> None:
    ratios = sorted(norms["relative_importance"].unique())
    for ratio, colour in zip(ratios, plt.cm.viridis(np.linspace(0, 0.9, len(ratios))), strict=True):
        rows = norms[norms["relative_importance"] == ratio]
        ax.plot(rows["density"], rows["norm"], color=colour, lw=1, label=f"{ratio:g}")
    ax.set(xscale="log", xlabel="feature density $1-S$", ylabel=r"$\Vert W_2\Vert$ of the optimum", xlim=(0.08, 1))
    _density_ticks(ax)
    ax.set_title("where superposition sets in")
    ax.legend(title="$r$", loc="lower left", handlelength=1, title_fontsize=7)


def _density_ticks(ax: Axes) -> None:
    ax.set_xticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    ax.xaxis.set_minor_formatter("")


def _draw_equal(ax: Axes, losses: pd.DataFrame) -> None:
    for kind, label in (("triangle", r"$W\perp[1,1,1]$"), ("digon", "a digon")):
        ax.plot(losses["density"], losses[kind] / losses["dropped"], label=label)
    handover = _handover(losses)
    ax.axvline(handover, color="0.4", lw=0.7, ls=":")
    ax.text(handover * 1.04, 0.1, f"$1-S = {handover:.3f}$", fontsize=7)
    ax.axhline(1, color="0.6", lw=0.7, zorder=0)
    ax.set(xscale="log", xlabel="feature density $1-S$", ylabel="loss / loss with one absent", xlim=(0.1, 1))
    ax.set_ylim(0, 1.25)
    _density_ticks(ax)
    ax.set_title("equal importance, $r = 1$")
    ax.legend(loc="upper left")


def _handover(losses: pd.DataFrame) -> float:
    """The density at which the digon takes over from the triangle, by linear interpolation of the logarithm."""
    rows = losses[losses["density"] < 0.95].sort_values("density")
    gap, x = (rows["triangle"] - rows["digon"]).to_numpy(), np.log(rows["density"].to_numpy())
    k = int(np.flatnonzero(gap > 0).max())
    return float(np.exp(x[k] + (x[k + 1] - x[k]) * gap[k] / (gap[k] - gap[k + 1])))


def _draw_surfaces(data: dict[str, pd.DataFrame]) -> Figure:
    """Contours of the loss over (W_1, W_2): without a bias on top, with the best bias for each W below."""
    settings = data["surface"][["density", "relative_importance"]].drop_duplicates()
    settings = settings.sort_values(["density", "relative_importance"]).to_numpy()
    fig, axes = plt.subplots(2, len(settings), figsize=(plotting.PAGE, 3.75), sharex=True, sharey=True, squeeze=False)
    levels = np.geomspace(0.007, 1.6, 17)
    for column, (p, r) in enumerate(settings):
        here = f"density == {p} and relative_importance == {r}"
        surface = data["surface"].query(here)
        nothing = p / 3 * (1 + r)  # the loss of an output of 0
        for bias, ax in enumerate(axes[:, column]):
            value = "best_bias" if bias else "no_bias"
            square = surface.pivot(index="w1", columns="w0", values=value) / nothing
            filled = ax.contourf(
                square.columns, square.index, square, levels, cmap="viridis_r", norm="log", extend="max"
            )
            ax.contour(square.columns, square.index, square, levels, colors="white", linewidths=0.3)
            if bias:
                ends = data["trained"].query(here)
                for sign in (1, -1):
                    ax.scatter(sign * ends["w0"], sign * ends["w1"], s=5, color="white", ec="0.3", lw=0.4, zorder=4)
            minima = data["minima"].query(f"{here} and bias == {bool(bias)}")
            lowest = minima["loss"] <= minima["loss"].min() * (1 + 1e-6)
            for sign in (1, -1):
                for rows, marker in ((minima[lowest], "*"), (minima[~lowest], "X")):
                    ax.scatter(
                        sign * rows["w0"], sign * rows["w1"], marker=marker, s=45 if marker == "*" else 28,
                        color=plotting.CATEGORIES[1], ec="black", lw=0.5, zorder=3,
                    )  # fmt: skip
            ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlim=(-two_in_one.EXTENT, two_in_one.EXTENT))
        dense = "dense" if p == 1 else "sparse"
        axes[0, column].set_title(f"{dense}, $1-S = {p:g}$\n$r = {r:g}$")
        axes[1, column].set_xlabel("$W_1$")
    axes[0, 0].set_ylabel("no bias\n$W_2$")
    axes[1, 0].set_ylabel("best bias\n$W_2$")
    kinds = (("*", "lowest minimum", plotting.CATEGORIES[1]), ("X", "other minimum", plotting.CATEGORIES[1]))
    handles = [
        plt.Line2D([], [], ls="", marker=m, color=c, mec="black", mew=0.5, ms=6, label=label) for m, label, c in kinds
    ]
    handles.append(plt.Line2D([], [], ls="", marker="o", color="white", mec="0.3", mew=0.5, ms=4, label="trained"))
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    bar = fig.colorbar(filled, ax=axes, ticks=[0.01, 0.1, 1], format="{x:g}", pad=0.015, aspect=30)
    bar.set_label("loss / loss of an output of 0")
    bar.minorticks_off()
    bar.outline.set_linewidth(0.4)
    return fig


# Claims


@claims.add(
    "three_phases",
    figure="phase_2in1",
    paper="The extra feature is absent, in superposition or in a dimension of its own: all three phases occur, in both "
    "diagrams, empirically and in theory",
    criterion="each phase covers at least 1 % of the grid in every panel of both diagrams: fixed configurations, exact "
    "optimum, best trained model, average by the paper's rule",
)
def three_phases(data: Tables) -> Finding:
    parts = []
    for figure in DIAGRAMS:
        counts = pd.crosstab(data[figure]["grid"]["panel"], data[figure]["grid"]["phase"], normalize="index")
        parts.append(counts.reindex(index=list(PANELS), columns=list(PHASES), fill_value=0.0))
    least = min(part.to_numpy().min() for part in parts)
    return Finding(
        "; ".join(
            f"optimum of {figure}: " + ", ".join(f"{phase} {part.loc['optimum', phase]:.1%}" for phase in PHASES)
            for figure, part in zip(DIAGRAMS, parts, strict=True)
        )
        + f"; the rarest phase of any panel covers {least:.1%}",
        holds=least >= 0.01,
    )


@claims.add(
    "first_order",
    figure="phase_2in1",
    paper="Between absent and superposition the best configuration changes discontinuously, for r well below 1: a jump "
    "in ‖W_{extra}‖ and a kink in the optimal loss",
    criterion="exact optimum over W and b, n = 2, r = 0.1, 0.2, 0.3, 0.5: where ‖W_2‖ leaves 0 it jumps to more than ½ "
    "(nearer to the 1 of the fixed configurations than to 0), within 2·10⁻⁶ of the density, and the slopes dL/dp on "
    "the two sides differ by more than 1 %; n = 3: at every point of the grid up to r = 0.5 the optimal loss is that "
    "of n = 2 (within 10⁻⁶), so that the transition is the same",
)
def first_order(data: Tables) -> Finding:
    boundary, transitions = data["phase_2in1"]["boundary"], data["phase_2in1"]["transitions"]
    low, high = boundary.query("relative_importance <= 0.5"), boundary.query("relative_importance > 0.5")
    kink = low["slope_below"] / low["slope_above"] - 1
    at_once = (low["p_strong"] / low["p_optimum"] - 1).abs() < 1e-6
    jumps = at_once & (low["norm_above"] == 0) & (low["norm_below"] > 0.5)
    losses = [
        data[figure]["grid"].query("panel == 'optimum' and relative_importance < 0.51").round({"density": 9})
        for figure in DIAGRAMS
    ]
    both = losses[0].merge(losses[1], on=["density", "relative_importance"])
    same = 0 < len(both) == len(losses[0]) == len(losses[1])
    apart = (both["loss_y"] / both["loss_x"] - 1).abs().max()
    nearer = "; ".join(
        f"r = {row.relative_importance:g}: ‖W_2‖ leaves 0 at 1-S = {row.p_optimum:.4f}, to {row.norm_onset:.3f}, and "
        f"jumps from {row.norm_above:.2f} to {row.norm_below:.2f} at {row.p_strong:.4f}"
        for row in high.itertuples()
    )
    return Finding(
        "‖W_2‖ jumps from 0 to "
        + ", ".join(f"{row.norm_below:.2f} (r = {row.relative_importance:g})" for row in low.itertuples())
        + f"; slopes differ by {kink.min():.0%} to {kink.max():.0%}; losses of n = 2 and n = 3 by at most {apart:.0e}",
        holds=bool(len(low) == 4 and jumps.all() and (kink.abs() > 0.01).all() and same and apart < 1e-6),
        note="Nearer to r = 1 the jump moves into the superposition phase, and what is left at its boundary is small "
        f"or nothing: {nearer}. At the boundary the transition is a jump for r = {_ranges(transitions, True)} and "
        f"continuous for r = {_ranges(transitions, False)} (in steps of 0.01; it is continuous where W = [1, 0] loses "
        "its stability, known in closed form, before any other configuration is better)",
    )


def _ranges(transitions: pd.DataFrame, jump: bool) -> str:
    """0.1 to 0.56 and 0.9 to 0.99: the relative importances at which the transition is of one kind."""
    places = np.flatnonzero(transitions["jump"] == jump)
    runs = np.split(transitions["relative_importance"].to_numpy()[places], np.flatnonzero(np.diff(places) > 1) + 1)
    return " and ".join(f"{run[0]:g} to {run[-1]:g}" for run in runs if len(run)) or "no value"


def agreement(grid: pd.DataFrame, theory: str, panel: str) -> tuple[float, float]:
    """The share of the grid where two panels have the same phase: everywhere, and away from the boundaries.

    Away means that in the theory panel the eight neighbours have that phase, too.
    """
    a, b = (
        grid[grid["panel"] == name].pivot(index="density", columns="relative_importance", values="phase").to_numpy()
        for name in (theory, panel)
    )
    around = np.lib.stride_tricks.sliding_window_view(np.pad(a, 1, mode="edge"), (3, 3))
    inner = (around == a[..., None, None]).all(axis=(-1, -2))
    return float((a == b).mean()), float((a == b)[inner].mean())


@claims.add(
    "theory_predicts",
    figure="phase_3in2",
    paper="The trained diagram agrees with the theory panel away from the boundaries",
    criterion="both diagrams: away from the boundaries (more than one step of the grid) the average of nine of ten "
    "models (the paper's rule) and the best of ten have the phase of the best fixed configuration at 95 % of the "
    "points or more; corrected if the best of ten does",
    expected="corrected",
    at_quick=False,
)
def theory_predicts(data: Tables) -> Finding:
    theories = {"prototypes": "fixed configurations", "optimum": "optimum"}
    measured: list[str] = []
    away: dict[str, list[float]] = {"trained": [], "average": []}
    for figure, (theory, name) in itertools.product(DIAGRAMS, theories.items()):
        shares = {panel: agreement(data[figure]["grid"], theory, panel) for panel in away}
        measured.append(
            f"{figure}, {name}: "
            + ", ".join(
                f"{word} {shares[panel][1]:.1%} ({shares[panel][0]:.1%} with the boundaries)"
                for panel, word in (("average", "average"), ("trained", "best of ten"))
            )
        )
        if theory == "prototypes":
            for panel, share in shares.items():
                away[panel].append(share[1])
    recipe = []
    for figure in DIAGRAMS:
        rows = data[figure]["recipe"]
        theirs, ours = ((rows[column] == rows["phase_optimum"]).mean() for column in ("phase", "phase_ours"))
        recipe.append(
            f"{figure}, at the same {len(rows)} points: {rows['best_basin'].mean():.0%} of its models reach the "
            f"optimum (ours {rows['best_basin_ours'].mean():.0%}); its average has the optimum's phase at {theirs:.0%} "
            f"(ours {ours:.0%})"
        )
    return Finding(
        "; ".join(measured),
        holds=np.min(away["average"] + away["trained"]) >= 0.95,
        correction="The best of ten models has the phase that theory says. An average over nine need not: many end in "
        "other local minima, and it mixes their phases"
        if np.min(away["trained"]) >= 0.95
        else "",
        note=f"It is not our training: the authors' recipe ends in other minima about as often. {'; '.join(recipe)}",
    )

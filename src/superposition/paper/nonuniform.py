"""Non-uniform superposition: five features in two dimensions, one of them denser or sparser than the others.

The varied feature is the first one. Solutions are of two kinds, pentagon and two digons; both are also followed
exactly, as local minima of a precise loss.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from superposition import branches, plotting, polytopes, tegum
from superposition.claims import Claims, Finding, Tables
from superposition.polytopes import Polytope
from superposition.weights import Trained

claims = Claims("nonuniform")

KINDS = {"pentagon": plotting.POLYTOPES["pentagon"], "two digons": plotting.POLYTOPES["digon"], "other": "0.6"}
PENTAGON = Polytope("pentagon", polytopes.polygon(5)[::-1])  # the first corner points up
CROSS = np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1)  # the varied feature is dropped
ORDERS = polytopes.symmetric_orders((0,), (1, 2, 3, 4))
SEEDS = (0, 1, 2)  # of the points at which the precise loss is taken: their spread is the error of the crossover
OTHERS = (0.01, 0.02, 0.05, 0.1)  # densities of the other features at which the crossover is computed
EQUAL = (0.001, 0.01, 0.02, 0.05, 0.1)  # densities at which the pentagon of equal features is measured
PAPER = 1 / 2.5  # where the paper has the crossover


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    models = trained["pentagon"]
    if figure == "pentagon_solutions":
        limits = _limits()
        return {"solutions": _solutions(models), "equal": _equal(), "limits": limits, "numbers": _limits_shown(limits)}
    return {"fits": _fits(models), "branches": _branches(models), "crossovers": _crossovers()}


def kind(W: Float[np.ndarray, "2 5"]) -> str:
    """Pentagon: all features are represented, neighbours at 72°, give or take half of that. Two digons: the varied
    feature is not represented, the others are a square."""
    represented = (W**2).sum(0) > 0.5
    if not np.isfinite(W).all():
        return "other"
    if represented.all():
        angles = np.sort(np.arctan2(W[1], W[0]))
        gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
        return "pentagon" if (np.abs(np.degrees(gaps) - 72) < 36).all() else "other"
    digons = not represented[0] and represented[1:].all()
    square = digons and polytopes.difference(W[:, 1:], CROSS[:, 1:]) <= polytopes.ALIKE
    return "two digons" if square else "other"


def _shape(W: Float[np.ndarray, "2 5"], b: Float[np.ndarray, " 5"]) -> dict[str, float]:
    """Lengths and biases of the varied feature, its two neighbours and the other two; the angle to the neighbours."""
    norm = np.linalg.norm(W, axis=0)
    cosine = W[:, 0] @ W[:, 1:] / np.maximum(norm[0] * norm[1:], 1e-12)
    near, far = 1 + np.argsort(-cosine)[:2], 1 + np.argsort(-cosine)[2:]
    return {
        "norm_varied": norm[0],
        "norm_near": norm[near].mean(),
        "norm_far": norm[far].mean(),
        "bias_varied": b[0],
        "bias_near": b[near].mean(),
        "bias_far": b[far].mean(),
        "angle": np.degrees(np.arccos(np.clip(cosine[near - 1], -1, 1))).mean(),
    }


def _solutions(models: Trained) -> pd.DataFrame:
    """The fit with the lowest loss at every relative density, in canonical orientation: one row per feature."""
    rows, best = [], models.best()
    for point, W, b in zip(models.points.itertuples(), best["W"].numpy(), best["b"].numpy(), strict=True):
        common = {"relative_density": point.relative_density, "kind": kind(W), "loss": point.loss} | _shape(W, b)
        places = polytopes.aligned(W, CROSS if common["kind"] == "two digons" else PENTAGON.corners, ORDERS)
        rows += [common | {"feature": i, "w0": x, "w1": y} for i, (x, y) in enumerate(places.T)]
    return pd.DataFrame(rows)


def _fits(models: Trained) -> pd.DataFrame:
    """The loss and the kind of every fit."""
    points = models.sweep.points()[["density", "relative_density"]]
    table = points.loc[points.index.repeat(models.sweep.restarts)].reset_index(drop=True)
    every = models.parameters["W"].double().flatten(0, 1).numpy()
    error = models.loss_error.flatten().numpy()
    return table.assign(kind=[kind(W) for W in every], loss=models.loss.flatten().numpy(), loss_error=error)


def _densities(density: float | Float64[Tensor, " k"], ratio: Float64[Tensor, " k"]) -> Float64[Tensor, "k 5"]:
    others = torch.as_tensor(density, dtype=torch.float64).expand_as(ratio)
    return torch.stack([ratio * others, *[others] * 4], dim=-1)


def _branches(models: Trained) -> pd.DataFrame:
    """Both kinds of solution, followed from the best trained one as far as they are local minima of their kind: the
    pentagon from equal densities in both directions, the two digons from where the varied feature is sparsest."""
    ratios = torch.tensor(models.points["relative_density"], dtype=torch.float64)
    equal = int(ratios.log().abs().argmin())
    paths = [("pentagon", range(equal, -1, -1)), ("pentagon", range(equal, len(ratios)))]
    paths.append(("two digons", range(len(ratios))))
    W, b = (torch.stack(part) for part in zip(*(_best_of(models, path[0], name) for name, path in paths), strict=True))
    # All paths at once; a shorter one waits at its end.
    steps = [[path[min(step, len(path) - 1)] for _, path in paths] for step in range(len(ratios))]
    densities = torch.stack([_densities(models.sweep.density[0], ratios[step]) for step in steps])
    W, b, loss = branches.trace(W, b, densities)
    rows = []
    for k, (name, path) in enumerate(paths):
        for step, point in enumerate(path):
            if kind(W[step, k].numpy()) != name:
                break
            at = {"kind": name, "relative_density": float(ratios[point]), "loss": float(loss[step, k])}
            rows.append(at | _shape(W[step, k].numpy(), b[step, k].numpy()))
    columns = ["kind", "relative_density", "loss", *_shape(PENTAGON.corners, np.zeros(5))]
    table = pd.DataFrame(rows, columns=columns).drop_duplicates(["kind", "relative_density"])
    return table.sort_values(["kind", "relative_density"], ignore_index=True)


def _best_of(models: Trained, point: int, name: str) -> tuple[Float64[Tensor, "2 5"], Float64[Tensor, " 5"]]:
    """W and b of the best fit of a kind; of the first fit, where none is of that kind."""
    W, b = (models.parameters[p][point].double() for p in ("W", "b"))
    other = torch.tensor([kind(one) != name for one in W.numpy()])
    k = models.loss[point].masked_fill(other, torch.inf).argmin()
    return W[k], b[k]


def _crossovers() -> pd.DataFrame:
    """The relative density at which both kinds cost the same, by the density of the others.

    Its error is the largest difference between different points at which the loss is taken.
    """
    others = torch.tensor(OTHERS, dtype=torch.float64)
    limit = tegum.sparse_limit(PENTAGON)
    W = torch.from_numpy(np.stack([PENTAGON.corners * limit["norm"], CROSS])).expand(len(OTHERS), -1, -1, -1)
    b = torch.zeros(len(OTHERS), 2, 5, dtype=torch.float64)
    b[:, 0] = limit["bias"]
    found, ratio = [], torch.full_like(others, 0.3)
    for seed in SEEDS:  # each from where the one before ended
        ratio, W, b = branches.crossing(W, b, ratio, lambda r: _densities(others, r), seed=seed)
        kinds = np.array([[kind(one) for one in both] for both in W.numpy()])
        found.append(np.where((kinds == list(KINDS)[:2]).all(1), ratio.numpy(), np.nan))
    return pd.DataFrame({"density": OTHERS, "crossover": np.mean(found, axis=0), "error": np.ptp(found, axis=0)})


def _equal() -> pd.DataFrame:
    """The best pentagon of equal features, and the norms that go with its bias: by the paper, and in the limit."""
    table = tegum.factor_optimum(PENTAGON, EQUAL)[["density", "norm", "bias"]]
    return table.assign(paper=1 / (1 - table["bias"]), limit=[tegum.sparse_norm(PENTAGON, b) for b in table["bias"]])


def _limits() -> pd.DataFrame:
    """The best k-gons as the density goes to 0."""
    polygons = {k: tegum.sparse_limit(Polytope(f"{k}-gon", polytopes.polygon(k))) for k in range(5, 9)}
    return pd.DataFrame(polygons).T.rename_axis("features").reset_index()


def _limits_shown(limits: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "k-gon, 1-S → 0": limits["features"].map("{:.0f}".format),
            "‖W_i‖": limits["norm"].map("{:.8f}".format),
            "b_i": limits["bias"].map("{:.8f}".format),
            "loss / (1-S)": limits["loss"].map("{:.8f}".format),
            "the paper's 1/(1-b_i)": (1 / (1 - limits["bias"])).map("{:.4f}".format),
        }
    )


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return (_draw_solutions if figure == "pentagon_solutions" else _draw_losses)(data)


RATIO = "relative density of the varied feature"


def _draw_solutions(data: dict[str, pd.DataFrame]) -> Figure:
    """The columns of W in canonical orientation, coloured by relative density; angle and norms beside it."""
    solutions = data["solutions"]
    fig, axes = plt.subplots(1, 4, figsize=(plotting.PAGE, 2.3), width_ratios=[1.5, 1, 1.05, 1.05])
    colours = LogNorm(solutions["relative_density"].min(), solutions["relative_density"].max())
    for ax, name, first in zip(axes, ("pentagon", "two digons"), (0, 1), strict=False):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8", lw=0.6))
        rows = solutions[solutions["kind"] == name]
        for ratio, model in rows.groupby("relative_density"):
            corners = model.sort_values("feature").iloc[first:]
            ring = pd.concat([corners, corners.iloc[:1]])  # the features come in the order of the corners
            ax.plot(ring["w0"], ring["w1"], color=plt.cm.plasma(colours(ratio)), lw=0.4)
        points = ax.scatter(rows["w0"], rows["w1"], c=rows["relative_density"], cmap="plasma", norm=colours, s=9)
        varied = rows[rows["feature"] == 0]
        ax.scatter(varied["w0"], varied["w1"], fc="none", ec="0.2", lw=0.5, s=16)
        reach = 1.25 if name == "pentagon" else 1.1
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=name)
        ax.set_axis_off()
    bar = fig.colorbar(points, ax=axes[:2], location="bottom", fraction=0.05, pad=0.0, aspect=40)
    bar.set_label(f"{RATIO} (○)")
    bar.outline.set_linewidth(0.4)
    best = solutions[solutions["feature"] == 0]
    pentagons = best[best["kind"] == "pentagon"]
    axes[2].plot(pentagons["relative_density"], pentagons["angle"], ".-", color=KINDS["pentagon"], ms=4, lw=0.8)
    axes[2].axhline(72, color="0.7", lw=0.6, ls=":")
    axes[2].set(title="angle to neighbours, °")
    for (column, label), colour in zip(
        {"norm_varied": "varied", "norm_near": "neighbours", "norm_far": "far ones"}.items(),
        plotting.CATEGORIES,
        strict=False,
    ):
        axes[3].plot(best["relative_density"], best[column], ".-", color=colour, ms=3, lw=0.8, label=label)
    axes[3].set(title=r"norms $\Vert W_i\Vert$", ylim=(-0.05, 1.25))
    axes[3].legend(loc="lower right", handlelength=1)
    for ax in axes[2:]:
        ax.set(xscale="log", xlabel="relative density")
        ax.axvline(1, color="0.7", lw=0.6, ls=":")
    return fig


def _draw_losses(data: dict[str, pd.DataFrame]) -> Figure:
    """All fits by kind with the exact branches; where these cross; the crossover by the density of the others."""
    fits, paths, crossovers = data["fits"], data["branches"], data["crossovers"]
    fig, axes = plt.subplots(1, 3, figsize=(plotting.PAGE, 2.5), width_ratios=[2, 1.2, 1])
    density = fits["density"].iloc[0]

    def per_feature(table: pd.DataFrame) -> pd.Series:
        """Over Σ_i (1-S_i), so that the losses are of the same size."""
        return table["loss"] / (density * (4 + table["relative_density"]))

    for name in reversed(KINDS):
        rows = fits[fits["kind"] == name]
        axes[0].scatter(
            rows["relative_density"], per_feature(rows), s=2, color=KINDS[name], lw=0, label=name, alpha=0.6
        )
    _lines(axes[0], paths, per_feature)
    axes[0].set(yscale="log", ylabel=r"loss / $\sum_i(1-S_i)$", title="every fit, and the two branches")
    axes[0].set_yticks([0.02, 0.03, 0.05, 0.1], ["0.02", "0.03", "0.05", "0.1"])
    axes[0].tick_params(axis="y", which="minor", labelleft=False)
    handles = [plt.Line2D([], [], color=c, marker=".", ls="-" * (k != "other")) for k, c in KINDS.items()]
    axes[0].legend(handles, KINDS, loc="lower right")
    _lines(axes[1], paths, per_feature)
    near = paths[paths["relative_density"].between(0.18, 0.55)]
    values = per_feature(near)
    margin = 0.05 * np.ptp(values) + 1e-6
    axes[1].set(xlim=(0.18, 0.55), ylim=(values.min() - margin, values.max() + margin), title="where they cross")
    crossover = crossovers.loc[(crossovers["density"] - density).abs().idxmin(), "crossover"]
    for ax in axes[:2]:
        ax.set(xscale="log", xlabel=RATIO if ax is axes[0] else "relative density")
        ax.axvline(crossover, color="0.3", lw=0.6)
        ax.axvline(PAPER, color="0.3", lw=0.6, ls=":")
    axes[1].set_xticks([0.2, 0.3, 0.4, 0.5], ["0.2", "0.3", "0.4", "0.5"])
    axes[1].tick_params(axis="x", which="minor", labelbottom=False)
    axes[2].plot(crossovers["density"], crossovers["crossover"], "k.-", lw=0.8, label="exact")
    axes[2].plot([density], [PAPER], "x", color="0.3", ms=5, label="the paper")
    axes[2].set(xscale="log", ylim=(0, None), xlabel="$1-S$ of the others", title="relative density there")
    axes[2].legend(loc="upper left", handlelength=1)
    return fig


def _lines(ax: Axes, paths: pd.DataFrame, per_feature: Callable[[pd.DataFrame], pd.Series]) -> None:
    for name, rows in paths.groupby("kind"):
        ax.plot(rows["relative_density"], per_feature(rows), color=KINDS[name], lw=1)


# Claims


def _models(data: Tables) -> pd.DataFrame:
    """One row per relative density: the best fit."""
    solutions = data["pentagon_solutions"]["solutions"]
    return solutions[solutions["feature"] == 0].sort_values("relative_density", ignore_index=True)


@claims.add(
    "pentagon_when_equal",
    figure="pentagon_solutions",
    paper="When all features are equally dense, they form a regular pentagon",
    criterion="the best fit at relative density 1: WᵀW differs by at most 5 % from a regular pentagon's, up to "
    "rotation and size, and all norms are within 5 % of each other",
)
def pentagon_when_equal(data: Tables) -> Finding:
    solutions = data["pentagon_solutions"]["solutions"]
    equal = solutions[solutions["relative_density"] == 1].sort_values("feature")
    W = equal[["w0", "w1"]].to_numpy().T
    if W.shape != (2, 5):
        return Finding("no model at relative density 1", holds=False)
    residual = polytopes.difference(W, PENTAGON.corners)
    norms = np.linalg.norm(W, axis=0)
    return Finding(
        f"WᵀW differs by {residual:.2%}; norms from {norms.min():.3f} to {norms.max():.3f}",
        holds=residual <= 0.05 and norms.max() <= 1.05 * norms.min(),
    )


@claims.add(
    "stretch",
    figure="pentagon_solutions",
    paper="In the pentagon, a denser feature pushes the others away and a sparser one yields room",
    criterion="best fits that are pentagons: the angle between the varied feature and its neighbours is above 72° at "
    "every relative density of 1.5 and more, below 72° at every one of 1/1.5 and less, and grows with the relative "
    "density (rank correlation at least 0.9)",
)
def stretch(data: Tables) -> Finding:
    pentagons = _models(data).query("kind == 'pentagon'")
    dense, sparse = (
        pentagons[here]["angle"]
        for here in (pentagons["relative_density"] >= 1.5, pentagons["relative_density"] <= 1 / 1.5)
    )
    if pentagons.empty:
        return Finding("no pentagon", holds=False)
    rank = pentagons["angle"].corr(pentagons["relative_density"], method="spearman")
    top = pentagons.loc[pentagons["angle"].idxmax()]
    seen = len(dense) > 0 and len(sparse) > 0 and pentagons["angle"].notna().all()
    return Finding(
        f"from {pentagons['angle'].iloc[0]:.1f}° at {pentagons['relative_density'].iloc[0]:.2g} to "
        f"{pentagons['angle'].iloc[-1]:.1f}° at {pentagons['relative_density'].iloc[-1]:.2g}, "
        f"rank correlation {rank:.3f}",
        holds=seen and (dense > 72).all() and (sparse < 72).all() and rank >= 0.9,
        note=f"The angle is largest, {top['angle']:.1f}°, at {top['relative_density']:.2g}",
    )


@claims.add(
    "snap",
    figure="pentagon_solutions",
    paper="Below a critical relative density the best solution is two digons, with the varied feature at 0",
    criterion="going down from relative density 1, the best fits are pentagons, and from some density on all of them "
    "are two digons with ‖W_1‖ < 0.1; nothing else is in between",
)
def snap(data: Tables) -> Finding:
    models = _models(data)
    below = models[models["relative_density"] <= 1]
    digons = (below["kind"] == "two digons") & (below["norm_varied"] < 0.1)
    pentagons = below["kind"] == "pentagon"
    count = int(digons.sum())
    clean = digons.iloc[:count].all() and pentagons.iloc[count:].all()
    return Finding(
        f"two digons up to relative density {below['relative_density'][digons].max():.3g}, a pentagon from "
        f"{below['relative_density'][pentagons].min():.3g}",
        holds=0 < count < len(below) and clean,
    )


@claims.add(
    "crossover",
    figure="pentagon_loss",
    paper="The losses of the two kinds of solution cross where the varied feature is about 2.5 times sparser (1/2.5)",
    criterion="the relative density at which the two branches, followed exactly, cross is within 20 % of 0.4; "
    "corrected if it is another, with an error of less than 1 %, and the best fits change kind there",
    expected="corrected",
)
def crossover(data: Tables) -> Finding:
    fits, crossovers = (data["pentagon_loss"][name] for name in ("fits", "crossovers"))
    crossovers = crossovers.set_index("density")
    exact, error = crossovers.loc[fits["density"].iloc[0]]
    best = fits.loc[fits.groupby("relative_density")["loss"].idxmin()]
    last = best.loc[best["kind"] == "two digons", "relative_density"].max()
    first = best.loc[best["kind"] == "pentagon", "relative_density"].min()
    known = error < 0.01 * exact
    as_dense = np.exp(np.interp(np.log(PAPER), np.log(crossovers["crossover"]), np.log(crossovers.index)))
    return Finding(
        f"{exact:.4f} ± {error:.0e}, which is 1/{1 / exact:.2f}; the best of the trained models change between "
        f"{last:.3g} and {first:.3g}",
        holds=known and abs(exact / PAPER - 1) <= 0.2,
        correction=f"The losses cross at 1/{1 / exact:.2f}, and where depends on how dense the others are"
        if known and last <= exact <= first
        else "",
        note="By the density of the others: "
        + ", ".join(f"{row.crossover:.4f} at {row.Index:g}" for row in crossovers.itertuples())
        + f"; it would be {PAPER:g} at about {as_dense:.2g}",
    )


@claims.add(
    "norm_bias",
    figure="pentagon_solutions",
    paper="The pentagon's points lie off the unit circle, tied to the negative bias by ‖W_i‖ = 1/(1-b_i)",
    criterion="the best fit at relative density 1: the norms are within 5 % of 1/(1-b_i); corrected if b < 0 and "
    "‖W_i‖ > 1, on the other side of 1 than that formula, while the condition that the optimum obeys as 1-S → 0 gives "
    "the norm within 2 % there, and within 0.2 % for the best pentagon at 1-S = 0.001",
    expected="corrected",
)
def norm_bias(data: Tables) -> Finding:
    model = _models(data).query("relative_density == 1").iloc[0]
    norms, biases = (
        model[[f"{of}_{which}" for which in ("varied", "near", "far")]].to_numpy(float) for of in ("norm", "bias")
    )
    norm, bias = norms.mean(), biases.mean()
    paper, ours = 1 / (1 - bias), tegum.sparse_norm(PENTAGON, min(bias, -1e-9))
    sparse = data["pentagon_solutions"]["equal"].sort_values("density").iloc[0]
    other_side = (biases < 0).all() and (norms > 1).all()
    obeyed = abs(norm / ours - 1) <= 0.02 and abs(sparse["norm"] / sparse["limit"] - 1) <= 0.002
    limit = data["pentagon_solutions"]["limits"].query("features == 5").iloc[0]
    return Finding(
        f"‖W_i‖ = {norm:.3f} at b_i = {bias:.3f}, where the formula has {paper:.3f}",
        holds=abs(norm / paper - 1) <= 0.05,
        correction="The formula moves the points inwards, they lie outwards. At the optimum a feature's own output "
        "balances what it does to its neighbours' (1-S → 0, s = ‖W_i‖², x_c = -b/(sc)): (1-s)(1-x_1³)/3 - b(1-x_1²)/2 "
        "= Σ_c c [sc(1-x_c³)/3 + b(1-x_c²)/2] over the neighbours with x_c < 1"
        if other_side and obeyed
        else "",
        note=f"That condition gives {ours:.3f}. The limit for 1-S → 0 is ‖W_i‖ = {limit['norm']:.6f}, "
        f"b_i = {limit['bias']:.6f}, loss {limit['loss']:.6f} (1-S); √(1-b_i), the formula's inverse with the square "
        f"of the norm in place of the norm, would be {(1 - bias) ** 0.5:.3f}",
    )

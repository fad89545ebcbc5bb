"""Judge the pentagon of equal features, how it stretches, and where it snaps to two digons."""

import numpy as np
import pandas as pd

from superposition.analysis import alignment
from superposition.paper.nonuniform import PAPER_CROSSOVER, PENTAGON
from superposition.paper.nonuniform.sparse import sparse_norm
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("nonuniform")


def _best_fits(data: Tables) -> pd.DataFrame:
    """Return the best fit at every relative density, one row each."""
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
    residual = alignment.difference(W, PENTAGON.corners)
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
    pentagons = _best_fits(data).query("kind == 'pentagon'")
    dense, sparse = (
        pentagons[mask]["angle"]
        for mask in (pentagons["relative_density"] >= 1.5, pentagons["relative_density"] <= 1 / 1.5)
    )
    if pentagons.empty:
        return Finding("no pentagon", holds=False)
    rank = pentagons["angle"].corr(pentagons["relative_density"], method="spearman")
    top = pentagons.loc[pentagons["angle"].idxmax()]
    complete = len(dense) > 0 and len(sparse) > 0 and pentagons["angle"].notna().all()
    return Finding(
        f"from {pentagons['angle'].iloc[0]:.1f}° at {pentagons['relative_density'].iloc[0]:.2g} to "
        f"{pentagons['angle'].iloc[-1]:.1f}° at {pentagons['relative_density'].iloc[-1]:.2g}, "
        f"rank correlation {rank:.3f}",
        holds=complete and (dense > 72).all() and (sparse < 72).all() and rank >= 0.9,
        note=f"The angle is largest, {top['angle']:.1f}°, at {top['relative_density']:.2g}",
    )


@claims.add(
    "snap",
    figure="pentagon_solutions",
    paper="Below a critical relative density the best solution is two digons, with the varied feature at 0",
    criterion="going down from relative density 1, the best fits are pentagons, and below some density all of them are "
    "two digons with ‖W_1‖ < 0.1; there is nothing else in between",
)
def snap(data: Tables) -> Finding:
    models = _best_fits(data)
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
    "corrected if it is a different value, known to within 1 %, and the best fits change kind there",
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
    density_of_paper = np.exp(
        np.interp(np.log(PAPER_CROSSOVER), np.log(crossovers["crossover"]), np.log(crossovers.index))
    )
    return Finding(
        f"{exact:.4f} ± {error:.0e}, which is 1/{1 / exact:.2f}; the best of the trained models change between "
        f"{last:.3g} and {first:.3g}",
        holds=known and abs(exact / PAPER_CROSSOVER - 1) <= 0.2,
        correction=f"The losses cross at 1/{1 / exact:.2f}; where they cross depends on how dense the others are"
        if known and last <= exact <= first
        else "",
        note="By the density of the others: "
        + ", ".join(f"{row.crossover:.4f} at {row.Index:g}" for row in crossovers.itertuples())
        + f"; it would be {PAPER_CROSSOVER:g} at about {density_of_paper:.2g}",
    )


@claims.add(
    "norm_bias",
    figure="pentagon_solutions",
    paper="The pentagon's points lie off the unit circle, tied to the negative bias by ‖W_i‖ = 1/(1-b_i)",
    criterion="the best fit at relative density 1: the norms are within 5 % of 1/(1-b_i); corrected if b < 0 and "
    "‖W_i‖ > 1, on the opposite side of 1 from that formula, while the condition that the optimum obeys as 1-S → 0 "
    "gives the norm within 2 % there, and within 0.2 % for the best pentagon at 1-S = 0.001",
    expected="corrected",
)
def norm_bias(data: Tables) -> Finding:
    model = _best_fits(data).query("relative_density == 1").iloc[0]
    norms, biases = (
        model[[f"{quantity}_{which}" for which in ("varied", "near", "far")]].to_numpy(float)
        for quantity in ("norm", "bias")
    )
    norm, bias = norms.mean(), biases.mean()
    by_paper, by_condition = 1 / (1 - bias), sparse_norm(PENTAGON, min(bias, -1e-9))
    sparse = data["pentagon_solutions"]["equal"].sort_values("density").iloc[0]
    outside = (biases < 0).all() and (norms > 1).all()
    obeyed = abs(norm / by_condition - 1) <= 0.02 and abs(sparse["norm"] / sparse["limit"] - 1) <= 0.002
    limit = data["pentagon_solutions"]["limits"].query("features == 5").iloc[0]
    return Finding(
        f"‖W_i‖ = {norm:.3f} at b_i = {bias:.3f}, where the formula gives {by_paper:.3f}",
        holds=abs(norm / by_paper - 1) <= 0.05,
        correction="The formula puts the points inside the unit circle, but they lie outside. At the optimum, the "
        "gradient at a feature's own output balances those at its neighbours' outputs (1-S → 0, s = ‖W_i‖², "
        "x_c = -b/(sc)): (1-s)(1-x_1³)/3 - b(1-x_1²)/2 = Σ_c c [sc(1-x_c³)/3 + b(1-x_c²)/2] over the neighbours with "
        "x_c < 1"
        if outside and obeyed
        else "",
        note=f"That condition gives {by_condition:.3f}. The limit for 1-S → 0 is ‖W_i‖ = {limit['norm']:.6f}, "
        f"b_i = {limit['bias']:.6f}, loss {limit['loss']:.6f} (1-S); √(1-b_i), the formula's inverse with the square "
        f"of the norm in place of the norm, would be {(1 - bias) ** 0.5:.3f}",
    )

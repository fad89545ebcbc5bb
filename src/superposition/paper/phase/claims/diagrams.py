"""Judge which phases there are, where they change, and by how much."""

import itertools

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed
from superposition.paper.phase import phase_areas, triangle_digon_crossover
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, below, below_half

claims = Claims("phase")

DIAGRAMS = ("phase_2in1", "phase_3in2")
# The panels in which every point has one model; the average mixes several.
ONE_MODEL_PANELS = ("prototypes", "optimum", "trained")


def _grid(data: Tables, figure: str, panel: str, value: str = "phase") -> pd.DataFrame:
    """Return a column of one panel of a phase diagram, by density (from dense to sparse) and relative importance."""
    rows = data[figure]["grid"].query(f"panel == '{panel}'")
    return rows.pivot(index="density", columns="relative_importance", values=value).sort_index(ascending=False)


def list_areas(areas: pd.Series) -> str:
    """Format the areas of the phases of a diagram."""
    return ", ".join(f"{phase} {share:.0%}" for phase, share in areas.items())


@claims.add(
    figure="phase_2in1",
    paper="There seem to be three outcomes for a feature: it is not learned, or learned in superposition, or has a "
    "dimension of its own; both diagrams, empirical and theoretical, show the three regions, and the transitions seem "
    "sharp",
    phrase="three outcomes for a feature",
    criteria=[
        above_half(
            "area of a phase relative to its area in the theoretical diagram, smallest over the phases, over the exact "
            "optimum and the best trained model, and over both diagrams",
            "half way between no such phase (0) and the predicted one (1)",
        )
    ],
)
def three_phases(data: Tables) -> Finding:
    areas = pd.concat({figure: phase_areas(data[figure]["grid"], "panel") for figure in DIAGRAMS})
    relative = [areas.loc[figure].div(areas.loc[figure, "prototypes"]) for figure in DIAGRAMS]
    notebook = [f"{figure}: {list_areas(phase_areas(data[figure]['recipe'], 'panel').iloc[0])}" for figure in DIAGRAMS]
    return Finding(
        [min(table.loc[["optimum", "trained"]].min(axis=None) for table in relative)],
        text="; ".join(f"{figure}, {panel}: {list_areas(row)}" for (figure, panel), row in areas.iterrows()),
        note="How sharp the transitions are is judged as phase.first_order. Outcomes are those of single models. An "
        "average over nine models, as in the paper's diagram, mixes "
        f"them. So do averages of models trained as in the authors' notebook: {'; '.join(notebook)}",
    )


@claims.add(
    figure="phase_2in1",
    paper="As expected, sparsity is necessary for superposition, and it interacts with relative importance",
    about="the optimum",
    phrase="sparsity is necessary for superposition",
    criteria=[
        Criterion(
            "highest density with superposition (and ‖W_e‖² > ½) at any relative importance other than 1, in the "
            "theoretical diagram, the exact optimum and the best trained model of both diagrams",
            below(1, "the paper", "none at 1-S = 1; for equal features the dense optimum has no preferred basis"),
        ),
        Criterion(
            "highest such density relative to that at the relative importance at which it is lowest, two features, "
            "smallest of the three panels",
            above(10**0.05, "measurement error", "one step of the grid"),
        ),
    ],
)
def sparsity_necessary(data: Tables) -> Finding:
    # The highest density with superposition, by relative importance; NaN where there is none.
    highest = {}
    for figure, panel in itertools.product(DIAGRAMS, ONE_MODEL_PANELS):
        shared = _grid(data, figure, panel).drop(columns=1.0) == "superposition"
        highest[figure, panel] = shared.idxmax().where(shared.any()).astype(float)
    ranges = [highest["phase_2in1", panel].max() / highest["phase_2in1", panel].min() for panel in ONE_MODEL_PANELS]
    shown = {at: density.reindex([0.1, 0.5, 0.9, 1.1, 2, 10], method="nearest") for at, density in highest.items()}
    # Of two dense equal features, one alone has the loss 1/12.
    gain = 1 - 12 * _grid(data, "phase_2in1", "optimum", "loss").loc[1.0, 1.0]
    return Finding(
        [max(density.max() for density in highest.values()), min(ranges)],
        text="highest density with superposition, and ‖W_e‖² > ½, at r = 0.1, 0.5, 0.9, 1.1, 2, 10: "
        + "; ".join(
            f"{figure}, {panel} " + ", ".join("none" if np.isnan(p) else f"{p:.2g}" for p in density)
            for (figure, panel), density in shown.items()
        ),
        note="Features of equal importance are an exception, if a small one: two have a lower loss at 1-S = 1, too, by "
        f"{gain:.2%}, if one weakly shares the dimension of the other",
    )


@claims.add(
    figure="phase_2in1",
    paper="There appears to be a real phase change: the optimal weights change discontinuously, in magnitude and in "
    "superposition",
    about="the optimum",
    phrase="discontinuously changes in magnitude",
    criteria=[
        Criterion(
            "change of ‖W_2‖ of the exact optimum within 10⁻⁶ of the density at which it changes fastest, relative to "
            "the change within 10⁻⁴, smallest over relative importances from 0.1 to 0.99",
            above(
                0.55,
                "midpoint",
                "half way between a jump (1) and the fastest continuous change, with the square root of the distance "
                "(0.1)",
            ),
        )
    ],
)
def first_order(data: Tables) -> Finding:
    jumps, transitions, boundary = (data["phase_2in1"][name] for name in ("jumps", "transitions", "boundary"))
    kink = boundary["slope_below"] / boundary["slope_above"]
    near_one = "; ".join(
        f"r = {row.relative_importance:g}: ‖W_2‖ leaves 0 at 1-S = {row.p_optimum:.3f} and jumps from "
        f"{row.norm_above:.2f} to {row.norm_below:.2f} at {row.p_strong:.3f}"
        for row in boundary.query("relative_importance > 0.5").itertuples()
    )
    return Finding(
        [(jumps["near"] / jumps["far"]).min()],
        text="‖W_2‖ jumps by "
        + listed(jumps, "{near:.2f} (r = {relative_importance:g})")
        + f"; there dL/dp of the optimal loss changes by a factor of {kink.min():.2f} to {kink.max():.2f}",
        note="The superposition of feature 1 is W_2² and jumps with it; for r > 1 the features change places, with 1/r "
        "in place of r. But the jump is not always where the feature first appears: it appears with a jump for r = "
        f"{_ranges(transitions, True)} and continuously for r = {_ranges(transitions, False)} (in steps of 0.01), "
        f"where a weak superposition comes before the jump. {near_one}",
    )


def _ranges(transitions: pd.DataFrame, jump: bool) -> str:
    """Describe the relative importances at which the transition is of one kind, as in "0.1 to 0.56 and 0.9 to 0.99"."""
    places = np.flatnonzero(transitions["jump"] == jump)
    runs = np.split(transitions["relative_importance"].to_numpy()[places], np.flatnonzero(np.diff(places) > 1) + 1)
    return " and ".join(f"{run[0]:g} to {run[-1]:g}" for run in runs if len(run)) or "no value"


@claims.add(
    figure="phase_kinks",
    paper="In the theoretical model the loss functions cross, so that the derivative of the optimal loss is "
    "discontinuous: a first-order phase change",
    about="the theoretical model",
    phrase="crossover between the functions",
    criteria=[
        above_half(
            "jump of the derivative of the optimal loss across a boundary, relative to its closed form, smallest over "
            "points on all boundaries of both diagrams",
            "half way between no jump (0) and r/3, 1/3, p²/6 or Var[x], which follow from the losses (1)",
        )
    ],
)
def crossover_kink(data: Tables) -> Finding:
    kinks = data["phase_kinks"]["kinks"]
    ranges = kinks.groupby(["features", "boundary", "variable"], sort=False)["jump"].agg(["min", "max"])
    return Finding(
        [(kinks["jump"] / kinks["exact"]).min()],
        text=listed(
            ranges, "{features} features, {boundary}: dL/d{variable} falls by {min:.2g} to {max:.2g}", separator="; "
        ),
        note="A theorem: with v = Var[x] the losses are rv, v and (1 + r)p²/6, and for three features also p²/3",
    )


@claims.add(
    figure="phase_3in2",
    paper="The phase change is observed both in the empirical and in the theoretical diagram",
    phrase="observed in both the empirical",
    criteria=[
        below_half(
            "share of the points at which the best of ten models is in another phase than the theoretical model, "
            "relative to that of diagrams with the same areas in random places, larger of both diagrams",
            "half way between the same diagram (0) and no relation (1)",
        ),
        above_half(
            "largest change of the extent to which the extra feature is represented, from one density to the next, for "
            "the best of ten models, relative to that of the exact optimum, which jumps: median over relative "
            "importances below 1, smaller of both diagrams",
            "half way between no change (0) and the jump of the optimum (1)",
        ),
    ],
)
def theory_predicts(data: Tables) -> Finding:
    apart, steps, texts, comparisons = [], [], [], []
    for figure in DIAGRAMS:
        theory = _grid(data, figure, "prototypes")
        areas = phase_areas(data[figure]["grid"], "panel")
        # Agreement of two diagrams of these areas if the places of their phases are independent.
        by_chance = (areas.loc["prototypes"] * areas.loc["trained"]).sum()
        wrong, wrong_average = (
            (theory != _grid(data, figure, panel)).mean(axis=None) for panel in ("trained", "average")
        )
        apart.append(wrong / (1 - by_chance))
        ours, mixed, exact = (
            _grid(data, figure, panel, "absent").diff().abs().max() for panel in ("trained", "average", "optimum")
        )
        step, average_step = ((change / exact)[exact.index < 0.99].median() for change in (ours, mixed))
        steps.append(step)
        texts.append(
            f"{figure}: the phase of the theoretical model at {1 - wrong:.1%} of the points, average by the paper's "
            f"rule {1 - wrong_average:.1%}, whose largest change is {average_step:.2f} times that of the optimum"
        )
        rows = data[figure]["recipe"]
        comparisons.append(
            f"{figure}: {rows['best_basin'].mean():.0%} reach the optimum (ours {rows['best_basin_ours'].mean():.0%}), "
            f"and their average has its phase at {(rows['phase'] == rows['phase_optimum']).mean():.0%} (ours "
            f"{(rows['phase_ours'] == rows['phase_optimum']).mean():.0%})"
        )
    return Finding(
        [max(apart), min(steps)],
        text="; ".join(texts),
        note="An average over nine of ten models blurs the diagram: many of them end in other local minima. So do "
        "models trained as in the authors' notebook. " + "; ".join(comparisons),
    )


@claims.add(
    figure="phase_3in2",
    paper="For three features in two dimensions a last solution, with all three in joint superposition, is left out",
    about="the theoretical model",
    phrase="not consider a last solution",
)
def joint_superposition(data: Tables) -> Finding:
    grid = data["phase_3in2"]["grid"].query("panel == 'optimum'")
    inside = grid[grid["arrangement"] == "triangle"]
    crossover = triangle_digon_crossover(data["phase_3in2"]["equal_importance"])
    return Finding(
        text=f"it is the exact optimum at {len(inside)} of {len(grid)} points, with r from "
        f"{inside['relative_importance'].min():.2g} to {inside['relative_importance'].max():.2g} and 1-S from "
        f"{inside['density'].min():.2g} to {inside['density'].max():.2g}; for three equal features, at every density "
        f"above {crossover:.3f}",
        note="The paper's diagram has no region for it; it lies where the boundaries meet",
    )

"""Judge published comments on the section: two of them on loss surfaces, one on other activation functions."""

from typing import Literal

import numpy as np
import pandas as pd

from superposition.analysis.rows import rows_at
from superposition.paper.phase import phase_areas
from superposition.paper.phase.claims.diagrams import list_areas
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Bound, Criterion, Number, above, above_half, below, below_half

claims = Claims("phase")

# W_1 = W_2 = 1/√2, the minimum of the published comment.
CONFUSED = np.array([0.5, 0.5]) ** 0.5
# Half of the distance between that and W = [1, 0].
HALF_WAY = float(np.hypot(*(CONFUSED - (1, 0))) / 2)


@claims.add(
    figure="loss_surfaces",
    paper="Comment by T. McGrath: for two features in one dimension and without biases, the expected loss can be "
    "solved exactly",
    about="any model",
    phrase="exactly solve the expected loss",
    criteria=[
        Criterion(
            "largest deviation of a sampled loss from the exact one, in standard errors, over 24 random models",
            below(4.5, "null model", "one of 24 normal deviates exceeds it once in 6000 times"),
        )
    ],
)
def exact_loss(data: Tables) -> Finding:
    sampled = data["loss_surfaces"]["sampled"]
    return Finding([((sampled["sampled"] - sampled["loss"]) / sampled["error"]).abs().max()])


def _distance(where: str, relation: Literal["<", ">"]) -> Criterion:
    return Criterion(
        f"distance of the global minimum from W_1 = W_2 = 1/√2 for {where}",
        Bound(relation, HALF_WAY, "midpoint", "half way between it and W = [1, 0]"),
    )


@claims.add(
    figure="loss_surfaces",
    paper="Comment by T. McGrath: without biases there is a new phase, W_1 ≈ W_2 ≈ 1/√2, where sparsity is low and "
    "both features matter, although they are not correlated",
    about="the optimum",
    phrase="regime occurs when sparsity is low",
    criteria=[
        _distance("dense features of equal importance", "<"),
        _distance("sparse features (1-S = 0.1) of equal importance", ">"),
        _distance("dense features and r = 0.1", ">"),
    ],
)
def confused_features(data: Tables) -> Finding:
    # The global minimum without a bias at three places.
    places = [
        rows_at(data["loss_surfaces"]["paths"], density=p, relative_importance=r)[["w0", "w1"]].to_numpy()[0]
        for p, r in ((1, 1), (0.1, 1), (1, 0.1))
    ]
    trained = data["loss_surfaces"]["same_sign"].query("density < 1").iloc[0]
    return Finding(
        [np.hypot(*(W - CONFUSED)) for W in places],
        text="minima " + ", ".join(f"({W[0]:.2f}, {W[1]:.2f})" for W in places),
        note=f"With a trained bias it is not a minimum: at 1-S = {trained.density:g} a search from there leads to "
        f"({trained.w0:.2f}, {trained.w1:.2f})",
    )


def _largest_step(where: str, relation: Literal["<", ">"]) -> Criterion:
    return Criterion(
        f"largest change of the global minimum from one density to the next, relative to that on a grid twice as "
        f"coarse, {where}",
        Bound(relation, 0.75, "midpoint", "half way between a smooth path (½) and a jump (1)"),
    )


def _step_ratio(path: pd.DataFrame) -> float:
    """Return the largest step along a path, relative to the largest double step."""
    W = path[["w0", "w1"]].to_numpy()
    single, double = (np.hypot(*(W[k:] - W[:-k]).T).max(initial=0) for k in (1, 2))
    return float(single / double) if double else np.nan


@claims.add(
    figure="loss_surfaces",
    paper="Comment by T. McGrath: the minimum moves smoothly in weight space as the degree of sparsity changes, from "
    "one that is quantitatively different from the fixed configurations to one that is similar to them",
    about="the optimum",
    phrase="minima moves smoothly in weight space",
    criteria=[
        _largest_step("for r = 0.3, as long as W_1 and W_2 have the same sign", "<"),
        below_half(
            "distance of the minimum from W = [1, 0] at the end of this path, relative to that at its dense end",
            "half way between no movement (1) and the fixed configuration (0)",
        ),
    ],
)
def smooth_movement(data: Tables) -> Finding:
    path = rows_at(data["loss_surfaces"]["paths"], relative_importance=0.3).sort_values("density", ascending=False)
    same = path[(path["w1"] > 0).cummin()]
    distance = np.hypot(same["w0"] - 1, same["w1"]).to_numpy()
    ends = [same.iloc[k] for k in (0, -1)] if len(same) else []
    return Finding(
        [_step_ratio(same), distance[-1] / distance[0] if len(same) else np.nan],
        text="from " + " to ".join(f"({row.w0:.2f}, {row.w1:.2f}) at 1-S = {row.density:.2f}" for row in ends),
        note="His parameters are in a picture only; r = 0.3 is ours. Where the signs become opposite, it jumps. "
        "That this explains the blurry region of the paper's diagram is not judged",
    )


TWO_MINIMA = Criterion(
    "largest number of distinct minima up to sign, over the densities from 0.1 to 1 for ten r from 0.1 to 1",
    above(1, "the paper", "two minima"),
    ".0f",
)
BASIN = below_half(
    "basin of the global minimum relative to that of the other one, smallest over the same points where there are two",
    "half way between equal basins (1) and none (0)",
)
JUMP_OF_NORM = _largest_step("for r = 1", ">")


@claims.add(
    figure="loss_surfaces",
    paper="Comment by T. McGrath: some settings have two minima up to sign; in some cases, such as near a transition, "
    "the basin of the global one can be considerably smaller, and the transition between antipodal and confused "
    "features appears to be discontinuous",
    about="the optimum",
    phrase="lead to loss surfaces with two",
    criteria=[TWO_MINIMA, JUMP_OF_NORM, BASIN],
    correction=[TWO_MINIMA, JUMP_OF_NORM, above_half(BASIN.statistic, BASIN.bound.why)],
    expected="corrected",
)
def two_minima(data: Tables) -> Finding:
    basins, paths = data["loss_surfaces"]["basins"], data["loss_surfaces"]["paths"]
    path = rows_at(paths, relative_importance=1).sort_values("density", ascending=False)
    smallest = basins.loc[basins["reached"].where(basins["minima"] > 1, 1.0).idxmin()]
    share = smallest["reached"]
    relative = Number(share / (1 - share), (share / (1 - share) ** 3 / smallest["starts"]) ** 0.5)
    numbers = [basins["minima"].max(), _step_ratio(path), relative]
    return Finding(
        numbers,
        numbers,
        text="confused features of equal importance are the global minimum down to 1-S = "
        f"{path['density'][path['w1'] > 0].min():.2f}",
        correction="There are two minima and a jump between them, but their basins are of nearly equal size: most "
        "starts end in the minimum that has their own signs",
        note=f"Basins are areas of the square that is drawn, in {(basins['minima'] > 1).sum()} settings with two "
        "minima. That this may explain jumps between energy levels is left open in the comment",
    )


@claims.add(
    figure="phase_activations",
    paper="Comment by K. Sachan: the phase diagrams look quite different for other activation functions, some of which "
    "induce more polysemanticity",
    phrase="activation functions induce more polysemanticity",
)
def activation_functions(data: Tables) -> Finding:
    areas = phase_areas(data["phase_activations"]["grid"], "activation")
    return Finding(
        text="; ".join(f"{name}: {list_areas(row)}" for name, row in areas.iterrows()),
        note="The comment names no functions; these are ours, and the models are the best ones that a search finds",
    )

"""Measure how five features are arranged in two dimensions at each sparsity, for the claims of the introduction."""

import numpy as np
import pandas as pd

from superposition.analysis.plane import steps_around
from superposition.analysis.representation import is_represented
from superposition.analysis.rows import rows_at, weights_of
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, at_most_zero, below

claims = Claims("introduction")

WRONGLY_REPRESENTED = at_most_zero(
    "features on the wrong side of ‖W_i‖² = ½",
    "midpoint",
    "½ is the middle between a feature that is absent and one that is represented; not one may be on the wrong side",
)


def _norms_and_cosines(data: Tables, density: float) -> tuple[np.ndarray, pd.DataFrame]:
    """Return ‖W_i‖ and the matrix of cosines between features for the best model at one density."""
    features, pairs = (rows_at(data["introduction"][table], density=density) for table in ("features", "pairs"))
    return features["norm"].to_numpy(), pairs.pivot(index="i", columns="j", values="cosine")


def _wrongly_represented(norms: np.ndarray, represented: int) -> int:
    """Count the features that are represented although they should not be, or the reverse; the first few should be."""
    return int((is_represented(norms**2) != (np.arange(len(norms)) < represented)).sum())


@claims.add(
    figure="introduction",
    paper="With dense features the model gives the two most important ones an orthogonal basis, roughly as principal "
    "component analysis would; the other three are not represented",
    phrase="basis of the most important two",
    criteria=[
        WRONGLY_REPRESENTED,
        Criterion(
            "deviation of the angle between W_1 and W_2 from 90°",
            below(45, "midpoint", "half way to two features in the same or in opposite directions"),
            ".2f",
        ),
        Criterion(
            "relative excess of the loss over that of principal component analysis",
            below(None, "measurement error", "three standard errors of the loss"),
            ".2%",
        ),
    ],
)
def dense(data: Tables) -> Finding:
    norms, cosine = _norms_and_cosines(data, 1.0)
    model = rows_at(data["introduction"]["models"], density=1).iloc[0]
    tilt = abs(np.degrees(np.arccos(cosine.loc[0, 1])) - 90)
    excess, error = model["loss"] / model["linear_optimum"] - 1, model["loss_error"] / model["linear_optimum"]
    return Finding([_wrongly_represented(norms, 2), tilt, Number(excess, error, bound=3 * error)])


@claims.add(
    figure="introduction",
    paper="At 80 % sparsity the four most important features form two antipodal pairs; the least important is not "
    "embedded",
    phrase="basis of the most important two",
    criteria=[
        WRONGLY_REPRESENTED,
        Criterion(
            "largest deviation from 180° of a partner, or from 90° of another feature",
            below(18, "midpoint", "half way from 180° to the 144° of a pentagon's diagonal"),
            ".2f",
        ),
    ],
)
def antipodal(data: Tables) -> Finding:
    norms, cosine = _norms_and_cosines(data, 0.2)
    kept = np.flatnonzero(is_represented(norms**2))
    angles = np.degrees(np.arccos(np.clip(cosine.loc[kept, kept], -1, 1))).to_numpy()
    opposite = angles > 135
    deviation = np.abs(angles - np.where(opposite, 180, 90))[~np.eye(len(kept), dtype=bool)]
    paired = len(kept) and (opposite.sum(1) == 1).all()
    return Finding([_wrongly_represented(norms, 4), deviation.max() if paired else np.nan])


@claims.add(
    figure="introduction",
    paper="At 90 % sparsity all five features are embedded as a pentagon, and there is positive interference",
    phrase="basis of the most important two",
    criteria=[
        WRONGLY_REPRESENTED,
        Criterion(
            "largest deviation of a step between neighbours from 72°",
            below(6, "midpoint", "half way to the 60° of a hexagon, which is nearer than the 90° of two digons"),
            ".1f",
        ),
        Criterion(
            "smallest, over the features, of the largest W_i·W_j", above(0, "the paper", "positive interference")
        ),
    ],
)
def pentagon(data: Tables) -> Finding:
    features, pairs = (rows_at(data["introduction"][table], density=0.1) for table in ("features", "pairs"))
    norms, _ = _norms_and_cosines(data, 0.1)
    steps = steps_around(weights_of(features))
    interference = pairs.query("i != j").groupby("i")["dot"].max().min()
    return Finding([_wrongly_represented(norms, 5), np.abs(steps - 72).max(), interference])

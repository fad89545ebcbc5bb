"""Judge how five features are arranged in two dimensions at each sparsity."""

import itertools

import numpy as np
import pandas as pd

from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("introduction")


def _norms_and_cosines(data: Tables, density: float) -> tuple[np.ndarray, pd.DataFrame]:
    """Return ‖W_i‖ and the matrix of cosines between features for the best model at one density."""
    features, pairs = data["introduction"]["features"], data["introduction"]["pairs"]
    norms = features[features["density"] == density]["norm"].to_numpy()
    return norms, pairs[pairs["density"] == density].pivot(index="i", columns="j", values="cosine")


def _represented(norms: np.ndarray) -> list[int]:
    """Return the features whose ‖W_i‖² is nearer to 1 than to 0."""
    return np.flatnonzero(norms**2 > 0.5).tolist()


@claims.add(
    "dense",
    figure="introduction",
    paper="S = 0: the model represents only the two most important features, orthogonal to each other",
    criterion="‖W_i‖ within 0.1 of 1 for i = 1, 2 and of 0 for the others; angle within 5° of 90°",
)
def dense(data: Tables) -> Finding:
    norms, cosine = _norms_and_cosines(data, 1.0)
    deviation = np.abs(norms - np.array([1, 1, 0, 0, 0])).max()
    angle = np.degrees(np.arccos(cosine.loc[0, 1]))
    return Finding(
        f"largest |‖W_i‖ - ideal| {deviation:.3f}; angle {angle:.1f}°",
        holds=bool(deviation < 0.1 and abs(angle - 90) < 5),
    )


@claims.add(
    "antipodal",
    figure="introduction",
    paper="S = 0.8: the four most important features as two antipodal pairs, the fifth not represented",
    criterion="‖W_i‖² > ½ for i = 1 … 4 only; each of them within 5° of 180° to one other and of 90° to the rest",
)
def antipodal(data: Tables) -> Finding:
    norms, cosine = _norms_and_cosines(data, 0.2)
    kept = _represented(norms)
    angles = np.degrees(np.arccos(np.clip(cosine.loc[kept, kept], -1, 1))).to_numpy()
    opposite = angles > 135
    ideal = np.where(opposite, 180, 90)
    deviation = np.abs(angles - ideal)[~np.eye(len(kept), dtype=bool)].max() if len(kept) > 1 else np.inf
    return Finding(
        f"features {', '.join(str(i + 1) for i in kept)} represented, each opposite to "
        f"{', '.join(str(c) for c in sorted(set(opposite.sum(1))))} other; largest deviation from 180° or 90° "
        f"{deviation:.2f}°",
        holds=kept == [0, 1, 2, 3] and bool((opposite.sum(1) == 1).all()) and bool(deviation < 5),
    )


@claims.add(
    "pentagon",
    figure="introduction",
    paper="S = 0.9: all five features, as a pentagon",
    criterion="‖W_i‖² > ½ for all; every step between neighbours is nearer to the pentagon's 72° than to the "
    "hexagon's 60° or the square's 90° (66° to 81°)",
)
def pentagon(data: Tables) -> Finding:
    features = data["introduction"]["features"].query("density == 0.1")
    norms, _ = _norms_and_cosines(data, 0.1)
    around = np.sort(np.degrees(np.arctan2(features["w1"], features["w0"])))
    steps = np.array([b - a for a, b in itertools.pairwise([*around, around[0] + 360])])
    return Finding(
        f"{len(_represented(norms))} features represented; steps {', '.join(f'{s:.1f}°' for s in steps)}",
        holds=len(_represented(norms)) == 5 and bool((steps > 66).all() and (steps < 81).all()),
    )

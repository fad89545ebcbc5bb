"""Judge where D* and D_i stay, which dimensionality factors have, and how models compare with packings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from superposition.paper.geometry import (
    LARGE_SWEEP,
    LINE_HALF_WIDTH,
    REPLICATED_SWEEP,
    SIGNIFICANCE,
    SWEEPS_BY_M,
    SWEEPS_BY_N,
    polytope_sizes,
)
from superposition.pipeline.claims import Claims, Finding, Tables
from superposition.theory.polytopes import FRACTION_LABELS, FRACTIONS

claims = Claims("geometry")

# Relative deviation from a level within which D* counts as staying there, and two others for comparison.
TOLERANCE, OTHER_TOLERANCES = 0.05, (0.02, 0.1)
# D* at or below which a model has reached the plateau at 1/2, with a tolerance of 5 %.
PLATEAU_REACHED = 0.525
# Exponent up to which D* counts as independent of the size of the model.
NEGLIGIBLE_EXPONENT = 0.1
PLATEAU_CRITERION = (
    "n = 400 and every run of n = 200: |D* - level| ≤ 5 % over a range of log density at least twice as long as if D* "
    "fell evenly (in log-log) from 1 to its value at 1-S = 0.01"
)


def longest_plateau(density: np.ndarray, values: np.ndarray, level: float, tolerance: float) -> tuple[float, float]:
    """Find the longest range of densities over which the values stay near a level.

    Between the points, the values are interpolated in the logarithm of the density.

    Args:
        density: Densities, in any order.
        values: Values at these densities.
        level: Level of the plateau.
        tolerance: Largest relative deviation from the level.

    Returns:
        The lowest and the highest density of the plateau; (nan, nan) if there is none.
    """
    order = np.argsort(density)
    grid = np.linspace(np.log(density.min()), np.log(density.max()), 20_001)
    near = np.abs(np.interp(grid, np.log(density[order]), values[order]) / level - 1) <= tolerance
    ends = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(int), [0]])))
    if not len(ends):
        return float("nan"), float("nan")
    first, last = max(ends.reshape(-1, 2), key=np.ptp)
    return float(np.exp(grid[first])), float(np.exp(grid[last - 1]))


def _judge_plateau(data: Tables, level: float) -> Finding:
    """Judge whether D* stays near a level at least twice as long as a curve that falls evenly from 1 to its end."""
    curves, best = (data["dimensions_per_feature"][name] for name in ("curves", "optimum"))
    large = curves[curves["experiment"] == LARGE_SWEEP].sort_values("density")
    density, values = (large[column].to_numpy() for column in ("density", "dimensions_per_feature"))
    slope = np.log(values[-1] / values[0]) / np.log(density[-1] / density[0])

    def relative_length(density: np.ndarray, values: np.ndarray, tolerance: float = TOLERANCE) -> float:
        low, high = longest_plateau(density, values, level, tolerance)
        # D* cannot be above 1.
        above = 0.0 if level == 1 else np.log(1 + tolerance)
        return float(np.log(high / low) * slope / (above - np.log(1 - tolerance)))

    low, high = longest_plateau(density, values, level, TOLERANCE)
    length = relative_length(density, values)
    replicates = [
        relative_length(rows["density"].to_numpy(), rows["dimensions_per_feature"].to_numpy())
        for _, rows in curves[curves["experiment"] == REPLICATED_SWEEP].groupby("seed")
    ]
    others = [f"{relative_length(density, values, t):.1f} at {t:.0%}" for t in OTHER_TOLERANCES]
    ideal = relative_length(best["density"].to_numpy(), best["dimensions_per_feature"].to_numpy())
    return Finding(
        f"D* is within 5 % of {level:g} for 1-S from {low:.3g} to {high:.3g}, {length:.1f} times as long as for an "
        "even fall",
        holds=length >= 2 and np.min(replicates) >= 2,
        note=f"At other tolerances {' and '.join(others)}; n = 200: {', '.join(f'{r:.1f}' for r in replicates)}; "
        f"the best product of polytopes in up to 3 dimensions: {ideal:.1f}",
    )


@claims.add(
    "sticky_one",
    figure="dimensions_per_feature",
    paper="As density falls, D* first stays near 1",
    criterion=f"{PLATEAU_CRITERION}; the level is 1",
    at_quick=False,
)
def sticky_one(data: Tables) -> Finding:
    return _judge_plateau(data, 1.0)


@claims.add(
    "sticky_half",
    figure="dimensions_per_feature",
    paper="D* stays near 1/2 over a wide range of densities",
    criterion=f"{PLATEAU_CRITERION}; the level is 1/2",
    at_quick=False,
)
def sticky_half(data: Tables) -> Finding:
    return _judge_plateau(data, 0.5)


def _scaling_exponents(data: Tables, experiments: Sequence[str], size: str) -> pd.DataFrame:
    """Return, by density, how strongly D* depends on the size of models.

    Args:
        data: Tables of the section.
        experiments: Sweeps that are compared.
        size: The size in which they differ, ``n`` or ``m``.

    Returns:
        One row per density that all sweeps have: ``power``, the exponent a for which the largest D* is (largest size /
        smallest size)^a times the smallest; ``ample``, whether all models represent at most half of their features;
        and ``highest``, the largest D*.
    """
    curves = data["dimensions_per_feature"]["curves"]
    curves = curves[curves["experiment"].isin(experiments)].assign(density=curves["density"].round(9))
    rows = []
    for density, models in curves.groupby("density"):
        if models["experiment"].nunique() == len(experiments):
            mean = models.groupby("experiment")[["n", "m", "represented", "dimensions_per_feature"]].mean()
            values, sizes = (np.log([part.min(), part.max()]) for part in (mean["dimensions_per_feature"], mean[size]))
            power = np.ptp(values) / np.ptp(sizes) if mean.notna().all(axis=None) else np.nan
            ample = not (mean["represented"] > mean["n"] / 2).any()
            rows.append((density, power, ample, mean["dimensions_per_feature"].max()))
    return pd.DataFrame(rows, columns=["density", "power", "ample", "highest"])


def _judge_scaling(exponents: pd.DataFrame, slower: str, note: str = "") -> Finding:
    """Judge whether D* is the same at every density with ample features, or at least once it has fallen to 1/2.

    NaN counts as different. ``slower`` says what the models have that stay longer at the dense solution.
    """
    ample = exponents[exponents["ample"]]
    fallen = ample[~(ample["highest"] > PLATEAU_REACHED)]
    holds, holds_once_fallen = (
        bool(len(part) and (part["power"] <= NEGLIGIBLE_EXPONENT).all()) for part in (ample, fallen)
    )
    return Finding(
        "a = " + ", ".join(f"{row.power:.2f} at {row.density:.3g}" for row in ample[::-1].itertuples()),
        holds=holds,
        correction=f"It holds once D* has come down to 1/2. On the way there, models with {slower} stay longer at the "
        "dense solution, which training leaves only slowly"
        if holds_once_fallen
        else "",
        note=note,
    )


@claims.add(
    "n_is_irrelevant",
    figure="dimensions_per_feature",
    paper="D* does not depend on n when n is much larger than m",
    criterion="m = 20, n = 100, 200, 400, at every density at which all represent at most half of their features "
    "(‖W‖_F² ≤ n/2): the largest D* is at most 4^a times the smallest, a ≤ 0.1 (15 %); corrected if that holds where "
    "D* ≤ 1/2 (with a tolerance of 5 %)",
    expected="corrected",
    at_quick=False,
)
def n_is_irrelevant(data: Tables) -> Finding:
    exponents = _scaling_exponents(data, SWEEPS_BY_N, "n")
    rows = data["dimensions_per_feature"]["convergence"].query("compared == 'longer' and 0.3 < density < 0.9")
    longer = ", ".join(
        f"{row.dimensions_per_feature:.3f} instead of {row.dimensions_per_feature_ours:.3f} at 1-S = {row.density:.3g}"
        for row in rows.itertuples()
    )
    return _judge_scaling(
        exponents,
        "more features",
        "Where the smaller models run out of features, D* does depend on n: "
        f"a = {exponents['power'].iloc[0]:.2f} at 1-S = {exponents['density'].iloc[0]:g}. "
        f"With twice the steps D* (n = 400, m = 30) is {longer}",
    )


@claims.add(
    "m_scales",
    figure="dimensions_per_feature",
    paper="Twice the hidden dimensions represent twice the features",
    criterion="n = 400, m = 20, 30, 40, at every density at which all represent at most half of their features: of the "
    "numbers ‖W‖_F² / m = 1/D*, the largest is at most 2^a times the smallest, a ≤ 0.1 (7 %); corrected if that holds "
    "where D* ≤ 1/2 (with a tolerance of 5 %)",
    expected="corrected",
    at_quick=False,
)
def m_scales(data: Tables) -> Finding:
    return _judge_scaling(_scaling_exponents(data, SWEEPS_BY_M, "m"), "fewer dimensions")


@claims.add(
    "clusters",
    figure="feature_dimensionality",
    paper="The D_i cluster at 1, 3/4, 2/3, 1/2, 2/5, 3/8 and 0",
    criterion=f"around each line there are more D_i within {LINE_HALF_WIDTH:.5f} than in a band of the same width "
    "beside it, in so many more models that a smooth distribution would give that in less than "
    f"{SIGNIFICANCE:.0%} of cases (sign test over models); corrected if that holds for 1/2 but not for all",
    expected="corrected",
    at_quick=False,
)
def clusters(data: Tables) -> Finding:
    tables = data["feature_dimensionality"]
    has_polytope = tables["clusters"]["polytope"].fillna("") != ""
    lines, other_lines = (tables["clusters"][mask] for mask in (has_polytope, ~has_polytope))
    names = [FRACTION_LABELS[line] for line in lines["line"]]
    stands_out = lines["chance"] < SIGNIFICANCE
    standing = [name for name, stands in zip(names, stands_out, strict=True) if stands]
    missing = [name for name, stands in zip(names, stands_out, strict=True) if not stands]
    recognised = tables["factors"].groupby("polytope")["features"].sum()
    return Finding(
        f"standing out: {', '.join(standing) or 'none'}; not: {', '.join(missing) or 'none'}",
        holds=len(lines) == len(FRACTIONS) and not missing,
        correction=f"Only {' and '.join(standing)} stand out from a smooth distribution of D_i"
        if "1/2" in standing
        else "",
        note="The polytopes nevertheless exist: features in factors recognised as "
        + ", ".join(f"{name} {recognised.get(name, 0)}" for name in list(FRACTIONS)[1:-1])
        + "; but most exist only in a narrow range of densities. Of "
        f"{len(other_lines)} lines without a polytope, {(other_lines['chance'] < SIGNIFICANCE).sum()} stand out",
    )


@claims.add(
    "budget",
    figure="feature_dimensionality",
    paper="Σ_i D_i ≈ m when the features are packed efficiently",
    criterion="n = 400 and n = 200, every model with D* ≤ 1/2: Σ_i D_i within 5 % of m (it cannot be more)",
)
def budget(data: Tables) -> Finding:
    curves = data["dimensions_per_feature"]["curves"]
    curves = curves[curves["experiment"].isin([LARGE_SWEEP, REPLICATED_SWEEP])]
    dense = curves["dimensions_per_feature"] > 0.5
    packed, loose = curves[~dense], curves[dense]
    worst = np.max(np.abs(packed["budget"].to_numpy() - 1), initial=0.0)
    return Finding(
        f"Σ D_i / m from {packed['budget'].min():.3f} to {packed['budget'].max():.3f} in {len(packed)} models",
        holds=packed["experiment"].nunique() == 2 and worst <= 0.05,
        note=f"In the denser models it is {loose['budget'].min():.3f} to {loose['budget'].max():.3f}",
    )


@claims.add(
    "tegum",
    figure="polytopes",
    paper="Each connected component of a trained model's interference graph has the D of its own factor",
    criterion="of the features in factors recognised as polytopes, in small and in large models, at least 95 % have a "
    "D_i within 5 % of their polytope's d/k; corrected if that is so in the small models and, of the large ones made "
    "of polytopes alone with D* ≤ 1/2 (with a tolerance of 5 %), in those whose factors need m dimensions or fewer, "
    "but not in the others",
    expected="corrected",
    at_quick=False,
)
def tegum_factors(data: Tables) -> Finding:
    sizes = polytope_sizes(data["polytopes"]["optima"])
    exact = sizes["dimensions"] / sizes["features"]

    def close(features: pd.DataFrame) -> pd.DataFrame:
        features = features[features["factor"] >= 0].assign(exact=features["polytope"].map(exact))
        return features.assign(close=(features["dimensionality"] / features["exact"] - 1).abs() <= 0.05)

    in_small = close(data["polytopes"]["features"]).dropna(subset="exact")
    every = close(data["feature_dimensionality"]["features"])
    in_large = every.dropna(subset="exact")
    # Σ D of the exact polytopes is Σ d, the dimensions that they need; it is unknown for models with other factors.
    keys = ["experiment", "density", "seed"]
    wanted = every.groupby(keys)["exact"].agg(lambda column: column.sum(skipna=False)).rename("wanted")
    models = data["dimensions_per_feature"]["curves"].merge(wanted.reset_index(), on=keys)
    models = models[models["wanted"].notna() & (models["dimensions_per_feature"] <= PLATEAU_REACHED)]
    fits = models["wanted"] <= models["m"] + 0.5
    fitting, crowded = (every.merge(models.loc[which, keys], on=keys) for which in (fits, ~fits))
    thresholds = data["feature_dimensionality"]["thresholds"]
    thresholds = thresholds[thresholds["polytope"] != "other"].groupby("joined")["features"].sum()
    return Finding(
        f"small models: {in_small['close'].mean():.1%} of {len(in_small)} features; "
        f"large models: {in_large['close'].mean():.1%} of {len(in_large)}",
        holds=np.min([in_small["close"].mean(), in_large["close"].mean()]) >= 0.95,
        correction="It holds as long as the factors fit in m dimensions. Models also hold more factors than that, "
        "slightly turned into each other's dimensions, and then some D_i are lower than their polytope's"
        if np.min([in_small["close"].mean(), fitting["close"].mean()]) >= 0.95 and crowded["close"].mean() < 0.95
        else "",
        note="Large models of polytopes alone, with D* ≤ 1/2: "
        f"{fitting['close'].mean():.1%} of {len(fitting)} features where the factors fit, "
        f"{crowded['close'].mean():.1%} of {len(crowded)} where they need more than m dimensions. "
        "Features in recognised factors, by the |cosine| above which two features are joined: "
        + ", ".join(f"{joined:g}: {count}" for joined, count in thresholds.items()),
    )


@claims.add(
    "thomson",
    figure="polytopes",
    paper="With unit norms and no bias, the interference of features is a packing problem like Thomson's",
    criterion="m = 2 and 3, every n up to 12: the interference Σ ReLU(Ŵ_i·Ŵ_j)² of Thomson's solution is within 1 % of "
    "the minimum; corrected if that holds for all n ≤ 2m, where it is 0, and for some larger n",
    expected="corrected",
)
def thomson(data: Tables) -> Finding:
    table = data["polytopes"]["thomson"]
    complete = {*zip(table["m"], table["n"], strict=True)} == {(m, n) for m in (2, 3) for n in range(m + 1, 13)}
    same = table["thomson_interference"] <= 1.01 * table["least_interference"] + 1e-9
    first = {m: rows.loc[~same[rows.index], "n"].min() for m, rows in table.groupby("m")}
    beyond = table["n"] > 2 * table["m"]
    same_for_few = (same | beyond).all() and (same & beyond).any()
    # Trained models can be nearer to one of the two arrangements only if these differ.
    trained = table[table["apart"] > 1e-3].dropna(subset="trained_from_packing")
    closer = (trained["trained_from_packing"] < trained["trained_from_thomson"]).sum()
    return Finding(
        f"within 1 % for {same.sum()} of {len(table)} pairs (n, m); not for "
        + ", ".join(f"{row.n} in {row.m}" for row in table[~same].itertuples()),
        holds=complete and same.all(),
        correction="The two problems have the same solutions only for few features: the arrangement of least "
        "interference is a different one from "
        + " and ".join(f"n = {n:.0f} (m = {m})" for m, n in first.items() if n == n)
        if same_for_few and complete
        else "",
        note="Where the two differ, trained models, whose lengths and biases are free, are nearer to the arrangement "
        f"of least interference in {closer} of {len(trained)} cases",
    )

"""Judge polytopes: the dimensionality of each, tegum products, and packings."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed, rows_at
from superposition.paper.geometry import LARGE_SWEEP, LINE_HALF_WIDTH, polytope_sizes
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half, below_half, identity
from superposition.theory.polytopes import FRACTIONS, factors_of

claims = Claims("geometry")

NAMED = [name for name in FRACTIONS if name not in ("dedicated dimension", "absent")]


def nearer_to_the_pair(statistic: str) -> Criterion:
    """Return the criterion that D_i are at a pair of lines, and not at another one."""
    why = "half way from the pair of lines to the one that the paper rules out"
    return below_half(statistic, why, ".2f")


@claims.add(
    figure="polytopes",
    paper="Each of the lines belongs to a geometry: 3/4 to the tetrahedron, 2/3 to the triangle, 1/2 to the antipodal "
    "pair, 2/5 to the pentagon, 3/8 to the square antiprism",
    about="any model",
    phrase="distinct lines corresponding to dimensionality",
    criteria=[identity("largest difference of D_i of the exact polytopes from these fractions")],
)
def fractions_are_polytopes(data: Tables) -> Finding:
    exact = data["polytopes"]["exact"]
    exact = exact[(exact["product"] == exact["polytope"]) & exact["polytope"].isin(NAMED)]
    off = (exact["dimensionality"] - exact["polytope"].map(FRACTIONS)).abs()
    complete = exact["polytope"].nunique() == len(NAMED)
    return Finding(
        [off.max() if complete else np.nan],
        note="The antiprism has 3/8 at one height only, at which WWᵀ is a multiple of the identity",
    )


def _large_models_near(data: Tables, line: float) -> str:
    """Count the D_i near a line in large trained models, by model."""
    features = data["feature_dimensionality"]["features"]
    near = features[(features["dimensionality"] - line).abs() <= LINE_HALF_WIDTH]
    counts = near.groupby(["density", "experiment", "point"]).size().rename("count")
    return listed(counts, "{count} at 1-S = {density:.3g}") or "none"


@claims.add(
    figure="polytopes",
    paper="There seem to be split lines where one would expect non-uniform solutions: no line at 3/5 for triangular "
    "bipyramids but points at 2/3 and at 1/2, and likewise points at 2/5 and 1/2 instead of 3/7 for pentagonal ones",
    phrase="there seem to be split lines",
    criteria=[
        nearer_to_the_pair(
            "n = 5, m = 3: largest distance of D_i, trained and best known, from 1/2, 2/3, over that of 3/5"
        ),
        nearer_to_the_pair(
            "n = 7, m = 3: largest distance of D_i, trained and best known, from 2/5, 1/2, over that of 3/7"
        ),
    ],
    at_quick=False,
)
def split_lines(data: Tables) -> Finding:
    tables, found, distances, others = data["polytopes"], [], [], []
    for n, name, pair, ruled_out in (
        (5, "triangular bipyramid", [1 / 2] * 2 + [2 / 3] * 3, 3 / 5),
        (7, "pentagonal bipyramid", [2 / 5] * 5 + [1 / 2] * 2, 3 / 7),
    ):
        models = tables["best_models"].query(f"n == {n} and m == 3 and best == '{name}'")
        beaten = models["best_loss"] - models["known_loss"] >= 3 * models["known_error"]
        exact, better = models[~beaten], models[beaten]
        trained, known = (
            tables[kind].query(f"n == {n} and m == 3").pivot(index="point", columns="feature", values="dimensionality")
            for kind in ("features", "best_features")
        )
        D = np.sort(np.concatenate([kind.loc[exact["point"]] for kind in (trained, known)]), axis=1)
        off = np.abs(D - pair).max() / np.abs(np.array(pair) - ruled_out).min() if len(D) else np.nan
        distances.append(off)
        found.append(f"{name} at 1-S = {listed(exact, '{density:.3g}')}")
        if len(better):
            D, densities = known.loc[better["point"]].to_numpy(), better["density"]
            others.append(
                f"n = {n}, 1-S from {densities.min():.3g} to {densities.max():.3g}: {D.min():.3f} to {D.max():.3f}"
            )
    return Finding(
        distances,
        text=f"{'; '.join(found)}; D_i of large trained models within {LINE_HALF_WIDTH:.3f} of 3/5: "
        f"{_large_models_near(data, 3 / 5)}; of 3/7: {_large_models_near(data, 3 / 7)}",
        note="Judged where the bipyramid is the best product of polytopes and no better model is known, at all such "
        "densities of the sweeps. Where a better one is known, it is no bipyramid, and its D_i are near the lines that "
        f"the paper does not see: {'; '.join(others) or 'nowhere'}",
    )


@claims.add(
    figure="polytopes",
    paper="Parts of the graph of features are disconnected if and only if they are in different tegum factors, so that "
    "each feature should have the dimensionality of its own factor, without interference from the others",
    about="the optimum",
    phrase="disconnected if and only if they",
    criteria=[
        identity("largest difference between D_i in an exact product and in its factor"),
        above_half(
            "share of the features of recognised factors, in the best known small models, whose D_i is nearest to that "
            "of their own polytope",
            "half way between all and none",
            ".1%",
        ),
    ],
)
def tegum(data: Tables) -> Finding:
    exact = data["polytopes"]["exact"]
    sizes = polytope_sizes(data["polytopes"]["optima"])
    own = sizes["dimensions"] / sizes["features"]

    def recognised(features: pd.DataFrame) -> pd.DataFrame:
        features = features[features["polytope"].isin(own.index)]
        expected = features["polytope"].map(own).to_numpy()
        distance = np.abs(features["dimensionality"].to_numpy()[:, None] - own.unique())
        nearest = own.unique()[distance.argmin(axis=1)] if len(features) else expected
        return features.assign(off=(features["dimensionality"] / expected - 1).abs(), nearest=nearest == expected)

    models = {
        f"{kind} {size} models": recognised(data[figure][table])
        for size, figure in (("small", "polytopes"), ("large", "feature_dimensionality"))
        for kind, table in (("best known", "best_features"), ("trained", "features"))
    }
    known = models["best known small models"]
    thresholds = data["feature_dimensionality"]["thresholds"]
    counts = thresholds[thresholds["polytope"] != "other"].groupby("joined")["features"].sum()
    return Finding(
        [(exact["dimensionality"] - exact["expected"]).abs().max(), known["nearest"].mean()],
        text="D_i within 1 % and 5 % of the polytope's: "
        + "; ".join(
            f"{(part['off'] < 0.01).mean():.1%} and {(part['off'] < 0.05).mean():.1%} of {len(part)} features in {name}"
            for name, part in models.items()
        ),
        note="Features of large trained models in recognised factors, by the |cosine| above which two features are "
        f"joined: {listed(counts, '{joined:g}: {features}')}",
    )


def compare_with_best_product(data: Tables) -> pd.DataFrame:
    """Return the best known models of n = 400 beside the best product whose factors are all the same polytope.

    Returns:
        The rows of both at the densities that they share, in ascending order, with ``product_loss``, the product's loss
        with all other features dropped.
    """
    best, optimum = (data["dimensions_per_feature"][name] for name in ("best", "optimum"))
    best, optimum = best[best["experiment"] == LARGE_SWEEP], optimum.sort_values("density", ignore_index=True)
    large = pd.concat([rows_at(best, density=density) for density in optimum["density"]], ignore_index=True)
    dropped = large["density"] / 3 - large["density"] ** 2 / 4
    return large.assign(product_loss=(large["n"] - large["m"] * optimum["gain"]) * dropped)


@claims.add(
    figure="feature_dimensionality",
    paper="Perhaps solutions in many dimensions are often tegum products of solutions in one, two and three; this may "
    "be preferred because the interference of many features at once could be really bad",
    about="a belief",
    phrase="perhaps higher dimensional solutions are often",
    at_quick=False,
)
def low_dimensional_factors(data: Tables) -> Finding:
    both = compare_with_best_product(data)
    better = both[both["product_loss"] - both["loss"] > 3 * both["loss_error"]]["density"]
    models = data["feature_dimensionality"]["best_models"]
    large = models[(models["experiment"] == LARGE_SWEEP) & models["point"].isin(both["point"])].sort_values("density")
    apart = large[large["largest_rank"].cummin() < large["m"]][::-1]
    return Finding(
        text="n = 400, m = 30, best known models, dimensions of the largest connected component by 1-S: "
        + listed(apart, "{largest_rank} at {density:.3g}")
        + "; 30 at all lower ones. The best known model has a lower loss than every product of polytopes in up to 3 "
        f"dimensions at {len(better)} of {len(both)} densities"
        + (f", all of them at 1-S ≤ {better.max():.3g}" if len(better) else ""),
        note="Where it is not better, it may be that neither training nor the search has found what is",
    )


@claims.add(
    figure="polytopes",
    paper="If features are equally important, norms are 1 or 0 and biases 0, the loss of one active feature is a "
    "generalised Thomson problem, vaguely similar to the famous one, with an unusual energy; several of the "
    "configurations found are Thomson solutions",
    about="the theoretical model",
    phrase="vaguely similar to the famous",
    criteria=[
        identity(
            "largest difference between Σ_{i≠j} ReLU(W_i·W_j)² and three times the loss of one active feature, for "
            "unit vectors without biases"
        ),
        Criterion(
            "polytopes of the paper's lines that are Thomson solutions, or factors of one",
            above(1, "the paper", "several"),
            ".0f",
        ),
    ],
)
def thomson(data: Tables) -> Finding:
    table = data["polytopes"]["thomson"]
    factors = {factor for name in table["thomson_name"] for factor in factors_of(name)}
    same = table["thomson_interference"] <= 1.01 * table["least_interference"] + 1e-9
    found = [name for name in NAMED if name in factors]
    # Trained models can be nearer to one of the two arrangements only if these differ.
    trained = table[table["apart"] > 1e-3].dropna(subset="trained_from_packing")
    closer = (trained["trained_from_packing"] < trained["trained_from_thomson"]).sum()
    return Finding(
        [(3 * table["one_active_loss"] - table["thomson_interference"]).abs().max(), len(found)],
        text=f"Thomson solutions: {', '.join(found) or 'none'}",
        note="The paper does not say that both energies have the same minima. Those of Thomson's problem are within "
        f"1 % of the least interference for {same.sum()} of {len(table)} pairs (n, m); not for "
        + listed(table[~same], "{n} in {m}")
        + f". Where the two differ, trained models are nearer to the arrangement of least interference in {closer} of "
        f"{len(trained)} cases",
    )

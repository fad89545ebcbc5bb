"""Measure correlated features: arrangements, local bases, collapsed pairs, and the branches of solutions."""

import numpy as np
import pandas as pd
import scipy
import torch
from jaxtyping import Float

from superposition.analysis import alignment
from superposition.analysis.plane import steps_around
from superposition.analysis.representation import is_represented
from superposition.analysis.rows import formatted, weights_table
from superposition.analysis.tables import numbered_points, repeat_rows
from superposition.core import geometry
from superposition.core.experiment.distribution import Distribution
from superposition.core.weights import SweepResult
from superposition.paper.correlated import ARRANGEMENTS, HEXAGON, MODELS_PER_ROW, count_collapsed_pairs, nearest_density
from superposition.paper.correlated.pair import pair_optima
from superposition.theory import branches

PAIRS = ((0, 1), (2, 3), (4, 5))
CORRELATED = Distribution(correlated=PAIRS)
# Random divisions of the features into sets with which the correlated sets are compared.
DIVISIONS = 4999


def has_all_apart(W: Float[np.ndarray, "2 n"]) -> bool:
    """Return whether a model represents all features and collapses none of the pairs (0, 1), (2, 3), …"""
    return bool(is_represented((W**2).sum(0)).all()) and count_collapsed_pairs(W) == 0


def has_arrangement(name: str, W: Float[np.ndarray, "2 n"]) -> bool:
    """Return whether a model shows one of the paper's arrangements; features 2i and 2i + 1 are partners.

    All features have to be represented, and no pair may be collapsed. Orthogonal: the angle between partners is nearer
    to 90° than to 0° or 180°. Antipodal: nearer to 180° than to 90°. Side by side: going around the origin, every
    feature is next to its partner.
    """
    if not has_all_apart(W):
        return False
    cosine = (W[:, ::2] * W[:, 1::2]).sum(0) / np.linalg.norm(W[:, ::2], axis=0) / np.linalg.norm(W[:, 1::2], axis=0)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    if name == "orthogonal":
        return bool((np.abs(angle - 90) <= 45).all())
    if name == "antipodal":
        return bool((angle >= 135).all())
    pair = np.argsort(np.arctan2(W[1], W[0])) // 2
    return bool(((pair == np.roll(pair, 1)) | (pair == np.roll(pair, -1))).all())


def correlated_organization(trained: dict[str, SweepResult], best: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Count the models with each arrangement by density, also for independent features; select models to show.

    Of the best trained and the best known models, ``best`` and ``known`` say whether they have the arrangement, and
    ``best_apart`` and ``known_apart`` whether they could: whether they represent all features and collapse no pair.
    ``best_independent`` is measured as ``independent`` is, on the best known models.
    """
    shares, models = [], []
    for arrangement in ARRANGEMENTS:
        result, known_W = trained[arrangement.experiment], best[arrangement.experiment].best()["W"].double().numpy()
        orders = alignment.symmetric_orders(*PAIRS[: result.sweep.n // 2])
        shown_density = nearest_density(result.sweep.density, arrangement.density)
        for point in result.points.itertuples():
            if point.distribution not in (arrangement.distribution, "independent"):
                continue
            W_all = result.parameters["W"][point.Index].double().numpy()
            arranged = [has_arrangement(arrangement.name, W) for W in W_all]
            shown = point.density == shown_density
            row = {
                "arrangement": arrangement.name,
                "distribution": point.distribution,
                "point": point.Index,
                "density": point.density,
                "shown": shown,
                "restarts": len(W_all),
                "represented": int(is_represented((W_all**2).sum(1)).all(1).sum()),
                "stated": sum(arranged),
                "collapsed": sum(count_collapsed_pairs(W) > 0 for W in W_all),
            }
            for kind, W in (("best", W_all[point.restart]), ("known", known_W[point.Index])):
                row |= {kind: has_arrangement(arrangement.name, W), f"{kind}_apart": has_all_apart(W)}
            shares.append(row)
            if shown and point.distribution == arrangement.distribution:
                ranked = result.loss[point.Index].argsort().numpy()
                for number, k in enumerate(ranked[np.linspace(0, len(ranked) - 1, MODELS_PER_ROW).round().astype(int)]):
                    about = {"arrangement": arrangement.name, "point": point.Index, "model": number}
                    aligned = alignment.align(W_all[k], arrangement.corners, orders)
                    models.append(weights_table(aligned, **about, stated=arranged[k]))
    table = pd.DataFrame(shares)
    return {
        "shares": table,
        "models": pd.concat(models, ignore_index=True),
        "independent": _measure_independent(trained["organization_6"]),
        "best_independent": _measure_independent(best["organization_6"]),
        "numbers": _summarise_organization(table),
    }


def _measure_independent(models: SweepResult) -> pd.DataFrame:
    """Measure, at every density, how far the best model of six independent features is from a regular hexagon.

    Returns:
        One row per density: ``deviation``, the largest deviation of an angle between neighbours from 60°, NaN if a
        feature is not represented; ``represented``, the number of restarts that represent all six features; and the
        ``loss`` of the best model.
    """
    rows = []
    for point in models.points.query("distribution == 'independent'").itertuples():
        W_all = models.parameters["W"][point.Index].double().numpy()
        complete = is_represented((W_all**2).sum(1)).all(1)
        off = np.abs(steps_around(W_all[point.restart]) - 60).max() if complete[point.restart] else np.nan
        at = {"point": point.Index, "density": point.density, "loss": point.loss}
        rows.append(at | {"deviation": off, "represented": int(complete.sum())})
    return pd.DataFrame(rows)


def _summarise_organization(shares: pd.DataFrame) -> pd.DataFrame:
    """Summarise, at the densities shown, how many models have each arrangement."""
    chance = shares["arrangement"].map({arrangement.name: arrangement.chance for arrangement in ARRANGEMENTS})
    columns = {
        "arrangement": "{arrangement}",
        "features": "{distribution}",
        "1-S": "{density:.3g}",
        "all represented": "{represented} of {restarts}",
        "of these, as stated": "{share:.1%}",
        "of all pairings": "{chance:.1%}",
        "with a collapsed pair": "{collapsed}",
    }
    table = shares.assign(share=shares["stated"] / shares["represented"], chance=chance)
    return formatted(table[table["shown"]], columns)


def local_bases(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the mean (W_i·W_j)² within and between the sets of every model, and WᵀW of the best at each density.

    In WᵀW the features of the second set are ordered so that each is paired with the feature of the first set with
    which it interferes most negatively.
    """
    models = trained["local_bases"]
    half = models.sweep.n // 2
    order = np.arange(models.sweep.n)
    same = (order[:, None] < half) == (order < half)
    rows, pairs = [], []
    for point in models.points.itertuples():
        distribution = "independent" if point.distribution == "independent" else "correlated"
        at = {"distribution": distribution, "point": point.Index, "density": point.density, "m": models.sweep.m}
        for restart, gram in enumerate(geometry.gram(models.parameters["W"][point.Index].double()).numpy()):
            squares, best = gram**2, restart == point.restart
            measures = {
                "within": squares[same & ~np.eye(len(order), dtype=bool)].mean(),
                "between": squares[~same].mean(),
                "chance": _chance_of_sets(squares, half) if best else np.nan,
                "represented": int(is_represented(gram.diagonal()).sum()),
            }
            rows.append(at | {"restart": restart, "best": best} | measures)
            if best:
                partner = half + scipy.optimize.linear_sum_assignment(gram[:half, half:])[1]
                placed = [*range(half), *partner]
                shown = gram[np.ix_(placed, placed)]
                i, j = np.indices(shown.shape).reshape(2, -1)
                pairs.append(pd.DataFrame(at | {"i": i, "j": j, "dot": shown.ravel()}))
    return {"models": pd.DataFrame(rows), "pairs": pd.concat(pairs, ignore_index=True)}


def _chance_of_sets(squares: Float[np.ndarray, "n n"], half: int) -> float:
    """Return the share of random divisions of the features into halves with as little interference within them."""
    rng, n = np.random.default_rng(0), len(squares)
    side = np.where(np.arange(n) < half, 1, -1)
    sides = np.array([side, *(side[rng.permutation(n).argsort()] for _ in range(DIVISIONS))])
    # Up to a constant and a factor, the interference within halves is that of all pairs, with a minus for those across.
    signed = ((sides @ (squares * (1 - np.eye(n)))) * sides).sum(axis=1)
    return (signed <= signed[0]).mean()


def pca_loss(density: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Return the least loss of a linear model of three correlated pairs in two dimensions, at the given densities p.

    The model drops all but the two first principal components. A feature has the variance p/3 - p²/4. The values of
    the members of a pair are independent, so their covariance p/4 - p²/4 stems from being active together. The
    normalised sum of a pair therefore has the variance of a feature plus the covariance, the difference minus it.
    """
    variance, covariance = density / 3 - density**2 / 4, density / 4 - density**2 / 4
    return 6 * variance - 2 * (variance + covariance)


def collapse(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """Measure the collapsed pairs of all models, the best models, the branches of solutions, and their crossings."""
    models = trained["collapse"]
    counts = np.array([[count_collapsed_pairs(W) for W in here] for here in models.parameters["W"].double().numpy()])
    points = numbered_points(models.sweep, "density")
    fits = repeat_rows(points, models.sweep.restarts).assign(
        collapsed=counts.ravel(), loss=models.loss.flatten().numpy(), loss_error=models.loss_error.flatten().numpy()
    )
    best, orders = [], alignment.symmetric_orders(*PAIRS)
    for point, W in zip(models.points.itertuples(), models.best()["W"].numpy(), strict=True):
        at = {"point": point.Index, "density": point.density, "collapsed": counts[point.Index, point.restart]}
        best.append(weights_table(alignment.align(W, HEXAGON, orders), **at, loss=point.loss))
    paths, crossings = _follow_branches(models, counts)
    return {
        "fits": fits,
        "best": pd.concat(best, ignore_index=True),
        "branches": paths,
        "crossings": crossings,
        "pca": points.assign(loss=pca_loss(points["density"].to_numpy())),
        "pair": pair_optima(),
    }


def _follow_branches(models: SweepResult, counts: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Follow the branches with 0, 1, 2 and 3 collapsed pairs, and find where they cross.

    A branch consists of the local minima of the precise loss that are nearest to the best trained models with that
    number of collapsed pairs. Minima whose loss is more than a quarter above the lowest are models with dead outputs
    and are dropped. At density 1 the members of a pair are independent, so there are no pairs.

    Args:
        models: The trained models of the experiment ``collapse``.
        counts: Number of collapsed pairs of every model, [point, restart].

    Returns:
        The losses of the branches, and the densities above which one more collapsed pair is better.
    """
    densities = torch.tensor(models.points["density"], dtype=torch.float64)
    # A start for every density and number of collapsed pairs, as (point, count).
    starts = [(i, count) for i, here in enumerate(counts) if densities[i] < 1 for count in np.unique(here)]
    fits = [models.loss[i].masked_fill(torch.from_numpy(counts[i] != count), torch.inf).argmin() for i, count in starts]
    point = torch.tensor([i for i, _ in starts])
    W, b = (models.parameters[p][point, torch.stack(fits)].double() for p in ("W", "b"))
    W, b, loss = branches.follow(W, b, densities[point, None].expand(-1, models.sweep.n), CORRELATED)
    collapsed = [count for _, count in starts]
    table = pd.DataFrame({"point": point, "density": densities[point], "collapsed": collapsed, "loss": loss})
    table = table[[count_collapsed_pairs(w) == count for w, (_, count) in zip(W.numpy(), starts, strict=True)]]
    table = table[table["loss"] <= 1.25 * table.groupby("point")["loss"].transform("min")]
    return table.sort_values(["collapsed", "density"], ignore_index=True), find_crossings(table, W, b)


def find_crossings(table: pd.DataFrame, W: torch.Tensor, b: torch.Tensor) -> pd.DataFrame:
    """Find the crossing of each pair of branches, starting where the order of their losses changes.

    Args:
        table: Losses of the branches; the index is the number of the solution in ``W`` and ``b``.
        W: Weights of all solutions, [solution, m, n].
        b: Biases of all solutions, [solution, n].

    Returns:
        One row per crossing: the ``fewer`` collapsed pairs below it, its ``density``, and its ``error``, the range of
        the results for different Sobol points.
    """
    solution = table.assign(row=table.index).pivot(index="density", columns="collapsed", values="row")
    loss = table.pivot(index="density", columns="collapsed", values="loss")
    rows = []
    for fewer in range(3):
        if not {fewer, fewer + 1} <= {*loss}:
            continue
        gap = (loss[fewer + 1] - loss[fewer]).dropna()
        # Start at the highest density at which one more collapsed pair is worse: both branches exist there.
        worse = gap[gap > 0]
        if worse.empty or worse.index[-1] == gap.index[-1]:
            continue
        start = worse.index[-1]
        both = torch.tensor(solution.loc[start, [fewer, fewer + 1]].to_numpy(dtype=int))
        at, w, bias = torch.tensor([start], dtype=torch.float64), W[both][None], b[both][None]
        found = []
        # Each search starts where the one before ended.
        for seed in branches.SOBOL_SEEDS:
            at, w, bias = branches.crossing(w, bias, at, lambda p: p[:, None].expand(-1, 6), CORRELATED, seed)
            kinds = [count_collapsed_pairs(one) for one in w[0].numpy()]
            found.append(float(at) if kinds == [fewer, fewer + 1] else np.nan)
        rows.append({"fewer": fewer, "density": np.mean(found), "error": np.ptp(found)})
    return pd.DataFrame(rows, columns=["fewer", "density", "error"])

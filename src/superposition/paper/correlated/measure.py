"""Weights to tables: arrangements, local bases, collapsed pairs, and the exact branches between which models change."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from superposition.analysis import alignment
from superposition.core import geometry
from superposition.core.distribution import Distribution
from superposition.core.weights import SweepResult
from superposition.paper.correlated import HEXAGON, ROWS, SHOWN, collapsed_pairs, nearest
from superposition.theory import branches

PAIRS = ((0, 1), (2, 3), (4, 5))
CORRELATED = Distribution(correlated=PAIRS)
SEEDS = (0, 1, 2)  # of the points at which the precise loss is taken


def measure(figure: str, trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return MEASURED[figure](trained)


def is_stated(name: str, W: Float[np.ndarray, "2 n"]) -> bool:
    """Whether features in the plane, neighbours in number being partners, are arranged as the paper says.

    Orthogonal: all are represented, partners at 75° to 105°. Antipodal: the same, at 165° or more. Side by side: all
    are represented, no pair is collapsed, and going around 0 every feature's partner is next to it.
    """
    if not ((W**2).sum(0) > 0.5).all():
        return False
    cosine = (W[:, ::2] * W[:, 1::2]).sum(0) / np.linalg.norm(W[:, ::2], axis=0) / np.linalg.norm(W[:, 1::2], axis=0)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    if name == "orthogonal":
        return bool((np.abs(angle - 90) <= 15).all())
    if name == "antipodal":
        return bool((angle >= 165).all())
    partner = np.argsort(np.arctan2(W[1], W[0])) // 2
    return collapsed_pairs(W) == 0 and bool(
        ((partner == np.roll(partner, 1)) | (partner == np.roll(partner, -1))).all()
    )


def _pairs(n: int) -> tuple[tuple[int, int], ...]:
    return PAIRS[: n // 2]


def _organization(trained: dict[str, SweepResult]) -> dict[str, pd.DataFrame]:
    """How many restarts show the arrangement, by density and beside independent features; some of the models."""
    shares, models = [], []
    for row in ROWS:
        sweep = trained[row.experiment].sweep
        orders = alignment.symmetric_orders(*_pairs(sweep.n))
        shown = nearest(sweep.density, row.density)
        for point in trained[row.experiment].points.itertuples():
            if point.distribution not in (row.distribution, "independent"):
                continue
            every = trained[row.experiment].parameters["W"][point.Index].double().numpy()
            as_stated = [is_stated(row.name, W) for W in every]
            shares.append(
                {
                    "arrangement": row.name,
                    "distribution": point.distribution,
                    "density": point.density,
                    "shown": point.density == shown,
                    "restarts": len(every),
                    "represented": int(((every**2).sum(1) > 0.5).all(1).sum()),
                    "stated": sum(as_stated),
                    "collapsed": sum(collapsed_pairs(W) > 0 for W in every),
                    "best": as_stated[point.restart],
                }
            )
            if point.density == shown and point.distribution == row.distribution:
                ranked = trained[row.experiment].loss[point.Index].argsort().numpy()
                for number, k in enumerate(ranked[np.linspace(0, len(ranked) - 1, SHOWN).round().astype(int)]):
                    about = {"arrangement": row.name, "model": number, "stated": as_stated[k]}
                    places = alignment.align(every[k], row.corners, orders)
                    models += [about | {"feature": i, "w0": x, "w1": y} for i, (x, y) in enumerate(places.T)]
    table = pd.DataFrame(shares)
    return {"shares": table, "models": pd.DataFrame(models), "numbers": _shares_shown(table)}


def _shares_shown(shares: pd.DataFrame) -> pd.DataFrame:
    shown = shares[shares["shown"]]
    chance = shown["arrangement"].map({row.name: row.chance for row in ROWS})
    return pd.DataFrame(
        {
            "arrangement": shown["arrangement"],
            "features": shown["distribution"],
            "1-S": shown["density"].map("{:.3g}".format),
            "all represented": shown["represented"].astype(str) + " of " + shown["restarts"].astype(str),
            "of these, as stated": (shown["stated"] / shown["represented"]).map("{:.1%}".format),
            "of all pairings": chance.map("{:.1%}".format),
            "with a collapsed pair": shown["collapsed"].astype(str),
        }
    )


def _bases(models: SweepResult) -> dict[str, pd.DataFrame]:
    """Mean (W_i·W_j)² within and between the sets, of every model; WᵀW of the best at each density.

    Canonical order: the features of the second set come in the order of those of the first with which they interfere
    most negatively.
    """
    half = models.sweep.n // 2
    order = np.arange(models.sweep.n)
    same = (order[:, None] < half) == (order < half)
    rows, pairs = [], []
    for point in models.points.itertuples():
        at = {"distribution": "independent" if point.distribution == "independent" else "correlated"}
        at["density"] = point.density
        for restart, gram in enumerate(geometry.gram(models.parameters["W"][point.Index].double()).numpy()):
            squares = gram**2
            rows.append(
                at
                | {
                    "restart": restart,
                    "best": restart == point.restart,
                    "within": squares[same & ~np.eye(len(order), dtype=bool)].mean(),
                    "between": squares[~same].mean(),
                    "represented": int((gram.diagonal() > 0.5).sum()),
                }
            )
            if restart == point.restart:
                partner = half + linear_sum_assignment(gram[:half, half:])[1]
                shown = gram[np.ix_(placed := [*range(half), *partner], placed)]
                i, j = np.indices(shown.shape).reshape(2, -1)
                pairs.append(pd.DataFrame(at | {"i": i, "j": j, "dot": shown.ravel()}))
    return {"models": pd.DataFrame(rows), "pairs": pd.concat(pairs, ignore_index=True)}


def pca_loss(density: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """The least loss of a linear model of the three pairs in two dimensions: principal components 3 to 6 are dropped.

    The values within a pair are independent, so their covariance p/4 - p²/4 comes from being on together. Of the
    variance p/3 - p²/4, so to speak, the sum of a pair has one more covariance and the difference one less.
    """
    variance, covariance = density / 3 - density**2 / 4, density / 4 - density**2 / 4
    return 6 * variance - 2 * (variance + covariance)


def _collapse(models: SweepResult) -> dict[str, pd.DataFrame]:
    """Every fit by its collapsed pairs; the best model at every density; the branches and where they cross."""
    counts = np.array([[collapsed_pairs(W) for W in every] for every in models.parameters["W"].double().numpy()])
    points = models.points
    fits = pd.DataFrame(
        {
            "density": points["density"].repeat(models.sweep.restarts).to_numpy(),
            "collapsed": counts.ravel(),
            "loss": models.loss.flatten().numpy(),
            "loss_error": models.loss_error.flatten().numpy(),
        }
    )
    places, orders = [], alignment.symmetric_orders(*PAIRS)
    for point, W, b in zip(points.itertuples(), *(p.numpy() for p in models.best().values()), strict=True):
        at = {"density": point.density, "collapsed": int(counts[point.Index, point.restart]), "loss": point.loss}
        turned = alignment.align(W, HEXAGON, orders)
        places += [at | {"feature": i, "w0": x, "w1": y, "bias": b[i]} for i, (x, y) in enumerate(turned.T)]
    paths, crossings = _branches(models, counts)
    pca = points[["density"]].assign(loss=pca_loss(points["density"].to_numpy()))
    return {"fits": fits, "best": pd.DataFrame(places), "branches": paths, "crossings": crossings, "pca": pca}


def _branches(models: SweepResult, counts: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The local minimum of the precise loss at the best trained model with 0, 1, 2 and 3 collapsed pairs, at every
    density; the densities from which on one more collapsed pair is better.

    Minima that cost a quarter more than the best are models with dead outputs. Always on (1-S = 1), the members of a
    pair are independent, so there are no pairs.
    """
    densities = torch.tensor(models.points["density"], dtype=torch.float64)
    which = [(i, count) for i, here in enumerate(counts) if densities[i] < 1 for count in np.unique(here)]
    fits = [models.loss[i].masked_fill(torch.from_numpy(counts[i] != count), torch.inf).argmin() for i, count in which]
    point = torch.tensor([i for i, _ in which])
    W, b = (models.parameters[p][point, torch.stack(fits)].double() for p in ("W", "b"))
    W, b, loss = branches.follow(W, b, densities[point, None].expand(-1, models.sweep.n), CORRELATED)
    table = pd.DataFrame({"density": densities[point], "collapsed": [count for _, count in which], "loss": loss})
    table = table[[collapsed_pairs(w) == count for w, (_, count) in zip(W.numpy(), which, strict=True)]]
    table = table[table["loss"] <= 1.25 * table.groupby("density")["loss"].transform("min")]
    return table.sort_values(["collapsed", "density"], ignore_index=True), _crossings(table, W, b)


def _crossings(table: pd.DataFrame, W: torch.Tensor, b: torch.Tensor) -> pd.DataFrame:
    """The exact crossing nearest to where the minima change their order. The error is the largest difference between
    different points at which the loss is taken. The index of the table says which solution a row is."""
    place = table.assign(row=table.index).pivot(index="density", columns="collapsed", values="row")
    loss = table.pivot(index="density", columns="collapsed", values="loss")
    rows = []
    for fewer in range(3):
        if not {fewer, fewer + 1} <= {*loss}:
            continue
        gap = (loss[fewer + 1] - loss[fewer]).dropna()
        # The densest place up to which one more is worse; where it is nearly better both branches are at hand.
        worse = gap[gap > 0]
        if worse.empty or worse.index[-1] == gap.index[-1]:
            continue
        near = worse.index[-1]
        both = torch.tensor(place.loc[near, [fewer, fewer + 1]].to_numpy(dtype=int))
        at, w, bias = torch.tensor([near], dtype=torch.float64), W[both][None], b[both][None]
        found = []
        for seed in SEEDS:  # each from where the one before ended
            at, w, bias = branches.crossing(w, bias, at, lambda p: p[:, None].expand(-1, 6), CORRELATED, seed)
            kinds = [collapsed_pairs(one) for one in w[0].numpy()]
            found.append(float(at) if kinds == [fewer, fewer + 1] else np.nan)
        rows.append({"fewer": fewer, "density": np.mean(found), "error": np.ptp(found)})
    return pd.DataFrame(rows, columns=["fewer", "density", "error"])


MEASURED: dict[str, Callable[[dict[str, SweepResult]], dict[str, pd.DataFrame]]] = {
    "correlated_organization": _organization,
    "local_bases": lambda trained: _bases(trained["local_bases"]),
    "collapse": lambda trained: _collapse(trained["collapse"]),
}

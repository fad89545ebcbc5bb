"""Judge the claim about the L1 penalty: that it removes superposition, at the price of loss."""

import numpy as np

from superposition.paper.remedies import EQUAL_IMPORTANCES, FALLING_IMPORTANCES, models_without_superposition
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("remedies")


@claims.add(
    "l1",
    figure="l1_penalty",
    paper="An L1 penalty on the hidden activations removes superposition, at the price of loss",
    criterion="at every density, for equal and for falling importances, some coefficient leaves a model that uses at "
    "least half of the dimensions, whose WᵀW has less off its diagonal than with a single antipodal pair, 2/(m+1), and "
    "whose clean loss is higher than without the penalty by more than two standard errors; corrected if this holds for "
    "falling importances only, and if by exact calculation for equal ones a dimension gains more from an antipodal "
    "pair than from one feature at every coefficient at which it is not better left unused",
    expected="corrected",
    at_quick=False,
)
def l1_penalty(data: Tables) -> Finding:
    models, exact, features = (data["l1_penalty"][k] for k in ("models", "exact", "features"))
    freed, prices = {}, []
    for (name, density), rows in models.groupby(["experiment", "density"]):
        start = rows[rows["l1"] == 0].iloc[0]
        without = models_without_superposition(rows[rows["l1"] > 0])
        error = np.hypot(without["clean_loss_error"], start["clean_loss_error"])
        costlier = without[without["clean_loss"] - start["clean_loss"] > 2 * error]
        freed[name, density] = len(costlier) > 0
        if name == FALLING_IMPORTANCES:
            prices.append(float(costlier["clean_loss"].min() / start["clean_loss"]))
    falling, equal = (
        [v for (name, _), v in freed.items() if name == experiment]
        for experiment in (FALLING_IMPORTANCES, EQUAL_IMPORTANCES)
    )
    used = exact[exact["pair"] > 0]
    ratio = used["pair"] / used["one"].clip(lower=1e-12)
    kept = features.assign(kept=features["norm"] ** 2 > 0.5, pays=features["threshold"] > features["l1"])
    counts = kept[kept["l1"] >= 0.1].groupby(["density", "l1"])[["kept", "pays"]].sum()
    first = kept[kept["kept"]].groupby(["density", "l1"])["feature"].agg(lambda i: i.max() + 1 == len(i))
    off = counts["kept"] - counts["pays"]
    limit = (features["threshold"] / features["importance"]).max()
    return Finding(
        f"falling importances: superposition removed at {sum(falling)} of {len(falling)} densities, for "
        f"{np.min(prices, initial=np.inf):.1f} to {np.max(prices, initial=-np.inf):.1f} times the loss; equal: at "
        f"{sum(equal)} of {len(equal)}",
        holds=all(falling) and all(equal) and bool(falling) and bool(equal),
        correction="It removes features below a threshold of importance, and with them superposition once no more "
        "features are left than dimensions. Among features of equal importance it moves all weight to the axes and "
        f"leaves antipodal pairs, which gain at least {ratio.min():.2f} times as much as one feature, up to the "
        "coefficient at which all features vanish"
        if all(falling) and bool(falling) and bool((ratio > 1).all()) and len(ratio)
        else "",
        note="From a coefficient of 0.1 on, as many features remain as a dedicated dimension pays for by exact "
        f"calculation (up to {limit:.2f} times the importance) in {(off == 0).sum()} of {len(counts)} models, and one "
        f"more or less in {(off.abs() == 1).sum()}; they are the most important ones in {first.sum()} of {len(first)}",
    )

"""Tables to verdicts: what a penalty removes, and its price."""

import numpy as np

from superposition.paper.remedies import EQUAL, FALLING, freed_models
from superposition.pipeline.claims import Claims, Finding, Tables

claims = Claims("remedies")


@claims.add(
    "l1",
    figure="l1_penalty",
    paper="An L1 penalty on the hidden activations removes superposition, at the price of loss",
    criterion="at every density some coefficient leaves a model in which at least half of the dimensions are used and "
    "WᵀW has less beside its diagonal than one antipodal pair makes, 2/(m+1), and its clean loss is higher than "
    "without the penalty by more than two standard errors; with equal and with falling importances; corrected if so "
    "with falling ones only, and if exactly, with equal ones, a dimension gains more by an antipodal pair than by one "
    "feature at every coefficient at which it is not better left empty",
    expected="corrected",
    at_quick=False,
)
def l1_penalty(data: Tables) -> Finding:
    models, exact, features = (data["l1_penalty"][k] for k in ("models", "exact", "features"))
    freed, prices = {}, []
    for (name, density), rows in models.groupby(["experiment", "density"]):
        start = rows[rows["l1"] == 0].iloc[0]
        without = freed_models(rows[rows["l1"] > 0])
        error = np.hypot(without["clean_loss_error"], start["clean_loss_error"])
        dearer = without[without["clean_loss"] - start["clean_loss"] > 2 * error]
        freed[name, density] = len(dearer) > 0
        if name == FALLING:
            prices.append(float(dearer["clean_loss"].min() / start["clean_loss"]))
    falling, equal = ([v for (name, _), v in freed.items() if name == wanted] for wanted in (FALLING, EQUAL))
    some = exact[exact["pair"] > 0]
    ratio = some["pair"] / some["one"].clip(lower=1e-12)
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
        correction=f"It removes features below a threshold of importance, and superposition with them once no more are "
        f"left than dimensions. Among features of one importance it puts all weight on the axes and leaves antipodal "
        f"pairs, which gain {ratio.min():.2f} times or more what one feature does, up to where all features go"
        if all(falling) and bool(falling) and bool((ratio > 1).all()) and len(ratio)
        else "",
        note="From a coefficient of 0.1 the features that are left are those for which a dimension of their own pays "
        f"exactly (up to {limit:.2f} times the importance) in {(off == 0).sum()} of {len(counts)} models, one more or "
        f"less in {(off.abs() == 1).sum()}; the most important ones in {first.sum()} of {len(first)}",
    )

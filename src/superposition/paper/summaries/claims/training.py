"""Judge how training forms a pentagon."""

import numpy as np
from scipy.stats import binom

from superposition.paper.summaries import APART, TOLERANCES
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above, above_half, below_half

claims = Claims("summaries")

# Share of cases in which chance alone meets a criterion.
SIGNIFICANCE = 0.01


@claims.add(
    figure="pentagon_forms",
    paper="Training first pushes directions apart and then rotates them into the polytope",
    criteria=[
        above_half(
            f"share of pentagons whose directions are apart, by {APART:g}° or more, when norms have settled",
            "half way between none and all; the angle is half way between no distance and the 72° of a pentagon",
            ".0%",
        ),
        Criterion(
            "share of pentagons whose angles settle after their norms, lowest of three tolerances",
            above(None, "null model", "with 99 % probability fewer do so if both orders are equally likely"),
            ".0%",
        ),
    ],
    correction=[
        below_half(
            "median time between the settling of angles and of norms, relative to that of the norms, largest of three "
            "tolerances",
            "half way between the same moment and another stage that takes as long as the first",
            ".2f",
        )
    ],
    expected="corrected",
)
def dynamics(data: Tables) -> Finding:
    runs = data["pentagon_forms"]["runs"]
    formed = runs[runs["pentagon"]]
    if formed.empty:
        return Finding([np.nan, Number(np.nan, bound=1)], [np.nan])
    angles = formed["angles_settled"]
    norms = {tolerance: formed[f"norms_settled_{name}"] for name, tolerance in TOLERANCES.items()}
    later = [(angles > settled).mean() for settled in norms.values()]
    apart = [((angles - settled).abs() / settled).median() for settled in norms.values()]
    bound = binom.ppf(1 - SIGNIFICANCE, len(formed), 0.5) / len(formed)
    times = ", ".join(f"{tolerance:.0%} {settled.median():.0f}" for tolerance, settled in norms.items())
    return Finding(
        [(formed["apart"] <= formed["norms_settled_as_angles"]).mean(), Number(min(later), bound=bound)],
        [max(apart)],
        text=f"{len(formed)} of {len(runs)} models end as pentagons; median steps: directions apart "
        f"{formed['apart'].median():.0f}, angles settled within 8 % {angles.median():.0f}, norms within {times}; "
        f"angles settle after the norms in {', '.join(f'{share:.0%}' for share in later)} of these models",
        correction="Angles and lengths reach their final values together: there is no last stage of rotation alone",
    )

"""Judge how sharp the lines of D_i are, by the number of features that compete and by the length of the training."""

import pandas as pd
from scipy.stats import wilcoxon

from superposition.paper.geometry import SWEEPS_BY_N, SWEEPS_BY_STEPS, mean_distances
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import improbable

claims = Claims("geometry")

# Mean distance to the nearest line of a D_i that is uniform between the lowest line, 3/8, and 1: the sum of the squared
# gaps between lines over four times the range.
UNIFORM_DISTANCE = sum(gap**2 for gap in (1 / 4, 1 / 12, 1 / 6, 1 / 10, 1 / 40)) / (4 * 5 / 8)


@claims.add(
    figure="line_sharpness",
    paper="A later comment (Henighan and Olah): the number of features that compete to be represented influences the "
    "polytopes; often, the structure is cleaner with more pressure, above all at high sparsity",
    phrase="competing to be represented significantly",
    at_quick=False,
)
def pressure(data: Tables) -> Finding:
    table = mean_distances(data["line_sharpness"]["features"])[[*SWEEPS_BY_N]].groupby("density").mean().dropna()[::-1]
    rows = ", ".join(
        f"{' / '.join(f'{distance:.3f}' for distance in row)} at {density:.3g}" for density, row in table.iterrows()
    )
    falling = (table[SWEEPS_BY_N[-1]] < table[SWEEPS_BY_N[0]]).sum()
    return Finding(
        text=f"mean distance of D_i to the nearest line for n = 100 / 200 / 400, m = 20, by 1-S: {rows}; it is lower "
        f"for n = 400 than for n = 100 at {falling} of {len(table)} densities",
        note=f"D_i that are uniform between 3/8 and 1 have a mean distance of {UNIFORM_DISTANCE:.3f}. No verdict, "
        "because with the same number of steps larger models are further from the best solution",
    )


@claims.add(
    figure="line_sharpness",
    paper="A later comment (Henighan and Olah): training longer, too, seems to produce cleaner structure",
    phrase="training longer seems to also produce",
    criteria=[
        improbable(
            "chance that D_i are as much nearer to the lines after eight times the steps, if fewer steps were as "
            "likely to be better",
            "Wilcoxon's signed-rank test over densities and the replicates that the first look did not have",
        )
    ],
    at_quick=False,
)
def longer_training(data: Tables) -> Finding:
    table = mean_distances(data["line_sharpness"]["features"])
    replicated, longest = (table[[*names]].dropna() for names in SWEEPS_BY_STEPS)
    is_first = replicated.index.get_level_values("seed") == 0
    fresh = replicated[~is_first]
    chance = wilcoxon(fresh.iloc[:, 0], fresh.iloc[:, 1], alternative="greater").pvalue if len(fresh) else 1.0
    means = [" and ".join(f"{mean:.4f}" for mean in pairs.mean()) for pairs in (replicated, longest)]
    return Finding(
        [chance],
        text=f"nearer in {_count_nearer(fresh)} for n = 200, m = 20 (375 and 3000 steps; mean distance of all "
        f"replicates {means[0]})",
        note=f"A first look, at the first replicate ({_count_nearer(replicated[is_first])}) and at n = 400, m = 30 "
        f"with 3000 and 6000 steps ({_count_nearer(longest)}, {means[1]}), did not decide; therefore the verdict "
        "rests on the replicates that were trained afterwards. Models of a pair start from the same weights",
    )


def _count_nearer(pairs: pd.DataFrame) -> str:
    """Say in how many pairs the model with more steps, in the second column, is nearer to the lines."""
    return f"{(pairs.iloc[:, 1] < pairs.iloc[:, 0]).sum()} of {len(pairs)}"

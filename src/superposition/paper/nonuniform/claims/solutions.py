"""Judge the pentagon of equal features, how it deforms, and where it snaps."""

import numpy as np
import pandas as pd

from superposition.analysis import alignment
from superposition.analysis.rows import listed, rows_at, weights_of
from superposition.paper.nonuniform import TWO_DIGONS, UPRIGHT_PENTAGON
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, at_most_zero, below, below_half, excess

claims = Claims("nonuniform")


def out_of_place(statistic: str) -> Criterion:
    """Return the criterion that kinds of solutions are in order."""
    why = "the branch with the lowest loss changes once; not one may be of another kind"
    return at_most_zero(statistic, "exact calculation", why)


def _best_fits(data: Tables) -> pd.DataFrame:
    """Return the best fit at every relative density, one row each."""
    solutions = data["pentagon_solutions"]["solutions"]
    return solutions[solutions["feature"] == 0].sort_values("relative_density", ignore_index=True)


@claims.add(
    figure="pentagon_solutions",
    paper="If all five features are equally dense, they form a regular pentagon",
    phrase="we get a regular pentagon",
    criteria=[
        Criterion(
            "relative difference of WᵀW from a regular pentagon's",
            below(
                alignment.difference(TWO_DIGONS, UPRIGHT_PENTAGON.corners) / 2,
                "midpoint",
                "half of that of two digons with the fifth feature at zero",
            ),
            ".2%",
        ),
        excess("relative excess of the pentagon's loss over that of the best fit", "<"),
        excess("relative excess of the loss of two digons over the pentagon's", ">"),
    ],
)
def pentagon_when_equal(data: Tables) -> Finding:
    solutions, equal = (data["pentagon_solutions"][name] for name in ("solutions", "equal"))
    model = rows_at(solutions, relative_density=1)
    W, fit = weights_of(model), model.iloc[0]
    exact = equal.iloc[(equal["density"] - 0.05).abs().argmin()]
    return Finding(
        [
            alignment.difference(W, UPRIGHT_PENTAGON.corners),
            exact["loss"] / fit["precise_loss"] - 1,
            exact["digons_loss"] / exact["loss"] - 1,
        ],
        text=f"norms from {np.linalg.norm(W, axis=0).min():.3f} to {np.linalg.norm(W, axis=0).max():.3f}",
    )


@claims.add(
    figure="pentagon_solutions",
    paper="A denser feature is given more space, as the others repel from it; a sparser one takes less, as other "
    "points push towards it",
    phrase="the other features repel from it",
    criteria=[
        Criterion(
            f"smallest change in the stated direction of the angle to the neighbours, {which}",
            above(0, "exact calculation", "at equal densities the angle is 72° by symmetry"),
            ".2f",
        )
        for which in ("exact branch of the pentagon", "best fits that are pentagons")
    ],
)
def stretch(data: Tables) -> Finding:
    exact = data["pentagon_loss"]["branches"].query("kind == 'pentagon'")
    fits = _best_fits(data).query("kind == 'pentagon'")

    def smallest(table: pd.DataFrame) -> float:
        denser, sparser = table["relative_density"] > 1.001, table["relative_density"] < 0.999
        smallest = min((table["angle"][denser] - 72).min(), (72 - table["angle"][sparser]).min())
        return smallest if denser.any() and sparser.any() else np.nan

    return Finding(
        [smallest(exact), smallest(fits)],
        text="exact branch, by relative density: " + listed(exact.iloc[::5], "{angle:.1f}° at {relative_density:.2g}"),
    )


@claims.add(
    figure="pentagon_solutions",
    paper="If the varied feature is sufficiently sparse, the pentagon collapses to a pair of digons with the sparser "
    "feature at zero",
    phrase="pair of digons with the sparser",
    criteria=[
        out_of_place("best fits, from equal densities down, that are not pentagons first and two digons after"),
        below_half(
            "largest norm of the varied feature in two digons", "half way between zero and a represented feature", ".4f"
        ),
    ],
)
def snap(data: Tables) -> Finding:
    models = _best_fits(data).query("relative_density < 1.001")
    digons = models["kind"] == "two digons"
    first = models.loc[models["kind"] == "pentagon", "relative_density"].min()
    expected = np.where(models["relative_density"] < first, "two digons", "pentagon")
    wrong = (models["kind"] != expected).sum() if digons.any() and first <= 1 else np.nan
    return Finding(
        [wrong, models.loc[digons, "norm_varied"].max()],
        text=f"two digons up to relative density {models.loc[digons, 'relative_density'].max():.3g}, a pentagon from "
        f"{first:.3g}",
    )

"""Judge the aside on polytopes and low-rank matrices: which directions are best left out."""

import pandas as pd

from superposition.analysis.rows import listed, rows_at
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import excess, identity

claims = Claims("geometry")


def _strategies(data: Tables) -> pd.DataFrame:
    """Return the losses of both strategies, with the relative excess of each over the other."""
    table = data["direction_left_out"]["strategies"].sort_values(["n", "density"])
    simplex, digon = table["simplex_loss"], table["digon_loss"]
    return table.assign(of_simplex=simplex / digon - 1, of_digon=digon / simplex - 1)


def _off(data: Tables, directions: str) -> float:
    """Return how far the projections of the basis orthogonal to these directions are from the paper's polytopes."""
    projections = data["direction_left_out"]["projections"]
    return float(projections[projections["directions"] == directions]["difference"].max())


@claims.add(
    figure="direction_left_out",
    paper="It does not seem surprising that for three equally important and equally sparse features in two dimensions "
    "the optimal strategy is an equilateral triangle",
    about="the optimum",
    phrase="optimal strategy is an equilateral triangle",
    criteria=[
        excess(
            "largest relative excess of the equilateral triangle's loss over the lowest of any W and b, over all "
            "densities",
            "<",
        )
    ],
    correction=[
        excess("largest excess of the triangle over a digon and a dedicated dimension", ">"),
        excess("largest excess of a digon and a dedicated dimension over the triangle", ">"),
        excess("largest excess of the better of the two over the lowest of any W and b", "<"),
    ],
    expected="corrected",
)
def three_form_a_triangle(data: Tables) -> Finding:
    table, optima = _strategies(data).query("n == 3"), data["direction_left_out"]["optima"]
    table = table.assign(loss=[rows_at(optima, density=density)["loss"].iloc[0] for density in table["density"]])
    (change,) = data["direction_left_out"]["changes"].query("n == 3")["density"]
    off, better = table["simplex_loss"] / table["loss"] - 1, table[["simplex_loss", "digon_loss"]].min(axis=1)
    return Finding(
        [off.max()],
        [excess.max() for excess in (table["of_simplex"], table["of_digon"], better / table["loss"] - 1)],
        text=f"at 1-S = {table['density'].min():g} the triangle costs {table['of_simplex'].iloc[0]:.1%} more than a "
        "digon and a dedicated dimension; as 1-S → 0 the excess is 1/8, exactly",
        correction=f"The triangle is the better one only above 1-S = {change:.3f}. Where features are "
        "sparser, an antipodal pair and a feature with a dimension of its own have a lower loss",
    )


@claims.add(
    figure="direction_left_out",
    paper="W ⊥ (1, 1, 1, …) gives a regular simplex, in some sense the least possible superposition; if features are "
    "equally important and sparse, (1, 1, 1, …) is the best direction not to represent",
    about="the optimum",
    phrase="best possible direction to not represent",
    criteria=[
        identity("W ⊥ (1, 1, 1, …), n = 3 to 8: largest difference from D_i = (n-1)/n and from equal angles"),
        excess(
            "largest relative excess of the simplex over W ⊥ (1, 1, 0, …), a digon and dedicated dimensions, over all "
            "densities and n = 3, 4, 5",
            "<",
        ),
    ],
    correction=[
        excess("smallest, over n, of the largest excess of the simplex", ">"),
        excess("smallest, over n, of the largest excess of W ⊥ (1, 1, 0, …)", ">"),
    ],
    expected="corrected",
)
def dense_direction(data: Tables) -> Finding:
    table = _strategies(data)
    largest = table.groupby("n")[["of_simplex", "of_digon"]].max()
    return Finding(
        [_off(data, "ones"), largest["of_simplex"].max()],
        [largest["of_simplex"].min(), largest["of_digon"].min()],
        text=f"largest excess {listed(largest, '{of_simplex:.1%} for n = {n}')}",
        correction="(1, 1, 1, …) is the better direction only where features are dense, above 1-S = "
        + listed(data["direction_left_out"]["changes"], "{density:.3f} for n = {n}")
        + ". Where they are sparser, it is better to leave out (1, 1, 0, …): two features become antipodal, and all "
        "others have a dimension of their own",
    )


@claims.add(
    figure="direction_left_out",
    paper="There is an exact correspondence between polytopes and strategies for superposition; the square, for "
    "instance, decomposes into two digons, W ⊥ (1, 0, 1, 0) and (0, 1, 0, 1)",
    about="any model",
    phrase="correspondence between polytopes and strategies",
    criteria=[identity("largest difference of WᵀW from that of two orthogonal digons, up to scale")],
)
def square_is_two_digons(data: Tables) -> Finding:
    models = data["polytopes"]["models"].query("n == 4 and m == 2 and best == 'square'")
    squares = models[models["trained"] == "square"]
    return Finding(
        [_off(data, "two pairs")],
        text=f"where two digons are the best product, {len(squares)} of {len(models)} best trained models of n = 4, "
        f"m = 2 are a square, with WᵀW up to {squares['residual'].max():.1%} from the exact one",
    )

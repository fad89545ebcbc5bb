"""Judge polygons and solids: their names, whether features are equidistant, and their largest cosines."""

import numpy as np
import pandas as pd

from superposition.analysis.rows import listed
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above_half, at_most_zero, below, excess

claims = Claims("summaries")

# Half of the 18° by which the angles to nearest neighbours differ in a pentagonal bipyramid.
EQUIDISTANT = 9
# Sizes in space at which a regular polytope is the best code and the arrangement that models form.
REGULAR = (6, 12)


def _at_lowest_density(data: Tables, n: int, m: int) -> pd.Series:
    """Return what the best model of this size is like at the lowest density."""
    models = data["polygons_and_solids"]["models"].query(f"n == {n} and m == {m}")
    return models.loc[models["density"].idxmin()]


def _range(data: Tables, n: int, m: int, arrangement: str) -> str:
    """Describe the densities at which the best model of a size has this arrangement."""
    models = data["polygons_and_solids"]["models"].query(f"n == {n} and m == {m}")
    here = models[models["arrangement"] == arrangement]["density"]
    where = f"1-S = {here.min():.2g} to {here.max():.2g} ({len(here)} of {len(models)})" if len(here) else "no density"
    return f"{arrangement} of {n} at {where}"


def _recognised(arrangement: str, n: int) -> Criterion:
    """Return the criterion that the best sparse model has an arrangement."""
    return Criterion(
        f"difference of WᵀW from the {arrangement}'s at the lowest density, best model of n = {n}",
        below(0.18, "midpoint", "half of the 0.35 between the two polytopes that differ least"),
        ".3f",
    )


def _difference(data: Tables, n: int, m: int, arrangement: str) -> float:
    """Return how far the best sparse model is from an arrangement; NaN if it has another one."""
    model = _at_lowest_density(data, n, m)
    return float(model["residual"]) if model["arrangement"] == arrangement else np.nan


@claims.add(
    figure="polygons_and_solids",
    paper="Sparse features in the plane form a regular polygon: four a square, six a hexagon",
    criteria=[_recognised("square", 4), _recognised("hexagon", 6)],
    at_quick=False,
)
def polygons(data: Tables) -> Finding:
    sizes = {*data["polygons_and_solids"]["models"].query("m == 2")["n"]}
    others = pd.DataFrame([_at_lowest_density(data, n, 2) for n in sorted(sizes - {4, 6})])
    return Finding(
        [_difference(data, 4, 2, "square"), _difference(data, 6, 2, "hexagon")],
        text=f"{_range(data, 4, 2, 'square')}; {_range(data, 6, 2, 'hexagon')}; at the lowest density, in the best "
        "trained models of other sizes, " + listed(others, "{n} form: {arrangement}"),
        note="A square is two antipodal pairs. It is rigid: if the pairs are not orthogonal, each feature interferes "
        "positively with one of the other pair, which costs ReLU(cos)² already where one feature is active",
    )


@claims.add(
    figure="polygons_and_solids",
    paper="Sparse features in space form a regular polytope: four a tetrahedron, six an octahedron",
    criteria=[_recognised("tetrahedron", 4), _recognised("octahedron", 6)],
    correction=[
        _recognised("octahedron", 6),
        excess(
            "relative excess of the loss of a tetrahedron over that of an antipodal pair and two dedicated dimensions, "
            "at the lowest density",
            ">",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def solids(data: Tables) -> Finding:
    table = data["polygons_and_solids"]["solids"].sort_values("density")
    sparsest = table.iloc[0]
    better = table[table["tetrahedron"] < table["digon"]]["density"]
    return Finding(
        [_difference(data, 4, 3, "tetrahedron"), _difference(data, 6, 3, "octahedron")],
        [_difference(data, 6, 3, "octahedron"), sparsest["tetrahedron"] / sparsest["digon"] - 1],
        text=f"{_range(data, 4, 3, 'tetrahedron')}; {_range(data, 6, 3, 'octahedron')}; at the lowest density four "
        f"form: {_at_lowest_density(data, 4, 3)['arrangement']}",
        correction="Four sparse features are an antipodal pair and two features with dedicated dimensions"
        + (f"; a tetrahedron is better only above 1-S = {better.min():.2f}" if len(better) else ""),
    )


_EQUIDISTANT = at_most_zero(
    f"sizes n, m at which angles to nearest neighbours differ by {EQUIDISTANT}° or more, at the lowest density",
    "midpoint",
    "half of the 18° of a pentagonal bipyramid, whose features are not equidistant",
)


@claims.add(
    figure="polygons_and_solids",
    paper="In the best arrangement all features are equidistant in angle, at the corners of a regular polytope",
    about="the optimum",
    criteria=[
        _EQUIDISTANT,
        at_most_zero(
            f"sizes n, m at which one feature's angles to the others differ from another's by {EQUIDISTANT}° or more",
            "midpoint",
            "the same; the corners of a regular polytope are equivalent",
        ),
    ],
    correction=[
        _EQUIDISTANT,
        above_half(
            f"sizes n, m = 3, at which one feature's angles to the others differ from another's by {EQUIDISTANT}° or "
            "more",
            "half way between none and one",
            ".0f",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def equidistant(data: Tables) -> Finding:
    sparsest = data["polygons_and_solids"]["sparsest"]
    sparsest = sparsest.assign(
        spread=sparsest["largest"] - sparsest["smallest"], absent=sparsest["n"] - sparsest["represented"]
    )
    uneven = (sparsest["spread"] >= EQUIDISTANT).sum()
    irregular = sparsest[sparsest["inequivalent"] >= EQUIDISTANT]
    absent = listed(sparsest.query("absent > 0"), "{absent} of {n} in {m} dimensions")
    return Finding(
        [uneven, len(irregular)],
        [uneven, (irregular["m"] == 3).sum()],
        text="range of the angles to nearest neighbours, m = 3: "
        + listed(sparsest.query("m == 3"), "n = {n}: {spread:.1f}°")
        + f"; absent features, which are not counted: {absent or 'none'}",
        correction="Nearest neighbours are about equally far from all features, but not at the corners of a regular "
        f"polytope if n is {listed(irregular, '{n} (m = {m})')}",
        note="Regular polytopes in space have 4, 6, 8, 12 or 20 corners. A square antiprism, which eight features "
        "form, is none of them, though its corners are equivalent",
    )


@claims.add(
    figure="polygons_and_solids",
    paper="The arrangement minimises the largest cosine between two features, as in Tammes' problem",
    about="the optimum",
    criteria=[
        at_most_zero(
            "sizes n, m = 3, at which the smallest angle is nearer to that of least interference Σ ReLU(cos)² than to "
            "the best code's, at the lowest density",
            "midpoint",
            "half way between the two angles, at the sizes at which they differ by more than 0.1°",
        )
    ],
    correction=[
        Criterion(
            "smallest angle of n = 4, m = 3, in degrees",
            below(
                (109.4712 + 90) / 2,
                "midpoint",
                "half way between the tetrahedron's and 90°, beyond which features do not interfere",
            ),
            ".1f",
        ),
        above_half(
            "sizes n > 6, m = 3, at which the smallest angle falls short of the code's by more than training errs",
            "half way between none and one; training errs by up to three times as much as at n = 6 and 12, where both "
            "are regular",
            ".0f",
        ),
    ],
    expected="corrected",
    at_quick=False,
)
def min_max(data: Tables) -> Finding:
    sparsest = data["polygons_and_solids"]["sparsest"].query("m == 3").set_index("n")
    differ = sparsest[(sparsest["code"] - sparsest["least_interference"]).abs() > 0.1]
    missed = (differ["code"] - differ["smallest"]) / (differ["code"] - differ["least_interference"])
    short = sparsest["code"] - sparsest["smallest"]
    error = 3 * short.reindex(REGULAR).abs().max(skipna=False)
    shorter = short[(short > error) & (short.index > 6)]
    return Finding(
        [(missed > 0.5).sum() if len(differ) else np.nan],
        [sparsest["smallest"].get(4, np.nan), len(shorter)],
        text="smallest angle of the model, of the best code and with least interference: "
        + listed(differ, "n = {n}: {smallest:.1f}°, {code:.1f}°, {least_interference:.1f}°"),
        correction="What is minimised is the loss of all pairs, to which angles of 90° or more do not contribute. The "
        "smallest angle comes close to the best code's where this is below 90°, but falls short of it at n = "
        + ", ".join(map(str, shorter.index)),
        note="In the plane regular polygons solve both problems. Interference alone is also least with coinciding "
        "features, at 0°; biases prevent this",
    )

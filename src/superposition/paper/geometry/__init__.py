"""The geometry of uniform superposition: how many dimensions a feature has, and which polytopes features form.

All features have the same importance and density. Large models are measured by D* and D_i and split into tegum
factors; small ones are compared with the best products of polytopes and with packings on the sphere.
"""

import pandas as pd

# The sweep of the paper's size, and a smaller one that was trained from several seeds.
LARGE_SWEEP, REPLICATED_SWEEP = "uniform_400_30", "uniform_200_20"
# The sweep trained as in the authors' notebook.
NOTEBOOK_SWEEP = "uniform_notebook"
# Sweeps that differ in n alone, and in m alone.
SWEEPS_BY_N = ("uniform_100_20", REPLICATED_SWEEP, "uniform_400_20")
SWEEPS_BY_M = ("uniform_400_20", LARGE_SWEEP, "uniform_400_40")
# Pairs of sweeps that differ in the number of steps alone: fewer, more.
SWEEPS_BY_STEPS = (("uniform_shorter", REPLICATED_SWEEP), (LARGE_SWEEP, "uniform_longer"))

# Half the width of the band around a line in which D_i are counted. The band and its neighbourhood of the same width
# together reach to the middle between the two closest lines, 2/5 and 3/8.
LINE_HALF_WIDTH = (2 / 5 - 3 / 8) / 4
# A line stands out if a smooth distribution would have it stand out in less than this share of cases.
SIGNIFICANCE = 0.01

# n, m and the factors of the arrangement whose exact form is drawn above a trained one.
GALLERY = (
    (4, 2, ("digon", "digon")),
    (5, 2, ("pentagon",)),
    (6, 2, ("hexagon",)),
    (4, 3, ("tetrahedron",)),
    (5, 3, ("triangle", "digon")),
    (6, 3, ("digon", "digon", "digon")),
    (7, 3, ("pentagon", "digon")),
    (8, 3, ("square antiprism",)),
    (12, 3, ("icosahedron",)),
)


def polytope_sizes(optima: pd.DataFrame) -> pd.DataFrame:
    """Return the number of dimensions and of features of every polytope, indexed by its name."""
    return optima.drop_duplicates("polytope").set_index("polytope")[["dimensions", "features"]]


def beside_best(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the models of the large sweep beside the best known ones; ``data``: tables of ``dimensions_per_feature``.

    Returns:
        One row per density, in ascending order. The columns of the best known models end in ``_known``; ``excess`` is
        by what share the trained one costs more, and ``deviation`` the same difference in standard errors.
    """
    trained, known = (table[table["experiment"] == LARGE_SWEEP] for table in (data["curves"], data["best"]))
    both = trained.merge(known, on=["position", "seed"], suffixes=("", "_known")).sort_values("density")
    error = (both["loss_error"] ** 2 + both["loss_error_known"] ** 2) ** 0.5
    difference = both["loss"] - both["loss_known"]
    return both.assign(excess=difference / both["loss_known"], deviation=difference / error)


def mean_distances(features: pd.DataFrame) -> pd.DataFrame:
    """Return the mean distance of D_i to the nearest line, by density and seed in rows, and by experiment."""
    table = features.pivot_table(index=["density", "seed"], columns="experiment", values="distance")
    return table.sort_index(ascending=False)

"""The geometry of uniform superposition: how many dimensions a feature has, and which polytopes features form.

All features have the same importance and density. Large models are measured by D* and D_i and split into tegum
factors; small ones are held against the best products of polytopes there are, and against packings on the sphere.
"""

import pandas as pd

LARGE, SMALL = "uniform_400_30", "uniform_200_20"
VARIED_N = ("uniform_100_20", SMALL, "uniform_400_20")
VARIED_M = ("uniform_400_20", LARGE, "uniform_400_40")

WINDOW = (2 / 5 - 3 / 8) / 4  # on either side of a line: with what lies beside it, up to the middle of the nearest two
CHANCE = 0.01  # a line stands out where a smooth distribution would do so in less than this share of cases

GALLERY = (  # n, m and the arrangement whose exact form stands beside a trained one
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
    """The dimensions and the features of every polytope, by name."""
    return optima.drop_duplicates("polytope").set_index("polytope")[["dimensions", "features"]]

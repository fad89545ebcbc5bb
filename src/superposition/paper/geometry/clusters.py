"""Clusters of D_i around the lines of the paper's polytopes, tested against a smooth distribution."""

import numpy as np
import pandas as pd
import scipy

from superposition.analysis.rows import formatted
from superposition.paper.geometry import LINE_HALF_WIDTH, SIGNIFICANCE
from superposition.theory.polytopes import FRACTION_LABELS, FRACTIONS


def count_around_lines(features: pd.DataFrame) -> pd.DataFrame:
    """Test whether more D_i lie near a line than a smooth distribution would put there.

    The lines are the values of the paper's polytopes and, as a control, others far from them. D_i within
    ``LINE_HALF_WIDTH`` of a line are compared with those in a band of the same width beside it, half on either side (at
    0 and 1, all on one side). If the distribution were smooth, equally many models would have fewer inside and more
    inside. This is a sign test over models, because the features of one model are not independent of each other.
    """
    models = [group.to_numpy() for _, group in features.groupby(["experiment", "point"])["dimensionality"]]
    polytope_at = {fraction: name for name, fraction in FRACTIONS.items()}
    between = np.arange(0.1, 1 - 2 * LINE_HALF_WIDTH, 2 * LINE_HALF_WIDTH)
    clear = np.abs(between[:, None] - [*polytope_at]).min(axis=1) > 4 * LINE_HALF_WIDTH
    rows = []
    for line in (*polytope_at, *between[clear]):
        distance = [np.abs(values - line) for values in models]
        inside = np.array([(d <= LINE_HALF_WIDTH).sum() for d in distance])
        beside = np.array([((d > LINE_HALF_WIDTH) & (d <= 2 * LINE_HALF_WIDTH)).sum() for d in distance])
        more, less = int((inside > beside).sum()), int((inside < beside).sum())
        chance = scipy.stats.binomtest(more, more + less, alternative="greater").pvalue if more + less else 1.0
        rows.append((polytope_at.get(line, ""), line, inside.sum(), beside.sum(), more, less, chance))
    return pd.DataFrame(rows, columns=["polytope", "line", "inside", "beside", "models_more", "models_less", "chance"])


def format_clusters(clusters: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """Format the test of every polytope's line, with the features recognised as that polytope and their residuals."""
    recognised = factors.groupby("polytope").agg(features=("features", "sum"), residual=("residual", "median"))
    lines = clusters[clusters["polytope"] != ""].join(recognised.rename({"single": "dedicated dimension"}), "polytope")
    lines["label"] = lines["line"].map(FRACTION_LABELS)
    lines["stands_out"] = np.where(lines["chance"] < SIGNIFICANCE, "yes", "no")
    columns = {
        "line": "{label} ({polytope})",
        f"D_i within {LINE_HALF_WIDTH:.5f} of it": "{inside}",
        "in a band as wide beside it": "{beside}",
        "models with more inside, with less": "{models_more}, {models_less}",
        "chance under a smooth distribution": "{chance:.2g}",
        "stands out": "{stands_out}",
        "features recognised as such": "{features:.0f}",
        "median residual": "{residual:.3f}",
    }
    return formatted(lines, columns).replace("nan", "")

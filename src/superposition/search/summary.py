"""What the certificate of the best known models says about each figure."""

from collections.abc import Mapping, Sequence

import pandas as pd

from superposition.core.experiment.grid import COORDINATES


def by_figure(certificate: pd.DataFrame, figures: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return, for every figure, the point whose trained model lies furthest above the best known one.

    Args:
        certificate: The table ``optimality.csv``.
        figures: The experiments of every figure.

    Returns:
        One row per figure that has a certified experiment: the experiment and the point (``experiment``, ``point``), by
        what share the trained model costs more than the best known one there (``excess``, ``excess_error``) and where
        that one comes from (``source``); and the largest share by which a best known model costs more than a
        construction (``gap``, ``gap_error``).
    """
    rows = []
    for figure, experiments in figures.items():
        points = certificate[certificate["experiment"].isin(experiments)].reset_index(drop=True)
        if points.empty:
            continue
        furthest, open_ = points.loc[points["excess"].idxmax()], points.loc[points["gap"].idxmax()]
        varied = [k for k in COORDINATES if points[k].nunique() > 1 and k != "seed"]
        rows.append(
            {
                "figure": figure,
                "point": ", ".join(f"{k} {furthest[k]}" for k in varied),
                **furthest[["experiment", "excess", "excess_error", "source"]],
                **open_[["gap", "gap_error"]],
            }
        )
    return pd.DataFrame(rows)

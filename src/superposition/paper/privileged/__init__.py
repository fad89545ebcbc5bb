"""Superposition in a privileged basis: with a ReLU in the hidden layer, the neurons become a preferred basis."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

from superposition.analysis.rows import at_point

# Name of the model of each experiment in tables and figures.
MODEL_LABELS = {
    "privileged_linear": "linear hidden layer",
    "privileged": "ReLU hidden layer",
    "privileged_bias": "ReLU hidden layer with a bias",
}
# The density at which W is shown: every neuron is monosemantic.
SHOWN_DENSITY = 0.5
# A model whose loss is within this fraction of the lowest one counts as equally good.
LOSS_TOLERANCE = 0.01
# Thresholds of the second drive over the first at which the number of monosemantic neurons is compared.
DRIVE_THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


class Regime(NamedTuple):
    """The kind of model that the paper finds in a range of densities.

    Attributes:
        low: Lowest density of the range.
        high: Highest density of the range.
        monosemantic: Number of monosemantic neurons.
        polysemantic_features: Number of features in the other neurons; 0 for ``pairs``, where the paper gives none.
        code: How the features share the other neurons: ``binary``, no two features have the same neurons; ``pairs``,
            every feature has two; empty if the paper does not say.
        text: The regime in words.
    """

    low: float
    high: float
    monosemantic: int
    polysemantic_features: int
    code: Literal["", "binary", "pairs"]
    text: str


PAPER_REGIMES = (
    Regime(0.5, 1.0, 5, 0, "", "5 alone"),
    Regime(0.2, 0.499, 3, 3, "binary", "3 alone, 3 features in 2 as a binary code"),
    Regime(0.15, 0.15, 2, 5, "", "2 alone, 5 features in 3"),
    Regime(0.12, 0.12, 1, 6, "", "1 alone, 6 features in 4"),
    Regime(0.05, 0.08, 0, 8, "", "0 alone, 8 features in 5"),
    Regime(0.0, 0.04, 0, 0, "pairs", "0 alone, all as pairs"),
)


def paper_regime(density: float) -> Regime | None:
    """Return the regime that the paper describes at a density, or None if it describes none there."""
    return next((regime for regime in PAPER_REGIMES if regime.low <= density <= regime.high), None)


def matches_regime(regime: Regime, monosemantic: int, polysemantic_features: int, codewords: Sequence[str]) -> bool:
    """Return whether a model is of the kind that a regime describes.

    Args:
        regime: The regime from the paper.
        monosemantic: Number of monosemantic neurons of the model.
        polysemantic_features: Number of features in its other neurons.
        codewords: The neurons of every represented feature, as a word of ``●`` and ``○``.
    """
    distinct = len(set(codewords)) == len(codewords)
    if regime.code == "pairs":
        return monosemantic == regime.monosemantic and all(word.count("●") == 2 for word in codewords) and distinct
    counts = (monosemantic, polysemantic_features)
    return counts == (regime.monosemantic, regime.polysemantic_features) and (distinct or not regime.code)


def regimes_by_density(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Compare the best model at every density with the paper's regimes.

    Args:
        tables: The tables of the figure ``privileged_neurons``.

    Returns:
        One row per density: the numbers of monosemantic neurons (``one``), of features in the others (``others``), of
        features that are a pair of neurons (``pairs``), and of ``represented`` features; the regime of the ``paper`` in
        words, and whether the model ``agrees`` with it.
    """
    rows = []
    for (point, density), units in tables["neurons"].groupby(["point", "density"], sort=False):
        features = at_point(tables["features"], point).query("represented")
        found = {
            "point": point,
            "density": density,
            "one": int(units["one"].sum()),
            "others": int((~features["alone"]).sum()),
            "pairs": int((features["neurons"] == 2).sum()),
            "represented": len(features),
        }
        regime = paper_regime(density)
        agrees = regime is not None and matches_regime(regime, found["one"], found["others"], list(features["code"]))
        rows.append(found | {"paper": regime.text if regime else "", "agrees": agrees})
    return pd.DataFrame(rows)

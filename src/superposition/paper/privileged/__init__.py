"""Superposition in a privileged basis: a ReLU in the hidden layer gives the neurons a meaning of their own."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

MODELS = {  # by experiment
    "privileged_linear": "linear hidden layer",
    "privileged": "ReLU hidden layer",
    "privileged_bias": "ReLU hidden layer with a bias",
}
SHOWN = 0.5  # the density at which W is shown: every neuron has one feature
NEAR = 0.01  # of the lowest loss, within which another model is as good
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


class Regime(NamedTuple):
    """What the paper finds in a range of densities."""

    low: float
    high: float
    one: int  # neurons with one feature
    others: int  # features in the other neurons
    code: Literal["", "binary", "pairs"]  # no two features the same; every feature two neurons (how many: not stated)
    text: str


PAPER = (
    Regime(0.5, 1.0, 5, 0, "", "5 alone"),
    Regime(0.2, 0.499, 3, 3, "binary", "3 alone, 3 features in 2 as a binary code"),
    Regime(0.15, 0.15, 2, 5, "", "2 alone, 5 features in 3"),
    Regime(0.12, 0.12, 1, 6, "", "1 alone, 6 features in 4"),
    Regime(0.05, 0.08, 0, 8, "", "0 alone, 8 features in 5"),
    Regime(0.0, 0.04, 0, 0, "pairs", "0 alone, all as pairs"),
)


def stated_at(density: float) -> Regime | None:
    """What the paper says of models at a density, if anything."""
    return next((regime for regime in PAPER if regime.low <= density <= regime.high), None)


def matches(stated: Regime, one: int, others: int, codes: Sequence[str]) -> bool:
    """Whether a model is of the stated kind: neurons with one feature, features in the others, and the codes of the
    represented features."""
    if stated.code == "pairs":
        return one == stated.one and all(word.count("●") == 2 for word in codes) and len(set(codes)) == len(codes)
    distinct = len(set(codes)) == len(codes) or not stated.code
    return (one, others) == (stated.one, stated.others) and distinct


def at_density(table: pd.DataFrame, density: float) -> pd.DataFrame:
    """The rows of a table at one density."""
    return table[table["density"] == density]


def regimes(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By density: neurons with one feature, features in the others, features that are a pair of neurons; what the paper
    says, and whether it is the same."""
    rows = []
    for density, units in tables["neurons"].groupby("density", sort=False):
        features = at_density(tables["features"], density).query("represented")
        found = {
            "density": density,
            "one": int(units["one"].sum()),
            "others": int((~features["alone"]).sum()),
            "pairs": int((features["neurons"] == 2).sum()),
            "represented": len(features),
        }
        stated = stated_at(density)
        agrees = stated is not None and matches(stated, found["one"], found["others"], list(features["code"]))
        rows.append(found | {"paper": stated.text if stated else "", "agrees": agrees})
    return pd.DataFrame(rows)

"""Models without superposition, and features out of superposition (paper: "The strategic picture").

Models trained with an L1 penalty and equal or falling importances are compared with the exact optimum of a single
hidden dimension. Sparse autoencoders look for the features of models without a penalty.
"""

import pandas as pd

# The experiments in which all importances are equal, and in which they fall geometrically.
EQUAL_IMPORTANCES, FALLING_IMPORTANCES = "l1_equal", "l1_falling"


def falling_importances_label(features: pd.DataFrame) -> str:
    """Return the formula of the importances of the sweep in which they fall, such as ``0.7^i``."""
    return f"{features.loc[features['feature'] == 1, 'importance'].iloc[0]:g}^i"


def has_superposition(models: pd.DataFrame) -> pd.Series:
    """Return whether the interference of each model is at least that of a single antipodal pair, 2/(m + 1)."""
    return models["interference"] >= 2 / (models["m"] + 1)


def models_without_superposition(models: pd.DataFrame) -> pd.DataFrame:
    """Select the models that have features and no superposition."""
    return models[~has_superposition(models) & (models["represented_features"] > 0)]


def most_agreed(autoencoders: pd.DataFrame) -> pd.DataFrame:
    """Select the largest autoencoder of every density, at the penalty at which two sizes agree most.

    The choice needs no knowledge of the features.
    """
    largest, smaller = sorted(autoencoders["elements"].unique())[:-3:-1]
    by_size = {size: rows.set_index(["density", "penalty"]) for size, rows in autoencoders.groupby("elements")}
    best = by_size[smaller].groupby("density")["agreement"].idxmax()
    return by_size[largest].loc[best].reset_index()

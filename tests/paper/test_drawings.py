"""What is drawn where: the data of single curves, on tables made by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from superposition.paper.adversarial import MAIN_EXPERIMENT, draw


def test_vulnerability_over_sparsity() -> None:
    """Means over seeds are drawn over 1/(1-S), and models of other sizes over features per dimension as well."""
    measures = ("constant", "scaled", "represented", "single", "features_per_dimension")
    points = pd.DataFrame(
        [(MAIN_EXPERIMENT, 200, 20, p, seed) for p in (1.0, 0.5, 0.1) for seed in (0, 1)]
        + [("other", 100, 20, p, 0) for p in (1.0, 0.1)],
        columns=["experiment", "n", "m", "density", "seed"],
    )
    values = 1 + np.random.default_rng(0).random((len(points), len(measures)))
    models = points.assign(**dict(zip(measures, values.T, strict=True)))
    figure = draw.adversarial({"models": models})
    sparse, features, both = figure.axes
    means = models[models["experiment"] == MAIN_EXPERIMENT].groupby("density")[list(measures)].mean()
    for line, name in zip(sparse.lines, ("constant", "scaled", "represented", "single"), strict=False):
        np.testing.assert_allclose(line.get_xdata(), [10, 2, 1])
        np.testing.assert_allclose(line.get_ydata(), means[name])
    other = models[models["experiment"] == "other"].sort_values("density")
    np.testing.assert_allclose(features.lines[1].get_xdata(), [10, 1])
    np.testing.assert_allclose(features.lines[1].get_ydata(), other["features_per_dimension"])
    np.testing.assert_allclose(both.lines[0].get_xdata(), other["features_per_dimension"])
    plt.close(figure)

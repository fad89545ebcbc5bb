"""What outputs compute and what neurons respond to, over samples (paper: "Computation in superposition")."""

import numpy as np
import torch
from jaxtyping import Float, Int

from superposition.analysis import neurons
from superposition.core import features
from superposition.core.weights import SweepResult
from superposition.theory import exact

ACTIVITY_SAMPLES = 2**15
# An activation is large if it is at least this share of the neuron's largest input weight.
LARGE_SHARE = 0.5
# A feature is visible in a neuron if its input weight is at least this share of the largest.
VISIBLE_SHARE = 0.05


def explained_variance(models: SweepResult, point: int, restart: int) -> dict[str, np.ndarray]:
    """Measure the share of the variance of every |x_i| that its output explains, and the standard error of the share.

    The share is 1 - E[(|x_i| - y_i)²] / Var[|x_i|]. Only the difference to the output of a dropped feature, which is
    the mean of |x_i|, is sampled: the share of a dropped feature is exactly 0.

    Returns:
        Columns of a table with one row per feature: ``feature``, ``explained`` and ``explained_error``.
    """
    gates, drawn = features.samples(models.sweep, point, ACTIVITY_SAMPLES)
    x = drawn.double()
    p = {name: part[point, restart].double() for name, part in models.parameters.items()}
    density = torch.from_numpy(models.sweep.densities()[point])
    mean, variance = exact.feature_mean(density), exact.feature_variance(density)
    gain = (x.abs() - mean).square() - (x.abs() - models.model.output(p, x)).square()
    # The all-zero sample, whose output is ReLU(b), is not among those drawn.
    zero = gates.all_zero_probability[0] * (mean.square() - torch.relu(p["b"]).square())
    share = (gates.any_from[0, 0] * gain.mean(0) + zero) / variance
    error = gates.any_from[0, 0] * gain.std(0) / ACTIVITY_SAMPLES**0.5 / variance
    return {"feature": np.arange(len(share)), "explained": share.numpy(), "explained_error": error.numpy()}


def neuron_responses(models: SweepResult, point: int, restart: int) -> dict[str, np.ndarray]:
    """Measure to what the neurons of a model respond.

    Returns:
        Columns of a table with one row per neuron: ``second`` is its second weight over the largest, ``visible`` the
        number of features that are visible in it, and ``large`` and ``small`` are how often the feature of the largest
        weight is active among its large and among its other positive activations; NaN if there are none.
    """
    _, drawn = features.samples(models.sweep, point, ACTIVITY_SAMPLES)
    W = models.parameters["W"][point, restart].double()
    h = models.model.hidden({"W": W}, drawn.double())
    largest, primary = W.abs().max(dim=1)
    on = drawn[:, primary] != 0
    large = h >= LARGE_SHARE * largest
    small = (h > 0) & ~large
    return {
        "second": neurons.second_drive_ratio(neurons.drive(W.numpy(), signed=True)),
        "visible": visible_features(W.numpy()),
        "large": ((on & large).sum(0) / large.sum(0)).numpy(),
        "small": ((on & small).sum(0) / small.sum(0)).numpy(),
    }


def visible_features(W: Float[np.ndarray, "m n"]) -> Int[np.ndarray, " m"]:
    """Return the number of features that are visible in every neuron."""
    size = np.abs(W)
    return (size >= VISIBLE_SHARE * size.max(1, keepdims=True)).sum(1)


def residual_of_neurons(count: int) -> float:
    """Return the share of the variance of |x| that one ReLU neuron and a bias, or two neurons, cannot explain.

    x is uniform on [-1, 1]. On either side the error is a quadratic polynomial, which the Gauss–Legendre rule
    integrates exactly.
    """
    nodes, weight = np.polynomial.legendre.leggauss(3)
    x = np.concatenate([(nodes - 1) / 2, (nodes + 1) / 2])
    root = np.sqrt(np.concatenate([weight, weight]) / 4)
    basis = np.stack([np.ones_like(x), np.maximum(x, 0), np.maximum(-x, 0)][: count + 1], axis=1)
    _, residual, *_ = np.linalg.lstsq(root[:, None] * basis, root * np.abs(x), rcond=None)
    return float(residual[0] * 12)

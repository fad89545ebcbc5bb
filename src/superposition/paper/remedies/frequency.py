"""Loss reduction per activation frequency of a hidden dimension (paper: "The strategic picture").

A sparsely activated dimension is cheap if only active units cost anything. A dimension of one feature lowers the loss
by the variance v of the feature and is active with its density p; one of an antipodal pair is active if either feature
is.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.models import Model
from superposition.theory import exact

CURVE_DENSITIES = np.geomspace(1, 1e-3, 31)


def reduction_per_activation() -> pd.DataFrame:
    """Return the exact loss reduction per activation of a dimension, by density.

    Returns:
        One row per density, with ``dedicated`` for one feature and ``digon`` for an antipodal pair, W = [1, -1].
    """
    p = torch.from_numpy(CURVE_DENSITIES)
    variance = exact.feature_variance(p)
    digon = (2 * variance - collision_loss(p)) / (1 - (1 - p) ** 2)
    return pd.DataFrame({"density": CURVE_DENSITIES, "dedicated": (variance / p).numpy(), "digon": digon.numpy()})


def collision_loss(p: Float64[Tensor, " point"]) -> Float64[Tensor, " point"]:
    """Return the expected loss of an antipodal pair without a bias, which comes from both features being active."""
    W = torch.tensor([[1.0, -1.0]], dtype=torch.float64).expand(len(p), 1, 2)
    both = p[:, None].expand(-1, 2)
    return exact.expected_loss(Model("relu_output", 2, 1), {"W": W, "b": 0 * both}, both, torch.ones_like(both))

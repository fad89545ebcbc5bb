"""Tegum factors in the limit of density 0, where no two features are active together and the loss is closed-form."""

import numpy as np
import pandas as pd
import scipy

from superposition.theory.polytopes import Polytope


def sparse_limit(polytope: Polytope) -> pd.Series:
    """Return the optimal factor of this polytope in the limit of density p → 0.

    No two features are active together then, and the loss has a closed form: with s = ‖W_i‖², an active feature
    contributes ∫ (x - ReLU(s x + b))² dx over [0, 1] at its own output and ∫ ReLU(s cos φ x + b)² dx at each other
    output of the factor.

    Returns:
        ``norm`` and ``bias`` of the features, and ``loss``, the loss of the factor divided by p.
    """
    cosines = polytope.corners[:, 0] @ polytope.corners[:, 1:]

    def per_feature(at: np.ndarray) -> float:
        s, b = at
        # The feature's own output is 0 below this value of x.
        start = -b / s
        own = start**3 / 3 + ((1 - s - b) ** 3 - ((1 - s) * start - b) ** 3) / (3 * (1 - s))
        reach = s * cosines[s * cosines + b > 0]
        return float(own + ((reach + b) ** 3 / (3 * reach)).sum())

    found = scipy.optimize.minimize(
        per_feature, [1.3, -0.25], method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-16}
    )
    s, b = found.x
    return pd.Series({"norm": s**0.5, "bias": b, "loss": polytope.features * found.fun})


def sparse_norm(polytope: Polytope, bias: float) -> float:
    """Return the optimal norm of a factor's features at a given negative bias, in the limit of density 0.

    The loss of :func:`sparse_limit` is stationary in s = ‖W_i‖² there. With x_c = -b/(s c), the value of x above which
    the output of a feature at cosine c is positive, the gradient at the feature's own output balances those at the
    others,

        (1 - s)(1 - x_1³)/3 - b (1 - x_1²)/2 = Σ_c c [s c (1 - x_c³)/3 + b (1 - x_c²)/2],

    where c runs over the other features with x_c < 1.
    """
    cosines = polytope.corners[:, 0] @ polytope.corners[:, 1:]

    def balance(s: float) -> float:
        c = cosines[s * cosines + bias > 0]
        own, other = -bias / s, -bias / (s * c)
        push = c * (s * c * (1 - other**3) / 3 + bias * (1 - other**2) / 2)
        return (1 - s) * (1 - own**3) / 3 - bias * (1 - own**2) / 2 - float(push.sum())

    return float(scipy.optimize.brentq(balance, -bias * (1 + 1e-6), 9.0, xtol=1e-14)) ** 0.5

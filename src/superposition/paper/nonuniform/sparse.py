"""Tegum factors as the density goes to 0: no two features are on together, and all that counts has a closed form."""

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize

from superposition.theory.polytopes import Polytope


def sparse_limit(polytope: Polytope) -> pd.Series:
    """The best factor as the density p goes to 0: ``norm`` and ``bias`` of its features, and its ``loss`` over p.

    Then no two features are on together, and all that counts has a closed form: with s = ‖W_i‖², a feature's own
    ∫ (x - ReLU(s x + b))² dx over [0, 1] and, at the others of its factor, ∫ ReLU(s cos φ x + b)² dx.
    """
    cosines = polytope.corners[:, 0] @ polytope.corners[:, 1:]

    def per_feature(at: np.ndarray) -> float:
        s, b = at
        start = -b / s  # where the own output begins
        own = start**3 / 3 + ((1 - s - b) ** 3 - ((1 - s) * start - b) ** 3) / (3 * (1 - s))
        reach = s * cosines[s * cosines + b > 0]
        return float(own + ((reach + b) ** 3 / (3 * reach)).sum())

    found = minimize(per_feature, [1.3, -0.25], method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-16})
    s, b = found.x
    return pd.Series({"norm": s**0.5, "bias": b, "loss": polytope.features * found.fun})


def sparse_norm(polytope: Polytope, bias: float) -> float:
    """The best norm of a factor's features at a given bias below 0, as the density goes to 0.

    There the loss of :func:`sparse_limit` is stationary in s = ‖W_i‖²: with x_c = -b/(s c), where the output at a
    feature under the cosine c begins, the pull of the feature's own output balances the pushes at the others,

        (1 - s)(1 - x_1³)/3 - b (1 - x_1²)/2 = Σ_c c [s c (1 - x_c³)/3 + b (1 - x_c²)/2],

    where c runs over the other features with x_c < 1.
    """
    cosines = polytope.corners[:, 0] @ polytope.corners[:, 1:]

    def balance(s: float) -> float:
        c = cosines[s * cosines + bias > 0]
        own, other = -bias / s, -bias / (s * c)
        push = c * (s * c * (1 - other**3) / 3 + bias * (1 - other**2) / 2)
        return (1 - s) * (1 - own**3) / 3 - bias * (1 - own**2) / 2 - float(push.sum())

    return float(brentq(balance, -bias * (1 + 1e-6), 9.0, xtol=1e-14)) ** 0.5

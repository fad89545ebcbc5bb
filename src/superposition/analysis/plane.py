"""Features in the plane: the angles between neighbours around the origin."""

import numpy as np
from jaxtyping import Float, Float64


def steps_around(W: Float[np.ndarray, "*batch 2 n"]) -> Float64[np.ndarray, "*batch n"]:
    """Return the angles from each feature in the plane to the next one, in degrees; they add up to 360°."""
    angle = np.sort(np.degrees(np.arctan2(W[..., 1, :], W[..., 0, :])), axis=-1)
    return np.diff(angle, axis=-1, append=angle[..., :1] + 360)

"""The loss over (W_1, W_2) without a bias, as in the published comment by T. McGrath: its minima and their basins."""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.paper.phase import two_in_one

# Starts of the searches for the global minimum: W_1 and W_2 of equal signs, a weak W_2, and opposite signs.
MINIMUM_STARTS = ((0.8, 0.6), (1.0, 0.1), (1.0, -0.3), (1.0, -0.8))
# Models whose exact loss is compared with samples, and samples for each of them.
RANDOM_MODELS, LOSS_SAMPLES = 24, 200_000
# Gradient descent for the basins: starts per density, learning rate relative to the density, steps at most, and the
# gradient relative to the density at which a model does not move any more.
DESCENT_STARTS, DESCENT_RATE, DESCENT_STEPS, STILL = 256, 0.2, 150, 1e-4


def sampled_losses() -> pd.DataFrame:
    """Return the exact losses of random models without a bias beside losses on samples, with their standard errors."""
    random = torch.Generator().manual_seed(0)
    uniform = torch.rand(RANDOM_MODELS, 4, generator=random, dtype=torch.float64)
    W, p, r = _on_square(uniform[:, :2]), uniform[:, 2], 10 ** (2 * uniform[:, 3] - 1)
    x = torch.rand(2, LOSS_SAMPLES, 2, generator=random, dtype=torch.float64)
    sampled, spread = [], []
    for w, density, ratio in zip(W, p, r, strict=True):
        values = x[0] * (x[1] < density)
        errors = (values - torch.relu((values @ w)[:, None] * w)) ** 2 @ torch.stack([torch.ones_like(ratio), ratio])
        sampled.append(errors.mean().item())
        spread.append(errors.std().item() / LOSS_SAMPLES**0.5)
    models = {"density": p, "relative_importance": r, "w0": W[:, 0], "w1": W[:, 1]}
    return pd.DataFrame(models | {"loss": two_in_one.loss(W, p, r), "sampled": sampled, "error": spread})


def _on_square(uniform: Float64[Tensor, "k 2"]) -> Float64[Tensor, "k 2"]:
    """Return W on the square of the loss surface from numbers between 0 and 1."""
    return 2 * two_in_one.SURFACE_EXTENT * uniform - two_in_one.SURFACE_EXTENT


def global_minima(ratios: Sequence[float], densities: Sequence[float]) -> pd.DataFrame:
    """Return the weights of the lowest minimum, with W_1 ≥ 0, by relative importance r ≤ 1 and density."""
    r, p = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in (ratios, densities))).T
    starts = torch.tensor(MINIMUM_STARTS, dtype=torch.float64).expand(len(p), -1, -1)
    W, _ = two_in_one.minimise_loss(starts, p, r)
    W = W * torch.where(W[:, :1] < 0, -1.0, 1.0)
    return pd.DataFrame({"density": p, "relative_importance": r, "w0": W[:, 0], "w1": W[:, 1]})


def basins(minima: pd.DataFrame) -> pd.DataFrame:
    """Measure basins of attraction over the whole range of densities, most closely where the global minimum changes.

    These are every eighth density, and two on either side of that at which W_1 and W_2 change from equal to opposite
    signs. Gradient descent starts at the points of a Sobol sequence on the square of the loss surface.

    Args:
        minima: Table of :func:`global_minima`.

    Returns:
        One row per point: density, relative importance, ``starts`` and ``reached``, the share of them for which W_1 W_2
        ends with the sign of the global minimum, and ``minima``, the number of distinct minima up to sign.
    """
    points = pd.concat([_basin_points(path) for _, path in minima.groupby("relative_importance")])
    p, r = (torch.tensor(points[name].to_numpy()) for name in ("density", "relative_importance"))
    drawn = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(DESCENT_STARTS, dtype=torch.float64)
    W = _on_square(drawn).repeat(len(points), 1)
    W = _descend(W, p.repeat_interleave(DESCENT_STARTS), r.repeat_interleave(DESCENT_STARTS))
    sign = torch.tensor(points["w1"].to_numpy()).sign()
    reached = (W.prod(1).view(-1, DESCENT_STARTS) * sign[:, None] > 0).double().mean(1)
    minima = two_in_one.distinct_minima(list(zip(p.tolist(), r.tolist(), strict=True)), bias=False)
    count = minima["point"].value_counts().reindex(range(len(points)), fill_value=0).to_numpy()
    return points[["density", "relative_importance"]].assign(reached=reached, starts=DESCENT_STARTS, minima=count)


def _basin_points(path: pd.DataFrame) -> pd.DataFrame:
    """Return every eighth point, and two on either side of the density below which the signs of W_1 and W_2 differ."""
    path = path.sort_values("density", ascending=False)
    last = int((path["w1"] > 0).cummin().sum())
    return path.iloc[sorted({*range(0, len(path), 8), *range(last - 2, min(last + 2, len(path)))})]


def _descend(W: Float64[Tensor, "k 2"], p: Float64[Tensor, " k"], r: Float64[Tensor, " k"]) -> Float64[Tensor, "k 2"]:
    """Follow the gradient of the loss without a bias, until it vanishes."""
    moving = torch.arange(len(W))
    for _ in range(DESCENT_STEPS):
        here = W[moving].requires_grad_()
        (gradient,) = torch.autograd.grad((two_in_one.loss(here, p[moving], r[moving]) / p[moving]).sum(), here)
        W[moving] -= DESCENT_RATE * gradient
        moving = moving[gradient.abs().amax(dim=1) > STILL]
    return W

"""Points on a sphere that keep away from each other: the paper's interference term as a Thomson problem.

With unit norms and no bias, the loss of the samples with one feature on is, but for what no arrangement changes,
Σ_{i≠j} ∫ ReLU(W_i·W_j x)² dx = E/3 with E = Σ_{i≠j} ReLU(W_i·W_j)²: features at right angles or further apart do not
interfere. Thomson's problem has the Coulomb energy Σ_{i<j} 1/|W_i - W_j| instead.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from superposition import geometry, optimum

STARTS = 50  # random arrangements from which each minimum is looked for
TOLERANCE = 1e-7  # of the gradient: the energy is then known to rounding

Energy = Callable[[Float64[Tensor, "*batch m n"]], Float64[Tensor, "*batch"]]


def interference(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Σ_{i≠j} ReLU(Ŵ_i·Ŵ_j)²; 0 where all features are at right angles or further apart."""
    return geometry.cosines(W).clamp(min=0).square().sum((-2, -1)) - W.shape[-1]


def coulomb(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Σ_{i<j} 1/|Ŵ_i - Ŵ_j|, the energy of equal charges on a sphere."""
    i, j = torch.triu_indices(W.shape[-1], W.shape[-1], offset=1)
    distance2 = 2 - 2 * geometry.cosines(W)[..., i, j]
    return distance2.clamp(min=1e-12).rsqrt().sum(-1)


def minimum(energy: Energy, n: int, m: int) -> tuple[Float64[Tensor, "m n"], float]:
    """The arrangement of n unit vectors in m dimensions with the lowest energy that a search from many starts finds."""
    starts = torch.randn(STARTS, m * n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = torch.nn.functional.normalize(starts.unflatten(1, (m, n)), dim=1)
    found, values, _ = optimum.minimise(lambda x, which: energy(x.unflatten(1, (m, n))), unit.flatten(1), TOLERANCE)
    best = found[values.argmin()].unflatten(0, (m, n))
    return torch.nn.functional.normalize(best, dim=0), float(values.min())

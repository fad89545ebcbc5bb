"""Points on a sphere that keep away from each other: the paper's interference term as a Thomson problem.

With unit norms and no bias, the loss of the samples with one feature on is, but for what no arrangement changes,
Σ_{i≠j} ∫ ReLU(W_i·W_j x)² dx = E/3 with E = Σ_{i≠j} ReLU(W_i·W_j)²: features at right angles or further apart do not
interfere. Thomson's problem has the Coulomb energy Σ_{i<j} 1/|W_i - W_j| instead.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core import geometry
from superposition.theory import bfgs

STARTS = 50  # random arrangements from which each minimum is looked for
TOLERANCE = 1e-7  # of the gradient: the energy is then known to rounding

Energy = Callable[[Float64[Tensor, "*batch m n"]], Float64[Tensor, "*batch"]]


def interference(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Σ_{i≠j} ReLU(Ŵ_i·Ŵ_j)²; 0 where all features are at right angles or further apart. A column of 0 adds nothing."""
    positive = geometry.cosines(W).clamp(min=0).square()
    return positive.sum((-2, -1)) - positive.diagonal(dim1=-2, dim2=-1).sum(-1)


def coulomb(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Σ_{i<j} 1/|Ŵ_i - Ŵ_j|, the energy of equal charges on a sphere. A column of 0 is no charge."""
    i, j = torch.triu_indices(W.shape[-1], W.shape[-1], offset=1)
    distance2 = 2 - 2 * geometry.cosines(W)[..., i, j]
    there = (geometry.norms(W) > 0).to(W.dtype)
    return (there[..., i] * there[..., j] * distance2.clamp(min=1e-12).rsqrt()).sum(-1)


def minima(energy: Energy, sizes: Sequence[tuple[int, int]]) -> list[tuple[Float64[Tensor, "m n"], float]]:
    """For every (n, m): n unit vectors in m dimensions with the lowest energy that a search from many starts finds.

    All sizes are searched at once, filled up with 0 to the largest. Rows and columns of 0 have no gradient: they stay.
    """
    n, m = (max(number) for number in zip(*sizes, strict=True))
    starts = torch.zeros(len(sizes), STARTS, m, n, dtype=torch.float64)
    for start, (columns, rows) in zip(starts, sizes, strict=True):
        drawn = torch.randn(STARTS, rows * columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        start[:, :rows, :columns] = torch.nn.functional.normalize(drawn.unflatten(1, (rows, columns)), dim=1)
    found, values, _ = bfgs.minimise(
        lambda x, _: energy(x.unflatten(1, (m, n))), starts.flatten(0, 1).flatten(1), TOLERANCE
    )
    every, values = torch.nn.functional.normalize(found.view_as(starts), dim=-2), values.view(-1, STARTS)
    return [
        (every[size, best, :rows, :columns], float(values[size, best]))
        for size, (best, (columns, rows)) in enumerate(zip(values.argmin(dim=1), sizes, strict=True))
    ]

"""Packings of points on a sphere: the paper's interference term as a generalised Thomson problem.

With unit norms and no bias, the loss of the samples with one active feature is, up to a term that does not depend on
the arrangement, Σ_{i≠j} ∫ ReLU(W_i·W_j x)² dx = E/3 with E = Σ_{i≠j} ReLU(W_i·W_j)²: features at angles of 90° or more
do not interfere. Thomson's problem has the Coulomb energy Σ_{i<j} 1/|W_i - W_j| instead.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core import geometry
from superposition.theory import bfgs

# Number of random arrangements from which each minimum is searched for.
PACKING_STARTS = 50

# Maps arrangements of n features in m dimensions to energies.
Energy = Callable[[Float64[Tensor, "*batch m n"]], Float64[Tensor, "*batch"]]


def interference_energy(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Return Σ_{i≠j} ReLU(Ŵ_i·Ŵ_j)², which is 0 if all angles are 90° or more; zero columns do not count."""
    positive = geometry.cosines(W).clamp(min=0).square()
    return positive.sum((-2, -1)) - positive.diagonal(dim1=-2, dim2=-1).sum(-1)


def coulomb_energy(W: Float64[Tensor, "*batch m n"]) -> Float64[Tensor, "*batch"]:
    """Return Σ_{i<j} 1/|Ŵ_i - Ŵ_j|, the energy of equal charges on a sphere; zero columns do not count."""
    i, j = torch.triu_indices(W.shape[-1], W.shape[-1], offset=1)
    distance2 = 2 - 2 * geometry.cosines(W)[..., i, j]
    charged = (geometry.norms(W) > 0).to(W.dtype)
    return (charged[..., i] * charged[..., j] * distance2.clamp(min=1e-12).rsqrt()).sum(-1)


def minimise_energy(energy: Energy, sizes: Sequence[tuple[int, int]]) -> list[tuple[Float64[Tensor, "m n"], float]]:
    """Find the arrangement of unit vectors of lowest energy for every size, by searches from many random starts.

    A size (n, m) is n unit vectors in m dimensions. All sizes are searched together, padded with zeros to the largest.
    Rows and columns of zeros have no gradient, so that they remain zero.

    Returns:
        The arrangement and its energy, one pair per size.
    """
    n, m = (max(number) for number in zip(*sizes, strict=True))
    starts = torch.zeros(len(sizes), PACKING_STARTS, m, n, dtype=torch.float64)
    for start, (columns, rows) in zip(starts, sizes, strict=True):
        drawn = torch.randn(
            PACKING_STARTS, rows * columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        start[:, :rows, :columns] = torch.nn.functional.normalize(drawn.unflatten(1, (rows, columns)), dim=1)
    # Where the gradient is this small, the energy is exact up to rounding.
    found, values, _ = bfgs.minimise(
        lambda x, _: energy(x.unflatten(1, (m, n))), starts.flatten(0, 1).flatten(1), tolerance=1e-7
    )
    arrangements, values = torch.nn.functional.normalize(found.view_as(starts), dim=-2), values.view(-1, PACKING_STARTS)
    return [
        (arrangements[size, best, :rows, :columns], float(values[size, best]))
        for size, (best, (columns, rows)) in enumerate(zip(values.argmin(dim=1), sizes, strict=True))
    ]

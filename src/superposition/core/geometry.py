"""The paper's measures of the columns of W, and some of our own. W is […, m, n]; column i is W_i."""

import torch
from jaxtyping import Float
from torch import Tensor


def gram(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """Return WᵀW: ‖W_i‖² on the diagonal, the interference between pairs of features elsewhere."""
    return W.mT @ W


def norms(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """Return ‖W_i‖: about 1 if feature i is represented, about 0 if not."""
    return torch.linalg.vector_norm(W, dim=-2)


def superposition(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """Return Σ_{j≠i} (Ŵ_i·W_j)² of every feature i (paper: "Demonstrating superposition").

    It is 0 for a feature with a dedicated dimension, and 1 or more if the other features activate i as strongly as i
    itself does. A feature whose column is exactly zero has no direction and gets 0.
    """
    g = gram(W)
    norm2 = g.diagonal(dim1=-2, dim2=-1)
    others = (g**2).sum(-1) - norm2**2
    return torch.where(norm2 > 0, others / norm2, torch.zeros_like(norm2))


def relative_interference(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Return Σ_{i≠j} (W_i·W_j)² / Σ_i ‖W_i‖⁴, the off-diagonal of WᵀW relative to its diagonal.

    It is 0 without superposition, 1 if all features form antipodal pairs, and 2 / (m + 1) if one of m dimensions holds
    such a pair and each of the others a single feature. It is NaN if W is 0.
    """
    g = gram(W)
    diagonal = g.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return (g.square().sum((-2, -1)) - diagonal) / diagonal


def cosines(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """Return Ŵ_i·Ŵ_j of every pair of features; 0 if a column is exactly zero."""
    norm = norms(W)[..., None, :]
    unit = W / torch.where(norm > 0, norm, torch.ones_like(norm))
    return unit.mT @ unit


def dimensions_per_feature(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Return D* = m / ‖W‖_F², the hidden dimensions per feature that W represents (paper: "Uniform superposition")."""
    return W.shape[-2] / W.square().sum((-2, -1))


def dimensionality(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """Return D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)², the dimensionality of feature i (paper: "Uniform superposition").

    D_i is 0 if the column is exactly zero. The D_i add up to m at most (by Cauchy–Schwarz, D_i ≤ W_iᵀ(WWᵀ)⁻¹W_i), and
    to exactly m if WWᵀ is a multiple of the identity on the dimensions of each tegum factor.
    """
    g = gram(W)
    norm2 = g.diagonal(dim1=-2, dim2=-1)
    total = (g**2).sum(-1)
    return torch.where(total > 0, norm2**2 / torch.where(total > 0, total, torch.ones_like(total)), 0.0)

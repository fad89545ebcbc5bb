"""What the paper measures on the columns of W, all over the text. W is […, m, n]; column i is W_i."""

import torch
from jaxtyping import Float
from torch import Tensor


def gram(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """WᵀW: on the diagonal ‖W_i‖², off it the interference between two features."""
    return W.mT @ W


def norms(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """‖W_i‖: about 1 where feature i is represented, about 0 where it is not."""
    return torch.linalg.vector_norm(W, dim=-2)


def superposition(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """Σ_{j≠i} (Ŵ_i·W_j)²: 0 for a dimension of one's own, 1 or more if others switch i on as strongly as itself.

    A feature whose column is exactly zero has no direction; it gets 0.
    """
    g = gram(W)
    norm2 = g.diagonal(dim1=-2, dim2=-1)
    others = (g**2).sum(-1) - norm2**2
    return torch.where(norm2 > 0, others / norm2, torch.zeros_like(norm2))


def interference(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """Σ_{i≠j} (W_i·W_j)² over Σ_i ‖W_i‖⁴: what lies beside the diagonal of WᵀW.

    0 without superposition; 1 if all features are antipodal pairs; 2 / (m + 1) if one dimension of m has such a pair
    and the others a feature each. NaN where W is 0.
    """
    g = gram(W)
    diagonal = g.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return (g.square().sum((-2, -1)) - diagonal) / diagonal


def cosines(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """Ŵ_i·Ŵ_j; 0 where a column is exactly zero."""
    norm = norms(W)[..., None, :]
    unit = W / torch.where(norm > 0, norm, torch.ones_like(norm))
    return unit.mT @ unit


def dimensions_per_feature(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch"]:
    """D* = m / ‖W‖²_F: the hidden dimensions that there are for each feature that W represents."""
    return W.shape[-2] / W.square().sum((-2, -1))


def dimensionality(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n"]:
    """D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)²: the share of a dimension that feature i has; 0 where its column is exactly zero.

    The D_i add up to m at most (by Cauchy–Schwarz, D_i ≤ W_iᵀ(WWᵀ)⁻¹W_i), and to m where WWᵀ is a multiple of the
    identity on each factor's dimensions.
    """
    g = gram(W)
    norm2 = g.diagonal(dim1=-2, dim2=-1)
    total = (g**2).sum(-1)
    return torch.where(total > 0, norm2**2 / torch.where(total > 0, total, torch.ones_like(total)), 0.0)

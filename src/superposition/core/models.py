"""The four models of the paper: of its sections on demonstrating superposition (the first two), on a privileged basis,
and on computation in superposition.

    linear          h = W x           x' = Wᵀh + b
    relu_output     h = W x           x' = ReLU(Wᵀh + b)
    relu_hidden     h = ReLU(W x)     x' = ReLU(Wᵀh + b)
    absolute        h = ReLU(W₁x)     y' = ReLU(W₂h + b)      target y = |x|

**The order of axes**, everywhere: instance (or point, restart), then sample, then hidden, then feature. So W is
[…, m, n], column W[…, :, i] is the direction of feature i, and W₂ is stored as its transpose ``W_out`` […, m, n].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superposition.core.sweep import Sweep

Parameters = Mapping[str, Tensor]
SMALL_MATRIX = 64  # numbers in a matrix


@dataclass(frozen=True)
class Model:
    """One architecture: which of the four models, and its sizes."""

    name: str
    n: int
    m: int
    hidden_bias: bool = False

    @classmethod
    def of(cls, sweep: Sweep) -> "Model":
        """That of a sweep."""
        return cls(sweep.model, sweep.n, sweep.m, sweep.hidden_bias)

    @property
    def relu_hidden(self) -> bool:
        """h = ReLU(W x), not W x."""
        return self.name in ("relu_hidden", "absolute")

    @property
    def relu_output(self) -> bool:
        """x' = ReLU(…); of the linear model alone it is not."""
        return self.name != "linear"

    @property
    def absolute(self) -> bool:
        """The untied model, whose target is |x|."""
        return self.name == "absolute"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The parameters of one instance, in the order in which they lie in memory."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.m, self.n)}
        if self.absolute:
            shapes["W_out"] = (self.m, self.n)
        shapes["b"] = (self.n,)
        if self.hidden_bias:
            shapes["b_hidden"] = (self.m,)
        return shapes

    @property
    def size(self) -> int:
        """Numbers in the parameters of one instance."""
        return sum(torch.Size(shape).numel() for shape in self.shapes().values())

    def unpack(self, flat: Float[Tensor, "*batch size"]) -> dict[str, Tensor]:
        """Views of flat parameters, by name."""
        shapes = self.shapes()
        parts = flat.split([torch.Size(shape).numel() for shape in shapes.values()], dim=-1)
        return {k: part.unflatten(-1, shape) for (k, shape), part in zip(shapes.items(), parts, strict=True)}

    def pack(self, p: Parameters) -> Float[Tensor, "*batch size"]:
        """The inverse of :meth:`unpack`: a copy."""
        return torch.cat([p[k].flatten(-len(shape)) for k, shape in self.shapes().items()], dim=-1)

    def hidden(self, p: Parameters, x: Float[Tensor, "*batch sample n"]) -> Float[Tensor, "*batch sample m"]:
        """h of every sample, as in the table above."""
        h = _product(x, p["W"].mT)
        if self.hidden_bias:
            h = h + p["b_hidden"][..., None, :]
        return torch.relu(h) if self.relu_hidden else h

    def output(self, p: Parameters, x: Float[Tensor, "*batch sample n"]) -> Float[Tensor, "*batch sample n"]:
        """x', or y' of the absolute model, of every sample, as in the table above."""
        out = _product(self.hidden(p, x), p["W_out" if self.absolute else "W"]) + p["b"][..., None, :]
        return torch.relu(out) if self.relu_output else out

    def loss(
        self,
        p: Parameters,
        x: Float[Tensor, "*batch sample n"],
        importance: Float[Tensor, "*batch n"],
        given: Float[Tensor, "*batch sample n"] | None = None,
    ) -> Float[Tensor, "*batch sample"]:
        """Σ_i I_i (x_i - x'_i)² of every sample. ``given``: the input in place of x, such as x under an attack."""
        target = x.abs() if self.absolute else x
        return (importance[..., None, :] * (target - self.output(p, x if given is None else given)) ** 2).sum(-1)


def _product(
    x: Float[Tensor, "*batch sample k"], matrix: Float[Tensor, "*#batch k l"]
) -> Float[Tensor, "*batch sample l"]:
    """Return ``x @ matrix``.

    Compiled code keeps samples innermost in memory, as a GPU reads neighbours together. There a small product is a sum:
    it joins the operations around it in one kernel, where a matrix product would be a kernel of its own.
    """
    if not torch.compiler.is_compiling():
        return x @ matrix
    if matrix.shape[-2] * matrix.shape[-1] <= SMALL_MATRIX:
        return (matrix[..., :, :, None] * x.mT[..., :, None, :]).sum(-3).mT
    return (matrix.mT @ x.mT).mT


def attack_directions(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """The paper's analytic attacks, unit vectors: row i is (WᵀW)_i / ‖(WᵀW)_i‖, the one on feature i."""
    gram = W.mT @ W
    return gram / gram.norm(dim=-1, keepdim=True).clamp_min(1e-12)

"""The four models of the paper.

    linear          h = W x           x' = Wᵀh + b
    relu_output     h = W x           x' = ReLU(Wᵀh + b)
    relu_hidden     h = ReLU(W x)     x' = ReLU(Wᵀh + b)
    absolute        h = ReLU(W₁x)     y' = ReLU(W₂h + b)      target y = |x|

The first two are those of "Demonstrating superposition", the third that of "Superposition in a privileged basis", the
last that of "Computation in superposition".

**Axes** are in the same order everywhere: instance (or point, restart), then sample, then hidden, then feature. So W is
[…, m, n], its column W[…, :, i] is the direction of feature i, and W₂ is stored as its transpose ``W_out`` […, m, n].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from superposition.core.sweep import Sweep

Parameters = Mapping[str, Tensor]
# Size up to which compiled code multiplies by a matrix as a sum of products, in numbers of the matrix.
SMALL_MATRIX = 64


@dataclass(frozen=True)
class Model:
    """An architecture: one of the four models, with its sizes."""

    name: str
    n: int
    m: int
    hidden_bias: bool = False

    @classmethod
    def of(cls, sweep: Sweep) -> "Model":
        """Build the architecture that a sweep specifies."""
        return cls(sweep.model, sweep.n, sweep.m, sweep.hidden_bias)

    @property
    def relu_hidden(self) -> bool:
        """Whether the hidden layer has a ReLU."""
        return self.name in ("relu_hidden", "absolute")

    @property
    def relu_output(self) -> bool:
        """Whether the output has a ReLU, as in all models but the linear one."""
        return self.name != "linear"

    @property
    def absolute(self) -> bool:
        """Whether this is the untied model whose target is |x|."""
        return self.name == "absolute"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one instance, in their order in memory."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.m, self.n)}
        if self.absolute:
            shapes["W_out"] = (self.m, self.n)
        shapes["b"] = (self.n,)
        if self.hidden_bias:
            shapes["b_hidden"] = (self.m,)
        return shapes

    @property
    def size(self) -> int:
        """Number of parameters of one instance."""
        return sum(torch.Size(shape).numel() for shape in self.shapes().values())

    def unpack(self, flat: Float[Tensor, "*batch size"]) -> dict[str, Tensor]:
        """Return views of flat parameters, by name."""
        shapes = self.shapes()
        parts = flat.split([torch.Size(shape).numel() for shape in shapes.values()], dim=-1)
        return {k: part.unflatten(-1, shape) for (k, shape), part in zip(shapes.items(), parts, strict=True)}

    def pack(self, p: Parameters) -> Float[Tensor, "*batch size"]:
        """Return the parameters as one flat tensor, a copy; the inverse of :meth:`unpack`."""
        return torch.cat([p[k].flatten(-len(shape)) for k, shape in self.shapes().items()], dim=-1)

    def hidden(self, p: Parameters, x: Float[Tensor, "*batch sample n"]) -> Float[Tensor, "*batch sample m"]:
        """Return the hidden activations h of every sample."""
        h = _product(x, p["W"].mT)
        if self.hidden_bias:
            h = h + p["b_hidden"][..., None, :]
        return torch.relu(h) if self.relu_hidden else h

    def output(self, p: Parameters, x: Float[Tensor, "*batch sample n"]) -> Float[Tensor, "*batch sample n"]:
        """Return the output x' (y' of the absolute model) for every sample."""
        out = _product(self.hidden(p, x), p["W_out" if self.absolute else "W"]) + p["b"][..., None, :]
        return torch.relu(out) if self.relu_output else out

    def loss(
        self,
        p: Parameters,
        x: Float[Tensor, "*batch sample n"],
        importance: Float[Tensor, "*batch n"],
        model_input: Float[Tensor, "*batch sample n"] | None = None,
    ) -> Float[Tensor, "*batch sample"]:
        """Return the loss Σ_i I_i (x_i - x'_i)² of every sample, or Σ_i I_i (|x_i| - y'_i)² of the absolute model.

        Args:
            p: Parameters by name.
            x: Samples, which are also the target.
            importance: I of every feature.
            model_input: What the model sees in place of x, such as x under an attack.
        """
        target, seen = x.abs() if self.absolute else x, x if model_input is None else model_input
        return (importance[..., None, :] * (target - self.output(p, seen)) ** 2).sum(-1)


def _product(
    x: Float[Tensor, "*batch sample k"], matrix: Float[Tensor, "*#batch k l"]
) -> Float[Tensor, "*batch sample l"]:
    """Return ``x @ matrix``.

    Compiled code keeps samples innermost in memory, where a GPU reads neighbours together. It computes small products
    as sums, which the compiler fuses with the operations around them; a matrix product would be a separate kernel.
    """
    if not torch.compiler.is_compiling():
        return x @ matrix
    if matrix.shape[-2] * matrix.shape[-1] <= SMALL_MATRIX:
        return (matrix[..., :, :, None] * x.mT[..., :, None, :]).sum(-3).mT
    return (matrix.mT @ x.mT).mT


def attack_directions(W: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
    """Return the paper's analytic attacks as unit vectors; row i, the attack on feature i, is (WᵀW)_i / ‖(WᵀW)_i‖."""
    gram = W.mT @ W
    return gram / gram.norm(dim=-1, keepdim=True).clamp_min(1e-12)

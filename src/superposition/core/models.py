"""The four models of the paper.

    linear          h = W x           x' = Wᵀh + b
    relu_output     h = W x           x' = ReLU(Wᵀh + b)
    relu_hidden     h = ReLU(W x)     x' = ReLU(Wᵀh + b)
    absolute        h = ReLU(W₁x)     y' = ReLU(W₂h + b)      target y = |x|

The first two are from "Demonstrating superposition", the third from "Superposition in a privileged basis", the last
from "Computation in superposition". A sweep may replace the ReLUs by other activations, and untie the output weights of
``relu_output``. Any other model is a subclass of :class:`Model`.

**Axes** are in the same order everywhere: instance (or point, restart), then sample, then hidden, then feature. So W is
[…, m, n], its column W[…, :, i] is the direction of feature i, and W₂ is stored as its transpose ``W_out`` […, m, n].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from superposition.core.experiment.grid import BUILT_IN_MODELS, CUSTOM_MODELS
from superposition.core.experiment.sweep import Sweep

Parameters = Mapping[str, Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "abs": torch.abs,
    "gelu": functional.gelu,
    "softplus": functional.softplus,
}
# Size up to which compiled code multiplies by a matrix as a sum of products, in numbers of the matrix.
SMALL_MATRIX = 64


@dataclass(frozen=True)
class Model:
    """An architecture: one of the four models, with its sizes.

    A subclass is another architecture: ``class Mine(Model, name="mine")`` defines one that sweeps ask for by
    ``model="mine"``. It overrides ``hidden``, ``output`` or ``loss``, and ``shapes`` if it has other parameters than
    W [m, n] and b [n]; every parameter has at least one axis. Matrices start Xavier-normal, all other parameters at
    zero. An L1 penalty sums what ``hidden`` returns; tables and figures need W and b.
    """

    name: str
    n: int
    m: int
    hidden_bias: bool = False
    untied: bool = False
    hidden_activation: str | None = None
    output_activation: str | None = None

    def __init_subclass__(cls, name: str) -> None:
        if name in BUILT_IN_MODELS:
            raise ValueError(f"model {name!r} is built in: choose another name")
        CUSTOM_MODELS[name] = cls

    @classmethod
    def of(cls, sweep: Sweep) -> "Model":
        """Build the architecture that a sweep specifies."""
        names = ("n", "m", "hidden_bias", "untied", "hidden_activation", "output_activation")
        architecture: type[Model] = CUSTOM_MODELS.get(sweep.model, Model)
        return architecture(sweep.model, **{name: getattr(sweep, name) for name in names})

    @property
    def hidden_function(self) -> str:
        """Name of the activation of the hidden layer."""
        return self.hidden_activation or ("relu" if self.relu_hidden else "linear")

    @property
    def output_function(self) -> str:
        """Name of the activation of the output: a ReLU in all models but the linear one."""
        return self.output_activation or ("linear" if self.name == "linear" else "relu")

    @property
    def relu_hidden(self) -> bool:
        """Whether the hidden layer has a ReLU, or the activation with which a sweep replaces it."""
        return self.name in ("relu_hidden", "absolute")

    @property
    def has_closed_form(self) -> bool:
        """Whether the loss of samples with known active features is an integral that ``theory.exact`` can evaluate."""
        # Custom models are subclasses.
        return type(self) is Model and not self.relu_hidden and self.output_function in ("linear", "relu")

    @property
    def absolute(self) -> bool:
        """Whether this is the untied model whose target is |x|."""
        return self.name == "absolute"

    @property
    def output_matrix(self) -> str:
        """Name of the output weights."""
        return "W_out" if self.absolute or self.untied else "W"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one instance, in their order in memory."""
        shapes: dict[str, tuple[int, ...]] = {"W": (self.m, self.n)}
        if self.output_matrix == "W_out":
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
        return ACTIVATIONS[self.hidden_function](h)

    def output(
        self, p: Parameters, x: Float[Tensor, "*batch sample n"], disturb: Callable[[Tensor], Tensor] | None = None
    ) -> Float[Tensor, "*batch sample n"]:
        """Return the output x' (y' of the absolute model) for every sample; ``disturb`` changes the hidden units."""
        h = self.hidden(p, x) if disturb is None else disturb(self.hidden(p, x))
        out = _product(h, p[self.output_matrix]) + p["b"][..., None, :]
        return ACTIVATIONS[self.output_function](out)

    def loss(
        self,
        p: Parameters,
        x: Float[Tensor, "*batch sample n"],
        importance: Float[Tensor, "*batch n"],
        model_input: Float[Tensor, "*batch sample n"] | None = None,
        **disturbed: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "*batch sample"]:
        """Return the loss Σ_i I_i (x_i - x'_i)² of every sample, or Σ_i I_i (|x_i| - y'_i)² of the absolute model.

        Args:
            p: Parameters by name.
            x: Samples, which are also the target.
            importance: I of every feature.
            model_input: What the model sees in place of x, such as x under an attack.
            disturbed: ``disturb``, see :meth:`output`, if hidden units are noisy or dropped.
        """
        target, seen = x.abs() if self.absolute else x, x if model_input is None else model_input
        return (importance[..., None, :] * (target - self.output(p, seen, **disturbed)) ** 2).sum(-1)


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

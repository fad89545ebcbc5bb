"""The feature distributions of the paper, and how they are sampled.

Every distribution is described by *gates*. A gate is a uniform number u that opens where u < p; a feature is on while
its gate is in an interval [low, high) of [0, p):

- an independent feature has a gate of its own, and is on wherever the gate is open;
- the members of a correlated set share a gate, and all are on wherever it is open;
- the members of an anticorrelated set share a gate, and split [0, p) between them.

Given that u is in [low, high), (u - low) / (high - low) is uniform on [0, 1) again: that is the feature's value, so
one number serves as switch and as value. Only the members of a correlated set need a second number each.

**The empty sample.** With probability Π(1 - p) over the gates nothing is on, and at small densities that is nearly
always. Its loss is one number, so it is computed once and weighted with its probability, and all other samples are
drawn *given that something is on*: walking through the gates, as long as none is open yet, u is scaled by the
probability that this gate or a later one opens. Expectations stay what they are; the noise of sparse batches does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int32
from torch import Tensor

from superposition.core.distribution import Distribution
from superposition.core.sweep import Sweep

# An all-zero sample less probable than this counts as impossible: its share of a gradient is far below rounding, and
# would be a subnormal number, which some processors multiply a hundred times more slowly.
LEAST_EMPTY = 1e-30


@dataclass(frozen=True)
class Gates:
    """The distribution of every instance; features may differ in density. ``n`` is both features and gates."""

    gate_density: Float32[Tensor, "instance n"]  # P(gate open); 0 for a gate that no feature uses
    any_from: Float32[Tensor, "instance n"]  # P(this gate or a later one open)
    low: Float32[Tensor, "instance n"]
    high: Float32[Tensor, "instance n"]
    inverse_width: Float32[Tensor, "instance n"]  # 1 / (high - low)
    gate: Int32[Tensor, "instance n"]  # which gate a feature listens to
    own_value: Int32[Tensor, "instance n"]  # 1: its value comes from a number of its own
    empty: Float32[Tensor, " instance"]  # P(no gate open)
    has_sets: bool  # some instance of the sweep has a set: its features need a second number each
    signed: bool

    @classmethod
    def of(
        cls,
        densities: np.ndarray,
        distributions: Sequence[Distribution],
        has_sets: bool,
        conditional: np.ndarray | None = None,
    ) -> "Gates":
        """``densities``: [instance, n], of every feature; the members of a set share one (not checked).

        ``conditional``: [instance], by default all; of the others samples are drawn as they come, empty ones among
        them, since the loss of an empty sample is more than one number.
        """
        count, n = densities.shape
        gate_density = densities.astype(np.float32).astype(np.float64)  # what float32 will see, exactly
        low, high = np.zeros((count, n)), gate_density.copy()
        gate = np.tile(np.arange(n, dtype=np.int32), (count, 1))
        own_value = np.zeros((count, n), dtype=np.int32)
        for distribution in set(distributions):
            rows = np.array([d == distribution for d in distributions])
            for kind in ("correlated", "anticorrelated"):
                for members in getattr(distribution, kind):
                    where = np.ix_(rows, members)
                    gate[where] = members[0]
                    if kind == "correlated":
                        own_value[where] = 1
                    else:
                        edges = np.linspace(0, 1, len(members) + 1)
                        low[where], high[where] = (high[where] * edge for edge in (edges[:-1], edges[1:]))
                    gate_density[np.ix_(rows, members[1:])] = 0
        if conditional is None:
            conditional = np.ones(count, dtype=bool)
        with np.errstate(divide="ignore"):  # log(0) of a gate that is always open
            log_closed = np.cumsum(np.log1p(-gate_density)[:, ::-1], axis=1)[:, ::-1]
        empty = np.exp(log_closed[:, 0])

        def single(a: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32))

        # float32 edges first, widths from them, so that a value never reaches past 1.
        low, high = (a.astype(np.float32).astype(np.float64) for a in (low, high))
        return cls(
            gate_density=single(gate_density),
            any_from=single(np.where(conditional[:, None], -np.expm1(log_closed), 1)),
            low=single(low),
            high=single(high),
            inverse_width=single(1 / (high - low)),
            gate=torch.from_numpy(gate),
            own_value=torch.from_numpy(own_value),
            empty=single(np.where(conditional & (empty > LEAST_EMPTY), empty, 0)),
            has_sets=has_sets,
            signed=distributions[0].signed,
        )

    @property
    def rows(self) -> int:
        """How many uniform numbers a sample takes."""
        n = self.gate.shape[1]
        return 2 * n if self.has_sets else n

    def __getitem__(self, index: slice | Tensor) -> "Gates":
        return self._each(lambda tensor: tensor[index])

    def to(self, device: torch.device) -> "Gates":
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Gates":
        changed: dict[str, Any] = {k: change(v) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **changed)


def nonempty(gates: Gates, uniform: Float32[Tensor, "instance row sample"]) -> Float32[Tensor, "instance sample n"]:
    """Feature values, given that at least one gate is open, from uniform numbers in [0, 1)."""
    n = gates.gate.shape[1]
    gate = torch.arange(n, dtype=torch.int32, device=uniform.device)[:, None]
    scaled = uniform[:, :n] * gates.any_from[:, :, None]  # [instance, gate, sample]
    first = torch.where(scaled < gates.gate_density[:, :, None], gate, n).amin(dim=1, keepdim=True)
    u = torch.where(gate <= first, scaled, uniform[:, :n])
    if gates.has_sets:  # else every feature has a gate of its own
        u = torch.gather(u, 1, gates.gate.long()[:, :, None].expand_as(u))
    value = (u - gates.low[:, :, None]) * gates.inverse_width[:, :, None]
    if gates.has_sets:
        value = torch.where(gates.own_value[:, :, None].bool(), uniform[:, n:], value)
    if gates.signed:
        value = 2 * value - 1
    on = (u >= gates.low[:, :, None]) & (u < gates.high[:, :, None])
    return torch.where(on, value, torch.zeros_like(value)).transpose(1, 2)


def samples(sweep: Sweep, point: int, count: int) -> tuple[Gates, Float32[Tensor, "sample n"]]:
    """Samples of the input at one point of a sweep, given that at least one gate is open; the same ones every time."""
    distribution = sweep.distributions()[point]
    gates = Gates.of(sweep.densities()[[point]], [distribution], has_sets=bool(distribution.sets))
    uniform = torch.rand(1, gates.rows, count, generator=torch.Generator().manual_seed(0))
    return gates, nonempty(gates, uniform)[0]


def training_batch(
    gates: Gates, uniform: Float32[Tensor, "instance row sample"]
) -> tuple[Float32[Tensor, "instance sample n"], Float32[Tensor, "instance sample"]]:
    """A batch and the weight of its samples; sample 0 is the empty one. The weights of an instance sum to 1."""
    x = nonempty(gates, uniform)
    empty = torch.arange(x.shape[1], device=x.device) == 0
    weight = torch.where(empty, gates.empty[:, None], (gates.any_from[:, 0] / (x.shape[1] - 1))[:, None])
    return torch.where(empty, 0.0, x.mT).mT, weight

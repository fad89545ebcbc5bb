"""Samples from the feature distributions of the paper (paper: "Setting", "Correlated features").

Every distribution is described by *gates*. A gate draws one uniform number u per sample and is *active* if u < p. A
feature is active if the u of its gate lies in an interval [low, high) within [0, p):

- an independent feature has a gate to itself and is active whenever the gate is;
- the members of a correlated set share a gate and are all active whenever it is;
- the members of an anticorrelated set share a gate and divide [0, p) among them.

Given that u is in [low, high), (u - low) / (high - low) is again uniform on [0, 1) and gives the feature's value,
so one number decides both whether a feature is active and how large it is. Only the members of a correlated set need a
second number each.

**The all-zero sample.** With probability Π(1 - p) over the gates no feature is active, and at small densities that is
nearly always so. The loss of the all-zero sample is a single number, so it is computed once and weighted by its
probability, and all other samples are drawn *given that at least one gate is active*: the gates are visited in order
and, until the first active one, u is scaled by the probability that this gate or a later one is active. Expectations
are unchanged, while the noise of sparse batches is much reduced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int32
from torch import Tensor

from superposition.core.experiment.distribution import Distribution
from superposition.core.experiment.sweep import Sweep
from superposition.core.experiment.values import UNIFORM, Values

# An all-zero sample that is less probable than this counts as impossible. Its share of a gradient is far below rounding
# and would be a subnormal number, which some processors multiply a hundred times more slowly.
MIN_ALL_ZERO_PROBABILITY = 1e-30

T = TypeVar("T", bound="Instances")


@dataclass(frozen=True)
class Instances:
    """Tensors of several instances, which are the first axis of all of them."""

    def __getitem__(self: T, index: slice | Tensor) -> T:
        return self._map_tensors(lambda tensors: tensors[index])

    def to(self: T, device: torch.device) -> T:
        """Return a copy with all tensors on a device."""
        return self._map_tensors(lambda tensors: tensors.to(device))

    def _map_tensors(self: T, function: Callable[[Any], Any]) -> T:
        return replace(self, **{k: function(v) for k, v in vars(self).items() if isinstance(v, Tensor | Instances)})


@dataclass(frozen=True)
class Gates(Instances):
    """The feature distribution of every instance, as gates.

    There are as many gates as features, so ``n`` counts both.

    Attributes:
        gate_density: P(gate active); 0 for a gate that no feature uses.
        any_from: P(this gate or a later one active), so that the first entry is P(any gate active); 1 if samples are
            not conditional.
        low, high: Interval of the gate's number in which the feature is active.
        inverse_width: 1 / (high - low).
        gate: Index of the feature's gate.
        own_value: 1 if the feature's value comes from a second number, else 0.
        all_zero_probability: P(no gate active), the weight of the all-zero sample; 0 if samples are not conditional.
        has_sets: Whether any instance of the sweep has a set, so that every feature draws a second number.
        signed: Whether values have either sign with equal probability.
        values: Distribution of the values of active features.
    """

    gate_density: Float32[Tensor, "instance n"]
    any_from: Float32[Tensor, "instance n"]
    low: Float32[Tensor, "instance n"]
    high: Float32[Tensor, "instance n"]
    inverse_width: Float32[Tensor, "instance n"]
    gate: Int32[Tensor, "instance n"]
    own_value: Int32[Tensor, "instance n"]
    all_zero_probability: Float32[Tensor, " instance"]
    has_sets: bool
    signed: bool
    values: Values

    @classmethod
    def of(
        cls,
        densities: np.ndarray,
        distributions: Sequence[Distribution],
        has_sets: bool,
        conditional: np.ndarray | None = None,
        values: Values = UNIFORM,
    ) -> "Gates":
        """Build the gates of some instances.

        Args:
            densities: Density of every feature, [instance, n]; the members of a set share one (not checked).
            distributions: Distribution of every instance; all are signed or none is.
            has_sets: Whether any instance of the sweep, not only of these, has a set.
            conditional: Whether an instance's samples are drawn given that at least one gate is active, [instance];
                by default all are. The others draw the all-zero sample as often as it occurs, as is needed if its
                loss is not a single number.
            values: Distribution of the values of active features.
        """
        count, n = densities.shape
        # Everything is derived from the densities as float32 represents them.
        gate_density = densities.astype(np.float32).astype(np.float64)
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
        with np.errstate(divide="ignore"):  # A gate that is always active has log(0).
            log_none_from = np.cumsum(np.log1p(-gate_density)[:, ::-1], axis=1)[:, ::-1]
        all_zero = np.exp(log_none_from[:, 0])

        def single(a: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32))

        # Widths are computed from edges that are already rounded to float32, so that no value exceeds 1.
        low, high = (a.astype(np.float32).astype(np.float64) for a in (low, high))
        return cls(
            gate_density=single(gate_density),
            any_from=single(np.where(conditional[:, None], -np.expm1(log_none_from), 1)),
            low=single(low),
            high=single(high),
            inverse_width=single(1 / (high - low)),
            gate=torch.from_numpy(gate),
            own_value=torch.from_numpy(own_value),
            all_zero_probability=single(np.where(conditional & (all_zero > MIN_ALL_ZERO_PROBABILITY), all_zero, 0)),
            has_sets=has_sets,
            signed=distributions[0].signed,
            values=values,
        )

    @property
    def rows(self) -> int:
        """Number of uniform numbers that a sample takes."""
        n = self.gate.shape[1]
        return 2 * n if self.has_sets else n


def nonempty(gates: Gates, uniform: Float32[Tensor, "instance row sample"]) -> Float32[Tensor, "instance sample n"]:
    """Return feature values, given that at least one gate is active, from uniform numbers in [0, 1).

    Rows 0 to n - 1 of ``uniform`` belong to the gates; rows n to 2n - 1, present if ``gates.has_sets``, are the values
    of the members of correlated sets.
    """
    n = gates.gate.shape[1]
    gate = torch.arange(n, dtype=torch.int32, device=uniform.device)[:, None]
    scaled = uniform[:, :n] * gates.any_from[:, :, None]  # [instance, gate, sample]
    first_active = torch.where(scaled < gates.gate_density[:, :, None], gate, n).amin(dim=1, keepdim=True)
    u = torch.where(gate <= first_active, scaled, uniform[:, :n])
    if gates.has_sets:  # Otherwise every feature has its own gate.
        u = torch.gather(u, 1, gates.gate.long()[:, :, None].expand_as(u))
    value = (u - gates.low[:, :, None]) * gates.inverse_width[:, :, None]
    if gates.has_sets:
        value = torch.where(gates.own_value[:, :, None].bool(), uniform[:, n:], value)
    if gates.signed:
        value = 2 * value - 1
    value = _quantiles(value, gates.values)
    active = (u >= gates.low[:, :, None]) & (u < gates.high[:, :, None])
    return torch.where(active, value, torch.zeros_like(value)).transpose(1, 2)


def _quantiles(t: Float32[Tensor, "..."], values: Values) -> Float32[Tensor, "..."]:
    """Apply the quantile function of the magnitudes to numbers uniform on [0, 1) or, keeping their signs, [-1, 1)."""
    # PyTorch 2.11 compiles comparisons of strings and numbers, but not comparisons of pydantic's models.
    if values.shape == "uniform" and values.minimum == 0:
        return t
    # Rounding may have led to 1.
    share = t.abs().clamp_max(1 - 2.0**-24)
    if values.shape == "uniform":
        magnitude = values.minimum + (1 - values.minimum) * share
    else:
        magnitude = 2**0.5 * torch.erfinv(share) if values.shape == "half_normal" else -torch.log1p(-share)
    return torch.copysign(magnitude, t)


def samples(sweep: Sweep, point: int, count: int) -> tuple[Gates, Float32[Tensor, "sample n"]]:
    """Return the gates of one point of a sweep, and samples drawn given that at least one gate is active.

    The samples are the same in every call.
    """
    distribution = sweep.distributions()[point]
    gates = Gates.of(sweep.densities()[[point]], [distribution], bool(distribution.sets), values=sweep.values)
    uniform = torch.rand(1, gates.rows, count, generator=torch.Generator().manual_seed(sweep.seed))
    return gates, nonempty(gates, uniform)[0]


def training_batch(
    gates: Gates, uniform: Float32[Tensor, "instance row sample"]
) -> tuple[Float32[Tensor, "instance sample n"], Float32[Tensor, "instance sample"]]:
    """Return a batch and the weights of its samples; sample 0 is the all-zero one.

    The weights of an instance sum to 1, so that weighted sums are expectations over the feature distribution.
    """
    x = nonempty(gates, uniform)
    all_zero = torch.arange(x.shape[1], device=x.device) == 0
    drawn_weight = gates.any_from[:, 0] / (x.shape[1] - 1)
    weight = torch.where(all_zero, gates.all_zero_probability[:, None], drawn_weight[:, None])
    return torch.where(all_zero, 0.0, x.mT).mT, weight

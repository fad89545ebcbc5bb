"""What a training engine is given, and what it must do.

There are two. ``fused`` runs on the CPU: one compiled loop per architecture. ``autograd`` is plain PyTorch: it runs on
any device, says in a few lines what is computed, and is what ``fused`` is checked against.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from superposition.features import Gates
from superposition.models import Model
from superposition.sweep import Sweep

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's usual constants, as in the authors' notebook
EVALUATION_KEY = (0, 0)


@dataclass(frozen=True)
class Recipe:
    """How models are trained; the paper states none of it."""

    steps: int
    batch: int
    learning_rate: float
    schedule: str
    warmup: float
    weight_decay: float

    @classmethod
    def of(cls, sweep: Sweep) -> "Recipe":
        return cls(sweep.steps, sweep.batch, sweep.learning_rate, sweep.schedule, sweep.warmup, sweep.weight_decay)

    def rates(self, start: int, stop: int) -> np.ndarray:
        """The learning rate of steps [start, stop), float32."""
        step = np.arange(start, stop)
        factor = 0.5 * (1 + np.cos(np.pi * step / self.steps)) if self.schedule == "cosine" else np.ones(len(step))
        if self.warmup:
            factor = factor * np.minimum(1, (step + 1) / (self.warmup * self.steps))
        return (self.learning_rate * factor).astype(np.float32)


@dataclass(frozen=True)
class Block:
    """Instances of one architecture that an engine handles together."""

    model: Model
    gates: Gates
    importance: Float32[Tensor, "instance n"]
    key: Int64[Tensor, "instance 2"]  # (seed, restart): instances with the same key see the same draws
    # Of a random feature's analytic attack on every sample: its norm. None where no model of the sweep is attacked.
    attack: Float32[Tensor, " instance"] | None = None
    # The weight of Σ|h|. None where no model of the sweep is penalised.
    l1: Float32[Tensor, " instance"] | None = None

    def __len__(self) -> int:
        return len(self.importance)

    def __getitem__(self, index: slice | Tensor) -> "Block":
        return self._each(lambda part: part[index])

    def to(self, device: torch.device) -> "Block":
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Any], Any]) -> "Block":
        parts = {k: v for k, v in vars(self).items() if isinstance(v, Tensor | Gates)}
        return replace(self, **{k: change(v) for k, v in parts.items()})


@runtime_checkable
class Engine(Protocol):
    """One block in training, and the precise loss of its models."""

    def __init__(self, block: Block, recipe: Recipe, parameters: Float32[Tensor, "instance size"]) -> None: ...

    parameters: Float32[Tensor, "instance size"]

    def advance(self, start: int, stop: int) -> None:
        """Takes steps [start, stop); every step once and in order."""
        ...

    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Mean of what is minimised over samples that are not empty, and its standard error; [instance] each.

        With ``coactive``, samples in which fewer than two features are on count as zero: their part of the loss has a
        closed form in the ReLU-output model. The draw is the same for every instance of every sweep
        (``EVALUATION_KEY``), so that restarts can be ranked.
        """
        ...

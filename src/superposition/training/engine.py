"""What a training engine is given, and what it must do.

``fused`` trains on a CPU, one compiled loop per architecture; ``captured`` trains on a GPU. ``autograd`` says in plain
PyTorch what they compute, and both are held against it. A step is AdamW's, for every parameter w with the gradient g at
step t, counted from 0:

    mean = β₁ mean + (1 - β₁) g,  square = β₂ square + (1 - β₂) g²
    w -= rate_t (weight_decay w + (mean / (1 - β₁^(t+1))) / (√(square / (1 - β₂^(t+1))) + ε))

A new key that says how models are trained is a field of ``Sweep``, with its name in ``sweep.TRAINING_KEYS``; if the
step depends on it, it is also a field of :class:`TrainingConfig`, and the engines use it. Then write the schema again:
``python -m superposition.pipeline.schema > workflow/schemas/config.schema.json``.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from superposition.core.features import Gates
from superposition.core.models import Model
from superposition.core.sweep import Sweep

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's usual constants, as in the authors' notebook
EVALUATION_KEY = (0, 0)


@dataclass(frozen=True)
class TrainingConfig:
    """What a step of training depends on: keys of the sweep's recipe, as they are there. The paper states none."""

    steps: int
    batch: int  # samples per step
    learning_rate: float
    schedule: Literal["cosine", "constant"]
    warmup: float  # share of the steps
    weight_decay: float

    @classmethod
    def of(cls, sweep: Sweep) -> "TrainingConfig":
        """That of a sweep."""
        return cls(**{field.name: getattr(sweep, field.name) for field in fields(cls)})

    def rates(self, start: int, stop: int) -> np.ndarray:
        """The learning rate of steps [start, stop), counted from 0; float32, [step].

        With a cosine it falls from the first step on, and would be 0 after the last. While it warms up, it is that
        times a share that rises in equal parts.
        """
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
        """The same on a device."""
        return self._each(lambda part: part.to(device))

    def _each(self, change: Callable[[Any], Any]) -> "Block":
        parts = {k: v for k, v in vars(self).items() if isinstance(v, Tensor | Gates)}
        return replace(self, **{k: change(v) for k, v in parts.items()})


@runtime_checkable
class Engine(Protocol):
    """One block in training, and the precise loss of its models."""

    def __init__(self, block: Block, recipe: TrainingConfig, parameters: Float32[Tensor, "instance size"]) -> None: ...

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

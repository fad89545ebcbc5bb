"""The interface of training engines: what an engine receives, and what it must do.

``fused`` trains on a CPU with one compiled loop per architecture; ``captured`` trains on a GPU. ``autograd`` is the
reference in plain PyTorch that the tests compare both with. A step t, counted from 0, is one of AdamW; for every
parameter w with gradient g:

    mean = β₁ mean + (1 - β₁) g,  square = β₂ square + (1 - β₂) g²
    w -= rate_t (weight_decay w + (mean / (1 - β₁^(t+1))) / (√(square / (1 - β₂^(t+1))) + ε))

To add a key that says how models are trained, add a field to ``Sweep``. If a step depends on it, add it to
:class:`TrainingConfig` as well, and let the engines use it. Then regenerate the schema:
``python -m superposition.pipeline.configuration.schema``.
"""

from dataclasses import dataclass, fields
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from superposition.core.experiment.sweep import Sweep
from superposition.core.features import Gates, Instances
from superposition.core.models import Model

# Adam's default constants, which the authors' notebook uses too.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
# The key of the samples on which losses are evaluated if a sweep has seed 0.
EVALUATION_KEY = (0, 0)


@dataclass(frozen=True)
class TrainingConfig:
    """The settings that a training step depends on, under the names they have in a sweep. The paper states none.

    Attributes:
        steps: Number of steps.
        batch: Samples per step.
        learning_rate: Peak learning rate.
        schedule: ``cosine`` falls to 0 at the end; ``constant`` does not fall.
        warmup: Share of the steps in which the learning rate rises linearly from 0.
        weight_decay: Decoupled weight decay.
    """

    steps: int
    batch: int
    learning_rate: float
    schedule: Literal["cosine", "constant"]
    warmup: float
    weight_decay: float

    @classmethod
    def of(cls, sweep: Sweep) -> "TrainingConfig":
        """Select those settings of a sweep that a training step depends on."""
        return cls(**{field.name: getattr(sweep, field.name) for field in fields(cls)})

    def rates(self, start: int, stop: int) -> np.ndarray:
        """Return the learning rates of steps [start, stop), counted from 0; float32, [step].

        The cosine falls from the first step and would reach 0 one step after the last. During warm-up the scheduled
        rate is multiplied by a factor that rises linearly to 1.
        """
        step = np.arange(start, stop)
        factor = 0.5 * (1 + np.cos(np.pi * step / self.steps)) if self.schedule == "cosine" else np.ones(len(step))
        if self.warmup:
            factor = factor * np.minimum(1, (step + 1) / (self.warmup * self.steps))
        return (self.learning_rate * factor).astype(np.float32)


@dataclass(frozen=True)
class Block(Instances):
    """Instances of one architecture that an engine trains together.

    Attributes:
        model: The architecture.
        gates: The feature distribution of every instance.
        importance: Importance of every feature.
        key: (seed, restart) of every instance; instances with the same key see the same draws.
        attack: Norm of the analytic attack, on a random feature of every sample, that an instance is trained against;
            None if no model of the sweep is attacked.
        l1: Weight of the penalty Σ|h|; None if no model of the sweep is penalised.
        noise: Standard deviation of the noise on hidden units; None if no model of the sweep has any.
        dropout: Share of the hidden units that are set to 0.
        evaluation_key: Key (seed, restart) of the samples on which losses are evaluated; their counter tells them from
            training samples.
    """

    model: Model
    gates: Gates
    importance: Float32[Tensor, "instance n"]
    key: Int64[Tensor, "instance 2"]
    attack: Float32[Tensor, " instance"] | None = None
    l1: Float32[Tensor, " instance"] | None = None
    noise: Float32[Tensor, " instance"] | None = None
    dropout: float = 0.0
    evaluation_key: tuple[int, int] = EVALUATION_KEY

    def __len__(self) -> int:
        return len(self.importance)


@runtime_checkable
class Engine(Protocol):
    """The training of one block, and the evaluation of its models."""

    def __init__(self, block: Block, config: TrainingConfig, parameters: Float32[Tensor, "instance size"]) -> None: ...

    parameters: Float32[Tensor, "instance size"]

    def advance(self, start: int, stop: int) -> None:
        """Take steps [start, stop). Every step must be taken once, in order."""
        ...

    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the mean of the minimised loss over samples that are not all-zero.

        The samples are the same for every instance of every sweep (see ``Block``), so that restarts can be ranked.

        Args:
            samples: Number of samples.
            coactive: Whether samples with fewer than two active features count as zero, because their share of the loss
                has a closed form in the ReLU-output model.

        Returns:
            The mean and its standard error, [instance] each.
        """
        ...


def moments(
    total: Float64[np.ndarray, " instance"], square: Float64[np.ndarray, " instance"], samples: int
) -> tuple[Float64[np.ndarray, " instance"], Float64[np.ndarray, " instance"]]:
    """Return the mean over samples and its standard error, from the sums of values and of their squares."""
    mean = total / samples
    return mean, np.sqrt(np.maximum(square / samples - mean**2, 0) / samples)

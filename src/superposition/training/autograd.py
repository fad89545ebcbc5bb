"""The reference engine: plain PyTorch on any device, with gradients by autograd. Tests compare the others with it."""

import math
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from superposition.core import draws, features
from superposition.core.models import attack_directions
from superposition.training.engine import BETA1, BETA2, EPSILON, Block, TrainingConfig, moments

# Largest number of elements in one tensor during evaluation, so that tensors stay in the cache of a CPU.
EVALUATION_CHUNK = 2**20


class Autograd:
    """The reference :class:`superposition.training.engine.Engine`. It computes in the precision of its weights."""

    def __init__(self, block: Block, config: TrainingConfig, parameters: Float[Tensor, "instance size"]) -> None:
        self.block, self.config = block, config
        self.parameters = parameters.clone().requires_grad_()
        self.streams, self.stream_of = torch.unique(block.key, dim=0, return_inverse=True)
        self.evaluation_key = torch.tensor([block.evaluation_key], device=parameters.device)
        # After the rows of the gates come two for each noisy hidden unit, and one for each that may be dropped. Under
        # attacks, a last row of random numbers says which feature is attacked.
        per_unit = 2 * (block.noise is not None) + (block.dropout > 0)
        self.rows = block.gates.rows + per_unit * block.model.m + (block.attack is not None)

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """PyTorch's AdamW with the training configuration."""
        return torch.optim.AdamW(
            [self.parameters],
            lr=self.config.learning_rate,
            betas=(BETA1, BETA2),
            eps=EPSILON,
            weight_decay=self.config.weight_decay,
        )

    def draw(self, step: int | Int64[Tensor, "1"]) -> Float32[Tensor, "stream row sample"]:
        """Return the numbers that a step takes; instances with the same key share a stream."""
        return draws.uniforms(self.streams, self.rows, 0, self.config.batch, step, draws.TRAINING)

    def objective(
        self, parameters: Float[Tensor, "instance size"], step: int | Int64[Tensor, "1"]
    ) -> Float[Tensor, " instance"]:
        """Return the loss of each instance for one batch.

        Training differentiates the sum over instances: a mean over thousands of models would push gradients below
        Adam's epsilon.
        """
        return self.batch_loss(parameters, self.draw(step))

    def batch_loss(
        self, parameters: Float[Tensor, "instance size"], drawn: Float32[Tensor, "stream row sample"]
    ) -> Float[Tensor, " instance"]:
        """Return the loss of the batch that is made of these numbers."""
        gates = self.block.gates
        uniform = drawn[self.stream_of]
        x, weight = features.training_batch(gates, uniform[:, : gates.rows])
        return (weight.to(parameters.dtype) * self._loss(parameters, x, uniform)).sum(-1)

    def _loss(
        self,
        parameters: Float[Tensor, "instance size"],
        x: Float[Tensor, "instance sample n"],
        uniform: Float[Tensor, "instance row sample"],
    ) -> Float[Tensor, "instance sample"]:
        """Return the loss of each sample, under the attack and with the penalty where there are any.

        An attack is part of the input: no gradient flows through it.
        """
        block, dtype = self.block, parameters.dtype
        p = block.model.unpack(parameters)
        x = given = x.to(dtype)
        # What a sweep does not ask for is not passed, so that the loss of a custom model needs no arguments for it.
        changed: dict[str, Any] = {}
        if block.attack is not None:
            attacks = block.attack.to(dtype)[:, None, None] * attack_directions(p["W"].detach())
            attacked = (uniform[:, -1] * block.model.n).long().clamp_max(block.model.n - 1)
            changed["model_input"] = given = x + attacks.gather(1, attacked[:, :, None].expand_as(x))
        if block.noise is not None or block.dropout:
            changed["disturb"] = partial(self._disturb, uniform=uniform[:, block.gates.rows :].to(dtype))
        loss = block.model.loss(p, x, block.importance.to(dtype), **changed)
        if block.l1 is not None:
            loss = loss + block.l1.to(dtype)[:, None] * block.model.hidden(p, given).abs().sum(-1)
        return loss

    def _disturb(
        self, h: Float[Tensor, "instance sample m"], uniform: Float[Tensor, "instance row sample"]
    ) -> Float[Tensor, "instance sample m"]:
        """Add noise to the hidden units, and drop some of them, by these random numbers."""
        block, m = self.block, self.block.model.m
        if block.noise is not None:
            radius, angle = torch.sqrt(-2 * torch.log1p(-uniform[:, :m])), 2 * math.pi * uniform[:, m : 2 * m]
            h = h + block.noise.to(h.dtype)[:, None, None] * (radius * torch.cos(angle)).mT
            uniform = uniform[:, 2 * m :]
        if block.dropout:
            h = torch.where(uniform[:, :m].mT < block.dropout, 0.0, h / (1 - block.dropout))
        return h

    def advance(self, start: int, stop: int) -> None:
        for step, rate in zip(range(start, stop), self.config.rates(start, stop), strict=True):
            self.optimizer.param_groups[0]["lr"] = float(rate)
            self.optimizer.zero_grad()
            self.objective(self.parameters, step).sum().backward()
            self.optimizer.step()

    @torch.no_grad()
    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        total = torch.zeros(len(self.block), dtype=torch.float64, device=self.parameters.device)
        square = torch.zeros_like(total)
        chunk = max(1, EVALUATION_CHUNK // (len(self.block) * self.rows))
        for first in range(0, samples, chunk):
            loss = self.drawn_losses(first, min(chunk, samples - first), coactive)
            total += loss.sum(-1)
            square += (loss**2).sum(-1)
        return moments(total.cpu().numpy(), square.cpu().numpy(), samples)

    def drawn_losses(
        self, first: int | Int64[Tensor, "1"], count: int, coactive: bool
    ) -> Float64[Tensor, "instance sample"]:
        """Return the losses of samples ``first`` to ``first + count`` of the draw that ranks the models."""
        gates = self.block.gates
        uniform = draws.uniforms(self.evaluation_key, self.rows, first, count, 0, draws.EVALUATION).expand(
            len(self.block), -1, -1
        )
        x = features.nonempty(gates, uniform[:, : gates.rows])
        loss = self._loss(self.parameters, x, uniform).double()
        return loss * ((x != 0).sum(-1) > 1) if coactive else loss

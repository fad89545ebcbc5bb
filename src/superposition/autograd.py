"""The PyTorch engine: any device, gradients by autograd."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from superposition import draws, features
from superposition.engine import BETA1, BETA2, EPSILON, EVALUATION_KEY, Block, Recipe

EVALUATION_CHUNK = 2**24  # numbers in one tensor while evaluating


class Autograd:
    """See :class:`superposition.engine.Engine`. Works in the precision of ``parameters``."""

    def __init__(self, block: Block, recipe: Recipe, parameters: Float[Tensor, "instance size"]) -> None:
        self.block, self.recipe = block, recipe
        self.parameters = parameters.clone().requires_grad_()
        self.optimizer = torch.optim.AdamW(
            [self.parameters],
            lr=recipe.learning_rate,
            betas=(BETA1, BETA2),
            eps=EPSILON,
            weight_decay=recipe.weight_decay,
        )
        self.streams, self.stream_of = torch.unique(block.key, dim=0, return_inverse=True)

    def objective(self, step: int) -> Tensor:
        """The loss of one batch, [instance]. The sum over instances is what is differentiated: a mean over
        thousands of models would push the gradients under Adam's epsilon."""
        gates = self.block.gates
        uniform = draws.uniforms(self.streams, gates.rows, 0, self.recipe.batch, step, draws.TRAINING)
        x, weight = features.training_batch(gates, uniform[self.stream_of])
        p = self.block.model.unpack(self.parameters)
        dtype = self.parameters.dtype
        return (weight.to(dtype) * self.block.model.loss(p, x.to(dtype), self.block.importance.to(dtype))).sum(-1)

    def advance(self, start: int, stop: int) -> None:
        for step, rate in zip(range(start, stop), self.recipe.rates(start, stop), strict=True):
            self.optimizer.param_groups[0]["lr"] = float(rate)
            self.optimizer.zero_grad()
            self.objective(step).sum().backward()
            self.optimizer.step()

    @torch.no_grad()
    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        model, gates = self.block.model, self.block.gates
        p = model.unpack(self.parameters)
        total = torch.zeros(len(self.block), dtype=torch.float64, device=self.parameters.device)
        square = torch.zeros_like(total)
        key = torch.tensor([EVALUATION_KEY], device=self.parameters.device)
        chunk = max(1, EVALUATION_CHUNK // (len(self.block) * gates.rows))
        for first in range(0, samples, chunk):
            uniform = draws.uniforms(key, gates.rows, first, min(chunk, samples - first), 0, draws.EVALUATION)
            x = features.nonempty(gates, uniform.expand(len(self.block), -1, -1))
            loss = model.loss(p, x.to(self.parameters.dtype), self.block.importance.to(self.parameters.dtype)).double()
            if coactive:
                loss = loss * ((x != 0).sum(-1) > 1)
            total += loss.sum(-1)
            square += (loss**2).sum(-1)
        mean = (total / samples).cpu().numpy()
        variance = np.maximum((square / samples).cpu().numpy() - mean**2, 0)
        return mean, np.sqrt(variance / samples)

"""Adversarial perturbations of a model's input (paper: "The relationship to adversarial robustness").

One model at a time: ReLU output, features of importance 1, x' = ReLU(WᵀW(x + δ) + b), and Σ_i (x_i - x'_i)² is asked of
the unperturbed x. A perturbation is one for all samples, unless it says otherwise.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from superposition.features import Gates, nonempty
from superposition.models import attack_directions
from superposition.weights import Trained

FEW = 512  # samples by which attacks are ranked
CANDIDATES = 4  # that are then measured with all samples


@dataclass(frozen=True)
class Target:
    """A model, and samples of its input. ``counted``: the features whose errors count, and which may be perturbed."""

    W: Float[Tensor, "m n"]
    b: Float[Tensor, " n"]
    x: Float[Tensor, "sample n"]  # none of them empty, but the last
    share: Float[Tensor, " sample"]  # the weight of a sample; the last is the empty one, with its probability
    counted: Bool[Tensor, " n"]

    @cached_property
    def unperturbed(self) -> Float[Tensor, "sample n"]:
        """What goes into the output's ReLU."""
        return self.x @ self.W.mT @ self.W + self.b

    def loss(self, delta: Float[Tensor, "#sample n"]) -> Float[Tensor, ""]:
        """Expected loss under a perturbation."""
        out = torch.relu(self.unperturbed + delta @ self.W.mT @ self.W)
        return (self.share @ (out - self.x) ** 2) @ self.counted.to(out.dtype)

    def of_few(self) -> "Target":
        """The same with the first samples alone, and the empty one."""
        if len(self.x) <= FEW + 1:
            return self
        share = self.share[:FEW] * ((1 - self.share[-1]) / self.share[:FEW].sum())
        x = torch.cat([self.x[:FEW], self.x[-1:]])
        return replace(self, x=x, share=torch.cat([share, self.share[-1:]]))

    @property
    def norm(self) -> float:
        """The mean input norm."""
        return float((self.share * self.x.norm(dim=1)).sum())

    def directions(self) -> Float[Tensor, "attack n"]:
        """The paper's analytic attacks, unit vectors: (WᵀW)_i / ‖(WᵀW)_i‖ for every feature that counts."""
        out = self.W.new_zeros(int(self.counted.sum()), self.W.shape[1])
        out[:, self.counted] = attack_directions(self.W[:, self.counted])
        return out

    def rises(self, deltas: Float[Tensor, "attack n"]) -> Float[Tensor, " attack"]:
        """By how much each perturbation raises the loss."""
        none = self.loss(torch.zeros_like(deltas[:1]))
        return torch.stack([self.loss(delta[None]) for delta in deltas]) - none

    def worst(self, deltas: Float[Tensor, "attack n"]) -> float:
        """The largest rise: the attacks are ranked by few samples, and the first of them measured with all."""
        ranked = self.of_few().rises(deltas).argsort(descending=True)[:CANDIDATES]
        return float(self.rises(deltas[ranked]).max())


def target(trained: Trained, point: int, samples: int) -> Target:
    """The best model at a point, with samples of its input; the same samples for the same density and n."""
    sweep, best = trained.sweep, trained.best()
    gates = Gates.of(sweep.densities()[[point]], [sweep.distributions()[point]], has_sets=False)
    uniform = torch.rand(1, sweep.n, samples, generator=torch.Generator().manual_seed(0))
    x = torch.cat([nonempty(gates, uniform)[0], torch.zeros(1, sweep.n)])
    some = gates.any_from[0, 0]
    share = torch.cat([torch.full((samples,), float(some) / samples), gates.empty[:1]])
    W, b = best["W"][point].float(), best["b"][point].float()
    return Target(W, b, x, share, torch.ones(sweep.n, dtype=torch.bool))


def ascend(
    target: Target, start: Float[Tensor, "attack n"], size: float, steps: int, per_sample: bool = False
) -> float:
    """Projected gradient ascent on the sphere of perturbations of one size: the largest rise that it finds.

    Every step goes to where the gradient points, so it needs no step size. ``per_sample``: every sample has a
    perturbation of its own, which starts as the first that is given.
    """
    starts = [start[:1].expand_as(target.x)] if per_sample else [one[None] for one in start]
    none, best = float(target.loss(torch.zeros_like(start[:1]))), -torch.inf
    for delta in starts:
        here = size * delta / delta.norm(dim=1, keepdim=True).clamp_min(1e-12)
        for step in range(steps + 1):
            here = here.detach().requires_grad_(step < steps)
            loss = target.loss(here)
            best = max(best, float(loss.detach()) - none)
            if step < steps:
                (gradient,) = torch.autograd.grad(loss, here)
                gradient = gradient * target.counted
                length = gradient.norm(dim=1, keepdim=True)
                here = torch.where(length > 0, size * gradient / length.clamp_min(1e-30), here)
    return best

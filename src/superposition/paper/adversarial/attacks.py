"""Adversarial perturbations of a model's input (paper: "The relationship to adversarial robustness").

One model at a time: ReLU output, features of importance 1, x' = ReLU(WᵀW(x + δ) + b), and Σ_i (x_i - x'_i)² is asked of
the unperturbed x. A perturbation is one for all samples, unless it says otherwise.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from superposition.core import features
from superposition.core.models import attack_directions
from superposition.core.weights import SweepResult

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
        error2 = (self.unperturbed + delta @ self.W.mT @ self.W).relu_().sub_(self.x).square_()
        return self.share @ error2 @ self.counted.to(error2.dtype)

    @cached_property
    def unattacked(self) -> Float[Tensor, ""]:
        """The loss without a perturbation."""
        return self.loss(torch.zeros_like(self.x[:1]))

    @property
    def norm(self) -> float:
        """The mean input norm."""
        return float((self.share * self.x.norm(dim=1)).sum())

    def directions(self) -> Float[Tensor, "attack n"]:
        """The paper's analytic attacks, unit vectors: (WᵀW)_i / ‖(WᵀW)_i‖ for every feature that counts."""
        out = self.W.new_zeros(int(self.counted.sum()), self.W.shape[1])
        out[:, self.counted] = attack_directions(self.W[:, self.counted])
        return out

    @cached_property
    def few(self) -> "Target":
        """The same with the first samples alone, and the empty one."""
        if len(self.x) <= FEW + 1:
            return self
        share = self.share[:FEW] * ((1 - self.share[-1]) / self.share[:FEW].sum())
        x = torch.cat([self.x[:FEW], self.x[-1:]])
        return replace(self, x=x, share=torch.cat([share, self.share[-1:]]))

    def ranked(self, deltas: Float[Tensor, "attack n"]) -> Float[Tensor, "attack n"]:
        """The perturbations in order, that which raises the loss the most first; by few samples."""
        return deltas[self.few.climb(deltas)[0].argsort(descending=True)]

    def worst(self, deltas: Float[Tensor, "attack n"]) -> float:
        """The largest rise of the loss: the attacks are ranked, and the first of them measured with all samples."""
        losses = torch.stack([self.loss(delta[None]) for delta in self.ranked(deltas)[:CANDIDATES]])
        return float((losses - self.unattacked).max())

    def climb(
        self, deltas: Float[Tensor, "attack n"]
    ) -> tuple[Float64[Tensor, " attack"], Float64[Tensor, "attack n"]]:
        """The rise that each perturbation makes, and its gradient.

        A perturbation shifts what goes into an output's ReLU, all samples alike. The loss of those above 0 is quadratic
        in the shift: their sums, by where the shift comes to among them, are all that it takes.
        """
        W, counted = self.W.double(), self.counted.double()[:, None]
        shift = torch.nn.functional.pad((deltas.double() @ W.mT @ W).mT, (0, 1))  # the last: none
        kinks, sums = self._outputs
        square, linear, share = sums.gather(2, torch.searchsorted(kinks, shift.contiguous()).expand(3, -1, -1))
        loss = (counted * (square + 2 * shift * linear + shift**2 * share)).sum(0)
        slope = (2 * counted * (linear + shift * share)).mT @ W.mT @ W
        return loss[:-1] - loss[-1], slope[:-1]

    @cached_property
    def _outputs(self) -> tuple[Float64[Tensor, "n sample"], Float64[Tensor, "3 n place"]]:
        """By output: the shifts beyond which its samples are above 0, in order; and over the samples before each place
        the sums of u² - 2ux, u - x and 1, weighted, where u goes into the ReLU and is to be x."""
        u, x = self.unperturbed.T.double(), self.x.T.double()
        order = torch.from_numpy(np.argsort(-u.numpy(), axis=1))
        u, x, share = u.gather(1, order), x.gather(1, order), self.share.double()[order]
        sums = torch.stack([share * u * (u - 2 * x), share * (u - x), share]).cumsum(-1)
        return -u, torch.nn.functional.pad(sums, (1, 0))

    def climb_each(self, deltas: Float[Tensor, "sample n"]) -> tuple[Float[Tensor, ""], Float[Tensor, "sample n"]]:
        """The rise where every sample has a perturbation of its own, and the gradients: their directions alone."""
        output = (self.unperturbed + deltas @ self.W.mT @ self.W).relu_()
        error = (output - self.x).mul_(self.counted)
        rise = (self.share @ error.square()).sum() - self.unattacked
        return rise, error.mul_(output.sign_()) @ self.W.mT @ self.W


def target(trained: SweepResult, point: int, samples: int) -> Target:
    """The best model at a point, with samples of its input; the same samples for the same density and n."""
    sweep, best = trained.sweep, trained.best()
    gates, x = features.samples(sweep, point, samples)
    x = torch.cat([x, torch.zeros(1, sweep.n)])
    some = gates.any_from[0, 0]
    share = torch.cat([torch.full((samples,), float(some) / samples), gates.all_zero_probability[:1]])
    W, b = best["W"][point].float(), best["b"][point].float()
    return Target(W, b, x, share, torch.ones(sweep.n, dtype=torch.bool))


def ascend(
    target: Target, start: Float[Tensor, "attack n"], size: float, steps: int, per_sample: bool = False
) -> float:
    """Projected gradient ascent on the sphere of perturbations of one size: the largest rise that it finds.

    Every step goes to where the gradient points, so it needs no step size. ``per_sample``: every sample has a
    perturbation of its own, which starts as the first that is given.
    """
    here, best = (start[:1].expand_as(target.x) if per_sample else start), -torch.inf
    climb = target.climb_each if per_sample else target.climb
    for _ in range(steps + 1):
        here = size * torch.nn.functional.normalize(here, dim=1)
        rise, gradient = climb(here)
        best = max(best, float(rise.max()))
        gradient = gradient * target.counted
        here = torch.where(gradient.any(dim=1, keepdim=True), gradient, here)
    return best

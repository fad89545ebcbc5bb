"""Adversarial perturbations of a model's input (paper: "The relationship to adversarial robustness").

A model with ReLU output and features of importance 1 sees x' = ReLU(WᵀW(x + δ) + b), and its loss is Σ_i (x_i - x'_i)²
with the unperturbed x. Unless otherwise noted, one perturbation δ is common to all samples.
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

# Samples by which attacks are ranked.
RANKING_SAMPLES = 512
# The attacks of the highest ranks, whose losses are measured with all samples.
CANDIDATES = 4


@dataclass(frozen=True)
class Target:
    """A model under attack, with weighted samples of its input.

    Attributes:
        W: Weights of the model.
        b: Bias of the model.
        x: Samples of the input; the last is the all-zero sample, the others are not.
        share: Weight of every sample; the all-zero sample weighs as much as its probability.
        counted: The features whose errors count and which may be perturbed.
    """

    W: Float[Tensor, "m n"]
    b: Float[Tensor, " n"]
    x: Float[Tensor, "sample n"]
    share: Float[Tensor, " sample"]
    counted: Bool[Tensor, " n"]

    @cached_property
    def preactivation(self) -> Float[Tensor, "sample n"]:
        """Input of the output's ReLU without a perturbation."""
        return self.x @ self.W.mT @ self.W + self.b

    def loss(self, delta: Float[Tensor, "#sample n"]) -> Float[Tensor, ""]:
        """Return the expected loss under a perturbation."""
        error2 = (self.preactivation + delta @ self.W.mT @ self.W).relu_().sub_(self.x).square_()
        return self.share @ error2 @ self.counted.to(error2.dtype)

    @cached_property
    def clean_loss(self) -> Float[Tensor, ""]:
        """Expected loss without a perturbation."""
        return self.loss(torch.zeros_like(self.x[:1]))

    @property
    def mean_norm(self) -> float:
        """Mean norm of the input."""
        return float((self.share * self.x.norm(dim=1)).sum())

    def analytic_attacks(self) -> Float[Tensor, "attack n"]:
        """Return the paper's analytic attacks: the unit vectors (WᵀW)_i / ‖(WᵀW)_i‖ of the features that count."""
        out = self.W.new_zeros(int(self.counted.sum()), self.W.shape[1])
        out[:, self.counted] = attack_directions(self.W[:, self.counted])
        return out

    @cached_property
    def ranking_subset(self) -> "Target":
        """A target with only the first samples and the all-zero one, by which attacks are ranked."""
        if len(self.x) <= RANKING_SAMPLES + 1:
            return self
        share = self.share[:RANKING_SAMPLES] * ((1 - self.share[-1]) / self.share[:RANKING_SAMPLES].sum())
        x = torch.cat([self.x[:RANKING_SAMPLES], self.x[-1:]])
        return replace(self, x=x, share=torch.cat([share, self.share[-1:]]))

    def rank(self, deltas: Float[Tensor, "attack n"]) -> Float[Tensor, "attack n"]:
        """Sort perturbations by how much they raise the loss of the subset of samples, the most effective first."""
        return deltas[self.ranking_subset.rise_and_gradient(deltas)[0].argsort(descending=True)]

    def worst_rise(self, deltas: Float[Tensor, "attack n"]) -> float:
        """Return the largest rise of the loss; all attacks are ranked, but only the first measured with all samples."""
        losses = torch.stack([self.loss(delta[None]) for delta in self.rank(deltas)[:CANDIDATES]])
        return float((losses - self.clean_loss).max())

    def best_rise_per_sample(self, deltas: Float[Tensor, "attack n"]) -> float:
        """Return the rise of the loss if every sample is attacked with the perturbation that is worst for it."""
        counted, shifts = self.counted.to(self.x.dtype), deltas @ self.W.mT @ self.W
        losses = [(self.preactivation + shift).relu_().sub_(self.x).square_() @ counted for shift in shifts]
        return float(self.share @ torch.stack(losses).max(dim=0).values - self.clean_loss)

    def rise_and_gradient(
        self, deltas: Float[Tensor, "attack n"]
    ) -> tuple[Float64[Tensor, " attack"], Float64[Tensor, "attack n"]]:
        """Return the rise of the loss under each perturbation, and its gradient.

        A perturbation shifts the preactivations of an output by the same amount in all samples. The loss of the samples
        that the ReLU lets pass is quadratic in the shift, so sums over these samples suffice; which samples they are
        follows from the position of the shift among the sorted preactivations.
        """
        W, counted = self.W.double(), self.counted.double()[:, None]
        # The last column is the shift by no perturbation.
        shift = torch.nn.functional.pad((deltas.double() @ W.mT @ W).mT, (0, 1))
        kinks, sums = self._sorted_outputs
        square, linear, share = sums.gather(2, torch.searchsorted(kinks, shift.contiguous()).expand(3, -1, -1))
        loss = (counted * (square + 2 * shift * linear + shift**2 * share)).sum(0)
        slope = (2 * counted * (linear + shift * share)).mT @ W.mT @ W
        return loss[:-1] - loss[-1], slope[:-1]

    @cached_property
    def _sorted_outputs(self) -> tuple[Float64[Tensor, "n sample"], Float64[Tensor, "3 n place"]]:
        """Shifts at which the samples of each output become positive, and cumulative sums over the samples in order.

        With u the preactivation of an output and x its target, the sums before each place are those of u² - 2ux, u - x
        and 1, weighted with the samples' shares.
        """
        u, x = self.preactivation.T.double(), self.x.T.double()
        order = torch.from_numpy(np.argsort(-u.numpy(), axis=1))
        u, x, share = u.gather(1, order), x.gather(1, order), self.share.double()[order]
        sums = torch.stack([share * u * (u - 2 * x), share * (u - x), share]).cumsum(-1)
        return -u, torch.nn.functional.pad(sums, (1, 0))

    def rise_and_gradient_per_sample(
        self, deltas: Float[Tensor, "sample n"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "sample n"]]:
        """Return the rise if every sample has its own perturbation, and the gradients up to positive factors."""
        output = (self.preactivation + deltas @ self.W.mT @ self.W).relu_()
        error = (output - self.x).mul_(self.counted)
        rise = (self.share @ error.square()).sum() - self.clean_loss
        return rise, error.mul_(output.sign_()) @ self.W.mT @ self.W


def make_target(trained: SweepResult, point: int, samples: int) -> Target:
    """Build the target for the best model at a point; the same density and n always give the same samples."""
    sweep, best = trained.sweep, trained.best()
    gates, x = features.samples(sweep, point, samples)
    x = torch.cat([x, torch.zeros(1, sweep.n)])
    any_active = gates.any_from[0, 0]
    share = torch.cat([torch.full((samples,), float(any_active) / samples), gates.all_zero_probability[:1]])
    W, b = best["W"][point].float(), best["b"][point].float()
    return Target(W, b, x, share, torch.ones(sweep.n, dtype=torch.bool))


def gradient_ascent(
    target: Target, start: Float[Tensor, "attack n"], size: float, steps: int, per_sample: bool = False
) -> float:
    """Maximise the rise of the loss over perturbations of a given size, by projected gradient ascent on the sphere.

    Every step moves to the point of the sphere in the direction of the gradient, so there is no step size to choose.

    Args:
        target: The model under attack.
        start: Perturbations to start from; rescaled to ``size``.
        size: Norm of the perturbations.
        steps: Number of steps.
        per_sample: Whether every sample has its own perturbation, starting from the first one of ``start``.

    Returns:
        The largest rise found.
    """
    delta, best = (start[:1].expand_as(target.x) if per_sample else start), -torch.inf
    rise_and_gradient = target.rise_and_gradient_per_sample if per_sample else target.rise_and_gradient
    for _ in range(steps + 1):
        delta = size * torch.nn.functional.normalize(delta, dim=1)
        rise, gradient = rise_and_gradient(delta)
        best = max(best, float(rise.max()))
        gradient = gradient * target.counted
        delta = torch.where(gradient.any(dim=1, keepdim=True), gradient, delta)
    return best

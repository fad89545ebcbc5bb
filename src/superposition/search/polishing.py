"""Polishing of models from given parameters, and comparison of their losses on the same draws."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from superposition.core.experiment.grid import MAX_REPLICATES
from superposition.core.experiment.sweep import Sweep
from superposition.search.conditions import Family
from superposition.search.constructions import Candidate
from superposition.search.weighted import is_rare, is_small, rarity, several_share, spread, weighted_losses
from superposition.training.blocks import BLOCK_STATE, Plan
from superposition.training.engine import TrainingConfig
from superposition.training.evaluation import analytic_loss, has_closed_form, is_exact
from superposition.training.fused import Fused

# Feature values in a step of polishing, and the smallest number of samples.
STEP_VALUES, MIN_BATCH = 2**15, 512
# Where rare samples decide between features of very unequal cost, so many times more steps and samples are needed.
MORE_STEPS, MORE_SAMPLES, DELICATE_SPREAD = 2, 4, 3
# The first word of the key of the samples that models are polished on, plus the seed of the sweep; no stream of
# training has as large a number.
POLISHING_SEED = 2**32 - 1
# The independent groups of draws whose scatter gives the errors of differences between losses.
GROUPS = 16
# The first word of the keys of these draws is that of the draws on which training ranks models, plus this and the
# number of the stream; the second word is the number of the group.
EVALUATION_SEED = 1
# The largest number of feature values on which a model is evaluated.
MAX_VALUES = 2**27
# If more than this share of the samples that are not all-zero have several active features, the closed form of the
# loss of the others is not worth its time.
CROWDED = 0.9
# The number of feature values that one in a weighted sample is worth.
WORTH = 8
USUAL_EVALUATION = Sweep.model_fields["evaluation"].default
# Losses are compared in units of the lower one, but not of less than this share of the loss of a model that drops every
# feature: under some conditions the best model has no loss at all.
LEAST_LOSS = 1e-4
# Models that are handled together.
PIECE = 64


class Draws(NamedTuple):
    """How many samples losses are compared on, all groups together.

    Attributes:
        samples: The least number of samples that matter.
        values: The least number of feature values in these; fewer if samples start from pairs of active features.
        small: The number of samples of small models, a power of 2.
    """

    samples: int
    values: int
    small: int


class Course(NamedTuple):
    """How models are polished.

    Attributes:
        share: The number of steps, over that of the sweep.
        limit: The largest number of steps.
        batch: The least number of samples in a step.
        rate: The learning rate, over that of the sweep; it falls to 0 along a cosine.
        warmup: The share of the steps during which the rate rises.
    """

    share: float
    limit: int
    batch: int = MIN_BATCH
    rate: float = 0.3
    warmup: float = 0.0


@dataclass(frozen=True)
class Bench:
    """The conditions of a family, with the means to polish models and to compare their losses there.

    Attributes:
        family: The conditions.
        pool: The threads that do the work.
        known: The losses that are known, so that no model is evaluated twice on the same draws.
    """

    family: Family
    pool: ThreadPoolExecutor
    known: dict[tuple[int, bytes, Draws, int], Float64[np.ndarray, " group"]] = field(default_factory=dict)

    def polish(self, candidates: Sequence[Candidate], course: Course, stream: int) -> list[Candidate]:
        """Train candidates further, at a falling learning rate.

        Args:
            candidates: The models.
            course: How they are trained.
            stream: Number of the stream of samples.
        """

        def train(plan: Plan, points: np.ndarray, parameters: Tensor) -> Tensor:
            sweep, delicate = plan.sweep, _is_delicate(plan, int(points[0]))
            config = TrainingConfig(
                steps=max(1, min(course.limit, round((MORE_STEPS if delicate else 1) * course.share * sweep.steps))),
                batch=(MORE_SAMPLES if delicate else 1) * max(course.batch, STEP_VALUES // sweep.n),
                learning_rate=course.rate * sweep.learning_rate,
                schedule="cosine",
                warmup=course.warmup,
                weight_decay=0.0,
            )
            # All models see the same samples.
            key = torch.tensor([[POLISHING_SEED - sweep.seed, stream]]).expand(len(points), -1)
            engine = Fused(replace(plan.block(points), key=key), config, parameters.float())
            engine.advance(0, config.steps)
            return engine.parameters

        polished = self._by_plan(train, candidates)
        return [
            Candidate(c.condition, c.source.removesuffix(", polished") + ", polished", p)
            for c, p in zip(candidates, polished, strict=True)
        ]

    def losses(
        self, candidates: Sequence[Candidate], draws: Draws, stream: int
    ) -> Float64[np.ndarray, "candidate group"]:
        """Return expected losses on groups of draws that all candidates share; infinite for models that diverged.

        Args:
            candidates: The models; those of a condition that are given together are evaluated together.
            draws: How much is drawn.
            stream: Number of the stream of samples.
        """
        keys = [(c.condition, _digest(c.parameters), draws, stream) for c in candidates]
        missing = {key: c for key, c in zip(keys, candidates, strict=True) if key not in self.known}
        found = self._by_plan(partial(_estimate_losses, draws, stream), [*missing.values()])
        for key, losses in zip(missing, found, strict=True):
            self.known[key] = np.nan_to_num(losses.numpy(), nan=np.inf)
        return np.array([self.known[key] for key in keys]).reshape(-1, GROUPS)

    def remember(self, candidates: Sequence[Candidate], losses: Sequence[float], draws: Draws, stream: int) -> None:
        """Take losses that are known exactly, which then are not estimated on these draws."""
        for c, loss in zip(candidates, losses, strict=True):
            self.known[c.condition, _digest(c.parameters), draws, stream] = np.full(GROUPS, loss)

    def gains(
        self,
        candidates: Sequence[Candidate],
        losses: Float64[np.ndarray, "candidate group"],
        over: Float64[np.ndarray, "candidate group"],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return by what share losses lie above others on the same draws, and the standard error of that share.

        Args:
            candidates: The models, or others under the same conditions.
            losses: Losses under these conditions.
            over: The losses that they are compared with.
        """
        least = LEAST_LOSS * np.array([self.family.conditions[c.condition].dropped for c in candidates])
        relative = (losses - over) / np.maximum(over.mean(axis=1), least)[:, None]
        return relative.mean(axis=1), standard_error(relative)

    def _by_plan(
        self, work: Callable[[Plan, np.ndarray, Tensor], Tensor], candidates: Sequence[Candidate]
    ) -> list[Tensor]:
        """Apply a function to pieces of the candidates; return a row for each candidate.

        A piece has one point of a plan where losses come from weighted samples, and otherwise points of one plan whose
        losses are computed alike, from the same number of samples.
        """
        conditions = [self.family.conditions[c.condition] for c in candidates]
        grouped = defaultdict(list)
        for number, (candidate, condition) in enumerate(zip(candidates, conditions, strict=True)):
            plan, point = condition.plan, condition.point
            weighted = is_small(plan, point) or is_rare(plan, point)
            kind = ("weighted", point) if weighted else (_factor(plan, point), _is_crowded(plan, point))
            grouped[condition.experiment, candidate.parameters.dtype, kind].append(number)
        pieces = []
        for numbers in grouped.values():
            size = max(1, min(PIECE, BLOCK_STATE // conditions[numbers[0]].model.size))
            pieces += [numbers[first : first + size] for first in range(0, len(numbers), size)]

        def run(piece: list[int]) -> Iterable[tuple[int, Tensor]]:
            parameters = torch.stack([candidates[k].parameters for k in piece])
            points = np.array([conditions[k].point for k in piece])
            return zip(piece, work(conditions[piece[0]].plan, points, parameters), strict=True)

        rows = dict(row for rows in self.pool.map(run, pieces) for row in rows)
        return [rows[number] for number in range(len(candidates))]


def standard_error(values: Float64[np.ndarray, "row group"]) -> Float64[np.ndarray, " row"]:
    """Return the standard error of means over groups of draws, from the scatter of the groups."""
    return values.std(axis=1, ddof=1) / GROUPS**0.5


def _estimate_losses(
    draws: Draws, stream: int, plan: Plan, points: np.ndarray, parameters: Float[Tensor, "model size"]
) -> Float64[Tensor, "model group"]:
    """Return expected losses of models at points of a plan, as :meth:`Bench.losses` says."""
    seed, point = plan.sweep.seed * MAX_REPLICATES + EVALUATION_SEED + stream, int(points[0])
    if not is_exact(plan.sweep) and is_small(plan, point):
        return weighted_losses(plan, point, parameters.float(), draws.small // GROUPS, GROUPS, seed)
    single = not _is_crowded(plan, point)
    analytic = analytic_loss(plan, points, parameters, single)[:, None].expand(-1, GROUPS)
    if is_exact(plan.sweep):
        return analytic
    # A sweep that ranks its initialisations on fewer values than most is compared on fewer values here, too.
    share = min(1, plan.sweep.evaluation / USUAL_EVALUATION) / GROUPS
    if is_rare(plan, point):
        count = max(2, round(share * max(draws.samples, draws.values / plan.sweep.n / WORTH)))
        return weighted_losses(plan, point, parameters.float(), count, GROUPS, seed)
    wanted = max(draws.samples, draws.values / plan.sweep.n) * _factor(plan, point)
    count = max(2, round(share * min(wanted, MAX_VALUES / plan.sweep.n)))
    block, config = plan.block(points), TrainingConfig.of(plan.sweep)
    drawn = []
    for group in range(GROUPS):
        engine = Fused(replace(block, evaluation_key=(seed, group)), config, parameters.float())
        drawn.append(engine.losses(count, single and has_closed_form(plan.sweep))[0])
    return analytic + block.gates.any_from[:, :1].double() * torch.from_numpy(np.stack(drawn, axis=1))


def _digest(parameters: Float[Tensor, " size"]) -> bytes:
    """Return a short name of a model's parameters."""
    return hashlib.blake2b(parameters.numpy().tobytes(), digest_size=16).digest()


def _is_delicate(plan: Plan, point: int) -> bool:
    """Return whether rare samples decide between features of very unequal cost."""
    return has_closed_form(plan.sweep) and is_rare(plan, point) and spread(plan, point) >= DELICATE_SPREAD


def _is_crowded(plan: Plan, point: int) -> bool:
    """Tell whether nearly all samples that are not all-zero have several active features."""
    return several_share(plan, point) > CROWDED


@cache
def _factor(plan: Plan, point: int) -> int:
    """Return how many times more samples are needed than if all mattered.

    It is a power of 2, so that similar conditions can be evaluated together.
    """
    return 2 ** round(np.log2((rarity if has_closed_form(plan.sweep) else spread)(plan, point)))

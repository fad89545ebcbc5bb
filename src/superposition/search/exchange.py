"""The search: conditions exchange their best models, and vary them, until none improves.

Everything is computed on the CPU, in pieces that do not depend on the number of threads.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.weights import SweepResult
from superposition.search.conditions import Condition, Family
from superposition.search.constructions import Candidate, carry_over, known_models, swap_features
from superposition.search.polishing import GROUPS, Bench, gains

# The initialisations at every point that take part, those with the lowest losses.
INITIALISATIONS = 3
# The variations of the best model of every condition that are tried in a round.
VARIATIONS = 12
# Steps of polishing, of every candidate and of the best ones of a condition: the share of those of the sweep, and the
# largest number.
TRIAL, FINAL = (1 / 20, 500), (1 / 10, 2000)
FINALISTS = 4
# Candidates whose loss exceeds the best by more than this share after the trial are given up.
MARGIN = 0.1
# A model replaces the best if its loss is lower by this share, and by two standard errors of the difference.
MIN_GAIN = 1e-4
MAX_ROUNDS = 6
# The numbers of samples on which losses are compared.
LEVELS = (2**14, 2**17, 2**20)
# Candidates of a condition that are compared on more samples than the fewest.
CHALLENGERS = 3
# Rounds without success after which the best model of a condition is not varied any further.
PATIENCE = 2


@dataclass
class Search:
    """The best models found so far.

    Attributes:
        bench: The conditions, with the means to polish and to compare.
        best: The best model of every condition.
        changed: The conditions whose best model is new since the last round.
        losses: The losses of the best models, by condition and level, as far as they are known.
    """

    bench: Bench
    best: dict[int, Candidate]
    changed: set[int]
    losses: dict[tuple[int, int], Float64[np.ndarray, " group"]] = field(default_factory=dict)

    def challenge(self, candidates: Sequence[Candidate]) -> tuple[np.ndarray, np.ndarray]:
        """Give every condition the best of these models if it beats what it has.

        Candidates race: those that are not clearly worse on few samples are compared on more and different ones, until
        they win, lose, or no more samples are allowed.

        Returns:
            By what share the losses of all candidates lie above those of the best models, and the standard errors; both
            on the fewest samples.
        """
        running, first = [*range(len(candidates))], None
        for level in range(len(LEVELS)):
            excess, error = self._compare([candidates[k] for k in running], level)
            first = first or (excess, error)
            won = excess < -np.maximum(MIN_GAIN, np.where(level == len(LEVELS) - 1, 2, 4) * error)
            for place in sorted(np.flatnonzero(won), key=lambda k: -excess[k]):
                self._replace(candidates[running[place]], level)
            lost = won | (excess > error) | (error < MIN_GAIN / 2)
            undecided = sorted(np.flatnonzero(~lost), key=lambda k: excess[k])
            count = defaultdict[int, int](int)
            running, previous = [], running
            for k in (previous[place] for place in undecided):
                count[candidates[k].condition] += 1
                running += [k] if count[candidates[k].condition] <= CHALLENGERS else []
            if not running:
                break
        return first

    def _compare(self, candidates: Sequence[Candidate], level: int) -> tuple[np.ndarray, np.ndarray]:
        missing = sorted({c.condition for c in candidates if (c.condition, level) not in self.losses})
        found = self.bench.losses([*(self.best[k] for k in missing), *candidates], LEVELS[level], level)
        self.losses |= {(k, level): loss for k, loss in zip(missing, found, strict=False)}
        of_best = [self.losses[c.condition, level] for c in candidates]
        return gains(found[len(missing) :], np.array(of_best).reshape(-1, GROUPS))

    def _replace(self, candidate: Candidate, level: int) -> None:
        """Make a candidate the best model of its condition."""
        k = candidate.condition
        self.best[k] = candidate
        self.changed.add(k)
        self.losses = {key: loss for key, loss in self.losses.items() if key[0] != k}

    def advance(self, candidates: Sequence[Candidate], number: int) -> None:
        """Polish all candidates for a short time, and the promising ones for longer."""
        tried = self.bench.polish(candidates, *TRIAL, stream=2 * number)
        excess, error = self.challenge(tried)
        finalists, count = [], defaultdict[int, int](int)
        for place in np.argsort(excess, kind="stable"):
            k = tried[place].condition
            if excess[place] < MARGIN + 2 * error[place] and count[k] < FINALISTS:
                count[k] += 1
                finalists.append(tried[place])
        self.challenge(self.bench.polish(finalists, *FINAL, stream=2 * number + 1))


def search(
    family: Family, trained: Mapping[str, SweepResult], pool: ThreadPoolExecutor
) -> list[Candidate]:
    """Search for the best model under every condition of a family.

    Args:
        family: The sweeps, and their conditions.
        trained: The trained models of every sweep.
        pool: The threads.

    Returns:
        The best model of every condition.
    """
    conditions, start = family.conditions, [*_trained_models(family, trained)]
    state = Search(Bench(family, pool), best={c.condition: c for c in reversed(start)}, changed=set(range(len(conditions))))
    solved = {c.condition for c in start if c.source == "exact optimum"}
    for k, condition in enumerate(conditions):
        if k not in solved:
            start += [Candidate(k, source, parameters) for source, parameters in known_models(condition)]
    state.challenge(start)
    searched = {k: [*family.neighbours(k)] for k, condition in enumerate(conditions) if not condition.solvable}
    failures = dict.fromkeys(searched, 0)
    for number in range(MAX_ROUNDS):
        import time; t=time.time()
        before, state.changed = state.changed, set()
        carried = [c for k, near in searched.items() for c in _carried(state, k, [j for j in near if j in before])]
        state.challenge(carried)
        varied = [c for k in searched if failures[k] < PATIENCE for c in _varied(state.best[k], conditions[k], number)]
        fresh = [c for c in start if c.condition in searched] if number == 0 else []
        if not (candidates := fresh + carried + varied):
            break
        state.advance(candidates, number)
        failures = {k: 0 if k in state.changed else failures[k] + 1 for k in searched}
        print(f"round {number}: {len(candidates)} candidates ({len(carried)} carried), {len(state.changed)} changed, {time.time() - t:.1f} s",flush=True)
    return [state.best[k] for k in range(len(conditions))]


def _trained_models(family: Family, trained: Mapping[str, SweepResult]) -> list[Candidate]:
    """Return the best initialisations at every point of all sweeps."""
    found = []
    for name, models in trained.items():
        flat = models.model.pack(models.parameters)
        source = "exact optimum" if models.sweep.solver == "exact" else name
        ranked = models.loss.argsort(dim=1, stable=True)[:, : 1 if models.sweep.exactly_solvable else INITIALISATIONS]
        for point, k in enumerate(family.of_point[name]):
            found += [Candidate(k, source, flat[point, r]) for r in ranked[point]]
    return found


def _carried(state: Search, k: int, near: Sequence[int]) -> list[Candidate]:
    """Return the best models of other conditions, carried over to condition k."""
    found, target = [], state.bench.family.conditions[k]
    for j in near:
        source = state.bench.family.conditions[j]
        if (parameters := carry_over(state.best[j].parameters, source, target)) is not None:
            found.append(Candidate(k, _describe(source, target), parameters))
    return found


def _describe(source: Condition, target: Condition) -> str:
    """Return where a model was carried over from: the sweep, and those coordinates that differ."""
    apart = [k for k, v in source.coordinates.items() if v != target.coordinates[k] and k != "seed"]
    return ", ".join([source.experiment, *(f"{k} {source.coordinates[k]:.4g}" for k in apart)])


def _varied(best: Candidate, condition: Condition, number: int) -> list[Candidate]:
    """Return variations of the best model of a condition."""
    if condition.uniform:
        return []
    generator = torch.Generator().manual_seed(number)
    return [
        best._replace(source="features swapped", parameters=swap_features(best.parameters, condition.model, generator))
        for _ in range(VARIATIONS)
    ]

"""The search: conditions exchange their best models, and vary them, until none improves.

Everything is computed on the CPU, in pieces that do not depend on the number of threads.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.search.conditions import Condition, Family
from superposition.search.constructions import (
    EXACT,
    Candidate,
    carry_over,
    drop_features,
    known_models,
    order_features,
    relearn_features,
    swap_features,
)
from superposition.search.polishing import Bench, Course, Draws

# The initialisations at every point that take part, those with the lowest losses.
INITIALISATIONS = 3
# The largest number of variations of the best model of every condition that are tried in a round; one for every two
# features is enough for small models.
VARIATIONS = 8
# The share of its features that is kept when the features of a model are all alike.
KEPT = 3 / 4
# A feature with a smaller ‖W_i‖² is absent: to drop it changes nothing.
MIN_NORM2 = 0.01
# How every candidate is polished, and then the best ones of a condition; one is enough where features are all alike.
TRIAL, FINAL = Course(1 / 30, 500), Course(1 / 10, 2000)
FINALISTS, FINALISTS_IF_ALIKE = 2, 1
# How candidates that compute |x| are trained instead of the trial, at the sweep's own rate, and how many lost features
# the best model of a condition learns again at once, over the number of neurons.
RELEARNING, RELEARNED = Course(1 / 10, 4000, rate=1, warmup=0.1), 1 / 4
# The number of candidates of a condition that are polished in a round besides its variations, those with the lowest
# losses as they are; one is enough for large models of |x|, which take long.
TRIED, TRIED_IF_LONG = 2, 1
# Candidates whose loss exceeds the best by more than this share are given up: as they are, where all features are
# alike, so that polishing changes little; and, beyond two standard errors, after the trial.
NEAR, MARGIN = 0.06, 0.001
# Where the best product of polytopes costs at most this share more than the best model, nothing is polished.
SETTLED = 1e-3
# A model replaces the best if its loss is lower by this share, and clearly so.
MIN_GAIN = 3e-4
# The number of rounds; where features are all alike, later ones hardly find better models.
MAX_ROUNDS, ROUNDS_IF_ALIKE = 8, 2
# Where features are all alike, and so sparse that on average at most so many are active per hidden dimension, losses
# depend on how many samples a model has seen. What it learned at one density serves it at the next: the best models are
# carried from dense to sparse features, and polished like this at densities that are at least so many times apart.
MAX_ACTIVE, STEP_DOWN, DESCENT = 1 / 4, 1.4, Course(1 / 3, 2000, batch=6144, rate=1.0)
# Models of more parameters are trained on like this at the sparsest density, where more samples pay most.
LARGE, ENDING = 10_000, Course(2 / 3, 4000, batch=6144, rate=1.0)
# On what losses are compared; small models can afford more samples.
LEVELS = (Draws(2**11, 0, 2**11), Draws(2**14, 2**22, 2**14), Draws(2**16, 2**25, 2**16))
# A candidate wins at once if its loss is lower by so many standard errors, and goes on to the next level if it is not
# higher by so many than a loss that would win; of each condition only so many candidates go on.
WINNING, STAYING, CHALLENGERS = (4, 4, 3), (2, 0.5), (2, 1)
# The number of constructions of a condition that are compared on more samples, to find the best of them.
RIVALS = 2
# The same at the end, when every condition has one last challenger, so that chance has few to choose from and few need
# more samples.
WINNING_LAST, STAYING_LAST = (4, 4, 2), (2, 2)
# Rounds without success after which the best model of a condition is not varied any further. Variations of models of
# equal features are always the same.
PATIENCE, PATIENCE_IF_UNIFORM = 2, 1


@dataclass
class Search:
    """The best models found so far.

    Attributes:
        bench: The conditions, with the means to polish and to compare.
        best: The best model of every condition.
        changed: The conditions whose best model is new since the last round.
        settled: The conditions where the best product of polytopes is as good as any model, so that none is polished.
    """

    bench: Bench
    best: dict[int, Candidate]
    changed: set[int]
    settled: set[int] = field(default_factory=set)

    @cached_property
    def searched(self) -> dict[int, list[int]]:
        """The conditions that are searched, because no exact optimum is known, with their neighbours."""
        family = self.bench.family
        return {k: [*family.neighbours(k)] for k, condition in enumerate(family.conditions) if not condition.solvable}

    @cached_property
    def improved(self) -> dict[int, list[int]]:
        """The searched conditions whose models are polished and varied: not settled, and only the loss is minimised."""
        conditions = self.bench.family.conditions
        return {k: near for k, near in self.searched.items() if k not in self.settled and conditions[k].loss_alone}

    @cached_property
    def chains(self) -> list[list[int]]:
        """The conditions through which the best models descend, a chain for each large model, its sparsest first."""
        conditions, chains = self.bench.family.conditions, defaultdict[Model, list[int]](list)
        for k in sorted(self.improved, key=lambda k: float(conditions[k].density[0])):
            condition, chain = conditions[k], chains[conditions[k].model]
            large = condition.has_products and not condition.small
            sparse = condition.density.sum() <= MAX_ACTIVE * condition.model.m
            if large and sparse and not (chain and condition.density[0] < STEP_DOWN * conditions[chain[-1]].density[0]):
                chain.append(k)
        return [chain for chain in chains.values() if chain]

    @cached_property
    def exchanged(self) -> dict[int, list[int]]:
        """The improved conditions that take part in the rounds: not those that are sparser than the first of a chain.

        They are left to the descent, because what is polished for less time does not win there.
        """
        conditions = self.bench.family.conditions
        densest = {conditions[chain[-1]].model: conditions[chain[-1]].density[0] for chain in self.chains}
        return {
            k: near
            for k, near in self.improved.items()
            if conditions[k].density[0] >= densest.get(conditions[k].model, 0)
        }

    def challenge(self, candidates: Sequence[Candidate], last: bool = False) -> None:
        """Give every condition the best of these models if it beats what it has.

        Candidates race: those that are not clearly worse on few samples are compared on more and different ones, until
        they win, lose, or no more samples are allowed.

        Args:
            candidates: The models.
            last: Whether every condition has one candidate, its last.
        """
        winning, staying = (WINNING_LAST, STAYING_LAST) if last else (WINNING, STAYING)
        running = [*candidates]
        for level in range(len(LEVELS)):
            excess, error = self.compare(running, level)
            # Exact losses differ by no error.
            least = np.where(error > 0, MIN_GAIN, 0)
            won = excess < -np.maximum(least, winning[level] * error)
            for place in sorted(np.flatnonzero(won), key=lambda k: -excess[k]):
                winner = running[place]
                self.best[winner.condition] = winner
                self.changed.add(winner.condition)
            if level < len(staying):
                open_ = np.flatnonzero(~won & (excess - staying[level] * error < -least))
                running = lowest([running[place] for place in open_], excess[open_], CHALLENGERS[level])

    def compare(self, candidates: Sequence[Candidate], level: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return by what share the losses of candidates lie above those of the best models, and the standard errors."""
        models = [*candidates, *(self.best[c.condition] for c in candidates)]
        return self.bench.gains(candidates, *np.split(self.bench.losses(models, LEVELS[level], stream=level), 2))

    def exchange(self) -> list[Candidate]:
        """Return the models that are new since the last time, carried over to other conditions.

        Products of polytopes are proposed under every condition where they fit, and need not be carried over.
        """
        new, self.changed = self.changed, set()
        conditions, carried = self.bench.family.conditions, list[Candidate]()
        products = {k for k in new if conditions[k].has_products and self.best[k].built}
        for k, near in self.exchanged.items():
            sources = new - products if conditions[k].has_products else new
            carried += self._carried(k, [j for j in near if j in sources])
        return carried

    def rivals(self, where: Collection[int]) -> list[Candidate]:
        """Return the best construction under each of some conditions where it is not clearly worse than the best model.

        Constructions are the models that are known without training, and those carried over, as they are.
        """
        built = [c for k in where for c in known_models(k, self.bench.family.conditions[k])]
        built += [c for k in where for c in self._carried(k, self.searched[k])]
        for level, limit in enumerate((RIVALS, 1)):
            excess, error = self.compare(built, level)
            close = np.flatnonzero(excess < 2 * error)
            built = lowest([built[k] for k in close], excess[close], limit)
        return built

    def _carried(self, k: int, near: Sequence[int]) -> list[Candidate]:
        """Return the best models of other conditions, carried over to condition k."""
        found, target = [], self.bench.family.conditions[k]
        for j in near:
            source = self.bench.family.conditions[j]
            if (parameters := carry_over(self.best[j].parameters, source, target)) is not None:
                found.append(Candidate(k, _describe(source, target), parameters))
        return found

    def near(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the few candidates of every condition that cost least as they are.

        Where the best products of polytopes are known, these have their best lengths and biases and are left out, and
        so are models that cost far too much.
        """
        conditions = self.bench.family.conditions
        candidates = [c for c in candidates if not (c.built and conditions[c.condition].has_products)]
        excess, _ = self.compare(candidates)
        near = [k for k, c in enumerate(candidates) if excess[k] < NEAR or not conditions[c.condition].has_products]
        some = [candidates[k] for k in near]
        return lowest(some, excess[near], [TRIED_IF_LONG if conditions[c.condition].long else TRIED for c in some])

    def advance(self, candidates: Sequence[Candidate], number: int) -> None:
        """Polish all candidates a little and the promising ones for longer, and let these challenge the best models."""
        conditions, tried = self.bench.family.conditions, list[Candidate]()
        for absolute, course in ((False, TRIAL), (True, RELEARNING)):
            chosen = [c for c in candidates if conditions[c.condition].model.absolute == absolute]
            tried += self.bench.polish(chosen, course, stream=2 * number)
        excess, error = self.compare(tried)
        promising = np.flatnonzero(excess < MARGIN + 2 * error)
        some = [tried[k] for k in promising]
        limits = [FINALISTS_IF_ALIKE if conditions[c.condition].has_products else FINALISTS for c in some]
        self.challenge(self.bench.polish(lowest(some, excess[promising], limits), FINAL, stream=2 * number + 1))

    def descend(self, stream: int) -> None:
        """Carry the best models from dense to sparse features, as :data:`DESCENT` says.

        Args:
            stream: Number of the first stream of samples.
        """
        conditions = self.bench.family.conditions
        links = [itertools.pairwise([chain[-1], *reversed(chain)]) for chain in self.chains]
        for number, level in enumerate(itertools.zip_longest(*links), start=stream):
            self.changed, pairs = set(), [pair for pair in level if pair]
            carried = [Candidate(k, _describe(conditions[j], conditions[k]), self.best[j].parameters) for j, k in pairs]
            self.challenge(self.bench.polish(carried, DESCENT, number))
            # A model of denser features may have too few of them; then the best one for this density goes on.
            own = [self.best[k] for j, k in pairs if j != k and k not in self.changed]
            self.challenge(self.bench.polish(own, DESCENT, number))
        ends = [self.best[chain[0]] for chain in self.chains if conditions[chain[0]].model.size > LARGE]
        self.challenge(self.bench.polish(ends, ENDING, stream), last=True)


def search(bench: Bench, trained: Mapping[str, SweepResult]) -> tuple[Search, list[Candidate]]:
    """Search for the best model under every condition of a family.

    Args:
        bench: The conditions of the family.
        trained: The trained models of every sweep.

    Returns:
        The search at its end, and the constructions that come closest to the best models.
    """
    conditions, start = bench.family.conditions, _trained_models(bench.family, trained, 0)
    solved = {c.condition: c for c in start if c.source == EXACT}
    built = [c for k in range(len(conditions)) if k not in solved for c in known_models(k, conditions[k])]
    solved |= {c.condition: c for c in built if c.source == EXACT}
    best = {c.condition: c for c in reversed(start)} | solved
    state = Search(bench, best, changed=set(range(len(conditions))))
    state.challenge([c for c in start + built if c.condition not in solved])
    products = [c for c in built if conditions[c.condition].has_products]
    above = zip(products, state.compare(products)[0], strict=True)
    state.settled = {c.condition for c, excess in above if excess < SETTLED}
    start += [c for rank in range(1, INITIALISATIONS) for c in _trained_models(bench.family, trained, rank)]
    # Where features are all alike, models that were trained under a condition gain nothing from polishing.
    start = [c for c in start + built if c.condition in state.improved and not conditions[c.condition].has_products]
    failures = dict.fromkeys(state.exchanged, 0)
    for number in range(MAX_ROUNDS):
        carried = state.exchange() + (start if number == 0 else [])
        alive = [
            k for k, failed in failures.items() if failed < (PATIENCE_IF_UNIFORM if conditions[k].uniform else PATIENCE)
        ]
        fewer = [c for k in alive if conditions[k].uniform for c in thinned(best[k], conditions[k])]
        relearned = [_relearned(best[k], conditions[k], number) for k in alive if conditions[k].model.absolute]
        swappable = [k for k in alive if not (conditions[k].uniform or conditions[k].model.absolute)]
        swapped = [c for k in swappable for c in _swapped(best[k], conditions[k], number)]
        # An order that is best for now may keep a model from better ones, so swaps are tried first.
        late = [k for k, failed in failures.items() if failed <= PATIENCE <= number and not conditions[k].uniform]
        ordered = [c for k in late for c in _ordered(best[k], conditions[k])]
        near = [*state.near(carried), *state.near(fewer)]
        if number >= ROUNDS_IF_ALIKE:
            near = [c for c in near if not conditions[c.condition].has_products]
        if not (candidates := [*near, *relearned, *swapped, *ordered]):
            break
        state.advance(candidates, number)
        failures = {k: 0 if k in state.changed else failed + 1 for k, failed in failures.items()}
    state.descend(2 * MAX_ROUNDS)
    # Under some conditions a model that was found last may be better than the best as it is.
    rivals, state.changed = dict[int, Candidate](), set(range(len(conditions)))
    while new := state.changed:
        state.changed = set()
        affected = [k for k, near in state.searched.items() if k in new or not new.isdisjoint(near)]
        found = {c.condition: c for c in state.rivals(affected)}
        rivals = {k: c for k, c in rivals.items() if k not in affected} | found
        state.challenge([*found.values()], last=True)
    return state, [*rivals.values()]


def lowest(candidates: Sequence[Candidate], excess: np.ndarray, limit: int | Sequence[int]) -> list[Candidate]:
    """Return the candidates of every condition with the least excess, at most a number that candidates may share."""
    limits, count, found = np.broadcast_to(limit, len(candidates)), defaultdict[int, int](int), []
    for place in np.argsort(excess, kind="stable"):
        count[candidates[place].condition] += 1
        if count[candidates[place].condition] <= limits[place]:
            found.append(candidates[place])
    return found


def _trained_models(family: Family, trained: Mapping[str, SweepResult], rank: int) -> list[Candidate]:
    """Return the initialisations of a given rank at every point of all sweeps; rank 0 has the lowest losses."""
    found = []
    for name, models in trained.items():
        if rank < models.loss.shape[1] and not (rank and models.sweep.exactly_solvable):
            flat, ranked = models.model.pack(models.parameters), models.loss.argsort(dim=1, stable=True)[:, rank]
            source = EXACT if models.sweep.solver == "exact" else name
            found += [Candidate(k, source, flat[p, ranked[p]]) for p, k in enumerate(family.of_point[name])]
    return found


def _describe(source: Condition, target: Condition) -> str:
    """Return where a model was carried over from: the sweep, and those coordinates that differ."""
    apart = [k for k, v in source.coordinates.items() if v != target.coordinates[k] and k != "seed"]
    return ", ".join([source.experiment, *(f"{k} {source.coordinates[k]:.4g}" for k in apart)])


def thinned(best: Candidate, condition: Condition) -> list[Candidate]:
    """Return the best model of a condition without its shortest features, if it is large and they are too many."""
    norm2, n = condition.model.unpack(best.parameters)["W"].square().sum(0), condition.model.n
    kept, present = round(KEPT * n), int((norm2 > MIN_NORM2).sum())
    if n <= 4 * condition.model.m or present <= kept:
        return []
    return [Candidate(best.condition, f"{kept} features kept", drop_features(best.parameters, condition, kept))]


def _swapped(best: Candidate, condition: Condition, number: int) -> list[Candidate]:
    """Return the best model of a condition with a few features swapped, in several ways."""
    generator = torch.Generator().manual_seed(MAX_ROUNDS * condition.plan.sweep.seed + number)
    return [
        Candidate(best.condition, "features swapped", swap_features(best.parameters, condition.model, generator))
        for _ in range(min(VARIATIONS, condition.model.n // 2))
    ]


def _relearned(best: Candidate, condition: Condition, number: int) -> Candidate:
    """Return the best model of |x| of a condition, ready to learn again some of the features that it lost."""
    generator = torch.Generator().manual_seed(MAX_ROUNDS * condition.plan.sweep.seed + number)
    limit = max(1, round(RELEARNED * condition.model.m))
    return best._replace(
        source="features relearned", parameters=relearn_features(best.parameters, condition, limit, generator)
    )


def _ordered(best: Candidate, condition: Condition) -> list[Candidate]:
    """Return the best model of a condition with its features in the order of their errors, if that is another one."""
    ordered = order_features(best.parameters, condition) if condition.exchangeable else None
    return [] if ordered is None else [Candidate(best.condition, "features by error", ordered)]

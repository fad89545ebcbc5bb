"""Test which models the search tries and which of them it keeps, on conditions whose losses have a closed form."""

import numpy as np
import pytest
import torch
from tests.paper.made import models_of
from tests.search.benches import bench_of, drawn

from superposition.search import exchange
from superposition.search.conditions import Condition
from superposition.search.constructions import Candidate, carry_over
from superposition.search.exchange import Search, lowest, search
from superposition.search.polishing import Bench, Course
from superposition.theory import exact

# The shapes of arrays are checked where the numbers of sections and of the search are compared with those on record.
pytestmark = pytest.mark.usefixtures("without_shape_checks")

# The best linear models of features with values from 0.2 to 1 are not known, but their losses are.
LINEAR = {
    "model": "linear",
    "n": 4,
    "m": 2,
    "density": [0.8, 0.4, 0.2, 0.1, 0.05],
    "values": {"minimum": 0.2},
    "importance": {"decay": 0.7},
    "restarts": 5,
    "steps": 60,
    "batch": 64,
}


def loss(condition: Condition, parameters: torch.Tensor) -> float:
    p = condition.model.unpack(parameters.double())
    values = condition.plan.sweep.values
    return float(exact.linear_loss(p["W"], p["b"], condition.density, condition.importance, values))


def mixed(bench: Bench, each: int) -> list[Candidate]:
    """Return some models for every condition, other than those that ``start`` draws, in a mixed order."""
    found = drawn(bench, each, seed=1)
    return [found[k] for k in np.random.default_rng(0).permutation(len(found))]


def start(bench: Bench) -> Search:
    best = {c.condition: c for c in drawn(bench)}
    return Search(bench, best, changed=set())


def of_candidate(bench: Bench, candidate: Candidate) -> float:
    return loss(bench.family.conditions[candidate.condition], candidate.parameters)


def test_losses_are_compared_with_that_of_the_best_model_of_the_same_condition() -> None:
    bench = bench_of(LINEAR, one={}, two={"n": 6})
    state, candidates = start(bench), mixed(bench, 3)
    excess, error = state.compare([*candidates, *state.best.values()])
    over = np.array([of_candidate(bench, state.best[c.condition]) for c in candidates])
    expected = np.array([of_candidate(bench, c) for c in candidates]) / over - 1
    np.testing.assert_allclose(excess, [*expected, *[0] * len(state.best)], rtol=1e-5, atol=1e-12)
    assert (error < 1e-12).all()


@pytest.mark.filterwarnings("ignore:invalid value")  # Infinite losses have no error.
def test_the_best_challenger_of_every_condition_wins_if_it_beats_what_is_there() -> None:
    bench = bench_of(LINEAR, one={})
    state, candidates = start(bench), mixed(bench, 2)
    before, diverged = dict(state.best), Candidate(0, "diverged", torch.full_like(state.best[0].parameters, torch.nan))
    state.challenge([*candidates, diverged])
    for k in before:
        best = min([before[k], *(c for c in candidates if c.condition == k)], key=lambda c: of_candidate(bench, c))
        assert state.best[k].source == best.source
    winners = {k for k, c in state.best.items() if c is not before[k]}
    assert state.changed == winners
    assert 0 < len(winners) < len(before)


def test_a_gain_that_chance_explains_is_none() -> None:
    """Where losses have errors, a model must be better by more than a little, and by more than its error."""
    bench = bench_of(LINEAR, one={"model": "relu_output", "n": 20, "density": [0.3], "values": {}})
    state = start(bench)
    best = state.best[0]
    less, more = (Candidate(0, str(share), best.parameters * (1 - share)) for share in (1e-5, 0.05))
    gains = -state.compare([less, more], level=2)[0]
    assert 0 < gains[0] < exchange.MIN_GAIN < gains[1]
    state.challenge([less])
    assert state.best[0] is best
    state.challenge([more])
    assert state.best[0] is more


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_lowest_of_every_condition(limit: int) -> None:
    rng = np.random.default_rng(limit)
    candidates = [Candidate(int(k), "", torch.zeros(1)) for k in rng.integers(0, 4, 30)]
    excess = rng.normal(size=30)
    found = lowest(candidates, excess, limit)
    expected = [
        sorted((e, number) for number, (c, e) in enumerate(zip(candidates, excess, strict=True)) if c.condition == k)
        for k in range(4)
    ]
    assert sorted(map(id, found)) == sorted(id(candidates[n]) for some in expected for _, n in some[:limit])


def test_new_models_are_carried_once_to_their_neighbours() -> None:
    bench = bench_of(LINEAR, one={}, two={"density": [0.3], "n": 5})
    state = start(bench)
    state.changed = {0, 3}
    carried = state.exchange()
    conditions = bench.family.conditions
    expected = {(k, j) for j in (0, 3) for k in range(len(conditions)) if j in bench.family.neighbours(k)}
    found = set()
    for c in carried:
        (j,) = (
            j
            for j in (0, 3)
            if torch.equal(
                c.parameters,
                carry_over(state.best[j].parameters, conditions[j], conditions[c.condition]),
            )
        )
        found.add((c.condition, j))
        density = conditions[j].coordinates["density"]
        assert c.source == f"one, density {density:g}"
    assert found == expected
    assert len(carried) == len(expected)
    assert state.exchange() == []


def test_the_rival_is_the_best_of_what_neighbours_offer() -> None:
    bench = bench_of(LINEAR, one={}, two={"density": [0.3], "n": 3})
    state, conditions = start(bench), bench.family.conditions
    best = dict(state.best)
    # Bad models where rivals are wanted lose against any rival.
    where = [1, 4]
    for k in where:
        state.best[k] = best[k]._replace(parameters=3 + best[k].parameters)
    rivals = {c.condition: c for c in state.rivals(where)}
    assert rivals.keys() == {*where}
    for k in where:
        offered = [
            carry_over(state.best[j].parameters, conditions[j], conditions[k]) for j in bench.family.neighbours(k)
        ]
        assert of_candidate(bench, rivals[k]) == pytest.approx(min(loss(conditions[k], p) for p in offered))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[list[Candidate]]:
    """Return the lists of models that the search polishes, which stay as they are."""
    calls: list[list[Candidate]] = []

    def polish(self: Bench, candidates: list[Candidate], course: Course, stream: int) -> list[Candidate]:
        calls.append([*candidates])
        return [*candidates]

    monkeypatch.setattr(Bench, "polish", polish)
    return calls


def test_the_best_initialisations_and_swaps_are_tried_where_only_the_loss_counts(tried: list[list[Candidate]]) -> None:
    """Of five initialisations three take part, and none where there is a penalty."""
    bench = bench_of(LINEAR, one={"l1": [0, 0.1]})
    trained = models_of(bench.family.sweeps["one"], "falling")
    search(bench, {"one": trained})
    ranks = set[int]()
    flat, ranked = trained.model.pack(trained.parameters), trained.loss.argsort(dim=1)
    for k, condition in enumerate(bench.family.conditions):
        here = [[c for c in call if c.condition == k] for call in tried]
        if condition.coordinates["l1"]:
            assert not any(here)
            continue
        own = [c.parameters for c in here[0] if c.source == "one"]
        ranks |= {next(r for r in range(5) if torch.equal(p, flat[k, ranked[k, r]])) for p in own}
        assert sum(c.source == "features swapped" for c in here[0]) == trained.model.n // 2
    assert len(ranks) > 1
    assert ranks <= {0, 1, 2}


@pytest.mark.parametrize(("n", "expected"), [(6, 2), (14, 1)])
def test_large_models_of_absolute_values_try_one_model_from_elsewhere(
    n: int, expected: int, tried: list[list[Candidate]]
) -> None:
    """Besides the best model of a condition, which relearns, two others are tried, and one if they are large."""
    keys = {"model": "absolute", "distribution": "signed", "values": {}, "density": [0.2, 0.1, 0.05], "n": n, "m": 4}
    bench = bench_of(LINEAR, one=keys)
    search(bench, {"one": models_of(bench.family.sweeps["one"], "absolute")})
    first = next(call for call in tried if call)
    for k in range(len(bench.family.conditions)):
        from_elsewhere = [c.source != "features relearned" for c in first if c.condition == k]
        assert (sum(from_elsewhere), len(from_elsewhere)) == (expected, expected + 1)


SPARSE = {"model": "relu_output", "n": 16, "m": 4, "importance": 1, "values": {}, "density": [0.5, 0.06, 0.05, 0.03]}


def test_the_sparsest_models_are_left_to_the_descent(tried: list[list[Candidate]]) -> None:
    """0.03 is reached from 0.05, from where 0.06 is too close; and in rounds only it gets no models."""
    bench = bench_of(LINEAR, one=SPARSE)
    state = Search(bench, {c.condition: c for c in drawn(bench, 1, 0)}, changed=set(range(4)))
    assert state.chains == [[3, 2]]
    assert {c.condition for c in state.exchange()} == {0, 1, 2}
    state.descend(stream=0)
    assert [[c.condition for c in call] for call in tried if call] == [[2], [3], [3]]
    assert torch.equal(tried[2][0].parameters, state.best[2].parameters)


@pytest.mark.parametrize(("limit", "ends"), [(16 * 4 + 16 - 1, [3]), (16 * 4 + 16, [])])
def test_the_sparsest_of_many_parameters_is_trained_for_longer(
    limit: int, ends: list[int], tried: list[list[Candidate]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LARGE", limit)
    bench = bench_of(LINEAR, one=SPARSE)
    Search(bench, {c.condition: c for c in drawn(bench, 1, 0)}, changed=set()).descend(stream=0)
    assert [c.condition for c in tried[-1]] == ends


def test_models_of_equal_features_are_exchanged_in_the_first_rounds(
    tried: list[list[Candidate]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every round finds better models, those of unequal features are exchanged until the last one."""
    keys = {"model": "relu_output", "n": 13, "values": {}, "density": [0.3, 0.2]}
    bench = bench_of(LINEAR | keys, alike={"importance": 1}, falling={"importance": {"decay": 0.7}})
    trained = {name: models_of(sweep, name) for name, sweep in bench.family.sweeps.items()}
    monkeypatch.setattr(exchange, "known_models", lambda number, condition: [])

    def challenge(self: Search, candidates: list[Candidate], last: bool = False) -> None:
        if not last:
            self.changed |= {c.condition for c in candidates}

    monkeypatch.setattr(Search, "challenge", challenge)
    rounds = list[set[bool]]()
    advance = Search.advance

    def spy(self: Search, candidates: list[Candidate], number: int) -> None:
        rounds.append({bench.family.conditions[c.condition].uniform for c in candidates})
        advance(self, candidates, number)

    monkeypatch.setattr(Search, "advance", spy)
    search(bench, trained)
    assert len(rounds) == exchange.MAX_ROUNDS
    assert [True in some for some in rounds] == [k < exchange.ROUNDS_IF_ALIKE for k in range(len(rounds))]


def test_features_are_dropped_where_many_are_alike() -> None:
    """Three quarters of the features are kept if more are present, and if there are more than four times m."""
    keys = {"model": "relu_output", "importance": 1, "values": {}, "density": [0.02], "m": 2, "evaluation": 2**14}
    for n, present, expected in ((16, 16, {12}), (16, 12, set()), (8, 8, set())):
        bench, keep = bench_of(LINEAR, one=keys | {"n": n}), torch.arange(n) < present
        trained = models_of(bench.family.sweeps["one"], "alike")
        angle = torch.arange(n) * 2.4
        W, b = torch.stack([angle.cos(), angle.sin()]) * keep, torch.where(keep, -0.1, 0.01)
        best = Candidate(0, "one", trained.model.pack({"W": W, "b": b}))
        found = exchange.thinned(best, bench.family.conditions[0])
        assert {int((trained.model.unpack(c.parameters)["W"].norm(dim=0) > 0).sum()) for c in found} == expected

"""Sampling: weighted batches have the feature distribution of the sweep."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from superposition.core import features
from superposition.core.experiment.distribution import Distribution
from superposition.core.experiment.sweep import Sweep
from superposition.core.features import Gates, samples

SAMPLES = 2**17
MIXED = Distribution(correlated=((4, 1),), anticorrelated=((0, 3, 5),))
# The distribution, and the density of every feature, which is equal for the members of a set.
CASES: dict[str, tuple[Distribution, list[float]]] = {
    "independent": (Distribution(), [0.3] * 4),
    "unequal": (Distribution(), [0.9, 0.05, 0.4, 0.2]),
    "dense": (Distribution(), [1.0] * 3),
    "one always on": (Distribution(), [0.2, 1.0, 0.5]),
    "sparse": (Distribution(), [0.001] * 5),
    "alone": (Distribution(), [0.1]),
    "signed": (Distribution(signed=True), [0.5, 0.1, 0.3]),
    "correlated": (Distribution(correlated=((0, 2), (3, 1))), [0.3, 0.1, 0.3, 0.1, 0.2]),
    "anticorrelated": (Distribution(anticorrelated=((0, 3), (1, 2, 4))), [0.4, 0.6, 0.6, 0.4, 0.6]),
    "always one of three": (Distribution(anticorrelated=((2, 0, 1),)), [1.0] * 3),
    "mixed": (MIXED, [0.6, 0.2, 0.15, 0.6, 0.2, 0.6]),
    "mixed sparse": (MIXED, [0.002, 0.003, 0.001, 0.002, 0.003, 0.002]),
    "mixed signed": (MIXED.model_copy(update={"signed": True}), [0.6, 0.2, 0.15, 0.6, 0.2, 0.6]),
}


def uniforms(gates: Gates, samples: int) -> torch.Tensor:
    """Draw 24-bit numbers like those of ``draws``, with another generator."""
    return torch.rand(len(gates.all_zero_probability), gates.rows, samples, generator=torch.Generator().manual_seed(0))


def gates_of(distribution: Distribution, densities: list[float]) -> Gates:
    return Gates.of(np.array([densities]), [distribution], has_sets=bool(distribution.sets))


def patterns(distribution: Distribution, densities: list[float]) -> Counter[frozenset[int]]:
    """Return the probability of every pattern of active features, by enumeration."""
    free = [(i,) for i in range(len(densities)) if i not in itertools.chain(*distribution.sets)]
    outcomes = []
    for members in [*distribution.correlated, *free]:
        outcomes.append([((), 1 - densities[members[0]]), (members, densities[members[0]])])
    for members in distribution.anticorrelated:
        p = densities[members[0]]
        outcomes.append([((), 1 - p), *(((i,), p / len(members)) for i in members)])
    found: Counter[frozenset[int]] = Counter()
    for combination in itertools.product(*outcomes):
        found[frozenset(itertools.chain(*(on for on, _ in combination)))] += np.prod([p for _, p in combination])
    return found


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> tuple[Distribution, list[float], np.ndarray, np.ndarray]:
    """Return a distribution, its densities, and a large batch: values [sample, n] and weights [sample]."""
    distribution, densities = CASES[request.param]
    gates = gates_of(distribution, densities)
    x, weight = features.training_batch(gates, uniforms(gates, SAMPLES))
    return distribution, densities, x[0].numpy(), weight[0].double().numpy()


def test_probabilities_of_patterns(case: tuple) -> None:
    """Marginals, pairs and all patterns agree with enumeration."""
    distribution, densities, x, weight = case
    exact = patterns(distribution, np.float32(densities).astype(float).tolist())
    n, something = len(densities), 1 - exact[frozenset()]
    on = x != 0
    events = {(i, j): (on[:, i] & on[:, j], lambda s, i=i, j=j: {i, j} <= s) for i in range(n) for j in range(i + 1)}
    events |= {
        subset: ((on == np.isin(np.arange(n), subset)).all(1), lambda s, subset=subset: s == set(subset))
        for k in range(n + 1)
        for subset in itertools.combinations(range(n), k)
    }
    for name, (happened, belongs) in events.items():
        probability = sum(p for pattern, p in exact.items() if belongs(pattern))
        if name == ():  # Its probability is known, not drawn.
            assert weight[happened].sum() == pytest.approx(probability, abs=1e-7)
            continue
        given_something = min(probability / something, 1)
        error = something * np.sqrt(given_something * (1 - given_something) / (SAMPLES - 1))
        assert weight[happened].sum() == pytest.approx(probability, abs=5 * error + 1e-6 * something), name


def test_values_are_uniform_and_independent(case: tuple) -> None:
    """One number decides whether a feature is active and how large it is; neither tells about the other."""
    distribution, _, x, _ = case
    span = stats.uniform(-1, 2) if distribution.signed else stats.uniform(0, 1)
    for i, j in itertools.product(range(x.shape[1]), repeat=2):
        together = (x[:, i] != 0) & (x[:, j] != 0)
        a, b = x[together, i], x[together, j]
        if len(a) < 50:
            continue
        assert stats.kstest(a, span.cdf).pvalue > 1e-5, (i, j)
        assert a.mean() == pytest.approx(span.mean(), abs=5 * span.std() / len(a) ** 0.5)
        assert a.var() == pytest.approx(span.var(), abs=5 * span.var() * (0.8 / len(a)) ** 0.5)  # The kurtosis is 9/5.
        if i != j:
            assert abs(np.corrcoef(a, b)[0, 1]) * len(a) ** 0.5 < 5, (i, j)


def test_sample_0_is_the_only_all_zero_one(case: tuple) -> None:
    """Weights sum to 1, and all other samples have one weight."""
    _, _, x, weight = case
    assert not x[0].any()
    assert x[1:].any(1).all()
    assert weight.sum() == pytest.approx(1, abs=1e-6)
    assert np.unique(weight[1:]).size == 1


@pytest.mark.parametrize("density", [1e-3, 1e-5, 1e-7, 1e-9])
def test_the_weight_of_sparse_samples_is_accurate(density: float) -> None:
    """At small densities, 1 - P(all-zero) in float32 would be mostly rounding."""
    gates = gates_of(Distribution(), [density, 3 * density])
    _, weight = features.training_batch(gates, uniforms(gates, 100))
    exact = -np.expm1(np.log1p(-density) + np.log1p(-3 * density))
    assert weight[0, 1:].double().sum().item() == pytest.approx(exact, rel=1e-5)


@given(
    st.lists(st.floats(2**-20, 1, width=32), min_size=1, max_size=9),
    st.booleans(),
    st.lists(st.sampled_from([0, 1, 2**23, 2**24 - 2, 2**24 - 1]), min_size=9, max_size=9),
)
def test_the_rarest_numbers_are_safe(densities: list[float], signed: bool, words: list[int]) -> None:
    """At the ends of the range of uniforms, a feature is active, and no value leaves its interval."""
    gates = gates_of(Distribution(signed=signed), densities)
    n = len(densities)
    highest = torch.full((1, n, 1), 1 - 2.0**-24)
    assert features.nonempty(gates, highest).ne(0).any()
    x = features.nonempty(gates, torch.tensor(words[:n], dtype=torch.float32)[None, :, None] * 2.0**-24)
    assert x.max() <= 1
    assert x.min() >= (-1 if signed else 0)


def test_instances_of_a_block_do_not_mix() -> None:
    """In a sweep with sets, instances without sets are sampled as in a sweep without any."""
    n, cases = 6, [(Distribution(), [0.1] * 6), (MIXED, CASES["mixed"][1]), (Distribution(), [0.02] * 6)]
    together = Gates.of(np.array([p for _, p in cases]), [d for d, _ in cases], has_sets=True)
    uniform = uniforms(together, 1000)
    x = features.nonempty(together, uniform)
    for k, (distribution, densities) in enumerate(cases):
        alone = gates_of(distribution, densities)
        assert torch.equal(features.nonempty(alone, uniform[k : k + 1, : alone.rows]), x[k : k + 1])
        assert torch.equal(features.nonempty(together[k : k + 1], uniform[k : k + 1]), x[k : k + 1])
    assert together.rows == 2 * n
    assert torch.equal(features.nonempty(together[torch.tensor([2, 0])], uniform[[2, 0]]), x[[2, 0]])


def test_samples_of_a_point() -> None:
    """Members of a correlated set are active together, with different values; every call returns the same samples."""
    sweep = Sweep(model="relu_output", n=3, m=2, density=[0.9, 0.2], distribution={"correlated": [[0, 1]]})
    gates, x = samples(sweep, 1, 1000)
    on = x > 0
    assert on.any(1).all()
    assert torch.equal(on[:, 0], on[:, 1])
    assert (x[on[:, 0], 0] != x[on[:, 0], 1]).all()
    torch.testing.assert_close(gates.all_zero_probability, torch.tensor([0.8**2]))
    assert torch.equal(samples(sweep, 1, 1000)[1], x)


def test_an_impossible_all_zero_sample_weighs_nothing() -> None:
    """A subnormal weight would be slow to multiply by; a sample that is only improbable keeps its weight."""
    impossible, improbable = (gates_of(Distribution(), [p] * 400).all_zero_probability.item() for p in (0.2, 0.1))
    assert impossible == 0
    assert improbable == pytest.approx((1 - np.float64(np.float32(0.1))) ** 400, rel=1e-6, abs=0)

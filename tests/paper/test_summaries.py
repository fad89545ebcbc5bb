"""Common summaries: exact costs against formulas, angles against known codes, and claims on ideal models."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.paper.counter_models.summaries import along_training, made, random_models, unpolished
from tests.paper.synthetic import changed, verdict
from tests.real import QUICK
from tests.tensors import tensor

from superposition.core.experiment.values import BINARY
from superposition.paper.summaries import angles, gram, judge, measure, optima, pairs
from superposition.pipeline.judging.claims import Tables
from superposition.theory import bfgs, exact
from superposition.theory.catalogue import DIGON, PENTAGON, SINGLE
from superposition.theory.polytopes import icosahedron, square_antiprism, tegum_product

seeds = st.integers(0, 10**6)


# Exact optima of binary features.


def test_arrangements_of_binary_features() -> None:
    """A single feature has no loss; a digon the loss of its 4 samples, with the best length and bias from a grid."""
    p, (norm2, bias) = 0.1, np.meshgrid(np.linspace(0.5, 2, 301), np.linspace(-1, 1, 401))
    alone = (np.maximum(norm2 + bias, 0) - 1) ** 2 + np.maximum(bias - norm2, 0) ** 2
    zero, both = 2 * np.maximum(bias, 0) ** 2, 2 * (np.maximum(bias, 0) - 1) ** 2
    digon = ((1 - p) ** 2 * zero + 2 * p * (1 - p) * alone + p**2 * both).min()
    table = optima.arrangement_losses([p]).set_index(["values", "arrangement"])
    assert table.loc[("binary", "two features"), "loss"] == pytest.approx(3 * p * (1 - p))
    assert table.loc[("binary", "two digons"), "loss"] == pytest.approx(2 * digon + p * (1 - p), abs=1e-4)
    assert table.loc[("uniform", "two features"), "loss"] == pytest.approx(3 * (p / 3 - p**2 / 4), rel=1e-3)
    # Two features at 72° to each other need a bias of at most -‖W‖² cos 72°, and ‖W‖² + b = 1.
    sparse = optima.arrangement_losses([1e-4]).set_index(["values", "arrangement"])["loss"]
    assert 0 < 10 * sparse[("binary", "pentagon")] < sparse[("uniform", "pentagon")]


@given(seeds)
def test_search_improves_what_it_is_given(seed: int) -> None:
    """The best binary model is no worse than any start, and its loss is that of its weights."""
    drawn = torch.randn(2, 15, generator=torch.Generator().manual_seed(seed)).double()
    density, ones = tensor([0.2]), tensor([[1, 1, 0.5, 0.5, 0.5]])
    with pytest.MonkeyPatch.context() as patch:
        minimise = bfgs.minimise
        patch.setattr(bfgs, "minimise", lambda f, x, tolerance: minimise(f, x, tolerance, max_evaluations=20))
        W, b, loss = optima.best_binary_models(density, 0.5, drawn)
    p = density[:, None].expand(-1, 5)
    assert exact.enumerated_loss(optima.FIVE, {"W": W, "b": b}, p, ones).item() == pytest.approx(loss.item(), rel=1e-9)
    for start in drawn:
        assert loss.item() <= exact.enumerated_loss(optima.FIVE, optima.FIVE.unpack(start[None]), p, ones).item()
    assert loss.item() <= exact.linear_optimum(2, p, ones, BINARY).item() * (1 + 1e-9)


def test_searches_start_from_the_models_of_their_importance() -> None:
    """At every importance of the last three features, the search is given the models that were trained with it."""
    ratios = QUICK.sweeps["five_binary"].points()["relative_importance"]
    models = made("five_binary", ratios.to_numpy()[:, None, None] * PENTAGON.corners)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optima, "best_binary_models", unpolished)
        patch.setattr(measure, "FINE_GRID", measure.FINE_GRID[::20])
        found = measure.five_features({"five_binary": models})["optima"]
    assert {*found["relative_importance"]} == {*ratios}
    np.testing.assert_allclose(found["norm2_1"], found["relative_importance"] ** 2)


# Angles.


def test_angles_of_polytopes() -> None:
    np.testing.assert_allclose(angles.nearest_angles(icosahedron()), angles.CODES[12], atol=1e-4)
    # Among square antiprisms, one whose 16 edges are equally long is the best code.
    heights = np.linspace(0.2, 0.4, 2001)
    best = max(angles.nearest_angles(square_antiprism(height)).min() for height in heights)
    assert best == pytest.approx(angles.CODES[8], abs=0.02)
    bipyramid = tegum_product(PENTAGON, DIGON)
    np.testing.assert_allclose(sorted(angles.nearest_angles(bipyramid)), [72] * 5 + [90] * 2)
    assert angles.inequivalence(bipyramid) == pytest.approx(54)
    assert angles.inequivalence(icosahedron()) == pytest.approx(0, abs=1e-5)
    assert angles.inequivalence(tegum_product(DIGON, SINGLE, SINGLE)) == pytest.approx(90)


@pytest.mark.parametrize("n", angles.CODES)
def test_codes_are_bounds_that_can_be_reached(n: int) -> None:
    """A steep energy finds arrangements whose smallest angle is less than 2° below the code's, and none above it."""
    sharpness = 200.0

    def energy(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        unit = torch.nn.functional.normalize(x.unflatten(1, (3, n)), dim=1)
        i, j = torch.triu_indices(n, n, offset=1)
        return torch.logsumexp(sharpness * (unit.mT @ unit)[:, i, j], -1) / sharpness

    start = torch.randn(12, 3 * n, generator=torch.Generator().manual_seed(1)).double()
    found, _, _ = bfgs.minimise(energy, start, 1e-4, 150)
    smallest = [angles.nearest_angles(W.unflatten(0, (3, n)).numpy()).min() for W in found]
    assert angles.CODES[n] - 2 < max(smallest) < angles.CODES[n] + 1e-3


def test_random_directions() -> None:
    """The largest |cos| of random directions is below the bound about as often as it should be."""
    rng, n, m = np.random.default_rng(0), 12, 6
    W = rng.normal(size=(2000, m, n))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    largest = np.abs(np.triu(W.transpose(0, 2, 1) @ W, k=1)).max((1, 2))
    assert (largest < angles.random_cosine(n, m, 0.5)).mean() == pytest.approx(0.5, abs=0.05)
    assert (largest < angles.random_cosine(n, m, 0.01)).mean() < 0.03
    assert angles.random_count(angles.random_cosine(40, m, 0.5), m) == pytest.approx(40, abs=1)


# Pairs.


def test_cost_of_a_pair() -> None:
    """Without a bias, positive cosines cost 2 p c²/3, and negative ones 2 p² (c²/3 - |c|³/6)."""
    costs = pairs.pair_costs()
    relu, linear = (costs[costs["output"] == output] for output in ("ReLU", "linear"))
    p, c = relu["density"], relu["cosine"]
    expected = np.where(c > 0, 2 * p * c**2 / 3, 2 * p**2 * (c**2 / 3 - c.abs() ** 3 / 6))
    np.testing.assert_allclose(relu["cost"], expected, rtol=1e-6, atol=1e-15)
    assert (relu["best_bias"] <= relu["cost"] * (1 + 1e-9) + 1e-12).all()
    np.testing.assert_allclose(linear["cost"], 2 * p * c**2 / 3, rtol=1e-9)


@given(seeds, st.integers(1, 4), st.integers(0, 5))
def test_weights_from_their_gram_matrix(seed: int, m: int, more: int) -> None:
    """Any matrix of rank m is WᵀW of the recovered W; one of lower rank is not recovered."""
    W = np.random.default_rng(seed).normal(size=(m, m + more))
    G = W.T @ W
    np.testing.assert_allclose(gram.factor(G, m).T @ gram.factor(G, m), G, atol=1e-9)
    assert np.abs(gram.factor(G, m - 1).T @ gram.factor(G, m - 1) - G).max() > 1e-9 if m > 1 else True


# Claims on ideal models.


@pytest.mark.parametrize(
    ("norms", "turns", "expected"),
    [
        (np.minimum(np.linspace(0.2, 2, 100), 1), np.linspace(0.3, 0, 100), "reproduced"),
        (np.linspace(0.1, 1, 100), np.zeros(100), "not reproduced"),
        (np.minimum(np.linspace(0, 1.1, 100), 1), np.linspace(0.3, 0, 100), "corrected"),
    ],
    ids=["lengths first", "angles long before", "together"],
)
def test_order_of_lengths_and_angles(norms: np.ndarray, turns: np.ndarray, expected: str) -> None:
    data = random_models() | {
        "pentagon_forms": measure.pentagon_forms({"pentagon_forms": along_training(norms, turns)})
    }
    assert verdict(judge.claims, "dynamics", data) == expected


def of_pentagons(length: float) -> Tables:
    """The tables with regular pentagons of binary and of uniform features."""
    five = {name: made(name, length * PENTAGON.corners) for name in ("five_binary", "five_uniform")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optima, "best_binary_models", lambda p, _, x: (*optima.FIVE.unpack(x[:1]).values(), p))
        patch.setattr(measure, "FINE_GRID", measure.FINE_GRID[::20])
        patch.setattr(measure, "SEARCH_GRID", measure.SEARCH_GRID[:1])
        return random_models() | {"five_features": measure.five_features(five)}


def test_pentagons_of_binary_features() -> None:
    assert verdict(judge.claims, "binary", of_pentagons(1.2)) == "reproduced"
    assert verdict(judge.claims, "binary", of_pentagons(0.5)) == "not reproduced"


@pytest.mark.parametrize(
    ("name", "n", "m", "arrangement"), [("polygons", 4, 2, "square"), ("solids", 4, 3, "tetrahedron")]
)
def test_polytopes_by_name(name: str, n: int, m: int, arrangement: str) -> None:
    """Both sizes of a claim have to form what it says, close to the exact arrangement."""
    other = {"polygons": "hexagon", "solids": "octahedron"}[name]

    def formed(data: Tables, n: int, name: str) -> Tables:
        columns = {"arrangement": lambda rows: [name] * len(rows), "residual": 0.01}
        return changed(data, "polygons_and_solids", "models", f"n == {n} and m == {m}", **columns)

    data = formed(random_models(), 6, other)
    ideal = formed(data, n, arrangement)
    assert verdict(judge.claims, name, data) in ("corrected", "not reproduced")
    assert verdict(judge.claims, name, ideal) == "reproduced"


def test_a_step_and_its_jump() -> None:
    """One jump from five features to two is the summary's threshold; small steps are none."""
    data = of_pentagons(1.2)
    row = data["five_features"]["optima"].query("relative_importance == 1").iloc[0]
    sparse = row.to_dict() | {"density": 0.05, "represented": 5} | {f"norm2_{k}": 1.3 for k in range(1, 6)}
    dense = sparse | {"density": 0.2, "represented": 2} | {f"norm2_{k}": 0.0 for k in range(3, 6)}
    table = data["five_features"]["optima"]
    steps = type(table)([sparse, dense])
    one = data | {"five_features": data["five_features"] | {"optima": steps}}
    assert verdict(judge.claims, "sharp", one) == "reproduced"
    slope = steps.assign(**{f"norm2_{k}": [0.6, 0.4] for k in range(3, 6)})
    small = data | {"five_features": data["five_features"] | {"optima": slope}}
    assert verdict(judge.claims, "sharp", small) == "not reproduced"


def test_cosines_are_those_of_represented_features() -> None:
    """Absent features count neither as directions nor as pairs; a single one has no cosine."""
    W = np.zeros((5, 20))
    W[:, :3] = np.array([[1, -0.5, -0.5], [0, 0.75**0.5, -(0.75**0.5)], *[[0, 0, 0]] * 3])
    table = measure.many_features({"basic_small": made("basic_small", W)})["models"]
    assert (table["represented"] == 3).all()
    np.testing.assert_allclose(table[["highest", "lowest"]], -0.5)
    single = measure.many_features({"basic_small": made("basic_small", W * (np.arange(20) < 1))})["models"]
    assert single["highest"].isna().all()


@pytest.mark.parametrize(("density", "expected"), [(0.1, "not reproduced"), (0.12, "reproduced")])
def test_models_count_as_sparse_up_to_a_tenth(density: float, expected: str) -> None:
    """At 90 % sparsity and more, every feature has to be represented."""
    models = pd.DataFrame(
        {
            "experiment": ["five_uniform", "five_uniform", "basic_small"],
            "n": [5, 5, 20],
            "m": [2, 2, 5],
            "density": [0.05, density, 0.05],
            "relative_importance": 1.0,
            "represented": [5, 4, 20],
        }
    )
    assert verdict(judge.claims, "all_represented", {"many_features": {"models": models}}) == expected

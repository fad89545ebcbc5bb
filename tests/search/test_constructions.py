"""Test constructions against closed forms: models that are carried over or built have the losses of theory."""

import itertools

import pytest
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.features import samples
from superposition.search.conditions import Condition, Family
from superposition.search.constructions import (
    carry_over,
    drop_features,
    known_models,
    order_features,
    relearn_features,
    swap_features,
)
from superposition.theory import branches, exact, tegum


def condition(**keys: object) -> Condition:
    return Family({"one": Sweep.parse({"model": "relu_output", "density": 0.2} | keys)}).conditions[0]


def loss(c: Condition, parameters: torch.Tensor) -> torch.Tensor:
    return exact.expected_loss(c.model, c.model.unpack(parameters.double()), c.density, c.importance)


def drawn(c: Condition) -> torch.Tensor:
    return torch.randn(c.model.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n", [2, 3])
def test_an_absent_feature_costs_its_variance(n: int) -> None:
    small, large = condition(n=1, m=1), condition(n=n, m=1, importance={"decay": 0.5})
    padded = carry_over(drawn(small), small, large)
    assert padded is not None
    absent = (large.importance * exact.feature_variance(large.density))[1:].sum()
    torch.testing.assert_close(loss(large, padded), loss(small, drawn(small)) + absent)


def test_a_dropped_feature_costs_its_variance() -> None:
    c = condition(n=3, m=2)
    kept = c.model.unpack(drop_features(drawn(c), c, 1))
    longest = c.model.unpack(drawn(c))["W"].square().sum(0).argmax()
    alone = condition(n=1, m=1)
    b, norm = kept["b"][longest], kept["W"][:, longest].norm()
    expected = loss(alone, torch.stack([norm, b])) + 2 * exact.feature_variance(c.density[0])
    torch.testing.assert_close(loss(c, c.model.pack(kept)), expected)


@pytest.mark.parametrize("density", [1.0, 0.2, 0.01])
def test_no_other_order_of_the_features_has_a_lower_loss(density: float) -> None:
    c = condition(n=3, m=2, density=density, importance=[0.3, 1.0, 0.1])
    p = c.model.unpack(drawn(c))
    losses = {
        order: float(loss(c, c.model.pack({k: v[..., list(order)] for k, v in p.items()})))
        for order in itertools.permutations(range(3))
    }
    worst = max(losses, key=losses.__getitem__)
    ordered = order_features(c.model.pack({k: v[..., list(worst)] for k, v in p.items()}), c)
    assert ordered is not None
    assert float(loss(c, ordered)) == pytest.approx(min(losses.values()))
    assert order_features(ordered, c) is None


@pytest.mark.parametrize("copies", [2, 3])
def test_models_beside_each_other_cost_as_much_as_all_of_them(copies: int) -> None:
    one, several = condition(n=1, m=1), condition(n=copies, m=copies)
    beside = carry_over(drawn(one), one, several)
    assert beside is not None
    torch.testing.assert_close(loss(several, beside), copies * loss(one, drawn(one)))


def test_the_longest_features_are_kept_and_unequal_ones_are_not_dropped() -> None:
    small, large = condition(n=3, m=2), condition(n=5, m=2)
    padded = carry_over(drawn(small), small, large)
    assert padded is not None
    torch.testing.assert_close(carry_over(padded, large, small), drawn(small))
    assert carry_over(padded, large, condition(n=3, m=2, importance={"decay": 0.5})) is None


def test_models_of_another_size_or_architecture_do_not_fit() -> None:
    small = condition(n=3, m=2)
    for other in (condition(n=5, m=3), condition(n=3, m=2, model="relu_hidden")):
        assert carry_over(drawn(small), small, other) is None


@pytest.mark.parametrize(("n", "m", "density"), [(7, 2, 0.05), (7, 3, 0.3), (5, 2, 0.7)])
def test_the_best_products_are_proposed_and_cost_what_theory_says(n: int, m: int, density: float) -> None:
    c = condition(n=n, m=m, density=density)
    found = known_models(0, c)
    losses = []
    for candidate in found:
        p = c.model.unpack(candidate.parameters)
        losses.append(float(branches.precise_loss(p["W"][None], p["b"][None], c.density[None])[0]))
    best = tegum.best_products(tegum.optima([density]), n, m)
    assert losses[0] == pytest.approx(best["best_loss"][0], rel=1e-3)
    assert losses[0] <= min(losses) * (1 + 1e-3)


@pytest.mark.parametrize(("n", "m"), [(6, 3), (4, 3), (40, 20)])
def test_digons_and_dedicated_dimensions_are_for_the_costliest_features(n: int, m: int) -> None:
    """Features are in the order of their importance; those that get no dimension are absent."""
    c = condition(n=n, m=m, density=0.3, importance=[0.8**k for k in range(n)])
    numbers = range(min(m, n - m) + 1) if m < 8 else [0, 3, 6, 9, 12, 15, 18]
    for pairs, candidate in zip(numbers, known_models(0, c), strict=True):
        p = c.model.unpack(candidate.parameters)
        digon = torch.tensor([[1.0, -1], [-1, 1]], dtype=torch.float64)
        absent = n - m - pairs
        expected = [torch.eye(m - pairs), *[digon] * pairs, torch.zeros(absent, absent)]
        torch.testing.assert_close(p["W"].mT @ p["W"], torch.block_diag(*expected).double())
        torch.testing.assert_close(p["b"], torch.cat([torch.zeros(n - absent), c.mean[n - absent :]]).double())


def test_the_best_of_all_models_is_known_where_there_are_few_features() -> None:
    c = condition(n=2, m=1, density=0.3, importance=[1.0, 0.5])
    (best,) = known_models(0, c)
    angles = torch.linspace(0, torch.pi, 90, dtype=torch.float64)
    W = 1.02 * torch.stack([angles.cos(), angles.sin()], dim=-1)[:, None]
    p = {"W": W, "b": torch.zeros(90, 2, dtype=torch.float64)}
    others = exact.expected_loss(c.model, p, c.density.expand(90, -1), c.importance.expand(90, -1))
    assert float(loss(c, best.parameters)) <= float(others.min())
    assert best.built


def test_a_linear_model_keeps_what_costs_most() -> None:
    c = condition(model="linear", n=4, m=2, importance=[0.5, 1.0, 0.1, 2.0])
    (best,) = known_models(0, c)
    p = c.model.unpack(best.parameters)
    cost = exact.linear_loss(p["W"], p["b"], c.density, c.importance)
    torch.testing.assert_close(cost, exact.linear_optimum(2, c.density, c.importance))


@pytest.mark.parametrize("keys", [{}, {"model": "absolute"}, {"model": "relu_hidden", "hidden_bias": True}])
def test_swapped_features_keep_their_weights_together(keys: dict[str, object]) -> None:
    model = condition(n=6, m=3, **keys).model
    parameters = torch.arange(float(model.size))
    swapped = swap_features(parameters, model, torch.Generator().manual_seed(1))
    assert not torch.equal(swapped, parameters)

    def columns(p: dict[str, torch.Tensor]) -> set[tuple[float, ...]]:
        return set(
            map(tuple, torch.cat([v[None] if v.ndim == 1 else v for k, v in p.items() if k != "b_hidden"]).T.tolist())
        )

    assert columns(model.unpack(swapped)) == columns(model.unpack(parameters))


def absolute(**keys: object) -> Condition:
    return condition(
        **{"model": "absolute", "distribution": "signed", "n": 6, "m": 5, "importance": {"decay": 0.5}} | keys
    )


def test_the_most_important_absolute_values_are_computed_exactly_and_the_others_are_means() -> None:
    c = absolute(importance=[0.1, 1.0, 0.2, 0.3, 2.0, 0.4])
    (built,) = known_models(0, c)
    x = samples(c.plan.sweep, 0, 100)[1]
    y = c.model.output(c.model.unpack(built.parameters), x)
    computed = [1, 4]
    torch.testing.assert_close(y[:, computed], x[:, computed].abs())
    torch.testing.assert_close(y[:, [0, 2, 3, 5]], torch.full((100, 4), 0.1))


def test_lost_absolute_values_can_be_learned_again() -> None:
    """The most important lost features get small input weights, outputs of their mean, and gradients; no others do."""
    c = absolute(n=8, m=4)
    p = c.model.unpack(known_models(0, c)[0].parameters.clone())
    # One feature is computed for positive values only, the others not at all and without a gradient.
    p["W"][3, 1], p["b"][2:] = 0, -1
    before = c.model.pack(p)
    after = relearn_features(before, c, 2, torch.Generator().manual_seed(0)).requires_grad_()
    q = c.model.unpack(after)
    for name in q:
        kept = [0, *range(3, 8)]
        torch.testing.assert_close(q[name][..., kept], p[name][..., kept])
    x = samples(c.plan.sweep, 0, 1000)[1]
    torch.testing.assert_close(c.model.output(q, x)[:, 1:3], torch.full((1000, 2), float(c.mean[0])))
    assert (q["W"][[0, 1, 2]][:, 1:3] != 0).all()
    assert q["W"][:, 1:3].abs().max() < 0.5
    c.model.loss(q, x, c.importance.float()).sum().backward()
    gradient = c.model.unpack(after.grad)["W_out"].abs().amax(0)
    assert (gradient[:3] > 0).all()
    assert (gradient[3:] == 0).all()

"""Points on a sphere: energies of known arrangements, Thomson's problem, and the loss due to interference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from tests.tensors import tensor
from torch import Tensor

from superposition.analysis import recognition
from superposition.core import geometry
from superposition.theory import exact, packing, polytopes
from superposition.theory.catalogue import polytopes_with, simplex

seeds = st.integers(0, 10**6)
DIGON, TRIANGLE, PENTAGON = (polytopes_with(k)[-1] for k in (2, 3, 5))


def drawn(seed: int, m: int, n: int, *batch: int) -> Tensor:
    return tensor(np.random.default_rng(seed).normal(size=(*batch, m, n)))


# Energies.


THOMSON = {
    **{2: 0.5, 3: 1.732050808, 4: 3.674234614, 5: 6.474691495, 6: 9.985281374, 7: 14.452977414, 8: 19.675287861},
    **{9: 25.759986531, 10: 32.716949460, 11: 40.596450510, 12: 49.165253058},
}


def test_thomson_problem() -> None:
    """The energies of n charges on a sphere are known."""
    solutions = packing.minimise_energy(packing.coulomb_energy, [(n, 3) for n in THOMSON])
    for (W, energy), (n, known) in zip(solutions, THOMSON.items(), strict=True):
        assert energy == pytest.approx(known, abs=1e-6)
        torch.testing.assert_close(geometry.norms(W), torch.ones(n, dtype=torch.float64))
        assert packing.coulomb_energy(W).item() == pytest.approx(energy, abs=1e-9)


@given(seeds, st.integers(1, 4), st.integers(1, 6))
def test_energies_against_a_loop(seed: int, m: int, n: int) -> None:
    """Energies of batches do not depend on the lengths of columns."""
    batch = drawn(seed, m, n, 2, 3)
    for energy in (packing.interference_energy, packing.coulomb_energy):
        values = energy(batch)
        assert values.shape == (2, 3)
        torch.testing.assert_close(energy(batch * (0.1 + drawn(seed, 1, n).abs())), values, rtol=1e-6, atol=1e-12)
    W = batch[1, 2].numpy()
    W = W / np.linalg.norm(W, axis=0)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    expected = 2 * sum(max(W[:, i] @ W[:, j], 0) ** 2 for i, j in pairs)
    assert packing.interference_energy(batch)[1, 2].item() == pytest.approx(expected, abs=1e-12)
    if m > 1:  # In one dimension charges meet, and the energy is cut off.
        expected = sum(1 / np.linalg.norm(W[:, i] - W[:, j]) for i, j in pairs)
        assert packing.coulomb_energy(batch)[1, 2].item() == pytest.approx(expected, rel=1e-9)


@given(seeds, st.integers(1, 3), st.integers(1, 5))
def test_padding_changes_nothing(seed: int, m: int, n: int) -> None:
    """Rows and columns of 0 have no energy and no gradient."""
    filled = torch.zeros(m + 1, n + 2, dtype=torch.float64)
    filled[:m, :n] = drawn(seed, m, n)
    filled.requires_grad_()
    for energy in (packing.interference_energy, packing.coulomb_energy):
        value = energy(filled)
        torch.testing.assert_close(value, energy(filled[:m, :n]), rtol=1e-12, atol=1e-12)
        (gradient,) = torch.autograd.grad(value, filled)
        assert gradient[m:].eq(0).all()
        assert gradient[:, n:].eq(0).all()


@given(seeds, st.integers(2, 5), st.integers(2, 8))
def test_interference_is_a_part_of_the_loss(seed: int, m: int, n: int) -> None:
    """E/3 is the loss of the other outputs with one active feature, for unit norms without biases."""
    W = torch.nn.functional.normalize(drawn(seed, m, n), dim=0)
    zero, one = torch.zeros(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)
    loss = exact.single_active_loss(W, zero, one).sum()  # A feature's own output costs ∫ (x - x)² dx = 0.
    torch.testing.assert_close(packing.interference_energy(W) / 3, loss, rtol=1e-9, atol=1e-12)
    short = exact.single_active_loss(0.5 * W, zero, one).sum() - n * (1 - 0.25) ** 2 / 3
    torch.testing.assert_close(packing.interference_energy(W) / 3 * 0.25**2, short, rtol=1e-9, atol=1e-12)


# Minima.


NAMED: dict[tuple[int, int], list[np.ndarray]] = {
    (5, 2): [polytopes.polygon(5)],
    (6, 2): [polytopes.polygon(6), np.concatenate([simplex(3)] * 2, axis=1)],
    (7, 3): [polytopes.tegum_product(PENTAGON, DIGON), polytopes.square_antiprism()[:, :7]],
    (8, 3): [polytopes.square_antiprism(), polytopes.square_antiprism(0.28)],
    (12, 3): [polytopes.icosahedron()],
}


@pytest.mark.parametrize("size", NAMED, ids=str)
def test_no_named_arrangement_interferes_less(size: tuple[int, int]) -> None:
    W, energy = packing.minimise_energy(packing.interference_energy, [size])[0]
    assert W.shape == size[::-1]
    assert packing.interference_energy(W).item() == pytest.approx(energy, abs=1e-9)
    assert energy > 0.5
    for corners in NAMED[size]:
        assert energy <= packing.interference_energy(tensor(corners)).item() + 1e-9


def test_the_regular_pentagon_is_best() -> None:
    W, energy = packing.minimise_energy(packing.interference_energy, [(5, 2)])[0]
    assert energy == pytest.approx(10 * np.cos(2 * np.pi / 5) ** 2)
    assert recognition.recognise(W.numpy()) == ("pentagon", pytest.approx(0, abs=1e-4))


def test_the_search_finds_the_lowest_of_several_minima() -> None:
    """Seven features in a plane have several minima; a search over angles from many starts finds none that is lower."""

    def interference(angles: np.ndarray) -> float:
        cosines = np.maximum(np.cos(angles[:, None] - angles), 0)
        return float((cosines**2).sum() - len(angles))

    starts = np.random.default_rng(1).uniform(0, 2 * np.pi, (40, 7))
    found = [minimize(interference, start).fun for start in starts]
    assert max(found) > min(found) + 0.01
    assert packing.minimise_energy(packing.interference_energy, [(7, 2)])[0][1] == pytest.approx(min(found), abs=1e-6)


def test_sizes_searched_together_do_not_interact() -> None:
    """Smaller sizes, which are padded, have the same minima as alone."""
    sizes = [(5, 2), (7, 3), (4, 3), (6, 2)]
    for energy in (packing.interference_energy, packing.coulomb_energy):
        together = packing.minimise_energy(energy, sizes)
        for size, (W, value) in zip(sizes, together, strict=True):
            assert W.shape == size[::-1]
            assert energy(W).item() == pytest.approx(value, abs=1e-9)
            assert value == pytest.approx(packing.minimise_energy(energy, [size])[0][1], abs=1e-9)


def test_the_search_is_repeatable() -> None:
    """The search neither depends on the global random generator nor changes it."""
    torch.manual_seed(1)
    W, energy = packing.minimise_energy(packing.coulomb_energy, [(5, 3)])[0]
    state = torch.get_rng_state()
    torch.manual_seed(2)
    again, same = packing.minimise_energy(packing.coulomb_energy, [(5, 3)])[0]
    assert torch.equal(W, again)
    assert energy == same
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())

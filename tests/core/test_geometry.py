"""Measures on the columns of W: closed forms, loops in NumPy, and symmetries."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from superposition.core import geometry

MEASURES = (geometry.gram, geometry.norms, geometry.superposition, geometry.cosines, geometry.dimensionality)
seeds, sizes = st.integers(0, 10**6), st.tuples(st.integers(1, 5), st.integers(1, 8))


def drawn(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Draw columns of very different lengths, of which one in five is zero."""
    rng, (m, n) = np.random.default_rng(seed), size
    return rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-3, 1, n) * (rng.random(n) < 0.8)


def polygon(k: int) -> Tensor:
    angle = 2 * torch.pi * torch.arange(k, dtype=torch.float64) / k
    return torch.stack([angle.cos(), angle.sin()])


@given(seeds, sizes)
def test_against_a_loop(seed: int, size: tuple[int, int]) -> None:
    """Every measure agrees with its formula, feature by feature."""
    W, n = drawn(seed, size), size[1]
    gram, norms, superposition, cosines, dimensionality = (measure(torch.from_numpy(W)) for measure in MEASURES)
    for i in range(n):
        length = sum(x**2 for x in W[:, i]) ** 0.5
        assert norms[i].item() == pytest.approx(length)
        unit = W[:, i] / length if length else np.zeros(size[0])
        others = sum(float(unit @ W[:, j]) ** 2 for j in range(n) if j != i)
        assert superposition[i].item() == pytest.approx(others, rel=1e-9, abs=1e-12 * length**2)
        share = length**2 / (length**2 + others) if length else 0
        assert dimensionality[i].item() == pytest.approx(share, rel=1e-9)
        for j in range(n):
            assert gram[i, j].item() == pytest.approx(float(W[:, i] @ W[:, j]), abs=1e-12)
            other = W[:, j] / np.linalg.norm(W[:, j]) if W[:, j].any() else np.zeros(size[0])
            assert cosines[i, j].item() == pytest.approx(float(unit @ other), abs=1e-12)


def test_a_zero_column_has_no_direction() -> None:
    """Its measures are 0, and it does not change those of others."""
    pentagon = polygon(5)
    W = torch.cat([pentagon, torch.zeros(2, 1, dtype=torch.float64)], dim=1)
    for measure in MEASURES:
        value = measure(W)
        assert not value[..., 5].any()
        without = value[:5] if value.ndim == 1 else value[:5, :5]
        torch.testing.assert_close(without, measure(pentagon), rtol=0, atol=0)
        assert torch.equal(measure(torch.zeros_like(W)), torch.zeros_like(value))


@given(seeds, sizes, st.floats(-37, 6))
def test_own_length_does_not_enter_directions(seed: int, size: tuple[int, int], log_length: float) -> None:
    """Superposition and cosines depend on Ŵ_i, down to the shortest column in float32."""
    W = torch.from_numpy(drawn(seed, size))
    scaled = W.clone()
    scaled[:, 0] *= 10.0**log_length
    torch.testing.assert_close(geometry.cosines(scaled), geometry.cosines(W), rtol=1e-9, atol=1e-12)
    rounding = 1e-14 * float(geometry.norms(scaled)[0] ** 2)
    before, after = geometry.superposition(W)[0], geometry.superposition(scaled)[0]
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-14 + rounding)


@given(seeds, sizes)
def test_models_of_a_batch_do_not_mix(seed: int, size: tuple[int, int]) -> None:
    """Models do not mix, and nothing is rounded to float32."""
    models = [torch.from_numpy(drawn(seed + k, size)) for k in range(6)]
    batch = torch.stack(models).unflatten(0, (2, 3))
    for measure in MEASURES:
        values = measure(batch)
        assert values.dtype == torch.float64
        for value, model in zip(values.flatten(0, 1), models, strict=True):
            torch.testing.assert_close(value, measure(model), rtol=1e-12, atol=1e-14)


@given(seeds, sizes)
def test_dimensions_are_shared(seed: int, size: tuple[int, int]) -> None:
    """No dimensionality is above 1 or below 0, and together they are at most m; only ratios of lengths count."""
    W = torch.from_numpy(drawn(seed, size))
    share = geometry.dimensionality(W)
    assert ((share >= 0) & (share <= 1 + 1e-12)).all()
    assert share.sum() <= size[0] + 1e-9
    torch.testing.assert_close(geometry.dimensionality(7 * W), share, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(share > 0, W.any(dim=0))


@pytest.mark.parametrize(
    ("W", "expected"),
    [
        ([[1, -1]], [1 / 2, 1 / 2]),
        ([[1, 0], [0, 1]], [1, 1]),
        ([[2, 1]], [16 / 20, 1 / 5]),
        ([[1, -1, 0], [0, 0, 3]], [1 / 2, 1 / 2, 1]),
        ([[1, 1, 1, 0]], [1 / 3, 1 / 3, 1 / 3, 0]),
    ],
)
def test_dimensionality_by_hand(W: list[list[float]], expected: list[float]) -> None:
    share = geometry.dimensionality(torch.tensor(W, dtype=torch.float64))
    torch.testing.assert_close(share, torch.tensor(expected, dtype=torch.float64))


@given(seeds, sizes)
def test_dimensions_per_feature(seed: int, size: tuple[int, int]) -> None:
    """It is m over the sum of the squared norms, for every model of a batch."""
    batch = np.random.default_rng(seed).normal(size=(2, 3, *size))
    value = geometry.dimensions_per_feature(torch.from_numpy(batch))
    np.testing.assert_allclose(value, [[size[0] / np.linalg.norm(W) ** 2 for W in row] for row in batch])


def test_relative_interference() -> None:
    """It is 0 without pairs, 2/(m + 1) with one antipodal pair, and 1 with all in pairs, at any scale."""
    m = 5
    alone, pairs = torch.eye(m), torch.cat([torch.eye(m), -torch.eye(m)], dim=1)
    one = torch.cat([torch.eye(m), -torch.eye(m)[:, :1]], dim=1)
    for W, expected in ((alone, 0), (one, 2 / (m + 1)), (pairs, 1)):
        for scale in (1, 0.3):
            assert geometry.relative_interference(scale * W).item() == pytest.approx(expected, abs=1e-6)
    assert geometry.relative_interference(torch.zeros(m, 3)).isnan()

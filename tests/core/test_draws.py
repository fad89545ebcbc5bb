"""Random numbers: the published generator, as a function of seed, restart, step, purpose, row and sample alone."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from superposition.core import draws

WORD = st.integers(0, 2**32 - 1)


def words(text: str) -> torch.Tensor:
    return torch.tensor([int(word, 16) for word in text.split()])


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter: str, key: str, expected: str) -> None:
    """The generator reproduces the test vectors of Random123."""
    assert torch.equal(draws.philox(words(counter), words(key)), words(expected))


@given(WORD, WORD, st.integers(1, 13), st.integers(0, 10**6), st.integers(0, 2), st.integers(0, 2**31), st.data())
def test_a_uniform_is_the_documented_word(
    seed: int, restart: int, rows: int, step: int, purpose: int, first: int, data: st.DataObject
) -> None:
    """Row r is word r % 4 of counter (sample, r // 4, step, purpose), as in the compiled loop."""
    key = torch.tensor([[seed, restart]])
    drawn = draws.uniforms(key, rows, first, 5, step, purpose)
    row, sample = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, 4))
    word = draws.philox(torch.tensor([first + sample, row // 4, step, purpose]), key[0])[row % 4]
    assert drawn.shape == (1, rows, 5)
    assert drawn[0, row, sample].item() == int(word) // 256 / 2**24


@given(st.integers(1, 9), st.integers(0, 40), st.integers(1, 40))
def test_chunks_rows_and_streams_do_not_matter(rows: int, first: int, samples: int) -> None:
    """A draw depends neither on the size of a chunk nor on what else is drawn with it."""
    keys = torch.tensor([[0, 0], [7, 1], [7, 2]])
    whole = draws.uniforms(keys, 9, 0, 80, 3, draws.TRAINING)
    for stream in range(len(keys)):
        part = draws.uniforms(keys[stream : stream + 1], rows, first, samples, 3, draws.TRAINING)
        assert torch.equal(part[0], whole[stream, :rows, first : first + samples])


def test_streams_are_uniform_and_uncorrelated() -> None:
    """Seeds, restarts, steps and purposes do not share noise."""
    samples = 2**15
    rows = {
        (*key, step, purpose, row): values
        for key, step, purpose in itertools.product(
            [(0, 0), (0, 1), (1, 0)], [0, 1], [draws.TRAINING, draws.EVALUATION]
        )
        for row, values in enumerate(draws.uniforms(torch.tensor([key]), 5, 0, samples, step, purpose)[0].numpy())
    }
    for values in rows.values():
        assert values.min() >= 0
        assert values.max() < 1
        assert stats.kstest(values, "uniform").pvalue > 1e-5
    correlation = np.corrcoef(list(rows.values())) - np.eye(len(rows))
    assert np.abs(correlation).max() * samples**0.5 < 5.5
    # Neighbouring samples of one row are uncorrelated, too.
    assert all(abs(np.corrcoef(v[1:], v[:-1])[0, 1]) * samples**0.5 < 5 for v in rows.values())


def test_normals_are_standard_normal_and_uncorrelated() -> None:
    """The moments of initial weights are right, and instances are uncorrelated."""
    count = 2**15 + 1  # Odd, so that the last pair is cut in half.
    key = torch.tensor([[0, 0], [0, 1], [1, 0], [0, 0], [0, 0]])
    point = torch.tensor([[0, 0], [0, 0], [0, 0], [0, 1], [2**32 - 1, 0]])
    drawn = draws.normals(key, point, count).numpy()
    assert drawn.shape == (5, count)
    assert drawn.dtype == np.float64
    for values in drawn:
        assert stats.kstest(values, "norm").pvalue > 1e-5
        for order, moment in enumerate([0, 1, 0, 3], start=1):  # The estimate of E[z^k] has variance (2k-1)!! - E².
            spread = np.prod(np.arange(2 * order - 1, 0, -2)) - moment**2
            assert abs((values**order).mean() - moment) < 5 * (spread / count) ** 0.5
    # The two numbers of a pair share a radius, but must be uncorrelated.
    halves = np.concatenate([drawn[:, 0:-1:2], drawn[:, 1::2]])
    assert np.abs(np.corrcoef(halves) - np.eye(10)).max() * (count // 2) ** 0.5 < 5
    assert np.abs(np.corrcoef(halves**2) - np.eye(10)).max() * (count // 2) ** 0.5 < 5


@given(WORD, WORD, WORD, WORD, st.integers(1, 20))
def test_normals_do_not_depend_on_company(seed: int, restart: int, a: int, b: int, count: int) -> None:
    """The initial weights of an instance do not change when a sweep or a model grows."""
    key, point = torch.tensor([[seed, restart], [1, 2]]), torch.tensor([[a, b], [3, 4]])
    whole = draws.normals(key, point, 21)
    assert torch.equal(draws.normals(key[:1], point[:1], count), whole[:1, :count])
    assert torch.isfinite(whole).all()

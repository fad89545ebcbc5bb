"""What one core of this machine can do: the rates that benchmarks are held against."""

import time
from collections.abc import Callable

import numpy as np
import torch

# Seconds of CPU time of one repetition, and how many repetitions there are.
SHORT, REPETITIONS = 0.01, 3


def fastest(work: Callable[[int], object]) -> float:
    """Return the least CPU seconds of ``work(1)``, from calls of ``work(times)`` that take long enough to be timed."""
    times, taken = 1, 0.0
    while True:
        taken = min(_seconds(work, times) for _ in range(REPETITIONS))
        if taken >= SHORT:
            return taken / times
        times *= 8 if taken < SHORT / 8 else 2


def _seconds(work: Callable[[int], object], times: int) -> float:
    start = time.process_time()
    work(times)
    return time.process_time() - start


def matrix_rate(size: int = 2048) -> float:
    """Floating-point operations per second of a large float32 matrix product on one core, by NumPy or PyTorch."""
    a, b = (np.random.default_rng(k).random((size, size), dtype=np.float32) for k in range(2))
    c, d = torch.from_numpy(a), torch.from_numpy(b)
    products = (lambda times: [a @ b for _ in range(times)]), (lambda times: [c @ d for _ in range(times)])
    return 2 * size**3 / min(map(fastest, products))


def copy_rate(size: int = 2**28) -> float:
    """Bytes per second that one core reads and writes in a copy too large for its caches."""
    a, b = (np.ones(size, dtype=np.uint8) for _ in range(2))  # Memory of zeros would not be there before it is written.
    return 2 * size / fastest(lambda times: [np.copyto(a, b) for _ in range(times)])

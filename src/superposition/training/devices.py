"""What a sweep is trained on: the device with its engine, and the threads that share it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from superposition.core.errors import SuperpositionError
from superposition.training.captured import Captured
from superposition.training.engine import Engine
from superposition.training.fused import Fused

ENGINES: dict[str, type[Engine]] = {"cpu": Fused, "cuda": Captured}


def resolve_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one. Raises SuperpositionError if a device was asked for that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise SuperpositionError(f"device: {name!r} is not one of auto, cpu, cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise SuperpositionError("device: cuda was asked for, but there is no usable GPU here; allowed are auto, cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def available_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each run PyTorch with one thread: those inside others would wait for one another."""
    own_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(own_threads)


def for_each(
    work: Callable[[np.ndarray], None], blocks: list[np.ndarray], where: torch.device, pool: ThreadPoolExecutor
) -> None:
    """Side by side on a CPU; one after the other on a GPU, which each fills."""
    try:
        for _ in (pool.map if where.type == "cpu" else map)(work, blocks):
            pass
    except torch.OutOfMemoryError:
        raise SuperpositionError(
            "the GPU is out of memory: let fewer jobs share it (snakemake --resources gpu=1), or use device: cpu"
        ) from None

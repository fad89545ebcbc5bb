"""The device that a sweep is trained on, its engine, and the threads that share it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.grid import BUILT_IN_MODELS
from superposition.core.experiment.sweep import Sweep
from superposition.training.autograd import Autograd
from superposition.training.captured import Captured
from superposition.training.engine import Block, Engine, TrainingConfig
from superposition.training.fused import Fused

ENGINES: dict[str, type[Engine]] = {"cpu": Fused, "cuda": Captured}


def is_fast(sweep: Sweep, device: torch.device) -> bool:
    """Return whether the engine of a device can train a sweep; otherwise the reference engine does."""
    return sweep.compiled if device.type == "cpu" else sweep.model in BUILT_IN_MODELS


def make_engine(
    sweep: Sweep,
    device: torch.device,
    block: Block,
    config: TrainingConfig,
    parameters: Float32[Tensor, "instance size"],
) -> Engine:
    """Return the fastest engine that can train a block of a sweep on a device."""
    kind = ENGINES[device.type] if is_fast(sweep, device) else Autograd
    return kind(block.to(device), config, parameters.to(device))


def resolve_device(name: str) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, or ``auto``, which is the GPU if one is usable and else the CPU.

    Raises:
        SuperpositionError: The name is unknown, or there is no usable GPU for ``cuda``.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise SuperpositionError(f"device: {name!r} is not one of auto, cpu, cuda")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise SuperpositionError("device: cuda was asked for, but there is no usable GPU here; allowed are auto, cpu")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def thread_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Provide a pool of threads, and limit PyTorch to one thread in each, since nested threads would wait in line."""
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(torch_threads)


def for_each(
    work: Callable[[np.ndarray], None], blocks: list[np.ndarray], device: torch.device, pool: ThreadPoolExecutor
) -> None:
    """Process all blocks: in parallel on a CPU, one after another on a GPU, which a single block fills."""
    try:
        for _ in (pool.map if device.type == "cpu" else map)(work, blocks):
            pass
    except torch.OutOfMemoryError:
        raise SuperpositionError(
            "the GPU is out of memory: let fewer jobs share it (snakemake --resources gpu=1), or use device: cpu"
        ) from None

"""Settings shared by all tests."""

import os
import signal

import jaxtyping
import matplotlib
import pytest
import torch
from hypothesis import settings

matplotlib.use("Agg")

# The same examples in every run, and no limit in time: a slow machine is no reason to fail.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("repeatable")

# In the background of a shell SIGINT is ignored, and would be by all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tensors are tiny here: PyTorch's threads would only wait for each other, long where the cores are shared.
torch.set_num_threads(1)

# The step that is compiled for a GPU cannot be compiled together with the checks of shapes.
jaxtyping.config.update("jaxtyping_disable", torch.cuda.is_available())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that none is left over in the end; those on a cluster wait most of the time."""
    longest = ("test_cluster", "test_faults")
    items.sort(key=lambda item: (item.path.stem not in longest, item.path.parent.name != "workflow"))


def pytest_xdist_auto_num_workers() -> int:
    """One for every core, and one that waits for a cluster."""
    return (os.cpu_count() or 1) + 1

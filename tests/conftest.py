"""Settings shared by all tests.

Large libraries are imported late, so that the processes that run the tests start seconds earlier.
"""

import gc
import os
import signal

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

# Examples are the same in every run, and have no time limit, because a slow machine is no reason to fail.
settings.register_profile("developer", derandomize=True, deadline=None, max_examples=10)
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "developer"))

# A shell ignores SIGINT in its background processes, and so would all processes that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off the checks of shapes at run time, which take time and which PyTorch's compiler cannot compile."""
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files, so that none is left over at the end."""
    longest = ("test_cluster", "test_cluster_faults", "test_faults", "workflow", "test_on_record", "training", "paper")

    def rank(item: pytest.Item) -> int:
        names = (item.path.stem, item.path.parent.name)
        return min((longest.index(name) for name in names if name in longest), default=len(longest))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Prepare for many short tests, after their modules have been imported."""
    import torch

    # Tensors are so small here that PyTorch's threads would only wait for one another.
    torch.set_num_threads(1)
    # Keep the collector from searching for garbage among all that was imported, which takes a tenth of the tests.
    gc.freeze()

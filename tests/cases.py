"""Cases of a test of which most wait for CI."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def in_ci(every: Mapping[str, Any] | Iterable[str], *always: str) -> list[Any]:
    """Return the parameters of a test that runs with the cases named ``always``, and in CI with every one.

    A case is the value of its name, or the name itself.
    """
    named = every if isinstance(every, Mapping) else {name: name for name in every}
    return [
        pytest.param(case, id=name, marks=() if name in always else pytest.mark.integration)
        for name, case in named.items()
    ]

"""Share one browser among the tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.pipeline.browser import running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with running() as started:
        yield started

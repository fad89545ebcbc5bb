"""Start Chromium, in which tests look at pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
# Milliseconds after which tests give up on what hangs. Nothing that works takes that long, on however busy a machine.
PATIENCE = 600_000


@contextmanager
def running() -> Iterator[Any]:
    """Start a browser, and close it in the end."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE)
        yield browser
        browser.close()


def new_page(browser: Any, width: int = 1200) -> Any:
    """Return an empty page in a window of this width."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(PATIENCE)
    return page

"""Measure the explorer of results/paper in Chromium: its size, how soon its first view shows, how fast it trains.

python benchmarks/explorer.py  # needs Chromium, named by the variable CHROMIUM if it is not `chromium`
"""

import os
import shutil
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

EXPLORER = Path("results/paper/explorer.html").resolve()
# A model of the largest size that the live view is meant for, and the seconds for which it trains.
LIVE, SECONDS = "live&n=10&m=3&batch=1024&steps=100000", 10
REPETITIONS = 5


def first_view(browser: Browser) -> float:
    """Return the seconds from asking for the page to its first view, in a browser without a cache."""
    page = browser.new_context().new_page()
    start = time.perf_counter()
    page.goto(f"{EXPLORER.as_uri()}#introduction", wait_until="commit")
    page.locator("main .panel svg").first.wait_for()
    taken = time.perf_counter() - start
    page.context.close()
    return taken


def steps_per_second(browser: Browser) -> float:
    """Return how many steps of the large model the page takes in a second."""
    page = browser.new_page()
    page.goto(f"{EXPLORER.as_uri()}#{LIVE}")
    trained = page.locator("[data-step]")
    trained.wait_for()
    start, before = time.perf_counter(), int(trained.get_attribute("data-step") or 0)
    page.wait_for_timeout(1000 * SECONDS)
    return (int(trained.get_attribute("data-step") or 0) - before) / (time.perf_counter() - start)


with sync_playwright() as playwright:
    running = playwright.chromium.launch(executable_path=shutil.which(os.environ.get("CHROMIUM", "chromium")))
    print(f"Chromium {running.version}, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"size: {EXPLORER.stat().st_size / 1e6:.1f} MB")
    times = sorted(first_view(running) for _ in range(REPETITIONS))
    print(f"first view: {times[0]:.2f} s at best, {times[-1]:.2f} s at worst of {REPETITIONS}")
    print(f"live, n = 10, m = 3, batch 1024: {steps_per_second(running):.0f} steps per second")
    running.close()

"""Make the pictures of the explorer that the README shows, from results/paper/explorer.html: a still and an animation.

python report/pictures/explorer.py  # needs Chromium, named by the variable CHROMIUM if it is not `chromium`
"""

import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
EXPLORER = Path("results/paper/explorer.html").resolve().as_uri()


def take(page: Page) -> Image.Image:
    """Return a picture of the panels of the page."""
    return Image.open(io.BytesIO(page.locator(".panels").screenshot())).convert("RGB")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which(os.environ.get("CHROMIUM", "chromium")))
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(f"{EXPLORER}#feature_dimensionality")
    take(page).quantize(256, Image.Quantize.MAXCOVERAGE).save(FOLDER / "explorer.png", optimize=True)
    page.set_viewport_size({"width": 760, "height": 900})
    page.goto(f"{EXPLORER}#pentagon_solutions&relative_density=10")
    slider, frames = page.locator("input[type=range]"), []
    # Show the arrangement and the losses alone.
    page.add_style_tag(content=".panel:not(:nth-child(1), :nth-child(2)) { display: none }")
    for _ in range(int(slider.get_attribute("max") or 0) + 1):
        frames.append(take(page).quantize(32, dither=Image.Dither.NONE))
        slider.press("ArrowLeft")
    frames[0].save(
        FOLDER / "explorer.gif", save_all=True, append_images=frames[1:], duration=150, loop=0, optimize=True
    )
    browser.close()

"""Take the picture of this folder: training and results of a report, as Chromium shows them.

Usage: ``python examples/report/picture.py examples/quickstart/artifacts/report.html examples/report/report.png``
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH, COLOURS = 1100, 200


def main(page_path: Path, picture: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 800}, device_scale_factor=1.5)
        page.goto(page_path.resolve().as_uri())
        top = page.locator("#training").bounding_box()
        end = page.locator("#results .charts").bounding_box()
        assert top and end, "the page has no training or no results"
        clip = {"x": 0, "y": top["y"], "width": WIDTH, "height": end["y"] + end["height"] + 16 - top["y"]}
        taken = page.screenshot(full_page=True, clip=clip)
        browser.close()
    Image.open(io.BytesIO(taken)).quantize(COLOURS).save(picture, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

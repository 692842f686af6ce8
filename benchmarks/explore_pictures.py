"""Draw docs/images/explore_*.png: the page of keras-vae explore in Chromium, in light, in dark and on a phone.

python -m benchmarks.explore_pictures LABELED PLAIN

LABELED is a run with --model cvae, PLAIN one with --model vae, whose codes show the labels. Needs the extra
`keras_vae[browser]` and a Chromium, of the system or from `playwright install chromium`.
"""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from keras_vae.cli.explore import explorer_of
from keras_vae.cli.options import Explore
from keras_vae.explore import ExploreServer
from keras_vae.utils.files import whole

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESKTOP, PHONE = {"width": 1360, "height": 1010}, {"width": 390, "height": 844}
PICTURES: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "device_scale_factor": 2},
}
# Fewer colors make smaller files.
COLORS = 256


def interpolate(page: Page) -> None:
    """Set A and B to an example of a 2 and one of a 0, and stop on the way."""
    for end, label in (("a", 2), ("b", 0)):
        page.locator("#example").fill(str(page.evaluate("label => data.labels.indexOf(label)", label)))
        page.keyboard.press("Enter")
        settle(page)
        page.locator(f"#set-{end}").click()
    page.locator("#t").fill("0.35")
    settle(page)


def point_at_a_code(page: Page) -> None:
    """Show the data, with the example under the pointer."""
    page.locator("#layer-data").check()
    settle(page)
    spot = page.evaluate("spot(33, data.codes[33], byId('map').clientWidth - LEFT)")
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 34 + spot[0], box["y"] + spot[1])


def main(labeled: str, plain: str) -> None:
    """Take the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, options in PICTURES.items():
            with ExploreServer(explorer_of(labeled if name == "phone" else plain, Explore())) as server:
                shot = picture(browser.new_context(**options).new_page(), server.url, name)
            with whole(IMAGES / f"explore_{name}.png") as unfinished:
                shot.quantize(COLORS, dither=Image.Dither.NONE).save(unfinished, format="PNG", optimize=True)
        browser.close()


def picture(page: Page, url: str, name: str) -> Image.Image:
    """Return the screenshot of a name."""
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_selector("#pair canvas")
    settle(page)
    if name != "phone":
        interpolate(page)
    if name == "dark":
        point_at_a_code(page)
    settle(page)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def settle(page: Page) -> None:
    """Wait until the page has nothing left to ask or draw."""
    page.wait_for_timeout(500)
    page.wait_for_function("() => state.z && !waiting && !map.timer")


if __name__ == "__main__":
    main(*sys.argv[1:])

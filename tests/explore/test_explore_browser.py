"""The page in a real browser: `pip install playwright`, and Chromium from Playwright or from the system."""

import contextlib
import shutil

import numpy as np
import pytest
from PIL import Image

import keras_vae as kv
from keras_vae.data.examples import Column, Examples
from keras_vae.explore import Explorer, ExploreServer, ModelSource

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.stress


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no browser: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, model, examples, width=1360, wait="#output canvas", **options):
    """Yield the page of a model; errors of its scripts fail the test."""
    with ExploreServer(Explorer(ModelSource(model, "bars", "a test"), examples)) as server:
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
        context.set_default_timeout(120_000)  # a busy machine is slow
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(server.url)
        page.wait_for_selector(wait)
        quiet(page)
        yield page
        assert not errors
        context.close()


@pytest.fixture(scope="module")
def bars(binary_images):
    """A model conditional on a label, trained for moments so that its latents matter, and its data."""
    labels = np.arange(64, dtype=np.int32) % 3
    model = kv.models.make("cvae", (8, 8, 1), classes=3, latent_size=3, hidden=[32])
    model.compile(optimizer="adam")
    model.fit(binary_images, labels, batch_size=16, epochs=30, verbose=0)
    return model, Examples((binary_images * 250).astype(np.uint8), labels, "bars")


PIXELS = "() => document.querySelector('#output canvas').toDataURL()"
POINT = "() => Array.from(state.z)"


def quiet(page):
    """Wait until the page has nothing left to ask or draw."""
    page.wait_for_timeout(50)
    page.wait_for_function("() => state.z && !waiting && !map.timer")


def changed(page, act):
    """Do something, wait until the decoded image is another one, and return z before and after."""
    quiet(page)
    image, z = page.evaluate(PIXELS), page.evaluate(POINT)
    act()
    page.wait_for_function(f"before => ({PIXELS})() !== before", arg=image)
    if not page.evaluate("state.playing"):
        quiet(page)
    return np.array(z), np.array(page.evaluate(POINT))


def test_the_whole_page(browser, bars, tmp_path):
    model, examples = bars
    with opened(browser, model, examples) as page:
        # A slider, by keyboard.
        changed(page, lambda: page.locator("#reset").click())
        first = page.locator("#latents input").first
        start, step = page.evaluate("model.latents[0].start"), float(first.get_attribute("step"))
        first.focus()
        before, after = changed(page, lambda: [page.keyboard.press("ArrowRight") for _ in range(20)])
        assert after[start] == pytest.approx(before[start] + 20 * step, abs=1.01 * step)
        np.testing.assert_array_equal(np.delete(after, start), np.delete(before, start))
        expected = model.decode(after[None].astype("float32"), condition=[page.evaluate("state.condition")])["mean"]
        np.testing.assert_allclose(
            np.reshape(page.evaluate("Array.from(state.mean)"), [8, 8, 1]), expected[0], atol=1e-5
        )

        # The map of decoded images, by pointer and by keyboard.
        box = page.locator("#map").bounding_box()
        before, after = changed(page, lambda: page.mouse.click(box["x"] + 60, box["y"] + 40))
        axes = page.evaluate("[map.x.start, map.y.start]")
        assert after[axes[0]] < -2
        assert after[axes[1]] > 2
        page.locator("#map").focus()
        before, after = changed(page, lambda: page.keyboard.press("Shift+ArrowRight"))
        tenth = page.evaluate("(map.x.high - map.x.low) / 10")
        assert after[axes[0]] == pytest.approx(before[axes[0]] + tenth, abs=1e-5)
        assert page.locator("#map-status").text_content().startswith("z")

        # The map of the data: pointing shows an example, a click sets z to its code.
        page.locator("#layer-data").check()
        assert page.locator("#legend span").count() == 3
        spot = page.evaluate("spot(9, data.codes[9], byId('map').clientWidth - LEFT)")
        box = page.locator("#map").bounding_box()
        where = (box["x"] + 34 + spot[0], box["y"] + spot[1])
        page.mouse.move(*where)
        page.wait_for_selector("#tip:not([hidden]) canvas")
        assert "example" in page.locator("#tip-text").text_content()
        _, after = changed(page, lambda: page.mouse.click(*where))
        index = int(page.locator("#example").input_value())
        np.testing.assert_allclose(after, page.evaluate("i => Array.from(data.codes[i])", index))
        assert page.locator("#label").input_value() == str(index % 3)

        # The condition.
        changed(page, lambda: page.locator("#label").select_option(str((index + 1) % 3)))

        # A seed, and the file.
        page.locator("#seed").fill("7")
        _, after = changed(page, lambda: page.keyboard.press("Enter"))
        label = int(page.locator("#label").input_value())
        np.testing.assert_allclose(after, model.generate([7], condition=[label])["z"][0], atol=1e-6)
        with page.expect_download() as download:
            page.locator("#download").click()
        assert download.value.suggested_filename == f"bars-label-{label}-seed-7.png"
        download.value.save_as(tmp_path / "x.png")
        image = np.asarray(Image.open(tmp_path / "x.png").convert("L"), np.float32) / 255
        assert image.shape == (448, 448)
        mean = model.generate([7], condition=[label])["mean"]
        np.testing.assert_allclose(image[28::56, 28::56], np.asarray(mean)[0, ..., 0], atol=0.01)

        # The way from A to B.
        page.locator("#set-a").click()
        changed(page, lambda: page.locator("#next-seed").click())
        page.locator("#set-b").click()
        page.wait_for_selector("#strip:not([hidden])")
        t = float(page.locator("#t").input_value())
        changed(page, lambda: page.locator("#play").click())
        assert page.locator("#play").text_content() == "Pause"
        page.wait_for_function("t => Math.abs(byId('t').value - t) > 0.1", arg=t)
        page.locator("#play").click()
        t, ends = float(page.locator("#t").input_value()), page.evaluate("[state.a, state.b].map((z) => Array.from(z))")
        np.testing.assert_allclose(page.evaluate(POINT), (1 - t) * np.array(ends[0]) + t * np.array(ends[1]), atol=0.05)


DROP = """([name, type, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(bytes)], name, {type}));
  document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: files}));
}"""


def test_an_image_that_is_dropped_is_encoded(browser, bars, binary_images, tmp_path):
    model, examples = bars
    with opened(browser, model, examples) as page:
        large = np.kron(binary_images[5, ..., 0], np.ones([10, 10])) * 255
        Image.fromarray(large.astype(np.uint8)).save(tmp_path / "own.png")
        data = list((tmp_path / "own.png").read_bytes())
        page.locator("#label").select_option("2")
        _, after = changed(page, lambda: page.evaluate(DROP, ["own.png", "image/png", data]))
        codes = model.encode(binary_images[5:6], condition=[2])["mean"]
        np.testing.assert_allclose(after, codes[0], atol=1e-4)
        assert page.locator("#pair canvas").count() == 2
        # Inverted, by the file chooser.
        page.locator("#invert").check()
        page.locator("#file").set_input_files(tmp_path / "own.png")
        page.wait_for_timeout(300)  # the browser reads the file
        quiet(page)
        codes = model.encode(1 - binary_images[5:6], condition=[2])["mean"]
        np.testing.assert_allclose(page.evaluate(POINT), codes[0], atol=1e-4)
        # A file that is no image is one line, which the next success removes.
        page.evaluate(DROP, ["own.png", "image/png", [1, 2, 3]])
        page.wait_for_selector("#error:not([hidden])")
        assert page.locator("#error").text_content().startswith("own.png: expected an image, received a file")
        page.locator("#reset").click()
        page.wait_for_selector("#error", state="hidden")


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(browser, bars):
    for width in (1360, 390):
        with opened(browser, *bars, width=width) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            reached, places = [], []
            for _ in range(60):
                page.keyboard.press("Tab")
                name = page.evaluate("document.activeElement.id || document.activeElement.tagName")
                if name == "BODY":
                    break
                reached.append(name)
                # Of what is itself invisible, another element shows the focus.
                shown = {"file": "#drop .button", "layer-decoded": "#layer-decoded + span"}.get(name, ":focus")
                style = page.evaluate("e => getComputedStyle(document.querySelector(e)).outlineStyle", shown)
                assert style == "solid", name
                places.append(page.evaluate("document.activeElement.closest('.panel').id"))
            wanted = {
                "label",
                "seed",
                "next-seed",
                "download",
                "reset",
                "file",
                "invert",
                "example",
                "axis-x",
                "axis-y",
            }
            assert wanted | {"layer-decoded", "map", "set-a", "set-b", "latent-0", "latent-2"} <= set(reached)
            order = list(dict.fromkeys(places))
            tops = [page.evaluate("i => byId(i).getBoundingClientRect().top + scrollY", panel) for panel in order]
            if width == 390:
                assert tops[1:] == sorted(tops[1:])  # the first one sticks to the top
                assert order[:2] == ["stage", "latents-panel"]
            unnamed = """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")].filter(
                (e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim() || e.getAttribute("aria-label"))
            ).map((e) => e.id)"""
            assert page.evaluate(unnamed) == []


def test_light_and_dark(browser, bars):
    papers = []
    for scheme in ("light", "dark"):
        with opened(browser, *bars, color_scheme=scheme) as page:
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    brightness = [sum(map(int, paper.strip("rgb()").split(","))) for paper in papers]
    assert brightness[0] > 600
    assert brightness[1] < 150


def test_curves_and_tables_and_groups(browser, binary_images):
    rows = np.random.default_rng(0).normal(size=[20, 6]).astype("float32")
    curve = kv.models.vae((6,), likelihood="normal", latent_size=2, hidden=[8])
    with opened(browser, curve, None) as page:
        assert page.locator("#output canvas.curve").count() == 1
        assert page.locator("#layer-data").is_disabled()
        page.evaluate(DROP, ["row.csv", "text/csv", list(b"1,2,3,4,5")])
        page.wait_for_selector("#error:not([hidden])")
        assert "row.csv: expected 6 numbers, received 5" in page.locator("#error").text_content()
        _, after = changed(page, lambda: page.evaluate(DROP, ["row.csv", "text/csv", list(b"1,2,3,4,5,6")]))
        np.testing.assert_allclose(after, curve.encode(np.float32([[1, 2, 3, 4, 5, 6]]))["mean"][0], atol=1e-5)
    columns = (*(Column(f"c{i}", "real", i) for i in range(3)), Column("kind", "category", 3, ("a", "b", "<i>")))
    with opened(browser, curve, Examples(rows, None, "things", columns=columns), wait="#output table") as page:
        assert page.locator("#output tr").count() == 4
        with page.expect_download() as download:
            page.locator("#download").click()
        assert download.value.suggested_filename == "bars.csv"
    two = kv.models.vae((8, 8, 1), latent_size=[3, 2], hidden=[16])
    with opened(browser, two, Examples((binary_images * 250).astype(np.uint8), None, "bars")) as page:
        assert "does not see z2" in page.locator("#latents-hint").text_content()
        slider = page.locator("#latents input[aria-label^='z2']").first
        slider.focus()
        before, after = changed(page, lambda: page.keyboard.press("PageUp"))
        assert np.all(after[:3] != before[:3])  # z1 follows
    codes = kv.models.make("gumbel", (8, 8, 1), latent_size=2, hidden=[16])
    with opened(browser, codes, Examples((binary_images * 250).astype(np.uint8), None, "bars")) as page:
        choice = page.locator("#latents select").first
        other = (int(choice.input_value()) + 1) % 10
        _, after = changed(page, lambda: choice.select_option(str(other)))
        start = page.evaluate("model.latents[0].start")
        assert after[start : start + 10].tolist() == np.eye(10)[other].tolist()

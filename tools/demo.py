"""Film the README's moving picture, docs/demo.webp: on the exported page a digit is drawn, leans and changes."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mrvae_lib import load_model, widgets

OUT = Path(__file__).parent.parent / "docs" / "demo.webp"
SIZE = {"width": 1000, "height": 640}
FRAME_MS = 80
MOVE_FRAMES = 7
THREE = ((0.3, 0.25), (0.5, 0.16), (0.68, 0.26), (0.62, 0.42), (0.45, 0.48), (0.64, 0.54), (0.7, 0.7), (0.52, 0.84),
         (0.3, 0.75))
POINTER = """() => {
  document.body.insertAdjacentHTML("beforeend", `<svg id="pointer" width="22" height="30" viewBox="0 0 11 15"
    style="position: fixed; left: 0; top: 0; z-index: 9; pointer-events: none"><path fill="#111" stroke="#fff"
    d="M.7 1v11.5l2.8-2.6 1.9 4.4 2-.9-1.9-4.3h3.8z"/></svg>`);
  addEventListener("mousemove", event => {
    document.getElementById("pointer").style.transform = `translate(${event.clientX - 2}px, ${event.clientY - 2}px)`;
  });
}"""
"""A screenshot shows no pointer, so the page gets one that follows the mouse."""


class Film:
    """Moves the mouse over a page and keeps a picture of every step."""

    def __init__(self, page: Page) -> None:
        self.page, self.frames, self.place = page, [], (150.0, 400.0)
        page.evaluate(POINTER)
        page.mouse.move(*self.place)

    def hold(self, n: int = 1) -> None:
        """Keep what is seen for n frames, once the page has painted it."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames += [picture] * n

    def move(self, x: float, y: float, n: int = MOVE_FRAMES) -> None:
        """Move the mouse to a place in n frames, slowly at both ends."""
        (x0, y0), self.place = self.place, (x, y)
        for i in range(1, n + 1):
            share = (i / n) ** 2 * (3 - 2 * i / n)
            self.page.mouse.move(x0 + share * (x - x0), y0 + share * (y - y0))
            self.hold()

    def press(self, selector: str, n: int = 10) -> None:
        """Press a button and look at what it does for n frames."""
        box = self.page.locator(selector).bounding_box()
        self.move(box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"])
        self.page.mouse.down()
        self.page.mouse.up()
        self.hold(n)

    def draw(self, selector: str, *points: tuple[float, float], n: int = 10) -> None:
        """Draw a line through places on a canvas, each a share of its width and height."""
        box = self.page.locator(selector).bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.move(*place, 3)
        self.page.mouse.up()
        self.hold(n)

    def drag(self, selector: str, *values: float) -> None:
        """Drag a slider from where it stands to each of the values."""
        slider = self.page.locator(selector)
        box, low, high = slider.bounding_box(), *(float(slider.get_attribute(name)) for name in ("min", "max"))

        def place(value: float) -> tuple[float, float]:
            handle = 16
            return (box["x"] + handle / 2 + (value - low) / (high - low) * (box["width"] - handle),
                    box["y"] + box["height"] / 2)

        self.move(*place(float(slider.input_value())))
        self.page.mouse.down()
        for value in values:
            self.move(*place(value), 2 * MOVE_FRAMES)
        self.page.mouse.up()


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or sys.exit("demo.py needs Chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        address = widgets.export_html(load_model("mnist-mrvae"), Path(folder) / "page.html", title="MR-VAE").as_uri()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        film = Film(page)
        film.hold(6)
        film.draw("#pad", *THREE)
        film.drag("#reals input >> nth=0", 2.2, -1.5)
        film.press("#bits button >> nth=0")
        film.press("#bits button >> nth=1")
        film.drag("#reals input >> nth=1", 2.0)
        film.press("#erase", 2)
        film.press("#reset", 6)  # back to the first frame: the film begins again
        browser.close()
    first, *others = film.frames
    first.save(OUT, save_all=True, append_images=others, duration=FRAME_MS, loop=0, quality=80, method=6)
    print(f"{OUT}: {len(film.frames) * FRAME_MS / 1000:.1f} s, {OUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

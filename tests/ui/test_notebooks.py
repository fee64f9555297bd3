"""The first notebook in JupyterLab and Notebook 7: what is shown is the picture of the readout, and how soon."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mrvae_lib import load_model
from mrvae_lib.interactive.explorer_state import decode_state, explorer_content
from tests.ui import latency
from tests.ui.conftest import KERNEL_IS_READY, drag, new_page, run_all_cells, view_told

PICTURE = "img[alt^='decoded picture']"
HANDLE = ".widget-slider .noUi-handle >> nth=0"
TOLD = ".widget-slider .widget-label", ".widget-slider .widget-readout", "button.mrvae-bit"


def shown(page):
    """The pixels on screen, read from the image the browser holds."""
    return np.array(Image.open(io.BytesIO(base64.b64decode(source(page).split(",")[1]))))


def readout(page):
    """The view that sliders and buttons say they show."""
    model = load_model("mnist-mrvae")
    told = (page.locator(selector).all_text_contents() for selector in TOLD)
    return model, view_told(explorer_content(model).starts[0], *told)


def sheet_tile(page, button):
    """The pixels of the small picture above a button."""
    row, place = button.evaluate("""button => [button.closest('.widget-vbox').querySelector('img').src,
                                               [...button.parentElement.children].indexOf(button)]""")
    side = shown(page).shape[1]
    sheet = np.array(Image.open(io.BytesIO(base64.b64decode(row.split(",")[1]))).convert("L"))
    return sheet[:, place * side : (place + 1) * side]


def picture_is_of_the_readout(page):
    model, state = readout(page)
    return np.abs(shown(page).astype(int) - decode_state(model, state)).max() <= 1


def source(page):
    return page.locator(PICTURE).first.get_attribute("src")


def picture_changes_and_is_of_the_readout(page, act, *given):
    before = source(page)
    act(*given)
    page.wait_for_function("([selector, before]) => document.querySelector(selector).src !== before", arg=[PICTURE, before])
    page.wait_for_timeout(1000)  # the readout and the last picture of a fast series
    return picture_is_of_the_readout(page)


@pytest.fixture(scope="module")
def explorer(front_end, browser):
    """The first notebook, run: the front end's name, the notebook's address, its page and the handle of its first slider."""
    name, address = front_end
    with new_page(browser) as page:
        run_all_cells(page, f"{address}/00_start_here.ipynb?reset")
        handle = page.locator(HANDLE)
        handle.wait_for(state="attached", timeout=180_000)
        page.wait_for_function(KERNEL_IS_READY, timeout=180_000, polling=250)
        page.locator(PICTURE).first.scroll_into_view_if_needed()
        handle.scroll_into_view_if_needed()
        page.wait_for_timeout(2000)
        yield name, f"{address}/00_start_here.ipynb?reset", page, handle


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_slider_bit_and_keyboard_each_show_the_picture_of_the_readout(explorer, screenshot, measured):
    name, _, page, handle = explorer
    assert picture_is_of_the_readout(page)
    assert picture_changes_and_is_of_the_readout(page, drag, page, HANDLE, (0.5, 0.5), (-2, 0.5))

    values = page.locator(".widget-slider .widget-readout").all_inner_texts()
    assert picture_changes_and_is_of_the_readout(page, page.locator("button.mrvae-bit").nth(2).click)
    assert page.locator(".widget-slider .widget-readout").all_inner_texts() == values

    code = readout(page)[1].code
    opposite = page.locator(".mrvae-tiles:not(.mrvae-sweep) button").nth(2 ** len(code) - 1 - int(code, 2))
    for tile in (opposite, page.locator(".mrvae-sweep button").nth(6)):
        assert picture_changes_and_is_of_the_readout(page, tile.click)
        assert np.abs(sheet_tile(page, tile).astype(int) - shown(page)).max() <= 1

    real = page.locator(".widget-slider .widget-label").first.inner_text().split(" ")[0]
    for direction in ("up", "down"):
        button = page.locator(f"button[title='{real} {direction}']")
        assert picture_changes_and_is_of_the_readout(page, button.press, "Space")
    if name == "JupyterLab 4":  # Notebook 7 keeps arrow keys for itself: there the buttons stand in
        assert picture_changes_and_is_of_the_readout(page, handle.press, "ArrowLeft")
    page.locator(".mrvae").first.evaluate("panel => panel.scrollIntoView()")
    screenshot(page, f"explorer-{'lab' if name == 'JupyterLab 4' else 'notebook7'}.png")

    track = page.locator(".widget-slider .noUi-target").first.bounding_box()["width"]
    times = latency.of_a_drag(page, PICTURE, latency.OF_AN_IMAGE, middle(handle), track)
    measured(f"{name}, mouse move to painted picture", times, target=60)
    page.wait_for_timeout(1000)
    assert picture_is_of_the_readout(page)


def test_a_notebook_opened_again_shows_its_last_view_and_says_that_no_kernel_is_behind_it(explorer, screenshot):
    """As set up by `make`: Lab saves the state of widgets with the notebook (tools/lab-settings.json)."""
    name, address, page, _ = explorer
    assert picture_changes_and_is_of_the_readout(page, page.locator("button.mrvae-bit").nth(1).click)
    code = readout(page)[1].code
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto(address)
    page.wait_for_selector(".mrvae.jupyter-widgets-disconnected", state="attached")
    page.wait_for_function("() => document.querySelector('.widget-slider') && !document.querySelector('.widget-slider .widget-label:empty')")
    page.wait_for_timeout(2000)  # its parts are drawn one after another, and the notebook moves until all are
    page.locator(".mrvae").first.evaluate("panel => panel.scrollIntoView()")
    assert readout(page)[1].code == code
    assert picture_is_of_the_readout(page)
    said = page.evaluate("() => getComputedStyle(document.querySelector('.mrvae'), '::before').content")
    assert "No kernel is behind these controls" in said
    screenshot(page, f"reopened-{name.split()[0].lower()}.png")

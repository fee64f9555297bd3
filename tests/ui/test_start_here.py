"""The first notebook in JupyterLab: a slider and a bit change the picture, and it is the picture of the readout."""

import base64
import io
import re
import statistics

import numpy as np
import torch
from PIL import Image

from mrvae_lib import load_pretrained
from mrvae_lib.interactive.state import ExplorerState, decode_state, explorer_content

PICTURE = "img[alt^='decoded picture']"
KERNEL_IS_READY = """() => document.querySelector('.jp-Notebook .jp-Cell')
    && window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"""


def shown(page):
    """The pixels on screen, read from the image the browser holds."""
    source = page.locator(PICTURE).get_attribute("src")
    return np.array(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def readout(page):
    """The view that sliders and buttons say they show."""
    model = load_pretrained("mnist-mrvae")
    state = explorer_content(model).starts[0]
    names = page.locator(".widget-slider .widget-label").all_inner_texts()
    values = page.locator(".widget-slider .widget-readout").all_inner_texts()
    for name, value in zip(names, values, strict=True):
        state = state.with_real(int(re.match(r"z(\d+)", name)[1]), float(value.replace("−", "-")))
    bits = page.locator("button[class*=mrvae-bit-]").all_inner_texts()
    return model, ExplorerState(state.z, tuple(int(text[-1]) for text in bits))


def picture_is_of_the_readout(page):
    model, state = readout(page)
    return np.abs(shown(page).astype(int) - decode_state(model, state)).max() <= 1


def wait_for_change(page, before):
    page.wait_for_function("([selector, before]) => document.querySelector(selector).src !== before", arg=[PICTURE, before])


def source(page):
    return page.locator(PICTURE).get_attribute("src")


def test_dragging_a_slider_and_pressing_a_bit_change_the_picture(lab, page, screenshot):
    page.goto(f"{lab}/lab/tree/00_start_here.ipynb?reset")
    page.wait_for_function(KERNEL_IS_READY, timeout=120_000)
    page.add_locator_handler(page.get_by_text("official Jupyter news"),
                             lambda: page.get_by_role("button", name="No", exact=True).click())
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")  # not awaited
    page.wait_for_selector(".widget-slider .noUi-handle", state="attached", timeout=120_000)
    page.locator(PICTURE).scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    assert picture_is_of_the_readout(page)

    handle = page.locator(".widget-slider .noUi-handle").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = source(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=10)
    wait_for_change(page, before)
    page.mouse.up()
    page.wait_for_timeout(1000)
    assert picture_is_of_the_readout(page)

    values = page.locator(".widget-slider .widget-readout").all_inner_texts()
    before = source(page)
    page.locator("button.mrvae-bit-2").click()
    wait_for_change(page, before)
    assert picture_is_of_the_readout(page)
    assert page.locator(".widget-slider .widget-readout").all_inner_texts() == values

    before = source(page)
    handle.focus()
    page.keyboard.press("ArrowLeft")
    wait_for_change(page, before)
    page.wait_for_timeout(500)
    assert picture_is_of_the_readout(page)
    screenshot("explorer-lab.png")


def test_the_exported_page_draws_what_torch_draws_without_a_network(page, tmp_path, screenshot):
    from mrvae_lib.interactive import export_html

    model = load_pretrained("mnist-mrvae")
    path = export_html(model, tmp_path / "page.html", title="MR-VAE · mnist-mrvae")
    assert path.stat().st_size < 3_000_000
    page.context.set_offline(True)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(path.as_uri())
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(100, model.n_reals, generator=generator)
    b = torch.randint(0, 2, (100, model.n_bits), generator=generator)
    drawn = np.array([list(page.evaluate("([z, b]) => Array.from(decode(z, b))", [z[i].tolist(), b[i].tolist()]))
                      for i in range(100)])
    with torch.inference_mode():
        expected = model.decode(z, b.float()).flatten(1).numpy()
    assert np.abs(drawn - expected).max() * 255 <= 2

    canvas = "() => document.getElementById('picture').toDataURL()"
    before = page.evaluate(canvas)
    page.locator("#bits button").nth(1).click()
    page.wait_for_timeout(100)
    flipped = page.evaluate(canvas)
    page.locator("#reals input").first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    moved = page.evaluate(canvas)
    assert len({before, flipped, moved}) == 3
    times = page.evaluate("""() => Array.from({length: 30}, () => {
        const start = performance.now(); decode(state.z, state.b); return performance.now() - start; })""")
    print(f"\none decode in the page: median {statistics.median(times):.1f} ms")
    assert not errors
    screenshot("explorer-page.png")


def test_a_convolutional_decoder_is_exported_as_exactly(page, tmp_path):
    from mrvae_lib.interactive import export_html
    from tests.conftest import tiny_model

    model = tiny_model(2, 2, shape=(3, 20, 28), network="conv")
    page.goto(export_html(model, tmp_path / "page.html").as_uri())
    drawn = np.array(list(page.evaluate("() => Array.from(decode([0.5, -1], [1, 0]))")))
    with torch.inference_mode():
        expected = model.decode(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])).flatten().numpy()
    assert np.abs(drawn - expected).max() * 255 <= 2


def test_the_page_fits_a_phone(browser, tmp_path, pytestconfig):
    from mrvae_lib.interactive import export_html

    path = export_html(load_pretrained("mnist-mrvae"), tmp_path / "page.html", title="MR-VAE · mnist-mrvae")
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    folder = pytestconfig.getoption("--screenshots")
    if folder:
        page.screenshot(path=folder / "explorer-phone.png")
    context.close()

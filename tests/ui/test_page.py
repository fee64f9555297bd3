"""The exported page, opened from a file with the network off: it draws what torch draws, and every control works."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import nn

from mrvae_lib.analysis.evaluation import informative_latents
from mrvae_lib.analysis.run_report import write_page
from mrvae_lib.data import load_dataset
from mrvae_lib.interactive import LatentExplorer, export_html
from mrvae_lib.interactive.explorer_state import ExplorerState, decode_state
from mrvae_lib.model.layers import read_layers
from mrvae_lib.training.checkpoints import load_model, pretrained_names
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_model, tiny_run
from tests.test_export import HOSTILE, hostile_model
from tests.ui import latency
from tests.ui.conftest import drag, new_page, view_told
from tools.gallery import export_gallery

MODEL = load_model("mnist-mrvae")
TOLD = "#reals label span", "#reals output", "#bits button"


@pytest.fixture
def offline(page):
    """A page without a network; an error in its script, or a message in its console, fails the test."""
    complaints = []
    page.context.set_offline(True)
    page.on("pageerror", lambda error: complaints.append(error))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    assert not complaints


@pytest.fixture(scope="module")
def mnist_page(tmp_path_factory):
    return export_html(MODEL, tmp_path_factory.mktemp("page") / "page.html", title="MR-VAE · mnist-mrvae").as_uri()


def state_of(page):
    return ExplorerState.from_json(page.evaluate("JSON.stringify(state)"))


def pixels(page, selector="#picture"):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    url = page.locator(selector).evaluate("canvas => canvas.toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")).astype(int)


def picture_is_of_the_readout(page, model=MODEL):
    """Compare with torch at what the controls say, not at what the script believes."""
    told = (page.locator(selector).all_inner_texts() for selector in TOLD)
    expected = decode_state(model, view_told(state_of(page), *told))
    return np.abs(pixels(page) - (expected if expected.ndim == 3 else expected[:, :, None])).max() <= 2


def decoder_agrees(page, model, n, generator):
    """What the page draws for random latents is what torch draws, to 2 of 255."""
    z = torch.randn(n, model.n_reals, generator=generator)
    b = torch.randint(0, 2, (n, model.n_bits), generator=generator).float()
    expected = model.decode(z, b).permute(0, 2, 3, 1).flatten(1).tolist()
    for *view, picture in zip(z.tolist(), b.tolist(), expected, strict=True):
        drawn = page.evaluate("([z, b]) => Array.from(decode(z, b))", view)
        np.testing.assert_allclose(drawn, picture, rtol=0, atol=2 / 255)


def encoder_agrees(page, model, x):
    """The page's mu, logvar and bit_logits of images are torch's to 1e-2."""
    posterior = model.encode(x)
    found = page.evaluate("images => images.map(image => encode(image))", x.permute(0, 2, 3, 1).flatten(1).tolist())
    for name, expected in (("mu", posterior.mu), ("logvar", posterior.logvar), ("bitLogits", posterior.bit_logits)):
        np.testing.assert_allclose([image[name] for image in found], expected.tolist(), atol=1e-2)


@pytest.mark.parametrize("name", pretrained_names())
def test_a_shipped_model_draws_and_finds_what_torch_does_100_times(name, offline, tmp_path, generator, measured):
    model = load_model(name)
    offline.goto(export_html(model, tmp_path / "page.html").as_uri())
    assert offline.evaluate("$('caption').scrollWidth <= $('caption').clientWidth"), "a long code is broken into lines"
    decoder_agrees(offline, model, 100, generator)
    drawn_here = "dsprites" if name.startswith("dsprites") else "digits"  # neither needs a download
    x = F.interpolate(load_dataset(drawn_here, "test").floats(torch.arange(100)), size=model.image_shape[1:])
    encoder_agrees(offline, model, x)
    times = offline.evaluate("""() => Array.from({length: 50}, () => {
        const start = performance.now(); decode(state.z, state.b); return performance.now() - start; })""")
    measured(f"{name}, one decode in the page", times, target=20)


@pytest.mark.parametrize("settings", [
    {"shape": (3, 20, 28), "network": "conv", "n_bits": 2}, {"shape": (3, 20, 28), "network": "conv", "n_bits": 0},
    {"n_reals": 3, "n_bits": 0, "likelihood": "mse-tanh"}, {"n_reals": 0, "shape": (3, 9, 8), "likelihood": "gaussian"},
    {"n_reals": 6, "shape": (1, 40, 33), "network": "conv", "posed": True},
    {"n_reals": 6, "shape": (3, 40, 33), "network": "conv", "posed": True},
    {"n_reals": 6, "shape": (3, 20, 20), "posed": True},
    {"n_reals": 6, "n_bits": 0, "shape": (1, 20, 20), "posed": True},
])
def test_grey_or_colour_dense_or_convolutional_placed_or_without_bits_or_reals(settings, offline, tmp_path, generator):
    model = tiny_model(**settings)
    offline.goto(export_html(model, tmp_path / "page.html").as_uri())
    decoder_agrees(offline, model, 5, generator)
    encoder_agrees(offline, model, torch.rand(5, *model.image_shape, generator=generator))
    offline.locator("#random").click()
    assert picture_is_of_the_readout(offline, model)
    assert offline.locator("#bits-block").is_visible() == bool(model.n_bits)
    assert offline.locator("#reals-block").is_visible() == bool(model.n_reals)


def test_every_layer_of_an_encoder_or_a_decoder_computes_what_torch_computes(offline, tmp_path, generator):
    model = tiny_model(2, 2, shape=(3, 11, 12))
    layers, _ = read_layers(["fit 13x12, conv 4 k4 s2 p1, batchnorm, leaky 0.1, conv 3 k3, selu, meanpool, linear 5, tanh"],
                            model.image_shape, "test")
    model.encoder = nn.Sequential(*layers, nn.Linear(5, 6)).eval()
    model.decoder = nn.Sequential(
        nn.Linear(4, 10), nn.BatchNorm1d(10), nn.SELU(), nn.Linear(10, 18), nn.LeakyReLU(0.2), nn.Unflatten(1, (2, 3, 3)),
        nn.ConvTranspose2d(2, 5, 4, 2, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Unflatten(1, (5, 6, 6)),
        nn.ConvTranspose2d(5, 3, 3, 2, 1, 1), nn.Tanh(), nn.ZeroPad2d((1, -1, -2, 1)),
    ).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in layer.state_dict().values():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    offline.goto(export_html(model, tmp_path / "page.html").as_uri())
    decoder_agrees(offline, model, 5, generator)
    encoder_agrees(offline, model, torch.rand(5, *model.image_shape, generator=generator))


def test_slider_bit_code_strip_and_keyboard_each_show_the_picture_of_the_readout(offline, mnist_page, screenshot, measured):
    offline.goto(mnist_page)
    assert picture_is_of_the_readout(offline)

    def shows(act, *given):
        before = pixels(offline).tobytes()
        act(*given)
        return pixels(offline).tobytes() != before and picture_is_of_the_readout(offline)

    assert shows(drag, offline, "#reals input >> nth=1", (0.5, 0.5), (0.1, 0.5))
    z = state_of(offline).z
    assert shows(offline.locator("#bits button").nth(2).click)
    assert shows(offline.locator("#lattice .cell").nth(0b0110).click)
    assert state_of(offline).code == "0110"
    assert state_of(offline).z == z
    assert shows(offline.locator("#strip canvas").nth(9).click)
    assert shows(offline.locator("#lattice input:checked").press, "ArrowRight")
    assert state_of(offline).code == "0111"
    assert shows(offline.locator("#reals input").nth(1).press, "ArrowLeft")
    assert shows(offline.locator("#bits button").nth(1).press, "Space")
    screenshot(offline, "explorer-page.png")

    box = offline.locator("#reals input").nth(0).bounding_box()
    beside_the_thumb = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2  # on it, the first move changes nothing
    times = latency.of_a_drag(offline, "#picture", latency.OF_A_CANVAS, beside_the_thumb, box["width"])
    measured("the page, mouse move to painted picture", times, target=25)
    assert picture_is_of_the_readout(offline)


def test_the_lattice_and_the_strip_show_what_a_press_would_give(offline, mnist_page):
    offline.goto(mnist_page)
    offline.wait_for_function("() => cells.every(cell => cell.fresh)")
    for cell in ("#lattice .cell canvas >> nth=5", "#strip canvas >> nth=5"):
        promised = pixels(offline, cell)
        offline.locator(cell).click()
        np.testing.assert_array_equal(pixels(offline), promised)


def test_starting_points_reset_and_random_say_where_the_view_comes_from(offline, mnist_page):
    offline.goto(mnist_page)
    assert offline.locator("#origin").inner_text() == "test image 0, a\u00a07"
    offline.locator("#starts button").nth(3).click()
    assert offline.locator("#origin").inner_text() == "test image 3, a\u00a00"
    start = state_of(offline)
    offline.locator("#bits button").nth(1).click()
    assert offline.locator("#origin").inner_text() == "changed from test image 3, a\u00a00"
    offline.locator("#reset").click()
    assert state_of(offline) == start
    offline.locator("#random").click()
    assert offline.locator("#origin").inner_text() == "drawn from the prior"
    assert picture_is_of_the_readout(offline)


def test_a_view_travels_by_address_and_by_text_between_page_and_notebook(offline, mnist_page, browser):
    explorer = LatentExplorer(MODEL)
    explorer.go_to(57)
    next(iter(explorer.sliders.values())).value = -1.7
    offline.goto(mnist_page)
    offline.locator("#share summary").click()
    offline.locator("#text").fill(explorer.state.to_json())
    offline.get_by_role("button", name="Show the view in the text").click()
    assert state_of(offline) == explorer.state
    offline.locator("#bits button").nth(3).click()
    text = offline.evaluate("JSON.stringify(state)")
    offline.wait_for_function("text => document.getElementById('text').value === text", arg=text)
    assert LatentExplorer(MODEL, state=ExplorerState.from_json(offline.locator("#text").input_value())).state == state_of(offline)
    with new_page(browser) as other:
        other.goto(offline.url)
        assert other.evaluate("JSON.stringify(state)") == text


def test_a_text_that_is_no_view_is_refused_with_what_is_expected(offline, mnist_page):
    offline.goto(mnist_page)
    before = state_of(offline)
    offline.locator("#share summary").click()
    for text in ("", "no", "[]", "null", '{"z": [0], "b": [0, 0, 0, 0]}', '{"z": 3, "b": []}',
                 json.dumps({"z": [0] * 10, "b": [0, 0, 0, 2]}),
                 json.dumps({"z": [0] * 10, "b": [0, 0, 0, 1], "example": 100})):
        offline.evaluate("document.getElementById('problem').textContent = ''")
        offline.locator("#text").fill(text)
        offline.get_by_role("button", name="Show the view in the text").click()
        assert 'expected {"z": [10 numbers], "b": [4 times 0 or 1]' in offline.locator("#problem").inner_text(), text
        assert state_of(offline) == before
    offline.evaluate("location.hash = '%'")
    offline.wait_for_function("document.getElementById('problem').textContent.includes('URI malformed')")


def test_the_saved_picture_is_the_one_shown(offline, mnist_page, tmp_path):
    offline.goto(mnist_page)
    with offline.expect_download() as download:
        offline.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == f"mrvae-{state_of(offline).code}.png"
    download.value.save_as(tmp_path / "saved.png")
    saved = np.array(Image.open(tmp_path / "saved.png").convert("RGB"))
    np.testing.assert_array_equal(saved[10::20, 10::20], pixels(offline))


def test_every_control_has_a_name_and_a_place_in_the_order_of_keys(offline, mnist_page):
    offline.goto(mnist_page)
    names = []
    for _ in range(60):
        offline.keyboard.press("Tab")
        name = offline.evaluate("() => document.activeElement === document.body ? '' : "
                                "document.activeElement.ariaLabel || document.activeElement.closest('label, button, summary')?.innerText")
        if not name:
            break
        names.append(" ".join(name.split()))
    assert names[:7] == ["Guided tour", "How it works", "Full screen", "Open a picture", "Reset", "Random", "Save"]
    in_use = len(informative_latents(MODEL.card["scores"]["kl_of_real"]))
    assert sum(name.startswith("z") for name in names) == in_use
    assert sum(bool(re.match(r"b\d = ", name)) for name in names) == 4
    assert sum(name.startswith("code ") for name in names) == 1, "the codes are one stop, arrow keys go between them"
    for role, n in (("slider", in_use), ("radio", 16), ("img", 4)):
        assert offline.get_by_role(role).count() == n


SEVEN = (0.3, 0.25), (0.7, 0.25), (0.5, 0.6), (0.45, 0.8)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_bits_and_reals_jump_to_what_the_model_finds_in_a_drawing_and_can_be_changed(width, height, offline, mnist_page):
    offline.set_viewport_size({"width": width, "height": height})
    offline.goto(mnist_page)
    before = state_of(offline)
    drag(offline, "#pad", *SEVEN)
    assert offline.locator("#caption").inner_text().endswith("your drawing")
    found, x = state_of(offline), torch.tensor(offline.evaluate("reading.pixels")).reshape(1, 1, 28, 28)
    posterior = MODEL.encode(x)
    assert found == ExplorerState(tuple(posterior.mu[0].tolist()), tuple(posterior.bits[0].int().tolist()))
    certain = [max(p, 1 - p) for p in posterior.bit_logits[0].sigmoid().tolist()]
    shown = offline.locator(".sure").all_inner_texts()
    assert shown == [f"{int(100 * p)} % sure of {bit}" for p, bit in zip(certain, found.b, strict=True)]
    assert picture_is_of_the_readout(offline)
    offline.locator("#bits button").nth(1).click()
    drag(offline, "#reals input >> nth=0", (0.5, 0.5), (0.9, 0.5))
    changed = state_of(offline)
    assert changed.b[1] != found.b[1]
    assert changed.z != found.z
    assert "changed from your drawing" in offline.locator("#caption").inner_text()
    for key, expected in (("z", found.with_bit(1, changed.b[1])), ("z", found), ("z", before), ("Shift+Z", found), ("y", found.with_bit(1, changed.b[1]))):
        offline.keyboard.press(f"Control+{key}")
        assert state_of(offline) == expected, "a drag is one step to undo"
    offline.locator("#erase").click()
    assert offline.locator("#hint").is_visible()


INK, PAPER = [(60, 40), (120, 40), (90, 150)], (230, 225, 210, 255)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><path d="M60 40H120L90 150" fill="none" stroke="navy" stroke-width="14"/></svg>'


@pytest.mark.parametrize(("way", "paper", "ink"), [("chosen", PAPER, "navy"), ("dropped", PAPER, "navy"), ("pasted", PAPER, "navy"),
                                                   ("chosen", (0, 0, 0, 0), "white"), ("chosen", None, "SVG")])
def test_a_picture_whatever_its_paper_is_fitted_to_20_pixels_and_centred(way, paper, ink, offline, mnist_page, tmp_path):
    file = tmp_path / ("drawing.png" if paper else "drawing.svg")
    file.write_text(SVG)
    if paper:
        picture = Image.new("RGBA", (300, 200), paper)
        ImageDraw.Draw(picture).line(INK, fill=ink, width=14)
        picture.save(file)
    offline.goto(mnist_page)
    if way == "chosen":
        offline.locator("#file").set_input_files(file)
    else:
        offline.evaluate("""([text, name, kind, given]) => {
            const data = new DataTransfer(), bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            data.items.add(new File([bytes], "seven.png", { type: "image/png" }));
            document.body.dispatchEvent(new globalThis[kind](name, { bubbles: true, cancelable: true, [given]: data }));
        }""", [base64.b64encode(file.read_bytes()).decode(),
               *(("drop", "DragEvent", "dataTransfer") if way == "dropped" else ("paste", "ClipboardEvent", "clipboardData"))])
    offline.wait_for_function("() => reading")
    seen = np.array(offline.evaluate("reading.pixels")).reshape(28, 28)
    rows, columns = np.nonzero(seen > 0.5)
    assert abs(max(np.ptp(rows), np.ptp(columns)) + 1 - 20) <= 1
    centre = (np.indices((28, 28)) * seen).sum(axis=(1, 2)) / seen.sum()
    np.testing.assert_allclose(centre, 14, atol=0.3)
    np.testing.assert_allclose(pixels(offline, "#fitted")[..., 0], 255 * seen, atol=1)


def test_a_page_without_the_encoder_says_so_in_one_line_and_decodes(offline, tmp_path):
    model = tiny_model(2, 2)
    model.encoder = nn.Sequential(nn.GELU(), model.encoder)
    offline.goto(export_html(model, tmp_path / "page.html").as_uri())
    assert offline.locator("#draw").inner_text().startswith("Your drawing\n\nNothing can be drawn here: the page cannot hold a GELU")
    assert not offline.locator("#pad").is_visible()
    offline.locator("#random").click()
    assert picture_is_of_the_readout(offline, model)


def test_the_map_opens_a_test_image_and_moves_both_its_reals(offline, mnist_page):
    offline.goto(mnist_page)
    offline.locator("#map-up").select_option("5")
    assert offline.locator("#map-across").input_value() != "5", "the two axes change places"
    offline.locator("#map-across").select_option("5")
    offline.locator("#map-up").select_option("8")
    x, y, side, height = offline.evaluate("[...placeOf(page.starts[9].z), map.clientWidth, map.clientHeight]")
    offline.locator("#map").hover(position={"x": x, "y": y})
    assert offline.locator("#tip").inner_text().startswith("test image ")
    drag(offline, "#map", (x / side, y / height))
    assert offline.locator("#origin").inner_text().startswith("test image ")
    before = state_of(offline)
    drag(offline, "#map", (0.95, 0.95), (0.9, 0.1))
    after = state_of(offline)
    assert [i for i, (a, b) in enumerate(zip(before.z, after.z, strict=True)) if a != b] == [5, 8]
    assert (after.z[5], after.z[8]) > (1.5, 1.5)
    assert picture_is_of_the_readout(offline)


def test_the_tour_is_taken_and_left_by_keyboard_alone(offline, mnist_page):
    offline.goto(mnist_page)
    assert not offline.locator("#tour-step").is_visible()
    offline.locator("#tour").press("Enter")
    titles = []
    for key in ("ArrowRight", "Enter", "ArrowRight", "Enter", "Enter", "Enter"):
        titles.append(offline.locator("#tour-title").inner_text()[:6])
        offline.keyboard.press(key)
    assert titles == [f"{i} of 6" for i in range(1, 7)]
    assert not offline.locator("#tour-step").is_visible()
    offline.keyboard.press("Enter")
    offline.keyboard.press("Escape")
    assert not offline.locator("#tour-step").is_visible()
    assert offline.evaluate("document.activeElement.id") == "tour"


def test_the_tour_leaves_out_what_a_model_has_not(offline, tmp_path):
    offline.goto(export_html(tiny_model(3, 0), tmp_path / "page.html").as_uri())
    offline.locator("#tour").click()
    assert offline.locator("#tour-title").inner_text() == "1 of 5: Drag a real"


def test_the_sweep_is_saved_as_a_film(offline, mnist_page, tmp_path):
    offline.goto(mnist_page)
    with offline.expect_download() as download:
        offline.locator("#film").click()
    assert download.value.suggested_filename == "mrvae-z5.webm"
    assert download.value.path().read_bytes()[:4] == bytes.fromhex("1a45dfa3")


def shut_out(page):
    """What axe-core holds against a page, and where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [(one["id"], one["nodes"][0]["target"]) for one in axe.run(page).response["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_that_shuts_somebody_out(width, scheme, browser, mnist_page):
    with new_page(browser, width, 900, color_scheme=scheme) as page:
        page.goto(mnist_page)
        drag(page, "#pad", *SEVEN)
        page.locator("#stages [data-part=bits]").click()
        page.locator("#tour").click()
        assert shut_out(page) == []


def test_axe_finds_nothing_on_the_gallery_and_the_report_of_a_run(offline, tmp_path):
    train(tiny_run(epochs=1), tmp_path, images=tiny_images())
    for path in (export_gallery({"one": load_model("mnist-mrvae")}, tmp_path / "gallery"), write_page(tmp_path)):
        offline.goto(path.as_uri())
        assert shut_out(offline) == []


def test_a_slider_is_not_read_aloud_twice_but_a_new_start_is_told(offline, mnist_page):
    offline.goto(mnist_page)
    offline.locator("#reals input").first.press("ArrowLeft")
    assert offline.locator("[aria-live]").all_inner_texts() == [""]
    offline.locator("#starts button").nth(3).click()
    assert "test image 3, a\u00a00" in offline.locator("[aria-live]").inner_text()


def test_a_hostile_name_is_shown_as_it_is_written(offline, tmp_path):
    offline.on("dialog", lambda dialog: pytest.fail(f"a name ran as a script: {dialog.message}"))
    offline.goto(export_html(hostile_model(), tmp_path / "page.html", title=HOSTILE).as_uri())
    assert offline.locator("h1").text_content() == HOSTILE
    assert offline.title() == HOSTILE
    assert HOSTILE in offline.locator("#origin").text_content()
    assert HOSTILE in offline.locator("#card").text_content()


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "light"), (760, "light"), (1180, "light"), (390, "dark")])
def test_the_page_fits_phones_and_wide_screens_in_light_and_dark(width, scheme, browser, mnist_page, screenshot):
    with new_page(browser, width, 844, color_scheme=scheme, has_touch=width < 500, is_mobile=width < 500) as page:
        page.goto(mnist_page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
        assert (lightness > 128) == (scheme == "light")
        if width == 390:
            page.locator("#lattice .cell").nth(3).tap()
            assert state_of(page).code == "0011"
            assert picture_is_of_the_readout(page)
            box = page.locator("#picture").bounding_box()
            assert box["y"] >= 0, "the picture stays in sight while the codes are pressed"
            if scheme == "light":
                page.evaluate("scrollTo(0, 0)")
                screenshot(page, "explorer-phone.png")


def test_the_gallery_opens_every_model_and_fits_a_phone(offline, tmp_path, screenshot):
    offline.goto(export_gallery({name: load_model(name) for name in pretrained_names()}, tmp_path).as_uri())
    assert offline.locator("main a").count() == len(pretrained_names())
    for width in (390, 1000):
        offline.set_viewport_size({"width": width, "height": 400})
        assert offline.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(offline, "gallery.png", whole=True)
    offline.locator("main a").first.click()
    offline.wait_for_function("() => cells.every(cell => cell.fresh)")
    assert offline.locator("h1").inner_text().endswith(pretrained_names()[0])


def test_the_page_lives_inside_a_notebooks_output_as_well(offline):
    frame = LatentExplorer(MODEL).as_page().data
    offline.set_content(f"<!doctype html><body>{frame}</body>")
    inside = offline.frame_locator("iframe")
    inside.locator("#lattice .cell").nth(9).click()
    assert inside.locator("#code").inner_text() == "code 1001"
    inside.locator("#share summary").click()
    assert not inside.locator("#address").is_visible()


def test_pressing_hat_puts_a_hat_on_a_face_and_changes_nothing_below_it(offline, tmp_path):
    offline.goto(export_html(load_model("faces-mrvae"), tmp_path / "faces.html").as_uri())
    offline.evaluate("show({ ...state, z: [0, 0, 0, 0, 0], b: state.b.map(() => 0) })")
    bare, hat = pixels(offline), offline.get_by_role("button", name=re.compile("^hat"))
    assert hat.get_attribute("aria-pressed") == "false"
    hat.click()
    worn = pixels(offline)
    assert hat.get_attribute("aria-pressed") == "true"
    assert (worn[:8] - bare[:8]).max() > 60
    assert np.abs(worn[14:] - bare[14:]).max() < 30

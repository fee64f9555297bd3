"""The explorer's real widgets, driven without a browser."""

import base64
import io
import math
import re
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mrvae_lib import load_dataset, load_model
from mrvae_lib.interactive.explorer import CompareExplorer, LatentExplorer
from mrvae_lib.interactive.explorer_state import ExplorerState, decode_state, guided_views
from mrvae_lib.model.codes import all_codes
from tests.conftest import tiny_images, tiny_model


def png_pixels(base64_text):
    """The pixels of a PNG that is written in base64; of a grey one, in one channel."""
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(base64_text))))
    return picture[..., 0] if picture.ndim == 3 and (picture == picture[..., :1]).all() else picture


def pixels(widget):
    """The pixels of the image in an HTML widget."""
    return png_pixels(re.search(r"base64,([^\"]+)", widget.value)[1])


def shown(explorer):
    """The pixels in the picture widget."""
    return pixels(explorer.decoded.picture)


def pictures_of_codes(explorer):
    """What the model makes of each of the 4 codes at the reals of now."""
    views = [ExplorerState(explorer.state.z, tuple(code.int().tolist())) for code in all_codes(2)]
    return [decode_state(explorer.model, view) for view in views]


def widgets_in(widget):
    """A widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_in(child)


def model_with_card(n_reals=3, n_bits=2):
    model = tiny_model(n_reals, n_bits)
    model.card = {"scores": {"kl_of_real": [0.01, 2.0, 0.5][:n_reals], "information_of_bit": [0.6, 0.2][:n_bits]},
                  "label_names": ["cat", "dog"]}
    model.examples = {"mu": torch.tensor([[0.1, -0.9, 0.5], [3.0, 0.0, -3.0]])[:, :n_reals],
                      "bits": torch.tensor([[1.0, 0.0], [0.0, 0.0]])[:, :n_bits], "label": torch.tensor([1, 0])}
    return model


@pytest.fixture
def explorer():
    return LatentExplorer(model_with_card())


def button(explorer, label):
    return next(widget for widget in widgets_in(explorer.panel)
                if getattr(widget, "description", None) == label and hasattr(widget, "click"))


def test_sliders_are_the_informative_reals_most_first_and_every_latent_says_what_it_tells(explorer):
    assert list(explorer.sliders) == [1, 2]
    assert explorer.sliders[1].description == "z1 · 2.00 nats"
    assert [bit.description for bit in explorer.bits.values()] == ["b0 = 1", "b1 = 0"]
    assert [bit.tooltip for bit in explorer.bits.values()] == ["b0 · 0.60 nats · cat ↔ dog", "b1 · 0.20 nats"]
    explorer.model.card["scores"]["information_of_bit"] = [0.02, 0.6]
    assert list(LatentExplorer(explorer.model).bits) == [1], "a silent bit gets no button"


def test_moving_a_slider_shows_the_picture_of_the_readout(explorer):
    explorer.sliders[2].value = 0.5000000000000002  # what a browser adds to a number is no change
    assert explorer.state == explorer.content.starts[0]
    explorer.sliders[1].value = 1.5
    assert explorer.state.z == (pytest.approx(0.1), 1.5, 0.5)
    expected = explorer.model.decode(torch.tensor([explorer.state.z]), torch.tensor([[1.0, 0.0]]))[0, 0]
    np.testing.assert_allclose(shown(explorer), expected.detach() * 255, atol=0.51)


def test_pressing_a_bit_changes_the_picture_and_leaves_the_sliders(explorer):
    sliders, before = [slider.value for slider in explorer.sliders.values()], explorer.decoded.picture.value
    explorer.bits[1].value = True
    assert explorer.decoded.picture.value != before
    assert explorer.state.b == (1, 1)
    assert explorer.bits[1].description == "b1 = 1"
    assert [slider.value for slider in explorer.sliders.values()] == sliders
    assert "code <b>11</b>" in explorer.decoded.caption.value


@pytest.mark.parametrize("text", [
    "", "{}", "[1]", '{"z": 3, "b": []}', '{"z": "12", "b": []}', '{"z": [null], "b": []}', '{"z": [true], "b": []}',
    '{"z": [NaN], "b": [0]}', '{"z": [-Infinity], "b": [0]}', '{"z": [1e400], "b": [0]}',
    '{"z": [0], "b": [2]}', '{"z": [0], "b": [0.5]}', '{"z": [0], "b": "0101"}', '{"z": [0], "b": [true]}',
    '{"z": [0], "b": [1.0]}', '{"z": [0], "b": [0], "example": "1"}', '{"z": [0], "b": [0], "example": 1.5}',
    '{"z": [0], "b": [0], "example": true}',
])
def test_a_text_that_is_no_state_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"^state: expected .*, got .*$"):
        ExplorerState.from_json(text)


def test_reals_are_moved_to_what_a_slider_shows():
    assert ExplorerState((0.123, -9.0, -0.01), ()).z == (0.1, -2.5, 0.0)


def test_latents_that_are_no_state_are_refused():
    for z, b, example in (((math.nan,), (0,), None), ((0.0,), (2,), None), ((0.0,), (0,), "1")):
        with pytest.raises(ValueError, match=r"^state: .* got ExplorerState"):
            ExplorerState(z, b, example)


@pytest.mark.parametrize("state", [ExplorerState((0.0,), (0, 0)), ExplorerState((0.0,) * 3, (0, 0), example=9)])
def test_a_state_of_another_model_is_refused(state):
    with pytest.raises(ValueError, match="state: "):
        LatentExplorer(model_with_card(), state=state)


def test_examples_are_walked_round_and_reset_returns_to_the_start(explorer):
    assert "test image 0, class dog" in explorer.decoded.caption.value
    start = explorer.state
    button(explorer, "next").click()
    assert explorer.state.example == 1
    assert explorer.state.z == (2.5, 0.0, -2.5)
    assert explorer.sliders[2].value == -2.5
    button(explorer, "next").click()
    assert explorer.state == start
    explorer.sliders[1].value = 2.0
    assert "changed from test image 0" in explorer.decoded.caption.value
    button(explorer, "reset").click()
    assert explorer.state == start
    button(explorer, "previous").click()
    assert explorer.state.example == 1


def test_random_draws_from_the_prior_within_the_sliders(explorer):
    button(explorer, "random").click()
    assert explorer.state.example is None
    assert explorer.sliders[1].value == pytest.approx(explorer.state.z[1], abs=1e-6)
    assert "drawn from the prior" in explorer.decoded.caption.value


def test_plus_and_minus_move_a_slider_by_one_step_and_stop_at_its_end(explorer):
    button(explorer, "+").click()
    assert explorer.sliders[1].value == pytest.approx(-0.8)
    explorer.sliders[1].value = 2.5
    button(explorer, "+").click()
    assert explorer.sliders[1].value == 2.5


def test_an_error_while_decoding_is_shown_in_the_panel(explorer, monkeypatch):
    monkeypatch.setattr(explorer.model, "decode", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explorer.sliders[1].value = 1.0
    assert "ZeroDivisionError: division by zero" in explorer.message.value


def test_where_there_is_no_kernel_a_png_is_shown(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.panel.model_id
    picture = png_pixels(bundle["image/png"])
    np.testing.assert_array_equal(picture[::32, :256:32], decode_state(explorer.model, explorer.state))
    codes = pictures_of_codes(explorer)
    np.testing.assert_array_equal(picture[::16, 264:520:16], np.block([codes[:2], codes[2:]]))


@pytest.mark.parametrize(("n_reals", "n_bits"), [(3, 0), (0, 2), (2, 2), (2, 7)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20), (1, 256, 256)])
def test_it_opens_on_any_model_with_and_without_images(n_reals, n_bits, shape):
    model = tiny_model(n_reals, n_bits, shape=shape)
    for images in (None, tiny_images(20, shape=shape)):
        explorer = LatentExplorer(model, images, tiles=True)
        assert shown(explorer).shape == (shape[1:] if shape[0] == 1 else (*shape[1:], 3))
        assert (len(explorer.bits), explorer.codes is not None) == (n_bits, 0 < n_bits <= 6)
        explorer.randomise()
        for name in guided_views(model):
            explorer.show_view(name)
        assert explorer.message.value == ""


def test_a_thousand_random_events_raise_nothing(explorer, generator):
    for draw in torch.rand(1_000, generator=generator).tolist():
        if draw < 0.5:
            explorer.sliders[1 + int(draw < 0.25)].value = 10 * draw - 2.5
        else:
            explorer.bits[int(draw < 0.75)].value = not explorer.bits[int(draw < 0.75)].value
    np.testing.assert_array_equal(shown(explorer), decode_state(explorer.model, explorer.state))


def test_the_strip_shows_the_real_that_moved_last_and_its_tiles_set_it(explorer):
    assert explorer.selected == 1
    explorer.sliders[2].value = -1.0
    assert explorer.selected == 2
    assert explorer.sweep.switch.description == "sweep of z2"
    (sheet,), strip = explorer.sweep.sheets, explorer.sweep
    expected = [decode_state(explorer.model, explorer.state.with_real(2, -2.5 + 0.5 * i)) for i in range(11)]
    np.testing.assert_allclose(pixels(sheet).astype(int), np.hstack(expected), atol=1)
    strip.buttons[10].click()
    assert (explorer.sliders[2].value, explorer.state.z[2]) == (2.5, 2.5)
    assert [k for k, tile in enumerate(strip.buttons) if "mrvae-chosen" in tile._dom_classes] == [10]


def test_the_lattice_shows_every_code_and_its_tiles_set_the_bits(explorer):
    (sheet,), lattice = explorer.codes.sheets, explorer.codes
    assert [tile.tooltip for tile in lattice.buttons] == ["00, mostly cat", "01", "10, mostly dog", "11"]
    np.testing.assert_allclose(pixels(sheet).astype(int), np.hstack(pictures_of_codes(explorer)), atol=1)
    lattice.buttons[1].click()
    assert (explorer.state.code, [bit.value for bit in explorer.bits.values()]) == ("01", [False, True])
    assert "mrvae-chosen" in lattice.buttons[1]._dom_classes


def test_tiles_can_be_hidden_and_are_up_to_date_when_they_come_back():
    explorer = LatentExplorer(model_with_card(), tiles=False)
    assert explorer.codes.rows.layout.display == explorer.sweep.rows.layout.display == "none"
    assert explorer.codes.sheets[0].value == ""
    explorer.sliders[1].value = 2.0
    explorer.codes.switch.value = True
    always = LatentExplorer(model_with_card(), state=explorer.state)
    assert explorer.codes.sheets[0].value == always.codes.sheets[0].value
    assert explorer.codes.rows.layout.display == "flex"


def test_a_real_is_labelled_with_what_explains_it_and_its_tooltip_says_how_well():
    model = model_with_card()
    model.card["names_of_reals"] = {"1": ["slant", 0.76]}
    sliders = LatentExplorer(model).sliders
    assert [slider.description for slider in sliders.values()] == ["z1 · 2.00 nats · slant", "z2 · 0.50 nats"]
    tooltips = [slider.tooltip if slider.has_trait("tooltip") else slider.description_tooltip for slider in sliders.values()]
    assert tooltips == ["slant explains 76 % of the variance of z1 (R²)", ""]


def test_one_picture_of_any_size_and_polarity_is_a_starting_point(tmp_path):
    seven = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(seven).line([(120, 40), (190, 40), (140, 160)], fill="black", width=14)
    seven.save(tmp_path / "seven.png")
    with pytest.warns(UserWarning, match="padded|exchanged") as caught:
        explorer = LatentExplorer(load_model("mnist-mrvae"), tmp_path / "seven.png")
    assert [str(warning.message).split(": ")[-1] for warning in caught] == [
        "padded and scaled from 300x200 to 28x28, 1 made grey", "light and dark exchanged, as the model knows them"]
    assert explorer.state.code == "1001"  # a seven
    assert load_dataset(tmp_path / "seven.png").image_shape == (3, 64, 64)


def test_a_class_narrows_the_walk():
    explorer = LatentExplorer(tiny_model(2, 2), tiny_images(8))
    explorer.walk.classes.value = "lower"
    seen = [explorer.state.example]
    for _ in range(4):
        button(explorer, "next").click()
        seen.append(explorer.state.example)
    assert seen == [1, 3, 5, 7, 1]
    assert "class lower" in explorer.decoded.caption.value


def test_the_original_is_beside_what_the_model_makes_of_it():
    images = tiny_images(8)
    explorer = LatentExplorer(tiny_model(2, 2), images)
    explorer.go_to(3)
    np.testing.assert_array_equal(pixels(explorer.decoded.start), images.images[3, 0])
    np.testing.assert_array_equal(shown(explorer), decode_state(explorer.model, explorer.content.starts[3]))
    explorer.randomise()
    assert explorer.decoded.start.value == ""


def test_every_named_view_proves_its_sentence():
    explorer = LatentExplorer(model_with_card(), tiny_images(40))
    start, said = explorer.state, {}
    for name in guided_views(explorer.model):
        explorer.views.value = name
        said[name] = (explorer.state, explorer.decoded.caption.value)
        assert explorer.views.value == name
    state, text = said["same hand, another code"]
    assert state.z == start.z
    assert sum(one != other for one, other in zip(state.b, start.b, strict=True)) == 1
    assert f"from {start.code} to {state.code}" in text
    assert said["same code, another hand"][0].b == start.b
    state, text = said["one real, end to end"]
    assert (state.b, state.with_real(1, start.z[1])) == (start.b, start)
    assert abs(state.z[1]) == 2.5
    assert said["all reals at 0"][0].z == (0.0, 0.0, 0.0)
    explorer.sliders[2].value = 0.3
    assert "All reals are at 0" not in explorer.decoded.caption.value
    assert explorer.views.value == ""


def test_playing_swings_the_chosen_real_there_and_back(explorer):
    play = next(widget for widget in widgets_in(explorer.panel) if isinstance(widget, ipywidgets.Play))
    values = []
    for step in (1, 25, 50, 51, 99, 101):
        play.value = step
        values.append(round(explorer.sliders[1].value, 6))
    assert values == [-2.4, 0.0, 2.5, 2.4, -2.4, -2.4]


def test_save_offers_the_picture_and_a_text_that_reopens_the_same_view(explorer):
    explorer.sliders[2].value = -1.2
    explorer.bits[1].value = True
    button(explorer, "save").click()
    assert 'download="mrvae-11.json"' in explorer.links.value
    picture, view = re.findall(r'base64,([^"]+)', explorer.links.value)
    np.testing.assert_array_equal(png_pixels(picture)[::35, ::35], decode_state(explorer.model, explorer.state))
    again = LatentExplorer(model_with_card(), state=ExplorerState.from_json(base64.b64decode(view).decode()))
    assert again.state == explorer.state
    assert again.decoded.picture.value == explorer.decoded.picture.value
    assert again.sliders[2].value == -1.2


def test_every_control_says_what_it_is():
    explorer = LatentExplorer(model_with_card(), tiny_images(8))
    for widget in widgets_in(explorer.panel):
        pressed = isinstance(widget, (ipywidgets.Button, ipywidgets.ToggleButton))
        if pressed or isinstance(widget, (ipywidgets.FloatSlider, ipywidgets.Dropdown)):
            assert widget.description
            assert not pressed or widget.tooltip
        elif isinstance(widget, ipywidgets.HTML) and "<img" in widget.value:
            assert re.search(r'alt="\w', widget.value)


def test_names_from_a_folder_are_shown_as_text():
    explorer = LatentExplorer(tiny_model(2, 2), replace(tiny_images(8), label_names=("<b>up</b>", "down")))
    assert "<b>up</b>" not in explorer.decoded.caption.value
    assert "&lt;b&gt;up&lt;/b&gt;" in explorer.decoded.caption.value


def test_compared_models_start_from_the_same_image_and_move_apart():
    images = tiny_images(8)
    compare = CompareExplorer({"bits": tiny_model(2, 2), "none": tiny_model(3, 0, seed=1)}, images)
    compare.walk.step(+1)
    assert {explorer.state.example for explorer in compare.explorers.values()} == {1}
    for explorer in compare.explorers.values():
        np.testing.assert_array_equal(pixels(explorer.decoded.start), images.images[1, 0])
    before = compare.explorers["none"].decoded.picture.value
    compare.explorers["bits"].bits[0].value = not compare.explorers["bits"].bits[0].value
    assert compare.explorers["none"].decoded.picture.value == before
    still = compare._repr_mimebundle_()
    assert still["text/plain"] == f"CompareExplorer(bits {compare.explorers['bits'].state.code}, none no bits)"
    compare.explorers["bits"].randomise()
    assert compare._repr_mimebundle_()["image/png"] != still["image/png"]


def test_models_that_cannot_start_from_the_same_image_are_not_compared():
    with pytest.raises(ValueError, match="pass images"):
        CompareExplorer({"one": model_with_card(), "other": tiny_model(2, 2)})

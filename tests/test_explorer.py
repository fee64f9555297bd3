"""The explorer's real widgets, driven without a browser."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.interactive.explorer import LatentExplorer
from mrvae_lib.interactive.state import ExplorerState, decode_state, png_bytes
from tests.conftest import tiny_images, tiny_model


def shown(explorer):
    """The pixels in the picture widget."""
    data = re.search(r"base64,([^\"]+)", explorer.picture.value)[1]
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))))


def model_with_card(n_reals=3, n_bits=2):
    model = tiny_model(n_reals, n_bits)
    model.card = {"scores": {"kl_of_real": [0.01, 2.0, 0.5][:n_reals], "information_of_bit": [0.6, 0.2][:n_bits]},
                  "label_names": ["cat", "dog"]}
    model.examples = {"mu": torch.tensor([[0.1, -0.9, 0.5], [3.0, 0.0, -3.0]])[:, :n_reals],
                      "bits": torch.tensor([[1.0, 0.0], [0.0, 0.0]])[:, :n_bits], "label": torch.tensor([1, 0])}
    return model


def button(explorer, label):
    found = []

    def search(widget):
        if getattr(widget, "description", None) == label and hasattr(widget, "click"):
            found.append(widget)
        for child in getattr(widget, "children", ()):
            search(child)

    search(explorer.panel)
    return found[0]


def test_sliders_are_the_informative_reals_most_first_with_their_kl():
    explorer = LatentExplorer(model_with_card())
    assert list(explorer.sliders) == [1, 2]
    assert explorer.sliders[1].description == "z1 · 2.00 nats"
    assert [bit.description for bit in explorer.bits] == ["b0 = 1", "b1 = 0"]


def test_moving_a_slider_shows_the_picture_of_the_readout():
    explorer = LatentExplorer(model_with_card())
    before = explorer.picture.value
    explorer.sliders[1].value = 1.5
    assert explorer.picture.value != before
    assert explorer.state.z == (pytest.approx(0.1), 1.5, 0.5)
    np.testing.assert_array_equal(shown(explorer), decode_state(explorer.model, explorer.state))
    expected = explorer.model.decode(torch.tensor([explorer.state.z]), torch.tensor([[1.0, 0.0]]))[0, 0]
    np.testing.assert_allclose(shown(explorer), expected.detach() * 255, atol=0.51)


def test_pressing_a_bit_changes_the_picture_and_leaves_the_sliders():
    explorer = LatentExplorer(model_with_card())
    sliders, before = [slider.value for slider in explorer.sliders.values()], explorer.picture.value
    explorer.bits[1].value = True
    assert explorer.picture.value != before
    assert explorer.state.b == (1, 1)
    assert explorer.bits[1].description == "b1 = 1"
    assert [slider.value for slider in explorer.sliders.values()] == sliders
    assert "code <b>11</b>" in explorer.caption.value


def test_the_state_survives_json_and_reopens_the_same_view():
    explorer = LatentExplorer(model_with_card())
    explorer.sliders[2].value = -1.2
    explorer.bits[0].value = False
    state = ExplorerState.from_json(explorer.state.to_json())
    again = LatentExplorer(model_with_card(), state=state)
    assert again.state == explorer.state
    assert again.picture.value == explorer.picture.value
    assert again.sliders[2].value == -1.2


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"z": 3, "b": []}', '{"z": [0], "b": [2]}'])
def test_a_text_that_is_no_state_is_refused(text):
    with pytest.raises(ValueError, match="state: "):
        ExplorerState.from_json(text)


@pytest.mark.parametrize("state", [ExplorerState((0.0,), (0, 0)), ExplorerState((0.0,) * 3, (0, 0), example=9)])
def test_a_state_of_another_model_is_refused(state):
    with pytest.raises(ValueError, match="state: "):
        LatentExplorer(model_with_card(), state=state)


def test_examples_are_walked_round_and_reset_returns_to_the_start():
    explorer = LatentExplorer(model_with_card())
    assert "test image 0, a dog" in explorer.caption.value
    start = explorer.state
    button(explorer, "next").click()
    assert explorer.state.example == 1
    assert explorer.state.z == (2.5, 0.0, -2.5)
    assert explorer.sliders[2].value == -2.5
    button(explorer, "next").click()
    assert explorer.state == start
    explorer.sliders[1].value = 2.0
    assert "changed from test image 0" in explorer.caption.value
    button(explorer, "reset").click()
    assert explorer.state == start
    button(explorer, "previous").click()
    assert explorer.state.example == 1


def test_random_draws_from_the_prior_within_the_sliders():
    explorer = LatentExplorer(model_with_card())
    button(explorer, "random").click()
    assert explorer.state.example is None
    assert explorer.sliders[1].value == pytest.approx(explorer.state.z[1], abs=1e-6)
    assert "drawn from the prior" in explorer.caption.value


def test_plus_and_minus_move_a_slider_by_one_step_and_stop_at_its_end():
    explorer = LatentExplorer(model_with_card())
    button(explorer, "+").click()
    assert explorer.sliders[1].value == pytest.approx(-0.8)
    explorer.sliders[1].value = 2.5
    button(explorer, "+").click()
    assert explorer.sliders[1].value == 2.5


def test_an_error_while_decoding_is_shown_in_the_panel(monkeypatch):
    explorer = LatentExplorer(model_with_card())

    def fails(*_):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(explorer.model, "decode", fails)
    with pytest.raises(RuntimeError):
        explorer.sliders[1].value = 1.0
    assert "RuntimeError: on purpose" in explorer.message.value


def test_where_there_is_no_kernel_a_png_is_shown():
    explorer = LatentExplorer(model_with_card())
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.panel.model_id
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))
    np.testing.assert_array_equal(picture[::8, ::8], decode_state(explorer.model, explorer.state))


@pytest.mark.parametrize(("n_reals", "n_bits"), [(3, 0), (0, 2), (2, 2)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20)])
def test_it_opens_on_any_model_with_and_without_images(n_reals, n_bits, shape):
    model = tiny_model(n_reals, n_bits, shape=shape)
    for images in (None, tiny_images(20, shape=shape)):
        explorer = LatentExplorer(model, images)
        assert shown(explorer).shape == (shape[1:] if shape[0] == 1 else (*shape[1:], 3))
        assert len(explorer.bits) == n_bits


def test_ten_thousand_random_events_raise_nothing(generator):
    explorer = LatentExplorer(model_with_card())
    for draw in torch.rand(10_000, generator=generator).tolist():
        if draw < 0.5:
            explorer.sliders[1 + int(draw < 0.25)].value = 10 * draw - 2.5
        else:
            explorer.bits[int(draw < 0.75)].value = not explorer.bits[int(draw < 0.75)].value
    np.testing.assert_array_equal(shown(explorer), decode_state(explorer.model, explorer.state))


def test_a_png_is_lossless():
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png_bytes(picture)))), picture)

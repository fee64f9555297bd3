"""The exported page, its gallery and its frame, read as text; tests/ui runs them in a browser."""

import base64
import html
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from mrvae_lib import load_model
from mrvae_lib.data import DATASETS
from mrvae_lib.interactive.explorer import LatentExplorer
from mrvae_lib.interactive.explorer_state import ExplorerState
from mrvae_lib.interactive.html_export import ExportError, card_rows, export_html, page_html, pose_text
from mrvae_lib.training.checkpoints import pretrained_names
from tests.conftest import ROOT, Page, tiny_model
from tools.gallery import export_gallery

HOSTILE = """</script></title><img src=x onerror="alert('1')"><script>alert(2)</script>&amp;<!--__PAGE____TITLE__"""


def data_of(page):
    """What the page's script is given."""
    return json.loads(Page(page).texts["page"])


def hostile_model():
    model = tiny_model(2, 2)
    model.card = {"data": HOSTILE, "command": HOSTILE, "label_names": [HOSTILE]}
    model.examples = {"mu": torch.zeros(1, 2), "bits": torch.zeros(1, 2), "label": torch.zeros(1, dtype=torch.long)}
    return model


def test_a_hostile_name_stays_text_in_the_title_and_in_the_data():
    page, harmless = page_html(hostile_model(), title=HOSTILE), page_html(tiny_model(2, 2), title="page")
    assert Page(page).tags == Page(harmless).tags
    assert Page(page).texts["title"] == HOSTILE
    assert data_of(page)["labels"] == [HOSTILE]
    assert ["Trained with", HOSTILE] in data_of(page)["card"]


def test_a_hostile_name_stays_text_in_the_gallery(tmp_path):
    pages = [export_gallery({name: model}, tmp_path / folder).read_text()
             for folder, name, model in (("a", "<b>&", hostile_model()), ("b", "b", tiny_model(2, 2)))]
    assert Page(pages[0]).tags == Page(pages[1]).tags
    assert (tmp_path / "a" / "<b>&.html").is_file()
    assert 'href="%3Cb%3E%26.html"' in pages[0]


def test_the_gallery_has_a_page_for_each_shipped_model(tmp_path):
    index = export_gallery({name: load_model(name) for name in pretrained_names()}, tmp_path).read_text()
    for name in pretrained_names():
        assert f'href="{name}.html"' in index
        assert (tmp_path / f"{name}.html").stat().st_size < 3_000_000


def test_the_page_asks_nothing_of_a_network():
    page = page_html(load_model("mnist-mrvae"))
    page = page.replace('<a href="https://github.com/', "")  # a link asks only when it is pressed
    assert not re.search(r"https?:|\bsrc=|\bfetch\(|@import|url\(|XMLHttpRequest|\bimport\b", page)


def test_the_weights_are_the_decoders_rounded_to_fp16():
    model = tiny_model(2, 3)
    numbers = np.frombuffer(base64.b64decode(data_of(page_html(model))["decoder"]["weights"]), dtype="<f2")
    expected = torch.cat([parameter.flatten() for parameter in model.decoder.parameters()]).detach().half()
    np.testing.assert_array_equal(numbers, expected.numpy())


def test_a_layer_or_a_weight_that_the_page_cannot_hold_is_named(tmp_path):
    model = tiny_model(2, 2)
    model.decoder[1] = nn.GELU()
    with pytest.raises(ExportError, match="cannot hold a GELU; it knows Linear, square Conv"):
        export_html(model, tmp_path / "page.html")
    model = tiny_model(2, 2)
    model.decoder[0].bias.data[0] = 1e5
    with pytest.raises(ExportError, match=r"at most 65504 .* the decoder has 100000"):
        export_html(model, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_card_tells_data_licence_pose_command_and_scores():
    card = dict(card_rows(load_model("fashion-mrvae")))
    assert card["Data"] == f"fashion-mnist, used without labels; {DATASETS['fashion-mnist'].licence}"
    assert "contrast 50 %, mirror images" in card["T, what the code should survive"]
    assert card["Trained with"].startswith("mrvae train fashion-mnist")
    assert card["Scored on"] == "10,000 test images"
    assert card["label accuracy of the code"].startswith("0.708 ")
    assert len(card_rows(tiny_model(2, 2))) == 1


def test_a_pose_is_told_in_the_units_of_its_amounts():
    assert pose_text({"rotation": 25.0, "shear": 0.3, "scale": 0.2, "mirror": False}) == "rotation 25°, shear 0.3, scale 20 %"
    assert pose_text({}) == "nothing"


@pytest.mark.parametrize("licence", [source.licence for source in DATASETS.values()])
def test_a_licence_says_what_the_notice_says(licence):
    assert licence in re.sub(r"\s+", " ", (ROOT / "NOTICE").read_text())


def test_the_explorers_view_and_starting_points_are_those_of_its_page():
    explorer = LatentExplorer(load_model("mnist-mrvae"))
    explorer.go_to(57)
    explorer.bits[2].value = not explorer.bits[2].value
    frame = explorer.as_page(height=333).data
    page = data_of(html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]))
    assert ExplorerState.from_json(json.dumps(page["state"])) == explorer.state
    assert [ExplorerState.from_json(json.dumps(start)) for start in page["starts"]] == list(explorer.content.starts)
    assert 'height="333"' in frame

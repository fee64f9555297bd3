"""The panel: a reader's function, drawn again whenever a control moves."""

import base64

import ipywidgets
import pytest

from mrvae_lib.analysis.figures import plt
from mrvae_lib.interactive import Panel


def line(height, colour="red"):
    if height > 3:
        raise ValueError(f"<{height}> is too high")
    ax = plt.figure(figsize=(2, 1)).gca()
    ax.plot([0, height], color=colour)
    return ax


def test_a_moved_control_draws_again_with_the_values_of_all_controls():
    panel = Panel(line, height=(0, 4, 1), colour=["red", "blue"])
    before = panel.shown.value
    assert panel.values == {"height": 2, "colour": "red"}
    panel.controls["colour"].value = "blue"
    assert 'alt="height 2, colour blue"' in panel.shown.value
    assert panel.shown.value.split("base64,")[1] != before.split("base64,")[1]


def test_what_the_function_raises_is_said_in_one_line_and_the_next_move_draws_again():
    panel = Panel(line, height=(0, 4, 1))
    panel.controls["height"].value = 4
    assert "ValueError: &lt;4&gt; is too high" in panel.shown.value
    assert "image/png" not in panel._repr_mimebundle_(), "a picture of before is not shown for values of now"
    panel.controls["height"].value = 1
    assert panel.shown.value.startswith("<img")


def test_readers_without_a_kernel_see_a_picture_or_the_text():
    bundle = Panel(line, height=(0, 4, 1))._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == "Panel(height 2)"
    told = Panel(lambda beta: f"<b>{2 * beta:g}</b> &lt; 5", beta=1.5)._repr_mimebundle_()["text/plain"]
    assert told.split() == ["Panel(beta", "1.5):", "3", "<", "5"]


def test_a_control_keeps_the_name_that_it_was_given():
    slider = ipywidgets.IntSlider(description="turn by")
    assert Panel(str, a=slider).controls["a"].description == "turn by"
    assert Panel(lambda a: str(a), a=True).controls["a"].description == "a"


@pytest.mark.parametrize("meant", [object(), None])
def test_what_makes_no_control_is_refused_by_name(meant):
    with pytest.raises(ValueError, match="control t must be"):
        Panel(line, t=meant)

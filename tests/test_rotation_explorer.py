"""The rotated code, turned by its slider."""

import base64

import numpy as np
import pytest

from mrvae_lib.interactive.rotation_explorer import RotationExplorer

CODES = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)), axis=-1).reshape(-1, 2)
FACTORS = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)


def explorer():
    return RotationExplorer(CODES, FACTORS, {"MIG": [1.0, 0.5, 0.0], "correlation": [0.0, -0.0, 0.0]}, [0, 20, 45])


def test_the_slider_turns_the_points_and_shows_the_scores_at_that_angle():
    shown = explorer()
    before = shown.picture.value
    assert "turned by 0 degrees: MIG 1.00, correlation 0.00" in before
    shown.slider.value = 20
    assert "turned by 20 degrees: MIG 0.50, correlation 0.00" in shown.picture.value
    assert shown.picture.value.split("base64,")[1] != before.split("base64,")[1]


def test_readers_without_a_kernel_see_a_picture():
    bundle = explorer()._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "MIG 1.00" in bundle["text/plain"]


def test_what_is_not_a_pair_or_lacks_an_angle_is_refused():
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        RotationExplorer(CODES[:, :1], FACTORS, {}, [0])
    with pytest.raises(ValueError, match="MIG needs a value for each of 2 angles, got 1"):
        RotationExplorer(CODES, FACTORS, {"MIG": [1.0]}, [0, 45])

"""The ground-truth explorer: its sliders are the factors and its picture is the image that has them."""

import numpy as np
import pytest
import torch

from mrvae_lib.data import FactorSet
from mrvae_lib.interactive.factor_explorer import FactorExplorer
from tests.test_explorer import pixels, png_pixels


@pytest.fixture
def images():
    """Two factors: which half is bright, and how bright."""
    factors = torch.cartesian_prod(torch.arange(2), torch.arange(3))
    pictures = torch.zeros(6, 1, 8, 8, dtype=torch.uint8)
    for picture, (half, level) in zip(pictures, factors.tolist(), strict=True):
        picture[0, 4 * half : 4 * half + 4] = 80 * (level + 1)
    return FactorSet("halves", pictures, None, (), factors, ("half", "level"),
                     factor_values=(("upper", "lower"), (0.1, 0.2, 0.3)))


def test_it_starts_in_the_middle_and_a_slider_shows_the_image_of_its_factors(images):
    explorer = FactorExplorer(images)
    assert explorer.factors == [1, 1]
    for factors in ([0, 2], [1, 0]):
        for slider, index in zip(explorer.sliders.values(), factors, strict=True):
            slider.value = index
        np.testing.assert_array_equal(pixels(explorer.picture), images.at([factors])[0, 0].numpy())
    assert explorer.caption.value == "image 3 of 6"


def test_sliders_show_the_values_that_indices_stand_for(images):
    explorer = FactorExplorer(images, factors=[0, 2])
    texts = [slider.options[slider.value][0] for slider in explorer.sliders.values()]
    assert texts == ["upper", "0.30"]


def test_a_start_out_of_range_names_the_factor(images):
    with pytest.raises(ValueError, match=r"factor level must be 0\.\.2, got 7"):
        FactorExplorer(images, factors=[0, 7])


def test_where_there_is_no_kernel_a_png_is_shown(images):
    bundle = FactorExplorer(images)._repr_mimebundle_()
    assert png_pixels(bundle["image/png"]).shape == (32, 32)

"""The frame of an image: what its moments take away and what they leave; what reals that place a drawing do to it."""

import math

import pytest
import torch

from mrvae_lib.config import parse_config
from mrvae_lib.data import load_dataset
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.frame import (
    POSE_HALF_WIDTH,
    POSE_SHIFT,
    POSE_SIZE,
    POSE_STRETCH,
    SPREAD,
    PosedDecoder,
    affine_places,
    own_frame,
)
from mrvae_lib.model.vae import MRVAE

SQUARE, ELLIPSE, HEART = range(3)


def sprite(shape, scale=5, orientation=0, x=16, y=16):
    return load_dataset("dsprites").at([[shape, scale, orientation, x, y]]).float() / 255


def seen(x, frame):
    return own_frame(x, frame)[0]


def strip(slant):
    """A bar 24 pixels high and 6 wide whose rows move right by `slant` pixels a row going down, drawn with soft edges."""
    down, across = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    inside = (3.5 - (across - 19.5 - slant * (down - 19.5)).abs()).clamp(0, 1) * ((down - 19.5).abs() < 12)
    return inside[None, None]


def unlike(a, b):
    """The share of the pixels of either picture in which two pictures differ."""
    return ((a - b).abs().sum() / torch.maximum(a, b).sum()).item()


@pytest.mark.parametrize("frame", ["upright", "round"])
@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE, HEART])
def test_place_and_size_are_gone_from_the_frame(frame, shape):
    here, there = (seen(sprite(shape, **pose), frame) for pose in ({}, {"scale": 3, "x": 3, "y": 29}))
    assert unlike(here, there) < 0.1


def test_slant_is_gone_from_the_upright_frame():
    straight, slanted = strip(0.0), strip(0.5)
    assert unlike(straight, slanted) > 0.4
    assert unlike(seen(straight, "upright"), seen(slanted, "upright")) < 0.1


def test_a_turn_of_the_image_is_a_turn_of_the_round_frame():
    image = sprite(HEART, orientation=4)
    turned = seen(torch.rot90(image, 1, (2, 3)), "round")
    torch.testing.assert_close(turned, torch.rot90(seen(image, "round"), 1, (2, 3)), atol=1e-4, rtol=0)


def test_shapes_stay_apart_in_the_round_frame():
    square, ellipse, heart = (seen(sprite(shape), "round") for shape in (SQUARE, ELLIPSE, HEART))
    for a, b in ((square, ellipse), (square, heart), (ellipse, heart)):
        assert unlike(a, b) > 0.15


def middle_and_spread(image):
    """The mean and the covariance of the places of brightness, across and down, in half widths."""
    places = (torch.arange(image.shape[3]) + 0.5) / image.shape[3] * 2 - 1
    across_and_down, share = torch.cartesian_prod(places, places).T.flip(0), image.flatten() / image.sum()
    return across_and_down @ share, torch.cov(across_and_down, correction=0, aweights=share)


def test_an_image_fills_the_round_frame_with_equal_spread():
    middle, spread = middle_and_spread(seen(sprite(ELLIPSE, orientation=7), "round"))
    torch.testing.assert_close(middle, torch.zeros(2), atol=0.01, rtol=0)
    torch.testing.assert_close(spread.diagonal().sqrt(), torch.full((2,), SPREAD), atol=0.02, rtol=0)


@pytest.mark.parametrize("frame", ["upright", "round"])
def test_a_black_image_and_a_single_dot_have_a_finite_frame(frame):
    images = torch.zeros(2, 3, 28, 28)
    images[1, :, 5, 9] = 1
    view, affine = own_frame(images, frame)
    assert view.isfinite().all()
    assert affine.isfinite().all()
    assert view[0].abs().sum() == 0
    assert view[1].sum() > 0


PLACING = {"n_bits": 0, "n_reals": 6, "frame": "round", "posed": True}


@pytest.mark.parametrize(("settings", "moved"), [({"frame": "round", "n_bits": 3}, 0.01), (PLACING, 1e-3)])
def test_bits_of_a_model_with_a_frame_do_not_see_place_and_reals_do_also_those_that_place_a_drawing(settings, moved):
    model = MRVAE((1, 64, 64), parse_config({"model": settings}).model).eval()
    image = sprite(HEART)
    here, there = model.encode(image), model.encode(image.roll((9, -13), (2, 3)))
    torch.testing.assert_close(here.bit_logits, there.bit_logits, atol=1e-4, rtol=0)
    assert (here.mu - there.mu).abs().max() > moved
    assert here.bit_logits.shape == model.bit_logits(image).shape == (1, settings["n_bits"])


def test_bit_logits_are_those_of_the_posterior():
    image = sprite(SQUARE)
    for frame in ("image", "upright", "round"):
        model = MRVAE((1, 64, 64), parse_config({"model": {"frame": frame, "network": "conv", "hidden": [8, 16]}}).model)
        torch.testing.assert_close(model.bit_logits(image), model.encode(image).bit_logits)


def test_where_the_frame_lies_is_where_the_image_is():
    image = sprite(HEART)
    (_, here), (_, there) = (own_frame(moved, "round") for moved in (image, image.roll((8, -16), (2, 3))))
    torch.testing.assert_close(there - here, torch.tensor([[[0.0, 0.0, -0.5], [0.0, 0.0, 0.25]]]), atol=1e-4, rtol=0)


def test_without_bits_a_frame_that_places_nothing_adds_nothing():
    plain, framed = (MRVAE((1, 28, 28), parse_config({"model": {"n_bits": 0, "frame": frame}}).model)
                     for frame in ("image", "upright"))
    assert framed.state_dict().keys() == plain.state_dict().keys()


def test_a_frame_has_at_most_32_points_a_side():
    for height, width, side in ((28, 20, 28), (64, 64, 32), (40, 64, 32)):
        assert seen(torch.rand(2, 3, height, width), "round").shape == (2, 3, side, side)


def test_a_frame_beside_listed_layers_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"model.frame and model.posed need model.network = 'mlp' or 'conv', got 'layers'"):
        parse_config({"model": {"network": "layers", "frame": "round"}})


def placed(picture, *pose):
    """A map placed by five reals, on a black ground of 64 x 64."""
    decoder = PosedDecoder(lambda rest: picture.expand(len(rest), -1, -1, -1), (1, 64, 64))
    with torch.no_grad():
        decoder.around.zero_()
        return decoder(torch.tensor([[*pose, 0.0]]))


def test_two_reals_move_a_drawing_across_and_down():
    middle = middle_and_spread(placed(torch.ones(1, 1, 8, 8), 1.0, -2.0, 0.0, 0.0, 0.0))[0]
    torch.testing.assert_close(middle, torch.tensor([POSE_SHIFT, -2 * POSE_SHIFT]), atol=1e-3, rtol=0)


def test_a_real_sizes_a_drawing():
    areas = [placed(torch.ones(1, 1, 16, 16), 0.0, 0.0, size, 0.0, 0.0).sum().item() for size in (0.0, 1.0)]
    assert areas[0] == pytest.approx((64 * POSE_HALF_WIDTH) ** 2, rel=0.1)
    assert areas[1] / areas[0] == pytest.approx(math.exp(2 * POSE_SIZE), rel=0.05)


def test_two_reals_stretch_a_drawing_along_the_axes_and_along_the_diagonals():
    disc = ((torch.arange(16) - 7.5).square()[:, None] + (torch.arange(16) - 7.5).square() < 50).float()[None, None]
    still, along, slanted = (middle_and_spread(placed(disc, 0.0, 0.0, 0.0, *pose))[1]
                             for pose in ((0.0, 0.0), (1.5, 0.0), (0.0, 1.5)))
    longer, shorter = math.exp(3 * POSE_STRETCH), math.exp(-3 * POSE_STRETCH)
    torch.testing.assert_close(along / still[0, 0], torch.tensor([[longer, 0.0], [0.0, shorter]]), atol=0.05, rtol=0)
    mean, half = (longer + shorter) / 2, (longer - shorter) / 2
    torch.testing.assert_close(slanted / still[0, 0], torch.tensor([[mean, half], [half, mean]]), atol=0.05, rtol=0)


@pytest.mark.parametrize("pose", [(0.0,) * 5, (1.0, -0.5, 0.7, 1.0, -1.0)])
def test_placing_undoes_the_round_frame(pose):
    square = torch.zeros(1, 1, 32, 32)
    square[..., 6:26, 6:26] = 1
    upright = seen(placed(square, 0.0, 0.0, 0.0, 0.0, 0.0), "round")
    assert unlike(seen(placed(square, *pose), "round"), upright) < 0.12


def test_only_what_does_not_place_a_drawing_reaches_the_network_that_draws():
    model = MRVAE((1, 40, 40), parse_config({"model": {"frame": "round", "posed": True, "n_reals": 6, "n_bits": 2}}).model)
    assert next(model.decoder.drawing.parameters()).shape[1] == 3
    assert model.decode(torch.randn(4, 6), torch.ones(4, 2)).shape == (4, 1, 40, 40)


def test_a_placed_drawing_needs_its_frame_five_reals_and_something_to_draw_with():
    for frame, reals, bits in (("round", 4, 2), ("round", 5, 0), ("upright", 6, 2)):
        with pytest.raises(ConfigError, match=f"5 reals and a latent more, got '{frame}', {reals} reals and {bits} bits"):
            parse_config({"model": {"frame": frame, "posed": True, "n_reals": reals, "n_bits": bits}})


def test_an_untrained_encoder_places_the_drawing_where_the_image_lies():
    model = MRVAE((1, 64, 64), parse_config({"model": PLACING}).model).eval()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.zero_()
    image = sprite(ELLIPSE, scale=4, orientation=5, x=9, y=25)
    disc = ((torch.arange(32) - 15.5).square()[:, None] + (torch.arange(32) - 15.5).square() < 184).float()[None, None]
    assert unlike(placed(disc, *model.encode(image).mu[0, :5].tolist()), image) < 0.12


def test_places_are_those_of_torch_s_affine_grid(generator):
    affine = torch.randn(5, 2, 3, generator=generator)
    expected = torch.nn.functional.affine_grid(affine, [5, 1, 6, 9], align_corners=False)
    torch.testing.assert_close(affine_places(affine, 6, 9), expected, atol=1e-5, rtol=0)

"""A model of parts: what its five reals do, what its bits can and cannot do, and how found parts are scored and named."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mrvae_lib.analysis.latent_report import names_of_bits
from mrvae_lib.analysis.part_scores import factor_reader, part_scores
from mrvae_lib.config import ModelConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.parts import MARGIN, PER_REAL, PartsEncoder, exchange_on_and_off
from mrvae_lib.model.vae import MRVAE, Posterior

N = 4000


@pytest.fixture
def model():
    """Of two bits, each with a bright blob of its own on the canvas, beside the middle and above it."""
    torch.manual_seed(0)
    model = MRVAE((1, 32, 32), ModelConfig(n_reals=5, n_bits=2, network="parts", hidden=(16,))).eval()
    at = torch.linspace(-1, 1, 48)
    blobs = [torch.exp(-((at - x) ** 2 + (at[:, None] - y) ** 2) / 0.02) for x, y in ((0.4, 0), (0, -0.4))]
    with torch.no_grad():
        model.decoder.canvas.weight.copy_(2 * torch.stack(blobs, dim=2).flatten(0, 1))
        model.decoder.canvas.bias.fill_(-1)
    return model


def drawn(model, z=(0, 0, 0, 0, 0), b=(1, 1)):
    with torch.no_grad():
        return model.decode(torch.tensor([z]).float(), torch.tensor([b]).float())


def centre(picture):
    at = (torch.arange(32) + 0.5) / 16 - 1
    light = picture[0, 0] - picture.min()
    return float((light.sum(0) * at).sum() / light.sum()), float((light.sum(1) * at).sum() / light.sum())


def test_the_first_two_reals_move_the_picture_the_third_sizes_the_fourth_turns_and_the_fifth_lights_it(model):
    x, y = centre(drawn(model, b=(1, 0)))
    moved = centre(drawn(model, (1, -2, 0, 0, 0), (1, 0)))
    assert moved == pytest.approx((x + PER_REAL[0], y - 2 * PER_REAL[1]), abs=0.01)
    assert centre(drawn(model, (0, 0, 1, 0, 0), (1, 0)))[0] == pytest.approx(x * math.exp(PER_REAL[2]), abs=0.02)
    turned = centre(drawn(model, (0, 0, 0, 2, 0), (1, 0)))
    assert math.atan2(turned[1], turned[0]) == pytest.approx(2 * PER_REAL[3], abs=0.05)
    assert float(drawn(model, (0, 0, 0, 0, 0.5)).max() / drawn(model).max()) == pytest.approx(math.exp(0.5 * PER_REAL[4]), rel=0.01)


def test_a_bit_adds_the_same_part_whatever_the_other_bit_is(model):
    off, first, second, both = (drawn(model, b=b) for b in ((0, 0), (1, 0), (0, 1), (1, 1)))
    assert (first - off).max() > 0.5
    assert torch.allclose(both - second, first - off, atol=0.01)
    nn.init.constant_(model.decoder.canvas.bias, -0.5)
    assert drawn(model, b=(0, 0)).max() <= 1.01 * MARGIN, "log-odds of -5 are black enough"


def test_the_bits_see_the_image_where_the_reals_have_found_the_canvas_in_even_light(model):
    z, seen = (0.7, -0.8, 0.5, 1.0, -1.0), []
    encoder = PartsEncoder(nn.Sequential(nn.Flatten(), nn.Linear(1024, 10)), nn.Sequential(nn.Flatten(), nn.Linear(1024, 2)))
    nn.init.zeros_(encoder.reals[-1].weight)
    encoder.reals[-1].bias.data[:5] = torch.tensor(z)
    encoder.bits.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    encoder(drawn(model, z))
    upright = drawn(model) * math.exp(0.2)
    assert (seen[0] - upright).abs().mean() < 0.01
    assert (drawn(model, z) - upright).abs().mean() > 0.03


def test_on_and_off_are_exchanged_and_no_picture_changes(model):
    x = drawn(model, (0.3, 0.2, 0.1, 0.4, 0))
    before, pictures = model.encode(x), [drawn(model, b=(0, 1)), drawn(model, b=(1, 1))]
    exchange_on_and_off(model.encoder, model.decoder, [0])
    assert torch.allclose(model.encode(x).bit_logits, before.bit_logits * torch.tensor([-1, 1]), atol=1e-5)
    assert torch.allclose(drawn(model, b=(1, 1)), pictures[0], atol=1e-5)
    assert torch.allclose(drawn(model, b=(0, 1)), pictures[1], atol=1e-5)


@pytest.mark.parametrize("changes", ["model.n_reals=6", "model.n_bits=0", 'model.frame="upright"', 'model.likelihood="mse-tanh"'])
def test_a_model_of_parts_takes_five_reals_a_bit_and_no_frame(changes):
    with pytest.raises(ConfigError, match=r"model\..*parts"):
        load_config("faces", overrides=[changes])


def factors_and_codes(columns):
    """Three independent factors, two of them yes or no, and the posterior of sure bits made from them."""
    torch.manual_seed(0)
    factors = torch.stack([torch.randint(2, (N,)), torch.randint(5, (N,)), torch.randint(2, (N,))], dim=1)
    bits = torch.stack([column(factors) for column in columns], dim=1)
    return factors, Posterior(torch.zeros(N, 0), torch.zeros(N, 0), 20.0 * (2 * bits - 1))


FIRST, THIRD = (lambda f: f[:, 0]), (lambda f: 1 - f[:, 2])
NOISE, SILENT = (lambda f: torch.randint(2, (N,))), (lambda f: torch.zeros(N, dtype=torch.long))


def scores(columns, chosen=(0, 1, 2)):
    factors, codes = factors_and_codes(columns)
    images = ImageSet("planted", torch.zeros(N, 1, 8, 8, dtype=torch.uint8), factors=factors[:, chosen], factor_names=("hat", "size", "tie")[:len(chosen)])
    return part_scores(SimpleNamespace(n_bits=len(columns)), codes, images, None)


@pytest.mark.parametrize(("columns", "expected"), [
    ([FIRST, THIRD], (1, 1, 1, 1)),
    ([SILENT, THIRD, FIRST], (1, 1, 1, 1)),
    ([FIRST, FIRST, THIRD], (1, 1, 0.625, 1)),
    ([FIRST, SILENT], (0.75, 1, 1, 0.5)),
    ([SILENT, SILENT], (0.5, 0, 0, 0)),
])
def test_agreement_infom_infoc_and_infoe_are_what_was_planted(columns, expected):
    found = scores(columns)
    assert [result.score for result in found] == pytest.approx(expected, abs=0.06)
    assert found[0].settings["factors"] == ["hat", "tie"]


def test_noise_finds_no_part_and_without_yes_or_no_factors_there_is_nothing_to_find():
    found = scores([NOISE, NOISE])
    assert (found[0].score, found[3].score) == pytest.approx((0.5, 0), abs=0.03)
    assert scores([NOISE, NOISE], [1]) == []


@pytest.mark.parametrize(("decode", "expected"), [
    (lambda model, z, b: model.decode(z, b), (1, 0, 0)),
    (lambda model, z, b: model.decode(z, b[:, :1].expand(-1, 2)), (0.5, 0.5, 0)),
    (lambda model, z, b: model.decode(z + 2 * b[:, :1] * torch.eye(5)[0], b), (1, 0, 0.25)),
])
def test_a_flip_is_seen_to_change_its_part_another_one_or_what_is_no_part(model, decode, expected):
    torch.manual_seed(0)
    bits, across = torch.randint(2, (2000, 2)), torch.randint(3, (2000,))
    z = (across[:, None] - 1) * torch.eye(5)[0] * 2
    with torch.no_grad():
        pictures = (255 * model.decode(z, bits.float())).byte()
    images = ImageSet("blobs", pictures, factors=torch.column_stack([bits, across]), factor_names=("hat", "tie", "across"))
    codes = Posterior(torch.zeros(2000, 5), torch.zeros(2000, 5), 40.0 * bits - 20)
    painter = SimpleNamespace(n_bits=2, decode=lambda z, b: decode(model, z, b))
    found = part_scores(painter, codes, images, factor_reader(images))
    assert [result.score for result in found[4:]] == pytest.approx(expected, abs=0.1)


def test_a_bit_is_called_after_the_part_that_it_goes_with_and_others_have_no_name():
    weaker = lambda f: f[:, 0] * (torch.rand(N) < 0.9)  # noqa: E731
    factors, codes = factors_and_codes([FIRST, THIRD, NOISE, SILENT, lambda f: (f[:, 1] > 1).long(), weaker])
    named = names_of_bits(codes, dict(zip(("hat", "size", "tie"), factors.T, strict=True)))
    assert named == {"0": ["hat", 1.0], "1": ["no tie", 1.0]}

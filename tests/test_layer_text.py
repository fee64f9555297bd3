"""Layers as text: what each does to a shape, and what a mistake is told."""

import pytest
import torch
from torch import nn

from mrvae_lib.config import ModelConfig, parse_config
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.layers import layered_encoder, read_layers
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.loop import train
from tests.conftest import At, tiny_images, tiny_run

EVERY_KIND = ["conv 6 k4x3 s2 p1, batchnorm, leaky 0.1", "fit 9x7, conv 4 k3, relu", "resize 6, meanpool, selu",
              "linear 12, batchnorm, tanh", "view 3x2x2", "deconv 5 k3 s2 p1 op1", "linear 7, conv 2 k1"]


def layered(encoder, decoder, shape=(1, 8, 8), n_reals=2):
    return MRVAE(shape, ModelConfig(n_reals=n_reals, n_bits=0, network="layers", encoder=encoder, decoder=decoder))


@pytest.mark.parametrize("n", range(1, len(EVERY_KIND) + 1))
def test_every_kind_of_layer_reaches_the_shape_that_torch_computes(n):
    modules, shape = read_layers(EVERY_KIND[:n], (3, 20, 16), "encoder")
    assert nn.Sequential(*modules)(torch.rand(4, 3, 20, 16)).shape == (4, *shape)


def test_fit_pads_with_zeros_around_the_middle_and_crops_back():
    pad, crop = layered_encoder(["fit 10x12", "fit 8"], (1, 8, 8), 1)[:2]
    x = torch.rand(2, 1, 8, 8)
    padded = pad(x)
    assert padded.shape == (2, 1, 10, 12)
    assert padded.sum() == pytest.approx(x.sum().item())
    torch.testing.assert_close(crop(padded), x)


def test_resize_keeps_a_constant_picture_constant_and_runs_in_bf16():
    resize = layered_encoder(["resize 5x9"], (1, 8, 8), 1)[0]
    torch.testing.assert_close(resize(torch.full((1, 1, 8, 8), 0.3)), torch.full((1, 1, 5, 9), 0.3))
    assert resize(torch.rand(1, 1, 8, 8, dtype=torch.bfloat16)).shape == (1, 1, 5, 9)


@pytest.mark.parametrize(("encoder", "decoder", "message"), [
    (["conv 8"], [], "model.encoder: layer 1, 'conv 8', must be written conv CHANNELS kKERNEL"),
    (["relu, conv 8 k0"], [], "model.encoder: layer 2, 'conv 8 k0', must be written"),
    (["cnv 8 k3"], [], "model.encoder: layer 1, 'cnv 8 k3', is not a layer; there are conv, deconv, linear"),
    (["leaky"], [], "'leaky', must be written leaky SLOPE"),
    (["relu 3"], [], "'relu 3', must be written relu"),
    (["linear 1000000000"], [], "must be written linear WIDTH, as in linear 256, with numbers of at most 1048576"),
    (["view 3x4"], [], "'view 3x4', must be written view CxHxW"),
    (["deconv 3 k2 s2 op2"], [], "'deconv 3 k2 s2 op2', has an output padding that is not smaller than its stride"),
    ([""], [], "layer 1, '', is not a layer"),
    (["conv 4 k4 s2", "conv 4 k4"], ["linear 64, view 1x8x8"],
     "model.encoder: layer 2, 'conv 4 k4', reaches 4x0x0 from 4x3x3"),
    (["relu"], ["linear 60, view 1x8x8"], "model.decoder: layer 2, 'view 1x8x8', needs 64 numbers, got 60 (60)"),
    (["relu"], ["linear 64, fit 8"], "model.decoder: layer 2, 'fit 8', needs a map, got a vector of 64"),
    (["relu"], ["linear 49, view 1x7x7"], "model.decoder ends at 1x7x7, but the images are 1x8x8"),
    (["relu"], ["deconv 1 k1 p1"], "model.decoder: layer 1, 'deconv 1 k1 p1', reaches 1x-1x-1 from 2"),
])
def test_one_line_names_a_layer_and_how_it_is_written_or_the_size_it_reached(encoder, decoder, message):
    with pytest.raises(ConfigError) as caught:
        layered(encoder, decoder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_belong_to_the_network_of_layers():
    with pytest.raises(ConfigError, match=r"model.encoder needs model.network = 'layers', got 'mlp'"):
        parse_config({"model": {"encoder": ["relu"]}})


def test_batch_norm_does_not_learn_from_what_callbacks_look_at():
    model = ModelConfig(network="layers", encoder=("linear 8, batchnorm",), decoder=("linear 64, batchnorm, view 1x8x8",))
    config = tiny_run(epochs=2).model_copy(update={"model": model})
    look = At(4, lambda run: run.model.reconstruct(torch.rand(4, 1, 8, 8)))
    plain, looked_at = (train(config, images=tiny_images(), callbacks=callbacks) for callbacks in ([], [look]))
    torch.testing.assert_close(plain.state_dict(), looked_at.state_dict(), rtol=0, atol=0)

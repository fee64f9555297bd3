"""Encoder and decoder for images of side 8 to 256: two networks that fit themselves to the size, or layers by list."""

import math
from collections import OrderedDict
from itertools import pairwise

from torch import nn

from mrvae_lib.config import MAX_SIDE, MIN_SIDE, ModelConfig
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.frame import POSE_REALS, FramedEncoder, PosedDecoder, PosedReals, frame_side
from mrvae_lib.model.layers import centred_padding, layered_decoder, layered_encoder
from mrvae_lib.model.parts import PARTS_REALS, PartsDecoder, PartsEncoder

ImageShape = tuple[int, int, int]


def build_networks(config: ModelConfig, image_shape: ImageShape) -> tuple[nn.Module, nn.Module]:
    """The encoder, image to the posterior's 2 D + K statistics, and the decoder, D + K latents to image.

    Args:
        config: `network` is `mlp`, whose `hidden` are the encoder's widths; `conv`, whose `hidden` are the channels of
            its stride-2 layers (the last one repeats as often as the image needs) followed by one width; or `layers`,
            whose `encoder` and `decoder` are written out; or `parts` (`model/parts.py`). `frame` and `posed` put the
            first two into a frame (`model/frame.py`).
        image_shape: (C, H, W), C 1 or 3, sides 8 to 256.
    Returns:
        encoder (B, C, H, W) -> (B, 2 D + K), decoder (B, D + K) -> (B, C, H, W) of unbounded outputs.
    Raises:
        ConfigError: an image shape outside these, or a network that cannot take it.
    """
    channels, height, width = image_shape
    if channels not in (1, 3) or not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise ConfigError(f"image shape must be (1 or 3, {MIN_SIDE}..{MAX_SIDE}, {MIN_SIDE}..{MAX_SIDE}), "
                          f"got {image_shape}")
    n_stats, n_latents = 2 * config.n_reals + config.n_bits, config.n_reals + config.n_bits
    if config.network == "layers":
        return (layered_encoder(config.encoder, image_shape, n_stats),
                layered_decoder(config.decoder, image_shape, n_latents))
    dense, hidden = config.network == "mlp", config.hidden
    if config.network == "parts":
        return (PartsEncoder(mlp_encoder(image_shape, 2 * PARTS_REALS, hidden),
                             mlp_encoder(image_shape, config.n_bits, hidden)), PartsDecoder(config.n_bits, image_shape))
    encoder, decoder = (mlp_encoder, mlp_decoder) if dense else (conv_encoder, conv_decoder)
    if config.frame == "image" or not (config.n_bits or config.posed):
        return encoder(image_shape, n_stats, hidden), decoder(image_shape, n_latents, hidden)
    side = frame_side(height, width)
    in_frame = (channels, side, side)
    reals = (PosedReals(encoder(in_frame, hidden[-1], hidden), hidden[-1], 2 * config.n_reals) if config.posed
             else encoder(image_shape, 2 * config.n_reals, hidden))
    bits = encoder(in_frame, config.n_bits, hidden) if config.n_bits else None
    looking = FramedEncoder(config.frame, bits, reals)
    if not config.posed:
        return looking, decoder(image_shape, n_latents, hidden)
    # What never moves in its frame needs no convolution.
    drawing = mlp_decoder(in_frame, n_latents - POSE_REALS, hidden if dense else hidden[-1:] * 2)
    return looking, PosedDecoder(drawing, image_shape)


def mlp_encoder(image_shape: ImageShape, n_stats: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Flatten, then ReLU layers of the given widths, then the statistics."""
    return nn.Sequential(nn.Flatten(), *_dense((math.prod(image_shape), *hidden, n_stats)))


def mlp_decoder(image_shape: ImageShape, n_latents: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """The encoder's mirror."""
    widths = (n_latents, *reversed(hidden), math.prod(image_shape))
    return nn.Sequential(*_dense(widths), nn.Unflatten(1, image_shape))


def conv_encoder(image_shape: ImageShape, n_stats: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """4x4 convolutions of stride 2 down to a map of side 4 or less, then one dense layer."""
    channels, padding, smallest, width = _conv_plan(image_shape, hidden)
    maps = [layer for a, b in pairwise(channels)
            for layer in (nn.Conv2d(a, b, kernel_size=4, stride=2, padding=1), nn.ReLU())]
    dense = _dense((math.prod(smallest), width, n_stats))
    return nn.Sequential(OrderedDict(
        pad=nn.ZeroPad2d(padding), maps=nn.Sequential(*maps, nn.Flatten()), dense=nn.Sequential(*dense)))


def conv_decoder(image_shape: ImageShape, n_latents: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """The encoder's mirror: dense layers, then 4x4 transposed convolutions of stride 2, cropped to the image."""
    channels, (left, right, top, bottom), smallest, width = _conv_plan(image_shape, hidden)
    dense = _dense((n_latents, width, math.prod(smallest)))
    maps = [layer for a, b in pairwise(reversed(channels))
            for layer in (nn.ConvTranspose2d(a, b, kernel_size=4, stride=2, padding=1), nn.ReLU())]
    return nn.Sequential(OrderedDict(
        dense=nn.Sequential(*dense, nn.ReLU(), nn.Unflatten(1, smallest)), maps=nn.Sequential(*maps[:-1]),
        crop=nn.ZeroPad2d((-left, -right, -top, -bottom))))


def _conv_plan(image_shape: ImageShape, hidden: tuple[int, ...]
               ) -> tuple[list[int], tuple[int, int, int, int], ImageShape, int]:
    """What encoder and decoder share: channels from the image on, padding, the smallest map, the dense width."""
    if len(hidden) < 2:
        raise ConfigError(f"model.hidden of a conv network must be [channels, ..., dense width], got {list(hidden)}")
    depth = math.ceil(math.log2(max(image_shape[1:]) / 4))
    *widths, dense_width = hidden
    channels = [image_shape[0], *(widths + widths[-1:] * depth)[:depth]]
    step = 2**depth
    height, width = (math.ceil(side / step) * step for side in image_shape[1:])
    smallest = (channels[-1], height // step, width // step)
    return channels, centred_padding(image_shape, height, width), smallest, dense_width


def _dense(widths: tuple[int, ...]) -> list[nn.Linear | nn.ReLU]:
    return [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]

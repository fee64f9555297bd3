"""Drawn faces with parts: which of eight parts a face wears, beside five or six ways in which it can look.

Every factor is drawn independently of all others, so a model that gives each part a bit of its own is right, and
`factors` says for each image what is on it. A shape is given by its signed distance, which is negative inside; shapes
are painted from back to front, and an edge is one pixel wide. Lengths are head radii, u to the face's right and v down,
from the middle of the head. Drawn by us for this project.
"""

import math

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.data.image_set import ImageSet

SIDE, RADIUS = 32, 7.5
"""In pixels: the side of an image, and the radius of a head of size 1."""
PARTS = ("hat", "ears", "beard", "tie", "mouth", "glasses", "moustache", "earrings")
"""Half of the faces wear each; `mouth` is open or closed."""
WAYS: dict[str, tuple[float, ...]] = {
    "across": tuple(np.linspace(-3, 3, 16)),  # pixels
    "down": tuple(np.linspace(-2.5, 2.5, 16)),  # pixels
    "size": tuple(np.linspace(0.85, 1.15, 16)),
    "tilt": tuple(np.linspace(-20, 20, 16)),  # degrees
    "light": tuple(np.linspace(0.6, 1, 16)),  # all tones are multiplied by it
    "cloth": tuple(np.arange(12) / 12),  # the hue of hat and tie; only coloured faces have it
}
"""For each way a face can look, what its levels stand for; all levels are equally likely."""
N_IMAGES = {"train": 40_000, "test": 10_000}
SKIN, PINK, HAIR = (1, 0.80, 0.36), (0.85, 0.5, 0.3), (0.45, 0.24, 0.1)
DARK, LENS, GOLD = (0.1, 0.07, 0.1), (0.93, 0.97, 1), (1, 0.95, 0.6)
CLOTH = (0.3, 0.5, 0.9)
"""Colours as red, green and blue; cloth has this one where its hue is not a factor."""
LUMINANCE = (0.299, 0.587, 0.114)
"""How much red, green and blue count in a grey image."""


def load_faces(name: str, split: str) -> ImageSet:
    """One split of `faces`, which are grey, or of `faces-colour`: drawn in seconds, always the same images."""
    factors = random_factors(N_IMAGES[split], name == "faces-colour", seed=0 if split == "train" else 1)
    return ImageSet(name, draw_faces(factors), factors=factors, factor_names=(*PARTS, *WAYS)[:factors.shape[1]])


def random_factors(n: int, colour: bool, seed: int) -> Tensor:
    """Factors of n faces, independent and uniform: (n, 13) int64, or (n, 14) for coloured faces."""
    sizes = [2] * len(PARTS) + [len(levels) for levels in WAYS.values()]
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(size, (n,), generator=generator) for size in sizes[:None if colour else -1]],
                       dim=1)


def draw_faces(factors: Tensor) -> Tensor:
    """The faces with these factors, which come in the order of `PARTS` and `WAYS`.

    Args:
        factors: (N, 13) for grey faces or (N, 14) for coloured ones, int64 places in each factor's levels.
    Returns:
        (N, 1 or 3, 32, 32) uint8.
    """
    return torch.cat([_draw(batch) for batch in factors.split(1000)])


def _draw(factors: Tensor) -> Tensor:
    hat, ears, beard, tie, mouth, glasses, moustache, earrings = factors.T[:len(PARTS), :, None, None].float()
    ways = zip(WAYS.values(), factors.T[len(PARTS):], strict=False)  # grey faces have no hue
    across, down, size, tilt, light, *hue = (torch.tensor(levels)[level, None, None].float() for levels, level in ways)
    places = torch.arange(SIDE) + 0.5 - SIDE / 2
    x, y, angle, scale = places - across, places[:, None] - down, tilt * math.pi / 180, RADIUS * size
    u, v = (angle.cos() * x + angle.sin() * y) / scale, (angle.cos() * y - angle.sin() * x) / scale
    side = u.abs()  # draws what is the same on the left and on the right
    picture = torch.zeros(len(factors), 3 if hue else 1, SIDE, SIDE)
    cloth: tuple[float, ...] | Tensor = _rainbow(hue[0]) if hue else CLOTH

    def paint(distance: Tensor, colour: tuple[float, ...] | Tensor, worn: Tensor | float = 1.0) -> None:
        tone = torch.as_tensor(colour).reshape(-1, 3, 1, 1)
        if not hue:
            tone = torch.einsum("nchw,c->nhw", tone, torch.tensor(LUMINANCE))[:, None]
        cover = (0.5 - distance * scale).clamp_(0, 1).mul_(worn)
        picture.add_((tone - picture) * cover[:, None])

    paint(_disc(side - 1.08, v + 0.05, 0.34), SKIN, ears)
    paint(_disc(side - 1.1, v + 0.05, 0.18), PINK, ears)
    paint(_disc(u, v, 1), SKIN)
    paint(torch.maximum(_disc(u, v - 0.12, 1.06), -_disc(u * 0.8, v + 0.15, 0.62)).maximum(0.1 - v), HAIR, beard)
    paint(_disc(side - 0.36, v + 0.18, 0.12), DARK)
    paint(_disc(side - 0.36, v + 0.18, 0.29), LENS, glasses)
    paint(_disc(side - 0.36, v + 0.18, 0.13), DARK, glasses)
    paint(_disc(side - 0.36, v + 0.18, 0.29).abs() - 0.055, DARK, glasses)
    paint(_box(u, v + 0.2, 0.09, 0.055), DARK, glasses)
    paint(torch.maximum(_disc(u, v - 0.28, 0.3).abs() - 0.06, 0.42 - v), DARK, 1 - mouth)
    paint(_disc(u, v - 0.58, 0.33), DARK, mouth)
    paint(_box(u, v - 0.41, 0.22, 0.07), LENS, mouth)
    paint(_disc(side * 0.45 - 0.09, v - 0.24 - 0.2 * side.square(), 0.11), HAIR, moustache)
    paint(_disc(side - 1.12, v - 0.52, 0.15), GOLD, earrings)
    paint(_box(u, v + 1.14, 0.56, 0.4), cloth, hat)
    paint(_box(u, v + 0.86, 0.56, 0.09), LENS, hat)
    paint(_box(u, v + 0.72, 0.95, 0.1), cloth, hat)
    paint(torch.maximum((v - 1.24).abs() - 0.06 - 0.5 * side, side - 0.5) * 0.9, cloth, tie)
    paint(_disc(u, v - 1.24, 0.12), LENS, tie)
    return picture.mul_(255 * light[:, None]).round_().to(torch.uint8)


def _disc(u: Tensor, v: Tensor, radius: float) -> Tensor:
    return torch.hypot(u, v) - radius


def _box(u: Tensor, v: Tensor, half_width: float, half_height: float) -> Tensor:
    return torch.maximum(u.abs() - half_width, v.abs() - half_height)


def _rainbow(hue: Tensor) -> Tensor:
    """Red, green and blue (N, 3) of hues (N, 1, 1) in 0..1, each from 0.15 to 1."""
    thirds = torch.tensor([0, 1 / 3, 2 / 3])
    return 0.575 + 0.425 * torch.cos(2 * math.pi * (hue.reshape(-1, 1) - thirds))

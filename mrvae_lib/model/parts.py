"""A model of parts: every bit draws one part on a canvas; five reals place the canvas in the image and light it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrvae_lib.model.frame import affine_places

PARTS_REALS = 5
"""z0 moves the canvas across and z1 down, z2 sizes it, z3 turns it, z4 lights it."""
PER_REAL = (0.25, 0.25, 0.2, 0.3, 0.3)
"""What a real of 1 adds: twice half widths of the image, then logarithm of size, radians, logarithm of light."""
DIM = 0.2
"""The light is exp(-DIM) where its real is 0: a part may be brighter in one image than in another."""
CANVAS_SIDE = 48
GAIN = 10
"""On the canvas' weights, so that at one learning rate they move ten times as fast as those of the encoder."""
MARGIN, BEYOND = 1e-4, 0.02
"""How near to 0 and 1 a pixel may come; how far the canvas' tones reach beyond black and white, where they are cut. If
they only came near to black, a bit that is left over would join another one's part to make its black blacker."""


class PartsEncoder(nn.Module):
    """Finds how the canvas lies in an image, and shows the bits the image laid back on the canvas, in even light.

    Args:
        reals: (B, C, H, W) to (B, 10), the statistics of the five reals.
        bits: (B, C, H, W) to (B, K) log-odds.
    """

    def __init__(self, reals: nn.Sequential, bits: nn.Sequential) -> None:
        super().__init__()
        self.reals, self.bits = reals, bits
        last: Any = reals[-1]
        last.weight = nn.Parameter(0.1 * last.weight)
        nn.init.zeros_(last.bias)
        nn.init.constant_(last.bias[PARTS_REALS:], -3)  # logvar: sharp enough to draw by

    def forward(self, x: Tensor) -> Tensor:
        stats = self.reals(x)
        across, down, size, turn, light = _placed(stats[:, :PARTS_REALS])
        cos, sin = size * turn.cos(), size * turn.sin()
        to_image = torch.stack([cos, -sin, across, sin, cos, down], dim=1).unflatten(1, (2, 3))
        seen = F.grid_sample(x, affine_places(to_image, *x.shape[2:]).to(x.dtype), align_corners=False)
        return torch.cat([stats, self.bits(seen / light[:, None, None, None])], dim=1)


class PartsDecoder(nn.Module):
    """Adds the parts of the bits that are on to one ground, lays the canvas into the image, and lights it.

    A bit can do nothing but add its part, whatever the other bits are: so what bits have in common, such as one part
    or another but not both, cannot be written into them.

    Args:
        n_bits: K.
        image_shape: (C, H, W).
    """

    def __init__(self, n_bits: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.canvas = nn.Linear(n_bits, image_shape[0] * CANVAS_SIDE**2)
        # On the processor in any case: while a model is read, torch takes two seconds to begin with normals on "meta".
        self.canvas.weight = nn.Parameter(0.02 / GAIN * torch.randn(self.canvas.weight.shape, device="cpu"))
        nn.init.constant_(self.canvas.bias, -2 / GAIN)  # dark

    def forward(self, latents: Tensor) -> Tensor:
        channels, height, width = self.image_shape
        z, b = latents.split([PARTS_REALS, latents.shape[1] - PARTS_REALS], dim=1)
        tones = ((1 + 2 * BEYOND) * (GAIN * self.canvas(b)).sigmoid() - BEYOND).clamp(0, 1)
        drawn = tones.unflatten(1, (channels, CANVAS_SIDE, CANVAS_SIDE))
        across, down, size, turn, light = _placed(z)
        cos, sin = turn.cos() / size, turn.sin() / size
        to_canvas = torch.stack([cos, sin, -cos * across - sin * down, -sin, cos, sin * across - cos * down], dim=1)
        places = affine_places(to_canvas.unflatten(1, (2, 3)), height, width)
        pixels = F.grid_sample(drawn, places.to(drawn.dtype), align_corners=False) * light[:, None, None, None]
        return torch.logit(pixels, MARGIN)


@torch.no_grad()
def exchange_on_and_off(encoder: PartsEncoder, decoder: PartsDecoder, bits: list[int]) -> None:
    """Let 1 stand for what 0 stood for, and 0 for 1, in these bits; every picture stays as it is."""
    last: Any = encoder.bits[-1]
    last.weight[bits], last.bias[bits] = -last.weight[bits], -last.bias[bits]
    decoder.canvas.bias.add_(decoder.canvas.weight[:, bits].sum(dim=1))
    decoder.canvas.weight[:, bits] *= -1


def _placed(z: Tensor) -> tuple[Tensor, ...]:
    """Five reals (B, 5) as the canvas' place across and down, its size, its turn, and its light."""
    across, down, size, turn, light = (z * z.new_tensor(PER_REAL)).unbind(dim=1)
    return across, down, size.exp(), turn, (light - DIM).exp()

"""The frame of an image: its own, in which the bits see it, and the one the reals give it, in which it is drawn."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Frame = Literal["upright", "round"]
SPREAD = 0.42
"""Standard deviation of the brightness in its frame, in half widths; a square then just fits, however it is turned."""
MAX_SIDE = 32
"""Points a side at most: a shape that fills its frame needs no more, and the network that looks at it is fast."""
THINNEST = 1e-2
"""Standard deviations, in half widths, below which a line counts as no thinner; it keeps a dot from filling the frame."""

POSE_REALS = 5
REACH, STRETCH, HALF_WIDTH = 0.3, 0.5, 0.3
"""Of a placed frame: half widths that a unit moves it, the log of the most it is enlarged by, and its own half width."""


def frame_side(height: int, width: int) -> int:
    """The side of the square frame of an image."""
    return min(MAX_SIDE, max(height, width))


def own_frame(x: Tensor, frame: Frame) -> Tensor:
    """Each image seen from its own centre, at its own scale, without its own slant.

    Args:
        x: (B, C, H, W) in [0, 1].
        frame: `upright` scales all directions alike until the height's spread is `SPREAD`, and shears until rows above
            lie over rows below: size, place and slant are gone. `round` stretches until the spread is `SPREAD` in every
            direction: any linear change of the image is gone but for a turn.
    Returns:
        (B, C, S, S) with S = `frame_side(H, W)`, bilinear samples of x; black where x is.
    Source: deskewing by moments, as in LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998).
    """
    with torch.autocast(x.device.type, enabled=False):  # places need more digits than bf16 has
        affine = _to_image(x.float(), frame)
        side = frame_side(*x.shape[2:])
        grid = F.affine_grid(affine, [*x.shape[:2], side, side], align_corners=False)
        return F.grid_sample(x.float(), grid, align_corners=False)


class PosedDecoder(nn.Module):
    """Draws in a frame of its own, which the first five reals then place in the image.

    z0 moves across and z1 down, `REACH` a unit. z2 is size, by a factor of at most e^`STRETCH` either way: without a bound
    the frame soon covers the image, and the drawing stays small in it. The direction of (z3, z4) is the turn, uniform for
    reals from the prior. Around the frame lies one learned value.

    Args:
        drawing: (B, D - 5 + K) latents to (B, C, S, S), what the other latents draw.
        image_shape: (C, H, W).
    Source: spatial-VAE, Bepler et al. (2019), with a frame of samples in the place of their function of coordinates.
    """

    def __init__(self, drawing: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.drawing = drawing
        self.image_shape = image_shape
        self.around = nn.Parameter(torch.full((image_shape[0], 1, 1), -3.0))

    def forward(self, latents: Tensor) -> Tensor:
        pose, rest = latents.split([POSE_REALS, latents.shape[1] - POSE_REALS], dim=1)
        drawn = self.drawing(rest)
        with torch.autocast(latents.device.type, enabled=False):
            grid = F.affine_grid(_to_frame(pose.float()), [len(latents), *self.image_shape], align_corners=False)
            return F.grid_sample(drawn.float() - self.around, grid, align_corners=False) + self.around


def _to_frame(pose: Tensor) -> Tensor:
    """The map from the image's places to the frame's that five reals (B, 5) name, (B, 2, 3)."""
    across, down = REACH * pose[:, 0], REACH * pose[:, 1]
    per_size = torch.exp(-STRETCH * torch.tanh(pose[:, 2] / 2)) / HALF_WIDTH / (pose[:, 3:5].square().sum(dim=1) + 1e-4).sqrt()
    cos, sin = per_size * pose[:, 3], per_size * pose[:, 4]
    rows = [[cos, sin, -cos * across - sin * down], [-sin, cos, sin * across - cos * down]]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _to_image(x: Tensor, frame: Frame) -> Tensor:
    """The map from the own frame's places to the image's, (B, 2, 3), by the moments of brightness."""
    height, width = x.shape[2:]
    brightness = x.sum(dim=1)
    brightness = brightness / brightness.sum(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    across, down = (_places(n, x) for n in (width, height))
    columns, rows = brightness.sum(dim=1), brightness.sum(dim=2)
    cx, cy = columns @ across, rows @ down
    xx = columns @ across.square() - cx.square() + THINNEST**2
    yy = rows @ down.square() - cy.square() + THINNEST**2
    xy = torch.einsum("bhw,h,w->b", brightness, down, across) - cx * cy
    if frame == "upright":
        scale = yy.sqrt()
        matrix = [[scale, xy / scale], [torch.zeros_like(scale), scale]]
    else:  # the symmetric square root of the covariance, in closed form for 2 x 2
        root = (xx * yy - xy.square()).clamp_min(THINNEST**4).sqrt()
        trace = (xx + yy + 2 * root).sqrt()
        matrix = [[(xx + root) / trace, xy / trace], [xy / trace, (yy + root) / trace]]
    return torch.stack([torch.stack([a / SPREAD, b / SPREAD, c], dim=1)
                        for (a, b), c in zip(matrix, (cx, cy), strict=True)], dim=1)


def _places(n: int, like: Tensor) -> Tensor:
    """Pixel centres from -1 to 1."""
    return (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n * 2 - 1

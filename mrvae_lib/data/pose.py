"""T: a small random change of pose. Structure is what survives it."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from mrvae_lib.config import PoseConfig
from mrvae_lib.data.shared import draw

WARP_SIDE = 4
"""The elastic warp is drawn on this many points a side and smoothed between them."""


def random_pose(x: Tensor, config: PoseConfig, generator: torch.Generator | None = None) -> Tensor:
    """Each image turned, sheared, scaled and moved by its own random amounts; what enters the frame is black.

    Args:
        x: (B, C, H, W) in [0, 1].
        config: the half width of each uniform draw; a scale of 0.2 draws a factor from 0.8 to 1.2. Where it asks
            for more (a warp, a change of contrast, mirror images, specks), more is drawn.
    Returns:
        (B, C, H, W), bilinear samples of x.
    """
    draws = 2 * draw(torch.rand, (6, len(x)), generator, dim=1, device=x.device) - 1  # (6, B) in [-1, 1]
    angle = draws[0] * math.radians(config.rotation)
    cos, sin, shear = angle.cos(), angle.sin(), draws[1] * config.shear
    width, height = 1 + draws[2] * config.scale, 1 + draws[3] * config.scale
    across, down = draws[4] * config.shift, draws[5] * config.shift
    rows = [
        torch.stack([cos / width, (shear * cos - sin) / width, across], dim=1),
        torch.stack([sin / height, (shear * sin + cos) / height, down], dim=1),
    ]
    affine = torch.stack(rows, dim=1)  # (B, 2, 3)
    if config.mirror:
        sign = draw(partial(torch.randint, 0, 2), (len(x),), generator, device=x.device) * 2.0 - 1
        affine = torch.cat([affine[:, :1] * sign[:, None, None], affine[:, 1:]], dim=1)
    grid = affine_places(affine, *x.shape[2:])
    if config.elastic:
        coarse = draw(torch.randn, (len(x), 2, WARP_SIDE, WARP_SIDE), generator, device=x.device)
        warp = F.interpolate(coarse * config.elastic, size=x.shape[2:], mode="bicubic", align_corners=False)
        grid = grid + warp.permute(0, 2, 3, 1)
    if config.specks:
        chance = draw(torch.rand, x.shape, generator, device=x.device)
        x = torch.where(chance < config.specks, chance / config.specks, x).to(x.dtype)
    moved = F.grid_sample(x, grid, align_corners=False)
    if config.contrast:
        gain = draw(torch.rand, (len(x),), generator, device=x.device) * 2 - 1
        moved = (moved * (1 + config.contrast * gain)[:, None, None, None]).clamp(max=1)
    return moved


def affine_places(affine: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel of a picture is looked up after an affine change, for `grid_sample`; edges are at -1 and 1.

    As torch's `affine_grid` without its product of narrow matrices, and in
    fp32 under autocast too: places need more digits than bf16 has.

    Args:
        affine: (B, 2, 3), from a pixel's (across, down, 1) to where it is looked up.
    Returns:
        (B, H, W, 2).
    """
    affine = affine.float()
    down, across = (((torch.arange(n, device=affine.device) + 0.5) / n * 2 - 1) for n in (height, width))
    right, below, start = affine[:, None, None].unbind(-1)  # (B, 1, 1, 2) each
    return right * across[:, None] + (below * down[:, None, None] + start)

"""T: a small random change of pose. Structure is what survives it."""

import math

import torch
import torch.nn.functional as F

from mrvae_lib.config import PoseConfig
from mrvae_lib.model.frame import affine_places

WARP_SIDE = 4
"""The elastic warp is drawn on this many points a side and smoothed between them."""


def random_pose(x: torch.Tensor, config: PoseConfig, generator: torch.Generator | None = None) -> torch.Tensor:
    """Each image turned, sheared, scaled and moved by its own random amounts; what enters the frame is black.

    Args:
        x: (B, C, H, W) in [0, 1].
        config: the half width of each uniform draw; a scale of 0.2 draws a factor from 0.8 to 1.2. Where it asks
            for more (a warp, a change of contrast, mirror images, specks), more is drawn.
    Returns:
        (B, C, H, W), bilinear samples of x.
    """
    draws = 2 * torch.rand(6, len(x), generator=generator, device=x.device) - 1  # (6, B) in [-1, 1]
    angle = draws[0] * math.radians(config.rotation)
    cos, sin, shear = angle.cos(), angle.sin(), draws[1] * config.shear
    width, height = 1 + draws[2] * config.scale, 1 + draws[3] * config.scale
    across, down = draws[4] * config.shift, draws[5] * config.shift
    affine = torch.stack([cos / width, (shear * cos - sin) / width, across,
                          sin / height, (shear * sin + cos) / height, down], dim=1).unflatten(1, (2, 3))
    if config.mirror:
        sign = torch.randint(0, 2, (len(x),), generator=generator, device=x.device) * 2.0 - 1
        affine = torch.cat([affine[:, :1] * sign[:, None, None], affine[:, 1:]], dim=1)
    places = affine_places(affine, *x.shape[2:])
    if config.elastic:
        coarse = torch.randn(len(x), 2, WARP_SIDE, WARP_SIDE, generator=generator, device=x.device)
        warp = F.interpolate(coarse * config.elastic, size=x.shape[2:], mode="bicubic", align_corners=False)
        places = places + warp.permute(0, 2, 3, 1)
    if config.specks:
        chance = torch.rand(x.shape, generator=generator, device=x.device)
        x = torch.where(chance < config.specks, chance / config.specks, x).to(x.dtype)
    moved = F.grid_sample(x, places.to(x.dtype), align_corners=False)
    if config.contrast:
        gain = torch.rand(len(x), generator=generator, device=x.device) * 2 - 1
        moved = (moved * (1 + config.contrast * gain)[:, None, None, None]).clamp(max=1)
    return moved

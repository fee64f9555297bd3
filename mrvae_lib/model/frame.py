"""The frame of an image: its own, in which the bits see it, and the one the reals give it, in which it is drawn."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Frame = Literal["upright", "round"]
SPREAD = 0.42
"""Standard deviation of the brightness in its frame, in half widths; a square then just fits, however it is turned."""
FRAME_SIDE = 32
"""The side of a frame, in points, at most: a shape that fills its frame needs no more."""
THINNEST = 1e-2
"""A spread, in half widths, below which a line counts as no thinner; it keeps a dot from filling the frame."""

POSE_REALS = 5
POSE_HALF_WIDTH, POSE_SHIFT, POSE_SIZE, POSE_STRETCH = 0.27, 0.3, 0.25, 0.2
"""The half width of a placed frame when its reals are 0; how far a real of 1 moves it; the logarithms of what a real of
1 enlarges and stretches it by. On dSprites all five reals then start with about the spread of their prior."""


def frame_side(height: int, width: int) -> int:
    """The side of the square frame of an image."""
    return min(FRAME_SIDE, max(height, width))


def own_frame(x: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """Each image seen from its own centre, at its own scale, without its own slant; and where that frame lies.

    Args:
        x: (B, C, H, W) in [0, 1].
        frame: `upright` scales all directions alike until the height's spread is `SPREAD`, and shears until rows above
            lie over rows below: size, place and slant are gone. `round` stretches until the spread is `SPREAD` in every
            direction: any linear change of the image is gone but for a turn.
    Returns:
        (B, C, S, S) with S = `frame_side(H, W)`, bilinear samples of x, black where x is; and (B, 2, 3), the affine map
        from the frame's places to the image's.
    Source: deskewing by moments, as in LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998).
    """
    with torch.autocast(x.device.type, enabled=False):  # moments need more digits than bf16 has
        affine = _to_image(x.float(), frame)
        side = frame_side(*x.shape[2:])
        seen = F.grid_sample(x.float(), affine_places(affine, side, side), align_corners=False)
        return seen.to(x.dtype), affine.to(x.dtype)


class FramedEncoder(nn.Module):
    """Looks at each image in its own frame for the bits; for the reals at the image, or at the frame and where it lies.

    Bits and reals have a network each, or what the reals need to know would shape what the bits are about.

    Args:
        bits: (B, C, S, S) to (B, K) log-odds; None for a model without bits.
        reals: (B, C, H, W) to (B, 2 D) statistics, or a `PosedReals` for a decoder that places what it draws.
    """

    def __init__(self, frame: Frame, bits: nn.Module | None, reals: nn.Module) -> None:
        super().__init__()
        self.frame: Frame = frame
        self.bits, self.reals = bits, reals

    def forward(self, x: Tensor) -> Tensor:
        """The (B, 2 D + K) statistics of any encoder."""
        seen, affine = own_frame(x, self.frame)
        reals = self.reals(seen, affine) if isinstance(self.reals, PosedReals) else self.reals(x)
        return torch.cat([reals, self.bits(seen)], dim=1) if self.bits else reals


class PosedReals(nn.Module):
    """The reals' statistics from what is in a round frame, (B, C, S, S), and where it lies, (B, 2, 3).

    The first five means are the five reals that place a drawing in that frame, plus what is learned: from the first
    step the drawing lies where the image is, and what is left to learn is what to draw. Placed by learned reals alone,
    the drawing has blurred to a disc before they are any good.

    Args:
        body: (B, C, S, S) to (B, width) features.
    """

    def __init__(self, body: nn.Module, width: int, n_stats: int) -> None:
        super().__init__()
        self.body = body
        last = nn.Linear(width, n_stats)
        nn.init.constant_(last.bias[n_stats // 2:n_stats // 2 + POSE_REALS], -4)  # logvar: sharp enough to draw by
        self.head = nn.Sequential(nn.Linear(width + POSE_REALS, width), nn.ReLU(), last)

    def forward(self, seen: Tensor, affine: Tensor) -> Tensor:
        pose = _pose_of(affine)
        stats = self.head(torch.cat([self.body(seen).relu(), pose], dim=1))
        return stats + F.pad(pose, (0, stats.shape[1] - POSE_REALS))


class PosedDecoder(nn.Module):
    """Draws in a frame of its own, which the first five reals then place in the image: the way back from `round`.

    z0 moves the frame across and z1 down; z2 sizes it; z3 stretches it across or down, z4 along one diagonal or the
    other. Around the frame lies one learned value.

    Args:
        drawing: (B, D - 5 + K) latents to (B, C, S, S), what the other latents draw.
        image_shape: (C, H, W).
    Source: after spatial-VAE, Bepler et al. (2019), which moves and turns.
    """

    def __init__(self, drawing: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.drawing = drawing
        self.image_shape = image_shape
        self.around = nn.Parameter(torch.full((image_shape[0], 1, 1), -8.0))  # dark

    def forward(self, latents: Tensor) -> Tensor:
        pose, rest = latents.split([POSE_REALS, latents.shape[1] - POSE_REALS], dim=1)
        drawn = self.drawing(rest)
        with torch.autocast(latents.device.type, enabled=False):
            places = affine_places(_to_frame(pose.float()), *self.image_shape[1:])
            return F.grid_sample((drawn - self.around).float(), places, align_corners=False) + self.around


def affine_places(affine: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel of a picture is looked up after an affine change, for `grid_sample`; edges are at -1 and 1.

    As torch's `affine_grid` without its product of narrow matrices, and in fp32 under autocast too, because places need
    more digits than bf16 has.

    Args:
        affine: (B, 2, 3), from a pixel's (across, down, 1) to where it is looked up.
    Returns:
        (B, H, W, 2).
    """
    affine = affine.float()
    across, down = _places(width, affine), _places(height, affine)
    right, below, start = affine[:, None, None].unbind(-1)  # (B, 1, 1, 2) each
    return right * across[:, None] + (below * down[:, None, None] + start)


def _to_frame(pose: Tensor) -> Tensor:
    """The map from the image's places to the frame's that five reals (B, 5) name, (B, 2, 3).

    Its inverse scales by the exponential of the symmetric [[s + p, q], [q, s - p]]: it stretches, and never turns.
    """
    across, down = POSE_SHIFT * pose[:, 0], POSE_SHIFT * pose[:, 1]
    s, p, q = POSE_SIZE * pose[:, 2], POSE_STRETCH * pose[:, 3], POSE_STRETCH * pose[:, 4]
    r = (p.square() + q.square() + 1e-12).sqrt()
    even, odd = torch.exp(-s) / POSE_HALF_WIDTH * r.cosh(), torch.exp(-s) / POSE_HALF_WIDTH * r.sinh() / r
    xx, xy, yy = even - odd * p, -odd * q, even + odd * p
    rows = [xx, xy, -xx * across - xy * down, xy, yy, -xy * across - yy * down]
    return torch.stack(rows, dim=1).unflatten(1, (2, 3))


def _pose_of(affine: Tensor) -> Tensor:
    """The five reals (B, 5) that place a drawing in this frame: the way back of `_to_frame`."""
    (xx, xy, across), (_, yy, down) = (row.unbind(dim=1) for row in affine.unbind(dim=1))
    even, p, q = (xx + yy) / 2, (xx - yy) / 2, xy
    r = (p.square() + q.square() + 1e-12).sqrt()
    size = (xx * yy - xy.square()).log() / 2 - math.log(POSE_HALF_WIDTH)
    stretch = torch.atanh(r / even) / r
    return torch.stack([across / POSE_SHIFT, down / POSE_SHIFT, size / POSE_SIZE,
                        stretch * p / POSE_STRETCH, stretch * q / POSE_STRETCH], dim=1)


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
        (a, b), (c, d) = (scale, xy / scale), (torch.zeros_like(scale), scale)
    else:  # the symmetric square root of the covariance, in closed form for 2 x 2
        root = (xx * yy - xy.square()).clamp_min(THINNEST**4).sqrt()
        trace = (xx + yy + 2 * root).sqrt()
        (a, b), (c, d) = ((xx + root) / trace, xy / trace), (xy / trace, (yy + root) / trace)
    return torch.stack([a / SPREAD, b / SPREAD, cx, c / SPREAD, d / SPREAD, cy], dim=1).unflatten(1, (2, 3))


def _places(n: int, like: Tensor) -> Tensor:
    """The places of n pixel centres, from -1 to 1."""
    return (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n * 2 - 1

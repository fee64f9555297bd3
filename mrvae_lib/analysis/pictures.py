"""Pictures as pixels: many tiled into one, a PNG, an animation."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import pad

SLIDE = (1280, 720)
"""Width and height of an animation, at most."""


def tile(pictures: Tensor, columns: int, *, gap: int = 1) -> np.ndarray:
    """Pictures laid out in rows, with `gap` white pixels around each.

    Args:
        pictures: (N, C, H, W) in [0, 1].
    Returns:
        (H', W', 3) uint8.
    """
    columns = min(columns, len(pictures))
    missing = -len(pictures) % columns  # the last row is filled with white pictures
    cells = pad(pictures.cpu().expand(-1, 3, -1, -1), (gap, 0, gap, 0, 0, 0, 0, missing), value=1)
    grid = cells.unflatten(0, (-1, columns)).permute(2, 0, 3, 1, 4).flatten(1, 2).flatten(2)
    return as_picture(pad(grid, (0, gap, 0, gap), value=1))


def as_picture(pixels: Tensor) -> np.ndarray:
    """Pixels (C, H, W) as a uint8 picture, cut at 0 and 1: (H, W) where C is 1, else (H, W, 3)."""
    picture = pixels.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


def enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    """A picture (H, W, ...) with each pixel a square of `scale` by `scale` pixels."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture, (H, W) or (H, W, 3) uint8, as the bytes of a PNG file of its own size."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Bytes as an address that holds them, for <img> and download links."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def save_gif(frames: Tensor, path: Path, *, milliseconds: int = 90) -> Path:
    """Write an animation that fills a slide, each pixel a square of as many pixels as fit.

    Args:
        frames: (T, N, C, H, W) in [0, 1], N pictures side by side in each of T frames.
    """
    pictures = [tile(frame, len(frame)) for frame in frames]
    height, width, _ = pictures[0].shape
    scale = max(1, min(SLIDE[0] // width, SLIDE[1] // height))
    # The palette is found in the small picture, which has every colour.
    images = [ImageOps.scale(Image.fromarray(each).quantize(), scale, Image.Resampling.NEAREST) for each in pictures]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return path

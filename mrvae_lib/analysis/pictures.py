"""Pictures as pixels: many tiled into one, a PNG, an animation."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

SLIDE = (1280, 720)
"""Width and height of an animation, at most."""


def tile(pictures: Tensor, columns: int, *, gap: int = 1) -> np.ndarray:
    """Pictures laid out in rows, with `gap` white pixels around each.

    Args:
        pictures: (N, C, H, W) in [0, 1].
    Returns:
        (H', W', 3) uint8.
    """
    n, _, height, width = pictures.shape
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    grid = torch.ones(rows * columns, 3, height + gap, width + gap)
    grid[:n, :, gap:, gap:] = pictures.cpu()
    grid = grid.unflatten(0, (rows, columns)).permute(0, 3, 1, 4, 2).reshape(rows * (height + gap), -1, 3)
    pixels = grid.clamp(0, 1).mul(255).round().byte().numpy()
    return np.pad(pixels, ((0, gap), (0, gap), (0, 0)), constant_values=255)


def as_picture(pixels: Tensor) -> np.ndarray:
    """Pixels (C, H, W) in [0, 1] as a uint8 picture: (H, W) where C is 1, else (H, W, 3)."""
    picture = pixels.mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
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

"""Pictures as pixels: many tiled into one, and animations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mrvae_lib.analysis.evaluation import informative_reals
from mrvae_lib.analysis.traversals import bit_flips, real_sweep, sweep_values
from mrvae_lib.model.vae import MRVAE


def tile(pictures: Tensor, columns: int, *, gap: int = 1) -> np.ndarray:
    """Pictures laid out in rows, white between them.

    Args:
        pictures: (N, C, H, W) in [0, 1].
    Returns:
        (H', W', 3) uint8.
    """
    from torchvision.utils import make_grid

    grid = make_grid(pictures, nrow=columns, padding=gap, pad_value=1.0)
    return grid.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()


def grouped(strip: np.ndarray, n: int, group: int, *, gap: int = 6) -> np.ndarray:
    """A strip of n pictures with a wider white gap after every `group` of them."""
    if group == 1:
        return strip
    width = (strip.shape[1] - 1) // n
    white: np.ndarray = np.full((strip.shape[0], gap, 3), 255, dtype=np.uint8)
    parts = [strip[:, start * width : (start + group) * width + 1] for start in range(0, n, group)]
    return np.concatenate([piece for part in parts for piece in (part, white)], axis=1)


def save_traversal_gif(model: MRVAE, mu: Tensor, bits: Tensor, kl_of_real: Sequence[float], path: Path) -> Path:
    """An animation: all informative reals swing side by side through their sweep, then every bit flips.

    Args:
        mu: (D,) and bits: (K,), the starting point.
    """
    values = torch.cat([there := sweep_values(15), there.flip(0)[1:-1]])
    columns = [real_sweep(model, mu, bits, i, values) for i in informative_reals(kl_of_real)]
    start = mu[None], bits[None]
    for k in range(model.n_bits):
        off_on = bit_flips(model, *start, k)[0]
        columns.append(off_on.repeat_interleave(len(values) // 2, dim=0)[: len(values)])
    frames = torch.stack(columns or [model.decode(*start).detach().expand(len(values), -1, -1, -1)], dim=1)
    return save_gif(frames, path)


def save_gif(frames: Tensor, path: Path, *, scale: int = 3, milliseconds: int = 90) -> Path:
    """Write an animation, each pixel `scale` pixels wide.

    Args:
        frames: (T, N, C, H, W) in [0, 1], N pictures side by side in each of T frames.
    """
    images = [Image.fromarray(tile(frame, frames.shape[1])) for frame in frames]
    size = (images[0].width * scale, images[0].height * scale)
    images = [image.resize(size, Image.Resampling.NEAREST) for image in images]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return path


def save_strip(pictures: Tensor, path: Path, *, columns: int, scale: int = 2) -> Path:
    """Write (N, C, H, W) pictures in [0, 1] as one PNG, row by row, each pixel `scale` pixels wide."""
    image = Image.fromarray(tile(pictures, columns))
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path)
    return path


def save_real_gifs(model: MRVAE, z: Tensor, b: Tensor, folder: Path, *, n: int = 10) -> list[Path]:
    """`anim_z0.gif` and so on, one per real, each swept alone from -3 to 3 in n frames.

    Args:
        z: (D,) and b: (K,), where all other latents stay.

    Source: the animations of miyosuda/disentangled_vae; frame k of 10 shows the value -3 + 6 k / 9.
    """
    values = sweep_values(n, ends=(-3, 3))
    return [save_gif(real_sweep(model, z, b, i, values)[:, None], folder / f"anim_z{i}.gif", milliseconds=100)
            for i in range(model.n_reals)]

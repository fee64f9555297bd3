"""Pictures of one latent moving while the others stay."""

import torch
from torch import Tensor

from mrvae_lib.model.codes import all_codes
from mrvae_lib.model.vae import MRVAE

SWEEP = (-2.5, 2.5)
"""Where a real is swept: the prior puts 98.8 % of its mass inside."""
MAX_SWEPT = 16
"""Reals in one picture, at most: those that tell most."""


def sweep_values(n: int = 11, ends: tuple[float, float] = SWEEP) -> Tensor:
    """n evenly spaced values of a real, both ends included."""
    return torch.linspace(*ends, n)


@torch.inference_mode()
def traverse(model: MRVAE, z: Tensor, b: Tensor, *, real: int | None = None, bit: int | None = None,
             values: Tensor | None = None) -> Tensor:
    """Decode while one latent moves and the others stay: a real, a bit, or, if neither is named, the whole code.

    Args:
        z: (..., D) and b: (..., K), one starting point or many.
        real: the real that takes each of `values`, (V,); `sweep_values()` if they are left out.
        bit: the bit that is off and then on.
    Returns:
        (..., V, C, H, W) pixels in [0, 1], where V is 2 for a bit, and 2^K, in the order of `all_codes`, for the code.
    Raises:
        ValueError: a real and a bit, a latent that the model does not have, or values without a real.
    """
    if real is not None and bit is not None:
        raise ValueError(f"traverse moves one latent at a time, got real={real} and bit={bit}")
    for name, place, n in (("real", real, model.n_reals), ("bit", bit, model.n_bits)):
        if place is not None and not 0 <= place < n:
            raise ValueError(f"{name} must be one of the model's {n}, counted from 0, got {place}")
    if real is None and values is not None:
        raise ValueError("values are what a real takes: name one, such as real=0")
    if real is not None:
        moved = sweep_values() if values is None else values
    else:
        moved = all_codes(model.n_bits) if bit is None else torch.tensor([0.0, 1.0])
    zs, bs = (x.unsqueeze(-2).repeat_interleave(len(moved), dim=-2) for x in (z, b))
    moving = zs[..., real] if real is not None else bs if bit is None else bs[..., bit]
    moving[...] = moved.to(z.device)
    return model.decode(zs.flatten(0, -2), bs.flatten(0, -2)).unflatten(0, zs.shape[:-1])

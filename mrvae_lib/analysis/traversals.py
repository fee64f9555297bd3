"""Pictures of one latent moving while the others stay."""

from __future__ import annotations

import torch
from torch import Tensor

from mrvae_lib.model.codes import all_codes
from mrvae_lib.model.vae import MRVAE

SWEEP = (-2.5, 2.5)
"""Where a real is swept: the prior puts 98.8 % of its mass inside."""


def sweep_values(n: int = 11) -> Tensor:
    """n evenly spaced values of a real, both ends included."""
    return torch.linspace(*SWEEP, n)


def data_sweep(mu: Tensor, n: int = 9) -> Tensor:
    """Where a set of images itself puts each real: n even steps from the 2.5 % to the 97.5 % quantile of its means.

    Args:
        mu: (N, D).
    Returns:
        (D, n), both ends included.
    """
    if not mu.shape[1]:
        return mu.new_zeros(0, n)  # torch has no quantile of nothing
    low, high = mu.quantile(torch.tensor([0.025, 0.975], device=mu.device), dim=0)
    return low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, n, device=mu.device)


@torch.inference_mode()
def real_sweep(model: MRVAE, z: Tensor, b: Tensor, real: int, values: Tensor) -> Tensor:
    """One real set to each value, the rest kept.

    Args:
        z: (D,) and b: (K,), where the sweep starts.
        real: which real.
        values: (V,).
    Returns:
        (V, C, H, W) pixels in [0, 1].
    """
    zs = z.repeat(len(values), 1)
    zs[:, real] = values
    return model.decode(zs, b.expand(len(values), -1))


@torch.inference_mode()
def bit_flips(model: MRVAE, z: Tensor, b: Tensor, bit: int) -> Tensor:
    """Each starting point with one bit off and then on.

    Args:
        z: (N, D) and b: (N, K), the starting points.
    Returns:
        (N, 2, C, H, W) pixels in [0, 1].
    """
    pairs = b.repeat(2, 1, 1)
    pairs[0, :, bit], pairs[1, :, bit] = 0, 1
    pictures = model.decode(z.repeat(2, 1), pairs.flatten(0, 1))
    return pictures.unflatten(0, (2, len(z))).transpose(0, 1)


@torch.inference_mode()
def code_lattice(model: MRVAE, z: Tensor) -> Tensor:
    """Every code at the same reals: (2^K, C, H, W) pixels in [0, 1], in the order of `all_codes`; z is (D,)."""
    codes = all_codes(model.n_bits)
    return model.decode(z.expand(len(codes), -1), codes)

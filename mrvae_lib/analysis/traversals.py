"""Pictures of one latent moving while the others stay."""

from __future__ import annotations

import torch
from torch import Tensor

from mrvae_lib.model.codes import all_codes
from mrvae_lib.model.vae import MRVAE

SWEEP = (-2.5, 2.5)
"""Where a real is swept: the prior puts 98.8 % of its mass inside."""
RANGES = ("absolute", "data", "prior")
"""Where a real is swept: between two values, or between two quantiles of its means over images, or of N(0, 1)."""


def sweep_values(n: int = 11, kind: str = "absolute", *, ends: tuple[float, float] | None = None,
                 means: Tensor | None = None) -> Tensor:
    """n values of a real, both ends included, evenly spaced in value or, for quantiles, in probability.

    Args:
        kind: one of `RANGES`.
        ends: two values, `SWEEP` if left out; of a quantile range two probabilities, 0.05 and 0.95 if left out.
        means: (N,) this real over many images, for the range `data`.
    Raises:
        ValueError: another kind; probabilities outside 0..1 (0 and 1 too for `prior`), or no means for `data`.
    """
    if kind not in RANGES:
        raise ValueError(f"a range is {', '.join(RANGES)}, got {kind!r}")
    if kind == "absolute":
        return torch.linspace(*(ends or SWEEP), n)
    low, high = ends or (0.05, 0.95)
    probs = torch.linspace(low, high, n, dtype=torch.float64)
    if not 0 <= low <= high <= 1 or (kind == "prior" and (low == 0 or high == 1)):
        raise ValueError(f"a {kind} range needs two probabilities in ascending order, got {low} and {high}")
    if kind == "prior":
        return torch.special.ndtri(probs).float()
    if means is None or not len(means):
        raise ValueError("a data range needs the means of this real over images")
    return means.double().quantile(probs).float()


def traverse(model: MRVAE, z: Tensor, b: Tensor, *, real: int | None = None, bit: int | None = None,
             values: Tensor | None = None) -> Tensor:
    """What one latent does while the others stay: pictures, one per value of that latent.

    Args:
        z: (D,) and b: (K,), where all other latents stay.
        real: which real takes each of `values`.
        bit: which bit is off and then on.
        values: (V,) of the real; `sweep_values()` if None.
    Returns:
        Pixels in [0, 1]: (V, C, H, W) for a real, (2, C, H, W) for a bit, and (2^K, C, H, W) with neither, a picture
        of every code at these reals, in the order of `all_codes`.
    Raises:
        ValueError: a real and a bit, one that the model does not have, or values without a real.
    """
    if real is not None and bit is not None:
        raise ValueError(f"traverse moves a real or a bit, got real={real} and bit={bit}")
    for name, latent, n in (("real", real, model.n_reals), ("bit", bit, model.n_bits)):
        if latent is not None and not 0 <= latent < n:
            raise ValueError(f"{name}={latent}: the model has {n} of them, counted from 0")
    if values is not None and real is None:
        raise ValueError("values are those of a real, so say which: real=0")
    if real is not None:
        return real_sweep(model, z, b, real, sweep_values() if values is None else values)
    return code_lattice(model, z) if bit is None else bit_flips(model, z[None], b[None], bit)[0]


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


@torch.inference_mode()
def interpolate(model: MRVAE, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor], n: int = 11) -> Tensor:
    """From one pair of latents to another: reals by equal steps, each bit at once, halfway.

    Args:
        start, end: z (D,) and b (K,) each.
    Returns:
        (n, C, H, W) pixels in [0, 1], both ends included.
    """
    share = torch.linspace(0, 1, n)[:, None]
    z = start[0] + share * (end[0] - start[0])
    return model.decode(z, torch.where(share < 0.5, start[1], end[1]))

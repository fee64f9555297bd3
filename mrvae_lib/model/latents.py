"""The two kinds of latent: how they are sampled, and four ways to a gradient through a bit."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from mrvae_lib.model.codes import all_codes, log_code_probs

Estimator = Literal["auto", "exact", "bit-flip", "concrete", "straight-through"]
CodeLoss = Callable[[Tensor], Tensor]
"""A loss as a function of the code: (S, B, K) codes, S per image, to (S, B) nats."""


def sample_normal(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One reparameterised draw of the reals: z = mu + sigma * noise, (B, D)."""
    noise = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * noise


def sample_bits(bit_logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One hard draw of the bits, (B, K) of 0. and 1.; no gradient passes."""
    return torch.bernoulli(torch.sigmoid(bit_logits.detach()), generator=generator)


def expected_loss(loss: CodeLoss, bit_logits: Tensor, *, estimator: Estimator, temperature: float = 2 / 3,
                  generator: torch.Generator | None = None) -> Tensor:
    """An estimate of E_q(b|x)[loss(b)] per image, whose gradient reaches the bits' logits.

    ================  ==================================  ================================================
    estimator         decoder passes                      gradient
    ================  ==================================  ================================================
    exact             2^K                                 exact
    bit-flip          K + 1, one of them with gradients   unbiased, low variance
    concrete          1                                   biased: the decoder sees soft bits
    straight-through  1                                   biased: the derivative of rounding is taken to be 1
    ================  ==================================  ================================================

    `auto` is exact up to 4 bits, bit-flip up to 12, concrete beyond.

    Args:
        loss: maps (S, B, K) codes to (S, B) nats.
        bit_logits: (B, K). With K = 0 the loss is called once and nothing is drawn.
        temperature: of the concrete bits, > 0.
    Returns:
        (B,) nats.
    Source: exact and bit-flip, Titsias and Lazaro-Gredilla, Local Expectation Gradients (2015);
        concrete, Maddison et al. (2017); straight-through, Bengio et al. (2013).
    """
    n_bits = bit_logits.shape[1]
    if n_bits == 0:  # the one code of no bits has the same empty shape as its logits
        return loss(bit_logits[None])[0]
    if estimator == "auto":
        estimator = "exact" if n_bits <= 4 else "bit-flip" if n_bits <= 12 else "concrete"
    if estimator == "exact":
        return exact_loss(loss, bit_logits)
    if estimator == "bit-flip":
        return bit_flip_loss(loss, bit_logits, sample_bits(bit_logits, generator))
    if estimator == "concrete":
        return loss(concrete_bits(bit_logits, temperature, generator)[None])[0]
    if estimator == "straight-through":
        probs = torch.sigmoid(bit_logits)
        bits = sample_bits(bit_logits, generator) + probs - probs.detach()  # hard, with the gradient of `probs`
        return loss(bits[None])[0]
    raise ValueError(f"estimator must be auto, exact, bit-flip, concrete or straight-through, got {estimator!r}")


def exact_loss(loss: CodeLoss, bit_logits: Tensor) -> Tensor:
    """Sum over all 2^K codes of q(b | x) loss(b), (B,) nats: no noise in value or gradient."""
    codes = all_codes(bit_logits.shape[1], device=bit_logits.device)
    losses = loss(codes[:, None, :].expand(-1, len(bit_logits), -1))  # (2^K, B)
    return (log_code_probs(bit_logits).exp() * losses.T).sum(dim=1)


def bit_flip_loss(loss: CodeLoss, bit_logits: Tensor, bits: Tensor) -> Tensor:
    """loss(b) at a given hard draw, with each bit's gradient from its own flip, (B,) nats.

    With pi_k = q(b_k = 1 | x), the derivative of E[loss] by pi_k is E[loss(b_k = 1) - loss(b_k = 0)], the other bits
    being drawn. We evaluate that difference at `bits` for every k, without gradients, and add to the loss its product
    with pi_k - pi_k.detach(), which is 0 as a number and has the difference as its derivative by pi_k.
    """
    value = loss(bits[None])[0]
    flips = torch.eye(bits.shape[1], device=bits.device, dtype=bits.dtype)
    with torch.no_grad():
        flipped = loss((bits[None] - flips[:, None, :]).abs())  # (K, B)
        gain = (flipped - value) * (1 - 2 * bits.T)  # loss at b_k = 1 minus loss at b_k = 0
    probs = torch.sigmoid(bit_logits)
    return value + ((probs - probs.detach()) * gain.T).sum(dim=1)


def concrete_bits(bit_logits: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
    """Soft bits in (0, 1), (B, K): a logistic draw added to the logits, squashed at the given temperature."""
    uniform = torch.rand(bit_logits.shape, generator=generator, device=bit_logits.device, dtype=bit_logits.dtype)
    return torch.sigmoid((bit_logits + uniform.clamp(1e-6, 1 - 1e-6).logit()) / temperature)

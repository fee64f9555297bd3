"""The binary code as a whole: every code, its probability, and what the table of q(b) tells."""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from mrvae_lib.config import MAX_TABLE_BITS


def all_codes(n_bits: int, *, device: torch.device | str | None = None) -> Tensor:
    """Every code of K bits, in counting order: row i is i in binary, bit 0 first.

    Returns:
        (2^K, K) of 0. and 1.; for K = 0 one empty code.
    Raises:
        ValueError: K is negative, or too wide for a table.
    """
    if not 0 <= n_bits <= MAX_TABLE_BITS:
        raise ValueError(f"n_bits must be in 0..{MAX_TABLE_BITS} for a table of 2^K codes, got {n_bits}")
    numbers = torch.arange(2**n_bits, device=device)
    places = torch.arange(n_bits - 1, -1, -1, device=device)
    return ((numbers[:, None] >> places) & 1).float()


def code_index(bits: Tensor) -> Tensor:
    """The row of each code in `all_codes`, per image.

    Args:
        bits: (..., K) of 0 and 1, K <= 62.
    Returns:
        (...) int64.
    """
    places = torch.arange(bits.shape[-1] - 1, -1, -1, device=bits.device)
    return (bits.long() << places).sum(dim=-1)


def log_code_probs(bit_logits: Tensor) -> Tensor:
    """log q(b | x) of every code, per image.

    Args:
        bit_logits: (B, K) log-odds of q(b_k = 1 | x).
    Returns:
        (B, 2^K) nats, columns in the order of `all_codes`.
    """
    codes = all_codes(bit_logits.shape[1], device=bit_logits.device).to(bit_logits.dtype)
    return F.logsigmoid(bit_logits) @ codes.T + F.logsigmoid(-bit_logits) @ (1 - codes).T


def bernoulli_entropy(bit_logits: Tensor) -> Tensor:
    """Entropy of each bit given its logit, element by element: nats in [0, ln 2]."""
    probs = torch.sigmoid(bit_logits)
    return -(probs * F.logsigmoid(bit_logits) + (1 - probs) * F.logsigmoid(-bit_logits))


def bit_information(bit_logits: Tensor) -> Tensor:
    """I(x; b_k) of each bit over a set of images with log-odds (N, K), in float64; (K,) nats, each at most ln 2."""
    logits = bit_logits.double()
    probs = torch.sigmoid(logits).mean(dim=0)
    return torch.special.entr(probs) + torch.special.entr(1 - probs) - bernoulli_entropy(logits).mean(dim=0)


@dataclass(frozen=True)
class CodeTable:
    """The aggregate code q(b) = mean over images of q(b | x), and what follows from it; all in nats.

    Over the N images of the table, with p(b) uniform over 2^K codes:
    `mean KL(q(b | x) || p) = information + aggregate_kl`, and
    `bit_information.sum() = information + total_correlation`.
    N images cannot show more than ln N nats, and too few inflate `aggregate_kl`: take N >= 4 * 2^K.

    Source: the decomposition of Hoffman and Johnson, ELBO surgery (2016), written for a code small enough to list.
    """

    probs: Tensor
    """(2^K,) q(b), in the order of `all_codes`."""
    information: Tensor
    """() I(x; b)."""
    aggregate_kl: Tensor
    """() KL(q(b) || p(b))."""
    total_correlation: Tensor
    """() TC(b) = sum_k H(b_k) - H(b)."""
    bit_information: Tensor
    """(K,) I(x; b_k), each at most ln 2."""

    @classmethod
    def from_logits(cls, bit_logits: Tensor) -> Self:
        """The table over a set of images.

        Args:
            bit_logits: (N, K) log-odds; K <= MAX_TABLE_BITS. Computed in float64.
        """
        logits = bit_logits.double()
        probs = log_code_probs(logits).exp().mean(dim=0)
        code_entropy = torch.special.entr(probs).sum()
        noise = bernoulli_entropy(logits).mean(dim=0)
        each = bit_information(logits)
        return cls(
            probs=probs,
            information=code_entropy - noise.sum(),
            aggregate_kl=logits.shape[1] * math.log(2) - code_entropy,
            total_correlation=(each + noise).sum() - code_entropy,
            bit_information=each,
        )

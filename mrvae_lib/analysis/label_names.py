"""What a code, a bit or a real stands for, read from encoded images whose labels or factors are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from mrvae_lib.model.codes import code_index

MOVES = 0.5
"""The least |correlation| at which a real is named after a factor."""


def labels_of_codes(bits: Tensor, labels: Tensor) -> dict[int, Counter[int]]:
    """How often each code has each label: by row of `all_codes`, then by label; codes that no image has are left out.

    Args:
        bits: (N, K) of 0 and 1, labels: (N,).
    """
    counts: dict[int, Counter[int]] = {}
    for code, label in zip(code_index(bits).tolist(), labels.tolist(), strict=True):
        counts.setdefault(code, Counter())[label] += 1
    return counts


def bit_swaps(counts: dict[int, Counter[int]], n_bits: int, bit: int) -> list[tuple[int, int]]:
    """The pairs of labels that one bit swaps, most often first: the commonest label of a code with the bit off and on.

    A pair of codes weighs as much as the rarer of the two. Pairs of codes with the same label are left out.

    Args:
        counts: of `labels_of_codes`.
    """
    place, swaps = 1 << (n_bits - 1 - bit), Counter[tuple[int, int]]()
    for code in counts:
        if not code & place and code | place in counts:
            off, on = counts[code], counts[code | place]
            pair = off.most_common(1)[0][0], on.most_common(1)[0][0]
            if pair[0] != pair[1]:
                swaps[pair] += min(off.total(), on.total())
    return [pair for pair, _ in swaps.most_common()]


def factors_of_reals(mu: Tensor, factors: Tensor, names: Sequence[str]) -> list[str]:
    """The factor each real moves with, "" where none: the one it correlates with most, from |r| = 0.5 on.

    A factor that comes back to its start, such as an orientation, correlates with nothing and is never named.

    Args:
        mu: (N, D), factors: (N, F) integers, names: (F,).
    """
    both = torch.cat([mu.double(), factors.double()], dim=1)
    r = torch.corrcoef(both.T).nan_to_num().abs()[: mu.shape[1], mu.shape[1] :]
    return [names[int(row.argmax())] if row.max() >= MOVES else "" for row in r]

"""One row per latent: what it costs, what it tells, and what it is about, all computed and none read by eye."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.analysis.scores import Array, binned, information_matrix
from mrvae_lib.analysis.traversals import bit_flips
from mrvae_lib.model.codes import CodeTable
from mrvae_lib.model.vae import MRVAE, Posterior

BINS, N_FLIPPED = 20, 500
NAMED = 0.1
"""Nats that a latent must carry, and tell of a target beyond chance, to be named after it."""


@dataclass(frozen=True)
class RealRow:
    """What one real is, over a set of images."""

    name: str
    posterior_variance: float
    """Mean over images of sigma^2: near 0 for a real that is in use, near 1 for one that is not."""
    kl: float
    """Nats per image; the KLs of all rows sum to the KL of z."""
    about: str
    """The target of which its mean tells most; empty where that, or what the real carries, is next to nothing."""
    information: float
    """The most that it tells of a target, nats, its mean cut into 20 bins of equal width."""
    r2: float
    """Share of the variance of its mean that goes with the values of the target it tells most of."""


@dataclass(frozen=True)
class BitRow:
    """What one bit is, over a set of images."""

    name: str
    information: float
    """I(x; b_k), nats."""
    share_on: float
    """Mean over images of q(b_k = 1 | x)."""
    share_on_per_class: tuple[float, ...]
    """The same within each label; empty without labels."""
    pixel_change: float
    """Mean absolute change of a pixel, of a full range of 1, when only this bit is flipped."""
    about: str
    """As of a real."""
    about_information: float
    """The most that the hard bit tells of a target, nats."""

    @property
    def state(self) -> str:
        """`constant` for a bit that is the same for all images, `undecided` for one tossed for each, else `used`."""
        if self.information >= NAMED:
            return "used"
        return "constant" if min(self.share_on, 1 - self.share_on) < 0.01 else "undecided"


def real_rows(posterior: Posterior, targets: Mapping[str, Tensor]) -> list[RealRow]:
    """The rows of the reals.

    Args:
        posterior: of N images.
        targets: (N,) int64 each, by name, see `proxies.targets`.

    Source: the table of posterior variances of miyosuda/disentangled_vae, there of one image and named by eye.
    """
    mu = posterior.mu.double().numpy()
    variances, costs = posterior.logvar.exp().mean(dim=0).tolist(), posterior.kl_reals().mean(dim=0).tolist()
    return [
        RealRow(f"z{i}", variances[i], costs[i], name if min(costs[i], beyond) >= NAMED else "", told,
                _explained(mu[:, i], targets[name]) if name else 0.0)
        for i, (name, told, beyond) in enumerate(_most_told(mu, targets))
    ]


def bit_rows(model: MRVAE, posterior: Posterior, targets: Mapping[str, Tensor], labels: Tensor | None = None
             ) -> list[BitRow]:
    """The rows of the bits; bits are flipped at the first `N_FLIPPED` images. Arguments as `real_rows`.

    Args:
        labels: (N,) int64, for the shares per class.
    """
    if not model.n_bits:
        return []
    probs = torch.sigmoid(posterior.bit_logits)
    classes = [] if labels is None else [probs[labels == value].mean(dim=0) for value in labels.unique()]
    start, rows = (posterior.mu[:N_FLIPPED], posterior.bits[:N_FLIPPED]), []
    for k, (name, told, beyond) in enumerate(_most_told(posterior.bits.double().numpy(), targets)):
        off_on = bit_flips(model, *start, k)
        information = float(CodeTable.from_logits(posterior.bit_logits[:, k : k + 1]).information)
        rows.append(BitRow(
            f"b{k}", information, float(probs[:, k].mean()), tuple(float(share[k]) for share in classes),
            float((off_on[:, 1] - off_on[:, 0]).abs().mean()), name if min(information, beyond) >= NAMED else "", told,
        ))
    return rows


def _most_told(codes: Array, targets: Mapping[str, Tensor]) -> list[tuple[str, float, float]]:
    """For each column, the target of which it tells most, how much in nats, and how much of that is beyond chance.

    Counts of N independent pairs show (bins - 1) (values - 1) / 2N nats on average, so few images seem to tell much.
    """
    if not targets or not codes.shape[1]:
        return [("", 0.0, 0.0)] * codes.shape[1]
    told = information_matrix(codes, np.column_stack([values.numpy() for values in targets.values()]), bins=BINS
                              )[0][0]
    n_bins = np.array([len(np.unique(binned(column, BINS))) for column in codes.T])
    n_values = np.array([len(values.unique()) for values in targets.values()])
    beyond = told - np.outer(n_bins - 1, n_values - 1) / (2 * len(codes))
    return [(list(targets)[f], float(told[d, f]), float(beyond[d, f])) for d, f in enumerate(beyond.argmax(axis=1))]


def _explained(column: Array, target: Tensor) -> float:
    """1 - variance within the values of the target / variance: R^2 of a mean per value, so order does not matter."""
    _, value = np.unique(target.numpy(), return_inverse=True)
    means = np.bincount(value, column) / np.bincount(value)
    variance = column.var()
    return float(means[value].var() / variance) if variance > 1e-12 else 0.0

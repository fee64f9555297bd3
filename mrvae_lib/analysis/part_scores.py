"""Scores of single bits against yes-or-no factors, such as the parts of a face: has each part a bit of its own?"""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import nn

from mrvae_lib.analysis.evaluation import INFORMATIVE
from mrvae_lib.analysis.scoring import Array, MetricResult, information_matrix, numbered
from mrvae_lib.data import ImageSet
from mrvae_lib.data.image_set import shuffled_batches
from mrvae_lib.model.codes import bit_information
from mrvae_lib.model.vae import MRVAE, Posterior

N_READ = 1000
"""Images at which the bits are flipped and the pictures read."""
READER_EPOCHS, READER_BATCH = 4, 128


def yes_or_no(images: ImageSet) -> list[int]:
    """The factors with two values, by number."""
    factors = torch.zeros(1, 0) if images.factors is None else images.factors
    return [f for f, column in enumerate(factors.T) if len(column.unique()) == 2]


def part_scores(model: MRVAE, codes: Posterior, test: ImageSet, reader: nn.Module | None) -> list[MetricResult]:
    """How well bits stand for the yes-or-no factors of a set, on all its images; nothing where either is missing.

    Args:
        codes: of `test`.
        reader: see `factor_reader`, of images with the same yes-or-no factors; None leaves the flips out.
    Returns:
        *Parts found*: the share of images on which a factor and its bit agree, mean over factors (`matched_bits`).
        Then `info_mec` of the bits. Then what a flip of a factor's bit does on 1,000 images, as the reader sees the
        pictures: how often its own factor changes; how often another one does, mean over the others; and by how much
        all other factors move, as a share of their range.
    """
    parts = yes_or_no(test)
    if len(parts) < 2 or model.n_bits < len(parts) or test.factors is None:
        return []
    columns = np.column_stack([numbered(test.factors[:, f].numpy()) for f in parts])
    own, agreement = matched_bits(codes.bits.numpy(), columns)
    settings = {"n": len(test), "factors": [test.factor_names[f] for f in parts]}
    return [
        MetricResult("parts found, a bit each", float(agreement.mean()), settings, None, agreement.tolist()),
        *info_mec(codes, columns, settings),
        *(flips(model, codes, own, parts, settings, reader) if reader else ()),
    ]


def matched_bits(bits: Array, parts: Array) -> tuple[Array, Array]:
    """For each part a bit of its own, (F,), so that their agreement, (F,) shares of images, is highest on average.

    Args:
        bits: (N, K) and parts: (N, F <= K), of 0 and 1; a bit may also stand for a part's absence.
    """
    agreement = np.array([(bits == part[:, None]).mean(axis=0) for part in parts.T])  # (F, K)
    agreement = np.maximum(agreement, 1 - agreement)
    matched = linear_sum_assignment(agreement, maximize=True)
    return matched[1], agreement[matched]


def info_mec(codes: Posterior, parts: Array, settings: dict[str, Any]) -> list[MetricResult]:
    """InfoM, InfoC and InfoE of bits, shares of what there is to tell.

    InfoM is 1 where each bit tells of one part alone, InfoC where each part is told by one bit alone, both 0 where it
    is spread evenly; they are over the bits that carry `INFORMATIVE` or more. InfoE is the share of a part's entropy
    that a logistic regression on all bits tells.

    Args:
        parts: (N, F >= 2) of 0 and 1.

    Source: Hsu et al., Disentanglement via Latent Quantization (2023), section 4.
    """
    bits = codes.bits.numpy()
    told, entropies = information_matrix(bits, parts)
    shares = (told / entropies)[(bit_information(codes.bit_logits) >= INFORMATIVE).numpy()]
    results = []
    for name, rows in (("InfoM of the bits", shares), ("InfoC of the bits", shares.T)):
        n = max(2, rows.shape[1])
        most = rows.max(axis=1) / np.maximum(rows.sum(axis=1), 1e-12) if rows.size else np.full(1, 1 / n)
        results.append(MetricResult(name, float(((most - 1 / n) / (1 - 1 / n)).mean()), settings))
    left = [log_loss(part, LogisticRegression(C=np.inf).fit(bits, part).predict_proba(bits)) for part in parts.T]
    explicit = 1 - np.array(left) / entropies
    return [*results, MetricResult("InfoE of the bits", float(explicit.mean()), settings, None, explicit.tolist())]


def factor_reader(images: ImageSet) -> nn.Module:
    """A network that learned the factors of real images from their labels, seed 0; it has seen no picture of a model.

    Returns:
        (B, C, H, W) in [0, 1] to (B, F): log-odds of a yes-or-no factor, of another one its value, 0 to 1.
    """
    assert images.factors is not None
    low, high = images.factors.amin(dim=0), images.factors.amax(dim=0)
    known, yes = (images.factors - low) / (high - low).clamp_min(1), torch.zeros(len(low), dtype=torch.bool)
    yes[yes_or_no(images)] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        blocks = [nn.Sequential(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
                  for a, b in pairwise((images.image_shape[0], 16, 32, 32))]
        reader = nn.Sequential(*blocks, nn.Flatten(), nn.LazyLinear(256), nn.ReLU(), nn.Linear(256, len(low)))
        reader(images.floats(slice(2)))  # tells the lazy layer its width
        optimizer = torch.optim.Adam(reader.parameters())
        batches = [batch for _ in range(READER_EPOCHS)
                   for batch in shuffled_batches(len(images), READER_BATCH, torch.default_generator)]
        pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=len(batches))
        for batch in batches:
            said, asked = reader(images.floats(batch)), known[batch]
            loss = torch.where(yes, F.binary_cross_entropy_with_logits(said, asked, reduction="none"),
                               (said - asked).square())
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
            pace.step()
    return reader.eval()


@torch.inference_mode()
def flips(model: MRVAE, codes: Posterior, own: Array, parts: list[int], settings: dict[str, Any], reader: nn.Module
          ) -> list[MetricResult]:
    """What the reader sees change when the bit of each part is flipped; see `part_scores`.

    Args:
        own: (F,) the bit of each part, parts: (F,) the factor that it is.
    """
    mu, bits = codes.mu[:N_READ], codes.bits[:N_READ]
    before = reader(model.decode(mu, bits))
    after = torch.stack([reader(model.decode(mu, (bits - flip).abs())) for flip in torch.eye(bits.shape[1])[own]])
    changed = ((after > 0) != (before > 0))[..., parts].double().mean(dim=1)  # (bit of a part, part that changed)
    others = (changed.sum(dim=1) - changed.diagonal()) / (len(parts) - 1)
    rest = sorted({*range(before.shape[1])} - {*parts})
    moved = (after - before)[..., rest].abs().double().mean(dim=(1, 2)) if rest else torch.zeros(len(parts))
    names = ("a flip changes its part", "a flip changes another part", "a flip moves the rest")
    return [MetricResult(name, float(values.mean()), settings | {"n": len(bits)}, None, values.tolist())
            for name, values in zip(names, (changed.diagonal(), others, moved), strict=True)]

"""A whole set of images through the encoder, and what the codes of that set cost and tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mrvae_lib.analysis.metrics import kmeans_codes, majority_accuracy
from mrvae_lib.config import MAX_TABLE_BITS
from mrvae_lib.data import ImageSet
from mrvae_lib.data.image_set import batches_in_order
from mrvae_lib.model.codes import CodeTable, code_index
from mrvae_lib.model.latents import sample_bits, sample_normal
from mrvae_lib.model.vae import MRVAE, Posterior

INFORMATIVE_KL = 0.1
"""Nats per image below which a real counts as unused."""
N_EXAMPLES = 100
MAX_SCORED_PIXELS = 15_000 * 64 * 64
"""Scores of a larger set are read on its `first` images. MNIST fits, and of dSprites as many as its scores ask for."""


def encode_set(model: MRVAE, images: ImageSet) -> Posterior:
    """The posterior of every image of a set, in order; (N, D), (N, D) and (N, K)."""
    with torch.inference_mode():
        parts = [model.encode(images.floats(indices)) for indices in batches_in_order(len(images))]
    return Posterior(
        torch.cat([part.mu for part in parts]),
        torch.cat([part.logvar for part in parts]),
        torch.cat([part.bit_logits for part in parts]),
    )


@dataclass(frozen=True)
class Evaluation:
    """What a model scores on one set of images; nats per image, exact means over all `n_images`.

    `neg_elbo` and `reconstruction` take one draw of z and of hard bits from the posterior, seed 0;
    `reconstruction_at_mean` takes the mean of z and the more likely value of each bit.
    """

    data: str
    n_images: int
    neg_elbo: float
    reconstruction: float
    reconstruction_at_mean: float
    kl_z: float
    kl_b: float
    kl_of_real: tuple[float, ...]
    information_of_code: float | None
    information_of_bit: tuple[float, ...]
    aggregate_kl: float | None
    total_correlation: float | None
    codes_used: int
    """Hard codes that at least 0.1 % of the images have."""
    code_accuracy: float | None = None
    """Share of images whose label is the majority label of their hard code; majorities from the training set."""
    kmeans_accuracy: float | None = None
    """The same for 2^K clusters of raw pixels."""
    codes_read: float | None = None
    """Share of `swapped` pictures, one image's z with another's code, in which the encoder reads that code."""


@dataclass(frozen=True)
class EncodedSet:
    """The images of a set that are scored, and the posterior of each."""

    images: ImageSet
    posterior: Posterior


def encoded(model: MRVAE, images: ImageSet) -> EncodedSet:
    """A set through the encoder; of one larger than `MAX_SCORED_PIXELS` its first images."""
    part = images.first(max(1, MAX_SCORED_PIXELS // math.prod(images.image_shape)))
    return EncodedSet(part, encode_set(model, part))


def evaluate(model: MRVAE, test: ImageSet, train: ImageSet | None = None) -> Evaluation:
    """Score a model on a test set.

    Args:
        train: where each code's majority label is read; without it, or without labels, no accuracy is given.

    Of a set larger than `MAX_SCORED_PIXELS` a part is scored; `n_images` says how many images.
    """
    tested = encoded(model, test)
    return score(model, tested, tested if train is test else encoded(model, train) if train is not None else None)


def score(model: MRVAE, tested: EncodedSet, trained_on: EncodedSet | None = None, *, kmeans: bool = True
          ) -> Evaluation:
    """`evaluate`, of sets that are encoded already; without `kmeans` the floor is left out."""
    test, posterior = tested.images, tested.posterior
    drawn, at_mean = _reconstruction_losses(model, test, posterior)
    kl_of_real = posterior.kl_reals().mean(dim=0)
    kl_b = float(posterior.kl_bits().sum(dim=1).mean())
    kl_z = float(kl_of_real.sum())
    table = CodeTable.from_logits(posterior.bit_logits) if 0 < model.n_bits <= MAX_TABLE_BITS else None
    index = code_index(posterior.bits)
    _, counts = index.unique(return_counts=True)
    code_score = floor = None
    train = None if trained_on is None else trained_on.images
    if model.n_bits and trained_on and train and train.labels is not None and test.labels is not None:
        train_index = code_index(trained_on.posterior.bits)
        code_score = majority_accuracy(train_index, train.labels, index, test.labels)
        if kmeans and model.n_bits <= MAX_TABLE_BITS:
            clusters, test_clusters = kmeans_codes(train.take(), test.take(), n_clusters=2**model.n_bits)
            floor = majority_accuracy(clusters, train.labels, test_clusters, test.labels)
    return Evaluation(
        data=test.name,
        n_images=len(test),
        neg_elbo=drawn + kl_z + kl_b,
        reconstruction=drawn,
        reconstruction_at_mean=at_mean,
        kl_z=kl_z,
        kl_b=kl_b,
        kl_of_real=tuple(kl_of_real.tolist()),
        information_of_code=float(table.information) if table else None,
        information_of_bit=tuple(table.bit_information.tolist()) if table else (),
        aggregate_kl=float(table.aggregate_kl) if table else None,
        total_correlation=float(table.total_correlation) if table else None,
        codes_used=int((counts >= 1e-3 * len(test)).sum()) if model.n_bits else 0,
        code_accuracy=code_score,
        kmeans_accuracy=floor,
        codes_read=_codes_read(model, posterior) if model.n_bits else None,
    )


def informative_reals(kl_of_real: Any) -> list[int]:
    """Indices of the reals that carry information, most first."""
    order = sorted(range(len(kl_of_real)), key=lambda i: -kl_of_real[i])
    return [i for i in order if kl_of_real[i] >= INFORMATIVE_KL]


def encoded_examples(model: MRVAE, images: ImageSet, n: int = N_EXAMPLES) -> dict[str, Tensor]:
    """The first n images as the model keeps them: `mu` (n, D), `bits` (n, K); if known `label`, `factors` (n, F)."""
    few = images.first(n)
    posterior = encode_set(model, few)
    examples = {"mu": posterior.mu.clone(), "bits": posterior.bits.clone()}
    if few.labels is not None:
        examples["label"] = few.labels.clone()
    if few.factors is not None:
        examples["factors"] = few.factors.clone()
    return examples


def swapped(model: MRVAE, posterior: Posterior) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures (B, C, H, W) of each image's mu with the code of the image before it, and those codes, (B, K)."""
    codes = posterior.bits.roll(1, 0)
    with torch.inference_mode():
        for indices in batches_in_order(len(codes)):
            yield model.decode(posterior.mu[indices], codes[indices]), codes[indices]


def _codes_read(model: MRVAE, posterior: Posterior) -> float:
    read = [(model.bit_logits(pictures) > 0) == codes.bool() for pictures, codes in swapped(model, posterior)]
    return float(torch.cat(read).all(dim=1).double().mean())


def _reconstruction_losses(model: MRVAE, images: ImageSet, posterior: Posterior) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    totals = torch.zeros(2, dtype=torch.float64)
    with torch.inference_mode():
        z = sample_normal(posterior.mu, posterior.logvar, generator)
        b = sample_bits(posterior.bit_logits, generator)
        for indices in batches_in_order(len(images)):
            x = images.floats(indices)
            drawn = model.reconstruction_loss(x, z[indices], b[indices][None])
            at_mean = model.reconstruction_loss(x, posterior.mu[indices], posterior.bits[indices][None])
            totals += torch.stack([drawn.double().sum(), at_mean.double().sum()])
    drawn_mean, at_mean_mean = (totals / len(images)).tolist()
    return drawn_mean, at_mean_mean

"""A whole set of images through the encoder, and what the codes of that set cost and tell."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mrvae_lib.config import MAX_TABLE_BITS
from mrvae_lib.data.image_set import ImageSet, batches_in_order
from mrvae_lib.model.codes import CodeTable, bit_information, code_index
from mrvae_lib.model.vae import MRVAE, Posterior

INFORMATIVE = 0.1
"""Nats that a latent must carry to count as used, and tell of a target beyond chance to be named after it."""
MAX_SCORED_PIXELS = 15_000 * 64 * 64
"""Larger sets are scored on a part of them. MNIST fits, and of dSprites as many images as its scores ask for."""


def encode_set(model: MRVAE, images: ImageSet) -> Posterior:
    """The posterior of every image of a set, in order, on the CPU; (N, D), (N, D) and (N, K)."""
    with torch.inference_mode():
        parts = [model.encode(images.floats(places)) for places in batches_in_order(len(images))]
    return Posterior(*(torch.cat([getattr(part, name) for part in parts]).cpu() for name in Posterior.__annotations__))


def scored_part(images: ImageSet) -> ImageSet:
    """The images of a set that are scored: all of them, or, beyond `MAX_SCORED_PIXELS`, the first that fit."""
    return images.first(max(1, MAX_SCORED_PIXELS // math.prod(images.image_shape)))


@torch.inference_mode()
def evaluate(model: MRVAE, test: ImageSet, train: ImageSet | None = None, *, test_codes: Posterior | None = None,
             train_codes: Posterior | None = None, kmeans: bool = True) -> dict[str, Any]:
    """Score a model on a test set, of which `scored_part` is taken; nats per image, exact means over all images.

    Args:
        train: where each code's majority label is read; without it, or without labels, no accuracy is given.
        test_codes, train_codes: `encode_set` of the scored parts, where they are known already.
        kmeans: whether the floor below the accuracy of the code is computed, too.
    Returns:
        The `scores` of a model card, plain values, None where there is nothing to measure. `neg_elbo` and
        `reconstruction` take one draw of z and of hard bits from the posterior, seed 0; `reconstruction_at_mean` takes
        the mean of z and the more likely value of each bit. `codes_used`: hard codes that at least 0.1 % of the images
        have. `code_accuracy`: share of images whose label is the majority label of their hard code, majorities from
        the training set; `kmeans_accuracy`: the same for 2^K clusters of raw pixels. `codes_read`: share of `swapped`
        pictures, one image's z with another's code, in which the encoder reads that code. `information_of_code`,
        `aggregate_kl`, `total_correlation` and `information_of_bit` are those of `CodeTable`.
    """
    test, train = scored_part(test), train and scored_part(train)
    codes = test_codes or encode_set(model, test)
    drawn = _reconstruction(model, test, *codes.sample(torch.Generator().manual_seed(0)))
    kl_of_real = codes.kl_reals().mean(dim=0)
    kl_z, kl_b = float(kl_of_real.sum()), float(codes.kl_bits().sum(dim=1).mean())
    table = CodeTable.from_logits(codes.bit_logits) if 0 < model.n_bits <= MAX_TABLE_BITS else None
    _, images_of_code = codes.code_index.unique(return_counts=True)
    accuracy = floor = None
    if model.n_bits and train and train.labels is not None and test.labels is not None:
        known = train_codes or encode_set(model, train)
        accuracy = majority_accuracy(known.code_index, train.labels, codes.code_index, test.labels)
        if kmeans and table:
            clusters, test_clusters = kmeans_codes(train.take(), test.take(), n_clusters=2**model.n_bits)
            floor = majority_accuracy(clusters, train.labels, test_clusters, test.labels)
    return {
        "data": test.name,
        "n_images": len(test),
        "neg_elbo": drawn + kl_z + kl_b,
        "reconstruction": drawn,
        "reconstruction_at_mean": _reconstruction(model, test, codes.mu, codes.bits),
        "kl_z": kl_z,
        "kl_b": kl_b,
        "kl_of_real": kl_of_real.tolist(),
        "information_of_code": float(table.information) if table else None,
        "information_of_bit": bit_information(codes.bit_logits).tolist(),
        "aggregate_kl": float(table.aggregate_kl) if table else None,
        "total_correlation": float(table.total_correlation) if table else None,
        "codes_used": int((images_of_code >= 1e-3 * len(test)).sum()) if model.n_bits else 0,
        "code_accuracy": accuracy,
        "kmeans_accuracy": floor,
        "codes_read": _codes_read(model, codes) if model.n_bits else None,
    }


def informative_latents(nats: Sequence[float]) -> list[int]:
    """Indices of the reals, by their KL, or of the bits, by their information, that carry something, most first."""
    order = sorted(range(len(nats)), key=lambda i: -nats[i])
    return [i for i in order if nats[i] >= INFORMATIVE]


def score_rows(scores: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and note of each of the scores of `evaluate`."""
    reals, bits = scores["kl_of_real"], scores["information_of_bit"]
    active = informative_latents(reals)
    table = (
        ("-ELBO on hard bits", scores["neg_elbo"], ".2f", "nats per image"),
        ("reconstruction", scores["reconstruction"], ".2f", "nats"),
        ("KL of z", scores["kl_z"], ".2f", "nats: " + listed((f"z{i}", reals[i]) for i in active)),
        ("active reals", len(active), "d", f"of {len(reals)}, KL at least {INFORMATIVE:g} nats"),
        ("KL of b", scores["kl_b"], ".2f", "nats"),
        ("active bits", len(informative_latents(bits)) if bits else None, "d",
         f"of {len(bits)}, at least {INFORMATIVE:g} nats"),
        ("information of the code", scores["information_of_code"], ".2f",
         "nats: " + listed((f"b{k}", value) for k, value in enumerate(bits))),
        ("label accuracy of the code", scores["code_accuracy"], ".3f",
         f"majority label of each hard code, {scores['codes_used']} codes in use"),
        ("label accuracy of k-means", scores["kmeans_accuracy"], ".3f",
         "as many clusters as codes; with few images it may be the higher one"),
        ("codes read from pictures", scores.get("codes_read"), ".3f", "of one image's z and another's code"),
    )
    return [(name, format(value, digits), note) for name, value, digits, note in table if value is not None]


def listed(parts: Iterable[tuple[str, float]]) -> str:
    """Names and values, side by side."""
    return "  ".join(f"{name} {value:.2f}" for name, value in parts)


def encoded_examples(model: MRVAE, images: ImageSet, n: int = 100) -> dict[str, Tensor]:
    """The first n images as the model keeps them: `mu` (n, D), `bits` (n, K); if known `label`, `factors` (n, F)."""
    few = images.first(n)
    codes = encode_set(model, few)
    known = {"mu": codes.mu, "bits": codes.bits, "label": few.labels, "factors": few.factors}
    return {name: values.clone() for name, values in known.items() if values is not None}


def swapped(model: MRVAE, codes: Posterior) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures (B, C, H, W) of each image's mu with the code of the image before it, and those codes, (B, K)."""
    bits = codes.bits.roll(1, 0)
    for places in batches_in_order(len(bits)):
        yield model.decode(codes.mu[places], bits[places]), bits[places]


def majority_accuracy(train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Share of test images whose label is the most frequent training label of their code.

    A code never seen in training counts as wrong. More codes score higher by themselves: compare at equal number.

    Args:
        train_codes, test_codes: (N,) int64 >= 0, one code or cluster per image.
        train_labels, test_labels: (N,) int64 >= 0.
    Returns:
        Between 0 and 1.
    """
    counts = torch.zeros(int(max(train_codes.max(), test_codes.max())) + 1, int(train_labels.max()) + 1)
    counts.index_put_((train_codes, train_labels), torch.tensor(1.0), accumulate=True)
    most, label = counts[test_codes].max(dim=1)
    return float(((label == test_labels) & (most > 0)).double().mean())


def kmeans_codes(train: Tensor, test: Tensor, *, n_clusters: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Clusters of raw pixels, the floor that a learned code has to beat.

    Mini-batch k-means on the first 50 principal components of the training images, three starts.

    Args:
        train, test: (N, ...) uint8 images.
    Returns:
        The cluster of each training and of each test image, (N,) int64 each.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    known, asked = (images.flatten(1).float().div(255).numpy() for images in (train, test))
    pca = PCA(n_components=min(50, *known.shape), svd_solver="randomized", random_state=seed)
    kmeans = MiniBatchKMeans(min(n_clusters, len(known)), n_init=3, batch_size=1024, random_state=seed)
    model = make_pipeline(pca, kmeans).fit(known)
    return torch.from_numpy(model.predict(known)).long(), torch.from_numpy(model.predict(asked)).long()


def _codes_read(model: MRVAE, codes: Posterior) -> float:
    """The share of `swapped` pictures in which the encoder reads the code they were drawn from."""
    read = [(model.bit_logits(pictures).cpu() > 0) == bits.bool() for pictures, bits in swapped(model, codes)]
    return float(torch.cat(read).all(dim=1).double().mean())


def _reconstruction(model: MRVAE, images: ImageSet, z: Tensor, b: Tensor) -> float:
    """Mean loss over the images, drawn from these latents, (N, D) and (N, K); nats."""
    sums = [model.reconstruction_loss(images.floats(places), z[places], b[places][None]).double().sum()
            for places in batches_in_order(len(images))]
    return float(torch.stack(sums).sum()) / len(images)


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
    for code, off in counts.items():
        on = counts.get(code | place, off)  # the code itself where the bit is on already, or where no image has it on
        pair = off.most_common(1)[0][0], on.most_common(1)[0][0]
        if pair[0] != pair[1]:
            swaps[pair] += min(off.total(), on.total())
    return [pair for pair, _ in swaps.most_common()]

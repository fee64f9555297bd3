"""Everything that is measured of a model, beside an untrained network of the same shape, and one row per latent."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor, nn

from mrvae_lib.analysis.evaluation import INFORMATIVE, encode_set, evaluate, scored_part
from mrvae_lib.analysis.factor_scores import factor_scores
from mrvae_lib.analysis.part_scores import factor_reader, part_scores, yes_or_no
from mrvae_lib.analysis.probes import information_told, knn_accuracy, targets
from mrvae_lib.analysis.scoring import Array, MetricResult, equal_width_bins, information_matrix, numbered
from mrvae_lib.data import ImageSet
from mrvae_lib.model.codes import bit_information
from mrvae_lib.model.vae import MRVAE, Posterior

N_FLIPPED = 500
"""Images at which a bit is flipped."""
VARIES = 0.01
"""The least variance over images of the posterior mean of an active unit."""
MAX_CATEGORIES = 255
"""Codes that count as categories of one column, as many as the trees of DCI take; of more, each bit is a column."""

EXPLAINED = 0.5
"""The least R^2 at which a slider is named after a target."""


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
    """The target of which the hard bit tells most; empty where that, or what the bit carries, is next to nothing."""
    about_information: float
    """The most that the hard bit tells of a target, nats."""

    @property
    def state(self) -> str:
        """`constant` for a bit that is the same for all images, `undecided` for one tossed for each, else empty."""
        if self.information >= INFORMATIVE:
            return ""
        return "constant" if min(self.share_on, 1 - self.share_on) < 0.01 else "undecided"


@dataclass(frozen=True)
class Measured:
    """What one network scores."""

    scores: dict[str, Any]
    """What `evaluate` says."""
    metrics: dict[str, MetricResult]
    """By name, in the order of a table; which there are depends on what is known of the images."""
    told: dict[str, dict[str, MetricResult]]
    """What the code ("b") and a draw of z ("z") tell of each target, nats on held-out images."""


@dataclass(frozen=True)
class Measurement:
    """What a model scores, and what each latent is; its fields, nested, are the keys of `mrvae evaluate --json`."""

    data: str
    factor_names: tuple[str, ...]
    label_names: tuple[str, ...]
    targets: tuple[str, ...]
    """What codes were asked about: the factors, or else the label and what is measured in the images."""
    trained: Measured
    untrained: Measured
    reals: tuple[RealRow, ...]
    bits: tuple[BitRow, ...]


def measure(model: MRVAE, test: ImageSet, train: ImageSet) -> Measurement:
    """Measure a model.

    Scores of disentanglement are read on `train`, for they compare a code with the factors of a whole set and need many
    images; all else on `test`, with majorities and neighbours from `train`. Large sets are cut to `scored_part`.

    Args:
        train: may be `test` itself.
    """
    part = scored_part(test)
    train = part if train is test else scored_part(train)
    asked, codes, control = targets(part), encode_set(model, part), untrained(model)
    parts = yes_or_no(part)
    reader = factor_reader(train) if 2 <= len(parts) <= model.n_bits and yes_or_no(train) == parts else None
    return Measurement(
        data=test.name, factor_names=test.factor_names, label_names=test.label_names, targets=tuple(asked),
        trained=_measured(model, part, train, codes, asked, reader),
        untrained=_measured(control, part, train, encode_set(control, part), asked, reader, kmeans=False),
        reals=tuple(real_rows(codes, asked)),
        bits=tuple(bit_rows(model, codes, asked, part.labels)),
    )


def untrained(model: MRVAE) -> MRVAE:
    """A network of the same shape as it is before training, seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MRVAE(model.image_shape, model.config).eval()


def _measured(model: MRVAE, test: ImageSet, train: ImageSet, codes: Posterior, asked: Mapping[str, Tensor],
              reader: nn.Module | None, *, kmeans: bool = True) -> Measured:
    train_codes = codes if train is test else encode_set(model, train)
    results = [active_units(codes.mu.numpy())] if model.n_reals else []
    if train.factors is not None and len(train.factor_names) > 1:
        mu, bits = train_codes.mu, train_codes.bits
        if len(train_codes.code_index.unique()) > MAX_CATEGORIES:
            mu, bits = torch.cat([mu, bits], dim=1), bits[:, :0]  # a column for each bit, as if they were reals
        try:
            results += factor_scores(mu.numpy(), bits.numpy(), train.factors.numpy()).values()
        except ValueError as error:  # too few images for a value of each kind where scores are fitted and where read
            warnings.warn(f"{train.name}: scores of disentanglement left out: {error}", stacklevel=3)
    results += part_scores(model, codes, test, reader)
    if test.labels is not None and train.labels is not None and len(test.labels.unique()) > 1:
        results += label_scores(codes, test.labels.numpy(), train_codes, train.labels.numpy())
    scores = evaluate(model, test, train, test_codes=codes, train_codes=train_codes, kmeans=kmeans)
    return Measured(scores, {result.name: result for result in results}, told_of(codes, asked))


def label_scores(codes: Posterior, labels: Array, train_codes: Posterior, train_labels: Array) -> list[MetricResult]:
    """With bits, NMI of code and label; with reals, 5 neighbours by the means of z.

    Normalised mutual information is 1 where codes and labels name the same groups. It grows by chance with the number
    of codes: compare at equal number.

    Args:
        codes, labels: of the test images.
        train_codes, train_labels: where neighbours are looked for; if these are the test images, too, the neighbours of
            the first third are looked for among the others, for no image may be its own neighbour.
    """
    results = []
    if codes.bits.shape[1]:
        score = normalized_mutual_info_score(labels, codes.code_index.numpy())
        results.append(MetricResult("NMI of code and label", float(score), {"n": len(labels)}))
    if codes.mu.shape[1]:
        third = len(labels) // 3
        first, rest = (slice(third), slice(third, None)) if train_codes is codes else (slice(None), slice(None))
        results += knn_accuracy(train_codes.mu[rest].numpy(), train_labels[rest], codes.mu[first].numpy(),
                                labels[first])
    return results


def told_of(codes: Posterior, asked: Mapping[str, Tensor]) -> dict[str, dict[str, MetricResult]]:
    """What the hard code ("b") and a draw of z ("z") tell of each target, by name; nats on held-out images.

    Args:
        asked: (N,) int64 each, by name, see `probes.targets`.
    Returns:
        Without the kind of latent that the model does not have.
    """
    z, index = codes.sample(torch.Generator().manual_seed(0))[0], codes.code_index
    known = {"b": codes.bits if len(index.unique()) > MAX_CATEGORIES else index} if codes.bits.shape[1] else {}
    known |= {"z": z} if z.shape[1] else {}
    return {kind: {name: information_told(code.numpy(), target.numpy())
                   for name, target in asked.items()} for kind, code in known.items()}


def active_units(means: Array) -> MetricResult:
    """How many latents have a posterior mean whose variance over images is above `VARIES`.

    Not the count of active reals, which goes by KL.

    Args:
        means: (N >= 2, D) posterior means.

    Source: Burda et al., Importance Weighted Autoencoders (2016).
    """
    variance = means.var(axis=0, ddof=1, dtype=np.float64)
    return MetricResult("active units", float((variance > VARIES).sum()), {"threshold": VARIES, "n": len(means)})


def real_rows(codes: Posterior, asked: Mapping[str, Tensor]) -> list[RealRow]:
    """The rows of the reals.

    Args:
        codes: the posterior of N images.
        asked: (N,) int64 each, by name, see `probes.targets`.

    Source: the table of posterior variances of miyosuda/disentangled_vae, there of one image and named by eye.
    """
    mu = codes.mu.double().numpy()
    variances, costs = codes.logvar.exp().mean(dim=0).tolist(), codes.kl_reals().mean(dim=0).tolist()
    return [
        RealRow(f"z{i}", variances[i], costs[i], name if min(costs[i], beyond) >= INFORMATIVE else "", told,
                _explained(mu[:, i], asked[name]) if name else 0.0)
        for i, (name, told, beyond) in enumerate(_most_told(mu, asked))
    ]


def names_of_reals(codes: Posterior, asked: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """What a real may be called, with its R^2, by number: the target that explains most of its mean's variance.

    No real is called after the label, which is what the bits are about. Arguments as `real_rows`.
    """
    return {str(i): [row.about, round(row.r2, 2)] for i, row in enumerate(real_rows(codes, asked))
            if row.about not in ("", "label") and row.r2 >= EXPLAINED}


def names_of_bits(codes: Posterior, asked: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """What a bit may be called, with its R^2, by number: the yes-or-no target that no other bit goes with as well.

    `no` stands before the name where the bit is off for yes. Arguments as `real_rows`.
    """
    found: dict[str, list[Any]] = {}
    for name, target in asked.items() if codes.bits.shape[1] else ():
        if len(target.unique()) == 2:
            r = torch.corrcoef(torch.cat([target[:, None], codes.bits], dim=1).double().T)[0, 1:].nan_to_num()
            k = int(r.abs().argmax())
            r2 = round(float(r[k]) ** 2, 2)
            if r2 >= max(EXPLAINED, found.get(str(k), ["", 0])[1]):
                found[str(k)] = [name if r[k] > 0 else f"no {name}", r2]
    return found


def bit_rows(model: MRVAE, codes: Posterior, asked: Mapping[str, Tensor], labels: Tensor | None = None) -> list[BitRow]:
    """The rows of the bits; bits are flipped at the first `N_FLIPPED` images. Arguments as `real_rows`.

    Args:
        labels: (N,) int64, for the shares per class.
    """
    probs, information = torch.sigmoid(codes.bit_logits), bit_information(codes.bit_logits).tolist()
    classes = [] if labels is None else [probs[labels == value].mean(dim=0) for value in labels.unique()]
    mu, bits = codes.mu[:N_FLIPPED], codes.bits[:N_FLIPPED]
    with torch.inference_mode():
        pictures = model.decode(mu, bits)
        moved = [(model.decode(mu, (bits - bit).abs()) - pictures).abs().mean() for bit in torch.eye(model.n_bits)]
    return [
        BitRow(f"b{k}", information[k], float(probs[:, k].mean()), tuple(float(share[k]) for share in classes),
               float(moved[k]), name if min(information[k], beyond) >= INFORMATIVE else "", told)
        for k, (name, told, beyond) in enumerate(_most_told(codes.bits.double().numpy(), asked))
    ]


def _most_told(columns: Array, asked: Mapping[str, Tensor]) -> list[tuple[str, float, float]]:
    """For each column, the target of which it tells most, how much in nats, and how much of that is beyond chance.

    Counts of N independent pairs show (bins - 1) (values - 1) / 2N nats on average, so few images seem to tell much.
    """
    if not asked or not columns.shape[1]:
        return [("", 0.0, 0.0)] * columns.shape[1]
    values = np.column_stack([target.numpy() for target in asked.values()])
    told, _ = information_matrix(columns, values)
    n_bins = np.array([len(np.unique(equal_width_bins(column))) for column in columns.T])
    n_values = np.array([len(np.unique(value)) for value in values.T])
    beyond = told - np.outer(n_bins - 1, n_values - 1) / (2 * len(columns))
    return [(list(asked)[f], float(told[d, f]), float(beyond[d, f])) for d, f in enumerate(beyond.argmax(axis=1))]


def _explained(column: Array, target: Tensor) -> float:
    """1 - variance within the values of the target / variance: R^2 of a mean per value, so order does not matter."""
    value = numbered(target.numpy())
    means = np.bincount(value, column) / np.bincount(value)
    variance = column.var()
    return float(means[value].var() / variance) if variance > 1e-12 else 0.0

"""Everything that is measured of a model, beside an untrained network of the same shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.analysis.dci import DCI, dci, dci_histogram
from mrvae_lib.analysis.disentanglement import beta_vae_score, factor_vae_score, mig, modularity
from mrvae_lib.analysis.encoding import EncodedSet, Evaluation, encoded, score
from mrvae_lib.analysis.latent_table import BitRow, RealRow, bit_rows, real_rows
from mrvae_lib.analysis.metrics import nmi
from mrvae_lib.analysis.predictability import active_units, explicitness, sap_score
from mrvae_lib.analysis.probes import information_told, knn_accuracy
from mrvae_lib.analysis.proxies import targets
from mrvae_lib.analysis.scores import Array, MetricResult, code_columns
from mrvae_lib.data import ImageSet
from mrvae_lib.model.codes import code_index
from mrvae_lib.model.latents import sample_normal
from mrvae_lib.model.vae import MRVAE, Posterior

TELLS = " tells of "
"""Between what tells and what it tells of, in the names of metrics: `b tells of slant`."""


@dataclass(frozen=True)
class Measured:
    """What one network scores."""

    scores: Evaluation
    metrics: dict[str, MetricResult]
    """By name, in the order of a table; which there are depends on what is known of the images."""


@dataclass(frozen=True)
class Measurement:
    """What a model scores, and what each latent is; its fields are the keys of `mrvae evaluate --json`."""

    data: str
    factor_names: tuple[str, ...]
    label_names: tuple[str, ...]
    targets: tuple[str, ...]
    """What codes were asked about: the factors, or else the label and proxies measured from the images."""
    trained: Measured
    untrained: Measured
    reals: tuple[RealRow, ...]
    bits: tuple[BitRow, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON has it; what was not estimated is None."""
        return _without_nan(asdict(self))


def measure(model: MRVAE, test: ImageSet, train: ImageSet, *, slow_dci: bool = False) -> Measurement:
    """Measure a model.

    Scores of disentanglement are read on `test` and `train` together, for they compare a code with the factors of a
    whole set; all else on `test`, with majorities and neighbours from `train`. Of large sets see `encoding.encoded`.

    Args:
        train: may be `test` itself.
        slow_dci: DCI as published, which takes minutes, in the place of its fast variant.
    """
    tested, trained_on = _encoded_pair(model, test, train)
    asked, control = targets(tested.images), untrained(model)
    return Measurement(
        data=test.name, factor_names=test.factor_names, label_names=test.label_names, targets=tuple(asked),
        trained=_measured(model, tested, trained_on, asked, slow_dci),
        untrained=_measured(control, *_encoded_pair(control, test, train), asked, slow_dci, kmeans=False),
        reals=tuple(real_rows(tested.posterior, asked)),
        bits=tuple(bit_rows(model, tested.posterior, asked, tested.images.labels)),
    )


def untrained(model: MRVAE) -> MRVAE:
    """A network of the same shape as it is before training, seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MRVAE(model.image_shape, model.config).eval()


def factor_scores(reals: Array, bits: Array, factors: Array, *, slow_dci: bool = False) -> dict[str, MetricResult]:
    """All scores of disentanglement by name, the whole code as one column of categories.

    Where there are several bits, the two scores on which it matters also have a form with a column per bit.

    Args:
        reals: (N, D) posterior means.
        bits: (N, K) of 0 and 1.
        factors: (N, F >= 2) integers, two values or more each.
        slow_dci: as in `measure`.
    """
    codes, categorical = code_columns(reals, bits, joint=True)
    results = [function(codes, factors, categorical=categorical) for function in
               (beta_vae_score, factor_vae_score, mig, sap_score, modularity, explicitness)]
    trees: DCI = dci(codes, factors) if slow_dci else dci_histogram(codes, factors, categorical=categorical)
    results += [trees.disentanglement, trees.completeness, trees.informativeness]
    if bits.shape[1] > 1:
        apart, _ = code_columns(reals, bits, joint=False)
        results += [replace(result, name=f"{result.name}, a column per bit")
                    for result in (factor_vae_score(apart, factors), mig(apart, factors))]
    return {result.name: result for result in results}


def label_scores(tested: EncodedSet, trained_on: EncodedSet) -> dict[str, MetricResult]:
    """NMI of code and label, and 5 neighbours by the means of z (of the bits where there is no real)."""
    results: dict[str, MetricResult] = {}
    labels = tested.images.labels
    if labels is None or trained_on.images.labels is None:
        return results
    if tested.posterior.bits.shape[1]:
        results["NMI of code and label"] = nmi(code_index(tested.posterior.bits), labels)
    known, asked = _columns(trained_on.posterior), _columns(tested.posterior)
    known_labels, asked_labels = trained_on.images.labels.numpy(), labels.numpy()
    if tested is trained_on:  # an image must not be its own neighbour
        third = len(asked) // 3
        known, asked = known[third:], asked[:third]
        known_labels, asked_labels = known_labels[third:], asked_labels[:third]
    where = "z" if tested.posterior.mu.shape[1] else "b"
    for result in knn_accuracy(known, known_labels, asked, asked_labels):
        results[f"{result.name}, from {where}"] = result
    return results


def told_of(posterior: Posterior, asked: Mapping[str, Tensor]) -> dict[str, MetricResult]:
    """What the hard code, and what a draw of z, tell of each target, in nats on held-out images."""
    code = code_index(posterior.bits).numpy() if posterior.bits.shape[1] else None
    z = sample_normal(posterior.mu, posterior.logvar, torch.Generator().manual_seed(0)).numpy()
    results: dict[str, MetricResult] = {}
    for name, target in asked.items():
        if code is not None:
            results[f"b{TELLS}{name}"] = information_told(code, target.numpy(), categorical=True)
        if z.shape[1]:
            results[f"z{TELLS}{name}"] = information_told(z, target.numpy())
    return results


def _encoded_pair(model: MRVAE, test: ImageSet, train: ImageSet) -> tuple[EncodedSet, EncodedSet]:
    tested = encoded(model, test)
    return tested, tested if train is test else encoded(model, train)


def _measured(model: MRVAE, tested: EncodedSet, trained_on: EncodedSet, asked: Mapping[str, Tensor], slow_dci: bool,
              *, kmeans: bool = True) -> Measured:
    metrics: dict[str, MetricResult] = {}
    if model.n_reals:
        metrics["active units"] = active_units(tested.posterior.mu.numpy())
    sets = [tested] if tested is trained_on else [tested, trained_on]
    if tested.images.factors is not None:
        factors = np.concatenate([part.images.factors.numpy() for part in sets if part.images.factors is not None])
        if factors.shape[1] > 1:
            reals, bits = (torch.cat(parts).numpy() for parts in
                           zip(*((part.posterior.mu, part.posterior.bits) for part in sets), strict=True))
            metrics |= factor_scores(reals, bits, factors, slow_dci=slow_dci)
    metrics |= label_scores(tested, trained_on) | told_of(tested.posterior, asked)
    return Measured(score(model, tested, trained_on, kmeans=kmeans), metrics)


def _columns(posterior: Posterior) -> Array:
    return (posterior.mu if posterior.mu.shape[1] else torch.sigmoid(posterior.bit_logits)).numpy()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

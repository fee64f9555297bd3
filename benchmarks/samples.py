"""What samples are worth to a fixed classifier, the judge: how sure it is of them, and whether they are one class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mrvae_lib.data import ImageSet
from mrvae_lib.model.latents import sample_bits, sample_normal
from mrvae_lib.model.vae import MRVAE, Posterior


@dataclass(frozen=True)
class Judge:
    """A classifier of real images that has seen no sample."""

    network: Any
    """scikit-learn's, fitted."""

    @classmethod
    def of(cls, images: ImageSet, *, epochs: int = 10, seed: int = 0) -> Judge:
        """Fit one hidden layer of 256 to labelled images."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

        if images.labels is None:
            raise ValueError(f"{images.name}: a judge needs labels")
        network = MLPClassifier((256,), batch_size=min(256, len(images)), max_iter=epochs, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are what was asked for
            network.fit(images.floats().flatten(1).numpy(), images.labels.numpy())
        return cls(network)

    def classes(self, pictures: Tensor) -> Tensor:
        """The class of each picture (N, C, H, W), (N,)."""
        return torch.from_numpy(self.network.predict(pictures.flatten(1).numpy()))

    def confidence(self, pictures: Tensor) -> float:
        """The mean probability of the class that each picture is taken for."""
        return float(self.network.predict_proba(pictures.flatten(1).numpy()).max(axis=1).mean())

    def purity(self, pictures: Tensor) -> float:
        """The share of the pictures taken for the class that most of them are taken for."""
        return float(self.classes(pictures).bincount().max() / len(pictures))


def prior_samples(model: MRVAE, n: int, generator: torch.Generator) -> Tensor:
    """Pictures (n, C, H, W) of draws of z and b from the prior."""
    z = torch.randn(n, model.n_reals, generator=generator)
    b = torch.randint(0, 2, (n, model.n_bits), generator=generator).float()
    with torch.inference_mode():
        return model.decode(z, b)


def class_samples(model: MRVAE, posterior: Posterior, labels: Tensor, label: int, n: int, generator: torch.Generator
                  ) -> Tensor:
    """Pictures (n, C, H, W) of draws from a class's aggregated posterior: of one of its images, then of its latents.

    Args:
        posterior: of N images, labels: (N,).
    """
    places = torch.nonzero(labels == label)[:, 0]
    drawn = places[torch.randint(len(places), (n,), generator=generator)]
    z = sample_normal(posterior.mu[drawn], posterior.logvar[drawn], generator)
    with torch.inference_mode():
        return model.decode(z, sample_bits(posterior.bit_logits[drawn], generator))

"""MRVAE: an image to a posterior over reals and bits, and back."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mrvae_lib.config import ModelConfig
from mrvae_lib.model.codes import bernoulli_entropy, code_index
from mrvae_lib.model.frame import FramedEncoder, own_frame
from mrvae_lib.model.latents import sample_bits, sample_normal
from mrvae_lib.model.likelihoods import Bernoulli, Gaussian, MseTanh
from mrvae_lib.model.networks import ImageShape, build_networks


@dataclass(frozen=True)
class Posterior:
    """q(z, b | x) for a batch: D independent normals beside K independent coins."""

    mu: Tensor
    """(B, D)."""
    logvar: Tensor
    """(B, D) log variance of z."""
    bit_logits: Tensor
    """(B, K) log-odds of q(b_k = 1 | x)."""

    @property
    def bits(self) -> Tensor:
        """(B, K) of 0. and 1.: the more likely value of each bit, the code we report."""
        return (self.bit_logits > 0).float()

    @property
    def code_index(self) -> Tensor:
        """(B,) int64, the row of each image's code in `all_codes`."""
        return code_index(self.bits)

    def sample(self, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """One draw of z (B, D), through which a gradient passes, and of hard bits (B, K), through which none does."""
        return sample_normal(self.mu, self.logvar, generator), sample_bits(self.bit_logits, generator)

    def kl_reals(self) -> Tensor:
        """KL(q(z_d | x) || N(0, 1)) of each real, (B, D) nats, >= 0.

        Source: Kingma and Welling, Auto-Encoding Variational Bayes (2014), appendix B.
        """
        return 0.5 * (self.mu.square() + self.logvar.exp() - 1 - self.logvar)

    def kl_bits(self) -> Tensor:
        """KL(q(b_k | x) || fair coin) of each bit, (B, K) nats in [0, ln 2]: ln 2 minus the bit's entropy."""
        return math.log(2) - bernoulli_entropy(self.bit_logits)


class MRVAE(nn.Module):
    """A variational autoencoder with D reals (how) beside K bits (what); K = 0 is the plain VAE.

    Args:
        image_shape: (C, H, W), C 1 or 3, sides 8 to 256.
        config: D, K, the network and the likelihood.
    """

    def __init__(self, image_shape: ImageShape, config: ModelConfig) -> None:
        super().__init__()
        self.image_shape: ImageShape = image_shape
        self.config = config
        self.n_reals, self.n_bits = config.n_reals, config.n_bits
        self.encoder, self.decoder = build_networks(config, self.image_shape)
        likelihoods: dict[str, Bernoulli | Gaussian | MseTanh] = {
            "bernoulli": Bernoulli(), "gaussian": Gaussian(config.spread), "mse-tanh": MseTanh()}
        self.likelihood = likelihoods[config.likelihood]
        if torch.get_default_dtype() != torch.float32:
            self.float()  # as images, draws and checkpoints are, whatever torch's default is
        self.card: dict[str, Any] = {}
        """The model card, with training command, seed and measured figures; empty until a run is scored."""
        self.examples: dict[str, Tensor] = {}
        """Encoded test images (mu, bits, label), from which the decoder shows what it knows."""

    def encode(self, x: Tensor) -> Posterior:
        """The posterior of each image.

        Args:
            x: (B, C, H, W) in [0, 1], of any float dtype, also a numpy array; computed in the dtype of the weights.
        Raises:
            ValueError: another shape, whole numbers, or, in evaluation mode, another range; says what to do.
        """
        x = self._checked(x)
        mu, logvar, bit_logits = self.encoder(x).float().split([self.n_reals, self.n_reals, self.n_bits], dim=1)
        return Posterior(mu, logvar, bit_logits)

    def bit_logits(self, x: Tensor) -> Tensor:
        """What `encode` says of the bits, (B, K) log-odds, without the work that only the reals need."""
        if isinstance(self.encoder, FramedEncoder) and self.encoder.bits:
            return self.encoder.bits(self.own_frame(self._checked(x))).float()
        return self.encode(x).bit_logits

    def own_frame(self, x: Tensor) -> Tensor:
        """The images as the bits see them, (B, C, S, S): in their own frames, or as they are where there is none."""
        return own_frame(x, self.encoder.frame)[0] if isinstance(self.encoder, FramedEncoder) else x

    def _as_weights(self, values: Tensor) -> Tensor:
        """Values in the weights' dtype, on their device; under autocast, which chooses dtypes itself, as they are."""
        weight = next(self.parameters())
        return values if torch.is_autocast_enabled(weight.device.type) else values.to(weight.device, weight.dtype)

    def _checked(self, x: Tensor | np.ndarray) -> Tensor:
        x = _tensor_of(x, "x")
        if x.shape[1:] != self.image_shape or not x.is_floating_point():
            raise ValueError(f"encode takes float images (B, {', '.join(map(str, self.image_shape))}) in [0, 1], "
                             f"got {x.dtype} {tuple(x.shape)}; images.floats() gives them")
        # Training draws bytes, which are in range; a reader's tensor may not be. Interpolation may overstep a little.
        if not self.training and len(x) and not (x.amin() >= -1e-3 and x.amax() <= 1 + 1e-3):
            raise ValueError(f"encode takes pixels in [0, 1], got {x.amin():.3g} to {x.amax():.3g}; images.floats() "
                             f"gives them, and the likelihood rescales to [-1, 1] itself where it needs that")
        return self._as_weights(x)

    def decode(self, z: Tensor, b: Tensor) -> Tensor:
        """The picture of each latent, pixels in [0, 1].

        Args:
            z: (B, D) reals.
            b: (B, K) bits, hard or soft; both of any kind of number, also numpy arrays.
        Raises:
            ValueError: other shapes, or what is no tensor or array.
        Returns:
            (B, C, H, W).
        """
        return self.likelihood.pixels(self.decoder_output(z, b))

    def decoder_output(self, z: Tensor, b: Tensor) -> Tensor:
        """What the decoder says before the likelihood reads it, unbounded, (B, C, H, W)."""
        z, b = _tensor_of(z, "z"), _tensor_of(b, "b")
        if z.shape[1:] != (self.n_reals,) or b.shape[1:] != (self.n_bits,) or len(z) != len(b):
            raise ValueError(f"decode takes z (B, {self.n_reals}) and b (B, {self.n_bits}), "
                             f"got {tuple(z.shape)} and {tuple(b.shape)}")
        return self.decoder(torch.cat([self._as_weights(z), self._as_weights(b)], dim=1)).float()

    def reconstruction_loss(self, x: Tensor, z: Tensor, codes: Tensor) -> Tensor:
        """-log p(x | z, b) for S codes per image.

        Args:
            x: (B, C, H, W) in [0, 1].
            z: (B, D), the same for all S codes of an image.
            codes: (S, B, K).
        Returns:
            (S, B) nats, summed over pixels.
        """
        z = z.expand(len(codes), -1, -1).flatten(0, 1)
        output = self.decoder_output(z, codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
        return self.likelihood.nll(output, x.to(output.device))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The picture of each image's mean reals and hard bits, (B, C, H, W)."""
        posterior = self.encode(x)
        return self.decode(posterior.mu, posterior.bits)


def _tensor_of(values: Tensor | np.ndarray, what: str) -> Tensor:
    """A tensor as it is, or of an array's numbers.

    Raises:
        ValueError: neither a tensor nor an array of numbers.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        values = torch.from_numpy(np.ascontiguousarray(values))
    if not isinstance(values, Tensor) or values.is_complex():
        raise ValueError(f"{what} must be a tensor or numpy array of real numbers, got {type(values).__name__}"
                         f"{f' of {values.dtype}' if hasattr(values, 'dtype') else ''}")
    return values

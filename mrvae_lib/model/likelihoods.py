"""p(x | z, b): how the decoder's output becomes pixels, and what an image costs in nats."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Bernoulli(nn.Module):
    """Each pixel a coin whose logit is the decoder's output; grey pixels in [0, 1] act as soft outcomes."""

    def pixels(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output)

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Cross entropy summed over pixels, (S, B) nats; output (S, B, C, H, W), x (B, C, H, W)."""
        # The formula of binary_cross_entropy_with_logits, which wants x expanded to all S codes first.
        return (F.softplus(output) - output * x).flatten(-3).sum(dim=-1)


class Gaussian(nn.Module):
    """Each pixel normal around the decoder's output squashed to [0, 1], with one learned spread for the whole set.

    Source: the sigma-VAE of Rybkin et al. (2021), with the spread learned by gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def pixels(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output)

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """-log density summed over pixels, (S, B) nats; it can be negative."""
        error = (torch.sigmoid(output) - x) / self.log_sigma.exp()
        return (0.5 * error.square() + self.log_sigma + 0.5 * math.log(2 * math.pi)).flatten(-3).sum(dim=-1)


class MseTanh(nn.Module):
    """Squared error in [-1, 1]: the decoder ends in tanh and the image is rescaled to match it.

    Up to a constant this is a normal of variance 1/2 per rescaled pixel, so the sum counts as nats.
    """

    def pixels(self, output: Tensor) -> Tensor:
        return (torch.tanh(output) + 1) / 2

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Squared error summed over pixels, (S, B) nats up to a constant."""
        return (torch.tanh(output) - (2 * x - 1)).square().flatten(-3).sum(dim=-1)


LIKELIHOODS: dict[str, type[Bernoulli | Gaussian | MseTanh]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "mse-tanh": MseTanh,
}

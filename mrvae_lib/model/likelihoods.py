"""p(x | z, b): how the decoder's output becomes pixels, and what an image costs in nats."""

import math
from typing import Any

import torch
from torch import Tensor, nn


class Bernoulli(nn.Module):
    """Each pixel a coin whose logit is the decoder's output; grey pixels in [0, 1] act as soft outcomes."""

    def pixels(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output)

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Cross entropy summed over pixels, (S, B) nats; output (S, B, C, H, W), x (B, C, H, W)."""
        return _BernoulliNLL.apply(output, x).flatten(-3).sum(dim=-1)


class _BernoulliNLL(torch.autograd.Function):
    """log(1 + exp(o)) - o x, whose derivative by o is sigmoid(o) - x; o (S, *x), nothing flows to x.

    What binary_cross_entropy_with_logits computes, without x expanded to all S codes, and in a fifth of its time:
    there and in softplus, log1p takes as long as ten logarithms, for digits that a sum of nats does not keep.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(output, x)
        return output.abs().neg_().exp_().add_(1).log_().add_(output.clamp_min(0)).sub_(output * x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        output, x = ctx.saved_tensors
        return torch.sigmoid(output).sub_(x).mul_(gradient), None


class Gaussian(nn.Module):
    """Each pixel normal around the decoder's output squashed to [0, 1], with one learned spread for the whole set.

    Args:
        spread: the standard deviation of a pixel from which the learned one starts.
    Source: the sigma-VAE of Rybkin et al. (2021), with the spread learned by gradient.
    """

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(math.log(spread)))

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

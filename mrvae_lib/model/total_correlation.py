"""Total correlation of the reals: how far q(z) is from the product of its marginals, estimated in two ways.

TC(z) = KL(q(z) || prod_d q(z_d)) with q(z) the mean over images of q(z | x). It is 0 when the reals are independent
over the whole set. Bits have no part in it: theirs is exact, in `codes.CodeTable`.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


def stratified_tc(z: Tensor, mu: Tensor, logvar: Tensor, n_images: int) -> Tensor:
    """log q(z) - sum_d log q(z_d) of each image's draw, whose mean is TC(z); q from the batch, own image apart.

    Of the N images that make q(z), one is the draw's own (weight 1 / N) and the others in the batch stand for the
    remaining N - 1. The estimate of each density is unbiased; its logarithm is low, more so for the joint density than
    for the marginals. So TC comes out too low, even below 0 where posteriors are narrow and images few, and right over
    all N images.

    Args:
        z, mu, logvar: (B, D), a draw of each posterior and the posterior's mean and log variance.
        n_images: N, of the whole set.
    Returns:
        (B,) nats.
    Source: Chen et al., Isolating Sources of Disentanglement (2018), appendix C.2, the minibatch-stratified estimator,
        here with every image of the batch as the own one in turn.
    """
    n_batch = len(z)
    others = (n_images - 1) / (n_images * max(1, n_batch - 1))
    log_weight = torch.full((n_batch, n_batch), math.log(others) if others else -math.inf, device=z.device)
    log_weight.fill_diagonal_(-math.log(n_images))
    error = (z[:, None] - mu) * (-0.5 * logvar).exp()  # (B, B, D): draw i under the posterior of image j
    log_density = -0.5 * (error.square() + logvar + math.log(2 * math.pi))
    log_joint = (log_density.sum(dim=2) + log_weight).logsumexp(dim=1)
    log_marginals = (log_density + log_weight[:, :, None]).logsumexp(dim=1)  # (B, D)
    return log_joint - log_marginals.sum(dim=1)


class Discriminator(nn.Module):
    """log q(z) / prod_d q(z_d), learned by telling draws of q(z) from draws whose reals were shuffled apart.

    Args:
        n_reals: D.
        hidden: widths of its layers.
    Source: Kim and Mnih, Disentangling by Factorising (2018), section 3 and appendix A.
    """

    def __init__(self, n_reals: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        layers = [layer for a, b in pairwise((n_reals, *hidden)) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))

    def forward(self, z: Tensor) -> Tensor:
        """The log ratio of each draw, (B,) nats; its mean over draws of q(z) estimates TC(z)."""
        return self.layers(z)[:, 0].float()

    def loss(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Cross entropy of telling the draws z (B, D) from shuffled ones; () nats, ln 2 when it cannot.

        z is taken as data: no gradient reaches the encoder.
        """
        real, shuffled = self(z.detach()), self(shuffle_reals(z.detach(), generator))
        return 0.5 * (nn.functional.softplus(-real).mean() + nn.functional.softplus(shuffled).mean())


def shuffle_reals(z: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each real permuted over the batch by itself: the same marginals, nothing shared; (B, D)."""
    return z.gather(0, torch.rand(z.shape, generator=generator, device=z.device).argsort(dim=0))

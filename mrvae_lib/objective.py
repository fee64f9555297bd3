"""The loss: named terms per image, in nats, and then their weights.

    reconstruction + beta_z KL_z + beta_b KL_b                          the ELBO at beta_z = beta_b = 1
      + gamma_z |KL_z - C_z(t)| + gamma_b |KL_b - C_b(t)|               the capacity form
      + lambda_tc TC(z)                                                 beta-TCVAE and FactorVAE: what the reals share
      - lambda_information I(x; b) + lambda_aggregate KL(q(b) || p)     MR-VAE: reward what the code tells
      + lambda_consistency [KL(q(b|x) || q(b|Tx)) + KL(q(b|Tx) || q(b|x))]       and what survives a change of pose
      - lambda_reading E_p(b') log q(b' | T f(z, b'))       and every code that can be read from its picture, whatever z

KL_b is I(x; b) + KL(q(b) || p), so `beta_b` prices both at once and the two lambdas each by itself. TC(z) is a part of
KL_z in the same way: beta-TCVAE's beta is 1 + `lambda_tc`, FactorVAE's gamma is `lambda_tc`. It is over the reals only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mrvae_lib.config import ObjectiveConfig, PoseConfig
from mrvae_lib.data.pose import random_pose
from mrvae_lib.data.shared import draw, whole_batch
from mrvae_lib.model.codes import log_code_probs
from mrvae_lib.model.correlation import Discriminator, stratified_tc
from mrvae_lib.model.latents import Estimator, expected_loss, sample_normal
from mrvae_lib.model.vae import MRVAE, Posterior


@dataclass(frozen=True)
class Weights:
    """The weight of every term at one moment of the run; `training.schedules` draws them from the configuration."""

    beta_z: float = 1.0
    beta_b: float = 1.0
    gamma_z: float = 0.0
    capacity_z: float = 0.0
    gamma_b: float = 0.0
    capacity_b: float = 0.0
    lambda_tc: float = 0.0
    lambda_information: float = 0.0
    lambda_aggregate: float = 0.0
    lambda_consistency: float = 0.0
    lambda_reading: float = 0.0


@dataclass(frozen=True)
class Terms:
    """What one batch costs: each term (B,) in nats per image, None where its weight is 0 and it was not computed."""

    posterior: Posterior
    z: Tensor
    """(B, D), the draw that was decoded."""
    reconstruction: Tensor
    kl_z: Tensor
    kl_b: Tensor
    tc: Tensor | None = None
    information: Tensor | None = None
    aggregate: Tensor | None = None
    consistency: Tensor | None = None
    reading: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """The terms that were computed, by name."""
        names = [field.name for field in fields(self) if field.name not in ("posterior", "z")]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class CodePool:
    """Tables of q(b) from recent batches, so that information is measured on at least 4 * 2^K images.

    A batch of B images cannot show more than ln B nats and inflates KL(q(b) || p); small batches borrow from the past.
    """

    def __init__(self, n_bits: int, batch_size: int) -> None:
        self.n_past = math.ceil(4 * 2**n_bits / batch_size) - 1
        self.past: Tensor | None = None  # (<= n_past, 2^K), newest last

    def log_probs(self, table: Tensor) -> Tensor:
        """log q(b) over this batch's table (2^K,) and the remembered ones; remembers this one."""
        tables = table.detach()[None] if self.past is None else torch.cat([self.past, table.detach()[None]])
        self.past = tables[-self.n_past :] if self.n_past else None
        return tables.mean(dim=0).clamp_min(1e-30).log()


def loss_terms(
    model: MRVAE,
    x: Tensor,
    config: ObjectiveConfig,
    weights: Weights,
    *,
    generator: torch.Generator | None = None,
    pool: CodePool | None = None,
    n_images: int | None = None,
    discriminator: Discriminator | None = None,
) -> Terms:
    """Every term of the objective for a batch.

    Args:
        x: (B, C, H, W) in [0, 1].
        weights: terms of weight 0 beyond the ELBO are not computed.
        pool: remembered tables of q(b); None takes the batch alone.
        n_images: in the whole set, which TC(z) is about; None takes the batch for the set.
        discriminator: estimates TC(z) if given, else the batch's own posteriors do.
    """
    posterior = model.encode(x)
    z = sample_normal(posterior.mu, posterior.logvar, generator)
    reconstruction = expected_loss(
        lambda codes: model.reconstruction_loss(x, z, codes),
        posterior.bit_logits,
        estimator=choose_estimator(config.estimator, model.n_bits),
        temperature=config.temperature,
        generator=generator,
    )
    changed = None
    if model.n_bits and weights.lambda_consistency:
        changed = model.bit_logits(random_pose(x, config.pose, generator))
    reading = unread_codes(model, z, config.pose, generator) if model.n_bits and weights.lambda_reading else None
    # Where processes share the batch, each has now done its part; what follows is about the whole batch.
    posterior, z, reconstruction, changed, reading = whole_batch((posterior, z, reconstruction, changed, reading))
    tc = information = aggregate = None
    if weights.lambda_tc and discriminator:
        tc = discriminator.fixed(z)
    elif weights.lambda_tc:
        tc = stratified_tc(z, posterior.mu, posterior.logvar, n_images or len(x))
    if model.n_bits and (weights.lambda_information or weights.lambda_aggregate):
        information, aggregate = split_code_kl(posterior.bit_logits, pool)
    return Terms(
        posterior=posterior,
        z=z,
        reconstruction=reconstruction,
        kl_z=posterior.kl_reals().sum(dim=1),
        kl_b=posterior.kl_bits().sum(dim=1),
        tc=tc,
        information=information,
        aggregate=aggregate,
        consistency=None if changed is None else code_divergence(posterior.bit_logits, changed),
        reading=reading,
    )


def total_loss(terms: Terms, weights: Weights) -> Tensor:
    """The number that training lowers: terms averaged over the batch, then weighted; () nats per image."""
    mean = {name: value.mean() for name, value in terms.named().items()}
    loss = mean["reconstruction"] + weights.beta_z * mean["kl_z"] + weights.beta_b * mean["kl_b"]
    if weights.gamma_z:
        loss = loss + weights.gamma_z * (mean["kl_z"] - weights.capacity_z).abs()
    if weights.gamma_b:
        loss = loss + weights.gamma_b * (mean["kl_b"] - weights.capacity_b).abs()
    if weights.lambda_tc:
        loss = loss + weights.lambda_tc * mean["tc"]
    if weights.lambda_information and "information" in mean:
        loss = loss - weights.lambda_information * mean["information"]
    if weights.lambda_aggregate and "aggregate" in mean:
        loss = loss + weights.lambda_aggregate * mean["aggregate"]
    if weights.lambda_consistency and "consistency" in mean:
        loss = loss + weights.lambda_consistency * mean["consistency"]
    if weights.lambda_reading and "reading" in mean:
        loss = loss + weights.lambda_reading * mean["reading"]
    return loss


def unread_codes(model: MRVAE, z: Tensor, pose: PoseConfig, generator: torch.Generator | None = None) -> Tensor:
    """-log q(b' | T f(z, b')) of codes b' drawn from the prior: what the encoder misses of the code it sees drawn.

    The gradient is the decoder's alone. What an image is, z knows too, and a decoder may take it from there; so z is
    given as a constant, and so is the reader, or the two could agree on a sign that no image carries. The change of
    pose T keeps the decoder from finding such a sign by itself.

    Args:
        z: (B, D), any draws.
    Returns:
        (B,) nats: 0 where every bit is read back, K ln 2 where none is, more where they are read wrongly.
    Source: Chen et al., InfoGAN (2016), eq. 5: the lower bound on what the code tells about the picture.
    """
    codes = draw(partial(torch.randint, 0, 2), (len(z), model.n_bits), generator, device=z.device).to(z.dtype)
    with constant(model.encoder):
        logits = model.bit_logits(random_pose(model.decode(z.detach(), codes), pose, generator))
    return F.binary_cross_entropy_with_logits(logits.float(), codes.float(), reduction="none").sum(dim=1)


@contextmanager
def constant(module: nn.Module) -> Iterator[None]:
    """What is computed inside gives the module's weights no gradient."""
    learned = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in learned:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learned:
            weight.requires_grad_(True)


def split_code_kl(bit_logits: Tensor, pool: CodePool | None = None) -> tuple[Tensor, Tensor]:
    """KL(q(b|x) || p) as information, KL(q(b|x) || q(b)), plus aggregate, E_q(b|x) log q(b)/p(b); (B,) nats each.

    Their batch means are I(x; b) and KL(q(b) || p). log q(b) is held constant: the gradient through it sums to zero,
    since probabilities sum to one, and without it a remembered pool leaves the gradient right.
    """
    log_q = log_code_probs(bit_logits)  # (B, 2^K)
    q = log_q.exp()
    table = q.mean(dim=0)
    log_aggregate = pool.log_probs(table) if pool else table.detach().clamp_min(1e-30).log()
    # q log q is 0 where q underflows: q is then exactly 0 and log q is finite.
    information = (q * (log_q - log_aggregate)).sum(dim=1)
    log_prior = -bit_logits.shape[1] * math.log(2)
    return information, (q * (log_aggregate - log_prior)).sum(dim=1)


def code_divergence(a_logits: Tensor, b_logits: Tensor) -> Tensor:
    """KL(q_a || q_b) + KL(q_b || q_a) between two codes of independent bits, per image.

    Args:
        a_logits, b_logits: (B, K) log-odds.
    Returns:
        (B,) nats, >= 0. For coins the two directions add up to (pi_a - pi_b)(l_a - l_b).
    """
    return ((torch.sigmoid(a_logits) - torch.sigmoid(b_logits)) * (a_logits - b_logits)).sum(dim=1)


def choose_estimator(name: str, n_bits: int) -> Estimator:
    """`auto` is exact up to 4 bits, bit-flip up to 12, concrete beyond; other names stand for themselves."""
    if name != "auto":
        return name  # type: ignore[return-value]
    return "exact" if n_bits <= 4 else "bit-flip" if n_bits <= 12 else "concrete"

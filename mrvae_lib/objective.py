"""The loss: named terms per image, in nats, and then their weights.

    reconstruction + beta_z KL_z + beta_b KL_b                          the ELBO at beta_z = beta_b = 1
      + gamma_z |KL_z - C_z(t)| + gamma_b |KL_b - C_b(t)|               the capacity form
      + lambda_tc TC(z)                                                 beta-TCVAE and FactorVAE: what the reals share
      - lambda_information I(x; b) + lambda_aggregate KL(q(b) || p)     MR-VAE: reward what the code tells
      + lambda_consistency [KL(q(b|x) || q(b|Tx)) + KL(q(b|Tx) || q(b|x))]       and what survives a change of pose
      - lambda_reading E_p(b') log q(b' | T f(z, b'))       and every code that can be read from its picture, whatever z

The batch mean of KL_b is I(x; b) + KL(q(b) || p), so `beta_b` prices both at once and the two lambdas each by itself.
TC(z) is a part of KL_z in the same way: at beta_z = 1, beta-TCVAE's beta is 1 + `lambda_tc` and FactorVAE's gamma is
`lambda_tc`. It is over the reals only.

To add a term, write a function of a `Batch`, an entry in `TERMS`, and its weight's line in `config.ObjectiveConfig`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from mrvae_lib.config import ObjectiveConfig, PoseConfig, value_at
from mrvae_lib.errors import ConfigError, suggestion
from mrvae_lib.model.codes import log_code_probs
from mrvae_lib.model.latents import expected_loss, sample_normal
from mrvae_lib.model.total_correlation import Discriminator, stratified_tc
from mrvae_lib.model.vae import MRVAE, Posterior
from mrvae_lib.parallel import gather
from mrvae_lib.pose import random_pose

ELBO = {"beta_z": 1.0, "beta_b": 1.0}
"""The weights at which the loss is the negative ELBO; every weight that is not named is 0."""


class CodePool:
    """Tables of q(b) from recent batches, so that information is measured on at least 4 * 2^K images.

    A batch of B images cannot show more than ln B nats and inflates KL(q(b) || p); small batches borrow from the past.
    """

    def __init__(self, n_bits: int, batch_size: int) -> None:
        self.n_past = math.ceil(4 * 2**n_bits / batch_size) - 1
        self.past: Tensor | None = None  # (<= n_past, 2^K), newest last

    def log_probs(self, table: Tensor) -> Tensor:
        """Remember this batch's table (2^K,), and give log q(b) over it and the remembered ones."""
        tables = table.detach()[None] if self.past is None else torch.cat([self.past, table.detach()[None]])
        self.past = tables[-self.n_past :] if self.n_past else None
        return tables.mean(dim=0).clamp_min(1e-30).log()


@dataclass(frozen=True)
class Batch:
    """What the terms of one batch are computed from; where processes share a batch, `x` is this one's part of it."""

    model: MRVAE
    x: Tensor
    """(B, C, H, W) in [0, 1]."""
    config: ObjectiveConfig
    generator: torch.Generator | None
    pool: CodePool | None
    n_images: int | None
    discriminator: Discriminator | None
    own: Posterior
    own_z: Tensor
    """The posterior of `x`, and a draw of its reals, (B, D)."""
    posterior: Posterior
    z: Tensor
    """The same of the whole batch."""

    @cached_property
    def code_kl(self) -> tuple[Tensor, Tensor]:
        """The two parts of KL_b, computed once because the pool remembers each batch once."""
        return split_code_kl(self.posterior.bit_logits, self.pool)


@dataclass(frozen=True)
class Terms:
    """What one batch costs."""

    values: dict[str, Tensor]
    """Each term that was computed, (B,) in nats per image, by its name in `TERMS`."""
    posterior: Posterior
    z: Tensor
    """(B, D), the draw that was decoded."""


@dataclass(frozen=True)
class Term:
    """One line of the objective: `sign * weight * mean(value)`, or `weight * |mean(value) - capacity|`."""

    name: str
    weight_key: str
    """The key of its weight in the configuration; empty for the reconstruction, whose weight is 1."""
    value: Callable[[Batch], Tensor]
    """The term of each image, (B,) nats."""
    formula: str
    source: str
    sign: int = 1
    capacity_key: str = ""
    """The key of the capacity C(t), for the capacity form."""
    needs_bits: bool = False
    """Whether a model without bits leaves the term out; KL_b stays there and is 0, because the ELBO names it."""
    computed_with: str = ""
    """The key of another weight at which the term is computed too, because it then costs nothing."""


def reconstruction(batch: Batch) -> Tensor:
    """-E_q(z, b | x) log p(x | z, b), by one draw of z and the configured way through the bits."""
    return gather(expected_loss(
        lambda codes: batch.model.reconstruction_loss(batch.x, batch.own_z, codes), batch.own.bit_logits,
        estimator=batch.config.estimator, temperature=batch.config.temperature, generator=batch.generator))


def kl_z(batch: Batch) -> Tensor:
    """KL(q(z | x) || p(z)), summed over the reals."""
    return batch.posterior.kl_reals().sum(dim=1)


def kl_b(batch: Batch) -> Tensor:
    """KL(q(b | x) || p(b)), summed over the bits."""
    return batch.posterior.kl_bits().sum(dim=1)


def total_correlation(batch: Batch) -> Tensor:
    """TC(z), by the discriminator if there is one, else from the batch's own posteriors."""
    if batch.discriminator:
        with constant(batch.discriminator):
            return batch.discriminator(batch.z)
    return stratified_tc(batch.z, batch.posterior.mu, batch.posterior.logvar, batch.n_images or len(batch.z))


def consistency(batch: Batch) -> Tensor:
    """KL(q(b|x) || q(b|Tx)) + KL(q(b|Tx) || q(b|x)), with a new T for every image."""
    moved = random_pose(batch.x, batch.config.pose, batch.generator)
    return gather(code_divergence(batch.own.bit_logits, batch.model.bit_logits(moved)))


def reading(batch: Batch) -> Tensor:
    """-log q(b' | T f(z, b')), with a code b' from the prior for every image."""
    return gather(unread_codes(batch.model, batch.own_z, batch.config.pose, batch.generator))


TERMS = (
    Term("reconstruction", "", reconstruction, "-E log p(x | z, b)", "Kingma and Welling (2014)"),
    Term("kl_z", "beta_z", kl_z, "KL(q(z | x) || p(z))", "Higgins et al. (2017)"),
    Term("kl_b", "beta_b", kl_b, "KL(q(b | x) || p(b))", "this project"),
    Term("kl_z", "gamma_z", kl_z, "|KL_z - C_z(t)|", "Burgess et al. (2018)", capacity_key="capacity_z"),
    Term("kl_b", "gamma_b", kl_b, "|KL_b - C_b(t)|", "Dupont (2018)", capacity_key="capacity_b"),
    Term("tc", "lambda_tc", total_correlation, "TC(z)", "Chen et al. (2018), Kim and Mnih (2018)"),
    Term("information", "lambda_information", lambda batch: batch.code_kl[0], "I(x; b)",
         "Hoffman and Johnson (2016)", sign=-1, needs_bits=True, computed_with="lambda_aggregate"),
    Term("aggregate", "lambda_aggregate", lambda batch: batch.code_kl[1], "KL(q(b) || p(b))",
         "Hoffman and Johnson (2016)", needs_bits=True, computed_with="lambda_information"),
    Term("consistency", "lambda_consistency", consistency, "KL(q(b|x) || q(b|Tx)) + KL(q(b|Tx) || q(b|x))",
         "this project", needs_bits=True),
    Term("reading", "lambda_reading", reading, "-E_p(b') log q(b' | T f(z, b'))", "Chen et al., InfoGAN (2016)",
         needs_bits=True),
)
"""The objective, in the order in which the terms draw their random numbers."""
WEIGHT_KEYS = [key for term in TERMS for key in (term.weight_key, term.capacity_key) if key]


def loss_terms(model: MRVAE, x: Tensor, config: ObjectiveConfig | None = None, weights: Mapping[str, float] = ELBO, *,
               generator: torch.Generator | None = None, pool: CodePool | None = None, n_images: int | None = None,
               discriminator: Discriminator | None = None) -> Terms:
    """The terms of the ELBO, and every other term whose weight is not 0, for a batch.

    Args:
        x: (B, C, H, W) in [0, 1].
        config: how terms are estimated, and T; its defaults if None. The weights in it are not read.
        weights: by key, as `weights_at` gives them; information and aggregate are computed together.
        pool: remembered tables of q(b); None takes the batch alone.
        n_images: in the whole set, which TC(z) is about; None takes the batch for the set.
        discriminator: estimates TC(z) if given, else the batch's own posteriors do.
    Raises:
        ConfigError: a weight that no term has.
    """
    _check_weights(weights)
    own = model.encode(x)
    own_z = sample_normal(own.mu, own.logvar, generator)
    posterior = Posterior(gather(own.mu), gather(own.logvar), gather(own.bit_logits))
    batch = Batch(model, x, config or ObjectiveConfig(), generator, pool, n_images, discriminator, own, own_z,
                  posterior, gather(own_z))
    values: dict[str, Tensor] = {}
    for term in TERMS:
        wanted = term.weight_key in ("", *ELBO) or weights.get(term.weight_key) or weights.get(term.computed_with)
        if wanted and term.name not in values and (model.n_bits or not term.needs_bits):
            values[term.name] = term.value(batch)
    return Terms(values, posterior, batch.z)


def total_loss(terms: Terms, weights: Mapping[str, float] = ELBO) -> Tensor:
    """The number that training lowers: terms averaged over the batch, then weighted; () nats per image.

    Args:
        weights: by key; `beta_z` and `beta_b` are 1 where they are not named, every other weight is 0.
    Raises:
        ConfigError: a weight that no term has, or one of a term that `loss_terms` was not asked for.
    """
    _check_weights(weights)
    weights = {**ELBO, **weights, "": 1.0}
    loss = terms.z.new_zeros(())
    for term in TERMS:
        weight = weights.get(term.weight_key, 0.0)
        if weight and (terms.posterior.bit_logits.shape[1] or not term.needs_bits):
            if term.name not in terms.values:
                raise ConfigError(f"{term.weight_key}: the term {term.name!r} was not computed; give loss_terms this "
                                  f"weight too")
            mean = terms.values[term.name].mean()
            if term.capacity_key:
                mean = (mean - weights.get(term.capacity_key, 0.0)).abs()
            loss = loss + term.sign * weight * mean
    return loss


def _check_weights(weights: Mapping[str, float]) -> None:
    for key in weights:
        if key not in WEIGHT_KEYS:
            raise ConfigError(f"no term has the weight {key!r}{suggestion(key, WEIGHT_KEYS)}; there are "
                              f"{', '.join(WEIGHT_KEYS)}")


def weights_at(config: ObjectiveConfig, progress: float) -> dict[str, float]:
    """Every weight and capacity of the objective at one moment; progress is 0 at the first step and 1 at the last."""
    return {key: value_at(getattr(config, key), progress) for key in WEIGHT_KEYS}


def unread_codes(model: MRVAE, z: Tensor, pose: PoseConfig, generator: torch.Generator | None = None) -> Tensor:
    """-log q(b' | T f(z, b')) of codes b' drawn from the prior: what the encoder misses of the code it sees drawn.

    Gradients reach the decoder only. z is held constant, because a decoder could take the class from z instead of b'.
    The encoder is held constant, because the two could otherwise agree on a mark that no image carries. T keeps the
    decoder from finding such a mark by itself.

    Args:
        z: (B, D), any draws.
    Returns:
        (B,) nats: 0 where every bit is read back, K ln 2 where none is, more where they are read wrongly.
    Source: Chen et al., InfoGAN (2016), eq. 5: the lower bound on what the code tells about the picture.
    """
    codes = torch.randint(0, 2, (len(z), model.n_bits), generator=generator, device=z.device).to(z.dtype)
    with constant(model.encoder):
        logits = model.bit_logits(random_pose(model.decode(z.detach(), codes), pose, generator))
    return nn.functional.binary_cross_entropy_with_logits(logits.float(), codes.float(), reduction="none").sum(dim=1)


@contextmanager
def constant(module: nn.Module) -> Iterator[None]:
    """What is computed inside gives the module's weights no gradient."""
    learned = [weight for weight in module.parameters() if weight.requires_grad]
    module.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learned:
            weight.requires_grad_(True)


def split_code_kl(bit_logits: Tensor, pool: CodePool | None = None) -> tuple[Tensor, Tensor]:
    """KL(q(b|x) || p) as information, KL(q(b|x) || q(b)), plus aggregate, E_q(b|x) log q(b)/p(b); (B,) nats each.

    Without a pool their batch means are I(x; b) and KL(q(b) || p); with one they are estimates. log q(b) is held
    constant. Without a pool its gradient would be zero anyway, since probabilities sum to one; with one it would not
    be, and would bias the estimate.
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

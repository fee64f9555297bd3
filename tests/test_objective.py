"""The objective: each term an identity, each weight doing what its name says."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from mrvae_lib.config import ObjectiveConfig, PoseConfig
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.codes import CodeTable, all_codes
from mrvae_lib.model.latents import sample_normal
from mrvae_lib.model.vae import Posterior
from mrvae_lib.objective import CodePool, code_divergence, loss_terms, split_code_kl, total_loss, unread_codes
from mrvae_lib.pose import random_pose
from tests.conftest import tiny_model


@pytest.fixture
def x(generator):
    return torch.rand(7, 1, 8, 8, generator=generator)


def test_every_term_that_has_a_weight_is_one_number_per_image_and_no_other_is_computed(x, generator):
    weights = {"lambda_information": 1, "lambda_aggregate": 1, "lambda_consistency": 1, "lambda_reading": 1}
    named = loss_terms(tiny_model(), x, ObjectiveConfig(), weights, generator=generator).values
    assert set(named) == {"reconstruction", "kl_z", "kl_b", "information", "aggregate", "consistency", "reading"}
    assert all(value.shape == (7,) for value in named.values())
    assert set(loss_terms(tiny_model(), x, ObjectiveConfig()).values) == {"reconstruction", "kl_z", "kl_b"}


def test_codes_that_cannot_be_read_cost_ln_2_a_bit_and_codes_that_can_nothing(monkeypatch):
    model = tiny_model(n_reals=2, n_bits=3)
    monkeypatch.setattr(model, "decode", lambda z, b: b)
    monkeypatch.setattr("mrvae_lib.objective.random_pose", lambda pictures, pose, generator: pictures)
    monkeypatch.setattr(model, "bit_logits", lambda pictures: torch.zeros_like(pictures))
    torch.testing.assert_close(unread_codes(model, torch.zeros(50, 2), PoseConfig()), torch.full((50,), 3 * math.log(2)))
    monkeypatch.setattr(model, "bit_logits", lambda pictures: 60 * (2 * pictures - 1))
    assert unread_codes(model, torch.zeros(50, 2), PoseConfig()).max() < 1e-6


def test_reading_teaches_the_decoder_and_nothing_else(x):
    model = tiny_model()
    posterior = model.encode(x)
    unread_codes(model, sample_normal(posterior.mu, posterior.logvar), PoseConfig()).sum().backward()
    assert all(weight.grad is None and weight.requires_grad for weight in model.encoder.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in model.decoder.parameters())


def test_the_bound_never_exceeds_the_exact_log_likelihood_over_6_bits(x):
    model = tiny_model(n_reals=0, n_bits=6)
    codes = all_codes(6)[:, None, :].expand(-1, 7, -1)
    with torch.no_grad():
        log_joint = -model.reconstruction_loss(x, torch.zeros(7, 0), codes) - 6 * math.log(2)  # (64, 7)
        terms = loss_terms(model, x, ObjectiveConfig(estimator="exact"))
        elbo = -(terms.values["reconstruction"] + terms.values["kl_b"])
    assert (elbo <= log_joint.logsumexp(dim=0) + 1e-4).all()


def test_beta_adds_its_share_of_the_kl_and_nothing_else(x):
    model = tiny_model()
    terms = loss_terms(model, x, ObjectiveConfig())
    kl_z, kl_b = terms.values["kl_z"].mean(), terms.values["kl_b"].mean()
    torch.testing.assert_close(total_loss(terms, {"beta_z": 5}) - total_loss(terms), 4 * kl_z)
    torch.testing.assert_close(total_loss(terms, {"beta_b": 5}) - total_loss(terms), 4 * kl_b)


def test_capacity_prices_the_distance_from_it_in_both_directions(x):
    terms = loss_terms(tiny_model(), x, ObjectiveConfig())
    kl_z = terms.values["kl_z"].mean()
    for capacity in (0.0, float(kl_z.detach()) + 2):
        weights = {"beta_z": 0, "gamma_z": 100, "capacity_z": capacity}
        expected = total_loss(terms, {"beta_z": 0}) + 100 * abs(kl_z - capacity)
        torch.testing.assert_close(total_loss(terms, weights), expected)


def test_information_and_aggregate_have_the_values_of_the_code_table(generator):
    logits = 2 * torch.randn(300, 4, generator=generator)
    information, aggregate = split_code_kl(logits)
    table = CodeTable.from_logits(logits)
    torch.testing.assert_close(information.mean().double(), table.information, atol=1e-5, rtol=0)
    torch.testing.assert_close(aggregate.mean().double(), table.aggregate_kl, atol=1e-5, rtol=0)
    torch.testing.assert_close(information + aggregate, Posterior(logits[:, :0], logits[:, :0], logits).kl_bits().sum(dim=1))


def test_information_has_the_gradient_of_the_entropy_difference(generator):
    logits = torch.randn(40, 3, generator=generator, dtype=torch.float64).requires_grad_()
    informations = split_code_kl(logits)[0].mean(), CodeTable.from_logits(logits).information
    torch.testing.assert_close(*(torch.autograd.grad(information, logits) for information in informations))


def test_a_pool_lets_small_batches_see_all_codes(generator):
    logits = 20 * (torch.randint(0, 2, (256, 4), generator=generator) - 0.5)
    pool = CodePool(n_bits=4, batch_size=8)
    alone = split_code_kl(logits[:8])[0].mean()
    for batch in logits.split(8):
        pooled, _ = split_code_kl(batch, pool)
    assert alone <= math.log(8) + 1e-6
    assert pooled.mean() > math.log(8)
    assert pool.past.shape == (7, 16)


def test_a_pool_of_one_large_batch_remembers_nothing(generator):
    pool = CodePool(n_bits=2, batch_size=64)
    split_code_kl(torch.randn(64, 2, generator=generator), pool)
    assert pool.past is None


def test_code_divergence_is_both_kls_added(generator):
    a, b = torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator)
    p, q = Bernoulli(logits=a), Bernoulli(logits=b)
    torch.testing.assert_close(code_divergence(a, b), (kl_divergence(p, q) + kl_divergence(q, p)).sum(dim=1))


def test_exact_reconstruction_and_its_gradient_through_the_model_are_the_expectation_over_hard_codes(x):
    model = tiny_model(n_reals=0, n_bits=6)
    ours = loss_terms(model, x, ObjectiveConfig(estimator="exact")).values["reconstruction"]
    by_hand = torch.zeros(7)
    for code in all_codes(6):
        prob = Bernoulli(logits=model.encode(x).bit_logits).log_prob(code.expand(7, -1)).sum(1).exp()
        by_hand = by_hand + prob * model.reconstruction_loss(x, torch.zeros(7, 0), code.expand(1, 7, -1))[0]
    torch.testing.assert_close(ours, by_hand)
    gradients = [torch.autograd.grad(loss.sum(), model.encoder[-1].weight)[0] for loss in (ours, by_hand)]
    torch.testing.assert_close(*gradients)


STILL = {"rotation": 0, "shear": 0, "scale": 0, "shift": 0}


def test_a_pose_of_no_amount_leaves_the_image(generator):
    x = torch.rand(3, 1, 28, 28, generator=generator)
    torch.testing.assert_close(random_pose(x, PoseConfig(**STILL), generator), x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("amount", ["rotation", "shear", "scale", "shift", "elastic", "contrast", "specks"])
def test_each_amount_of_the_pose_changes_the_image(amount, generator):
    x = torch.rand(3, 1, 28, 28, generator=generator)
    moved = random_pose(x, PoseConfig(**STILL | {amount: 10 if amount == "rotation" else 0.2}), generator)
    assert (moved - x).abs().mean() > 0.02


def test_specks_are_a_share_of_the_pixels_of_every_brightness(generator):
    pose = PoseConfig(**STILL | {"specks": 0.2})
    black = random_pose(torch.zeros(50, 1, 28, 28), pose, generator)
    assert float((black > 1e-3).float().mean()) == pytest.approx(0.2, abs=0.01)
    lit = black[black > 1e-3]
    assert float(lit.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(lit.max()) > 0.95
    white = random_pose(torch.ones(50, 1, 28, 28), pose, generator)
    assert float((white < 0.999).float().mean()) == pytest.approx(0.2, abs=0.01)


def test_mirrored_poses_are_the_image_or_its_mirror_image(generator):
    x = torch.rand(50, 1, 9, 9, generator=generator)
    posed = random_pose(x, PoseConfig(**STILL | {"mirror": True}), generator)
    same = torch.tensor([torch.allclose(a, b, atol=1e-4) for a, b in zip(posed, x, strict=True)])
    mirrored = torch.tensor([torch.allclose(a, b.flip(2), atol=1e-4) for a, b in zip(posed, x, strict=True)])
    assert (same ^ mirrored).all()
    assert 10 < int(same.sum()) < 40


def test_a_shift_moves_a_dot_by_at_most_its_share_of_the_half_width(generator):
    x = torch.zeros(200, 1, 32, 32)
    x[:, :, 16, 16] = 1
    moved = random_pose(x, PoseConfig(**STILL | {"shift": 0.25}), generator)
    columns = (moved.sum(dim=2) * torch.arange(32)).sum(dim=2) / moved.sum(dim=(2, 3))
    assert (columns - 16).abs().max() <= 0.25 * 16 + 0.5
    assert (columns - 16).abs().max() > 3


def test_a_weight_that_no_term_has_or_whose_term_was_not_computed_is_refused(x):
    terms = loss_terms(tiny_model(), x)
    with pytest.raises(ConfigError, match=r"no term has the weight 'beta' \(did you mean beta_z\?\)"):
        total_loss(terms, {"beta": 4})
    with pytest.raises(ConfigError, match="the term 'tc' was not computed; give loss_terms this weight too"):
        total_loss(terms, {"lambda_tc": 4})

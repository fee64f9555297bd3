"""The two kinds of latent, against torch.distributions and exact enumeration."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from mrvae_lib.model.codes import all_codes, log_code_probs
from mrvae_lib.model.latents import bit_flip_loss, concrete_bits, exact_loss, expected_loss, sample_normal
from mrvae_lib.model.vae import Posterior


def smooth_loss(codes):
    """Curved and with interactions, so that no estimator is right by luck; (S, B, K) to (S, B)."""
    weight = torch.linspace(-1, 1.5, codes.shape[2])
    curved = (codes @ weight - 0.3) ** 2 + 0.7 * codes[..., 0] * codes[..., -1]
    return curved * torch.tensor([1.0, 2.0]).repeat(codes.shape[1] // 2)


def enumerated_gradient(logits):
    logits = logits.clone().requires_grad_()
    exact_loss(smooth_loss, logits).sum().backward()
    return logits.grad


@pytest.fixture
def logits():
    return torch.tensor([[0.4, -1.0, 0.2, 2.0], [-0.6, 0.1, 1.2, -0.3]])


def test_kl_of_reals_equals_torch_distributions(generator):
    mu, logvar = torch.randn(5, 3, generator=generator), torch.randn(5, 3, generator=generator)
    expected = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0, 1))
    torch.testing.assert_close(Posterior(mu, logvar, mu[:, :0]).kl_reals(), expected)


def test_kl_of_bits_equals_torch_distributions(generator):
    logits = 3 * torch.randn(5, 4, generator=generator)
    expected = kl_divergence(Bernoulli(logits=logits), Bernoulli(probs=torch.full_like(logits, 0.5)))
    torch.testing.assert_close(Posterior(logits[:, :0], logits[:, :0], logits).kl_bits(), expected)


def test_kl_of_bits_and_its_gradient_are_finite_at_logits_of_200():
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    kl = Posterior(logits[:, :0], logits[:, :0], logits).kl_bits()
    kl.sum().backward()
    torch.testing.assert_close(kl, torch.tensor([[math.log(2), math.log(2), 0.0]]))
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("estimator", ["exact", "bit-flip", "concrete", "straight-through"])
def test_every_estimator_is_finite_at_logits_of_200(estimator, generator):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = expected_loss(smooth_loss, logits, estimator=estimator, generator=generator)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


def test_exact_loss_is_the_sum_over_all_codes(logits):
    by_hand = torch.zeros(2)
    for code in all_codes(4):
        prob = Bernoulli(logits=logits).log_prob(code.expand(2, -1)).sum(dim=1).exp()
        by_hand += prob * smooth_loss(code.expand(1, 2, -1))[0]
    torch.testing.assert_close(exact_loss(smooth_loss, logits), by_hand)


def test_bit_flip_has_the_loss_of_the_draw_and_averaged_over_every_draw_the_enumerated_gradient(logits):
    probs = log_code_probs(logits).exp()  # (2, 16)
    average = torch.zeros_like(logits)
    for i, code in enumerate(all_codes(4)):
        leaf = logits.clone().requires_grad_()
        loss = bit_flip_loss(smooth_loss, leaf, code.expand(2, -1))
        torch.testing.assert_close(loss, smooth_loss(code.expand(1, 2, -1))[0])
        loss.sum().backward()
        average += probs[:, i : i + 1] * leaf.grad
    torch.testing.assert_close(average, enumerated_gradient(logits))


@pytest.mark.parametrize(("estimator", "least_cosine"), [("concrete", 0.85), ("straight-through", 0.6)])
def test_biased_estimators_stay_in_a_band_of_the_enumerated_gradient(estimator, least_cosine, logits, generator):
    drawn = logits.repeat(4000, 1).requires_grad_()
    expected_loss(smooth_loss, drawn, estimator=estimator, temperature=2 / 3, generator=generator).sum().backward()
    mean = drawn.grad.view(4000, 2, 4).mean(dim=0)
    exact = enumerated_gradient(logits)
    assert torch.cosine_similarity(mean.flatten(), exact.flatten(), dim=0) > least_cosine
    assert 0.3 < mean.norm() / exact.norm() < 3


def test_straight_through_gradient_equals_the_gradient_by_the_probability(generator):
    logits = torch.tensor([[0.5, -0.5], [1.0, 2.0]], requires_grad=True)
    weight = torch.tensor([2.0, -3.0])
    expected_loss(lambda codes: codes @ weight, logits, estimator="straight-through", generator=generator).sum().backward()
    probs = torch.sigmoid(logits.detach())
    torch.testing.assert_close(logits.grad, weight * probs * (1 - probs))


def test_concrete_bits_become_hard_as_the_temperature_falls(generator):
    soft = concrete_bits(torch.zeros(1000, 1), 1e-3, generator)
    assert ((soft < 1e-3) | (soft > 1 - 1e-3)).float().mean() > 0.99


def test_without_bits_the_loss_is_called_once_and_nothing_is_drawn(generator):
    before = generator.get_state()
    loss = expected_loss(lambda codes: codes.sum(dim=2) + 3, torch.zeros(2, 0), estimator="concrete", generator=generator)
    torch.testing.assert_close(loss, torch.full((2,), 3.0))
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize(("n_bits", "name"), [(0, "exact"), (4, "exact"), (5, "bit-flip"), (12, "bit-flip"), (13, "concrete")])
def test_auto_chooses_the_cheapest_estimator_that_is_good_enough(n_bits, name):
    auto, chosen = (expected_loss(lambda codes: codes.exp().sum(dim=2), torch.linspace(-1, 2, n_bits)[None], estimator=estimator,
                                  generator=torch.Generator().manual_seed(1)) for estimator in ("auto", name))
    assert torch.equal(auto, chosen)


def test_an_unknown_estimator_is_named():
    with pytest.raises(ValueError, match="got 'gumbel'"):
        expected_loss(smooth_loss, torch.zeros(2, 2), estimator="gumbel")


def test_sampled_reals_have_the_posterior_mean_and_spread(generator):
    mu, logvar = torch.full((100_000, 1), 0.7), torch.full((100_000, 1), -1.2)
    z = sample_normal(mu, logvar, generator)
    assert abs(z.mean() - 0.7) < 0.01
    assert abs(z.std() / math.exp(-0.6) - 1) < 0.005  # so the variance within 1 %

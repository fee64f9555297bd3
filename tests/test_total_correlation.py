"""Total correlation of the reals: both estimates against a known value, and who may learn from them."""

import math

import pytest
import torch

from mrvae_lib.config import ObjectiveConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.total_correlation import Discriminator, shuffle_reals, stratified_tc
from mrvae_lib.objective import loss_terms, total_loss
from mrvae_lib.training.loop import train
from mrvae_lib.training.run import Adversary, start
from tests.conftest import At, History, tiny_images, tiny_model, tiny_run


def correlated_posteriors(n_images, rho, noise=0.3, seed=0):
    """Posteriors N(mu, noise^2) whose mean over images is N(0, [[1, rho], [rho, 1]]), a draw of each, and its TC."""
    generator = torch.Generator().manual_seed(seed)
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]]) - noise**2 * torch.eye(2)
    mu = torch.randn(n_images, 2, generator=generator) @ torch.linalg.cholesky(covariance).T
    z = mu + noise * torch.randn(n_images, 2, generator=generator)
    return z, mu, torch.full_like(mu, 2 * math.log(noise)), -0.5 * math.log(1 - rho**2)


def in_batches(z, mu, logvar, size):
    batches = zip(z.split(size), mu.split(size), logvar.split(size), strict=True)
    return float(torch.cat([stratified_tc(*batch, n_images=len(z)) for batch in batches]).mean())


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_over_the_whole_set_the_sampled_estimate_is_the_closed_form_of_a_gaussian(rho):
    z, mu, logvar, tc = correlated_posteriors(2048, rho)
    assert abs(in_batches(z, mu, logvar, 2048) - tc) < 0.05


def test_batches_estimate_too_low_and_less_so_the_larger_they_are():
    z, mu, logvar, tc = correlated_posteriors(4096, 0.8, noise=0.1)
    errors = [in_batches(z, mu, logvar, size) - tc for size in (64, 256, 1024)]
    assert errors[0] < errors[1] < errors[2] < 0
    z, mu, logvar, tc = correlated_posteriors(4096, 0.8, noise=0.3)
    assert -0.1 < in_batches(z, mu, logvar, 64) - tc < 0


@pytest.mark.parametrize("n", [40, 1])  # one image alone has no correlation
def test_the_sampled_estimate_is_the_mixture_of_torch_distributions_over_the_whole_set(n, generator):
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    z, mu, logvar = torch.randn(3, n, 3, generator=generator)
    equal, sigma = Categorical(torch.ones(n)), (0.5 * logvar).exp()
    joint = MixtureSameFamily(equal, Independent(Normal(mu, sigma), 1)).log_prob(z)
    singles = [MixtureSameFamily(equal, Normal(mu[:, d], sigma[:, d])).log_prob(z[:, d]) for d in range(3)]
    torch.testing.assert_close(stratified_tc(z, mu, logvar, n_images=n), joint - sum(singles), rtol=1e-4, atol=1e-5)


def test_shuffling_keeps_each_real_and_destroys_what_they_share(generator):
    z, *_ = correlated_posteriors(5000, 0.9)
    shuffled = shuffle_reals(z, generator)
    assert torch.equal(shuffled.sort(dim=0).values, z.sort(dim=0).values)
    assert torch.corrcoef(z.T)[0, 1] > 0.88
    assert abs(torch.corrcoef(shuffled.T)[0, 1]) < 0.05


@pytest.fixture
def discriminator():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Discriminator(2, (64, 64))


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_a_trained_discriminator_finds_the_closed_form_of_a_gaussian(rho, discriminator, generator):
    z, *_ = correlated_posteriors(8192, rho)
    adversary = Adversary(discriminator, 2e-3)
    for _ in range(10):
        for batch in z[torch.randperm(len(z), generator=generator)].split(256):
            adversary.step(batch, generator)
    unseen, _, _, tc = correlated_posteriors(8192, rho, seed=1)
    assert abs(discriminator(unseen).detach().mean() - tc) < 0.15


def test_neither_loss_leaves_a_gradient_on_the_other_network_and_the_models_reaches_the_encoder(discriminator, generator):
    model = tiny_model()
    terms = loss_terms(model, torch.rand(7, 1, 8, 8), ObjectiveConfig(), {"lambda_tc": 5}, discriminator=discriminator)
    discriminator.loss(terms.z, generator).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in discriminator.parameters())
    discriminator.zero_grad()
    terms.values["tc"].mean().backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert model.encoder[-1].weight.grad[:4].abs().sum() > 0
    torch.testing.assert_close(terms.values["tc"], discriminator(terms.z))


@pytest.mark.parametrize("with_discriminator", [False, True])
def test_lambda_tc_adds_its_share_of_tc_and_nothing_else_and_bits_have_no_part_in_it(with_discriminator, discriminator):
    network = discriminator if with_discriminator else None
    terms = loss_terms(tiny_model(), torch.rand(7, 1, 8, 8), ObjectiveConfig(), {"lambda_tc": 1}, discriminator=network)
    torch.testing.assert_close(total_loss(terms, {"lambda_tc": 3}) - total_loss(terms), 3 * terms.values["tc"].mean())
    assert torch.autograd.grad(terms.values["tc"].mean(), terms.posterior.bit_logits, allow_unused=True) == (None,)


def test_one_real_has_nothing_to_share_with_and_is_refused():
    with pytest.raises(ConfigError, match=r"lambda_tc prices what reals share, so model.n_reals must be >= 2, got 1"):
        load_config("digits", overrides=["objective.lambda_tc=1", "model.n_reals=1"])


def tc_run(estimator, lambda_tc=5.0, **train):
    config = tiny_run(**train)
    objective = {"lambda_tc": lambda_tc, "tc": estimator, "discriminator": {"hidden": [32, 32], "lr": 1e-3},
                 "beta_z": 1, "lambda_information": 0, "lambda_consistency": 0, "estimator": "exact"}
    return type(config).model_validate({**config.model_dump(), "objective": objective})


def crossing_bars(n=256):
    """8x8 pictures of an upright and a level bar whose places mostly go together: correlated factors, planted."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, 8, (n,), generator=generator)
    other = (first + torch.randint(-1, 2, (n,), generator=generator)).clamp(0, 7)
    images = torch.zeros(n, 1, 8, 8, dtype=torch.uint8)
    images[torch.arange(n), 0, :, first] = 255
    images[torch.arange(n), 0, other, :] = 255
    return ImageSet("bars", images)


def measured_tc(model, images):
    """TC(z) over all images at once, averaged over ten draws."""
    with torch.no_grad():
        posterior = model.encode(images.images.float() / 255)
        sigma = (0.5 * posterior.logvar).exp()
        draws = [posterior.mu + sigma * torch.randn(sigma.shape, generator=torch.Generator().manual_seed(i)) for i in range(10)]
        return float(torch.stack([stratified_tc(z, posterior.mu, posterior.logvar, len(images)) for z in draws]).mean())


@pytest.mark.parametrize("estimator", ["stratified", "discriminator"])
def test_training_with_lambda_tc_lowers_tc_where_factors_are_correlated(estimator):
    images = crossing_bars()
    settings = {"epochs": 60, "lr": 0.005, "batch_size": 64}
    free = measured_tc(train(tc_run(estimator, 0.0, **settings), images=images), images)
    priced = measured_tc(train(tc_run(estimator, 30.0, **settings), images=images), images)
    assert free > 0.2
    assert priced < 0.6 * free


def killed(run):
    raise KeyboardInterrupt


@pytest.mark.parametrize(("estimator", "told"), [("stratified", {"tc"}), ("discriminator", {"tc", "discriminator_loss"})])
def test_a_killed_run_tells_its_estimate_and_resumes_with_its_discriminator_bit_for_bit(tmp_path, estimator, told):
    undisturbed = History()
    expected = train(tc_run(estimator), images=tiny_images(), callbacks=[undisturbed])
    with pytest.raises(KeyboardInterrupt):
        train(tc_run(estimator), tmp_path / "run", images=tiny_images(), callbacks=[At(10, killed)])
    resumed = History()
    model = train(tc_run(estimator), tmp_path / "run", images=tiny_images(), callbacks=[resumed])
    assert all(torch.equal(a, b) for a, b in zip(expected.parameters(), model.parameters(), strict=True))
    assert resumed.rows == undisturbed.rows[-len(resumed.rows):]
    assert 0 < len(resumed.rows) < len(undisturbed.rows)
    assert told <= set(resumed.rows[-1])
    assert "lambda_tc" in resumed.rows[-1]["weights"]


def test_a_discriminator_does_not_change_the_models_first_weights():
    with_it, without = (start(tc_run(name), images=tiny_images()) for name in ("discriminator", "stratified"))
    assert with_it.adversary is not None
    assert without.adversary is None
    assert all(torch.equal(a, b) for a, b in zip(with_it.model.parameters(), without.model.parameters(), strict=True))

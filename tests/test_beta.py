"""What a project's beta multiplies: each source's formula, restated, says which beta of our loss it is."""

import pytest
import torch
import torch.nn.functional as F

from mrvae_lib.config import SourceConfig, load_config, parse_config, preset_names
from mrvae_lib.data import DATASETS, load_dataset
from mrvae_lib.dialects.beta import CONVENTIONS
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.likelihoods import Bernoulli
from mrvae_lib.model.vae import Posterior
from tests.test_cli import mrvae

SOURCES = {"vae-fc", "vae-conv", "dsprites-beta", "dsprites-fc", "xys-stacked", "dsprites-capacity", "dsprites-burgess",
           "fashion-fc", "fashion-cnn", "mnist-jointvae"}


def sum_sum(x, output, mu, logvar, n_images):
    """DejasDejas/MR_VAE: both terms summed over everything."""
    bce = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
    return bce, -0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp())


def sum_mean(x, output, mu, logvar, n_images):
    """Near32/PYTORCH_VAE: BCE summed over batch and pixels, KL summed over latents and averaged over the batch."""
    bce = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
    return bce, torch.mean(0.5 * torch.sum(mu**2 + logvar.exp() - logvar - 1, dim=1))


def pixel_sum_batch_mean(x, output, mu, logvar, n_images):
    """miyosuda, AndrewSpano (as its B-VAE was meant): pixels summed, batch averaged."""
    p = torch.sigmoid(output)
    bce = -(x * torch.log(p + 1e-10) + (1 - x) * torch.log(1 - p + 1e-10)).sum(dim=(1, 2, 3)).mean()
    return bce, (0.5 * (logvar.exp() + mu**2 - 1 - logvar)).sum(dim=1).mean()


def mean_times_set_size(x, output, mu, logvar, n_images):
    """AxelNathanson: BCE averaged over batch and pixels, beta * kl_weight * KL with kl_weight = batch / set size."""
    bce = F.binary_cross_entropy_with_logits(output, x)
    return bce, (len(x) / n_images) * (-0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=1)).mean()


def joint_vae(x, output, mu, logvar, n_images):
    """Schlumberger/joint-vae: BCE averaged over pixels and channels times H W, plus gamma KL, all divided by H W."""
    n_pixels = x.shape[2] * x.shape[3]
    bce = n_pixels * F.binary_cross_entropy_with_logits(output, x)
    kl = (-0.5 * (1 + logvar - mu**2 - logvar.exp())).mean(dim=0).sum()
    return bce / n_pixels, kl / n_pixels


FORMULAS = {"batch-sum": sum_sum, "kl-batch-mean": sum_mean, "per-image": pixel_sum_batch_mean,
            "dataset-size": mean_times_set_size, "joint-vae": joint_vae}


def terms(source, shape, generator):
    """Reconstruction and KL of one batch in double precision, as our loss has them and as the source's does."""
    x, output = torch.rand(2, source.batch_size, *shape, generator=generator, dtype=torch.float64)
    mu, logvar = torch.randn(2, source.batch_size, 4, generator=generator, dtype=torch.float64)
    ours = Bernoulli().nll(output[None], x).mean(), Posterior(mu, logvar, mu[:, :0]).kl_reals().sum(dim=1).mean()
    return ours, FORMULAS[source.convention](x, output, mu, logvar, source.n_images)


def beta_eff(source, shape):
    """The beta of our loss that trains as the source's did."""
    ours, theirs = terms(source, shape, torch.Generator().manual_seed(0))
    factor, kl_factor = (their / our for our, their in zip(ours, theirs, strict=True))
    return float(source.beta * kl_factor / factor / source.white)


@pytest.mark.parametrize("convention", CONVENTIONS | FORMULAS)
def test_the_sources_loss_is_ours_at_beta_eff_up_to_its_overall_factor(convention, generator):
    source, shape = SourceConfig(beta=4, convention=convention, batch_size=7, n_images=90), (3, 8, 6)
    beta, losses = beta_eff(source, shape), []
    for _ in range(2):
        ours, theirs = terms(source, shape, generator)
        losses.append((theirs[0] + source.beta * theirs[1]) / (ours[0] + beta * ours[1]))
    torch.testing.assert_close(*losses, rtol=1e-7, atol=0)


@pytest.mark.parametrize(("beta", "convention", "batch_size", "n_images", "shape", "expected"), [
    (1, "batch-sum", 32, 60_000, (1, 28, 28), 1),
    (5000, "kl-batch-mean", 16, 1, (3, 256, 256), 312.5),
    (4, "kl-batch-mean", 128, 737_280, (1, 64, 64), 0.03125),
    (0.01, "dataset-size", 256, 48_000, (1, 28, 28), 0.0418),
    (0.1, "dataset-size", 256, 48_000, (1, 28, 28), 0.418),
    (150, "per-image", 16, 60_000, (1, 28, 28), 150),
    (100, "joint-vae", 64, 202_599, (3, 32, 32), 300),
])
def test_stated_betas_of_the_sources_convert_to_the_published_ones(beta, convention, batch_size, n_images, shape, expected):
    source = SourceConfig(beta=beta, convention=convention, batch_size=batch_size, n_images=n_images)
    assert beta_eff(source, shape) == pytest.approx(expected, rel=1e-3)


def test_the_set_size_convention_depends_on_the_batch_and_the_others_that_average_do_not():
    def effective(convention, batch_size):
        return beta_eff(SourceConfig(beta=1, convention=convention, batch_size=batch_size, n_images=1000), (1, 8, 8))

    assert effective("dataset-size", 64) == pytest.approx(2 * effective("dataset-size", 32))
    assert effective("per-image", 64) == pytest.approx(effective("per-image", 32))


@pytest.mark.parametrize(("change", "message"), [
    ({"convention": "mean"}, "source.convention must be 'per-image'.* got 'mean'"),
    ({"batch_size": 0}, "source.batch_size must be >= 1, got 0"),
    ({"bta": 1}, r"unknown key source.bta \(did you mean beta\?\)"),
])
def test_a_bad_source_table_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        parse_config({"source": {"beta": 1, "convention": "per-image", "batch_size": 1, "n_images": 1, **change}})


def shown(name):
    """What `mrvae presets` prints, each line as its words with one space after each."""
    return [" ".join([*line.split(), ""]) for line in mrvae("presets", name).output.splitlines()]


@pytest.mark.parametrize("name", sorted(SOURCES.union(name for name in preset_names() if load_config(name).source)))
def test_a_presets_price_of_the_kl_is_its_sources_converted_and_shown_beside_the_beta_stated_there(name):
    config = load_config(name)
    price, source = config.objective.gamma_z or config.objective.beta_z, config.source
    beta = beta_eff(source, DATASETS[config.data.name].shape)
    assert price == pytest.approx(beta, rel=1e-3)
    assert source.project
    for told in (f"stated beta {source.beta:g} ", f"beta_eff {beta:.4g} ", "beta_norm "):
        assert any(line.startswith(told) for line in shown(name)), told


@pytest.mark.parametrize("name", ["digits", "dsprites", "xys", "xys-full", "xys-256"])
def test_image_shapes_known_without_loading_are_those_that_load(name):
    assert load_dataset(name).image_shape == DATASETS[name].shape


@pytest.mark.parametrize(("name", "betas"), [
    ("fashion-beta-vae", ["n_reals = 3 ", "stated beta 0.1 ", "beta_eff 0.4181 ", "beta_norm 0.0016 "]),
    ("ini-fashion-mnist", ["n_reals = 2 ", "stated beta 10 "]),
    ("ini-mnist", ["n_reals = 2 ", "stated beta 1 "]),
    ("digits", ["n_reals = 10 ", "beta_eff 16 -> 1 "]),
])
def test_a_preset_or_an_ini_file_is_shown_with_its_settings_its_betas_and_its_sources(name, betas):
    for told in betas:
        assert any(line.startswith(told) for line in shown(name)), told
    assert any("stated beta" in line for line in shown(name)) == (name != "digits")


def test_what_is_shown_is_a_file_that_can_be_trained(tmp_path):
    (tmp_path / "mine.toml").write_text(mrvae("presets", "digits").output.partition("What beta means here")[0])
    assert load_config(tmp_path / "mine.toml") == load_config("digits")


def test_showing_a_preset_that_is_not_there_is_one_line():
    result = mrvae("presets", "digitz")
    assert result.exit_code == 2
    assert "did you mean digits?" in result.output

"""The model: shapes at every size, both kinds of latent optional, errors that name what came."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mrvae_lib.config import ModelConfig
from mrvae_lib.model.latents import sample_bits
from mrvae_lib.model.likelihoods import Bernoulli, Gaussian, MseTanh
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import loss_terms, total_loss
from tests.conftest import tiny_model, tiny_run


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("shape", [*((n, side, side) for n in (1, 3) for side in (8, 28, 50, 256)), (1, 20, 33)])
def test_decoded_pictures_have_the_shape_of_the_images_which_need_not_be_square(network, shape):
    x = torch.rand(2, *shape)
    reconstruction = tiny_model(shape=shape, network=network).reconstruct(x)
    assert reconstruction.shape == x.shape
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()


@pytest.mark.parametrize(("n_reals", "n_bits"), [(3, 0), (0, 4), (2, 3)])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "mse-tanh"])
def test_either_kind_of_latent_may_be_absent(n_reals, n_bits, likelihood):
    model = tiny_model(n_reals, n_bits, likelihood=likelihood)
    posterior = model.encode(torch.rand(5, 1, 8, 8))
    assert posterior.mu.shape == posterior.logvar.shape == (5, n_reals)
    assert posterior.bit_logits.shape == posterior.bits.shape == (5, n_bits)
    total_loss(loss_terms(model, torch.rand(5, 1, 8, 8), tiny_run().objective)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_every_weight_gets_a_gradient_that_is_not_zero(generator):
    for network in ("mlp", "conv"):
        model = tiny_model(2, 3, network=network).train()
        x = torch.rand(16, 1, 8, 8, generator=generator)
        total_loss(loss_terms(model, x, tiny_run().objective, generator=generator)).backward()
        assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


def test_a_code_is_hard_when_encoded_and_when_drawn(generator):
    posterior = tiny_model().encode(torch.rand(50, 1, 8, 8, generator=generator))
    for bits in (posterior.bits, sample_bits(posterior.bit_logits, generator)):
        assert set(bits.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 257, 257), (2, 28, 28)])
def test_images_outside_the_range_are_refused_by_shape(shape):
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        tiny_model(shape=shape)


@pytest.mark.parametrize("size", [1, 30, 1000])
def test_bernoulli_nll_and_its_gradient_equal_torch_binary_cross_entropy(generator, size):
    output, x = size * torch.randn(3, 2, 1, 8, 8, generator=generator), torch.rand(2, 1, 8, 8, generator=generator)
    outputs = [output.clone().requires_grad_() for _ in range(2)]
    ours = Bernoulli().nll(outputs[0], x)
    theirs = F.binary_cross_entropy_with_logits(outputs[1], x.expand_as(output), reduction="none").flatten(2).sum(2)
    torch.testing.assert_close(ours, theirs)
    weights = torch.rand(3, 2, generator=generator)
    (weights * ours).sum().backward()
    (weights * theirs).sum().backward()
    torch.testing.assert_close(outputs[0].grad, outputs[1].grad)


def test_gaussian_nll_equals_torch_distributions(generator):
    likelihood = Gaussian(spread=0.2)
    output, x = torch.randn(3, 2, 1, 8, 8, generator=generator), torch.rand(2, 1, 8, 8, generator=generator)
    normal = torch.distributions.Normal(torch.sigmoid(output), 0.2)
    torch.testing.assert_close(likelihood.nll(output, x), -normal.log_prob(x).flatten(2).sum(2))


def test_mse_tanh_is_the_squared_error_of_the_rescaled_image_and_shows_it_in_0_to_1(generator):
    output, x = torch.randn(1, 2, 1, 8, 8, generator=generator), torch.rand(2, 1, 8, 8, generator=generator)
    expected = F.mse_loss(torch.tanh(output[0]), 2 * x - 1, reduction="none").flatten(1).sum(dim=1)
    torch.testing.assert_close(MseTanh().nll(output, x)[0], expected)
    torch.testing.assert_close(MseTanh().pixels(torch.atanh(2 * x - 1)), x)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255), (float("nan"), 1)])
def test_pixels_out_of_range_are_refused_with_what_to_do(low, high):
    x = torch.rand(2, 1, 8, 8)
    x[0, 0, 0, 0], x[1, 0, 0, 0] = low, high
    with pytest.raises(ValueError, match=r"encode takes pixels in \[0, 1\], got .* images.floats"):
        tiny_model().encode(x)


def test_without_bits_it_is_the_plain_vae_bit_for_bit():
    config = tiny_run().objective.model_copy(update={"estimator": "concrete"})
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    ours = MRVAE((1, 8, 8), ModelConfig(n_reals=2, n_bits=0, hidden=(16,)))
    torch.manual_seed(3)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
    decoder = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 64))

    loss = total_loss(loss_terms(ours, x, config, generator=torch.Generator().manual_seed(5)))
    loss.backward()

    mu, logvar = encoder(x).split(2, dim=1)
    noise = torch.randn(6, 2, generator=torch.Generator().manual_seed(5))
    output = decoder(mu + (0.5 * logvar).exp() * noise)
    reconstruction = Bernoulli().nll(output.reshape(1, *x.shape), x).mean()
    plain = reconstruction + (0.5 * (mu**2 + logvar.exp() - 1 - logvar)).sum(dim=1).mean()
    plain.backward()

    assert loss.item() == plain.item()
    theirs = [*encoder.parameters(), *decoder.parameters()]
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours.parameters(), theirs, strict=True))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("weights", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_reals", [2, 6])  # with 6 a model can place what it draws
def test_encode_and_decode_take_real_numbers_of_any_kind(kind, as_array, weights, n_reals):
    if as_array and kind is torch.bfloat16:
        kind = torch.float64  # which numpy has
    model = tiny_model(n_reals, posed=n_reals > 5)
    x, z, b = torch.rand(2, *model.image_shape), torch.randn(2, n_reals), torch.ones(2, 3)
    expected = model.encode(x).mu, model.decode(z, b)
    model = model.to(weights)
    given = [values.to(kind).numpy() if as_array else values.to(kind) for values in (x, z, b)]
    found = model.encode(given[0]).mu, model.decode(*given[1:])
    for then, now in zip(expected, found, strict=True):
        assert now.dtype == torch.float32
        assert torch.allclose(then, now, atol=0.02)
    assert torch.equal(model.decode(z, b), model.decode(z, b.bool()))


@pytest.mark.parametrize(("call", "message"), [
    (lambda m, x, z, b: m.decode(z, b[:1]), r"decode takes z \(B, 2\) and b \(B, 3\), got \(2, 2\) and \(1, 3\)"),
    (lambda m, x, z, b: m.decode([1], b), "z must be a tensor or numpy array of real numbers, got list"),
    (lambda m, x, z, b: m.decode(z + 0j, b), "z must be .*complex64"), (lambda m, x, z, b: m.decode(z, np.array(["a"])), "b must be .*<U1"),
    (lambda m, x, z, b: m.encode(None), "x must be .*NoneType"),
    (lambda m, x, z, b: m.encode((255 * x).byte()), r"encode takes float images \(B, 1, 8, 8\).*uint8"),
    (lambda m, x, z, b: m.decode(b, b), r"z \(B, 2\) and b \(B, 3\), got \(2, 3\) and \(2, 3\)"),
])
def test_the_models_door_says_in_one_line_what_it_takes(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(tiny_model(), torch.rand(2, 1, 8, 8), torch.randn(2, 2), torch.ones(2, 3))
    assert "\n" not in str(caught.value)

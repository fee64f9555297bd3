"""Source 004's configuration files: all keys, every mistake by section.key, networks that close, and a beta that acts."""

import random
from dataclasses import replace

import pytest
import torch

from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.config import ModelConfig, dump_config, load_config, preset_names
from mrvae_lib.dialects.ini import Architecture, IniFile, mirrored_layers
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import loss_terms, total_loss, weights_at
from mrvae_lib.training.checkpoints import load_model
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images
from tests.test_cli import mrvae

SMALL = """
[configuration]
dataset = MNIST
path = somewhere
[architecture]
conv_layers = 2
conv_channels = [4, 6]
conv_kernel_sizes = [(5, 5), (3, 4)]
conv_strides = [(2, 2), (3, 2)]
conv_paddings = ((1, 3), (0, 0),)
z_dimension = 2
[hyperparameters]
epochs = 4
batch_size = 16
learning_rate = 1e-3
beta = 2.5
"""


@pytest.fixture
def ini(tmp_path, monkeypatch):
    monkeypatch.setattr("mrvae_lib.data.load_dataset", lambda name, split: tiny_images(shape=(1, 28, 28)))

    def write(old="", new=""):
        assert old in SMALL
        path = tmp_path / "small.cfg"
        path.write_text(SMALL.replace(old, new) if old else SMALL)
        return path

    return write


def test_every_key_of_a_file_reaches_the_run_with_lists_as_python_writes_lists_and_tuples(ini):
    run = IniFile.read(ini()).run("B-VAE")
    assert run.data.name == "mnist"
    assert (run.model.n_reals, run.model.n_bits) == (2, 0)
    assert run.model.encoder == ("conv 4 k5x5 s2x2 p1x3, leaky 0.15, batchnorm",
                                 "conv 6 k3x4 s3x2 p0x0, leaky 0.15, batchnorm")
    assert (run.train.epochs, run.train.batch_size, run.objective.beta_z) == (4, 16, 2.5)
    assert sum(run.train.lr, ()) == pytest.approx((0, 1e-3, 0.5, 1e-3, 0.5, 1e-4, 1, 1e-4))
    assert IniFile.read(ini()).configuration.path == "somewhere"


def test_the_variation_vae_ignores_beta_and_one_epoch_keeps_its_learning_rate(ini):
    assert IniFile.read(ini()).run("VAE").objective.beta_z == 1
    assert IniFile.read(ini("epochs = 4", "epochs = 1")).run("VAE").train.lr == ((0, 1e-3), (1, 1e-3))


@pytest.mark.parametrize(("old", "new", "message"), [
    ("dataset = MNIST", "dataset = SVHN", "configuration.dataset must be 'MNIST', 'FashionMNIST' or 'CIFAR10', got 'SVHN'"),
    ("path = somewhere\n", "", "configuration.path is missing"),
    ("path = somewhere", "path =", "configuration.path must be a folder, got ''"),
    ("conv_layers = 2", "conv_layers = 3", "architecture.conv_channels must have 3 entries, got 2"),
    ("conv_layers = 2", "conv_layers = two", "architecture.conv_layers must be a whole number"),
    ("[4, 6]", "[4, 6.5]", "architecture.conv_channels must be a list of whole numbers >= 1 such as [16, 32, 64], got"),
    ("[4, 6]", "[4, 6", "architecture.conv_channels must be a list of whole numbers"),
    ("[4, 6]", "[4, 0]", "architecture.conv_channels"),
    ("(3, 4)]", "3]", "architecture.conv_kernel_sizes must be a list of pairs of whole numbers"),
    ("(3, 4)]", "(3, 0)]", "architecture.conv_kernel_sizes must be a list of pairs of whole numbers >= 1"),
    ("[(2, 2), (3, 2)]", "[(2, 2)]", "architecture.conv_strides must have 2 entries"),
    ("(3, 2)]", "(0, 2)]", "architecture.conv_strides must be a list of pairs of whole numbers >= 1"),
    ("(1, 3),", "(1, -3),", "architecture.conv_paddings must be a list of pairs"),
    ("z_dimension = 2", "z_dimension = 0", "architecture.z_dimension must be >= 1, got '0'"),
    ("z_dimension = 2", "z_dim = 2", "architecture.z_dimension is missing"),
    ("epochs = 4", "epochs = 0", "hyperparameters.epochs must be >= 1"),
    ("batch_size = 16", "batch_size = 1.5", "hyperparameters.batch_size must be a whole number"),
    ("learning_rate = 1e-3", "learning_rate = 0", "hyperparameters.learning_rate must be > 0"),
    ("learning_rate = 1e-3", "learning_rate = 1e999", "hyperparameters.learning_rate must be a finite number, got '1e999'"),
    ("beta = 2.5", "beta = inf", "hyperparameters.beta must be a finite number, got 'inf'"),
    ("beta = 2.5", "beta = -1", "hyperparameters.beta must be >= 0"),
    ("beta = 2.5", "gamma = 2.5", "unknown key hyperparameters.gamma; accepted here: epochs, batch_size, learning_rate, beta"),
    ("[hyperparameters]", "[training]", "hyperparameters is missing"),
    ("[configuration]", "", "cannot be read as an INI file"),
    ("beta = 2.5", "beta = 2.5\nbeta = 3", "cannot be read as an INI file"),
])
def test_a_mistake_is_one_line_with_section_and_key(ini, old, new, message):
    with pytest.raises(ConfigError) as caught:
        IniFile.read(ini(old, new))
    assert message in str(caught.value)
    assert "small.cfg: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_beta_and_another_variation_are_refused(ini):
    file = IniFile.read(ini("beta = 2.5", ""))
    assert file.run("VAE") == file.run()
    with pytest.raises(ConfigError, match=r"hyperparameters\.beta is missing: the variation B-VAE needs it"):
        file.run("B-VAE")
    with pytest.raises(ConfigError, match="variation must be VAE or B-VAE, got 'beta'"):
        file.run("beta")


@pytest.mark.parametrize("name", preset_names(".ini"))
def test_a_shipped_example_is_a_run_that_toml_can_say(name, tmp_path):
    (tmp_path / "run.toml").write_text(dump_config(IniFile.read(name).run()))
    assert load_config(tmp_path / "run.toml") == IniFile.read(name).run()


def random_architecture(draw):
    """1 to 4 convolutions with rectangular kernels, strides and paddings."""
    n = draw.randint(1, 4)

    def pairs(low, high):
        return str([(draw.randint(low, high), draw.randint(low, high)) for _ in range(n)])

    return Architecture(conv_layers=n, conv_channels=str([draw.randint(1, 3) for _ in range(n)]), z_dimension=2,
                        conv_kernel_sizes=pairs(1, 7), conv_strides=pairs(1, 3), conv_paddings=pairs(0, 3))


def closes(net, shape):
    """Whether torch itself can run the convolutions, and the first one's transpose on the image."""
    layers = list(zip(net.conv_channels, net.conv_kernel_sizes, net.conv_strides, net.conv_paddings, strict=True))
    x = image = torch.zeros(1, *shape, device="meta")
    try:
        for channels, *sizes in layers:
            x = torch.nn.Conv2d(x.shape[1], channels, *sizes, device="meta")(x)
        torch.nn.ConvTranspose2d(shape[0], 1, *layers[0][1:], device="meta")(image)
    except RuntimeError:
        return False
    return min(x.shape) > 0


def test_200_random_mirrored_networks_return_to_the_images_shape_or_name_the_layer_that_cannot():
    draw, legal, illegal = random.Random(0), 0, 0
    while legal < 200:
        net, shape = random_architecture(draw), (draw.choice((1, 3)), draw.randint(8, 24), draw.randint(8, 24))
        encoder, decoder = mirrored_layers(net, shape)
        config = ModelConfig(n_reals=2, n_bits=0, network="layers", encoder=encoder, decoder=decoder)
        if closes(net, shape):
            assert MRVAE(shape, config).eval().reconstruct(torch.rand(2, *shape)).shape == (2, *shape)
            legal += 1
        else:
            with pytest.raises(ConfigError, match=r"(en|de)coder: layer \d+, '(de)?conv .*', reaches \d+x-?\d+x-?\d+ from"):
                MRVAE(shape, config)
            illegal += 1
    assert illegal > 20


def loss_and_kl(model, run, x):
    """Of one batch with one draw of noise; terms of single precision, added up in double."""
    weights = weights_at(run.objective, 0)
    terms = loss_terms(model, x, run.objective, weights, generator=torch.Generator().manual_seed(0))
    terms = replace(terms, values={name: value.double() for name, value in terms.values.items()})
    return total_loss(terms, weights), terms.values["kl_z"].mean()


@pytest.mark.parametrize("beta", [4, 2.5, 150])
def test_beta_reaches_the_loss_as_so_many_more_times_the_kl(ini, beta):
    file = IniFile.read(ini("beta = 2.5", f"beta = {beta}"))
    plain, weighted = file.run("VAE"), file.run("B-VAE")
    torch.manual_seed(0)
    model = MRVAE((1, 28, 28), plain.model).eval()
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    (one, kl), (more, _) = loss_and_kl(model, plain, x), loss_and_kl(model, weighted, x)
    assert kl > 0
    torch.testing.assert_close(more - one, (beta - 1) * kl, rtol=1e-6, atol=0)


def test_a_larger_beta_trains_to_a_lower_kl(ini):
    file = IniFile.read(ini("beta = 2.5", "beta = 4"))
    images = tiny_images(320, shape=(1, 28, 28))
    settings = ["train.lr=3e-3", "train.device=cpu", "train.precision=fp32"]
    models = [train(file.run(variation, settings), images=images) for variation in ("VAE", "B-VAE")]
    plain, weighted = (encode_set(model, images).kl_reals().sum(dim=1).mean() for model in models)
    assert 0 < weighted < 0.8 * plain


def test_the_command_and_a_notebook_train_the_same_model_from_one_ini_file(ini, tmp_path, monkeypatch):
    monkeypatch.setenv("MRVAE_DATA", "unused")
    result = mrvae("train", "-c", ini(), "-v", "B-VAE", "--out", tmp_path / "run", "--set", "train.epochs=1", "--set",
                   "train.device=cpu")
    assert result.exit_code == 0, result.output
    assert load_config(tmp_path / "run" / "config.toml").objective.beta_z == 2.5
    config = IniFile.read(ini()).run(overrides=["train.epochs=1", "train.device=cpu"])
    in_a_notebook = train(config, images=tiny_images(shape=(1, 28, 28)))
    by_command = load_model(tmp_path / "run")
    torch.testing.assert_close(in_a_notebook.state_dict(), by_command.state_dict(), rtol=0, atol=0, check_dtype=False)


def test_a_network_that_is_too_large_for_its_images_is_one_line_on_the_command_line(ini, tmp_path):
    result = mrvae("train", "-c", ini("(3, 4)]", "(30, 4)]"), "-v", "VAE", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert result.stderr == "mrvae: model.encoder: layer 4, 'conv 6 k30x4 s3x2 p0x0', reaches 6x-5x6 from 4x13x15\n"

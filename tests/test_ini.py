"""Source 004's configuration files: all keys, every mistake by section.key, both ways, and a beta that acts."""

from dataclasses import replace

import pytest
import torch
from mrvae_lib.training.schedules import weights_at

from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.config import ConfigError, changed, load_config
from mrvae_lib.ini import IniFile, convert, example_names
from mrvae_lib.interactive.settings import ConfigPanel
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import loss_terms, total_loss
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
conv_paddings = [(1, 3), (0, 0)]
z_dimension = 2
[hyperparameters]
epochs = 4
batch_size = 16
learning_rate = 1e-3
beta = 2.5
"""


@pytest.fixture
def ini(tmp_path):
    def write(old="", new=""):
        assert old in SMALL
        path = tmp_path / "small.cfg"
        path.write_text(SMALL.replace(old, new) if old else SMALL)
        return path

    return write


def test_every_key_of_a_file_reaches_the_run(ini):
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
    assert IniFile.read(ini("epochs = 4", "epochs = 1")).run("VAE").train.lr == 1e-3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dataset = MNIST", "dataset = SVHN", "configuration.dataset must be 'MNIST', 'FashionMNIST' or 'CIFAR10', got 'SVHN'"),
        ("path = somewhere\n", "", "configuration.path is missing"),
        ("path = somewhere", "path =", "configuration.path must be a folder, got ''"),
        ("conv_layers = 2", "conv_layers = 3", "architecture.conv_channels must have 3 entries, as conv_layers says, got 2"),
        ("conv_layers = 2", "conv_layers = two", "architecture.conv_layers must be a valid integer"),
        ("[4, 6]", "[4, 6.5]", "architecture.conv_channels must be a list of whole numbers >= 1 such as [16, 32, 64], got"),
        ("[4, 6]", "[4, 6", "architecture.conv_channels must be a list of whole numbers"),
        ("[4, 6]", "[4, 0]", "architecture.conv_channels"),
        ("(3, 4)]", "3]", "architecture.conv_kernel_sizes must be a list of pairs of whole numbers such as"),
        ("(3, 4)]", "(3, 0)]", "architecture.conv_kernel_sizes must be >= 1 everywhere, got 0"),
        ("[(2, 2), (3, 2)]", "[(2, 2)]", "architecture.conv_strides must have 2 entries"),
        ("(3, 2)]", "(0, 2)]", "architecture.conv_strides must be >= 1 everywhere, got 0"),
        ("(1, 3),", "(1, -3),", "architecture.conv_paddings must be a list of pairs"),
        ("(3, 4)]", "(30, 4)]", "architecture: encoder: layer 4, 'conv 6 k30x4 s3x2 p0x0', reaches 6x-5x6 from 4x13x15"),
        ("z_dimension = 2", "z_dimension = 0", "architecture.z_dimension must be >= 1, got '0'"),
        ("z_dimension = 2", "z_dim = 2", "architecture.z_dimension is missing"),
        ("epochs = 4", "epochs = 0", "hyperparameters.epochs must be >= 1"),
        ("batch_size = 16", "batch_size = 1.5", "hyperparameters.batch_size must be a valid integer"),
        ("learning_rate = 1e-3", "learning_rate = 0", "hyperparameters.learning_rate must be > 0"),
        ("learning_rate = 1e-3", "learning_rate = 1e999", "hyperparameters.learning_rate must be a finite number, got '1e999'"),
        ("beta = 2.5", "beta = inf", "hyperparameters.beta must be a finite number, got 'inf'"),
        ("beta = 2.5", "beta = -1", "hyperparameters.beta must be >= 0, got '-1'"),
        ("beta = 2.5", "gamma = 2.5", "unknown key hyperparameters.gamma; accepted here: epochs, batch_size, learning_rate, beta"),
        ("[hyperparameters]", "[training]", "hyperparameters is missing"),
        ("[configuration]", "", "not a valid INI file"),
        ("beta = 2.5", "beta = 2.5\nbeta = 3", "not a valid INI file"),
    ],
)
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


@pytest.mark.parametrize("name", example_names())
def test_a_shipped_example_survives_toml_and_its_own_format(name, tmp_path):
    file = IniFile.read(name)
    toml, again = convert(name, tmp_path / "run.toml"), tmp_path / "again.ini"
    assert load_config(toml) == file.run()
    assert IniFile.read(convert(toml, again)) == file
    assert IniFile.of_run(file.run(), path="data") == file


@pytest.mark.parametrize(("override", "message"), [
    ("train.seed=3", "cannot say train.seed = 3"),
    ("model.n_bits=2", "cannot say model.n_bits = 2"),
    ("objective.gamma_z=5", "cannot say objective.gamma_z = 5.0"),
    ("train.lr=[[0, 1e-3], [1, 1e-4]]", "cannot say train.lr"),
    ("objective.beta_z=[[0, 1], [1, 4]]", "cannot say objective.beta_z"),
    ("model.encoder=[\"conv 16 k7 s1 p1, relu\"]", "cannot say model.encoder"),
    ("data.name=digits", "holds convolutions on MNIST, FashionMNIST, CIFAR10, not layers on digits"),
])
def test_a_run_that_an_ini_file_cannot_say_is_refused_by_key(override, message, tmp_path):
    toml = convert("ini-mnist", tmp_path / "run.toml")
    with pytest.raises(ConfigError) as caught:
        IniFile.of_run(load_config(toml, overrides=[override]))
    assert message in str(caught.value)


def loss_and_kl(model, run, x):
    """Of one batch with one draw of noise; terms of single precision, added up in double."""
    weights = weights_at(run.objective, 0)
    terms = loss_terms(model, x, run.objective, weights, generator=torch.Generator().manual_seed(0))
    terms = replace(terms, reconstruction=terms.reconstruction.double(), kl_z=terms.kl_z.double())
    return total_loss(terms, weights), terms.kl_z.mean()


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
    kl = []
    for variation in ("VAE", "B-VAE"):
        run = file.run(variation)
        run = run.model_copy(update={"train": run.train.model_copy(update={"lr": 3e-3, "device": "cpu", "precision": "fp32"})})
        model = train(run, images=images)
        kl.append(encode_set(model, images).kl_reals().sum(dim=1).mean().item())
    assert 0 < kl[1] < 0.8 * kl[0]


def test_the_command_and_a_notebook_train_the_same_model_from_one_ini_file(ini, tmp_path, monkeypatch):
    monkeypatch.setenv("MRVAE_DATA", "unused")
    monkeypatch.setattr("mrvae_lib.data.load_dataset", lambda name, split: tiny_images(shape=(1, 28, 28)))
    result = mrvae("train", "-c", ini(), "-v", "B-VAE", "--out", tmp_path / "run", "--set", "train.epochs=1", "--device",
                   "cpu")
    assert result.exit_code == 0, result.output
    saved = load_config(tmp_path / "run" / "config.toml")
    assert saved.objective.beta_z == 2.5
    by_command = load_model(tmp_path / "run")
    panel = ConfigPanel()
    panel.load(ini())
    panel.fields["train.epochs"].value = "1"
    in_a_notebook = train(changed(panel.config, ["train.device=cpu"]), images=tiny_images(shape=(1, 28, 28)))
    for name, weight in in_a_notebook.state_dict().items():
        assert torch.equal(weight, by_command.state_dict()[name]), name


@pytest.mark.parametrize(("arguments", "message"), [
    (["-c", "ini-mnist"], "-c with an INI file and -v with VAE or B-VAE"),
    (["-v", "VAE"], "-c with an INI file"),
    ([], "train takes a preset"),
    (["digits", "-c", "ini-mnist", "-v", "VAE"], "train takes a preset"),
    (["-c", "ini-mnist", "-v", "GAN"], "variation must be VAE or B-VAE, got 'GAN'"),
    (["-c", "ini-mnist", "-v", "B-VAE"], "hyperparameters.beta is missing"),
    (["-c", "nowhere.cfg", "-v", "VAE"], "nowhere.cfg: cannot be read; give an INI file or one of the examples ini-"),
])
def test_a_wrong_command_is_one_line(arguments, message, monkeypatch):
    monkeypatch.setenv("MRVAE_DATA", "unused")
    result = mrvae("train", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_convert_on_the_command_line_goes_both_ways(tmp_path):
    assert mrvae("convert", "ini-cifar10", tmp_path / "a.toml").exit_code == 0
    assert mrvae("convert", tmp_path / "a.toml", tmp_path / "b.cfg").exit_code == 0
    assert IniFile.read(tmp_path / "b.cfg") == IniFile.read("ini-cifar10")
    refused = mrvae("convert", "ini-cifar10", tmp_path / "c.ini")
    assert refused.exit_code == 2
    assert "must be a .toml file, as ini-cifar10 is INI" in refused.stderr


def test_presets_list_the_examples():
    assert all(name in mrvae("presets").output for name in example_names())

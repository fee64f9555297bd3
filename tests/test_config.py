"""Configurations: what is accepted, what is refused, and in which words."""

import pytest
from pydantic import ValidationError

from mrvae_lib.config import RunConfig, dump_config, load_config, parse_config, preset_names, value_at
from mrvae_lib.errors import ConfigError
from mrvae_lib.objective import weights_at


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_whole_and_quick(name):
    whole, quick = load_config(name), load_config(name, quick=True)
    assert whole.about == quick.about != ""
    assert quick.train.epochs <= whole.train.epochs


def test_a_configuration_survives_toml(tmp_path):
    config = load_config("digits", overrides=["objective.beta_z=[[0,4],[1,2]]", "data.limit=100"])
    (tmp_path / "run.toml").write_text(dump_config(config))
    assert load_config(tmp_path / "run.toml") == config


def test_a_configuration_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().train.epochs = 3


@pytest.mark.parametrize(("override", "message"), [
    ("objective.beta_z=-1", "objective.beta_z must be a number >= 0, or points .* got -1"),
    ("objective.beta_z=[[0, 1], [2, 1]]", "objective.beta_z.* must be a number >= 0, or points"),
    ("objective.beta_z=inf", "objective.beta_z must be a number >= 0, or points .* got inf"),
    ("objective.temperature=inf", "objective.temperature must be a finite number, got inf"),
    ("objective.discriminator.lr=nan", "objective.discriminator.lr must be a finite number, got nan"),
    ("train.epochs=0", "train.epochs must be >= 1, got 0"),
    ("train.epochs=many", "train.epochs must be a whole number, got 'many'"),
    ("train.epochs=1.5", "train.epochs must be a whole number, got 1.5"),
    ("train.lr=[]", r"train.lr must be a number >= 0, or points .* got \[\]"),
    ("train.seed=20000000000000", "train.seed must be <= 1000000000000, got 20000000000000"),
    ("train.pictures=[0]", "train.pictures must be few, all, none, or a list of epochs >= 1, got "),
    ("objective.pose.mirror=7", "objective.pose.mirror must be true or false, got 7"),
    ("train=7", "train must be a table of settings, got 7"),
    ("train.epoch=3", r"unknown key train.epoch \(did you mean epochs\?\); accepted here: .*batch_size"),
    ("objective.pose.rotate=3", r"unknown key objective.pose.rotate .*rotation\?\); accepted here: rotation"),
    ("trian.epochs=3", r"unknown key trian \(did you mean train\?\); accepted here: about, data"),
    ("model.network=cnn", "model.network must be 'mlp', 'conv', 'layers' or 'parts', got 'cnn'"),
    ("model.hidden=[]", r"model.hidden must be one or more whole numbers from 1 to 16384, got \[\]"),
    ("model.hidden=[64, 0]", "model.hidden must be one or more whole numbers from 1 to 16384, got 0"),
    ("model.encoder=linear 9", "model.encoder must be a list of layers, such as .* got 'linear 9'"),
    ("model.n_bits=13", "objective.lambda_information needs the table.* <= 12, got 13"),
    ("train.device=gpu", "train.device must be 'auto', 'cpu', 'cuda' or 'mps', got 'gpu'"),
    ("train.epochs", "--set train.epochs: must be section.key=value"),
])
def test_a_bad_setting_is_named_with_its_value_and_what_is_accepted(override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config("digits", overrides=[override])
    assert "\n" not in str(caught.value)


def test_a_model_without_latents_is_one_line():
    with pytest.raises(ConfigError, match=r"^run.toml: n_reals \+ n_bits must be >= 1, got 0"):
        parse_config({"model": {"n_reals": 0, "n_bits": 0}}, origin="run.toml")


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"digitz: no such preset.*did you mean digits\?.*mnist"):
        load_config("digitz")


def test_broken_toml_names_the_file(tmp_path):
    (tmp_path / "broken.toml").write_text("train = [")
    with pytest.raises(ConfigError, match=r"broken\.toml: not valid TOML"):
        load_config(tmp_path / "broken.toml")


def test_a_schedule_is_a_number_or_straight_lines_between_points():
    assert value_at(3.0, 0.7) == 3.0
    points = ((0.0, 12.0), (0.5, 12.0), (0.75, 3.0), (1.0, 3.0))
    assert [value_at(points, p) for p in (0, 0.5, 0.625, 0.75, 1)] == [12, 12, 7.5, 3, 3]


def test_weights_follow_their_schedules():
    config = parse_config({"objective": {"gamma_z": 100, "capacity_z": [[0, 0], [1, 20]]}})
    assert {"capacity_z": 10, "gamma_z": 100}.items() <= weights_at(config.objective, 0.5).items()

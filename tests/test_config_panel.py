"""A configuration as widgets: filled from one, writing one, and saying what is wrong."""

import pytest

from mrvae_lib.config import RunConfig, load_config, preset_names
from mrvae_lib.dialects.ini import IniFile, example_names
from mrvae_lib.errors import ConfigError
from mrvae_lib.interactive.config_panel import ConfigPanel


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_fills_the_widgets_and_comes_back_equal(name, tmp_path):
    panel = ConfigPanel(load_config(name))
    assert panel.config == load_config(name)
    assert load_config(panel.save(tmp_path / "written.toml")) == load_config(name)


def test_a_changed_widget_changes_that_setting_and_no_other():
    panel = ConfigPanel(load_config("digits"))
    panel.fields["objective.beta_z"].value = "[[0, 12], [1, 2.5]]"
    panel.fields["model.network"].value = "conv"
    before = load_config("digits").model_dump()
    after = panel.config.model_dump()
    assert after["objective"].pop("beta_z") == ((0, 12), (1, 2.5))
    assert after["model"].pop("network") == "conv"
    before["objective"].pop("beta_z")
    before["model"].pop("network")
    assert after == before


def test_loading_a_file_fills_the_widgets(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[model]\nn_reals = 3\n[train]\nepochs = 7\n")
    panel = ConfigPanel()
    panel.load(path)
    assert panel.fields["model.n_reals"].value == "3"
    assert (panel.config.model.n_reals, panel.config.train.epochs) == (3, 7)


@pytest.mark.parametrize(("field", "text", "told"), [
    ("train.epochs", "-3", "panel: train.epochs must be >= 1, got -3"),
    ("objective.beta_z", "much", "panel: objective.beta_z must be a number >= 0, or points"),
    ("model.hidden", "", "panel: model.hidden"),
])
def test_what_is_not_accepted_is_said_and_raised(field, text, told):
    panel = ConfigPanel()
    panel.fields[field].value = text
    assert told in panel.message.value.replace("&gt;", ">").replace("&#x27;", "'")
    with pytest.raises(ConfigError, match=field.replace(".", r"\.")):
        _ = panel.config
    panel.show(RunConfig())
    assert panel.config == RunConfig()


def test_text_in_a_setting_stays_text():
    panel = ConfigPanel()
    panel.fields["train.epochs"].value = "<b>many</b>"
    assert "&lt;b&gt;many" in panel.message.value


def test_where_there_are_no_widgets_the_configuration_is_printed():
    bundle = ConfigPanel()._repr_mimebundle_()
    assert "train.epochs = 20" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


@pytest.mark.parametrize("example", example_names())
def test_an_ini_file_fills_the_panel_and_comes_back_as_toml(example, tmp_path):
    panel = ConfigPanel()
    panel.load(example)
    assert load_config(panel.save(tmp_path / "mine.toml")) == panel.config == IniFile.read(example).run()


def test_where_a_widget_says_what_is_not_accepted_nothing_is_written(tmp_path):
    panel = ConfigPanel()
    panel.fields["train.epochs"].value = "-3"
    with pytest.raises(ConfigError):
        panel.save(tmp_path / "mine.toml")
    assert not list(tmp_path.iterdir())

"""The command line as a user types it."""

import json
import shutil
import tomllib

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from mrvae_lib import __version__
from mrvae_lib.analysis import latent_report
from mrvae_lib.cli import app
from mrvae_lib.config import load_config, preset_names
from tests.conftest import ROOT

SMALL = ["--set", "model.hidden=[16]", "--set", "train.epochs=2", "--set", "data.limit=200",
         "--set", "train.batch_size=50", "--device", "cpu", "--precision", "fp32"]


def mrvae(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    result = mrvae("train", "digits", "--out", folder, *SMALL)
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_training_writes_all_that_it_says(run):
    folder, output = run
    for name in ("config.toml", "metrics.jsonl", "model/config.json", "model/model.safetensors",
                 "model/examples.safetensors", "traversals.png", "traversals.gif", "report.html",
                 "pictures/scatter.png", "pictures/sweep/0002.png"):
        assert (folder / name).is_file(), name
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert len(events.Images("reconstructions")) == 2
    assert "label accuracy of the code" in output
    assert "label accuracy of k-means" in output
    assert "Next:" in output
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert Image.open(folder / "traversals.png").size[0] > 300


def test_the_model_card_says_how_it_was_made_and_what_it_scores_and_the_written_configuration_agrees(run):
    card = json.loads((run[0] / "model" / "config.json").read_text())["card"]
    assert card["command"].startswith("mrvae train digits")
    assert card["scores"]["n_images"] == 360
    config = load_config(run[0] / "config.toml")
    assert card["run"]["train"]["epochs"] == config.train.epochs == 2
    assert config.model.hidden == (16,)


def test_a_finished_run_is_scored_again_and_not_trained(run):
    before = (run[0] / "model" / "model.safetensors").read_bytes()
    result = mrvae("train", run[0])
    assert result.exit_code == 0
    assert (run[0] / "model" / "model.safetensors").read_bytes() == before


def test_evaluate_prints_tables_or_json_that_agree_with_the_card(run, monkeypatch):
    measured = []  # once: the scores are the same both times
    monkeypatch.setattr(latent_report, "measure", lambda *given, really=latent_report.measure:
                        measured[0] if measured else measured.append(really(*given)) or measured[0])
    output = mrvae("evaluate", run[0], "--latents").output
    for text in ("reconstruction", "untrained", "nats told of", "slant", "flip moves", "5-NN accuracy"):
        assert text in output, text
    said = json.loads(mrvae("evaluate", run[0], "--json").output)
    card = json.loads((run[0] / "model" / "config.json").read_text())["card"]
    assert said["trained"]["scores"] == card["scores"]
    assert said["untrained"]["scores"]["kl_z"] < 1
    assert len(said["reals"]) == len(card["scores"]["kl_of_real"])
    assert sum(row["kl"] for row in said["reals"]) == pytest.approx(card["scores"]["kl_z"], rel=1e-4)


def test_traverse_draws_the_pictures_again(run, tmp_path):
    result = mrvae("traverse", run[0], "--out", tmp_path / "new", "--start", "3")
    assert result.exit_code == 0, result.output
    for name in ("traversals.gif", "traversals.png", "anim_z9.gif", "lattice.png"):
        assert str(tmp_path / "new" / name) in result.output
        assert (tmp_path / "new" / name).is_file()
    for wrong in (["--start", "-1"], ["--start", "100"]):
        assert mrvae("traverse", run[0], *wrong).exit_code == 2


def test_explore_writes_a_page_that_carries_everything_and_opens_it(run, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert mrvae("explore", run[0]).exit_code == 0
    assert opened == [(run[0] / "explore.html").resolve().as_uri()]
    page = (run[0] / "explore.html").read_text()
    assert "__PAGE__" not in page
    assert "http" not in page.replace('<a href="https://github.com/', "")  # a link asks only when it is pressed
    assert "src=" not in page


def test_export_writes_the_same_page_where_it_is_told_and_opens_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("opened a browser"))
    assert mrvae("export", run[0], "--out", tmp_path / "page.html").exit_code == 0
    assert f"MR-VAE · {run[0].name}" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(("name", "told"), [
    ("digits", ["1,437", "360", "1x32x32", "0 143"]),
    ("xys", ["720", "180", "3x64x64", "none", "factors: x 15, y 10, scale 6"]),
])
def test_data_tells_what_a_set_holds_and_draws_samples(name, told, tmp_path):
    result = mrvae("data", name, "--out", tmp_path / "samples.png")
    assert result.exit_code == 0
    assert all(text in result.output for text in told), result.output
    assert Image.open(tmp_path / "samples.png").size[0] > 500


def test_presets_are_listed_with_what_they_are_about():
    output = mrvae("presets").output
    assert all(name in output for name in (*preset_names(), *preset_names(".ini")))


HOSTILE = "photos [2024] [raw] :smile: [/]"
"""A name that rich would read as markup and emoji, and a shell as several words."""


def test_names_are_printed_as_they_are_and_commands_can_be_copied_into_a_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = mrvae("train", "digits", "--out", HOSTILE, *SMALL)
    assert result.exit_code == 0, result.output
    assert f"Written to {HOSTILE}: " in result.output
    assert f"mrvae explore '{HOSTILE}'" in result.output
    assert f"{HOSTILE}/traversals.png" in mrvae("traverse", HOSTILE).output
    shutil.rmtree(tmp_path / HOSTILE / "model")
    for command in ("evaluate", "traverse", "explore", "export"):
        assert mrvae(command, HOSTILE).stderr.endswith(f"is not finished; go on with it: mrvae train '{HOSTILE}'\n")


def test_a_folder_of_images_is_named_as_it_is(tmp_path):
    folder = tmp_path / HOSTILE.replace("/", "")
    for label in ("a [b]", "c"):
        (folder / label).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (8, 8), 40 * i).save(folder / label / f"{i}.png")
    output = mrvae("data", folder, "--out", tmp_path / "x.png").output
    assert "a [b]" in output


def test_a_tilde_is_the_home_folder_where_the_shell_leaves_it_alone(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(run[0], tmp_path / "small")
    assert mrvae("export", "~/small", "--out=~/page.html").exit_code == 0
    assert (tmp_path / "page.html").is_file()
    result = mrvae("train", "digits", "--set", "data.name=~/nowhere")
    assert f"no data set '{tmp_path}/nowhere'" in result.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (["train", "digitz"], "mrvae: digitz: no such preset"),
    (["train", "nowhere.toml"], "nowhere.toml: no such preset or .toml file"),
    (["train", "digits", "--set", "train.epoch=3"], "unknown key train.epoch (did you mean epochs?)"),
    (["train", "digits", "--set", "train.epochs=-3"], "train.epochs must be >= 1, got -3"),
    (["train", "digits", "--set", "data.name=letters"], "no data set 'letters'; there are digits"),
    (["data", "nowhere.npz"], "nowhere.npz"),
    (["train", "digits", "--set", "train.pictures=sometimes"], "train.pictures must be"),
    (["train", "digits", "--set", "train.device=tpu"], "train.device must be 'auto', 'cpu', 'cuda' or 'mps', got 'tpu'"),
    (["evaluate", "nowhere"], "nowhere: no such run folder or shipped model; shipped:"),
    (["explore", "nowhere"], "nowhere: no such run folder or shipped model"),
    (["export", "nowhere"], "nowhere: no such run folder or shipped model"),
    (["traverse", "nowhere"], "nowhere: no such run folder or shipped model"),
    (["train", "-c", "ini-mnist"], "-c with an INI file and -v with VAE or B-VAE"),
    (["train", "-v", "VAE"], "-c with an INI file"),
    (["train"], "train takes a preset"),
    (["train", "digits", "-c", "ini-mnist", "-v", "VAE"], "train takes a preset"),
    (["train", "-c", "ini-mnist", "-v", "GAN"], "variation must be VAE or B-VAE, got 'GAN'"),
    (["train", "-c", "ini-mnist", "-v", "B-VAE"], "hyperparameters.beta is missing"),
    (["train", "-c", "nowhere.cfg", "-v", "VAE"], "nowhere.cfg: cannot be read as an INI file ([Errno 2] No such file or directory: 'nowhere.cfg'); the examples are ini-"),
])
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MRVAE_DATA", "unused")
    result = mrvae(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_settings_other_than_more_epochs_cannot_be_changed_on_an_existing_run(run):
    for change in (["--set", "model.n_reals=9"], ["--quick"], ["--set", "train.epochs=1"]):
        result = mrvae("train", run[0], *change)
        assert result.exit_code == 2
        assert any(said in result.stderr for said in ("keeps its settings", "other settings", "must be >= 2, which"))


def test_the_version_is_the_one_of_the_package():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


@pytest.fixture(scope="module")
def blobs():
    generator = np.random.default_rng(0)
    images = np.zeros((24, 16, 16), dtype=np.uint8)
    for image, place in zip(images, generator.integers(0, 10, (24, 2)), strict=True):
        image[place[0] : place[0] + 5, place[1] : place[1] + 5] = 250
    return images


@pytest.mark.parametrize(("n", "columns"), [(1, []), (2, []), (9, ["labels"]), (12, ["labels", "factors"]), (24, ["labels", "factors", "ids"])])
def test_small_sets_of_every_kind_are_trained_scored_and_shown_without_a_traceback(tmp_path, monkeypatch, blobs, n, columns):
    """Also from another folder than the one where the path of the images was given, in a folder with brackets."""
    factors = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2, np.arange(n) / 7], 1)
    known = {"labels": np.arange(n) % 3 + 1, "factors": factors, "ids": np.arange(n) + 10**6}
    np.savez(tmp_path / "own[1].npz", images=blobs[:n], factor_names=list("abcd"), **{"labels" if name == "ids" else name: known[name] for name in columns})
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run [raw][/]"
    assert mrvae("data", "own[1].npz").exit_code == 0
    result = mrvae("train", "digits", "--set", "data.name=own[1].npz", "--out", run, *SMALL, "--set", "train.pictures=none")
    assert result.exit_code == 0, result.output
    assert f"Written to {run}: " in result.output
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for command in (["evaluate", run, "--latents"], ["export", run]):
        result = mrvae(*command)
        assert result.exit_code == 0, (command, result.output, result.exception)

"""The loop: one seed is one history, an interruption costs nothing, and a bad number stops the run."""

import json
import os
import signal
from unittest import mock

import pytest
import torch

from benchmarks import fuzz
from mrvae_lib.errors import CheckpointError, ConfigError, TrainingError
from mrvae_lib.training.callbacks import JsonLines, ProgressBar
from mrvae_lib.training.checkpoints import checkpoints, load_model, load_state, save_model
from mrvae_lib.training.device import choose_device
from mrvae_lib.training.loop import Callback, train
from mrvae_lib.training.run import Plateau, start
from tests.conftest import At, History, tiny_images, tiny_model, tiny_run


class StopAfter(At):
    """Press Ctrl-C after so many steps."""

    def __init__(self, step):
        super().__init__(step, lambda _: os.kill(os.getpid(), signal.SIGINT))


def weights_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_one_seed_is_one_history_bit_for_bit_and_another_seed_is_another():
    histories = [History(), History()]
    first, second = (train(tiny_run(), images=tiny_images(), callbacks=[history]) for history in histories)
    assert torch.equal(weights_of(first), weights_of(second))
    assert histories[0].rows == histories[1].rows
    assert not torch.equal(weights_of(first), weights_of(train(tiny_run(seed=1), images=tiny_images())))


def test_training_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    train(tiny_run(epochs=1), images=tiny_images())
    assert torch.equal(torch.get_rng_state(), before)


def test_reconstruction_falls_by_a_fifth_on_images_with_structure():
    history = History()
    train(tiny_run(epochs=60, lr=0.01), images=tiny_images(256), callbacks=[history])
    assert history.rows[-1]["reconstruction"] < 0.8 * history.rows[0]["reconstruction"]
    assert history.rows[-1]["information_of_code"] > 0.5


SMALL_BATCHES = {"batch_size": 4, "epochs": 2}
CONV = {"epochs": 2, "model.network": "conv", "model.hidden": [4, 8, 16]}


@pytest.mark.parametrize(("step", "settings"), [(1, {}), (8, {}), (9, {}), (14, {}), (5, SMALL_BATCHES), (3, CONV)])
def test_stopping_anywhere_and_resuming_ends_in_the_same_weights(tmp_path, step, settings):
    config, history, lines = tiny_run(**settings), History(), JsonLines(tmp_path / "b" / "metrics.jsonl")
    expected = train(config, tmp_path / "a", images=tiny_images(), callbacks=[history])
    train(config, tmp_path / "b", images=tiny_images(), callbacks=[StopAfter(step), lines])
    assert not (tmp_path / "b" / "model").exists()
    assert load_model(tmp_path / "b").n_bits == 3
    assert load_state(checkpoints(tmp_path / "b" / "checkpoints")[-1])["pool"] is not None
    resumed = train(config, tmp_path / "b", images=tiny_images(), callbacks=[lines])
    assert torch.equal(weights_of(expected), weights_of(resumed))
    assert [json.loads(line) for line in lines.path.read_text().splitlines()] == history.rows


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train(tiny_run(), tmp_path, images=tiny_images())
    history = History()
    again = train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[history])
    assert torch.equal(weights_of(first), weights_of(again))
    assert history.rows == []


def test_a_folder_with_another_run_is_refused_and_left_alone(tmp_path):
    train(tiny_run(), tmp_path, images=tiny_images())
    before = (tmp_path / "config.toml").read_text()
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train(tiny_run(lr=0.5), tmp_path, images=tiny_images())
    assert (tmp_path / "config.toml").read_text() == before


@pytest.mark.parametrize(("step", "number", "message", "kept"), [
    (10, torch.nan, r"step 11: reconstruction is not finite \(reconstruction nan, kl_z .*stays", "step-00000008"),
    (8, torch.inf, r"step 8: decoder.* is not finite", "step-00000004"),
])
def test_a_loss_or_weight_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, step, number, message, kept):
    poison = At(step, lambda run: torch.nn.init.constant_(next(run.model.decoder.parameters()), number))
    with pytest.raises(TrainingError, match=message):
        train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[poison])
    assert torch.isfinite(weights_of(load_model(tmp_path))).all()
    assert [path.name for path in checkpoints(tmp_path / "checkpoints")] == [kept]


def test_callbacks_hear_the_end_even_of_a_failed_run():
    callback = mock.Mock(Callback)
    callback.on_step.side_effect = RuntimeError("on purpose")
    with pytest.raises(RuntimeError, match="on purpose"):
        train(tiny_run(), images=tiny_images(), callbacks=[callback])
    callback.on_end.assert_called_once()


def test_a_batch_larger_than_the_set_and_a_single_image_both_train():
    for n in (1, 3):
        assert torch.isfinite(weights_of(train(tiny_run(epochs=2), images=tiny_images(n)))).all()


def test_the_limit_keeps_the_first_images():
    kept = start(tiny_run(**{"data.limit": 20}), images=tiny_images(64)).images
    assert torch.equal(kept.images, tiny_images(64).images[:20])


def test_the_progress_bar_counts_every_step(capsys):
    train(tiny_run(), images=tiny_images(), callbacks=[ProgressBar()])
    assert "16/16" in capsys.readouterr().err


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_saved_model_is_the_same_model(tmp_path, network):
    model = tiny_model(network=network)
    model.card, model.examples = {"seed": 3}, {"mu": torch.zeros(1, 2)}
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert torch.equal(weights_of(model), weights_of(loaded))
    assert loaded.card == model.card
    assert loaded.config == model.config
    assert not loaded.training


def test_a_model_stored_in_half_precision_is_half_the_size_and_close(tmp_path):
    model = tiny_model()
    save_model(model, tmp_path / "full")
    save_model(model.half(), tmp_path / "half")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.65 * sizes[0]
    full, half = (load_model(tmp_path / name).reconstruct(torch.full((2, 1, 8, 8), 0.3)) for name in ("full", "half"))
    torch.testing.assert_close(half, full, atol=2e-3, rtol=0)


def test_saving_again_replaces_the_folder_whole(tmp_path):
    save_model(tiny_model(seed=0), tmp_path / "m")
    save_model(tiny_model(seed=1), tmp_path / "m")
    assert torch.equal(weights_of(load_model(tmp_path / "m")), weights_of(tiny_model(seed=1)))
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_run_computes_in_fp32_whatever_the_default_is():
    torch.set_default_dtype(torch.float64)
    try:
        found = weights_of(train(tiny_run(epochs=1), images=tiny_images()))
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32


@pytest.mark.parametrize(("name", "damage", "message"), [
    ("model.safetensors", lambda old: b"half a file", "model.safetensors: does not hold"),
    ("model.safetensors", lambda old: old[:-4] + b"\x00\x00\xc0\x7f", r"model.safetensors: .* is not finite"),  # NaN
    ("model.safetensors", None, "model.safetensors: not there"),
    ("config.json", lambda old: b"{", "config.json: not a model's config.json"),
    ("config.json", lambda old: b"{}", "config.json: not a model's config.json"),
    ("config.json", lambda old: old.replace(b'"n_bits": 3', b'"n_bits": 5'), "does not hold this model's weights"),
    ("config.json", lambda old: old.replace(b" 16\n", b" 16384, 16384\n"), "does not hold this model's weights"),
    ("config.json", None, "no model here"),
])
def test_a_damaged_model_is_named_and_takes_no_memory(tmp_path, name, damage, message):
    save_model(tiny_model(), tmp_path / "m")
    path = tmp_path / "m" / name
    good = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(good))
        assert path.read_bytes() != good
    with fuzz.memory_limit(2**28), pytest.raises(CheckpointError, match=message):
        load_model(tmp_path / "m")


def changed(change):
    return lambda path: torch.save(change(torch.load(path, weights_only=True)), path)


@pytest.mark.parametrize(("change", "message"), [
    (changed(lambda state: {key: state[key] for key in state if key not in ("plateau", "pool")}), "has no plateau, pool: "),
    (changed(lambda state: state | {"plateau": {"best": 1.0, "patience": 3}}), r"does not fit this run \(TypeError: "),
    (changed(lambda state: state | {"optimizer": {"state": {}, "param_groups": []}}), r"does not fit this run \(ValueError: "),
    (changed(lambda state: torch.zeros(3)), "cannot be read .TypeError: expected a table, got Tensor"),
    (lambda path: path.write_bytes(b"half"), "cannot be read"),
])
def test_a_checkpoint_of_another_version_or_half_of_one_is_named_in_one_line(tmp_path, change, message):
    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[StopAfter(5)])
    (path,) = tmp_path.glob("checkpoints/*/state.pt")
    change(path)
    with pytest.raises(CheckpointError, match=rf"^.*state\.pt: {message}") as caught:
        train(tiny_run(), tmp_path, images=tiny_images())
    assert "\n" not in str(caught.value)
    assert load_model(tmp_path).n_bits == 3


def test_without_a_gpu_auto_takes_the_processor_and_a_device_that_is_not_there_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="'mps' is not available here; available: cpu"):
        choose_device("mps")


def test_the_clock_decides_between_bf16_and_fp32_and_a_resumed_run_keeps_its_choice(tmp_path, monkeypatch):
    config = tiny_run(epochs=200, precision="auto")
    seconds = {"fp32": 2.0, "bf16": 1.0}
    monkeypatch.setattr("mrvae_lib.training.run.multiplies_bf16", lambda device: True)
    monkeypatch.setattr("mrvae_lib.training.run.seconds_per_step", lambda step: seconds)
    assert start(config, images=tiny_images()).bf16
    train(config, tmp_path / "fast", images=tiny_images(), callbacks=[StopAfter(3)])
    seconds["bf16"] = 3.0
    assert not start(config, images=tiny_images()).bf16
    assert start(config, tmp_path / "fast", images=tiny_images()).bf16


def test_a_precision_that_is_asked_for_is_taken_without_a_clock(monkeypatch):
    monkeypatch.setattr("mrvae_lib.training.run.seconds_per_step", None)
    for precision in ("bf16", "fp32"):
        assert start(tiny_run(epochs=200, precision=precision), images=tiny_images()).bf16 == (precision == "bf16")


def test_timing_a_step_leaves_the_run_as_it_was(monkeypatch):
    monkeypatch.setattr("mrvae_lib.training.run.multiplies_bf16", lambda device: True)
    monkeypatch.setattr("mrvae_lib.training.device.MEASURED_SECONDS", 0.01)
    timed, plain = (start(tiny_run(epochs=200, precision=precision), images=tiny_images()) for precision in ("auto", "fp32"))
    assert torch.equal(timed.noise.get_state(), plain.noise.get_state())
    torch.testing.assert_close(timed.model.state_dict(), plain.model.state_dict(), rtol=0, atol=0)
    assert all(weight.grad is None for weight in timed.model.parameters())
    assert timed.pool.past is None


def test_a_run_in_bf16_stays_finite_and_learns():
    history = History()
    model = train(tiny_run(precision="bf16", epochs=30, lr=0.01), images=tiny_images(128), callbacks=[history])
    assert history.rows[-1]["reconstruction"] < history.rows[0]["reconstruction"]
    assert torch.isfinite(model.reconstruct(tiny_images().floats())).all()


@pytest.mark.parametrize("patience", [0, 2])
def test_the_plateau_cuts_the_learning_rate_when_torchs_scheduler_does(patience):
    losses = [3.0, 2.0, 2.0, 1.9999, 2.5, 1.5, 1.6, 1.7, 1.8, 1.9, 1.4, 1.4, 1.4, 1.4, 1.0, 0.99995, 5, 5, 5, 5]
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs, ours = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience), Plateau()
    factors = []
    for loss in losses:
        theirs.step(loss)
        ours.watch(loss, patience)
        factors.append((ours.factor, optimizer.param_groups[0]["lr"]))
    assert len({mine for mine, _ in factors}) >= 3
    assert all(mine == pytest.approx(torchs) for mine, torchs in factors if torchs > 1e-7)


def test_a_run_on_a_plateau_goes_on_at_a_tenth_of_its_rate_also_after_a_stop(tmp_path):
    config = tiny_run(epochs=5, lr=1e-9, plateau=0)
    whole, first, second = History(), History(), History()
    train(config, images=tiny_images(), callbacks=[whole])
    train(config, tmp_path, images=tiny_images(), callbacks=[first, StopAfter(start(config, images=tiny_images()).n_steps * 4 // 5)])
    train(config, tmp_path, images=tiny_images(), callbacks=[second])
    rates = [row["lr"] for row in whole.rows]
    assert [row["lr"] for row in first.rows + second.rows] == rates
    assert rates[-1] < rates[0] / 5

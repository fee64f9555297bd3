"""What can go wrong around a run: a full disk, a folder that is read-only or gone or taken, hostile files."""

import contextlib
import json
import resource
import shutil
import subprocess

import pytest
import torch

from benchmarks import fuzz
from mrvae_lib.config import load_config
from mrvae_lib.errors import CheckpointError, ConfigError
from mrvae_lib.training.callbacks import JsonLines
from mrvae_lib.training.checkpoints import checkpoints, load_model
from mrvae_lib.training.loop import train
from mrvae_lib.training.run import start
from tests.conftest import At, History, tiny_images, tiny_run
from tests.test_training import StopAfter, weights_of


def goes_on(folder, epochs):
    """A run that failed ends, once it can write again, in the weights of one that was never disturbed."""
    expected = train(tiny_run(epochs=epochs), images=tiny_images())
    return torch.equal(weights_of(train(tiny_run(epochs=epochs), folder, images=tiny_images())), weights_of(expected))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB, which only root can mount."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_run_with_one_line_and_leaves_the_last_checkpoint(small_disk):
    filler = small_disk / "filler"
    folder = small_disk / "run"
    train(tiny_run(epochs=1), small_disk / "other", images=tiny_images())
    shutil.rmtree(small_disk / "other")

    def fill_up(run):
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()

    with pytest.raises(CheckpointError, match=r"cannot be written to \(.*; .*step-00000008 stays") as caught:
        train(tiny_run(), folder, images=tiny_images(), callbacks=[At(10, fill_up), JsonLines(folder / "metrics.jsonl")])
    assert "\n" not in str(caught.value)
    filler.unlink()
    assert goes_on(folder, 4)


def test_a_file_size_limit_stops_the_run_with_one_line(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written to \(.*; no checkpoint was written yet") as caught:
            train(tiny_run(), tmp_path / "run", images=tiny_images())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert goes_on(tmp_path / "run", 4)


def test_a_folder_that_became_read_only_is_one_line_and_keeps_its_last_checkpoint(small_disk):
    train(tiny_run(), small_disk / "run", images=tiny_images(), callbacks=[StopAfter(6)])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CheckpointError, match=r"Read-only file system.*step-00000006 stays"):
        train(tiny_run(), small_disk / "run", images=tiny_images())
    with pytest.raises(CheckpointError, match=r"Read-only file system.*no checkpoint was written yet"):
        train(tiny_run(), small_disk / "another", images=tiny_images())
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert goes_on(small_disk / "run", 4)


def test_a_folder_that_cannot_be_one_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"cannot be written to \(.*no checkpoint was written yet"):
        train(tiny_run(), tmp_path / "file" / "run", images=tiny_images())


def test_a_folder_deleted_in_the_middle_of_a_run_is_not_made_anew(tmp_path):
    folder = tmp_path / "run"

    with pytest.raises(CheckpointError, match=r"the folder is gone"):
        train(tiny_run(), folder, images=tiny_images(), callbacks=[At(6, lambda run: shutil.rmtree(folder))])
    assert not folder.exists()


def test_a_second_process_is_kept_out_of_a_run_and_the_first_is_not_disturbed(tmp_path):
    def intrude(run):
        with pytest.raises(CheckpointError, match="another process is training here"):
            train(tiny_run(), tmp_path, images=tiny_images())

    disturbed = train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[At(5, intrude)])
    assert torch.equal(weights_of(disturbed), weights_of(train(tiny_run(), images=tiny_images())))


@pytest.mark.parametrize("name", fuzz.formats())
def test_300_damaged_files_of_each_kind_are_read_or_refused_with_one_line(name):
    with fuzz.memory_limit(fuzz.MEMORY):
        ends = fuzz.fuzz(name, fuzz.formats()[name], 300, seed=1)
    assert set(ends) <= {"read", "refused"}, ends
    assert ends["refused"] > 100 or name == "pictures"  # a good one lies beside each


def test_a_label_that_no_image_has_is_no_obstacle():
    images = tiny_images()
    few = images.subset(images.labels == 0)
    assert len(few.label_names) == 2
    assert torch.isfinite(weights_of(train(tiny_run(epochs=1), images=few))).all()


def test_no_image_at_all_is_a_clear_error():
    with pytest.raises(ConfigError, match="has no images to train on"):
        start(tiny_run(), images=tiny_images(4).first(0))


@pytest.mark.parametrize(("n_reals", "n_bits"), [(0, 3), (2, 0)])
def test_bits_alone_and_reals_alone_train(n_reals, n_bits, tmp_path):
    config = tiny_run(epochs=1, **{"model.n_reals": n_reals, "model.n_bits": n_bits})
    assert torch.isfinite(weights_of(train(config, tmp_path, images=tiny_images()))).all()
    assert len(checkpoints(tmp_path / "checkpoints")) == 1


def test_a_finished_run_goes_on_when_it_is_given_more_epochs_and_remembers_them(tmp_path):
    history = History()
    train(tiny_run(epochs=2), tmp_path, images=tiny_images())
    longer = train(tiny_run(epochs=4), tmp_path, images=tiny_images(), callbacks=[history])
    assert [row["epoch"] for row in history.rows] == [3, 4]
    assert torch.equal(weights_of(load_model(tmp_path)), weights_of(longer))
    assert load_config(tmp_path / "config.toml").train.epochs == 4
    with pytest.raises(ConfigError, match=r"train.epochs must be >= 4, which the run already has behind it, got 3"):
        train(tiny_run(epochs=3), tmp_path, images=tiny_images())
    assert load_config(tmp_path / "config.toml").train.epochs == 4


@pytest.mark.parametrize(("change", "message"), [
    (lambda text: text.replace("n_reals = 2", "n_reals = 5"), r"other model.n_reals \(2 then, 5 now\)"),
    (lambda text: "", r"other data.name|other model.n_reals|other model.hidden"),
])
def test_a_run_whose_settings_were_changed_under_it_says_which(tmp_path, change, message):
    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[StopAfter(6)])
    path = tmp_path / "config.toml"
    path.write_text(change(path.read_text()))
    with pytest.raises(ConfigError, match=message):
        train(load_config(path), tmp_path, images=tiny_images())


@pytest.mark.parametrize("images", [tiny_images(63), tiny_images(64, seed=1), tiny_images(shape=(1, 8, 9))])
def test_a_run_whose_images_were_changed_under_it_says_so(tmp_path, images):
    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[StopAfter(6)])
    with pytest.raises(ConfigError, match=r"other the images \(64 images \w+ then, 6\d images \w+ now\)"):
        train(tiny_run(), tmp_path, images=images)


@pytest.mark.parametrize("line", ["", "5", "null", '{"step": "x"}', '{"step": null}', "[" * 5000, "\xff", '{"step": 1e400}', "{"])
def test_a_damaged_line_of_metrics_is_dropped_when_a_run_goes_on(tmp_path, line):
    lines = JsonLines(tmp_path / "metrics.jsonl")
    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[StopAfter(9), lines])
    with lines.path.open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[lines])
    assert [json.loads(line)["epoch"] for line in lines.path.read_text().splitlines()] == [1, 2, 3, 4]


def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("step-100000000", "step-99999999", "step-00000005", "step-x"):
        (tmp_path / name).mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000005", "step-99999999", "step-100000000"]

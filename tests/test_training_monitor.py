"""The training monitor, without a browser: what it shows, what it says, and an interrupt in a running kernel."""

import re
import time
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest
from jupyter_client.manager import run_kernel
from matplotlib.axes import Axes

from mrvae_lib.interactive import training_monitor
from mrvae_lib.interactive.training_monitor import TrainingMonitor, collapse_message
from mrvae_lib.training.callbacks import HeldOut
from mrvae_lib.training.checkpoints import load_model
from mrvae_lib.training.loop import train
from tests.conftest import ROOT, At, Keep, tiny_images, tiny_run

TRAIN = """
import sys; sys.path.insert(0, {root!r})
from mrvae_lib.interactive import TrainingMonitor
from mrvae_lib.training.loop import train
from tests.conftest import At, tiny_images, tiny_run
monitor, tell = TrainingMonitor(every=0.2), At(8, lambda run: print("training starts", flush=True))
train(tiny_run(epochs=10**6, checkpoint_every=10**6), {folder!r}, images=tiny_images(), callbacks=[monitor, tell])
print("stopped at step", monitor.run.step, monitor.status())
"""


@pytest.fixture
def notebook(monkeypatch):
    """Stands in for a notebook: keeps the pictures and texts that are shown in it."""
    monkeypatch.setattr(training_monitor, "get_ipython", lambda: types.SimpleNamespace(kernel=True))
    shown = []
    handle = types.SimpleNamespace(update=lambda what: shown.append((what._repr_png_(), repr(what))))
    monkeypatch.setattr(training_monitor, "display", lambda what, display_id: handle.update(what) or handle)
    return shown


def test_a_finished_run_shows_curves_bars_and_reconstructions(notebook, monkeypatch):
    monitor = TrainingMonitor(tiny_images(), every=0)
    train(tiny_run(), images=tiny_images(), callbacks=[HeldOut(tiny_images()), monitor])
    figures = []
    monkeypatch.setattr(training_monitor, "figure_png", figures.append)
    monitor.png()
    axes = {ax.get_title(loc="left"): ax for ax in figures[0].findobj(Axes)}
    assert {line.get_label() for line in axes["loss"].lines} >= {"reconstruction", "test reconstruction"}
    assert {line.get_label() for line in axes["what latents carry"].lines} >= {"KL of z", "KL of b", "test KL of z"}
    assert len(axes["what latents carry"].lines[0].get_xdata()) == len(monitor.rows)
    bars = axes["KL of each real z, I(x; b) of each bit b"]
    assert [text.get_text() for text in bars.get_xticklabels()] == ["z0", "z1", "b0", "b1", "b2"]
    across = axes["originals above reconstructions"].get_window_extent().width * 96 / figures[0].dpi
    assert across / training_monitor.N_SHOWN > 56
    assert monitor.status().startswith("finished, epoch 4 of 4")


def test_the_last_picture_stays_in_a_saved_notebook_and_none_stays_open(notebook):
    train(tiny_run(), images=tiny_images(), callbacks=[TrainingMonitor()])
    (first, _), *_, (last, text) = notebook
    assert first != last
    assert last.startswith(b"\x89PNG")
    assert text.startswith("TrainingMonitor(finished, epoch 4 of 4")
    assert not plt.get_fignums()


def test_a_running_run_says_how_to_stop_it_and_that_a_checkpoint_stays(tmp_path, notebook):
    for folder, kept in ((None, ""), (tmp_path, "; a checkpoint stays")):
        train(tiny_run(), folder, images=tiny_images(), callbacks=[TrainingMonitor(every=0)])
        assert f"(interrupt the cell to stop after this step{kept})" in notebook[0][1]
        notebook.clear()


def test_drawing_takes_at_most_5_percent_of_the_time(notebook, monkeypatch):
    now, drawn_at = [0.0], []
    monkeypatch.setattr(training_monitor.time, "monotonic", lambda: now[-1])

    def draw(_):
        drawn_at.append(now[-1])
        now.append(now[-1] + 2)

    monkeypatch.setattr(TrainingMonitor, "_repr_png_", draw)
    clock = Keep(lambda *_: now.append(now[-1] + 10) or now[-1])
    train(tiny_run(), images=tiny_images(), callbacks=[clock, TrainingMonitor(every=1)])
    assert len(drawn_at) > 4
    assert np.diff(drawn_at[1:-1]).min() >= 2 + 20 * 2  # the first one shows the start of the run, the last one its end


@pytest.mark.parametrize(("every", "points"), [(1e9, [1, 2, 3, 4]), (0, [step / 4 for step in range(1, 17)])])
def test_curves_have_a_point_per_epoch_and_per_redraw_each_the_mean_of_the_steps_since_the_last(every, points):
    keep, monitor = Keep(lambda run, terms, weights: terms.values["kl_z"].detach().mean()), TrainingMonitor(every=every)
    train(tiny_run(), images=tiny_images(), callbacks=[keep, monitor])
    assert [row["epoch"] for row in monitor.rows] == points
    width = 16 // len(points)
    means = [sum(keep.values[at : at + width]) / width for at in range(0, 16, width)]
    assert [row["kl_z"] for row in monitor.rows] == pytest.approx(means, rel=1e-5)


def test_a_run_stopped_in_its_first_epoch_still_shows_a_point():
    monitor = TrainingMonitor(every=1e9)
    train(tiny_run(), images=tiny_images(), callbacks=[At(1, lambda run: run.stop.set()), monitor])
    assert [row["epoch"] for row in monitor.rows] == [0.25]


def test_watching_changes_no_number_of_the_run(notebook):
    plain = train(tiny_run(), images=tiny_images()).state_dict()
    watched = train(tiny_run(), images=tiny_images(), callbacks=[TrainingMonitor(every=0)]).state_dict()
    assert all((plain[name] == watched[name]).all() for name in plain)


def test_without_a_notebook_it_prints_one_line_per_epoch(capsys):
    train(tiny_run(), images=tiny_images(), callbacks=[TrainingMonitor()])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"epoch 4/4: reconstruction [\d.]+, kl_z [\d.]+, kl_b [\d.]+", lines[-1])


@pytest.mark.parametrize(("kl", "bits", "message"), [
    ([], [], ""),
    ([1.0, 0.2], [0.5], ""),
    ([1.0, 0.02], [0.5], "Carrying nothing: z1 (under 0.1 nats per image)."),
    ([1.0], [0.0, 0.01], "Carrying nothing: b0, b1 (under 0.1 nats per image). All bits have collapsed: raise "
                         "lambda_information."),
    ([0.0, 0.01], [0.0], "Collapsed: no latent carries anything, so every image is decoded alike. Lower beta, or "
                         "reward information about the image."),
])
def test_the_warning_names_what_carries_nothing(kl, bits, message):
    assert collapse_message(kl, bits) == message


def printed(client, wanted, timeout=300):
    """Wait for a printed line; gives what follows `wanted` in it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=timeout)
        assert message["msg_type"] != "error", message["content"]
        if found := re.search(re.escape(wanted) + r" (.*)", message["content"].get("text", "")):
            return found[1]
    raise AssertionError(f"never printed: {wanted}")


def test_the_notebooks_own_interrupt_ends_the_run_and_leaves_a_checkpoint(tmp_path):
    with run_kernel(kernel_name="python3") as client:
        client.execute(TRAIN.format(root=str(ROOT), folder=str(tmp_path)))
        printed(client, "training")
        client.parent.interrupt_kernel()
        assert "stopped, epoch" in printed(client, "stopped at step")
    assert load_model(tmp_path).n_bits == 3

"""The training monitor, without a browser: what it shows, what it says, and a press of Stop in a running kernel."""

import re
import time

import pytest
from jupyter_client.manager import start_new_kernel

from mrvae_lib.interactive import monitor as monitor_module
from mrvae_lib.interactive.monitor import TrainingMonitor, collapse_message, numbered
from mrvae_lib.training.checkpoints import checkpoints, load_model
from mrvae_lib.training.loop import Callback, train
from tests.conftest import ROOT, tiny_images, tiny_run

TRAIN = """
import sys; sys.path.insert(0, {root!r})
from mrvae_lib.interactive import TrainingMonitor
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_run
monitor = TrainingMonitor(every=0.2)
print("stop is", monitor.stop.comm.comm_id, flush=True)
model = train(tiny_run(epochs=10**7, checkpoint_every=10**6), {folder!r}, images=tiny_images(), callbacks=[monitor])
print("stopped at step", monitor.run.step, monitor.status.value)
"""


class InNotebook:
    """Stands in for a kernel that shows widgets but receives no messages."""


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(monitor_module, "running_kernel", InNotebook)
    monkeypatch.setattr(monitor_module, "answer_widgets", lambda: None)
    shown = []

    class Handle:
        def update(self, what):
            shown.append(what._repr_mimebundle_())

    def display(what, display_id):
        shown.append(what._repr_mimebundle_())
        return Handle()

    monkeypatch.setattr(monitor_module, "display", display)
    return shown


def test_a_finished_run_shows_curves_bars_and_reconstructions(notebook):
    monitor = TrainingMonitor(tiny_images(), every=0)
    train(tiny_run(), images=tiny_images(), callbacks=[monitor])
    assert monitor.bar.value == monitor.bar.max == 16
    assert len(monitor.curves["kl_z"]) >= 16
    assert "<polyline" in monitor.loss_chart.value
    assert re.findall(r">(z0|z1|b0|b1|b2)<", monitor.bars.value) == ["z0", "z1", "b0", "b1", "b2"]
    assert "data:image/png" in monitor.picture.value
    assert monitor.status.value.startswith("finished, epoch 4 of 4")
    assert monitor.stop.disabled


def test_what_stays_in_a_saved_notebook_is_a_picture(notebook):
    monitor = TrainingMonitor()
    train(tiny_run(), images=tiny_images(), callbacks=[monitor])
    first, last = notebook
    assert first["application/vnd.jupyter.widget-view+json"] == last["application/vnd.jupyter.widget-view+json"]
    assert len(last["image/png"]) > 10 * len(first["image/png"])
    assert "finished" in last["text/plain"]


@pytest.mark.parametrize(("every", "points"), [(1e9, [1, 2, 3, 4]), (0, [step / 4 for step in range(1, 17)])])
def test_curves_have_a_point_per_epoch_and_per_redraw_each_the_mean_of_the_steps_since_the_last(every, points):
    class Keep(Callback):
        def __init__(self):
            self.values = []

        def on_step(self, run, terms, weights):
            self.values.append(float(terms.kl_z.detach().mean()))

    keep, monitor = Keep(), TrainingMonitor(every=every)
    train(tiny_run(), images=tiny_images(), callbacks=[keep, monitor])
    curve = monitor.curves["kl_z"]
    assert [epoch for epoch, _ in curve] == points
    width = 16 // len(points)
    means = [sum(keep.values[at : at + width]) / width for at in range(0, 16, width)]
    assert [value for _, value in curve] == pytest.approx(means, rel=1e-5)


def test_a_run_stopped_in_its_first_epoch_still_shows_a_point():
    class StopAtOnce(Callback):
        def on_step(self, run, terms, weights):
            run.stop.set()

    monitor = TrainingMonitor(every=1e9)
    train(tiny_run(), images=tiny_images(), callbacks=[StopAtOnce(), monitor])
    assert [epoch for epoch, _ in monitor.curves["kl_z"]] == [0.25]


def test_watching_changes_no_number_of_the_run(notebook):
    plain = train(tiny_run(), images=tiny_images()).state_dict()
    watched = train(tiny_run(), images=tiny_images(), callbacks=[TrainingMonitor(every=0)]).state_dict()
    assert all((plain[name] == watched[name]).all() for name in plain)


def test_stop_ends_the_run_with_a_checkpoint_that_loads(tmp_path, notebook):
    monitor = TrainingMonitor(every=0)

    class PressAtStep5(Callback):
        def on_step(self, run, terms, weights):
            if run.step == 5:
                monitor.stop.click()

    train(tiny_run(), tmp_path, images=tiny_images(), callbacks=[PressAtStep5(), monitor])
    assert [path.name for path in checkpoints(tmp_path / "checkpoints")] == ["step-00000005"]
    assert load_model(tmp_path).n_bits == 3
    assert monitor.status.value.startswith("stopped, epoch 1 of 4")


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


def test_metrics_with_numbers_are_read_in_their_order():
    assert numbered({"kl_of_real/10": 10.0, "kl_of_real/2": 2.0, "kl_of_real/0": 0.0}, "kl_of_real") == [0, 2, 10]


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client, wanted, timeout=300):
    """Wait for a printed line; gives what follows `wanted` in it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=timeout)
        assert message["msg_type"] != "error", message["content"]
        found = re.search(re.escape(wanted) + r" (.*)", message["content"].get("text", ""))
        if found:
            return found[1]
    raise AssertionError(f"never printed: {wanted}")


def press(client, comm_id):
    content = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "click"}}}
    client.shell_channel.send(client.session.msg("comm_msg", content))


def test_a_press_of_stop_reaches_a_running_cell_and_the_cells_behind_it_keep_their_order(kernel, tmp_path):
    _, client = kernel
    client.execute(TRAIN.format(root=str(ROOT), folder=str(tmp_path)))
    client.execute("order = [model.n_bits]")
    client.execute("order.append('third')")
    client.execute("print('order is', order)")
    comm_id = printed(client, "stop is")
    time.sleep(2)
    press(client, comm_id)
    assert "stopped, epoch" in printed(client, "stopped at step")
    assert printed(client, "order is") == "[3, 'third']"
    assert load_model(tmp_path).n_bits == 3


def test_the_notebooks_own_interrupt_leaves_a_checkpoint_too(kernel, tmp_path):
    manager, client = kernel
    client.execute(TRAIN.format(root=str(ROOT), folder=str(tmp_path)))
    printed(client, "stop is")
    while not (tmp_path / "config.toml").exists():
        time.sleep(0.2)
    time.sleep(2)
    manager.interrupt_kernel()
    assert "stopped, epoch" in printed(client, "stopped at step")
    assert load_model(tmp_path).n_bits == 3

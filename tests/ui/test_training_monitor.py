"""The training monitor in a browser: it redraws while its cell runs, and the notebook's interrupt ends the run."""

from mrvae_lib.training.checkpoints import load_model
from tests.conftest import ROOT
from tests.ui.conftest import put_notebook, run_all_cells

TRAIN = """
import sys; sys.path.insert(0, {root!r})
from mrvae_lib.interactive import TrainingMonitor
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_run
monitor = TrainingMonitor(every=0.3)
model = train(tiny_run(epochs=10**6, checkpoint_every=10**6), {folder!r}, images=tiny_images(), callbacks=[monitor])
print("the cell went on with", model.n_bits, "bits")
"""


def test_the_picture_is_redrawn_and_an_interrupt_ends_the_running_cell_with_a_checkpoint(front_end, page, tmp_path):
    run_all_cells(page, put_notebook(front_end[1], "stop.ipynb", TRAIN.format(root=str(ROOT), folder=str(tmp_path))))
    picture = page.locator(".jp-OutputArea-output img").first
    picture.wait_for(timeout=300_000)
    first = picture.get_attribute("src")
    page.wait_for_function("src => document.querySelector('.jp-OutputArea-output img').src !== src", arg=first,
                           timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('kernelmenu:interrupt'); }")
    page.get_by_text("the cell went on with 3 bits").wait_for(timeout=60_000)
    assert load_model(tmp_path).n_bits == 3

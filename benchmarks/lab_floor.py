"""How soon a mouse move is a painted picture in JupyterLab and Notebook 7 where the kernel has nothing to compute.

    pytest -q benchmarks/lab_floor.py -p tests.ui.conftest

A slider's callback shows the next of 32 pictures that are ready: this is the round trip itself, below which no explorer
can come. `make ui` prints the same for the explorer.
"""

from __future__ import annotations

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.explorer_state import STEP
from tests.ui import latency
from tests.ui.conftest import CHROMIUM, put_notebook, run_all_cells
from tests.ui.test_notebooks import middle

PICTURE = "img[alt='ready']"
CELL = f"""
import ipywidgets as widgets
from mrvae_lib.interactive.display import inline_image
import numpy as np
ready = [inline_image(np.full((28, 28), 8 * i, dtype=np.uint8), alt="ready", width="280px") for i in range(32)]
slider, picture = widgets.FloatSlider(min={SWEEP[0]}, max={SWEEP[1]}, step={STEP}), widgets.HTML(ready[0])
def show(change):
    picture.value = ready[round(change["new"] / {STEP}) % 32]
slider.observe(show, "value")
widgets.VBox([slider, picture])
"""


def test_floor(front_end, page, measured):
    assert CHROMIUM, "Chromium is not installed"
    name, address = front_end
    run_all_cells(page, put_notebook(address, "floor.ipynb", CELL))
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.wait_for(state="attached", timeout=180_000)
    page.wait_for_timeout(2000)
    track = page.locator(".widget-slider .noUi-target").first.bounding_box()["width"]
    times = latency.of_a_drag(page, PICTURE, latency.OF_AN_IMAGE, middle(handle), track)
    measured(f"{name}, nothing computed", times, target=60)

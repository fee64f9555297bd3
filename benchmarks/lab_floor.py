"""How soon a mouse move is a painted picture in JupyterLab and Notebook 7 where the kernel has nothing to compute.

    pytest -q benchmarks/lab_floor.py -p tests.ui.conftest

A slider's callback shows the next of 32 pictures that are ready: this is the round trip itself, below which no explorer
can come. `make ui` prints the same for the explorer.
"""

from __future__ import annotations

import json
import urllib.request

import nbformat

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.explorer_state import STEP
from tests.ui import latency
from tests.ui.conftest import CHROMIUM, run_all_cells

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
    root = address.rsplit("/", 2 if name == "JupyterLab 4" else 1)[0]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    body = json.dumps({"type": "notebook", "content": json.loads(nbformat.writes(notebook))}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{root}/api/contents/floor.ipynb", body, method="PUT"))  # noqa: S310
    run_all_cells(page, f"{address}/floor.ipynb?reset")
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.wait_for(state="attached", timeout=180_000)
    page.wait_for_timeout(2000)
    box = handle.bounding_box()
    track = page.locator(".widget-slider .noUi-target").first.bounding_box()["width"]
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    times = latency.of_a_drag(page, PICTURE, latency.OF_AN_IMAGE, middle, track)
    measured(f"{name}, nothing computed", times, target=60)

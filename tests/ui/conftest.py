"""A real browser: the system's Chromium, driven by Playwright; tests are skipped where it is not installed."""

from __future__ import annotations

import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from mrvae_lib.interactive.explorer_state import ExplorerState
from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MEASURED: list[str] = []
"""What the tests timed; printed at the end, asserted nowhere."""
KERNEL_IS_READY = """() => document.querySelector('.jp-Notebook .jp-Cell')
    && window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.ui)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))
    items.sort(key=lambda item: item.get_closest_marker("ui") is None)  # the long ones first: none is left for the end


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("measured in the browser")
        terminalreporter.write("\n".join(MEASURED) + "\n")


@pytest.fixture
def measured():
    """Takes a name, times in ms and a target in ms, and has the median printed at the end of the test run."""
    def add(name, times, target):
        MEASURED.append(f"{name}: median {statistics.median(times):.1f} ms of {len(times)}, "
                        f"fastest {min(times):.1f}, slowest {max(times):.1f} (target {target})")

    return add


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with (sync_playwright() as playwright,
          playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]) as browser):
        yield browser


@pytest.fixture
def page(browser):
    with new_page(browser) as page:
        yield page


@contextmanager
def new_page(browser, width=1180, height=860, **settings):
    """A page in a context of its own."""
    with browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1, **settings) as page:
        page.set_default_timeout(60_000)
        yield page


@pytest.fixture
def screenshot(pytestconfig):
    def take(page, name, *, whole=False):
        folder = pytestconfig.getoption("--screenshots")
        if folder:
            page.screenshot(path=folder / name, full_page=whole)

    return take


@pytest.fixture(scope="session", params=["JupyterLab 4", "Notebook 7"])
def front_end(request, tmp_path_factory):
    """A notebook server on a copy of the notebooks; gives its name and the address below which a notebook opens."""
    arguments, place = {
        "JupyterLab 4": (["lab", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
                          "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"], "lab/tree"),
        "Notebook 7": (["notebook", "--JupyterNotebookApp.expose_app_in_browser=True"], "notebooks"),
    }[request.param]
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", *arguments, "--no-browser", "--allow-root", f"--port={port}",
         f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2)
                break
            except OSError:
                assert server.poll() is None, f"{request.param} did not start"
                time.sleep(0.5)
        yield request.param, f"{address}/{place}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def put_notebook(address, name, source):
    """Put a notebook of one code cell on the server; gives the address at which it opens."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata={"kernelspec": kernel})
    body = json.dumps({"type": "notebook", "content": notebook}).encode()
    urllib.request.urlopen(urllib.request.Request(f"http://{urlsplit(address).netloc}/api/contents/{name}", body, method="PUT"), timeout=30)
    return f"{address}/{name}?reset"


def run_all_cells(page, address):
    """Open a notebook, and start its cells as soon as its kernel is ready."""
    page.goto(address)
    page.wait_for_function(KERNEL_IS_READY, timeout=300_000, polling=250)
    page.add_locator_handler(page.get_by_text("official Jupyter news"),
                             lambda: page.get_by_role("button", name="No", exact=True).click())
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")  # not awaited


def drag(page, selector, *places):
    """Draw a stroke through places on an element, as shares of its sides."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    points = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def view_told(state, names, values, bits):
    """The view that the texts of sliders and buttons tell; `state` gives the reals without a slider."""
    for name, value in zip(names, values, strict=True):
        state = state.with_real(int(re.match(r"z(\d+)", name)[1]), float(value.replace("−", "-")))
    return ExplorerState(state.z, tuple(int(re.match(r"b\d+ = (\d)", text)[1]) for text in bits), state.example)

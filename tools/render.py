"""Run every notebook, or those that are named, and keep what it shows: `make render`.

Outputs are committed so that GitHub and Colab show pictures before anything is run. Widgets and pages are kept as their
picture: a saved slider that moves nothing is worse than an image. Data sets that are downloaded are out of reach while
rendering, so that none of their images end up in the repository.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 1_000_000


def render(path: Path) -> None:
    """Execute a notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    here = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, store_widget_state=False, resources=here).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET, None)
            if "<iframe srcdoc" in "".join(data.get("text/html", "")):  # a whole page; its picture stays
                data.pop("text/html")
    nbformat.write(notebook, path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"{path}: {size:,} bytes, must be under {MAX_BYTES:,}")
    print(f"{path}: {size:,} bytes")


if __name__ == "__main__":
    os.environ["MRVAE_DATA"] = os.devnull  # no folder, and none can be made there
    for path in sys.argv[1:] or sorted(Path(__file__).parent.parent.glob("notebooks/*.ipynb")):
        render(Path(path))

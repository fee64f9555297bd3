"""What one can touch: explorers, panels and a monitor of training. Loaded on first use: training needs no widgets."""

from importlib import import_module
from typing import Any

_HOMES = {
    "CompareExplorer": "explorer", "ExplorerState": "explorer_state", "LatentExplorer": "explorer", "Panel": "panel",
    "TrainingMonitor": "training_monitor", "export_html": "html_export",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mrvae_lib.interactive.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mrvae_lib.interactive' has no attribute {name!r}")

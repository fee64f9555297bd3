"""Sliders and bits on a trained model. Loaded on first use: training needs neither widgets nor a display."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CompareExplorer": "compare", "ConfigPanel": "settings", "LatentExplorer": "explorer",
    "TrainingMonitor": "training_monitor",
    "export_html": "export", "page_frame": "export",
}
__all__ = ["CompareExplorer", "ConfigPanel", "LatentExplorer", "TrainingMonitor", "export_html", "page_frame"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"mrvae_lib.interactive.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mrvae_lib.interactive' has no attribute {name!r}")

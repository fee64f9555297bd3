"""Sliders and bits on a trained model. Loaded on first use: training needs neither widgets nor a display."""

from __future__ import annotations

from typing import Any

__all__ = ["ConfigPanel", "LatentExplorer", "TrainingMonitor", "export_html"]


def __getattr__(name: str) -> Any:
    if name == "LatentExplorer":
        from mrvae_lib.interactive.explorer import LatentExplorer

        return LatentExplorer
    if name == "ConfigPanel":
        from mrvae_lib.interactive.settings import ConfigPanel

        return ConfigPanel
    if name == "TrainingMonitor":
        from mrvae_lib.interactive.monitor import TrainingMonitor

        return TrainingMonitor
    if name == "export_html":
        from mrvae_lib.interactive.export import export_html

        return export_html
    raise AttributeError(f"module 'mrvae_lib.interactive' has no attribute {name!r}")

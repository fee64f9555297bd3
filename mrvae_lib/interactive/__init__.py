"""Sliders and bits on a trained model. Loaded on first use: training needs neither widgets nor a display."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "BetaPanel": "beta_panel", "CompareExplorer": "compare", "ConfigPanel": "config_panel",
    "FactorExplorer": "factor_explorer", "LatentExplorer": "explorer", "TrainingMonitor": "monitor",
    "RotationExplorer": "rotation", "export_html": "html_export",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"mrvae_lib.interactive.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'mrvae_lib.interactive' has no attribute {name!r}")
